"""What time does: minimum interval, staleness; scales from other rows; metrics that change."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD, STALE, Reason
from mappings.tags import Invalid
from tests.support.engine import Engine, metric

D = DataType


def values(batch):
    return None if batch is None else list(batch.values)


# Minimum interval.


def test_the_last_value_within_the_interval_is_published_when_it_ends() -> None:
    engine = Engine(metric(min_interval_ms=1000))
    assert values(engine.apply([1.0], t=1000)) == [1.0]
    assert engine.apply([2.0], t=1200) is None
    assert engine.apply([3.0], t=1400) is None
    assert engine.due(1999) is None
    due = engine.due(2000)
    assert (values(due), list(due.times_ms)) == ([3.0], [1400])
    assert engine.due(9000) is None


def test_a_value_that_comes_back_takes_the_place_of_one_that_waits() -> None:
    engine = Engine(metric(min_interval_ms=1000))
    engine.apply([1.0], t=1000)
    engine.apply([2.0], t=1200)
    assert engine.apply([1.0], t=1400) is None
    assert engine.due(5000) is None


def test_a_change_of_quality_never_waits() -> None:
    engine = Engine(metric(min_interval_ms=1000))
    engine.apply([1.0], t=1000)
    engine.apply([2.0], t=1100)
    bad = engine.apply([None], t=1200, qualities=[BAD])
    assert (values(bad), list(bad.qualities)) == ([1.0], [BAD])
    assert engine.due(5000) is None


def test_a_lost_device_shows_what_waited() -> None:
    engine = Engine(metric(min_interval_ms=1000))
    engine.apply([1.0], t=1000)
    engine.apply([2.0], t=1100)
    lost = engine.lost(1500)
    assert (values(lost), list(lost.qualities)) == ([2.0], [BAD])
    assert list(lost.reasons) == [Reason.LINK_LOST]


def test_a_clock_set_back_holds_nothing() -> None:
    engine = Engine(metric(min_interval_ms=1000))
    engine.apply([1.0], t=1000, now=1_000_000)
    assert values(engine.apply([2.0], t=2000, now=5_000)) == [2.0]


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 700), st.sampled_from([1.0, 2.0, 3.0, None])), max_size=40
    ),
    interval=st.sampled_from([300, 1000]),
)
def test_the_interval_is_kept_and_the_last_value_arrives(steps, interval) -> None:
    """A model with time in steps of 100 ms: never two within an interval, never stuck."""
    engine = Engine(metric(min_interval_ms=interval))
    now, published, current = 10_000, [], None
    for wait, value in steps:
        for tick in range(now + 100, now + wait + 1, 100):
            due = engine.due(tick)
            if due is not None:
                published.append((tick, due.values[0]))
        now += wait
        if value is None:
            continue
        current = value
        made = engine.apply([value], t=now)
        if made is not None:
            published.append((now, made.values[0]))
    due = engine.due(now + interval)
    if due is not None:
        published.append((now + interval, due.values[0]))
    times = [time for time, _ in published]
    assert all(later - earlier >= interval for earlier, later in pairwise(times))
    if current is not None:
        assert published[-1][1] == current
    assert all(a[1] != b[1] for a, b in pairwise(published))


# Staleness.


def test_what_nobody_reads_becomes_stale_once_and_comes_back_unchanged() -> None:
    engine = Engine(metric("a", stale_after_ms=3000), metric("b"))
    engine.apply([1.0, 2.0], t=1000)
    assert engine.due(3999) is None
    stale = engine.due(4000)
    assert (stale.points, values(stale), list(stale.qualities)) == ((0,), [1.0], [STALE])
    assert (list(stale.times_ms), list(stale.reasons)) == ([4000], [Reason.SILENT])
    assert engine.due(9000) is None
    back = engine.fresh(9500)
    assert (back.points, values(back), list(back.times_ms)) == ((0,), [1.0], [9500])
    assert back.plain
    assert engine.fresh(9600) is None
    assert engine.due(12_599) is None
    assert engine.due(12_600) is not None


def test_fresh_words_and_unchanged_values_keep_a_point_from_becoming_stale() -> None:
    engine = Engine(metric(stale_after_ms=3000))
    engine.apply([1.0], t=1000)
    engine.fresh(3000)
    assert engine.due(5000) is None
    assert engine.apply([1.0], t=5500) is None
    assert engine.due(8000) is None
    assert engine.due(8500) is not None


def test_a_stale_value_that_is_read_again_is_good_even_with_an_older_time() -> None:
    engine = Engine(metric(stale_after_ms=3000))
    engine.apply([1.0], t=1000)
    engine.due(9000)
    back = engine.apply([2.0], t=8000, now=9100)
    assert (values(back), list(back.times_ms), back.qualities) == ([2.0], [9000], None)


def test_each_point_has_its_own_deadline_whatever_sets_it_is_read_in() -> None:
    engine = Engine(metric("a", stale_after_ms=1000), metric("b", stale_after_ms=5000), metric("c"))
    all_points, first = engine.points, (0,)
    engine.apply([1.0, 2.0, 3.0], t=1000, points=all_points)
    engine.apply([1.5], t=3000, now=3000, points=first)
    assert engine.due(3999) is None
    assert engine.due(4000).points == (0,)
    assert engine.due(6000).points == (1,)


def test_points_that_come_in_ever_new_sets_are_noted_too() -> None:
    engine = Engine(metric("a", stale_after_ms=1000), metric("b", stale_after_ms=1000))
    for step in range(600):
        engine.apply([float(step), 1.0], t=1000 + step, points=tuple(iter((0, 1))))
    assert engine.due(2598) is None
    assert engine.due(2599).points == (0, 1)


def test_what_was_never_read_or_is_bad_does_not_become_stale() -> None:
    engine = Engine(metric("a", stale_after_ms=1000), metric("b", stale_after_ms=1000))
    assert engine.due(50_000) is None
    engine.apply([None, 1.0], t=60_000, qualities=[BAD, GOOD])
    assert engine.due(70_000).points == (1,)


def test_a_reason_comes_back_with_a_stale_value() -> None:
    row = metric(raw=D.INT16, clamp="high", low=0.0, high=5.0, stale_after_ms=1000)
    engine = Engine(row)
    engine.apply([9], t=1000)
    engine.due(2000)
    assert list(engine.fresh(2500).reasons) == [Reason.CLAMPED]


# Reasons.


def test_reasons_travel_with_values_and_a_change_of_reason_is_said() -> None:
    row = metric(raw=D.INT16, clamp="high", low=0.0, high=5.0)
    engine = Engine(row)
    assert engine.apply([5], t=1000).reasons is None
    clamped = engine.apply([6], t=2000)
    assert (values(clamped), clamped.qualities, list(clamped.reasons)) == (
        [5.0], None, [Reason.CLAMPED],
    )  # fmt: skip
    assert engine.apply([7], t=3000) is None
    assert engine.apply([5], t=4000).reasons is None


def test_what_a_driver_says_stays_unless_the_mapping_has_more_to_say() -> None:
    engine = Engine(metric(raw=D.INT16, clamp="high", low=0.0, high=5.0))
    batch = Batch("D", (0,), [1], [1000], reasons=[int(Reason.ARRIVAL_TIME)])
    [said] = engine.mapper.apply(batch, 1000)
    assert list(said.reasons) == [Reason.ARRIVAL_TIME]
    batch = Batch("D", (0,), [9], [1000], reasons=[int(Reason.ARRIVAL_TIME)])
    [said] = engine.mapper.apply(batch, 1000)
    assert list(said.reasons) == [Reason.CLAMPED]


# Powers of ten from another row.

SF = metric("_SF", D.INT16, published=False, invalid=Invalid(values=frozenset({-32768})))
POWER = metric("P", raw=D.INT16, scale_point=0)


@pytest.mark.parametrize("points", [(0, 1), (1, 0)])
def test_both_rows_of_one_response_belong_together(points) -> None:
    engine = Engine(SF, POWER)
    raw = {0: -1, 1: 123}
    engine.apply([raw[p] for p in points], t=1000, points=points)
    assert engine.catalog.devices["D"].values[1] == 12.3


def test_a_power_that_changes_alone_calculates_again() -> None:
    engine = Engine(SF, POWER)
    engine.apply([-1, 123], t=1000)
    again = engine.apply([-2], t=2000, points=(0,))
    assert dict(zip(again.points, again.values, strict=True)) == {0: -2, 1: 1.23}
    assert list(again.times_ms) == [2000, 2000]


def test_without_its_power_a_row_has_no_value() -> None:
    engine = Engine(SF, POWER)
    made = engine.apply([123], t=1000, points=(1,))
    assert (list(made.qualities), list(made.reasons)) == ([BAD], [Reason.SCALE_UNKNOWN])
    made = engine.apply([1], t=2000, points=(0,))
    assert dict(zip(made.points, made.values, strict=True)) == {0: 1, 1: 1230.0}
    made = engine.apply([-32768], t=3000, points=(0,))
    assert dict(zip(made.points, made.reasons, strict=True)) == {
        0: Reason.INVALID, 1: Reason.SCALE_UNKNOWN,
    }  # fmt: skip
    assert engine.catalog.devices["D"].values[1] == 1230.0


# What is not published.


def test_points_that_are_not_published_are_mapped_and_not_shown() -> None:
    engine = Engine(SF, POWER, metric("_x", published=False))
    made = engine.apply([-1, 123, 1.0], t=1000)
    shown = engine.mapper.shown(made)
    assert (shown.points, values(shown), list(shown.times_ms)) == ((1,), [12.3], [1000])
    hidden = engine.apply([2.0], t=2000, points=(2,))
    assert hidden is not None
    assert engine.mapper.shown(hidden) is None
    plain = Engine(metric())
    made = plain.apply([1.0])
    assert plain.mapper.shown(made) is made


# Other metrics for a device.


def test_metrics_that_mean_the_same_keep_what_is_known_of_them() -> None:
    engine = Engine(
        metric("a", min_interval_ms=1000), metric("b", stale_after_ms=1000), metric("c"),
        metric("d", scale=Fraction(2)),
    )  # fmt: skip
    engine.apply([1.0, 2.0, 3.0, 4.0], t=1000)
    engine.apply([1.5, 2.0, 3.0, 4.0], t=1100)  # a waits
    engine.due(2200)
    engine.apply([1.7, 2.0, 3.0, 4.0], t=2300)  # a waits
    renamed = metric("renamed", min_interval_ms=1000)
    object.__setattr__(renamed, "id", "a")
    rows = [metric("new"), metric("d", scale=Fraction(3)), metric("b", stale_after_ms=1000),
            renamed]  # fmt: skip
    [anew] = engine.mapper.put("D", rows, {0: 3, 1: 2, 3: 1}, 3000)
    now = engine.catalog.devices["D"]
    assert now.values == [None, None, 2.0, 1.5]
    engine.take(anew)
    assert now.values == [None, 12.0, 2.0, 1.5]
    assert now.qualities == [BAD, GOOD, GOOD, GOOD]
    due = engine.due(3300)
    assert dict(zip(due.points, due.values, strict=True)) == {3: 1.7}
    engine.points = (0, 1, 2, 3)
    whole = engine.apply([9.0, 1.0, 2.0, 1.7], t=4000)
    assert dict(zip(whole.points, whole.values, strict=True)) == {0: 9.0, 1: 3.0}
