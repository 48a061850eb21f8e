"""The rules of Sparkplug 3.0 that a subscriber can see an edge node break.

A `Grader` is fed with what a subscriber received and answers with violations, each by the
standard's own id (``tck-id-...``; ``unmarked-...`` for statements of the standard that have no id,
``own-...`` for what it takes for granted). It is a second opinion: nothing here is shared with the
encoder or the session, whose work it judges.

It begins in the middle. A node is judged from its first NBIRTH on; what comes before is "not yet
born here" and never a violation, and after `Grader.gap` everything is in doubt again until the
next NBIRTH. Commands are not judged, they are the host's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bridge.sparkplug.messages import as_text, read_payload
from bridge.sparkplug.metric_rules import Birth, Broken, judge_birth, judge_values
from bridge.sparkplug.synonyms import ids_of
from bridge.sparkplug.template_rules import (
    Definition,
    definitions_of,
    judge_dataset,
    judge_template,
)
from bridge.sparkplug.topics import (
    BD_SEQ,
    NAMESPACE,
    REBIRTH,
    Topic,
    Verb,
    id_fault,
    parse,
)

_INT64, _BOOLEAN = 4, 11
_OLD_NAMESPACE = "spAv1.0"
_CLOCK_MS = 60_000  # between two clocks, the way included
_EMPTY = {Verb.NDATA: "tck-id-topics-ndata-payload", Verb.DDATA: "tck-id-topics-ddata-payload"}
_COMMANDS = frozenset({Verb.NCMD, Verb.DCMD})
_PAYLOAD_IDS = {
    Verb.NBIRTH: "tck-id-message-flow-edge-node-birth-publish-nbirth-payload",
    Verb.DBIRTH: "tck-id-message-flow-device-birth-publish-dbirth-payload",
    Verb.NDEATH: "tck-id-message-flow-edge-node-birth-publish-will-message-payload",
}
_TIMES = {
    Verb.NBIRTH: "tck-id-payloads-nbirth-timestamp",
    Verb.DBIRTH: "tck-id-payloads-dbirth-timestamp",
    Verb.NDATA: "tck-id-payloads-ndata-timestamp",
    Verb.DDATA: "tck-id-payloads-ddata-timestamp",
    Verb.DDEATH: "tck-id-payloads-ddeath-timestamp",
}
_DELIVERY = {  # the ids for retain and for QoS
    Verb.NBIRTH: ("tck-id-payloads-nbirth-retain", "tck-id-payloads-nbirth-qos"),
    Verb.DBIRTH: ("tck-id-payloads-dbirth-retain", "tck-id-payloads-dbirth-qos"),
    Verb.NDATA: ("tck-id-payloads-ndata-retain", "tck-id-payloads-ndata-qos"),
    Verb.DDATA: ("tck-id-payloads-ddata-retain", "tck-id-payloads-ddata-qos"),
    Verb.DDEATH: ("tck-id-topics-ddeath-mqtt", "tck-id-topics-ddeath-mqtt"),
    # Published at QoS 0 or 1, as a Will at QoS 1: which it was, a subscriber cannot tell.
    Verb.NDEATH: ("tck-id-payloads-ndeath-will-message-retain", ""),
}
_ID_IDS = {
    "group": "tck-id-topic-structure-namespace-valid-group-id",
    "node": "tck-id-topic-structure-namespace-valid-edge-node-id",
    "device": "tck-id-topic-structure-namespace-valid-device-id",
}


@dataclass(frozen=True, slots=True)
class Packet:
    """A PUBLISH as a subscriber received it; ``time_ms`` is when."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    time_ms: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken: its id, what was seen, and where."""

    tck_id: str
    what: str
    topic: str

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids by which the standard says this rule, the one that is told first."""
        verb = self.topic.split("/")[2:3] or [""]
        return ids_of(self.tck_id, verb[0])


@dataclass(slots=True)
class _Node:
    """A node since its NBIRTH. Key None of ``births`` is the node itself."""

    bd_seq: int | None
    alive: bool = True
    next_seq: int = 1
    last_bd_seq: int | None = None
    births: dict[str | None, Birth] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)  # devices to be born before any data
    gone: set[str] = field(default_factory=set)
    past: set[int] = field(default_factory=set)


class Grader:
    """Judges packets in the order in which they were received.

    ``complete``: the capture began before any node did, so that data before an NBIRTH is a
    violation instead of a late arrival.
    """

    def __init__(self, *, complete: bool = False) -> None:
        self._complete = complete
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._spellings: dict[str, str] = {}

    def feed(self, packet: Packet, payload: Any = None) -> list[Violation]:
        """What is wrong with the packet; ``payload`` is its message, if it is parsed already."""
        topic = parse(packet.topic)
        if topic is None:
            return [
                Violation(tck_id, what, packet.topic) for tck_id, what in _odd_topic(packet.topic)
            ]
        if topic.verb in _COMMANDS:
            return []
        found: list[Broken] = [*_ids(topic), *_delivery(topic.verb, packet)]
        found += self._spelling(topic)
        if payload is None:
            payload = read_payload(packet.payload)
        if payload is None:
            tck_id = _PAYLOAD_IDS.get(topic.verb, "own-payload-is-sparkplug")
            found.append((tck_id, f"{len(packet.payload)} bytes that are no Sparkplug payload"))
        else:
            found += self._message(topic, payload, packet.time_ms)
        return [Violation(tck_id, what, packet.topic) for tck_id, what in found]

    def gap(self) -> None:
        """Say that packets may have been missed: the subscriber's own connection was lost."""
        self._nodes.clear()

    def _spelling(self, topic: Topic) -> Iterable[Broken]:
        """Ids that differ only by case: of nodes anywhere, of devices at one node."""
        for text in (f"{topic.group}/{topic.node}", f"{topic.group}/{topic.node}/{topic.device}"):
            twin = self._spellings.setdefault(text.casefold(), text)
            if twin != text:
                yield (
                    "tck-id-case-sensitivity-sparkplug-ids",
                    f"{text} differs from {twin} only by case",
                )
                return

    def _message(self, topic: Topic, payload: Any, now_ms: int) -> Iterable[Broken]:
        key = (topic.group, topic.node)
        if topic.verb is Verb.NDEATH:
            yield from self._node_death(key, payload)
            return
        if not payload.HasField("timestamp"):
            yield _TIMES[topic.verb], "the payload has no timestamp"
        elif abs(payload.timestamp - now_ms) > _CLOCK_MS:
            yield (
                "tck-id-payloads-timestamp-in-UTC",
                f"timestamp {payload.timestamp}, received at {now_ms}",
            )
        if not payload.HasField("seq"):
            yield "tck-id-payloads-sequence-num-always-included", "the payload has no seq"
        if topic.verb is Verb.NBIRTH:
            yield from self._node_birth(key, payload, now_ms)
            return
        node = self._nodes.get(key)
        if node is None or not node.alive:
            if node is not None or self._complete:
                yield _unborn(topic.verb)
            return
        if payload.HasField("seq"):
            yield from _sequence(node, payload.seq)
        yield from _of_device(node, topic, payload, now_ms)

    def _node_birth(self, key: tuple[str, str], payload: Any, now_ms: int) -> Iterable[Broken]:
        if payload.seq != 0:
            yield "tck-id-topics-nbirth-seq-num", f"seq {payload.seq}, 0 is due"
        before = self._nodes.get(key)
        node = self._nodes[key] = _Node(None, next_seq=(payload.seq + 1) % 256)
        if before is not None:
            node.past = before.past
            if before.alive:
                node.expected = {device for device in before.births if device is not None}
        node.definitions = definitions_of(payload)
        yield from judge_birth(node.births, None, payload, Verb.NBIRTH, now_ms + _CLOCK_MS)
        yield from _composed(node, payload, Verb.NBIRTH)
        metrics = {as_text(metric.name): metric for metric in payload.metrics}
        yield from _rebirth_metric(metrics.get(REBIRTH))
        yield from _bd_seq_of_birth(node, before, metrics.get(BD_SEQ))

    def _node_death(self, key: tuple[str, str], payload: Any) -> Iterable[Broken]:
        if payload.HasField("seq"):
            yield "tck-id-topics-ndeath-seq", f"seq {payload.seq} in an NDEATH"
        if len(payload.metrics) != 1 or payload.metrics[0].name != BD_SEQ:
            names = ", ".join(as_text(metric.name) for metric in payload.metrics) or "none"
            yield "tck-id-topics-ndeath-payload", f"metrics: {names}; bdSeq alone is due"
            return
        bd_seq = _bd_seq(payload.metrics[0])
        node = self._nodes.get(key)
        if bd_seq is None:
            yield (
                "tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq",
                "bdSeq of the NDEATH is no Int64 from 0 to 255 in long_value",
            )
        elif node is None or node.bd_seq is None:
            return
        elif bd_seq == node.bd_seq:
            node.alive = False
        elif not node.alive:
            # The death of a session that was never born: its bdSeq is used up all the same.
            node.last_bd_seq = bd_seq
        elif bd_seq not in node.past and bd_seq != (node.bd_seq - 1) % 256:
            # An old session's Will may come late; one of the future is not the one of this birth.
            yield (
                "tck-id-payloads-ndeath-bdseq",
                f"bdSeq {bd_seq} in the NDEATH, {node.bd_seq} in the NBIRTH",
            )


