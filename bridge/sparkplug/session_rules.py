"""The rules of Sparkplug 3.0 about a node's sessions: what only the wire to its broker shows.

CONNECT and its Will, subscriptions, the order of births, waiting for a primary host, leaving. A
`SessionGrader` is fed with what passes between one node and its brokers, as a tap sees it, and
answers like `bridge.sparkplug.rules.Grader`: by the standard's own ids. It judges nothing that a
subscriber can see as well, and shares nothing with session or edge node.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bridge.sparkplug.messages import as_text, read_payload
from bridge.sparkplug.rules import Packet, Violation
from bridge.sparkplug.topics import BD_SEQ, REBIRTH, STATE, Topic, Verb, parse
from drivers.mqtt.addresses import filter_matches

Broken = tuple[str, str]

_FLOW = "tck-id-message-flow-edge-node-birth-publish"
_COMMANDS = "tck-id-operational-behavior-data-commands"
_SERVERS = "tck-id-operational-behavior-primary-application-state-with-multiple-servers"
_HOST_OFFLINE = "tck-id-operational-behavior-edge-node-termination-host-offline"
_LEAVES_WITHIN_MS = 5_000
_BORN_WITHIN_MS = 5_000
_BECAUSE_MS = 2_000  # after which an end is not because of what was said before
_WITH_WILL = 4  # reason code of DISCONNECT
_BIRTHS = frozenset({Verb.NBIRTH, Verb.DBIRTH})
_DATA = frozenset({Verb.NDATA, Verb.DDATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """A CONNECT on connection number ``link`` to ``server``; ``will`` None: it had none.

    ``level`` is 4 for MQTT 3.1.1 and 5 for MQTT 5, ``expiry_s`` the session expiry of the latter.
    """

    link: int
    time_ms: int
    server: str
    client_id: str
    level: int = 4
    clean: bool = True
    expiry_s: int = 0
    will: Packet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A CONNACK that lets the node in."""

    link: int
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """A SUBSCRIBE: filters with their QoS."""

    link: int
    time_ms: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A PUBLISH from the node."""

    link: int
    time_ms: int
    packet: Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A PUBLISH to the node."""

    link: int
    time_ms: int
    packet: Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a connection; ``reason`` is that of a DISCONNECT, None if there was none."""

    link: int
    time_ms: int
    reason: int | None = None


Event = Connect | Accepted | Subscribe | Sent | Received | Ended


@dataclass(slots=True)
class _Link:
    connect: Connect
    accepted: bool = False
    filters: dict[str, int] = field(default_factory=dict)
    born: Topic | None = None
    died: bool = False
    rebirth_ms: int | None = None  # since when births are asked for
    rebirth_told: bool = False

    @property
    def node(self) -> Topic | None:
        """The node's death topic, by its Will."""
        will = self.connect.will
        topic = parse(will.topic) if will is not None else None
        return topic if topic is not None and topic.verb is Verb.NDEATH else None


@dataclass(slots=True)
class _Host:
    """What a server has said of the primary host."""

    online: bool = False
    timestamp: int | None = None
    offline_ms: int | None = None  # when it went, by our clock
    stale_online: bool = False
    stale_offline_ms: int | None = None
    other_online: bool = False


