"""A changed mapping: what stays, what is mapped anew from what was read last, what is forgotten."""

from fractions import Fraction

import pytest

from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD, STALE, Reason
from mappings.tags import Metric, Unit
from tests.support.engine import Engine, metric

ONE = {0: 0}
BAR = Unit(text="bar")


def change(
    engine: Engine, *metrics: Metric, same: dict[int, int] = ONE, now: int = 5000
) -> list[Batch]:
    emitted = engine.mapper.put("D", metrics, same, now)
    for batch in emitted:
        engine.take(batch)
    return emitted


def present(engine: Engine, point: int = 0) -> tuple[object, int, int]:
    columns = engine.catalog.devices["D"]
    return columns.values[point], columns.times_ms[point], columns.qualities[point]


def test_a_renamed_metric_keeps_its_value_and_says_nothing() -> None:
    engine = Engine(metric("old", unit=BAR))
    engine.apply([3.5])
    assert change(engine, Metric(id="old", name="new", datatype=DataType.DOUBLE, unit=BAR)) == []
    assert present(engine) == (3.5, 1000, GOOD)
    assert engine.apply([3.5], t=6000) is None


def test_another_scale_is_applied_to_what_was_read_last() -> None:
    engine = Engine(metric(raw=DataType.INT16, scale=Fraction(1, 10)))
    engine.apply([37])
    (batch,) = change(engine, metric(raw=DataType.INT16, scale=Fraction(1, 100)))
    assert (list(batch.values), list(batch.times_ms)) == ([0.37], [1000])
    assert present(engine) == (0.37, 1000, GOOD)


def test_a_smaller_deadband_publishes_what_the_larger_held_back() -> None:
    engine = Engine(metric(deadband=5.0))
    engine.apply([10.0])
    assert engine.apply([14.0], t=2000) is None
    (batch,) = change(engine, metric(deadband=1.0))
    assert (list(batch.values), list(batch.times_ms)) == ([14.0], [2000])


def test_what_was_held_back_is_found_whatever_sets_it_came_in() -> None:
    engine = Engine(*(metric(name, deadband=5.0) for name in "abc"))
    engine.apply([1.0, 2.0, 3.0])
    for turn in range(200):
        points = ((0, 1, 2), (turn % 3,), (2, 1))[turn % 3]
        engine.apply([4.0 + turn / 200] * len(points), t=2000 + turn, points=tuple(points))
    emitted = change(engine, *map(metric, "abc"), same={0: 0, 1: 1, 2: 2})
    expected = {}
    for turn in range(200):
        for point in ((0, 1, 2), (turn % 3,), (2, 1))[turn % 3]:
            expected[point] = 4.0 + turn / 200
    assert {p: v for b in emitted for p, v in zip(b.points, b.values, strict=True)} == expected


def test_another_source_under_the_same_id_begins_unread() -> None:
    engine = Engine(metric("a"), metric("b"))
    engine.apply([1.0, 2.0])
    assert change(engine, metric("a"), metric("b"), same={1: 1}) == []
    assert present(engine, 0) == (None, 0, BAD)
    assert present(engine, 1) == (2.0, 1000, GOOD)


def test_another_id_for_the_same_source_is_told_at_once() -> None:
    engine = Engine(metric("a"))
    engine.apply([1.0])
    (batch,) = change(engine, metric("b"))
    assert (list(batch.values), list(batch.times_ms)) == ([1.0], [1000])


def test_what_moved_to_another_row_takes_its_value_along() -> None:
    engine = Engine(metric("a"), metric("b"), metric("c"))
    engine.apply([1.0, 2.0, 3.0])
    assert change(engine, metric("c"), metric("new"), metric("a"), same={0: 2, 2: 0}) == []
    assert [present(engine, p)[0] for p in range(3)] == [3.0, None, 1.0]


def test_what_is_lost_stays_lost_until_it_is_read() -> None:
    engine = Engine(metric(deadband=5.0))
    engine.apply([1.0])
    engine.lost(3000)
    assert change(engine, metric(deadband=0.0)) == []
    assert present(engine) == (1.0, 3000, BAD)
    assert engine.apply([1.0], t=6000).plain


def test_what_is_stale_stays_stale_until_it_is_read() -> None:
    engine = Engine(metric(stale_after_ms=500))
    engine.apply([1.0])
    engine.due(2000)
    assert change(engine, metric(stale_after_ms=600)) == []
    assert present(engine) == (1.0, 2000, STALE)
    assert list(engine.fresh(6000).values) == [1.0]


def test_a_repetition_after_silence_is_not_undone() -> None:
    engine = Engine(metric(max_silence_ms=1000))
    engine.apply([1.0])
    assert list(engine.due(4000).times_ms) == [4000]
    assert change(engine, metric(max_silence_ms=900)) == []
    assert present(engine) == (1.0, 4000, GOOD)


def test_a_reason_is_mapped_anew_too() -> None:
    engine = Engine(metric(datatype=DataType.INT8, raw=DataType.INT16))
    engine.apply([300])
    assert present(engine)[2] == BAD
    (batch,) = change(engine, metric(datatype=DataType.INT16))
    assert (list(batch.values), batch.qualities) == ([300], None)


def test_a_scale_factor_is_known_at_once() -> None:
    value = metric("value", raw=DataType.INT16, scale_point=1)
    factor = metric("factor", DataType.INT16, published=False)
    engine = Engine(value, factor)
    engine.apply([1234, -2])
    assert present(engine)[0] == 12.34
    more = metric("value", raw=DataType.INT16, scale_point=1, offset=Fraction(1))
    change(engine, more, factor, same={0: 0, 1: 1})
    assert present(engine)[0] == 13.34
    assert list(engine.apply([1235], t=6000, points=(0,)).values) == [13.35]


def test_a_device_comes_and_goes() -> None:
    engine = Engine(metric())
    assert engine.mapper.put("E", [metric("x")], {}, 1000) == []
    (batch,) = engine.mapper.apply(Batch("E", (0,), [1.0], [1000]), 1000)
    engine.take(batch)
    assert engine.catalog.devices["E"].values == [1.0]
    engine.mapper.remove("E")
    assert "E" not in engine.catalog.devices
    with pytest.raises(KeyError):
        engine.mapper.apply(Batch("E", (0,), [1.0], [1000]), 1000)


def test_a_value_that_no_longer_fits_is_bad_with_its_reason() -> None:
    engine = Engine(metric(datatype=DataType.INT16))
    engine.apply([300])
    (batch,) = change(engine, metric(datatype=DataType.INT8, raw=DataType.INT16))
    assert (batch.qualities, batch.reasons) == ((BAD,), (Reason.DOES_NOT_FIT,))
