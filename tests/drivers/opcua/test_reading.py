"""Rows against a real server: paths, elements, structures, arrays, polling, vouching."""

import struct
from dataclasses import replace

import pytest
from asyncua import Server, ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field

from drivers.driver import DeviceUp
from drivers.opcua import link as link_module
from drivers.opcua import nodes as nodes_module
from drivers.opcua import presence as presence_module
from drivers.opcua import subscription as subscription_module
from mappings.quality import BAD, GOOD
from mappings.tags import Tag
from simulators.opcua import OpcUaSimulator
from tests.support.opcua import OTHER_URI, URI, Log, definition, endpoint, following, row
from tests.support.wait import free_port, until

T = ua.VariantType
BAD_NO_MATCH = int(ua.StatusCodes.BadNoMatch)
BAD_TOO_MANY_MATCHES = int(ua.StatusCodes.BadTooManyMatches)


def part(name: str, wire_type: str, address: str, element: str, *, array: bool = False) -> Tag:
    return replace(row(name, wire_type, address), element=element, array=array)


async def up(log: Log, *devices: str) -> None:
    await until(lambda: log.end or set(devices) <= set(log.up), what=f"{devices} up", timeout_s=10)
    assert log.end is None, repr(log.end)


@pytest.fixture(params=["subscribe", "poll"])
def read(request) -> str:
    return request.param


@pytest.fixture
async def server():
    server = Server()
    await server.init()
    port = free_port()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    async with server:
        yield server


# --- paths ---


async def test_browse_paths_are_walked(read):
    rows = [
        row("Speed", "int32", "/line:Chiller/line:Speed"),
        row("Odd", "string", "/line:Chiller/types:In&/Out&:1"),
        row("Plain", "int32", "line;s=plain"),
    ]
    device = definition("Press", rows, read=read)
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", {"Speed": 7, "Odd": "x", "Plain": 9})
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            assert [log.last("Press", point)[0] for point in range(3)] == [7, "x", 9]


async def test_paths_follow_their_namespaces():
    device = definition(
        "Press", [row("A", "int32", "/line:A"), row("B", "int32", "/line:F/types:B")]
    )
    async with OpcUaSimulator([device]) as simulator:
        for order in ([URI, OTHER_URI], [OTHER_URI, "urn:tests:new", URI]):
            await simulator.stop()
            await simulator.start(order)
            await simulator.hold("Press", {"A": 1, "B": 2})
            async with following(endpoint(simulator.endpoint, [device])) as (log, _):
                await up(log, "Press")
                assert [log.last("Press", point)[0] for point in range(2)] == [1, 2]


async def test_a_path_that_leads_nowhere_or_to_several_is_bad_alone(server, read, monkeypatch):
    monkeypatch.setattr(link_module, "RETRY_REJECTED_S", 0.2)
    index = await server.register_namespace(URI)
    objects = server.get_objects_node()
    await objects.add_variable(index, "One", 1, T.Int32)
    for number in (1, 2):
        await objects.add_variable(ua.NodeId(f"two {number}", index), f"{index}:Two", 2, T.Int32)
    device = definition(
        "Press",
        [
            row("One", "int32", "/line:One"),
            row("Two", "int32", "/line:Two"),
            row("Late", "int32", "/line:Folder/line:Late"),
        ],
        read=read,
    )
    async with following(endpoint(server.endpoint.geturl(), [device])) as (log, _):
        await up(log, "Press")
        assert log.last("Press", 0)[:1] == (1,)
        assert log.last("Press", 1)[2:] == (BAD, BAD_TOO_MANY_MATCHES)
        assert log.last("Press", 2)[2:] == (BAD, BAD_NO_MATCH)
        folder = await objects.add_object(index, "Folder")
        await folder.add_variable(index, "Late", 3, T.Int32)
        await until(lambda: log.last("Press", 2)[0] == 3, what="the late one is found")
        assert log.end is None


