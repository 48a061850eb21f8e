"""Due times are absolute; what was missed is skipped and counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanning import Timetable


def test_all_are_due_at_the_start():
    table = Timetable({"a": 100, "b": 1000}, 5)

    assert table.next() == ("a", 5)
    table.done("a", 7)
    assert table.next() == ("b", 5)


def test_periods_do_not_drift():
    table = Timetable({"a": 100}, 0)
    for due_ms in range(0, 1000, 100):
        assert table.next() == ("a", due_ms)
        table.done("a", due_ms + 13)


def test_what_was_missed_is_skipped_and_counted():
    table = Timetable({"a": 100}, 0)

    assert table.done("a", 350) == 3
    assert table.next() == ("a", 400)
    assert table.skipped == 3


def test_a_poll_that_ends_when_the_next_is_due_skips_it():
    table = Timetable({"a": 100}, 0)

    assert table.done("a", 100) == 1
    assert table.next() == ("a", 200)


def test_postponed_polls_begin_again_there():
    table = Timetable({"a": 100, "b": 100}, 0)
    table.postpone("a", 5_030)

    assert table.next() == ("b", 0)
    table.postpone("b", 9_000)
    assert table.next() == ("a", 5_030)
    table.done("a", 5_040)
    assert table.next() == ("a", 5_130)


def test_nothing_to_poll():
    assert Timetable({}, 0).next() is None


def test_a_period_of_zero_would_never_sleep():
    with pytest.raises(ValueError, match="above 0"):
        Timetable({"a": 0}, 0)


@given(
    st.dictionaries(st.integers(0, 4), st.integers(1, 50), min_size=1),
    st.lists(st.integers(0, 60), max_size=50),
)
def test_every_due_time_is_a_multiple_and_lies_ahead(periods, costs):
    table, now_ms, done = Timetable(periods, 0), 0, dict.fromkeys(periods, 0)
    for cost_ms in costs:
        key, due_ms = table.next()
        assert due_ms % periods[key] == 0
        now_ms = max(now_ms, due_ms) + cost_ms
        done[key] += 1 + table.done(key, now_ms)
        table_due = done[key] * periods[key]
        assert table_due > now_ms
    assert table.skipped == sum(done.values()) - len(costs)
