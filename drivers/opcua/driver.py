"""The OPC UA driver as the rest of the gateway sees it: `OPCUA`.

asyncua is imported when a link is opened, not before: a plant is checked without it, half a
second faster.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel

from drivers.driver import Clock, Device, Driver, Endpoint, Link
from drivers.opcua.addresses import parse
from drivers.opcua.config import DeviceOptions, LinkOptions
from drivers.opcua.elements import Range, parse_element
from mappings.datatypes import wire_type
from mappings.errors import Fault
from mappings.tags import Tag

WIRE_TYPES = frozenset({
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float32", "float64", "string", "datetime", "bytes",
})  # fmt: skip
"""Kinds of what can be read; `drivers.opcua.variants.VARIANT_TYPES` has the OPC UA type of each."""

_ALL_TYPES = ", ".join(sorted(WIRE_TYPES - {"bytes"})) + ", bytes(n)"
_REMEDIES = {
    "string": "OPC UA strings carry their length and are UTF-8: write string",
    "float16": "OPC UA has no such type: write float32 or float64",
    "bcd16": "OPC UA has no such type: write uint16, or the type that the server shows",
    "bcd32": "OPC UA has no such type: write uint32, or the type that the server shows",
    "epoch_s": "OPC UA has a type of its own for times: write datetime, or uint32 for a number",
    "epoch_ms": "OPC UA has a type of its own for times: write datetime, or uint64 for a number",
}


class OpcUaDriver:
    """OPC UA over TCP, binary; values by subscription, or by polling."""

    name = "opcua"
    schemes = frozenset({"opc.tcp"})
    takes_login = True
    device_model: type[BaseModel] = DeviceOptions
    link_model: type[BaseModel] = LinkOptions

    def is_array(self, tag: Tag) -> bool:
        """Whether the element is a range: ``[0:9]``, or ``[:]`` for all of an array."""
        steps = parse_element(tag.element)
        return isinstance(steps, tuple) and bool(steps) and isinstance(steps[-1], Range)

    def may_be_array(self, tag: Tag) -> bool:  # noqa: ARG002
        """Always: a node id does not tell."""
        return True

    def is_writable(self, tag: Tag) -> bool:
        """Whole values, not parts of them."""
        return not tag.element

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:  # noqa: ARG002
        """Never: the session's keep-alive vouches for what does not change."""
        return 0

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        """See `mappings.plant.grammar.Grammar`."""
        assert isinstance(options, DeviceOptions)
        faults = []
        node = parse(tag.address, options.namespaces)
        if isinstance(node, Fault):
            faults.append(node)
        steps = parse_element(tag.element)
        if isinstance(steps, Fault):
            faults.append(steps)
        wire = wire_type(tag.wire_type)
        sized_string = wire is not None and wire.kind == "string" and wire.length
        if wire is None or wire.kind not in WIRE_TYPES or sized_string:
            kind = wire.kind if wire is not None else ""
            faults.append(
                Fault(
                    code="E426",
                    field="type",
                    seen=f"{tag.wire_type!r} is no type of OPC UA",
                    remedy=_REMEDIES.get(kind, f"types here: {_ALL_TYPES}"),
                )
            )
        if tag.order:
            faults.append(
                Fault(
                    code="E427",
                    field="order",
                    seen=f"order {tag.order!r}: OPC UA fixes the byte order",
                    remedy="leave the cell empty",
                )
            )
        return faults

    def check_device(self, device: Device) -> list[tuple[int, Fault]]:  # noqa: ARG002
        """Nothing: two rows with one address are one node, published twice."""
        return []

    def check_link(self, devices: Sequence[Device]) -> list[tuple[int, Fault]]:  # noqa: ARG002
        """Nothing: each device has a subscription of its own."""
        return []

    def open(self, endpoint: Endpoint, now_ms: Clock) -> AbstractAsyncContextManager[Link]:
        """See `drivers.driver.Driver`."""
        from drivers.opcua.link import OpcUaLink  # noqa: PLC0415  see above

        return OpcUaLink(endpoint, now_ms)


OPCUA: Driver = OpcUaDriver()
