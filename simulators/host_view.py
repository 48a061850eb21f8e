"""What a Sparkplug host knows: nodes, devices and metrics, learnt from births, DATA and deaths.

Pure: fed with packets, it neither connects nor looks at a clock. It decodes with the message
classes alone, so that a mistake of our encoder cannot hide in a decoder of ours; and it judges
each packet by the rules of the standard (`bridge.sparkplug.rules`).

Quality is what the node told last (192 GOOD, 0 BAD, 500 STALE); a metric of a node or device that
is offline is stale whatever it told.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bridge.sparkplug.messages import read_payload
from bridge.sparkplug.rules import Grader, Packet, Violation
from bridge.sparkplug.topics import BD_SEQ, QUALITY, Topic, Verb, parse
from simulators.host_values import HostValue, text_of, value_of

GOOD = 192
_UNIT = "engUnit"
_MAX_VIOLATIONS = 1_000
_MAX_TOPICS = 10_000
_RATE_WINDOW_MS = 5_000


class Sample(NamedTuple):
    """One value as it was received. ``device`` None: of the node itself."""

    group: str
    node: str
    device: str | None
    metric: str
    value: HostValue
    timestamp_ms: int
    quality: int
    historical: bool
    birth: bool
    received_ms: int


@dataclass(slots=True)
class MetricView:
    """A metric: what its birth said, and its last value that was not historical."""

    name: str
    datatype: int
    unit: str = ""
    value: HostValue = None
    quality: int = GOOD
    timestamp_ms: int = 0
    received_ms: int = 0
    live: int = 0  # values in DATA that were not historical
    historical: int = 0


@dataclass(slots=True)
class DeviceView:
    """A device, or the node's own metrics (``name`` None)."""

    name: str | None
    online: bool = False
    births: int = 0
    metrics: dict[str, MetricView] = field(default_factory=dict)
    by_alias: dict[int, MetricView] = field(default_factory=dict)
    received: deque[tuple[int, int]] = field(default_factory=deque)  # when, how many values

    def rate(self, now_ms: int) -> float:
        """Values per second over the last five seconds."""
        while self.received and self.received[0][0] <= now_ms - _RATE_WINDOW_MS:
            self.received.popleft()
        return sum(count for _, count in self.received) * 1_000 / _RATE_WINDOW_MS


@dataclass(slots=True)
class NodeView:
    """An edge node; ``devices[None]`` are its own metrics."""

    group: str
    name: str
    online: bool = False
    bd_seq: int | None = None
    births: int = 0
    deaths: int = 0
    heard_ms: int = 0
    undecoded: int = 0  # values of which no birth is known
    devices: dict[str | None, DeviceView] = field(default_factory=dict)


