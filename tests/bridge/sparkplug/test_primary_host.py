"""STATE of the primary host: what counts, what is too old, what is none."""

import json

import pytest

from bridge.sparkplug.primary_host import PrimaryHost

NOW = 1_800_000_000_000


def state(online: object, timestamp: object, **more: object) -> bytes:
    return json.dumps({"online": online, "timestamp": timestamp, **more}).encode()


def host(*, legacy: bool = False) -> PrimaryHost:
    made = PrimaryHost("scada", legacy=legacy)
    made.connected()
    return made


def say(made: PrimaryHost, payload: bytes, *, server: str = "a", topic: str = "") -> bool:
    return made.take(server, topic or "spBv1.0/STATE/scada", payload, NOW)


def test_nothing_is_known_before_it_speaks() -> None:
    made = host()
    assert (made.is_online, made.is_offline) == (False, False)
    assert made.filters == [("spBv1.0/STATE/scada", 1)]


def test_the_first_word_counts_whatever_its_time() -> None:
    made = host()
    assert say(made, state(True, 5))
    assert made.is_online
    made = host()
    assert say(made, state(False, 0))
    assert made.is_offline


def test_an_older_death_does_not_count_an_equal_one_does() -> None:
    made = host()
    say(made, state(True, NOW))
    assert not say(made, state(False, NOW - 1))
    assert made.is_online
    assert say(made, state(False, NOW))
    assert made.is_offline
    assert not say(made, state(True, NOW - 1))
    assert say(made, state(True, NOW))  # will and birth of a host have one time


def test_times_outlast_a_connection_and_what_was_said_does_not() -> None:
    made = host()
    say(made, state(True, NOW))
    made.connected()
    assert not made.is_online
    assert not say(made, state(True, NOW - 1))  # an old one, still retained
    assert say(made, state(True, NOW))


def test_servers_have_times_of_their_own() -> None:
    made = host()
    say(made, state(True, NOW))
    made.connected()
    assert say(made, state(True, 5), server="b")


def test_a_clock_far_ahead_does_not_make_a_host_unheard_for_ever() -> None:
    made = host()
    say(made, state(True, NOW + 10**9))
    assert say(made, state(False, NOW + 60_000))
    assert say(made, state(True, NOW + 60_001))


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"ONLINE", b"{}", b"[1]", b"null", b"\xff\xfe", b"{" * 3000, b" " * 5000,
        state("true", NOW), state(1, NOW), state(True, "now"), state(True, 1.5), state(True, True),
        state(True, -1), state(True, None), b'{"online": true}', b'{"timestamp": 5}',
    ],
)  # fmt: skip
def test_what_is_no_state_changes_nothing(payload: bytes) -> None:
    made = host(legacy=True)
    assert not say(made, payload)
    assert (made.is_online, made.is_offline) == (False, False)


def test_more_keys_are_passed_over() -> None:
    made = host()
    assert say(made, state(True, NOW, version="9"))


@pytest.mark.parametrize(
    "topic", ["spBv1.0/STATE/other", "spBv1.0/STATE", "STATE/scada", "spBv1.0/STATE/scada/x"]
)
def test_another_topic_is_none_of_its(topic: str) -> None:
    made = host()
    assert not say(made, state(True, NOW), topic=topic)
    assert not say(made, b"ONLINE", topic=topic)
    assert not made.is_online


def test_a_host_of_2_2_is_heard_by_choice() -> None:
    made = host(legacy=True)
    assert made.filters == [("spBv1.0/STATE/scada", 1), ("STATE/scada", 1)]
    assert say(made, b"ONLINE", topic="STATE/scada")
    assert made.is_online
    assert not say(made, b"online", topic="STATE/scada")
    assert say(made, b"OFFLINE", topic="STATE/scada")
    assert made.is_offline


def test_the_same_again_is_no_news() -> None:
    made = host()
    assert say(made, state(True, NOW))
    assert not say(made, state(True, NOW + 1))
    assert made.is_online
