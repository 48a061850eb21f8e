"""A node that is there for one host: it waits for it, leaves with it, and looks for it elsewhere.

STATE is published as a host does, retained and with QoS 1; every register counts its reads, so that
what is lost while the host is away can be told.
"""

import json
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from bridge.sparkplug.messages import Payload
from bridge.sparkplug.topics import Verb, parse
from simulators.plant import PlantSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.counting import assert_no_violation, delivered, read_so_far
from tests.support.gateway import GatewayProcess
from tests.support.wait import until

SHARED = "tck-id-topics-nbirth-bdseq-increment"
"""Of one server alone: all servers of a node share one count."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def say(broker: Mosquitto, payload: bytes, *, topic: str = "spBv1.0/STATE/hmi") -> None:
    """Publish as a host does; returns when the broker has it."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=True).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


def state(online: bool, timestamp: int | None = None) -> bytes:
    return json.dumps({"online": online, "timestamp": timestamp or now_ms()}).encode()


def plant(folder: Path, *brokers: Mosquitto, **options: str) -> Path:
    path = plants.counting_plant(folder, brokers[0].port, devices=2)
    servers = ", ".join(f'"{broker.url}"' for broker in brokers)
    keys = ", ".join(f"{key}: {value}" for key, value in options.items())
    text = path.read_text()
    path.write_text(
        text.replace(f'"{brokers[0].url}"', servers).replace(
            "sparkplug: {}", f"sparkplug: {{primary_host: hmi{', ' + keys if keys else ''}}}"
        )
    )
    return path


def verbs(capture: Capture) -> list[str]:
    topics = [parse(packet.topic) for packet in list(capture.packets)]
    return [topic.verb.value for topic in topics if topic is not None]


def last(capture: Capture) -> str:
    said = [verb for verb in verbs(capture) if verb in {"NBIRTH", "NDEATH"}]
    return said[-1] if said else ""


def bd_seqs(capture: Capture, verb: Verb) -> list[int]:
    return [
        next(m.long_value for m in Payload.FromString(packet.payload).metrics if m.name == "bdSeq")
        for packet in list(capture.packets)
        if (topic := parse(packet.topic)) is not None and topic.verb is verb
    ]