class SessionGrader:
    """Judges what passes between one node and its brokers, in its order.

    ``primary_host`` is the host that it is set up to wait for, ``servers`` how many it may go to,
    ``writable`` whether its devices take commands.
    """

    def __init__(self, *, primary_host: str = "", servers: int = 1, writable: bool = False) -> None:
        self._host_id = primary_host
        self._servers = servers
        self._writable = writable
        self._links: dict[int, _Link] = {}
        self._hosts: dict[str, _Host] = {}  # by server
        self._last_bd_seq: int | None = None
        self._left: str | None = None  # the server that it left because its host had gone

    def feed(self, event: Event) -> list[Violation]:
        """What is wrong with what just happened."""
        found = [(broken, "") for broken in self._overdue(event.time_ms)]
        if isinstance(event, Connect):
            topic = event.will.topic if event.will is not None else ""
            found += [(broken, topic) for broken in self._connect(event)]
        else:
            link = self._links.get(event.link)
            if link is None:
                return []  # it was there before the tap
            topic = event.packet.topic if isinstance(event, Sent | Received) else ""
            found += [(broken, topic) for broken in self._event(link, event)]
        return [Violation(tck_id, what, topic) for (tck_id, what), topic in found]

    def _event(self, link: _Link, event: Event) -> Iterable[Broken]:
        if isinstance(event, Accepted):
            link.accepted = True
        elif isinstance(event, Subscribe):
            link.filters.update(event.filters)
        elif isinstance(event, Sent):
            yield from self._sent(link, event)
        elif isinstance(event, Received):
            self._received(link, event)
        elif isinstance(event, Ended):
            yield from self._ended(link, event)

    # --- connecting -------------------------------------------------------------------------------

    def _connect(self, event: Connect) -> Iterable[Broken]:
        link = _Link(event)
        for other in self._links.values():
            if other.node is None or other.node != link.node:
                continue
            if other.connect.client_id != event.client_id:
                yield (
                    "tck-id-topic-structure-namespace-unique-edge-node-descriptor",
                    f"clients {other.connect.client_id!r} and {event.client_id!r} are one node",
                )
            elif other.connect.server != event.server:
                yield f"{_SERVERS}-single-server", f"still connected to {other.connect.server}"
        self._links[event.link] = link
        if event.level >= 5 and not (event.clean and event.expiry_s == 0):
            what = f"clean start {event.clean}, session expiry {event.expiry_s} s"
            yield "tck-id-principles-persistence-clean-session-50", what
        elif event.level < 5 and not event.clean:
            yield "tck-id-principles-persistence-clean-session-311", "clean session is false"
        yield from self._will(event.will)
        left, self._left = self._left, None
        if left is not None and self._servers > 1 and left == event.server:
            yield f"{_HOST_OFFLINE}-reconnect", f"back to {left}, where the host is offline"

    def _will(self, will: Packet | None) -> Iterable[Broken]:
        if will is None:
            yield f"{_FLOW}-will-message", "CONNECT without a Will"
            return
        topic = parse(will.topic)
        if topic is None or topic.verb is not Verb.NDEATH:
            yield f"{_FLOW}-will-message-topic", f"a Will for {will.topic}"
            return
        if will.qos != 1:
            yield f"{_FLOW}-will-message-qos", f"a Will of QoS {will.qos}"
        if will.retain:
            yield f"{_FLOW}-will-message-will-retained", "a Will that is retained"
        bd_seq = _bd_seq(read_payload(will.payload))
        if bd_seq is None:
            yield f"{_FLOW}-will-message-payload", "a Will without bdSeq"
            return
        last, self._last_bd_seq = self._last_bd_seq, bd_seq
        if last is not None and bd_seq != (last + 1) % 256:
            due = (last + 1) % 256
            yield "tck-id-topics-nbirth-bdseq-increment", f"bdSeq {bd_seq} in a Will, {due} is due"

    # --- speaking ---------------------------------------------------------------------------------

    def _sent(self, link: _Link, event: Sent) -> Iterable[Broken]:
        topic = parse(event.packet.topic)
        if topic is None:
            return
        if not link.accepted:
            yield f"{_FLOW}-connect", f"{topic.verb} before CONNACK"
            return
        if topic.verb is Verb.NBIRTH:
            yield from self._born(link, topic, event)
        elif topic.verb is Verb.DBIRTH:
            yield from self._device_born(link, topic)
        elif topic.verb is Verb.NDEATH:
            link.died = True
        elif topic.verb in _DATA and link.rebirth_ms is not None and not link.rebirth_told:
            late_ms = event.time_ms - link.rebirth_ms
            if late_ms > _BORN_WITHIN_MS:
                link.rebirth_told = True
                what = f"{topic.verb} {late_ms} ms after a rebirth was asked for"
                yield f"{_COMMANDS}-rebirth-action-1", what

    def _born(self, link: _Link, topic: Topic, event: Sent) -> Iterable[Broken]:
        node = link.node
        if node is not None and (node.group, node.node) != (topic.group, topic.node):
            what = f"NBIRTH of {topic.node} under the Will of {node.node}"
            yield f"{_FLOW}-nbirth-topic", what
        link.rebirth_ms = None
        link.rebirth_told = False
        first, link.born = link.born is None, topic
        will = link.connect.will
        promised = _bd_seq(read_payload(will.payload)) if will is not None else None
        bd_seq = _bd_seq(read_payload(event.packet.payload))
        if promised is not None and bd_seq != promised:
            what = f"bdSeq {bd_seq} in the NBIRTH, {promised} in the Will"
            yield "tck-id-topics-nbirth-bdseq-matching", what
        if not first:
            return
        if not _subscribed(link, str(Topic(topic.group, Verb.NCMD, topic.node)), least=1):
            what = "NCMD is not subscribed with QoS 1"
            yield "tck-id-message-flow-edge-node-ncmd-subscribe", what
        yield from self._waited(link)

    def _device_born(self, link: _Link, topic: Topic) -> Iterable[Broken]:
        if link.born is not None and (link.born.group, link.born.node) != (topic.group, topic.node):
            yield (
                "tck-id-message-flow-device-birth-publish-dbirth-match-edge-node-topic",
                f"DBIRTH at {topic.node}, the NBIRTH was of {link.born.node}",
            )
        command = str(Topic(topic.group, Verb.DCMD, topic.node, topic.device))
        if self._writable and not _subscribed(link, command, least=1):
            what = "DCMD is not subscribed with QoS 1"
            yield "tck-id-message-flow-device-dcmd-subscribe", what

    def _waited(self, link: _Link) -> Iterable[Broken]:
        """Whether births may go out: only while the primary host is online."""
        if not self._host_id:
            return
        if not _subscribed(link, f"{STATE}/{self._host_id}", least=0):
            yield f"{_SERVERS}-state-subs", "STATE of the primary host is not subscribed"
            return
        host = self._host(link)
        if host.online:
            return
        if host.stale_online:
            yield f"{_FLOW}-phid-wait-timestamp", "its STATE online was older than what was known"
        elif host.other_online:
            yield f"{_FLOW}-phid-wait-id", "the STATE online was of another host"
        else:
            yield f"{_FLOW}-phid-wait-online", "the primary host is not online"

    # --- hearing ----------------------------------------------------------------------------------

    def _host(self, link: _Link) -> _Host:
        return self._hosts.setdefault(link.connect.server, _Host())

    def _received(self, link: _Link, event: Received) -> None:
        packet = event.packet
        prefix, _, host_id = packet.topic.rpartition("/")
        if prefix == STATE:
            self._state(self._host(link), host_id, event)
            return
        topic = parse(packet.topic)
        if topic is None or topic.verb is not Verb.NCMD or packet.retain:
            return
        payload = read_payload(packet.payload)
        asks = payload is not None and any(
            metric.name == REBIRTH and metric.boolean_value for metric in payload.metrics
        )
        if asks and link.born is not None and link.rebirth_ms is None:
            link.rebirth_ms = event.time_ms

    def _state(self, host: _Host, host_id: str, event: Received) -> None:
        found = _state(event.packet.payload)
        if found is None:
            return
        online, timestamp = found
        if host_id != self._host_id:
            host.other_online |= online
            return
        if host.timestamp is not None and timestamp < host.timestamp:
            host.stale_online |= online
            if not online:
                host.stale_offline_ms = event.time_ms
            return
        host.timestamp = timestamp
        if host.online and not online:
            host.offline_ms = event.time_ms
        elif online:
            host.offline_ms = None
            host.stale_online = False
        host.online = online

    # --- leaving ----------------------------------------------------------------------------------

    def _overdue(self, now_ms: int) -> Iterable[Broken]:
        for link in self._links.values():
            host = self._host(link)
            gone_ms = now_ms - host.offline_ms if host.offline_ms is not None else 0
            if link.born is not None and gone_ms > _LEAVES_WITHIN_MS:
                host.offline_ms = None
                yield f"{_FLOW}-phid-offline", f"still here {gone_ms} ms after its host went"
            asked_ms = now_ms - link.rebirth_ms if link.rebirth_ms is not None else 0
            if asked_ms > 2 * _BORN_WITHIN_MS and not link.rebirth_told:
                link.rebirth_told = True
                yield f"{_COMMANDS}-rebirth-action-2", f"no NBIRTH {asked_ms} ms after a request"

    def _ended(self, link: _Link, event: Ended) -> Iterable[Broken]:
        del self._links[event.link]
        host = self._host(link)
        if host.offline_ms is not None and link.born is not None:
            self._left, host.offline_ms = link.connect.server, None
        stale_ms, host.stale_offline_ms = host.stale_offline_ms, None
        if event.reason is None or link.born is None:
            return
        if not link.died:
            yield (
                "tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath",
                "DISCONNECT without an NDEATH before it",
            )
        if link.connect.level >= 5 and event.reason != _WITH_WILL:
            yield (
                "tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50",
                f"DISCONNECT with reason {event.reason}, {_WITH_WILL} is due",
            )
        if host.online and stale_ms is not None and event.time_ms - stale_ms < _BECAUSE_MS:
            yield f"{_HOST_OFFLINE}-timestamp", "it left for a STATE that was older than the last"


def _subscribed(link: _Link, topic: str, *, least: int) -> bool:
    return any(
        qos >= least and filter_matches(filter_, topic) for filter_, qos in link.filters.items()
    )


def _bd_seq(payload: Any) -> int | None:
    for metric in payload.metrics if payload is not None else ():
        if as_text(metric.name) == BD_SEQ and metric.WhichOneof("value") == "long_value":
            return int(metric.long_value)
    return None


def _state(payload: bytes) -> tuple[bool, int] | None:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    online, timestamp = said.get("online"), said.get("timestamp")
    if not isinstance(online, bool) or type(timestamp) is not int:
        return None
    return online, timestamp
