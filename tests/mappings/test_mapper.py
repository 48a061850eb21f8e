"""The mapping engine: what is emitted, exactly, and what is held back."""

import random
from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD, Reason
from mappings.tags import Invalid
from tests.support.engine import Engine, metric


def test_a_scale_of_a_tenth_divides_by_ten() -> None:
    engine = Engine(metric(scale=Fraction("0.1")))
    assert list(engine.apply([3]).values) == [0.3]  # 3 * 0.1 would be 0.30000000000000004
    assert list(engine.apply([7]).values) == [0.7]


@given(
    raw=st.integers(-(2**63), 2**63 - 1),
    scale=st.fractions(max_denominator=10**6).filter(bool),
    offset=st.fractions(max_denominator=10**6),
)
def test_integers_are_scaled_with_one_rounding(raw: int, scale: Fraction, offset: Fraction) -> None:
    engine = Engine(metric(raw=DataType.INT64, scale=scale, offset=offset))
    exact = raw * scale + offset
    made = engine.apply([raw])
    if abs(raw) <= 2**53 or float(exact) == exact:
        assert list(made.values) == [float(exact)]
    else:  # its last digits would be lost
        assert (made.qualities, made.reasons) == ((BAD,), (Reason.DOES_NOT_FIT,))


def test_unscaled_values_pass_unchanged() -> None:
    engine = Engine(metric("f"), metric("i", DataType.UINT64), metric("s", DataType.STRING))
    out = engine.apply([-0.0, 2**64 - 1, "Öl"])
    assert str(out.values[0]) == "-0.0"
    assert list(out.values[1:]) == [2**64 - 1, "Öl"]


def test_only_changes_are_emitted_and_whole_columns_stay_the_same_object() -> None:
    engine = Engine(metric("a"), metric("b"), metric("c"))
    engine.apply([1.0, 2.0, 3.0])
    assert engine.apply([1.0, 2.0, 3.0], t=2000) is None
    some = engine.apply([1.0, 5.0, 3.0], t=3000)
    assert (some.points, list(some.values), list(some.times_ms)) == ((1,), [5.0], [3000])
    whole = engine.apply([9.0, 9.5, 9.7], t=4000)
    assert whole.points is engine.points


def test_the_deadband_compares_with_the_last_emitted_value() -> None:
    engine = Engine(metric(deadband=0.5))
    engine.apply([10.0])
    creeping = [engine.apply([10.0 + step / 4], t=1000 + step) for step in range(1, 9)]
    assert [batch.values[0] for batch in creeping if batch] == [10.75, 11.5]
    assert engine.apply([engine.catalog.devices["D"].values[0] + 0.5], t=3000) is None


def test_a_deadband_beside_texts_and_switches() -> None:
    engine = Engine(
        metric("t", DataType.STRING), metric("f", deadband=1.0), metric("b", DataType.BOOLEAN)
    )
    engine.apply(["on", 5.0, False])
    assert engine.apply(["on", 5.9, False]) is None
    out = engine.apply(["off", 5.9, True])
    assert out.points == (0, 2)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_what_is_not_finite_is_no_value(bad: float) -> None:
    engine = Engine(metric("a"), metric("b"))
    engine.apply([1.0, 2.0])
    out = engine.apply([bad, 3.0], t=2000)
    assert list(out.values) == [1.0, 3.0]
    assert list(out.qualities) == [BAD, GOOD]
    back = engine.apply([1.0, 3.0], t=3000)
    assert back.points == (0,)
    assert back.qualities is None


def test_a_bad_value_keeps_the_last_one_and_is_said_once() -> None:
    engine = Engine(metric())
    engine.apply([4.0])
    out = engine.apply([None], t=2000, qualities=[BAD], natives=[2])
    assert (list(out.values), list(out.qualities), list(out.natives)) == ([4.0], [BAD], [2])
    assert engine.apply([None], t=3000, qualities=[BAD], natives=[2]) is None
    assert engine.apply([None], t=4000, qualities=[BAD], natives=[4]) is not None
    recovered = engine.apply([4.0], t=5000)
    assert list(recovered.values) == [4.0]


def test_a_point_twice_in_one_batch_keeps_its_order_and_its_deadband() -> None:
    engine = Engine(metric("a"), metric("b", deadband=1.0))
    points = (0, 1, 0, 1, 0)
    out = engine.apply([1.0, 5.0, 2.0, 5.5, 1.0], points=points, t=[1, 2, 3, 4, 5])
    assert out.points == (0, 1, 0, 0)
    assert list(out.values) == [1.0, 5.0, 2.0, 1.0]
    assert engine.catalog.devices["D"].values == [1.0, 5.0]


def test_maximum_silence_repeats_the_held_value_with_its_time() -> None:
    engine = Engine(metric(deadband=1.0, max_silence_ms=10_000))
    engine.apply([5.0], t=1_000)
    assert engine.due(10_999) is None
    engine.apply([5.6], t=9_000)
    out = engine.due(11_000)
    assert (list(out.values), list(out.times_ms)) == ([5.6], [9_000])
    out = engine.due(21_000)
    assert (list(out.values), list(out.times_ms)) == ([5.6], [21_000])