class HostView:
    """The host's picture of the plant.

    ``on_sample`` is called for each value of births and DATA that can be decoded. ``complete``:
    see `Grader`. ``wants_rebirth`` holds the (group, node) pairs whose births are missing;
    whoever asks for them takes them out.
    """

    def __init__(
        self, *, on_sample: Callable[[Sample], None] | None = None, complete: bool = False
    ) -> None:
        self.nodes: dict[tuple[str, str], NodeView] = {}
        self.violations: list[Violation] = []  # the first thousand
        self.violation_count = 0
        self.packets = 0
        self.values = 0
        self.historical = 0
        self.wants_rebirth: set[tuple[str, str]] = set()
        self._on_sample = on_sample
        self._grader = Grader(complete=complete)
        self._topics: dict[str, Topic | None] = {}
        self._unsure: set[tuple[str, str]] = set()

    def feed(self, packet: Packet) -> None:
        """Take in one packet."""
        payload = read_payload(packet.payload)
        for violation in self._grader.feed(packet, payload):
            self.violation_count += 1
            if len(self.violations) < _MAX_VIOLATIONS:
                self.violations.append(violation)
        topic = self._topic(packet.topic)
        if topic is None or payload is None or topic.verb in {Verb.NCMD, Verb.DCMD}:
            return
        self.packets += 1
        node = self._node(topic)
        node.heard_ms = packet.time_ms
        if topic.verb is Verb.NBIRTH:
            self._node_birth(node, payload)
            self._birth(node, None, payload, packet.time_ms)
        elif topic.verb is Verb.NDEATH:
            _node_death(node, payload)
        elif topic.verb is Verb.DBIRTH:
            self._birth(node, topic.device, payload, packet.time_ms)
        elif topic.verb is Verb.DDEATH:
            _device(node, topic.device).online = False
        else:
            self._data(node, topic.device, payload, packet.time_ms)

    def gap(self) -> None:
        """Packets may have been missed: keep decoding by the births known, but ask for new ones."""
        self._grader.gap()
        self._unsure.update(self.nodes)

    def metric(self, group: str, node: str, device: str | None, name: str) -> MetricView | None:
        """The metric of that name, if a birth told of it."""
        view = self.nodes.get((group, node))
        found = view.devices.get(device) if view is not None else None
        return found.metrics.get(name) if found is not None else None

    def _topic(self, text: str) -> Topic | None:
        try:
            return self._topics[text]
        except KeyError:
            if len(self._topics) >= _MAX_TOPICS:
                self._topics.clear()
            topic = self._topics[text] = parse(text)
            return topic

    def _node(self, topic: Topic) -> NodeView:
        key = (topic.group, topic.node)
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = NodeView(*key)
        return node

    def _node_birth(self, node: NodeView, payload: Any) -> None:
        key = (node.group, node.name)
        self.wants_rebirth.discard(key)
        self._unsure.discard(key)
        node.online = True
        node.births += 1
        node.bd_seq = next((m.long_value for m in payload.metrics if m.name == BD_SEQ), None)
        for device in node.devices.values():  # each is born again, or is gone
            device.online = False

    def _birth(self, node: NodeView, name: str | None, payload: Any, now_ms: int) -> None:
        if not node.online:
            self.wants_rebirth.add((node.group, node.name))
        device = _device(node, name)
        device.online = True
        device.births += 1
        before, device.metrics, device.by_alias = device.metrics, {}, {}
        for metric_name, metric in _members(payload.metrics):
            view = MetricView(metric_name, metric.datatype)
            if (old := before.get(view.name)) is not None:
                view.live, view.historical = old.live, old.historical
            device.metrics[view.name] = view
            if metric.HasField("alias"):
                device.by_alias[metric.alias] = view
            properties = dict(zip(metric.properties.keys, metric.properties.values, strict=False))
            if QUALITY in properties:
                view.quality = properties[QUALITY].int_value
            if _UNIT in properties:
                view.unit = text_of(properties[_UNIT].string_value)
            view.value = value_of(metric, metric.datatype)
            view.timestamp_ms, view.received_ms = metric.timestamp, now_ms
            if self._on_sample is not None:
                self._on_sample(
                    Sample(
                        node.group, node.name, name, view.name, view.value, metric.timestamp,
                        view.quality, historical=False, birth=True, received_ms=now_ms,
                    )
                )  # fmt: skip

    def _data(self, node: NodeView, name: str | None, payload: Any, now_ms: int) -> None:
        device = node.devices.get(name)
        key = (node.group, node.name)
        if device is None or not device.online or key in self._unsure:
            self.wants_rebirth.add(key)
        if device is None:
            node.undecoded += len(payload.metrics)
            return
        device.received.append((now_ms, len(payload.metrics)))
        by_alias, by_name, on_sample = device.by_alias, device.metrics, self._on_sample
        for called, metric in _members(payload.metrics):
            view = by_alias.get(metric.alias) if metric.HasField("alias") else by_name.get(called)
            if view is None:
                node.undecoded += 1
                self.wants_rebirth.add(key)
                continue
            value = value_of(metric, view.datatype)
            quality = view.quality
            if metric.HasField("properties"):
                for at, text in enumerate(metric.properties.keys):
                    if text == QUALITY:
                        quality = metric.properties.values[at].int_value
            self.values += 1
            if metric.is_historical:
                self.historical += 1
                view.historical += 1
            else:
                view.live += 1
                view.value, view.quality = value, quality
                view.timestamp_ms, view.received_ms = metric.timestamp, now_ms
            if on_sample is not None:
                on_sample(
                    Sample(
                        node.group, node.name, name, view.name, value, metric.timestamp,
                        quality, historical=metric.is_historical, birth=False, received_ms=now_ms,
                    )
                )  # fmt: skip


def _members(metrics: Iterable[Any], folder: str = "") -> Iterator[tuple[str, Any]]:
    """Metrics with their names; a Template's members by its name and theirs."""
    for metric in metrics:
        name = folder + text_of(metric.name)
        if metric.HasField("template_value"):
            if not metric.template_value.is_definition:
                yield from _members(metric.template_value.metrics, f"{name}/")
        else:
            yield name, metric


def _device(node: NodeView, name: str | None) -> DeviceView:
    device = node.devices.get(name)
    if device is None:
        device = node.devices[name] = DeviceView(name)
    return device


def _node_death(node: NodeView, payload: Any) -> None:
    """The death of the session that was born last, or of one of which nothing else is known."""
    told = next((m.long_value for m in payload.metrics if m.name == BD_SEQ), None)
    if node.bd_seq is not None and told != node.bd_seq:
        return  # an older session's Will that comes late
    if node.online:
        node.deaths += 1
    node.online = False
    for device in node.devices.values():
        device.online = False