def _odd_topic(text: str) -> Iterable[Broken]:
    """What is wrong with a topic that is none of an edge node or device."""
    levels = text.split("/")
    if levels[0] == _OLD_NAMESPACE:
        yield "tck-id-topic-structure-namespace-a", f"{_OLD_NAMESPACE} is of Sparkplug A"
    if levels[0] != NAMESPACE or levels[1:2] == ["STATE"]:
        return
    verb = Verb.__members__.get(levels[2]) if len(levels) > 2 else None
    if verb is not None and verb.of_device and len(levels) == 4:
        yield (
            "tck-id-topic-structure-namespace-device-id-associated-message-types",
            f"{verb} without a device id",
        )
    elif verb is not None and not verb.of_device and len(levels) == 5:
        yield (
            "tck-id-topic-structure-namespace-device-id-non-associated-message-types",
            f"{verb} with a device id",
        )
    else:
        yield "tck-id-topic-structure", "not namespace/group/verb/node or .../node/device"


def _ids(topic: Topic) -> Iterable[Broken]:
    for level, tck_id in _ID_IDS.items():
        text = getattr(topic, level)
        fault = None if text is None else id_fault(text)
        if fault is not None:
            yield tck_id, f"{level} id {text!r}: {fault}"


def _delivery(verb: Verb, packet: Packet) -> Iterable[Broken]:
    """QoS and retain; a subscriber sees the QoS only if it subscribed with QoS 1 or more."""
    retain_id, qos_id = _DELIVERY[verb]
    if packet.retain:
        yield retain_id, "retained"
    if packet.qos and qos_id:
        yield qos_id, f"QoS {packet.qos}, 0 is due"


