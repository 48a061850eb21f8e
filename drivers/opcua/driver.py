"""The OPC UA driver as the rest of the gateway sees it: `OPCUA`.

asyncua is imported when a link is opened, not before: a plant is checked without it, half a
second faster.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel

from drivers.driver import Clock, Device, Driver, Endpoint, Link
from drivers.opcua.addresses import NodeAddress, parse
from drivers.opcua.config import DeviceOptions, LinkOptions
from mappings.errors import Fault
from mappings.tags import Tag

WIRE_TYPES = frozenset({
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float32", "float64", "string", "datetime",
})  # fmt: skip
"""What can be read; `drivers.opcua.values.VARIANT_TYPES` has the OPC UA type of each."""


class OpcUaDriver:
    """OPC UA over TCP, binary; values by subscription."""

    name = "opcua"
    schemes = frozenset({"opc.tcp"})
    takes_login = True
    device_model: type[BaseModel] = DeviceOptions
    link_model: type[BaseModel] = LinkOptions

    def is_array(self, tag: Tag) -> bool:  # noqa: ARG002
        """Whether an element names several values."""
        return False

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:  # noqa: ARG002
        """Never: the session's keep-alive vouches for what does not change."""
        return 0

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        """See `mappings.plant.grammar.Grammar`."""
        assert isinstance(options, DeviceOptions)
        faults = []
        node = parse(tag.address, options.namespaces)
        if not isinstance(node, NodeAddress):
            faults.append(node)
        if tag.wire_type not in WIRE_TYPES:
            faults.append(
                Fault(
                    code="E426",
                    field="type",
                    seen=f"{tag.wire_type!r} is no type of OPC UA",
                    remedy=f"types here: {', '.join(sorted(WIRE_TYPES))}",
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
