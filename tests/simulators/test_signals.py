"""Signals are repeatable and stay in their range; the truth answers what was when."""

import math
import struct
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.datatypes import FLOATS, INTEGERS, DataType, integer_range
from mappings.tags import Metric, Tag
from simulators.signals import (
    ORIGIN_MS,
    Counting,
    Shape,
    counted,
    engineering_of,
    raw_of,
    signal_for,
)
from simulators.truth import Truth

NAMES = st.sampled_from(
    ["Temperature", "Energy/Import", "Level", "Mode", "Speed", "Voltage/L1", "Flow", "x", "Limit"]
)
TIMES = st.integers(ORIGIN_MS, ORIGIN_MS + 10**11)


@given(st.integers(0, 5), NAMES, st.sampled_from(sorted(FLOATS | INTEGERS)), TIMES)
def test_values_stay_in_the_type_without_limits(seed, name, datatype, t_ms):
    value = signal_for(seed, "d", name, datatype).at(t_ms)

    assert not isinstance(value, bool)
    if datatype in INTEGERS:
        least, most = integer_range(datatype)
        assert isinstance(value, int)
        assert least <= value <= most
    else:
        assert isinstance(value, float)
        assert math.isfinite(value)
        if datatype is DataType.FLOAT:
            assert struct.unpack("<f", struct.pack("<f", value))[0] == value


@given(NAMES, st.sampled_from(sorted(FLOATS | INTEGERS)), TIMES, st.integers(-100, 100))
def test_values_stay_between_the_limits(name, datatype, t_ms, low):
    low = max(low, 0) if datatype in INTEGERS and integer_range(datatype)[0] == 0 else low
    value = signal_for(1, "d", name, datatype, low, low + 20).at(t_ms)

    assert low <= value <= low + 20


def test_a_curve_moves():
    for name in ("Temperature", "Level", "Speed", "Flow", "Mode"):
        signal = signal_for(7, "d", name, DataType.DOUBLE, 0, 1000)
        assert len({signal.at(ORIGIN_MS + 5_000 * n) for n in range(200)}) > 2, name


def test_a_counter_only_rises():
    signal = signal_for(7, "Meter", "Energy/Import", DataType.UINT32)
    values = [signal.at(ORIGIN_MS + 700 * n) for n in range(5000)]

    assert signal.shape is Shape.COUNTER
    assert values == sorted(values)
    assert values[-1] > values[0]


def test_bools_toggle_and_strings_speak():
    toggle = signal_for(7, "d", "Running", DataType.BOOLEAN)
    assert {toggle.at(ORIGIN_MS + 1000 * n) for n in range(60)} == {True, False}
    text = signal_for(7, "d", "Lot", DataType.STRING)
    assert all(isinstance(text.at(ORIGIN_MS + 10_000 * n), str) for n in range(20))


def test_the_same_in_every_process():
    code = (
        "from simulators.signals import signal_for; from mappings.datatypes import DataType;"
        "s = signal_for(3, 'Pump', 'Flow', DataType.DOUBLE, 0, 10);"
        "print([s.at(t) for t in range(1_767_225_600_000, 1_767_225_700_000, 9973)])"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("wire", "scale", "offset", "value", "raw"),
    [
        ("int16", Fraction(1, 10), Fraction(0), 12.34, 123),
        ("uint16", Fraction(1, 10), Fraction(0), -5.0, 0),
        ("int16", Fraction(1), Fraction(0), 1e9, 32767),
        ("int32", Fraction(1, 2), Fraction(10), 20.0, 20),
        ("float32", Fraction(1), Fraction(0), 0.1, 0.10000000149011612),
        ("bool", Fraction(1), Fraction(0), True, True),
    ],
)
def test_raw_is_the_scale_backwards(wire, scale, offset, value, raw):
    tag = Tag(name="t", address="x", wire_type=wire)
    metric = Metric(id="t", name="t", datatype=DataType.DOUBLE, scale=scale, offset=offset)

    assert raw_of(value, tag, metric) == raw


def test_engineering_is_exact():
    metric = Metric(id="t", name="t", datatype=DataType.DOUBLE, scale=Fraction(1, 10))

    assert engineering_of(3, metric) == 0.3
    assert engineering_of(True, metric) is True


def test_counting_counts_reads_of_each_tag():
    counting = Counting()
    one, two = (Tag(name=n, address="x", wire_type="uint16") for n in "ab")

    assert [counting.next("d", one) for _ in range(3)] == [1, 2, 3]
    assert counting.next("d", two) == 1
    assert counting.served("d", "a") == 3
    assert counted(65537, "uint16") == 1
    assert counted(32768, "int16") == 0
    assert counted(3, "bool") is True
    assert counted((1 << 24) + 5, "float32") == 5.0


def test_truth_knows_what_was_when():
    truth = Truth()
    truth.serve("d", "t", 1, 100, 199)
    truth.serve("d", "t", 1, 200, 299)
    truth.serve("d", "t", 2, 300, 399)
    truth.serve("d", "t", True, 400, 499)

    assert [(s.value, s.from_ms, s.until_ms) for s in truth.stretches("d", "t")] == [
        (1, 100, 299),
        (2, 300, 399),
        (True, 400, 499),
    ]
    assert truth.was("d", "t", 1, 250)
    assert not truth.was("d", "t", 1, 350)
    assert truth.was("d", "t", 1, 350, tolerance_ms=60)
    assert not truth.was("d", "t", 1, 450)
    assert not truth.was("d", "t", 3, 350, tolerance_ms=10_000)
    assert not truth.was("other", "t", 1, 150)
    assert truth.last("d") == {"t": True}


def test_truth_knows_nan():
    truth = Truth()
    truth.serve("d", "t", math.nan, 1)

    assert truth.was("d", "t", math.nan, 1)