def test_maximum_silence_owes_nothing_before_the_first_value_or_for_devices_not_asked() -> None:
    engine = Engine(metric(max_silence_ms=1_000))
    assert engine.due(50_000) is None
    engine.apply([1.0], t=50_000)
    assert engine.mapper.due([], 90_000) == []


def test_a_lost_device_is_bad_all_at_once_and_only_once() -> None:
    engine = Engine(metric("a"), metric("b"))
    engine.apply([1.0, 2.0])
    out = engine.take(engine.mapper.lost("D", 7_000))
    assert (out.points, list(out.values), list(out.qualities)) == ((0, 1), [1.0, 2.0], [BAD, BAD])
    assert list(out.times_ms) == [7_000, 7_000]
    assert engine.mapper.lost("D", 8_000) is None


def test_fast_and_slow_way_agree() -> None:
    """The same random batches through plans and value by value give the same emissions."""
    rng = random.Random(7)
    metrics = [
        metric("a", scale=Fraction("0.01"), offset=Fraction(-5), deadband=0.3),
        metric("b", DataType.FLOAT),
        metric("c", DataType.INT16, deadband=2),
        metric("d", DataType.BOOLEAN),
        metric("e", DataType.STRING),
        metric("f", scale=Fraction(1, 3)),
        metric("g", raw=DataType.INT16, clamp="high", low=0.0, high=5.0),
        metric("h", DataType.STRING, raw=DataType.UINT8, enum=((0, "Off"), (1, "On"))),
        metric("i", DataType.DOUBLE_ARRAY, raw=DataType.INT16, scale=Fraction("0.1")),
        metric("j", DataType.INT16, invalid=Invalid(values=frozenset({3})), min_interval_ms=5),
        metric("k", DataType.FLOAT, raw=DataType.INT16, scale=Fraction("0.1"), max_silence_ms=9),
    ]
    fast, slow = Engine(*metrics), Engine(*metrics)
    for step in range(2_000):
        values = [
            rng.randrange(100), rng.randrange(5) / 2, rng.randrange(8), rng.random() < 0.5,
            rng.choice("xyz"), rng.choice([1, 2, nan if step % 50 == 0 else 3]),
            rng.randrange(6 if step % 40 else 9), rng.randrange(2 if step % 60 else 4),
            (rng.randrange(3), 1), rng.choice([1, 2, 2 if step % 30 else 3]), rng.randrange(4),
        ]  # fmt: skip
        left = fast.apply(values, t=step)
        plain = slow.mapper._devices["D"]._slow(
            Batch("D", slow.points, values, [step] * len(metrics)), step
        )
        right = slow.take(plain[0] if plain else None)
        assert (left is None) == (right is None)
        if left is not None:
            assert left.points == right.points
            assert list(left.values) == list(right.values)
            assert list(left.times_ms) == list(right.times_ms)
            assert (left.qualities and list(left.qualities)) == (
                right.qualities and list(right.qualities)
            )
        assert fast.catalog.devices["D"].values == slow.catalog.devices["D"].values


def test_the_catalog_recognises_sets_of_points_by_identity_only() -> None:
    engine = Engine(metric("a"), metric("b"), metric("c"))
    engine.apply([1.0, 2.0, 3.0])
    shuffled = (2, 0, 1)
    engine.apply([30.0, 10.0, 20.0], points=shuffled, t=2_000)
    assert engine.catalog.devices["D"].values == [10.0, 20.0, 30.0]
    engine.apply([31.0, 11.0, 21.0], points=shuffled, t=3_000)
    assert engine.catalog.devices["D"].values == [11.0, 21.0, 31.0]


def test_a_value_older_than_the_last_emitted_one_is_late_and_leaves_the_catalog_alone() -> None:
    engine = Engine(metric("a"), metric("b"))
    engine.apply([1.0, 2.0], t=5_000)
    batch = Batch("D", engine.points, [7.0, 8.0], [4_999, 5_001])
    now, late = engine.mapper.apply(batch, 6_000)
    assert (now.points, list(now.values), now.late) == ((1,), [8.0], False)
    assert (late.points, list(late.values), late.late) == ((0,), [7.0], True)
    engine.take(now)
    assert engine.apply([1.0, 8.0], t=6_000) is None


def test_what_a_device_held_since_before_it_was_lost_is_its_present() -> None:
    """An OPC UA server repeats a value with the time of its last change, which may be older."""
    engine = Engine(metric(), metric())
    engine.apply([1.0, 2.0], t=1000)
    engine.take(engine.mapper.lost("D", 11_000))
    back = engine.apply([1.5, 2.0], t=[6_000, 1_000], now=12_000)
    assert list(back.values) == [1.5, 2.0]
    assert list(back.times_ms) == [11_000, 11_000]
    assert engine.catalog.devices["D"].qualities == [GOOD, GOOD]
    # Also while its clock is behind ours; then its times are believed again.
    assert list(engine.apply([1.6, 2.1], t=10_500, now=12_500).times_ms) == [11_000, 11_000]
    assert list(engine.apply([1.7, 2.2], t=11_500, now=13_500).times_ms) == [11_500, 11_500]
    [late] = engine.mapper.apply(Batch("D", (0,), [9.0], [11_000]), 14_000)
    assert late.late
