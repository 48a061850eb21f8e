"""The demo's broker does what the gateway needs of a broker."""

import asyncio
import logging
import socket

import pytest

from bridge.mqtt import Connection, ConnectionLost, Server, Will
from simulators.broker import EmbeddedBroker
from tests.bridge.mqtt.peers import Inbox
from tests.support.wait import until


async def connect(broker: EmbeddedBroker, name: str, inbox: Inbox, **more) -> Connection:
    options = {"will": None, "keep_alive_s": 10, "timeout_s": 5} | more
    return await Connection.open(
        Server(broker.host, broker.port), client_id=name, on_message=inbox, **options
    )


async def test_messages_of_both_qualities_reach_their_subscribers():
    inbox = Inbox()
    async with EmbeddedBroker() as broker, await connect(broker, "reader", inbox) as reader:
        await reader.subscribe([("a/#", 1), ("b/+", 0)])
        async with await connect(broker, "writer", Inbox()) as writer:
            writer.publish("a/x/y", b"one")
            writer.publish("b/x", b"two")
            await until(lambda: len(inbox) == 2, what="both messages")
    assert sorted(inbox) == [("a/x/y", b"one", False), ("b/x", b"two", False)]


async def test_a_fence_is_answered_and_the_echo_of_a_birth_comes_first():
    async with EmbeddedBroker() as broker:
        for round_number in range(30):
            inbox = Inbox()
            async with await connect(broker, "node", inbox) as node:
                await node.subscribe([("birth", 0)])
                for _ in range(20):
                    node.publish("birth", b"x" * 1000)
                await node.fence()
                assert len(inbox) == 20, f"echo after the fence in round {round_number}"


async def test_a_fence_proves_delivery():
    inbox = Inbox()
    async with EmbeddedBroker() as broker, await connect(broker, "reader", inbox) as reader:
        await reader.subscribe([("a", 0)])
        writer = await connect(broker, "writer", Inbox())
        for _ in range(500):
            writer.publish("a", b"x")
        await writer.fence()
        writer.abort()
        await until(lambda: len(inbox) == 500, what="all messages")


async def test_the_will_is_published_after_a_crash_and_not_after_a_disconnect():
    inbox = Inbox()
    async with EmbeddedBroker() as broker, await connect(broker, "witness", inbox) as witness:
        await witness.subscribe([("will", 1)])
        leaving = await connect(broker, "leaving", Inbox(), will=Will("will", b"left"))
        assert await leaving.disconnect(5)
        crashing = await connect(broker, "crashing", Inbox(), will=Will("will", b"crashed"))
        crashing.abort()
        await until(lambda: inbox, what="the will")
    assert inbox == [("will", b"crashed", False)]


async def test_it_ends_with_clients_connected_and_can_start_again_on_its_port():
    async with EmbeddedBroker() as broker:
        port = broker.port
        connection = await connect(broker, "n", Inbox())
    assert isinstance(await asyncio.wait_for(connection.closed(), 5), ConnectionLost)
    async with EmbeddedBroker(port=port) as broker, await connect(broker, "n", Inbox()) as again:
        await again.fence()


async def test_a_taken_port_is_an_os_error():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        await EmbeddedBroker(port=taken.getsockname()[1]).__aenter__()


async def test_it_says_nothing(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with EmbeddedBroker() as broker:
        socket.create_connection((broker.host, broker.port)).close()  # a port scan
        connection = await connect(broker, "n", Inbox())
        connection.abort()
        await asyncio.sleep(0.1)
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
