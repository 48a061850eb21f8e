"""The simulated OPC UA server, seen by a client of its own."""

import asyncio
import itertools

import pytest
from asyncua import Client, ua

from simulators.opcua import OpcUaSimulator
from tests.support.opcua import OTHER_URI, URI, definition, row
from tests.support.wait import until

ROWS = [
    row("Count", "int32", "line;i=5"),
    row("Force", "float64", 'line;s="Press"."Force"'),
    row("Name", "string", "types;g=09087e75-8e5e-499b-954f-f2a9603db28a"),
    row("Raw", "uint8", "types;b=AQID"),
    row("Again", "int32", "line;i=5"),
    row("Clock", "datetime", "i=2258"),
]  # fmt: skip


async def test_nodes_are_where_the_rows_say():
    async with (
        OpcUaSimulator([definition("Press", ROWS)]) as simulator,
        Client(simulator.endpoint) as client,
    ):
        line = await client.get_namespace_index(URI)
        types = await client.get_namespace_index(OTHER_URI)
        kinds = {
            f"ns={line};i=5": ua.VariantType.Int32,
            f'ns={line};s="Press"."Force"': ua.VariantType.Double,
            f"ns={types};g=09087e75-8e5e-499b-954f-f2a9603db28a": ua.VariantType.String,
        }
        for address, kind in kinds.items():
            read = await client.get_node(address).read_data_value()
            assert read.Value.VariantType == kind
            assert read.SourceTimestamp is not None
        raw = client.get_node(ua.ByteStringNodeId(b"\x01\x02\x03", types))
        assert (await raw.read_data_value()).Value.VariantType == ua.VariantType.Byte


async def test_everything_served_is_in_the_truth():
    device = definition("Press", ROWS[:2])
    async with OpcUaSimulator([device], seed=3) as simulator:
        async with Client(simulator.endpoint) as client:
            line = await client.get_namespace_index(URI)
            node = client.get_node(f'ns={line};s="Press"."Force"')
            for _ in range(5):
                read = await node.read_data_value()
                time_ms = round(read.SourceTimestamp.timestamp() * 1000)
                assert time_ms % 100 == 0 or simulator.served["Press", "Force"] == 1
                assert simulator.truth.was("Press", "Force", read.Value.Value, time_ms)
                assert not simulator.truth.was("Press", "Force", -1.0, time_ms)
                await asyncio.sleep(0.1)
        assert set(simulator.truth.tags()) == {("Press", "Count"), ("Press", "Force")}


async def test_counting_serves_every_number_once():
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with OpcUaSimulator([device], counting=True) as simulator:
        await until(lambda: simulator.served["Press", "Count"] > 20, what="20 numbers")
        stretches = simulator.truth.stretches("Press", "Count")
    numbers = [stretch.value for stretch in stretches]
    assert numbers == list(range(len(numbers)))
    times_ms = [stretch.from_ms for stretch in stretches[1:]]
    assert all(there - here == 20 for here, there in itertools.pairwise(times_ms))


async def test_one_seed_is_one_curve():
    device = definition("Press", ROWS[:2])
    async with OpcUaSimulator([device], seed=5, now_ms=lambda: 1_795_000_000_000) as one:
        first = dict(one.truth.last("Press"))
    async with OpcUaSimulator([device], seed=5, now_ms=lambda: 1_795_000_000_000) as two:
        assert dict(two.truth.last("Press")) == first


async def test_who_may_log_in():
    device = definition("Press", ROWS[:1])
    async with OpcUaSimulator([device], users={"gateway": "geheim"}) as simulator:
        for user, password in [(None, None), ("gateway", "falsch"), ("other", "geheim")]:
            client = Client(simulator.endpoint)
            if user:
                client.set_user(user)
                client.set_password(password)
            with pytest.raises(ua.UaStatusCodeError):
                await client.connect()
        client = Client(simulator.endpoint)
        client.set_user("gateway")
        client.set_password("geheim")
        async with client:
            assert URI in await client.get_namespace_array()


async def test_status_deletion_and_namespace_order():
    device = definition("Press", ROWS[:3])
    async with OpcUaSimulator([device]) as simulator:
        async with Client(simulator.endpoint) as client:
            node = client.get_node(f"ns={await client.get_namespace_index(URI)};i=5")
            await simulator.set_status("Press", "Count", 0x80050000)
            read = await node.read_data_value(raise_on_bad_status=False)
            assert read.StatusCode.value == 0x80050000
            await simulator.delete("Press", "Count")
            with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
                await node.read_data_value()
            await simulator.restore("Press", "Count")
            assert (await node.read_data_value()).StatusCode.is_good()
        await simulator.stop()
        await simulator.start([OTHER_URI, "urn:new", URI])
        async with Client(simulator.endpoint) as client:
            assert (await client.get_namespace_array())[-3:] == [OTHER_URI, "urn:new", URI]
