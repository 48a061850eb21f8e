"""Rows as nodes of the simulated OPC UA server: where they are, what they hold, in which type.

A `Place` is a node, a `Point` a row. Most places have one point; rows with an ``element`` share
the place whose value has all their parts (`simulators.opcua_values`). The types are written a
second time on purpose: the driver's must not vouch for themselves.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua

from drivers.opcua.addresses import NodeAddress, PathAddress
from drivers.opcua.elements import Range, parse_element
from mappings.batch import Value
from mappings.datatypes import element_of, wire_type
from mappings.tags import Metric, Tag
from simulators.opcua_values import Shape, Typed
from simulators.signals import counted, raw_of, signal_for

_TYPES = {
    "bool": ua.VariantType.Boolean,
    "int8": ua.VariantType.SByte,
    "uint8": ua.VariantType.Byte,
    "int16": ua.VariantType.Int16,
    "uint16": ua.VariantType.UInt16,
    "int32": ua.VariantType.Int32,
    "uint32": ua.VariantType.UInt32,
    "int64": ua.VariantType.Int64,
    "uint64": ua.VariantType.UInt64,
    "float32": ua.VariantType.Float,
    "float64": ua.VariantType.Double,
    "string": ua.VariantType.String,
    "datetime": ua.VariantType.DateTime,
    "bytes": ua.VariantType.ByteString,
}
_NODE_IDS = {
    "i": ua.NumericNodeId,
    "s": ua.StringNodeId,
    "g": ua.GuidNodeId,
    "b": ua.ByteStringNodeId,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENUM_MS = 5_000  # how long a state lasts
_SEVERAL = 4  # elements of an array whose row does not say how many
_APART_MS = 1_000  # elements of an array follow the same curve, so much later


def moment(t_ms: int) -> datetime:
    """Milliseconds since 1970 as OPC UA's DateTime."""
    return _EPOCH + timedelta(milliseconds=t_ms)


class Point:
    """One row: its value, moved by a signal unless it is ``held``."""

    def __init__(self, device: str, tag: Tag, metric: Metric, seed: int) -> None:
        self.device = device
        self.tag = tag
        self.value: Value = None
        self.held = False
        steps = parse_element(tag.element)
        assert isinstance(steps, tuple), steps
        self.steps = steps
        self._metric = metric
        wire = wire_type(tag.wire_type)
        assert wire is not None, tag.wire_type
        self._wire = wire
        self._signal = signal_for(
            seed, device, metric.name, element_of(metric.datatype), metric.low, metric.high
        )
        last = steps[-1] if steps else None
        self._size = _SEVERAL
        if isinstance(last, Range) and last.last is not None:
            self._size = last.last - last.first + 1

    @property
    def key(self) -> tuple[str, str]:
        """Device and tag."""
        return self.device, self.tag.name

    def move(self, t_ms: int, number: int | None) -> None:
        """Take the value of a time of the grid; ``number`` is the how-manieth when counting."""
        if self.held:
            return
        if self.tag.array:
            self.value = tuple(
                self._one(t_ms + place * _APART_MS, number)  # type: ignore[misc]  # no nested arrays
                for place in range(self._size)
            )
        else:
            self.value = self._one(t_ms, number)

    def take(self, value: Any) -> None:
        """Hold what a client has written."""
        is_time = self._wire.kind == "datetime"
        self.value = round(value.replace(tzinfo=UTC).timestamp() * 1000) if is_time else value
        self.held = True

    def typed(self) -> Typed:
        """The value in its OPC UA type."""
        value: Any = self.value
        if self._wire.kind == "datetime":
            value = [moment(ms) for ms in value] if self.tag.array else moment(value)
        return Typed(_TYPES[self._wire.kind], list(value) if self.tag.array else value)

    def _one(self, t_ms: int, number: int | None) -> Value:
        if self._wire.kind == "bytes":
            return (t_ms if number is None else number).to_bytes(8)[-self._wire.length :]
        if number is not None:
            return counted(number, self.tag.wire_type)
        if self._metric.enum and self._wire.kind != "string":
            codes = [code for code, _ in self._metric.enum]
            code = codes[t_ms // _ENUM_MS % len(codes)]
            return bool(code) if self._wire.kind == "bool" else code
        return raw_of(self._signal.at(t_ms), self.tag, self._metric)


class Place:
    """One node: ``node`` is its id in the running server, None where that lacks its namespace.

    ``there`` is False while the node is deleted; ``status`` is served beside its value.
    """

    def __init__(self, address: NodeAddress | PathAddress) -> None:
        self.address = address
        self.points: list[Point] = []
        self.node: Any = None
        self.shape: Shape | None = None
        self.status = 0
        self.there = True
        self.said: Any = None  # what the simulator has written last

    @property
    def writable(self) -> bool:
        """Whether clients may write it."""
        return self.points[0].tag.access != "r" and not self.composed

    def heed(self, server: Any) -> None:
        """Hold what a client has written since the simulator wrote last, if one has."""
        attribute = server.iserver.aspace[self.node].attributes[ua.AttributeIds.Value]
        if attribute.value is not self.said and attribute.value.Value.Value is not None:
            self.points[0].take(attribute.value.Value.Value)

    @property
    def uris(self) -> tuple[str, ...]:
        """The namespaces that it needs."""
        if isinstance(self.address, NodeAddress):
            return (self.address.namespace,)
        return tuple(dict.fromkeys(uri for uri, _ in self.address.steps))

    @property
    def composed(self) -> bool:
        """Whether its rows are parts of its value."""
        return bool(self.points[0].steps)

    @property
    def is_bad(self) -> bool:
        """Whether its status hides its value."""
        return bool(self.status & 0x8000_0000)

    def node_id(self, index: dict[str, int]) -> Any:
        """Its node id in a server whose namespaces have these indexes."""
        if isinstance(self.address, NodeAddress):
            return _NODE_IDS[self.address.kind](
                self.address.identifier, index[self.address.namespace]
            )
        uri, _ = self.address.steps[-1]
        name = "/".join(name for _, name in self.address.steps)
        return ua.StringNodeId(f"at {name}", index[uri])

    def variant(self) -> Any:
        """The value of its rows in its OPC UA type."""
        if self.shape is not None:
            kind, value = self.shape.value()
        else:
            kind, value = self.points[0].typed()
        return ua.Variant(value, kind, is_array=isinstance(value, list))
