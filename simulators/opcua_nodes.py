"""A row as a node of the simulated OPC UA server: where it is, what it holds, in which type.

The types are written a second time on purpose: the driver's must not vouch for themselves.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua

from drivers.opcua.addresses import NodeAddress
from mappings.batch import Value
from mappings.tags import Metric, Tag
from simulators.signals import Signal, counted, raw_of

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
}
_NODE_IDS = {
    "i": ua.NumericNodeId,
    "s": ua.StringNodeId,
    "g": ua.GuidNodeId,
    "b": ua.ByteStringNodeId,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(t_ms: int) -> datetime:
    """Milliseconds since 1970 as OPC UA's DateTime."""
    return _EPOCH + timedelta(milliseconds=t_ms)


class Point:
    """One tag on the server.

    ``node`` is its node id in the running server, None where the server lacks its namespace;
    ``there`` is False while the node is deleted. ``held`` values are moved by no signal.
    """

    def __init__(
        self, device: str, tag: Tag, metric: Metric, signal: Signal, address: NodeAddress
    ) -> None:
        self.device = device
        self.tag = tag
        self.uri = address.namespace
        self.node: Any = None
        self.value: Value = None
        self.status = 0
        self.there = True
        self.held = False
        self._metric = metric
        self._signal = signal
        self._address = address

    def node_id(self, namespace_index: int) -> Any:
        """Its node id in a server that has its namespace at this index."""
        return _NODE_IDS[self._address.kind](self._address.identifier, namespace_index)

    def sample(self, t_ms: int, number: int | None) -> Value:
        """The value at a time of the grid; ``number`` is the how-manieth when counting."""
        if number is not None:
            return counted(number, self.tag.wire_type)
        return raw_of(self._signal.at(t_ms), self.tag, self._metric)

    def variant(self) -> Any:
        """The value in its OPC UA type."""
        value: Any = self.value
        if self.tag.wire_type == "datetime":
            value = moment(int(value))
        return ua.Variant(value, _TYPES[self.tag.wire_type])
