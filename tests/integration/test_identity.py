"""Two programs with one identity: each backs off, says what it saw, and loses nothing."""

import asyncio
import time
from pathlib import Path

import paho.mqtt.client as paho

from bridge.sparkplug.messages import Payload
from simulators.plant import PlantSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.gateway import GatewayProcess


def publish(broker: Mosquitto, topic: str, payload: bytes) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish(topic, payload, qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


def connected(gateway: GatewayProcess) -> int:
    return sum(line["event"] == "connected" for line in gateway.lines())


async def test_births_of_somebody_else_make_a_node_step_back(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            await gateway.logged("born")
            payload = Payload(timestamp=time.time_ns() // 1_000_000 + 1_000, seq=0)
            payload.metrics.add(name="bdSeq", datatype=4, long_value=77)
            publish(broker, "spBv1.0/Test/NBIRTH/counter", payload.SerializeToString())
            line = await gateway.logged("not connected")
            assert line["reason"].startswith("somebody else publishes as this node")
            assert "edge_node" in line["remedy"]
            await asyncio.sleep(4)
            assert connected(gateway) == 1  # it waits for five to ten seconds
            await gateway.logged("born", bd_seq=1, timeout_s=20)
            assert await gateway.terminate() == 0


async def test_a_late_birth_is_only_a_sign(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            await gateway.logged("born")
            payload = Payload(timestamp=time.time_ns() // 1_000_000 - 60_000, seq=0)
            publish(broker, "spBv1.0/Test/NBIRTH/counter", payload.SerializeToString())
            await gateway.logged("a birth that is not ours")
            await asyncio.sleep(1)
            assert not [x for x in gateway.lines() if x["event"] == "not connected"]
            publish(broker, "spBv1.0/Test/NBIRTH/counter", payload.SerializeToString())
            await gateway.logged("not connected")


async def test_our_own_will_once_is_a_rebirth_and_twice_a_twin(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            line = await gateway.logged("born")
            will = Payload()
            will.metrics.add(name="bdSeq", datatype=4, long_value=line["bd_seq"])
            publish(broker, "spBv1.0/Test/NDEATH/counter", will.SerializeToString())
            await gateway.logged("own death heard while online: births are sent again")
            births = [x for x in gateway.lines() if x["event"] == "born"]
            async with asyncio.timeout(10):
                while len(births) < 2:
                    births = [x for x in gateway.lines() if x["event"] == "born"]
                    await asyncio.sleep(0.05)
            publish(broker, "spBv1.0/Test/NDEATH/counter", will.SerializeToString())
            line = await gateway.logged("not connected")
            assert "our death was published again" in line["reason"]