def _unborn(verb: Verb) -> Broken:
    tck_id = {
        Verb.NDATA: "tck-id-payloads-ndata-order",
        Verb.DDATA: "tck-id-payloads-ddata-order",
        Verb.DBIRTH: "tck-id-message-flow-device-birth-publish-nbirth-wait",
        Verb.DDEATH: "tck-id-principles-birth-certificates-order",
    }[verb]
    return tck_id, f"{verb} of a node that is not born"


def _sequence(node: _Node, seq: int) -> Iterable[Broken]:
    expected, node.next_seq = node.next_seq, (seq + 1) % 256
    if seq != expected:
        yield "tck-id-payloads-sequence-num-incrementing", f"seq {seq}, {expected} is due"


def _of_device(node: _Node, topic: Topic, payload: Any, now_ms: int) -> Iterable[Broken]:
    """A message of a node that is born, other than its birth and death."""
    device = topic.device
    if topic.verb is Verb.DBIRTH:
        assert device is not None
        node.gone.discard(device)
        node.expected.discard(device)
        if device in node.births:
            yield (
                "tck-id-topic-structure-namespace-unique-device-id",
                "DBIRTH of a device that is born already: DDEATH first",
            )
        yield from judge_birth(node.births, device, payload, topic.verb, now_ms + _CLOCK_MS)
        yield from _composed(node, payload, topic.verb)
        return
    if topic.verb is Verb.DDEATH:
        assert device is not None
        node.births.pop(device, None)
        node.expected.discard(device)
        node.gone.add(device)
        return
    waiting = node.expected - {device}
    node.expected = set()
    if not payload.metrics:
        yield _EMPTY[topic.verb], f"{topic.verb} without metrics"
    birth = node.births.get(device)
    if birth is None:
        state = "dead" if device in node.gone else "not born"
        yield "tck-id-payloads-ddata-order", f"DDATA of a device that is {state}"
        return
    if waiting:
        yield "tck-id-payloads-dbirth-order", f"{topic.verb} before the DBIRTH of {min(waiting)}"
    yield from judge_values(birth, payload, topic.verb, now_ms + _CLOCK_MS)
    yield from _composed(node, payload, topic.verb)


