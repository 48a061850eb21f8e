"""Each rule about sessions: a clean trace is clean, and one change to it breaks that rule alone."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.sparkplug import session_rules
from bridge.sparkplug.rules import Packet
from bridge.sparkplug.session_rules import (
    Accepted,
    Connect,
    Ended,
    Event,
    Received,
    SessionGrader,
    Subscribe,
)
from bridge.sparkplug.session_rules import Sent as Said
from tests.conformance.test_rules import DEVICE, NODE, Sent, T, dbirth, ddata, nbirth, ndeath

FILTERS = (
    (NODE.format("NCMD"), 1), (DEVICE.format("DCMD").replace("Boiler", "+"), 1),
    ("spBv1.0/STATE/scada", 1),
)  # fmt: skip
OPTIONS: dict[str, Any] = {"primary_host": "scada", "servers": 2, "writable": True}


def state(online: bool, timestamp: int, host: str = "scada") -> Packet:
    payload = json.dumps({"online": online, "timestamp": timestamp}).encode()
    return Packet(f"spBv1.0/STATE/{host}", payload, 1, True, T)


def rebirth() -> Packet:
    from bridge.sparkplug.messages import Payload

    payload = Payload()
    payload.metrics.add(name="Node Control/Rebirth", boolean_value=True)
    return Packet(NODE.format("NCMD"), payload.SerializeToString(), 1, False, T)


def session(link: int, server: str, bd_seq: int, at: int, *, level: int = 4) -> list[Event]:
    """From CONNECT to the births."""
    return [
        Connect(link=link, time_ms=at, server=server, client_id="gw", level=level,
                will=ndeath(bd_seq).packet()),
        Accepted(link=link, time_ms=at + 10),
        Subscribe(link=link, time_ms=at + 20, filters=FILTERS),
        Received(link=link, time_ms=at + 30, packet=state(True, T)),
        said(link, at + 40, nbirth(bd_seq)),
        said(link, at + 50, dbirth(1)),
    ]  # fmt: skip


def said(link: int, at: int, sent: Sent) -> Said:
    return Said(link=link, time_ms=at, packet=sent.packet())


CONNECT, ACCEPTED, SUBSCRIBE, ONLINE, NBIRTH, DBIRTH = range(6)
DATA, REBIRTH, NBIRTH_2, DBIRTH_2, OFFLINE, NDEATH, ENDED, CONNECT_2 = range(6, 14)


def trace() -> list[Event]:
    """A session with a rebirth that ends with its host; and one of MQTT 5 at the next server."""
    return [
        *session(1, "a", 7, T),
        said(1, T + 1_000, ddata(2, 0)),
        Received(link=1, time_ms=T + 2_000, packet=rebirth()),
        said(1, T + 2_100, nbirth(7)),
        said(1, T + 2_200, dbirth(1)),
        Received(link=1, time_ms=T + 30_000, packet=state(False, T + 1)),
        said(1, T + 30_010, ndeath(7)),
        Ended(link=1, time_ms=T + 30_020, reason=0),
        *session(2, "b", 8, T + 31_000, level=5),
        said(2, T + 40_000, ndeath(8)),
        Ended(link=2, time_ms=T + 40_010, reason=4),
    ]  # fmt: skip


Change = Callable[[list[Any]], None]
BROKEN: dict[str, tuple[str, Change]] = {}


def breaks(tck_id: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        BROKEN[change.__name__] = (tck_id, change)
        return change

    return register


def connects(t: list[Any], **changed: Any) -> None:
    t[CONNECT] = replace(t[CONNECT], **changed)


def wills(t: list[Any], **changed: Any) -> None:
    connects(t, will=replace(t[CONNECT].will, **changed))


@breaks("tck-id-principles-persistence-clean-session-311")
def keeps_its_session(t: list[Any]) -> None:
    connects(t, clean=False)


@breaks("tck-id-principles-persistence-clean-session-50")
def does_not_start_clean(t: list[Any]) -> None:
    t[CONNECT_2] = replace(t[CONNECT_2], clean=False)


@breaks("tck-id-principles-persistence-clean-session-50")
def leaves_a_session_behind(t: list[Any]) -> None:
    t[CONNECT_2] = replace(t[CONNECT_2], expiry_s=60)


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message")
def has_no_will(t: list[Any]) -> None:
    connects(t, will=None)


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message-topic")
def wills_something_else(t: list[Any]) -> None:
    wills(t, topic="status/gw")


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message-qos")
def wills_at_qos_0(t: list[Any]) -> None:
    wills(t, qos=0)


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message-will-retained")
def wills_retained(t: list[Any]) -> None:
    wills(t, retain=True)


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message-payload")
def wills_a_text(t: list[Any]) -> None:
    wills(t, payload=b"OFFLINE")


@breaks("tck-id-topics-nbirth-bdseq-increment")
def uses_a_bd_seq_again(t: list[Any]) -> None:
    t[CONNECT_2] = replace(t[CONNECT_2], will=ndeath(7).packet())
    t[CONNECT_2 + NBIRTH] = said(2, T + 31_040, nbirth(7))


@breaks("tck-id-topics-nbirth-bdseq-matching")
def is_born_with_another_bd_seq(t: list[Any]) -> None:
    t[NBIRTH] = said(1, T + 40, nbirth(8))


@breaks("tck-id-message-flow-edge-node-birth-publish-connect")
def speaks_before_it_is_let_in(t: list[Any]) -> None:
    t.insert(ACCEPTED, said(1, T + 5, ddata(1, 0)))


@breaks("tck-id-message-flow-edge-node-birth-publish-nbirth-topic")
def is_born_as_somebody_else(t: list[Any]) -> None:
    for place, event in enumerate(t[:NDEATH]):
        if isinstance(event, Said):
            packet = event.packet
            topic = packet.topic.replace("/gw", "/gateway")
            t[place] = replace(event, packet=replace(packet, topic=topic))
    filters = tuple((name.replace("/gw", "/gateway"), qos) for name, qos in FILTERS)
    t[SUBSCRIBE] = replace(t[SUBSCRIBE], filters=filters)
    del t[REBIRTH : DBIRTH_2 + 1]


@breaks("tck-id-message-flow-device-birth-publish-dbirth-match-edge-node-topic")
def bears_a_device_elsewhere(t: list[Any]) -> None:
    packet = t[DBIRTH].packet
    elsewhere = replace(packet, topic=packet.topic.replace("/gw/", "/other/"))
    t[DBIRTH] = replace(t[DBIRTH], packet=elsewhere)
    filters = (*FILTERS, ("spBv1.0/+/DCMD/#", 1))
    t[SUBSCRIBE] = replace(t[SUBSCRIBE], filters=filters)


def subscribes(t: list[Any], *filters: tuple[str, int]) -> None:
    t[SUBSCRIBE] = replace(t[SUBSCRIBE], filters=filters)


@breaks("tck-id-message-flow-edge-node-ncmd-subscribe")
def takes_no_commands(t: list[Any]) -> None:
    subscribes(t, *FILTERS[1:])


@breaks("tck-id-message-flow-edge-node-ncmd-subscribe")
def takes_commands_at_qos_0(t: list[Any]) -> None:
    subscribes(t, (FILTERS[0][0], 0), *FILTERS[1:])


@breaks("tck-id-message-flow-device-dcmd-subscribe")
def takes_no_commands_for_devices(t: list[Any]) -> None:
    subscribes(t, FILTERS[0], FILTERS[2])


@breaks("tck-id-operational-behavior-primary-application-state-with-multiple-servers-state-subs")
def does_not_ask_for_its_host(t: list[Any]) -> None:
    subscribes(t, *FILTERS[:2])


@breaks("tck-id-message-flow-edge-node-birth-publish-phid-wait-online")
def does_not_wait(t: list[Any]) -> None:
    t[ONLINE] = replace(t[ONLINE], packet=state(False, T))


@breaks("tck-id-message-flow-edge-node-birth-publish-phid-wait-online")
def does_not_wait_for_anything(t: list[Any]) -> None:
    t.insert(DBIRTH, t.pop(ONLINE))


@breaks("tck-id-message-flow-edge-node-birth-publish-phid-wait-id")
def waits_for_any_host(t: list[Any]) -> None:
    t[ONLINE] = replace(t[ONLINE], packet=state(True, T, "other"))
    del t[OFFLINE]


@breaks("tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp")
def believes_an_old_state(t: list[Any]) -> None:
    t.insert(ONLINE, replace(t[ONLINE], packet=state(False, T + 1)))
    del t[OFFLINE + 1]


@breaks("tck-id-message-flow-edge-node-birth-publish-phid-offline")
def stays_without_its_host(t: list[Any]) -> None:
    t.insert(NDEATH, said(1, T + 36_000, ddata(2, 0)))
    t[NDEATH + 1 :] = [replace(e, time_ms=e.time_ms + 7_000) for e in t[NDEATH + 1 :]]


@breaks("tck-id-operational-behavior-edge-node-termination-host-offline-timestamp")
def leaves_for_an_old_state(t: list[Any]) -> None:
    t[OFFLINE] = replace(t[OFFLINE], packet=state(False, T - 1))


@breaks("tck-id-operational-behavior-edge-node-termination-host-offline-reconnect")
def comes_back_to_where_its_host_is_not(t: list[Any]) -> None:
    t[CONNECT_2] = replace(t[CONNECT_2], server="a")
    online = t[CONNECT_2 + ONLINE]
    t[CONNECT_2 + ONLINE] = replace(online, packet=state(True, T + 2))


@breaks("tck-id-operational-behavior-primary-application-state-with-multiple-servers-single-server")
def is_at_two_servers(t: list[Any]) -> None:
    t.insert(CONNECT_2 - 1, t.pop(CONNECT_2))


@breaks("tck-id-topic-structure-namespace-unique-edge-node-descriptor")
def two_clients_are_one_node(t: list[Any]) -> None:
    will = ndeath(8).packet()
    t[CONNECT_2] = replace(t[CONNECT_2], will=ndeath(9).packet())
    t[CONNECT_2 + NBIRTH] = said(2, T + 31_040, nbirth(9))
    other = Connect(link=3, time_ms=T + 2_300, server="a", client_id="other", will=will)
    t[OFFLINE:OFFLINE] = [other, Ended(link=3, time_ms=T + 2_400)]


@breaks("tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath")
def leaves_without_a_death(t: list[Any]) -> None:
    del t[NDEATH]


@breaks("tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50")
def takes_its_will_back(t: list[Any]) -> None:
    t[-1] = replace(t[-1], reason=0)


@breaks("tck-id-operational-behavior-data-commands-rebirth-action-1")
def goes_on_talking(t: list[Any]) -> None:
    t.insert(NBIRTH_2, said(1, T + 8_000, ddata(3, 0)))


@breaks("tck-id-operational-behavior-data-commands-rebirth-action-2")
def is_not_born_again(t: list[Any]) -> None:
    del t[NBIRTH_2 : DBIRTH_2 + 1]


def graded(events: list[Event]) -> list[session_rules.Violation]:
    grader = SessionGrader(**OPTIONS)
    return [violation for event in events for violation in grader.feed(event)]


def test_the_clean_trace_is_clean() -> None:
    assert graded(trace()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_one_change_breaks_one_rule(name: str) -> None:
    tck_id, change = BROKEN[name]
    events = trace()
    change(events)
    found = graded(events)
    assert {violation.tck_id for violation in found} == {tck_id}, found


def ids_in_source() -> set[str]:
    source = Path(session_rules.__file__).read_text()
    for name in ("_FLOW", "_COMMANDS", "_SERVERS", "_HOST_OFFLINE"):
        source = source.replace(f'f"{{{name}}}', f'"{getattr(session_rules, name)}')
    found = set(re.findall(r'"((?:tck-id|unmarked|own)-[\w-]+)"', source))
    return found - {
        getattr(session_rules, name) for name in ("_FLOW", "_COMMANDS", "_SERVERS", "_HOST_OFFLINE")
    }


def test_each_rule_has_a_broken_trace() -> None:
    assert {tck_id for tck_id, _ in BROKEN.values()} == ids_in_source()