async def test_a_node_waits_for_its_host_and_leaves_with_it(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plant(tmp_path, broker)
        async with (
            PlantSimulator(plants.read(path), counting=True) as simulator,
            Capture("127.0.0.1", broker.port, filters=("spBv1.0/Test/#",)) as capture,
            GatewayProcess(path) as gateway,
        ):
            told = await gateway.logged("not connected")
            assert told["reason"].startswith("primary host 'hmi' is not online")
            await gateway.logged("device up")
            for junk in (b"", b"ONLINE", b'{"online": 1, "timestamp": 5}', b"\xff"):
                say(broker, junk)
            say(broker, state(True), topic="spBv1.0/STATE/other")
            say(broker, b"ONLINE", topic="STATE/hmi")
            await until(lambda: len(read_so_far(simulator)) == 6, what="reads")
            reads = read_so_far(simulator)
            await until(
                lambda: all(read_so_far(simulator)[key] > reads[key] + 20 for key in reads),
                what="reads that nobody may hear of",
            )
            assert capture.packets == []
            born_ms = now_ms()
            say(broker, state(True, born_ms))
            await until(lambda: verbs(capture).count("DBIRTH") == 2, what="births")
            assert last(capture) == "NBIRTH"
            say(broker, state(False, born_ms - 1))  # the will of an older connection
            await until(lambda: verbs(capture).count("DDATA") > 30, what="data all the same")
            assert "NDEATH" not in verbs(capture)
            say(broker, state(False, born_ms))
            await until(lambda: last(capture) == "NDEATH", what="NDEATH")
            assert verbs(capture)[-3:] == ["DDEATH", "DDEATH", "NDEATH"]
            await gateway.logged("left", why="primary host 'hmi' is offline")
            quiet = len(capture.packets)
            reads = read_so_far(simulator)
            await until(
                lambda: all(read_so_far(simulator)[key] > reads[key] + 20 for key in reads),
                what="reads while the host is away",
            )
            assert len(capture.packets) == quiet
            say(broker, state(True))
            await until(lambda: last(capture) == "NBIRTH", what="births again")
            assert bd_seqs(capture, Verb.NBIRTH) == [0, 1]
            assert bd_seqs(capture, Verb.NDEATH) == [0]
            reads = read_so_far(simulator)
            await until(lambda: delivered(capture, reads), what="every number", timeout_s=20)
            assert await gateway.terminate() == 0
            assert_no_violation(capture)


async def test_a_node_that_waits_ends_without_a_word(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plant(tmp_path, broker)
        async with (
            Capture("127.0.0.1", broker.port, filters=("spBv1.0/Test/#",)) as capture,
            GatewayProcess(path) as gateway,
        ):
            await gateway.logged("connected")
            assert await gateway.terminate(timeout_s=5) == 0
            assert capture.packets == []


async def test_a_node_looks_for_its_host_at_the_next_server(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as first, Mosquitto(tmp_path) as second:
        path = plant(tmp_path, first, second, server_dwell="1s")
        async with (
            PlantSimulator(plants.read(path), counting=True) as simulator,
            Capture("127.0.0.1", first.port, filters=("spBv1.0/Test/#",)) as at_first,
            Capture("127.0.0.1", second.port, filters=("spBv1.0/Test/#",)) as at_second,
            GatewayProcess(path),
        ):
            say(second, state(True))
            await until(lambda: last(at_second) == "NBIRTH", what="births at the second")
            assert at_first.packets == []
            say(first, state(True))
            say(second, state(False))
            await until(lambda: last(at_second) == "NDEATH", what="death at the second")
            await until(lambda: last(at_first) == "NBIRTH", what="births at the first")
            await until(lambda: verbs(at_first).count("DDATA") > 30, what="data at the first")
            assert last(at_second) == "NDEATH", "at one server at a time"
            born = bd_seqs(at_second, Verb.NBIRTH) + bd_seqs(at_first, Verb.NBIRTH)
            assert born == sorted(set(born)), "one bdSeq for each CONNECT, of all servers"
            say(first, state(False))
            say(second, state(True))
            await until(lambda: last(at_second) == "NBIRTH", what="births at the second again")
            reads = read_so_far(simulator)
            everything = Capture("127.0.0.1", second.port)
            everything.packets = sorted(
                [*at_first.packets, *at_second.packets], key=lambda packet: packet.time_ms
            )

            def there() -> bool:
                everything.packets = sorted(
                    [*at_first.packets, *at_second.packets], key=lambda packet: packet.time_ms
                )
                return delivered(everything, reads)

            await until(there, what="every number at one of them", timeout_s=20)
            assert_no_violation(at_first, but=SHARED)
            assert_no_violation(at_second, but=SHARED)


async def test_a_host_sends_a_node_to_the_next_server(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as first, Mosquitto(tmp_path) as second:
        path = plant(tmp_path, first, second)
        say(first, state(True))
        say(second, state(True))
        command = Payload()
        metric = command.metrics.add()
        metric.name, metric.datatype = "Node Control/Next Server", 11
        metric.boolean_value = True
        async with (
            PlantSimulator(plants.read(path), counting=True),
            Capture("127.0.0.1", first.port, filters=("spBv1.0/Test/#",)) as at_first,
            Capture("127.0.0.1", second.port, filters=("spBv1.0/Test/#",)) as at_second,
            GatewayProcess(path) as gateway,
        ):
            await until(lambda: verbs(at_first).count("DDATA") > 5, what="data at the first")
            at_first.publish("spBv1.0/Test/NCMD/counter", command.SerializeToString())
            await until(lambda: verbs(at_second).count("DDATA") > 5, what="data at the second")
            assert last(at_first) == "NDEATH"
            await gateway.logged("left", why="a host sends it to the next server")


@pytest.mark.parametrize("chosen", [False, True])
async def test_a_host_of_2_2_is_heard_by_choice(tmp_path: Path, chosen: bool) -> None:
    async with Mosquitto(tmp_path) as broker:
        options = {"host_state": "2.2-and-3.0"} if chosen else {}
        path = plant(tmp_path, broker, **options)
        say(broker, b"ONLINE", topic="STATE/hmi")
        async with (
            PlantSimulator(plants.read(path), counting=True),
            Capture("127.0.0.1", broker.port, filters=("spBv1.0/Test/#",)) as capture,
            GatewayProcess(path) as gateway,
        ):
            if chosen:
                await until(lambda: last(capture) == "NBIRTH", what="births")
                say(broker, b"OFFLINE", topic="STATE/hmi")
                await until(lambda: last(capture) == "NDEATH", what="death")
            else:
                await gateway.logged("not connected")
                await gateway.logged("device up")
                assert capture.packets == []
