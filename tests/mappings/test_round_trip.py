"""Round trip: what a metric shows leads back to the raw value, over all types and transforms."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mappings.conversion import Conversion
from mappings.datatypes import FLOATS, INTEGERS, DataType, integer_range
from mappings.inverse import Refused, raw_of, why_not_invertible
from mappings.tags import Invalid, Metric

D = DataType
LINES = st.tuples(
    st.one_of(
        st.fractions(max_denominator=10**6),
        st.sampled_from([Fraction("0.1"), Fraction(1, 3), Fraction(20, 27648), Fraction(-10)]),
    ).filter(bool),
    st.one_of(st.just(Fraction(0)), st.fractions(-(10**6), 10**6, max_denominator=1000)),
)


def ulp_of(datatype: D, value: float) -> float:
    """The distance to the next larger number of the type."""
    if datatype is D.DOUBLE:
        return math.ulp(value)
    bits = struct.unpack("<I", struct.pack("<f", abs(value)))[0]
    return struct.unpack("<f", struct.pack("<I", bits + 1))[0] - abs(value)


def metric_of(datatype, **more) -> Metric:
    return Metric(id="m", name="m", datatype=datatype, **more)


@given(data=st.data(), of=st.sampled_from(sorted(INTEGERS)), line=LINES)
def test_a_scaled_integer_comes_back_exactly(data, of: D, line) -> None:
    wanted = data.draw(st.sampled_from([D.DOUBLE, D.FLOAT]))
    metric = metric_of(wanted, raw=of, scale=line[0], offset=line[1])
    assume(not why_not_invertible(metric))
    raw = data.draw(st.integers(*integer_range(of)))
    shown, _ = Conversion(metric)(raw)
    assume(shown is not None)  # a wide one, whose digits would be lost
    assert raw_of(metric, shown) == raw


@given(data=st.data(), of=st.sampled_from(sorted(INTEGERS)))
def test_an_unscaled_integer_comes_back_exactly(data, of: D) -> None:
    raw = data.draw(st.integers(*integer_range(of)))
    for wanted in (of, D.INT64, D.UINT64, D.DOUBLE, D.FLOAT):
        metric = metric_of(wanted, raw=of)
        shown, _ = Conversion(metric)(raw)
        if shown is not None:
            assert raw_of(metric, shown) == raw


def test_most_plain_scales_are_invertible() -> None:
    for of in (D.INT8, D.UINT8, D.INT16, D.UINT16, D.INT32, D.UINT32):
        for scale in ("0.1", "0.001", "1/3", "20/27648", "100"):
            assert not why_not_invertible(metric_of(D.DOUBLE, raw=of, scale=Fraction(scale)))


@given(data=st.data(), of=st.sampled_from(sorted(FLOATS)), line=LINES)
def test_a_scaled_float_comes_back_within_two_ulp(data, of: D, line) -> None:
    """Of the coarser of the two: of the raw value, or of the published ones seen from there.

    Adding an offset loses digits of a small raw value for good, whoever calculates.
    """
    scale, offset = line
    width = 32 if of is D.FLOAT else 64
    raw = data.draw(st.floats(-(2.0**100), 2.0**100, width=width))
    metric = metric_of(D.DOUBLE, raw=of, scale=scale, offset=offset)
    shown, _ = Conversion(metric)(raw)
    back = raw_of(metric, shown)
    assert isinstance(back, float)
    parts = (shown, float(Fraction(raw) * scale), float(offset))
    published = max(Fraction(ulp_of(D.DOUBLE, part)) for part in parts) / abs(scale)
    step = max(Fraction(ulp_of(of, raw)), published)
    assert abs(Fraction(back) - Fraction(raw)) <= 2 * step


@given(raw=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_an_unscaled_float_comes_back_bit_for_bit(raw: float) -> None:
    for wanted in (D.FLOAT, D.DOUBLE):
        metric = metric_of(wanted, raw=D.FLOAT)
        shown, _ = Conversion(metric)(raw)
        back = raw_of(metric, shown)
        assert struct.pack("<f", back) == struct.pack("<f", raw)


@given(raw=st.booleans(), invert=st.booleans())
def test_bits_and_their_texts_come_back(raw: bool, invert: bool) -> None:
    for wanted, enum in ((D.BOOLEAN, ()), (D.STRING, ((0, "off"), (1, "on")))):
        metric = metric_of(wanted, raw=D.BOOLEAN, invert=invert, enum=enum)
        shown, _ = Conversion(metric)(raw)
        assert raw_of(metric, shown) is raw


@given(raw=st.sampled_from([0, 2, 7]))
def test_codes_come_back_from_their_texts(raw: int) -> None:
    enum = ((0, "Off"), (2, "Auto"), (7, "Hand"))
    for wanted in (D.STRING, D.UINT16):
        metric = metric_of(wanted, raw=D.UINT16, enum=enum)
        shown, _ = Conversion(metric)(raw)
        assert raw_of(metric, shown) == raw


@given(text=st.text())
def test_texts_bytes_and_times_come_back(text: str) -> None:
    assert raw_of(metric_of(D.STRING), text) == text
    assert raw_of(metric_of(D.BYTES), text.encode()) == text.encode()
    time = metric_of(D.DATETIME, raw=D.UINT32, scale=Fraction(1000))
    assert raw_of(time, 1_795_000_000_000) == 1_795_000_000


@pytest.mark.parametrize(
    ("value", "metric"),
    [
        (61, metric_of(D.DOUBLE, raw=D.INT16, clamp="both", low=0.0, high=60.0)),
        (7, metric_of(D.INT16, raw=D.INT16, invalid=Invalid(values=frozenset({7})))),
        (40000, metric_of(D.INT16)),
        (4000, metric_of(D.DOUBLE, raw=D.INT16, scale=Fraction("0.1"))),
        (0.5, metric_of(D.DOUBLE, raw=D.INT16)),
        (math.nan, metric_of(D.DOUBLE)),
        (1e39, metric_of(D.DOUBLE, raw=D.FLOAT)),
        (True, metric_of(D.INT16)),
        (1, metric_of(D.BOOLEAN)),
        ("x", metric_of(D.INT16)),
        (None, metric_of(D.INT16)),
        ("Atuo", metric_of(D.STRING, raw=D.UINT16, enum=((0, "Off"), (2, "Auto")))),
        (1.0, metric_of(D.DOUBLE, raw=D.INT16, scale_point=0)),
        ((1, 2), metric_of(D.INT16_ARRAY)),
    ],
)
def test_what_a_metric_cannot_show_is_not_written(value, metric) -> None:
    assert isinstance(raw_of(metric, value), Refused)


def test_a_command_is_rounded_to_what_the_device_can_hold() -> None:
    metric = metric_of(D.DOUBLE, raw=D.INT16, scale=Fraction("0.1"))
    assert raw_of(metric, 50.04) == 500
    # Whoever types 50.1 means the nearest number that the device has.
    assert raw_of(metric_of(D.DOUBLE, raw=D.FLOAT), 50.1) == 50.099998474121094


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (metric_of(D.INT16_ARRAY), "an array is not written"),
        (metric_of(D.DOUBLE, scale_point=1), "its scale is the value of another row"),
        (
            metric_of(D.FLOAT, raw=D.INT32, scale=Fraction("0.1")),
            "a Float cannot tell its raw values apart",
        ),
        (
            metric_of(D.DOUBLE, raw=D.INT16, scale=Fraction(1, 10**6), offset=Fraction(10**12)),
            "a Double cannot tell its raw values apart",
        ),
    ],
)
def test_what_cannot_be_inverted_says_why(metric, reason) -> None:
    assert why_not_invertible(metric) == reason