async def test_a_node_by_two_ways_is_one_node(server):
    index = await server.register_namespace(URI)
    folder = await server.get_objects_node().add_object(index, "Folder")
    node = await folder.add_variable(index, "Speed", 5, T.Int32)
    await folder.add_reference(node, ua.ObjectIds.Organizes)
    device = definition("Press", [row("Speed", "int32", "/line:Folder/line:Speed")])
    async with following(endpoint(server.endpoint.geturl(), [device])) as (log, _):
        await up(log, "Press")
        assert log.last("Press", 0)[0] == 5


async def test_many_paths_go_in_blocks(monkeypatch):
    monkeypatch.setattr(nodes_module, "PER_CALL", 7)
    rows = [row(f"T{n}", "int32", f"/line:Line/line:T{n}") for n in range(40)]
    device = definition("Press", rows)
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", {f"T{n}": n for n in range(40)})
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            assert [log.last("Press", n)[0] for n in range(40)] == list(range(40))


# --- elements ---


async def test_parts_of_simulated_values(read):
    rows = [
        part("Third", "int16", "line;s=words", "[2]"),
        part("First two", "int16", "line;s=words", "[0:1]", array=True),
        part("Speed", "float32", "line;s=motor", ".Motor.Speed"),
        part("Name", "string", "line;s=motor", ".Name"),
        part("Axis 1", "float64", "line;s=axes", "[1].Position"),
        part("Axis 0", "bool", "line;s=axes", "[0].Homed"),
        part("Curve", "uint16", "line;s=motor", ".Curve[0:2]", array=True),
        row("Whole", "int32", "line;s=whole"),
    ]
    rows[-1] = replace(rows[-1], array=True)
    device = definition("Press", rows, read=read)
    held = {
        "Third": -3, "First two": (1, -2), "Speed": 1.5, "Name": "Ä", "Axis 1": 0.1,
        "Axis 0": True, "Curve": (7, 8, 9), "Whole": (1, 2, 3, 4, 5),
    }  # fmt: skip
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", held)
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            for point, (name, value) in enumerate(held.items()):
                assert log.last("Press", point)[0] == value, name
            await simulator.hold("Press", {"Speed": 2.5})
            await until(lambda: log.last("Press", 2)[0] == 2.5, what="a field changes")
            await simulator.set_status("Press", "Name", 0x80050000)
            await until(lambda: log.last("Press", 2)[3] == 0x80050000, what="both are bad")
            await until(lambda: log.last("Press", 3)[3] == 0x80050000, what="both are bad")


async def test_nested_types_enumerations_and_aliases_of_a_server(server):
    index = await server.register_namespace(URI)
    state = await new_enum(server, index, "State", ["Off", "On"])
    motor, (motor_encoding,) = await new_struct(
        server, index, "MotorType",
        [new_struct_field("State", state), new_struct_field("Since", ua.NodeId(294, 0))],
    )  # fmt: skip
    line, (encoding,) = await new_struct(
        server, index, "LineType",
        [new_struct_field("Motors", motor, array=True), new_struct_field("Any", T.Variant)],
    )  # fmt: skip
    assert motor_encoding
    ticks = (1_795_000_000_000 + 11_644_473_600_000) * 10_000  # 100 ns since 1601
    body = struct.pack("<iiqiq", 2, 0, ticks, 1, ticks) + b"\x04" + struct.pack("<h", -9)
    value = ua.ExtensionObject(TypeId=encoding.nodeid, Body=body)
    await server.get_objects_node().add_variable(
        ua.NodeId("Line", index), "Line", value, T.ExtensionObject, line.nodeid
    )
    rows = [
        part("State", "int32", "line;s=Line", ".Motors[1].State"),
        part("Since", "datetime", "line;s=Line", ".Motors[0].Since"),
        part("Any", "int16", "line;s=Line", ".Any"),
        part("None", "int16", "line;s=Line", ".Nothing"),
    ]
    device = definition("Press", rows)
    async with following(endpoint(server.endpoint.geturl(), [device])) as (log, _):
        await up(log, "Press")
        said = [log.last("Press", point)[0] for point in range(4)]
        assert said == [1, 1_795_000_000_000, -9, None]


