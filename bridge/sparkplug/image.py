"""What an edge node has to say: metrics, aliases, encoders and the current values behind births.

One `NodeImage` for each destination, because aliases and what a host was last told belong to an
identity; the catalog behind it is shared. Device ``""`` is the node itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bridge.sparkplug.encoder import DeviceEncoder
from bridge.sparkplug.machines import (
    NEUTRAL,
    Definition,
    Instance,
    MachineEncoder,
    machines_of,
)
from bridge.sparkplug.payload import BirthMetric, BirthTemplate, encode_birth
from bridge.sparkplug.topics import (
    BD_SEQ,
    NATIVE_CODE,
    NEXT_SERVER,
    QUALITY,
    REASON,
    REBIRTH,
    Verb,
    build,
)
from mappings.batch import Batch, Value
from mappings.catalog import Catalog
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD, REASON_TEXTS
from mappings.tags import Metric

NODE = ""


class NodeImage:
    """The births and data encoders of one identity.

    ``metrics[device]`` are a device's metrics by point, ``aliases[device]`` their aliases, or
    None where the node does without. ``walks`` says that hosts may send the node to another server.
    With ``templates`` the machines of equipment templates are Sparkplug Templates, else folders.
    With ``null_if_bad`` a BAD metric is null, else it keeps its last value. Points that are not
    published have an index and nothing else.
    """

    def __init__(
        self,
        group: str,
        node: str,
        metrics: Mapping[str, Sequence[Metric]],
        aliases: Mapping[str, Sequence[int]] | None,
        catalog: Catalog,
        *,
        null_if_bad: bool = False,
        walks: bool = False,
        templates: bool = False,
    ) -> None:
        self._templates = templates
        self._definitions: list[Definition] = []
        self._instances: dict[str, list[Instance]] = {}
        self.group = group
        self.node = node
        self._catalog = catalog
        self._null_if_bad = null_if_bad
        self._controls = (REBIRTH, NEXT_SERVER) if walks else (REBIRTH,)
        self._metrics: Mapping[str, Sequence[Metric]] = {}
        self._aliases: Mapping[str, Sequence[int]] | None = None
        self._points: dict[str, dict[str | int, int]] = {}  # by name and by alias
        self.encoders: dict[str, DeviceEncoder] = {}
        self.data_topics: dict[str, str] = {}
        self.renew(metrics, aliases)

    def renew(
        self,
        metrics: Mapping[str, Sequence[Metric]],
        aliases: Mapping[str, Sequence[int]] | None,
    ) -> frozenset[str]:
        """Take over other metrics; the devices whose births tell something else than before.

        Among them those that are new, and those that are gone. Hosts know the others' metrics.
        """
        before, self._metrics, self._aliases = self._metrics, metrics, aliases
        self._points.clear()
        changed = {
            device
            for device in before.keys() | metrics.keys()
            if device not in before
            or device not in metrics
            or not tell_alike(before[device], metrics[device], templates=self._templates)
        }
        if self._templates:
            self._definitions, self._instances = machines_of(metrics)
        for device in changed:
            self.encoders.pop(device, None)
            self.data_topics.pop(device, None)
            if device in metrics:
                self.encoders[device] = self._encoder(
                    device, metrics[device], aliases[device] if aliases is not None else None
                )
                self.data_topics[device] = (
                    self.topic(Verb.DDATA, device) if device else self.topic(Verb.NDATA)
                )
        return frozenset(changed)

    def _encoder(
        self, device: str, metrics: Sequence[Metric], aliases: Sequence[int] | None
    ) -> DeviceEncoder:
        instances = self._instances.get(device)
        if not instances:
            return DeviceEncoder(metrics, aliases, null_if_bad=self._null_if_bad)
        return MachineEncoder(metrics, aliases, instances, null_if_bad=self._null_if_bad)

    @property
    def devices(self) -> list[str]:
        """All devices, without the node itself."""
        return [device for device in self._metrics if device != NODE]

    def point_of(self, device: str, name: str | None, alias: int | None) -> int | None:
        """The point of a device that a name or an alias means, as its birth told them.

        None if there is none, or if name and alias mean two.
        """
        if device not in self._metrics:
            return None
        points = self._points.get(device)
        if points is None:
            rows = [(p, m) for p, m in enumerate(self._metrics[device]) if m.published]
            points = self._points[device] = {metric.name: point for point, metric in rows}
            if self._aliases is not None:
                points |= {self._aliases[device][point]: point for point, _ in rows}
        found = {points.get(key) for key in (name, alias) if key is not None}
        return found.pop() if len(found) == 1 else None

    def topic(self, verb: Verb, device: str | None = None) -> str:
        """One of this node's topics."""
        return build(self.group, verb, self.node, device)

    def node_birth(self, bd_seq: int, *, timestamp_ms: int, seq: int) -> bytes:
        """The NBIRTH: bdSeq, what hosts may command, the node's own metrics.

        tck-id-topics-nbirth-bdseq-included, tck-id-topics-nbirth-rebirth-metric; no control
        has an alias (tck-id-operational-behavior-data-commands-rebirth-name-aliases).
        """
        session = BirthMetric(
            name=BD_SEQ, datatype=DataType.INT64, value=bd_seq, timestamp_ms=timestamp_ms
        )
        controls = [
            BirthMetric(
                name=name, datatype=DataType.BOOLEAN, value=False, timestamp_ms=timestamp_ms
            )
            for name in self._controls
        ]
        return encode_birth(
            [session, *controls, *self._defined(timestamp_ms), *self._born(NODE, timestamp_ms)],
            timestamp_ms=timestamp_ms,
            seq=seq,
        )

    def device_birth(
        self, device: str, *, timestamp_ms: int, seq: int, as_bad: bool = False
    ) -> bytes:
        """A DBIRTH with the current values; ``as_bad`` tells them all as BAD: a device that is
        down and only born so that its backlog can be sent.
        """
        return encode_birth(
            self._born(device, timestamp_ms, as_bad=as_bad), timestamp_ms=timestamp_ms, seq=seq
        )

    def _defined(self, timestamp_ms: int) -> Iterable[BirthTemplate]:
        """The definitions of all Templates (tck-id-topics-nbirth-templates)."""
        for definition in self._definitions:
            yield BirthTemplate(
                name=definition.name,
                timestamp_ms=timestamp_ms,
                members=tuple(
                    BirthMetric(name=name, datatype=kind, value=None, timestamp_ms=timestamp_ms)
                    for name, kind in definition.members
                ),
                parameters=tuple(
                    (name, kind, NEUTRAL[kind]) for name, kind in definition.parameters
                ),
            )

    def _born(
        self, device: str, timestamp_ms: int, *, as_bad: bool = False
    ) -> Iterable[BirthMetric | BirthTemplate]:
        now = self._catalog.devices[device]
        size = len(now.qualities)
        qualities = [BAD] * size if as_bad else now.qualities
        told = {
            point: (now.natives[point], now.reasons[point])
            for point in now.not_plain
            if not as_bad and (now.natives[point] or now.reasons[point])
        }
        self.encoders[device].born(range(size) if as_bad else now.not_plain, told)
        aliases = self._aliases[device] if self._aliases is not None else None
        metrics = self._metrics[device]

        def born(point: int, name: str, alias: int | None) -> BirthMetric:
            return BirthMetric(
                name=name,
                alias=alias,
                datatype=metrics[point].datatype,
                value=self._born_value(now.values[point], qualities[point]),
                timestamp_ms=now.times_ms[point] or timestamp_ms,
                properties=_properties(metrics[point], qualities[point], *told.get(point, ())),
            )

        instances = self._instances.get(device, ())
        inside = {point for instance in instances for point in instance.points}
        flat = [
            born(point, metric.name, aliases[point] if aliases is not None else None)
            for point, metric in enumerate(metrics)
            if metric.published and point not in inside
        ]
        return [*flat, *(self._instance(instance, metrics, born) for instance in instances)]

    def _instance(
        self,
        instance: Instance,
        metrics: Sequence[Metric],
        born: Callable[[int, str, int | None], BirthMetric],
    ) -> BirthTemplate:
        members = tuple(
            born(point, part.member, None)
            for point in instance.points
            if (part := metrics[point].part) is not None
        )
        return BirthTemplate(
            name=instance.name,
            timestamp_ms=max(member.timestamp_ms for member in members),
            members=members,
            parameters=instance.parameters,
            definition=instance.definition,
        )

    def _born_value(self, value: Value, quality: int) -> Value:
        return None if self._null_if_bad and quality == BAD else value

    def present(self, device: str, points: Iterable[int]) -> Batch:
        """The current values of some points of a device."""
        now = self._catalog.devices[device]
        chosen = tuple(sorted(points))
        return Batch(
            device,
            chosen,
            [now.values[p] for p in chosen],
            [now.times_ms[p] for p in chosen],
            [now.qualities[p] for p in chosen],
            [now.natives[p] for p in chosen],
            reasons=[now.reasons[p] for p in chosen],
        )


