"""Writing: one value into one node, of exactly the type that the node has.

The node is looked up anew, because indexes move, and its value is read first: a server that holds
another type than the row says was changed since the row was written, and nothing is converted on
its way to a machine. The value goes without times and status, which many servers refuse. Parts of
a value are not written: some servers ignore IndexRange and put the element in place of the array.
Source: OPC 10000-4, section 5.11.4.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from asyncua import ua

from drivers.driver import Device, DeviceRefusedError
from drivers.opcua.addresses import parse
from drivers.opcua.config import DeviceOptions
from drivers.opcua.nodes import find
from drivers.opcua.variants import VARIANT_TYPES, Typed, name_of, typed
from mappings.batch import Value
from mappings.datatypes import wire_type
from mappings.errors import Fault
from mappings.tags import Tag

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEDIES = {
    int(ua.StatusCodes.BadNotWritable): "the server lets nobody write this node: see its project",
    int(ua.StatusCodes.BadUserAccessDenied): "give the gateway's login the right to write it",
    int(ua.StatusCodes.BadWriteNotSupported): "the server writes whole values only",
    int(ua.StatusCodes.BadOutOfRange): "the server has a narrower range: set write_low, write_high",
}


async def write(
    session: Any, device: Device, point: int, value: Value, namespaces: Sequence[str]
) -> None:
    """Write a raw value; ``namespaces`` is the server's array as it is now.

    Raises `DeviceRefusedError` or what the session raises.
    """
    tag = device.tags[point]
    node = await _node(session, device, point, namespaces)
    held = await _held(session, node, tag)
    put = ua.WriteValue(
        NodeId=node,
        AttributeId=ua.AttributeIds.Value,
        Value=ua.DataValue(Value=_variant(tag, value, held), StatusCode=None),
    )
    [status] = await session.write(ua.WriteParameters(NodesToWrite=[put]))
    if not status.is_good():
        raise _refused(tag, status, "write")


async def read(session: Any, device: Device, point: int, namespaces: Sequence[str]) -> Any:
    """The DataValue of the node of a point, with its times."""
    node = await _node(session, device, point, namespaces)
    asked = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
    both = ua.TimestampsToReturn.Both
    [found] = await session.read(
        ua.ReadParameters(MaxAge=0, TimestampsToReturn=both, NodesToRead=[asked])
    )
    return found


async def _node(session: Any, device: Device, point: int, namespaces: Sequence[str]) -> Any:
    options, tag = device.options, device.tags[point]
    assert isinstance(options, DeviceOptions)
    address = parse(tag.address, options.namespaces)
    assert not isinstance(address, Fault)  # the plant reader refused it
    found, lost = await find(session, {point: address}, namespaces, device.name)
    if lost:
        raise _refused(tag, ua.StatusCode(lost[point]), "find")
    return found[point]


async def _held(session: Any, node: Any, tag: Tag) -> Typed:
    """What the node holds now, for its type."""
    asked = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
    neither = ua.TimestampsToReturn.Neither
    [found] = await session.read(
        ua.ReadParameters(MaxAge=0, TimestampsToReturn=neither, NodesToRead=[asked])
    )
    if found.StatusCode is not None and found.StatusCode.value in {
        int(ua.StatusCodes.BadNodeIdUnknown),
        int(ua.StatusCodes.BadUserAccessDenied),
    }:
        raise _refused(tag, found.StatusCode, "read")
    return typed(found.Value)


def _variant(tag: Tag, value: Value, held: Typed) -> Any:
    """The value in the node's own type, or `DeviceRefusedError`."""
    wire = wire_type(tag.wire_type)
    assert wire is not None
    kind = VARIANT_TYPES[wire.kind]
    taken = {kind}
    if wire.kind == "string":
        taken |= {ua.VariantType.LocalizedText, ua.VariantType.Guid}
    if held.kind is ua.VariantType.Null:  # it was never given a value
        return ua.Variant(_made(kind, value), kind)
    if held.kind not in taken or held.is_array:
        raise DeviceRefusedError(
            f"{tag.address} is {name_of(held)} on the server, the row says {tag.wire_type}",
            "was the PLC program changed? tagbridge browse shows the types",
        )
    return ua.Variant(_made(held.kind, value), held.kind)


def _made(kind: Any, value: Value) -> Any:
    if kind is ua.VariantType.LocalizedText:
        return ua.LocalizedText(str(value))
    if kind is ua.VariantType.Guid:
        try:
            return UUID(str(value))
        except ValueError:
            raise DeviceRefusedError(f"{value!r:.60} is no Guid, and the node is one") from None
    if kind is ua.VariantType.DateTime:
        assert isinstance(value, int)
        return (_EPOCH + timedelta(milliseconds=value)).replace(tzinfo=None)
    return value


def _refused(tag: Tag, status: Any, doing: str) -> DeviceRefusedError:
    remedy = _REMEDIES.get(int(status.value), "see the server's own log for the reason")
    return DeviceRefusedError(f"the server says {status.name}: {doing} {tag.address}", remedy)
