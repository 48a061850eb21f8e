"""What a host writes into which field, and what number that is for a metric."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.commands.values import WrongType, value_of
from bridge.sparkplug.payload import CommandMetric
from mappings.datatypes import INTEGERS, SIGNED, integer_range, width
from mappings.datatypes import DataType as D


def said(field: str | None, value, datatype: int | None = None) -> CommandMetric:
    return CommandMetric(name="x", alias=None, field=field, value=value, datatype=datatype)


def fields_of(number: int, datatype: D) -> list[tuple[str, int, int | None]]:
    """All ways in which hosts write an integer of this type: field, raw value, declared type."""
    ways = []
    for field, bits in (("int_value", 32), ("long_value", 64)):
        if number >= 1 << bits or number < -(1 << bits - 1) or width(datatype) > bits:
            continue
        extended = number % (1 << bits)
        ways.append((field, extended, int(datatype)))
        ways.append((field, extended, None))
        if datatype in SIGNED:
            ways.append((field, number % (1 << width(datatype)), int(datatype)))
    return ways


@given(st.sampled_from(sorted(INTEGERS)), st.data())
def test_an_integer_is_the_same_however_a_host_writes_it(datatype: D, data) -> None:
    low, high = integer_range(datatype)
    number = data.draw(st.integers(low, high))
    for field, raw, declared in fields_of(number, datatype):
        assert value_of(said(field, raw, declared), datatype) == number


@given(st.sampled_from(sorted(INTEGERS)), st.sampled_from(sorted(INTEGERS)), st.data())
def test_an_integer_of_another_type_is_its_number_or_refused(declared: D, wanted: D, data) -> None:
    number = data.draw(st.integers(*integer_range(declared)))
    low, high = integer_range(wanted)
    for field, raw, said_type in fields_of(number, declared):
        if said_type is None:
            continue
        found = value_of(said(field, raw, said_type), wanted)
        if low <= number <= high:
            assert found == number
        else:
            assert isinstance(found, WrongType)


@given(st.integers(0, 2**64 - 1), st.sampled_from(["int_value", "long_value"]))
def test_a_number_without_a_type_fits_or_is_refused(raw: int, field: str) -> None:
    bits = 32 if field == "int_value" else 64
    raw %= 1 << bits
    for wanted in INTEGERS:
        found = value_of(said(field, raw), wanted)
        low, high = integer_range(wanted)
        if isinstance(found, WrongType):
            continue
        assert isinstance(found, int)
        assert low <= found <= high
        assert found in {raw, raw - (1 << bits)}


@pytest.mark.parametrize(
    ("field", "value", "declared", "wanted", "found"),
    [
        ("boolean_value", True, None, D.BOOLEAN, True),
        ("boolean_value", False, 11, D.BOOLEAN, False),
        ("double_value", 50.1, 10, D.DOUBLE, 50.1),
        ("float_value", 50.5, 9, D.DOUBLE, 50.5),
        ("double_value", 50.1, 10, D.FLOAT, struct.unpack("f", struct.pack("f", 50.1))[0]),
        ("int_value", 50, 3, D.DOUBLE, 50),
        ("int_value", 2**32 - 5, 3, D.DOUBLE, -5),
        ("long_value", 2**53, 8, D.DOUBLE, 2**53),
        ("int_value", 50, 10, D.DOUBLE, 50),
        ("string_value", "Auto", 12, D.STRING, "Auto"),
        ("string_value", "Auto", None, D.TEXT, "Auto"),
        ("bytes_value", b"\x01", 17, D.BYTES, b"\x01"),
        ("long_value", 1_795_000_000_000, 13, D.DATETIME, 1_795_000_000_000),
        ("int_value", 7, 0, D.INT16, 7),
    ],
)  # fmt: skip
def test_what_has_one_meaning_is_taken(field, value, declared, wanted, found) -> None:
    got = value_of(said(field, value, declared), wanted)
    assert (got, type(got)) == (found, type(found))


@pytest.mark.parametrize(
    ("field", "value", "declared", "wanted", "reason"),
    [
        (None, None, 10, D.DOUBLE, "null is no value for Double"),
        ("dataset_value", None, 16, D.DOUBLE, "dataset is no value"),
        ("template_value", None, 19, D.DOUBLE, "template is no value"),
        ("boolean_value", True, 11, D.DOUBLE, "boolean is no value for Double"),
        ("int_value", 1, 3, D.BOOLEAN, "int is no value for Boolean"),
        ("double_value", 1.0, 10, D.INT32, "double is no value for Int32"),
        ("double_value", float("nan"), 10, D.DOUBLE, "nan is no number"),
        ("float_value", float("-inf"), 9, D.FLOAT, "-inf is no number"),
        ("double_value", 1e39, 10, D.FLOAT, "does not fit a Float"),
        ("string_value", "5", 12, D.INT32, "string is no value"),
        ("int_value", 5, 3, D.STRING, "int is no value for String"),
        ("bytes_value", b"5", 17, D.STRING, "bytes is no value"),
        ("int_value", 40000, 6, D.INT16, "40000 does not fit Int16"),
        ("int_value", 2**32 - 1, 3, D.UINT32, "-1 does not fit Uint32"),
        ("int_value", 200, None, D.INT8, "200 does not fit Int8"),
        ("int_value", 2**32 - 5, None, D.DOUBLE, "may be a negative number"),
        ("int_value", 2**32 - 5, 4, D.INT64, "may be a negative number"),
        ("long_value", 2**53 + 1, 8, D.DOUBLE, "more digits than Double holds"),
        ("int_value", 5, 99, D.INT32, "data type 99"),
    ],
)
def test_what_means_nothing_or_two_things_is_refused(
    field, value, declared, wanted, reason
) -> None:
    found = value_of(said(field, value, declared), wanted)
    assert isinstance(found, WrongType)
    assert reason in found.reason