def tell_alike(
    before: Sequence[Metric], after: Sequence[Metric], *, templates: bool = False
) -> bool:
    """Whether births with these metrics tell the same besides values, point for point."""
    return len(before) == len(after) and all(
        old == new or _told(old, templates=templates) == _told(new, templates=templates)
        for old, new in zip(before, after, strict=True)
    )


def _told(metric: Metric, *, templates: bool) -> object:
    if not metric.published:
        return (metric.id, metric.datatype)  # its place among the points, and nothing else
    part = metric.part if templates else None
    return (metric.id, metric.name, metric.datatype, part, _properties(metric, GOOD))


def _properties(
    metric: Metric, quality: int, native: int = 0, reason: int = 0
) -> dict[str, tuple[DataType, Value]]:
    """The properties of a metric in its birth; engUnit, engLow, engHigh, Documentation and readOnly
    are the names that hosts in the field read. Quality always, because some hosts take from DATA
    only what the birth had.
    """
    properties: dict[str, tuple[DataType, Value]] = {QUALITY: (DataType.INT32, quality)}
    if native or reason:
        properties[NATIVE_CODE] = (DataType.INT64, native)
        properties[REASON] = (DataType.STRING, REASON_TEXTS.get(reason, ""))
    if not metric.writable:
        properties["readOnly"] = (DataType.BOOLEAN, True)
    if metric.enum:
        states = "|".join(f"{code}={text}" for code, text in metric.enum)
        properties["States"] = (DataType.STRING, states)
    for key, text in (
        ("engUnit", metric.unit.text),
        ("unitUcum", metric.unit.ucum),
        ("unitCode", metric.unit.code),
    ):
        if text:
            properties[key] = (DataType.STRING, text)
    if metric.low is not None:
        properties["engLow"] = (DataType.DOUBLE, metric.low)
    if metric.high is not None:
        properties["engHigh"] = (DataType.DOUBLE, metric.high)
    if metric.description:
        properties["Documentation"] = (DataType.STRING, metric.description)
    for key, text in metric.properties.items():
        properties[key] = (DataType.STRING, text)
    return properties