def _composed(node: _Node, payload: Any, verb: Verb) -> Iterable[Broken]:
    """The DataSets and Templates of a message."""
    kinds = [metric.WhichOneof("value") for metric in payload.metrics]
    if "dataset_value" not in kinds and "template_value" not in kinds:
        return
    referred = {
        as_text(metric.template_value.template_ref)
        for metric, kind in zip(payload.metrics, kinds, strict=True)
        if kind == "template_value" and not metric.template_value.is_definition
    }
    for metric, kind in zip(payload.metrics, kinds, strict=True):
        name = as_text(metric.name) or f"alias {metric.alias}"
        if kind == "dataset_value":
            yield from judge_dataset(metric.dataset_value, name)
        elif kind == "template_value":
            template = metric.template_value
            yield from judge_template(template, name, verb, node.definitions, referred)


def _rebirth_metric(metric: Any) -> Iterable[Broken]:
    if metric is None:
        yield (
            "tck-id-operational-behavior-data-commands-rebirth-name",
            f"the NBIRTH has no {REBIRTH}",
        )
        return
    if metric.HasField("alias"):
        yield (
            "tck-id-operational-behavior-data-commands-rebirth-name-aliases",
            f"{REBIRTH} has alias {metric.alias}",
        )
    if metric.HasField("datatype") and metric.datatype != _BOOLEAN:
        yield (
            "tck-id-operational-behavior-data-commands-rebirth-datatype",
            f"{REBIRTH} has datatype {metric.datatype}",
        )
    if metric.boolean_value:
        yield "tck-id-operational-behavior-data-commands-rebirth-value", f"{REBIRTH} is true"


def _bd_seq(metric: Any) -> int | None:
    """The number of a session, or None when it is no Int64 from 0 to 255."""
    if metric.datatype != _INT64 or metric.WhichOneof("value") != "long_value":
        return None
    return int(metric.long_value) if metric.long_value <= 255 else None


def _bd_seq_of_birth(node: _Node, before: _Node | None, metric: Any) -> Iterable[Broken]:
    if metric is None:
        yield "tck-id-payloads-nbirth-bdseq", "the NBIRTH has no bdSeq"
        return
    node.bd_seq = _bd_seq(metric)
    if node.bd_seq is None:
        yield (
            "tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
            "bdSeq is no Int64 from 0 to 255 in long_value",
        )
        return
    node.past.discard(node.bd_seq)
    node.last_bd_seq = node.bd_seq
    if before is None or before.bd_seq is None:
        return
    if before.alive:
        # A lost session is published dead by the broker before the next one can be born.
        if node.bd_seq != before.bd_seq:
            node.past.add(before.bd_seq)
            yield (
                "tck-id-operational-behavior-data-commands-rebirth-action-3",
                f"bdSeq {node.bd_seq}, and session {before.bd_seq} was not said to be dead",
            )
        return
    node.past.add(before.bd_seq)
    due = (before.last_bd_seq + 1) % 256 if before.last_bd_seq is not None else node.bd_seq
    if node.bd_seq != due:
        yield "tck-id-topics-nbirth-bdseq-increment", f"bdSeq {node.bd_seq}, {due} is due"
