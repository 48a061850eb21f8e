"""Scalars: a text means one thing, or is refused with the way out."""

from fractions import Fraction
from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from mappings.plant.scalars import (
    Duration,
    Exact,
    Number,
    Rate,
    Size,
    Text,
    WholeNumber,
    YesNo,
    duration_text,
    lasting,
)

RIGHT = [
    (Duration, "300ms", 300),
    (Duration, "5s", 5_000),
    (Duration, "1.5s", 1_500),
    (Duration, "1min", 60_000),
    (Duration, "2h", 7_200_000),
    (Duration, "30 d", 2_592_000_000),
    (Duration, "0s", 0),
    (Duration, 250, 250),
    (Size, "4 GiB", 4 << 30),
    (Size, "64MiB", 64 << 20),
    (Size, "500 MB", 500_000_000),
    (WholeNumber, "125", 125),
    (WholeNumber, "-7", -7),
    (WholeNumber, "010", 10),
    (Number, "0.5", 0.5),
    (Number, "-20", -20.0),
    (Number, "1e-3", 0.001),
    (Exact, "0.1", Fraction(1, 10)),
    (Exact, "1/3", Fraction(1, 3)),
    (Exact, "1e-3", Fraction(1, 1000)),
    (Rate, "5000/s", 5000.0),
    (Rate, "1/5s", 0.2),
    (Rate, "30/min", 0.5),
    (YesNo, "yes", True),
    (YesNo, "no", False),
    (Text, "no", "no"),
]

WRONG = [
    (Duration, "300", "E114", "write 300ms or 300s"),
    (Duration, "5m", "E114", "did you mean 5min?"),
    (Duration, "3 Hours", "E114", "did you mean 3h?"),
    (Duration, "12:30", "E114", "write 300ms or 5s"),
    (Duration, "-5s", "E114", "0 or longer"),
    (Duration, "0.5ms", "E114", "whole milliseconds"),
    (Duration, "99999999d", "E114", "a slip?"),
    (Duration, "", "E114", "write 300ms or 5s"),
    (Duration, "٣s", "E114", "write 300ms or 5s"),
    (Duration, "1" * 5000 + "s", "E114", "write 300ms or 5s"),
    (Size, "4", "E116", "write 4 MiB or 4 GiB"),
    (Size, "4 gb", "E116", "did you mean 4 GB?"),
    (Size, "lots", "E116", "write 64 MiB"),
    (WholeNumber, "0x10", "E113", "decimal digits"),
    (WholeNumber, "1.0", "E113", "decimal digits"),
    (WholeNumber, "1_000", "E113", "decimal digits"),
    (WholeNumber, "9" * 5000, "E113", "decimal digits"),
    (Number, "0,5", "E113", "write 0.5"),
    (Number, "nan", "E113", "write a decimal"),
    (Number, "1e999", "E113", "write a decimal"),
    (Exact, "1/0", "E113", "or 1/3"),
    (Exact, "1e99999999", "E113", "or 1/3"),
    (Rate, "5000", "E117", "write 5000/s"),
    (Rate, "0/s", "E117", "write 5000/s"),
    (Rate, "5/0s", "E117", "write 5000/s"),
    (Rate, "5/fortnight", "E117", "write 5000/s"),
    (YesNo, "true", "E118", "write yes"),
    (YesNo, "Off", "E118", "write no"),
    (YesNo, "maybe", "E118", "write yes or no"),
]


@pytest.mark.parametrize(("kind", "text", "value"), RIGHT)
def test_read(kind: object, text: object, value: object) -> None:
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize(("kind", "text", "code", "remedy"), WRONG)
def test_refused(kind: object, text: str, code: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(text)
    [detail] = caught.value.errors()
    assert detail["type"] == code
    assert remedy in detail["ctx"]["remedy"]
    assert repr(text) in detail["ctx"]["seen"]


def test_bounds_of_a_duration_are_told_with_their_units() -> None:
    adapter = TypeAdapter(Annotated[Duration, lasting("100ms", "1min")])
    assert adapter.validate_python("1min") == 60_000
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python("90s")
    assert caught.value.errors()[0]["ctx"] == {
        "seen": "90s is too long",
        "remedy": "write a duration from 100ms to 1min",
    }


def test_bounds_of_a_number_stand_beside_it() -> None:
    adapter = TypeAdapter(Annotated[WholeNumber, Field(ge=1, le=247)])
    assert adapter.validate_python("247") == 247
    with pytest.raises(ValidationError):
        adapter.validate_python("248")


@pytest.mark.parametrize("text", ["1ms", "1500ms", "90s", "2min", "3h", "30d", "0ms"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert duration_text(TypeAdapter(Duration).validate_python(text)) == text
