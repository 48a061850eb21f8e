"""Whose clock is believed, and what comes too late."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.mqtt.times import AHEAD_MS, BACK_MS, TopicTimes
from mappings.quality import Reason

NOW = 1_795_000_000_000
ARRIVAL = int(Reason.ARRIVAL_TIME)


def test_without_a_time_of_its_own_it_is_that_of_arrival_and_nothing_is_said_about_it():
    times = TopicTimes(own=False)
    assert times.judge(None, NOW) == (NOW, 0)
    assert times.judge(None, NOW - 500) == (NOW, 0)  # our clock was set back


def test_its_own_time_is_believed_however_old():
    times = TopicTimes(own=True)
    assert times.judge(NOW - 86_400_000, NOW) == (NOW - 86_400_000, 0)
    assert times.judge(NOW - 50, NOW) == (NOW - 50, 0)
    assert times.judge(NOW - 50, NOW) == (NOW - 50, 0)
    assert times.judge(NOW + AHEAD_MS, NOW) == (NOW + AHEAD_MS, 0)


def test_a_time_that_is_missing_or_of_the_future_is_that_of_arrival_and_it_is_said():
    times = TopicTimes(own=True)
    assert times.judge(None, NOW) == (NOW, ARRIVAL)
    assert times.judge(NOW + AHEAD_MS + 1, NOW) == (NOW, ARRIVAL)
    # Its next own time is a little before that arrival, as the way here takes time.
    assert times.judge(NOW - 40, NOW + 10) == (NOW, 0)
    assert times.judge(NOW + 100, NOW + 140) == (NOW + 100, 0)


def test_an_older_message_is_dropped_and_counted():
    times = TopicTimes(own=True)
    times.judge(NOW, NOW + 10)
    assert times.judge(NOW - 1, NOW + 20) is None
    assert times.dropped == 1
    assert times.judge(NOW + 100, NOW + 110) == (NOW + 100, 0)


def test_a_clock_that_was_set_back_is_believed_no_more_until_it_is_right():
    times = TopicTimes(own=True)
    times.judge(NOW, NOW)
    behind = 3_600_000
    for after in range(0, BACK_MS, 1_000):
        assert times.judge(NOW + after - behind, NOW + after) is None
    later = NOW + BACK_MS + 5
    assert times.judge(later - behind, later) == (later, ARRIVAL)
    assert times.judge(later + 100 - behind, later + 100) == (later + 100, ARRIVAL)
    assert times.judge(later + 200, later + 210) == (later + 200, 0)


def test_single_stragglers_over_hours_do_not_make_a_clock_wrong():
    times = TopicTimes(own=True)
    for second in range(0, 100_000, 20):
        now = NOW + second * 1000
        assert times.judge(now, now) == (now, 0)
        assert times.judge(now - 5_000, now + 10) is None


OWN = st.none() | st.integers(-100_000, 100_000)


@given(st.lists(st.tuples(OWN, st.integers(-20_000, 20_000)), max_size=40), st.booleans())
def test_times_never_run_backwards(messages, own):
    times = TopicTimes(own=own)
    now, last, dropped = NOW, 0, 0
    for skew, passed in messages:
        now += passed  # our own clock may be set back too
        judged = times.judge(None if skew is None else now + skew, now)
        if judged is None:
            dropped += 1
            continue
        assert judged[0] >= last
        assert judged[0] <= max(now, last) + AHEAD_MS
        last = judged[0]
    assert times.dropped == dropped
