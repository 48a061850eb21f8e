"""The session table: what may be said when, and with which number."""

from pathlib import Path

import pytest

from bridge.sparkplug.session import (
    TRANSITIONS,
    Event,
    RebirthRequests,
    Session,
    SessionError,
    State,
    diagram,
)

README = Path(__file__).parents[3] / "bridge/sparkplug/README.md"


def online(*devices: str) -> Session:
    session = Session()
    session.connect(7)
    session.on(Event.ACCEPTED)
    session.on(Event.SUBSCRIBED)
    session.on(Event.AWAITED)
    session.node_birth()
    for device in devices:
        session.device_birth(device)
    session.on(Event.VERIFIED)
    return session


def test_numbers_run_over_node_and_devices_and_wrap() -> None:
    session = online("A", "B")  # NBIRTH 0, DBIRTH 1 and 2
    numbers = [session.data(device) for device in ("A", "", "B")]
    assert numbers == [3, 4, 5]
    assert session.device_death("A") == 6
    rest = [session.data("B") for _ in range(256)]
    assert rest[248] == 255
    assert rest[249] == 0


def test_a_rebirth_begins_at_zero_with_the_same_bd_seq() -> None:
    session = online("A")
    session.data("A")
    session.on(Event.REBIRTH)
    assert session.node_birth() == 0
    assert session.bd_seq == 7
    assert session.born == set()
    assert session.device_birth("A") == 1


def test_births_need_a_suback_and_data_needs_proof() -> None:
    session = Session()
    session.connect(0)
    with pytest.raises(SessionError):
        session.node_birth()
    session.on(Event.ACCEPTED)
    with pytest.raises(SessionError):
        session.node_birth()
    session.on(Event.SUBSCRIBED)
    with pytest.raises(SessionError):
        session.node_birth()  # the primary host is not there
    session.on(Event.AWAITED)
    with pytest.raises(SessionError):
        session.device_birth("A")
    session.node_birth()
    session.device_birth("A")
    with pytest.raises(SessionError):
        session.data("A")
    session.on(Event.VERIFIED)
    session.data("A")


def test_a_device_that_is_not_born_says_nothing() -> None:
    session = online("A")
    with pytest.raises(SessionError):
        session.data("B")
    with pytest.raises(SessionError):
        session.device_death("B")
    with pytest.raises(SessionError):
        session.device_birth("A")
    session.device_death("A")
    with pytest.raises(SessionError):
        session.data("A")


def test_a_lost_connection_forgets_who_was_born() -> None:
    session = online("A")
    session.on(Event.LOST)
    assert (session.state, session.born, session.node_born) == (State.OFFLINE, set(), False)


def test_leaving_allows_deaths_and_nothing_else() -> None:
    session = online("A")
    session.on(Event.LEAVE)
    assert session.device_death("A") == 2
    with pytest.raises(SessionError):
        session.data("")
    session.on(Event.GONE)
    assert session.state is State.OFFLINE


def test_what_the_table_does_not_name_is_refused() -> None:
    for state in State:
        for event in Event:
            session = Session()
            session.state = state
            if (state, event) in TRANSITIONS:
                session.on(event)
                assert session.state is TRANSITIONS[state, event]
            else:
                with pytest.raises(SessionError):
                    session.on(event)


def test_a_thousand_requests_within_a_second_give_two_rebirths() -> None:
    requests = RebirthRequests(pause_ms=2_000)
    rebirths = []
    for now_ms in range(100_000, 110_000):
        if now_ms < 101_000:
            requests.request(now_ms)
        if requests.due_ms is not None and requests.due_ms <= now_ms:
            rebirths.append(now_ms)
            requests.answered(now_ms)
    assert rebirths == [100_000, 102_000]


def test_the_readme_shows_this_table() -> None:
    assert diagram() in README.read_text(encoding="utf-8")
