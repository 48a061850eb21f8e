"""What the transport takes from aiomqtt and paho beyond their documented interface, held fast.

A new release of either must fail here, by name, and not in a plant. The list is in the README of
bridge/mqtt; a test compares the two.
"""

import ast
import asyncio
import re
import sys
from pathlib import Path

import aiomqtt
import paho.mqtt.client as paho
import pytest

from tests.bridge.mqtt.peers import Inbox, connect
from tests.support.broker import Mosquitto
from tests.support.wait import until

FOLDER = Path(__file__).parents[3] / "bridge" / "mqtt"


async def test_aiomqtt_keeps_its_paho_client_under_this_name():
    assert isinstance(aiomqtt.Client("127.0.0.1")._client, paho.Client)


async def test_paho_never_reconnects_by_itself():
    assert aiomqtt.Client("127.0.0.1")._client._reconnect_on_failure is False


async def test_paho_drops_a_qos_0_message_without_a_socket_and_says_so_in_rc_alone():
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    assert client.publish("a", b"x").rc == paho.MQTT_ERR_NO_CONN
    assert not client._out_packet


async def test_pahos_queue_counts_its_bytes_under_this_key(mosquitto: Mosquitto):
    async with await connect(mosquitto, "n") as connection:
        connection.publish("abc", b"x" * 100)
        assert [packet["to_process"] for packet in connection._paho._out_packet] == [107]
        assert connection.unsent_bytes == 107
        await connection.fence()
        await until(lambda: connection.unsent_bytes == 0, what="all acknowledged")


async def test_aiomqtt_keeps_the_cause_of_a_failed_connect_in_the_context():
    with pytest.raises(aiomqtt.MqttError) as caught:
        async with aiomqtt.Client("127.0.0.1", 1):
            pass
    assert isinstance(caught.value.__context__, OSError)


def test_every_underscore_of_the_libraries_that_is_used_is_listed_in_the_readme():
    used = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and re.match(r"_[^_]", node.attr)
                and not (
                    isinstance(node.value, ast.Name) and node.value.id in {"self", "connection"}
                )
            ):
                used.add(node.attr)
    listed = set(re.findall(r"`[\w.]*\.(_\w+)`", (FOLDER / "README.md").read_text()))
    assert used == listed


def test_the_same_on_uvloop(tmp_path: Path):
    import uvloop

    async def story() -> None:
        inbox = Inbox()
        async with Mosquitto(tmp_path) as broker:
            node = await connect(broker, "n", inbox, keep_alive_s=1)
            await node.subscribe([("echo", 0)])
            for _ in range(100):
                node.publish("echo", b"x" * 20_000)
                await node.fence()
            assert len(inbox) == 100
            await asyncio.sleep(2)
            assert await node.disconnect(2)
            node = await connect(broker, "n", keep_alive_s=1)
            broker.freeze()
            for _ in range(200):
                node.publish("a", b"x" * 50_000)
            reason = await asyncio.wait_for(node.closed(), 4)
            assert "silent" in reason.seen

    complaints: list[object] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, text: complaints.append(text))
        await story()

    if sys.version_info < (3, 12):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(watched())
    else:
        asyncio.run(watched(), loop_factory=uvloop.new_event_loop)
    assert complaints == []


async def test_a_publish_costs_microseconds(mosquitto: Mosquitto, record_property):
    """The hand-over takes 7.5 us on the reference machine; aiomqtt's own publish takes 38."""
    import time

    async with await connect(mosquitto, "n") as connection:
        best_us = 1e9
        for _ in range(10):
            started = time.perf_counter()
            for _ in range(500):
                connection.publish("spBv1.0/group/DDATA/node/device", b"x" * 200)
            best_us = min(best_us, (time.perf_counter() - started) / 500 * 1e6)
            await connection.fence()
    record_property("publish_us", round(best_us, 2))
    assert best_us < 100
