"""Conversion: every step, every type, exactly or refused."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mappings.conversion import Conversion
from mappings.datatypes import INTEGERS, NUMBERS, DataType, integer_range
from mappings.quality import Reason
from mappings.tags import Invalid, Metric

D = DataType


def converted(given, datatype, power=None, **more):
    metric = Metric(id="m", name="m", datatype=datatype, **more)
    value, reason = Conversion(metric)(given, power)
    return value, Reason(reason)


def good(value):
    return value, Reason.NONE


def bad(reason):
    return None, reason


@pytest.mark.parametrize("datatype", sorted(INTEGERS))
def test_integers_pass_to_their_ends_and_no_further(datatype) -> None:
    low, high = integer_range(datatype)
    for raw in (low, high):
        assert converted(raw, datatype) == good(raw)
    for raw in (low - 1, high + 1):
        assert converted(raw, datatype) == bad(Reason.DOES_NOT_FIT)


@pytest.mark.parametrize(
    ("raw", "of", "datatype", "expected"),
    [
        (2**31, D.UINT32, D.INT32, bad(Reason.DOES_NOT_FIT)),
        (2**31, D.UINT32, D.UINT32, good(2**31)),
        (2**53, D.INT64, D.DOUBLE, good(float(2**53))),
        (2**53 + 1, D.INT64, D.DOUBLE, bad(Reason.DOES_NOT_FIT)),
        (2**24 + 1, D.INT32, D.FLOAT, bad(Reason.DOES_NOT_FIT)),
        (0.1, D.DOUBLE, D.FLOAT, bad(Reason.DOES_NOT_FIT)),
        (0.5, D.DOUBLE, D.FLOAT, good(0.5)),
        (3.0, D.DOUBLE, D.INT16, good(3)),
        (3.5, D.DOUBLE, D.INT16, bad(Reason.DOES_NOT_FIT)),
        (-1, D.INT16, D.UINT16, bad(Reason.DOES_NOT_FIT)),
        (5e-324, D.DOUBLE, D.DOUBLE, good(5e-324)),
        (1, D.UINT8, D.BOOLEAN, good(True)),
        (2, D.UINT8, D.BOOLEAN, bad(Reason.DOES_NOT_FIT)),
        ("no uuid", D.STRING, D.UUID, bad(Reason.DOES_NOT_FIT)),
        ("{09087E75-8E5E-499B-954F-F2A9603DB28A}", D.STRING, D.UUID,
         good("09087e75-8e5e-499b-954f-f2a9603db28a")),
        (b"\x00\xff", D.BYTES, D.BYTES, good(b"\x00\xff")),
        ("5", D.INT16, D.INT16, bad(Reason.WRONG_TYPE)),
        (math.nan, D.FLOAT, D.FLOAT, bad(Reason.NOT_FINITE)),
        (math.inf, D.DOUBLE, D.DOUBLE, bad(Reason.NOT_FINITE)),
        (-1, D.INT64, D.DATETIME, bad(Reason.DOES_NOT_FIT)),
    ],
)  # fmt: skip
def test_unscaled_values_fit_exactly_or_not_at_all(raw, of, datatype, expected) -> None:
    assert converted(raw, datatype, raw=of) == expected


def test_a_negative_zero_stays_one() -> None:
    value, _ = converted(-0.0, D.DOUBLE)
    assert math.copysign(1, value) == -1


def test_what_is_scaled_is_rounded_once() -> None:
    assert converted(3, D.DOUBLE, raw=D.INT16, scale=Fraction("0.1")) == good(0.3)
    value, _ = converted(3, D.FLOAT, raw=D.INT16, scale=Fraction("0.1"))
    assert value == struct.unpack("<f", struct.pack("<f", 0.3))[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_where_a_float_ends(sign: int) -> None:
    infinite = Fraction(2**25 - 1) * 2**103
    for exact, wanted in ((infinite - 1, sign * 3.4028234663852886e38), (infinite, None)):
        value, _ = converted(1, D.FLOAT, raw=D.INT32, scale=sign * exact)
        assert value == wanted


@given(
    raw=st.integers(-(2**31), 2**31 - 1),
    scale=st.fractions(max_denominator=10**6).filter(bool),
    offset=st.fractions(max_denominator=10**6),
)
def test_a_scaled_float_is_the_nearest_of_all(raw: int, scale: Fraction, offset: Fraction) -> None:
    assume((scale, offset) != (1, 0))  # that line is none: such a value fits exactly or not at all
    exact = raw * scale + offset
    value, reason = converted(raw, D.FLOAT, raw=D.INT32, scale=scale, offset=offset)
    if abs(exact) >= Fraction(2**25 - 1) * 2**103:  # rounds to infinity (IEEE 754, 4.3.1)
        assert reason == Reason.DOES_NOT_FIT
        return
    assert reason == Reason.NONE
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    for neighbour in (bits - 1, bits + 1):
        if 0 <= neighbour & 0x7FFFFFFF < 0x7F800000 and neighbour >= 0:
            other = struct.unpack("<f", struct.pack("<I", neighbour))[0]
            assert abs(Fraction(value) - exact) <= abs(Fraction(other) - exact)


@pytest.mark.parametrize(
    ("raw", "scale", "expected"),
    [
        (2**60, Fraction(1, 4), good(float(2**58))),
        (2**60 + 1, Fraction(1, 4), bad(Reason.DOES_NOT_FIT)),
        (2**63 - 1, Fraction("0.1"), bad(Reason.DOES_NOT_FIT)),
        (2**53, Fraction("0.1"), good(2**53 / 10)),
    ],
)
def test_wide_integers_refuse_a_lossy_scale(raw, scale, expected) -> None:
    assert converted(raw, D.DOUBLE, raw=D.INT64, scale=scale) == expected


def test_a_scaled_integer_is_never_rounded() -> None:
    assert converted(7, D.INT32, raw=D.INT16, scale=Fraction(10)) == good(70)
    assert converted(7, D.INT32, raw=D.INT16, scale=Fraction(1, 2)) == bad(Reason.DOES_NOT_FIT)
    assert converted(8, D.INT32, raw=D.INT16, scale=Fraction(1, 2)) == good(4)


def test_lines_whose_numbers_are_huge_are_calculated_exactly() -> None:
    scale = Fraction(1, 10**320)
    assert converted(1e300, D.DOUBLE, raw=D.DOUBLE, scale=scale) == good(
        float(Fraction(1e300) * scale)
    )
    assert converted(1e308, D.DOUBLE, raw=D.DOUBLE, scale=Fraction(5, 9)) == good(
        float(Fraction(1e308) * 5 / 9)
    )
    assert converted(1e308, D.DOUBLE, raw=D.DOUBLE, scale=Fraction(10)) == bad(Reason.DOES_NOT_FIT)


@pytest.mark.parametrize("raw", [-32768, -101, 28001, 7])
def test_invalid_raw_values_are_no_values(raw: int) -> None:
    invalid = Invalid(values=frozenset({-32768, 7}), below=-100, above=28000)
    assert converted(raw, D.INT16, invalid=invalid) == bad(Reason.INVALID)


def test_the_ends_of_invalid_are_valid() -> None:
    invalid = Invalid(below=-100, above=28000)
    assert converted(-100, D.INT16, invalid=invalid) == good(-100)
    assert converted(28000, D.INT16, invalid=invalid) == good(28000)


def test_clamped_values_say_so() -> None:
    row = {"raw": D.INT16, "scale": Fraction("0.1"), "low": 0.0, "high": 60.0}
    assert converted(-3, D.DOUBLE, clamp="both", **row) == (0.0, Reason.CLAMPED)
    assert converted(601, D.DOUBLE, clamp="both", **row) == (60.0, Reason.CLAMPED)
    assert converted(600, D.DOUBLE, clamp="both", **row) == good(60.0)
    assert converted(-3, D.DOUBLE, clamp="high", **row) == good(-0.3)
    assert converted(601, D.DOUBLE, clamp="low", **row) == good(60.1)
    assert converted(99, D.INT16, clamp="high", low=0.0, high=60.0) == (60, Reason.CLAMPED)


def test_bits_are_inverted() -> None:
    assert converted(True, D.BOOLEAN, invert=True) == good(False)
    assert converted(1, D.BOOLEAN, invert=True) == bad(Reason.WRONG_TYPE)


def test_enums_publish_codes_or_texts() -> None:
    enum = ((0, "Off"), (2, "Auto"))
    assert converted(2, D.INT16, enum=enum) == good(2)
    assert converted(1, D.INT16, enum=enum) == (1, Reason.NO_TEXT)
    assert converted(2, D.STRING, raw=D.INT16, enum=enum) == good("Auto")
    assert converted(1, D.STRING, raw=D.INT16, enum=enum) == ("1", Reason.NO_TEXT)
    turned = ((0, "closed"), (1, "open"))
    assert converted(True, D.STRING, raw=D.BOOLEAN, enum=turned, invert=True) == good("closed")


def test_arrays_go_element_by_element() -> None:
    half = {"raw": D.INT16, "scale": Fraction(1, 2)}
    assert converted((1, 2), D.DOUBLE_ARRAY, **half) == good((0.5, 1.0))
    assert converted((), D.DOUBLE_ARRAY, **half) == good(())
    assert converted((1.0, math.nan), D.FLOAT_ARRAY) == bad(Reason.NOT_FINITE)
    assert converted((1, 300), D.UINT8_ARRAY, raw=D.INT16) == bad(Reason.DOES_NOT_FIT)
    assert converted(1, D.UINT8_ARRAY) == bad(Reason.WRONG_TYPE)
    assert converted(("a", "ö"), D.STRING_ARRAY) == good(("a", "ö"))
    clamped = converted((1, 9), D.INT16_ARRAY, clamp="high", low=0.0, high=5.0)
    assert clamped == ((1, 5), Reason.CLAMPED)


def test_seconds_become_milliseconds() -> None:
    row = {"raw": D.UINT32, "scale": Fraction(1000)}
    assert converted(1_795_000_000, D.DATETIME, **row) == good(1_795_000_000_000)


def test_a_power_of_ten_comes_from_elsewhere() -> None:
    row = {"raw": D.INT16, "scale_point": 0}
    assert converted(123, D.DOUBLE, -2, **row) == good(1.23)
    assert converted(123, D.DOUBLE, 2, **row) == good(12300.0)
    assert converted(123, D.DOUBLE, None, **row) == bad(Reason.SCALE_UNKNOWN)
    assert converted(123, D.DOUBLE, -32768, **row) == bad(Reason.SCALE_UNKNOWN)


WORDS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(), st.binary(),
    st.tuples(st.floats()), st.tuples(st.integers(), st.text()),
)  # fmt: skip


@given(
    raw=WORDS, datatype=st.sampled_from(sorted(D)), of=st.sampled_from(sorted(D)),
    scale=st.sampled_from([Fraction(1), Fraction("0.1"), Fraction(10**400), Fraction(1, 10**400)]),
    clamp=st.sampled_from(["none", "both"]), invert=st.booleans(),
    enum=st.sampled_from([(), ((0, "a"), (1, "b"))]),
)  # fmt: skip
def test_whatever_comes_is_published_in_its_type_or_refused(
    raw, datatype, of, scale, clamp, invert, enum
) -> None:
    whole = of in INTEGERS  # the reader refuses the others
    scale = scale if of in NUMBERS else Fraction(1)
    metric = Metric(
        id="m", name="m", datatype=datatype, raw=of, scale=scale, low=0.0, high=1.0,
        clamp=clamp if whole else "none", invert=invert, enum=enum if whole else (),
    )  # fmt: skip
    value, reason = Conversion(metric)(raw)
    assert (value is None) <= (reason != Reason.NONE)
