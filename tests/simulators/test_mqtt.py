"""Simulated MQTT sources, asked with the protocol library itself."""

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path

import aiomqtt
import pytest

from mappings.plant.definitions import LinkDefinition, Plant
from simulators.mqtt import MqttSimulator
from simulators.plant import PlantSimulator
from tests.support.broker import Mosquitto
from tests.support.mqtt import definition, row
from tests.support.wait import free_port, until

CAMERA = definition(
    "Camera",
    [
        row("Defect", "bool", "result $.defect"),
        row("Class", "string", "result $.boxes[1].class"),
        row("Total", "uint32", "result $.counts.total"),
        row("Uptime", "uint32", "stats/uptime"),
        row("Raw", "bytes(4)", "raw"),
    ],
    base="line/7",
    topics={"stats/#": {"format": "text"}, "raw": {"format": "bytes"}},
    time={"at": "$.meta.ts", "format": "iso8601"},
    sequence="$.frame",
    retained="ignore",
    alive={"topic": "status", "is": "online"},
)


class Ear:
    """Everything published at a broker: the last payload of each topic, and how many came."""

    def __init__(self, port: int) -> None:
        self.last: dict[str, bytes] = {}
        self.retained: set[str] = set()
        self.count: dict[str, int] = {}
        self._port = port

    async def __aenter__(self):
        self._ready = asyncio.Event()
        self._task = asyncio.create_task(self._listen())
        await asyncio.wait_for(self._ready.wait(), 5)
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        async with aiomqtt.Client("127.0.0.1", self._port) as client:
            await client.subscribe("#", qos=1)
            self._ready.set()
            async for message in client.messages:
                topic = str(message.topic)
                self.last[topic] = bytes(message.payload)
                self.count[topic] = self.count.get(topic, 0) + 1
                if message.retain:
                    self.retained.add(topic)

    def document(self, topic: str):
        return json.loads(self.last[topic])


async def test_documents_are_put_together_from_the_selectors(mosquitto: Mosquitto):
    async with (
        Ear(mosquitto.port) as ear,
        MqttSimulator([CAMERA], port=mosquitto.port, period_ms=60_000) as simulator,
    ):
        values = {"Defect": True, "Class": "Kratzer", "Total": 7, "Uptime": 12, "Raw": b"\0\1\2\3"}
        began = time.time()
        await simulator.hold("Camera", values)
        await until(lambda: ear.last.get("line/7/raw") == b"\0\1\2\3", what="all topics")
        document = ear.document("line/7/result")
        assert document["defect"] is True
        assert document["boxes"] == [None, {"class": "Kratzer"}]
        assert document["counts"] == {"total": 7}
        assert abs(datetime.fromisoformat(document["meta"]["ts"]).timestamp() - began) < 5
        assert ear.last["line/7/stats/uptime"] == b"12"
        assert ear.last["line/7/status"] == b"online"
        frame = document["frame"]
        await simulator.publish("Camera")
        await until(lambda: ear.document("line/7/result")["frame"] == frame + 1, what="the next")
        assert simulator.truth.last("Camera") == values


async def test_only_what_sources_retain_is_retained(mosquitto: Mosquitto):
    hall = definition("Hall", [row("T", "float64", "t $.v")], base="hall")
    async with MqttSimulator([CAMERA, hall], port=mosquitto.port) as simulator:
        await simulator.publish("Camera")
        await simulator.publish("Hall")
        await simulator.silence("Camera")
        async with Ear(mosquitto.port) as ear:
            await until(lambda: len(ear.retained) == 2, what="what is retained")
            assert ear.retained == {"hall/t", "line/7/status"}
            assert ear.last["line/7/status"] == b"offline"


async def test_it_speaks_by_itself_once_in_a_period_and_counts(mosquitto: Mosquitto):
    async with (
        Ear(mosquitto.port) as ear,
        MqttSimulator([CAMERA], port=mosquitto.port, counting=True, period_ms=50),
    ):
        await until(lambda: ear.count.get("line/7/result", 0) >= 5, what="five periods")
        document = ear.document("line/7/result")
        assert document["counts"]["total"] == document["frame"]


async def test_a_silenced_device_says_nothing_more_until_woken(mosquitto: Mosquitto):
    async with (
        Ear(mosquitto.port) as ear,
        MqttSimulator([CAMERA], port=mosquitto.port, period_ms=50) as simulator,
    ):
        await until(lambda: "line/7/raw" in ear.last, what="it speaks")
        await simulator.silence("Camera")
        await until(lambda: ear.last["line/7/status"] == b"offline", what="it is gone")
        count = ear.count["line/7/result"]
        await simulator.hold("Camera", {"Total": 99})
        await asyncio.sleep(0.3)
        assert ear.count["line/7/result"] <= count + 1  # one may have been on its way
        await simulator.wake("Camera")
        await until(lambda: ear.document("line/7/result")["counts"]["total"] == 99, what="awake")
        assert ear.last["line/7/status"] == b"online"


async def test_it_comes_back_after_its_broker_did(tmp_path: Path):
    async with (
        Mosquitto(tmp_path) as broker,
        MqttSimulator([CAMERA], port=broker.port, period_ms=50),
    ):
        await broker.kill()
        await broker.start()
        async with Ear(broker.port) as ear:
            await until(lambda: "line/7/raw" in ear.last, what="it speaks again")


async def test_where_nobody_listens_it_brings_a_broker():
    for port in (0, free_port()):
        async with MqttSimulator([CAMERA], port=port, period_ms=100) as simulator:
            assert port in {0, simulator.port}
            assert simulator.endpoint == f"mqtt://127.0.0.1:{simulator.port}"
            async with Ear(simulator.port) as ear:
                await until(lambda: "line/7/raw" in ear.last, what="it speaks")


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
async def test_a_plants_sources_are_served_on_this_machine(scheme: str, plant_of):
    plant: Plant = plant_of(f"{scheme}://broker.line3.example")
    async with PlantSimulator(plant) as simulator, Ear(simulator.simulators["line"].port) as ear:
        assert simulator.places["line"].startswith("mqtt://127.0.0.1:")
        await until(lambda: "line/7/result" in ear.last, what="it speaks")


@pytest.fixture
def plant_of():
    from drivers.mqtt.config import LinkOptions
    from mappings.plant.definitions import OutboxDefinition

    def make(url: str) -> Plant:
        link = LinkDefinition(
            name="line", driver="mqtt", endpoint=url, options=LinkOptions(), devices=(CAMERA,)
        )
        return Plant(
            file="plant.yaml",
            destinations=(),
            outbox=OutboxDefinition(folder="x", max_size=1),
            links=(link,),
        )

    return make