async def test_a_type_that_is_not_described_is_bad_alone(server, monkeypatch):
    monkeypatch.setattr(link_module, "RETRY_REJECTED_S", 0.2)
    index = await server.register_namespace(URI)
    value = ua.ExtensionObject(TypeId=ua.NodeId(77, index), Body=b"\x01")
    objects = server.get_objects_node()
    await objects.add_variable(
        ua.NodeId("Odd", index), "Odd", value, T.ExtensionObject, ua.NodeId(78, index)
    )
    await objects.add_variable(ua.NodeId("Count", index), "Count", 4, T.Int32)
    rows = [part("Odd", "int16", "line;s=Odd", ".Field"), row("Count", "int32")]
    device = definition("Press", rows)
    async with following(endpoint(server.endpoint.geturl(), [device])) as (log, _):
        await up(log, "Press")
        value, _, quality, native = log.last("Press", 0)
        assert (value, quality) == (None, BAD)
        assert native
        assert log.last("Press", 1)[0] == 4


# --- which rows, and how ---


async def test_what_is_only_written_is_not_read(read):
    rows = [row("Count", "int32"), replace(row("Setpoint", "int32"), access="w")]
    device = definition("Press", rows, read=read)
    async with (
        OpcUaSimulator([device]) as simulator,
        following(endpoint(simulator.endpoint, [device])) as (log, _),
    ):
        await up(log, "Press")
        await until(lambda: len(log.values["Press", 0]) > 2, what="the other is read")
        assert ("Press", 1) not in log.values


async def test_polling_reads_each_scan_and_recovers():
    rows = [row("Fast", "int32", scan_ms=50), row("Slow", "int32", scan_ms=400)]
    device = definition("Press", rows, read="poll")
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", {"Fast": 1, "Slow": 2})
        async with following(endpoint(simulator.endpoint, [device])) as (log, link):
            await up(log, "Press")
            await until(lambda: len(log.values["Press", 1]) >= 3, what="three slow reads")
            fast, slow = (len(log.values["Press", point]) for point in (0, 1))
            assert fast > 3 * slow
            await simulator.delete("Press", "Slow")
            await until(lambda: log.last("Press", 1)[2] == BAD, what="gone")
            await simulator.restore("Press", "Slow")
            await until(lambda: log.last("Press", 1)[2] == GOOD, what="back")
            assert log.end is None
            assert link.overflows == 0
            await simulator.stop()
            assert "connection was lost" in (await log.ended(within_s=10)).seen


async def test_polled_and_subscribed_devices_share_a_session():
    one = definition("One", [row("A", "int32")], read="poll")
    two = definition("Two", [row("B", "int32")])
    async with (
        OpcUaSimulator([one, two]) as simulator,
        following(endpoint(simulator.endpoint, [one, two])) as (log, _),
    ):
        await up(log, "One", "Two")


async def test_the_server_vouches_for_what_does_not_change(monkeypatch):
    monkeypatch.setattr(subscription_module, "KEEP_ALIVE_MS", 200)
    monkeypatch.setattr(presence_module, "_VOUCHED_EVERY_MS", 300)
    rows = [row("Still", "int32"), row("Missing", "int32", "line;s=nowhere"), row("Too", "int32")]
    served = definition("Press", [rows[0], rows[2]])
    device = definition("Press", rows)
    async with OpcUaSimulator([served]) as simulator:
        await simulator.hold("Press", {"Still": 1, "Too": 2})
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await until(lambda: len(log.fresh) >= 3, what="vouched three times")
            assert {event.points for event in log.fresh} == {(0, 2)}
            assert len({id(event.points) for event in log.fresh}) == 1
            first = next(i for i, event in enumerate(log.events) if event in log.fresh)
            assert any(isinstance(event, DeviceUp) for event in log.events[:first])
            times = len(log.values["Press", 0])
            await until(lambda: len(log.fresh) >= 5, what="still vouched for")
            assert len(log.values["Press", 0]) == times
