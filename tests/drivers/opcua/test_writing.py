"""Values that are written into a real server: in the node's own type, nothing is converted."""

import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from asyncua import Server, ua

from drivers.driver import DeviceRefusedError, UnansweredError, WritableLink
from drivers.opcua.driver import OPCUA
from tests.support.opcua import URI, definition, endpoint, following, row
from tests.support.wait import free_port, until

T = ua.VariantType
GUID = "09087e75-8e5e-499b-954f-f2a9603db28a"
NODES = {
    "Flag": (False, T.Boolean), "Byte": (1, T.Byte), "Small": (1, T.SByte), "Short": (1, T.Int16),
    "Word": (1, T.UInt16), "Int": (1, T.Int32), "Long": (1, T.UInt64), "Float": (1.0, T.Float),
    "Double": (1.0, T.Double), "Text": ("a", T.String), "Shown": (ua.LocalizedText("a"), None),
    "Id": (uuid.UUID(int=0), T.Guid), "Since": (datetime(2026, 1, 1, tzinfo=UTC), T.DateTime),
    "Curve": ([1, 2, 3], T.Int16), "Locked": (5, T.Int16), "Raw": (b"abc", T.ByteString),
}  # fmt: skip
WRITTEN = [
    ("Flag", "bool", True), ("Byte", "uint8", 255), ("Small", "int8", -128),
    ("Short", "int16", -32768), ("Word", "uint16", 65535), ("Int", "int32", -(2**31)),
    ("Long", "uint64", 2**64 - 1), ("Float", "float32", 0.5), ("Double", "float64", 0.1),
    ("Text", "string", "höher"), ("Shown", "string", "höher"), ("Id", "string", GUID),
    ("Since", "datetime", 1_795_000_000_123),
]  # fmt: skip


@asynccontextmanager
async def press(rows, read="subscribe"):
    """A server with `NODES`, and a link that reads ``rows`` of them."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(URI)
    nodes = {}
    for name, (value, kind) in NODES.items():
        node = await server.get_objects_node().add_variable(
            ua.NodeId(name, index), name, value, kind
        )
        if name != "Locked":
            await node.set_writable()
        nodes[name] = node
    async with server:
        device = definition("Press", rows, read=read, time="gateway")
        target = endpoint(server.endpoint.geturl(), [device], timeout_ms=500)
        async with following(target) as (log, link):
            await until(lambda: log.end or log.up, what="up", timeout_s=10)
            assert isinstance(link, WritableLink)
            yield nodes, log, link, server


@pytest.mark.parametrize("read", ["subscribe", "poll"])
async def test_each_type_is_written_as_the_node_has_it(read) -> None:
    rows = [row(name, kind) for name, kind, _ in WRITTEN]
    async with press(rows, read) as (nodes, log, link, _):
        for point, (name, _, value) in enumerate(WRITTEN):
            before = (await nodes[name].read_data_value()).Value.VariantType
            await link.write("Press", point, value)
            held = (await nodes[name].read_data_value()).Value
            assert held.VariantType is before
            back = await link.read("Press", point)
            assert (back.points, [*back.values]) == ((point,), [value])
            await until(lambda p=point, v=value: log.last("Press", p)[0] == v, what=name)


async def test_what_is_only_written_has_no_item() -> None:
    only = replace(row("Word", "uint16"), access="w")
    async with press([row("Int", "int32"), only]) as (nodes, log, link, _):
        await link.write("Press", 1, 7)
        assert await nodes["Word"].read_value() == 7
        assert ("Press", 1) not in log.values


@pytest.mark.parametrize(
    ("tag", "value", "seen"),
    [
        (row("Int", "int16"), 1, "line;s=Int is Int32 on the server, the row says int16"),
        (row("Curve", "int16"), 1, "line;s=Curve is array of Int16 on the server"),
        (row("Locked", "int16"), 1, "BadNotWritable|BadUserAccessDenied"),
        (row("Nobody", "int16"), 1, "BadNodeIdUnknown"),
        (row("Id", "string"), "no guid", "is no Guid"),
    ],
)
async def test_what_the_node_does_not_take_is_refused(tag, value, seen) -> None:
    async with press([row("Flag", "bool"), tag]) as (nodes, _, link, _):
        held = await nodes["Curve"].read_value(), await nodes["Int"].read_value()
        with pytest.raises(DeviceRefusedError, match=seen) as refused:
            await link.write("Press", 1, value)
        assert refused.value.remedy or "Guid" in refused.value.seen
        assert (await nodes["Curve"].read_value(), await nodes["Int"].read_value()) == held


async def test_a_server_that_is_gone_has_not_answered() -> None:
    async with press([row("Int", "int32")]) as (_, _, link, server):
        await server.stop()
        with pytest.raises(UnansweredError):
            await link.write("Press", 0, 1)


def test_parts_of_a_value_are_not_written() -> None:
    assert OPCUA.is_writable(row("A", "int16"))
    for part in (".Speed", "[3]", "[0:3]", "[0,1]"):
        assert not OPCUA.is_writable(replace(row("A", "int16"), element=part))
