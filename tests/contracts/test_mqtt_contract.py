"""The MQTT driver keeps the driver contract, against the simulator at a real mosquitto."""

from collections.abc import AsyncIterator

import pytest

from drivers.contract import DriverContract
from drivers.mqtt.driver import MQTT
from mappings.batch import Value
from simulators.mqtt import MqttSimulator
from tests.support.broker import Mosquitto
from tests.support.forwarder import Forwarder
from tests.support.mqtt import definition, endpoint, row
from tests.support.wait import free_port

VALUES: dict[str, tuple[Value, Value]] = {
    "bool": (False, True), "int8": (-128, 127), "uint8": (0, 255), "int16": (-5, -32768),
    "uint16": (1480, 65535), "int32": (-1, 1 << 30), "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 62) + 1), "uint64": (1 << 40, (1 << 64) - 1),
    "float32": (1.5, -0.25), "float64": (0.1, -1e300), "string": ("", "Äpfel €"),
    "datetime": (0, 1_795_000_000_123),
}  # fmt: skip


class MqttHarness:
    def __init__(self, broker: Mosquitto, wire: Forwarder, simulator: MqttSimulator, devices):
        self.driver = MQTT
        self.endpoint = endpoint(f"mqtt://127.0.0.1:{wire.port}", devices, timeout="2s")
        self.nowhere = endpoint(f"mqtt://127.0.0.1:{free_port()}", devices)
        self._broker = broker
        self._wire = wire
        self._simulator = simulator
        self._turn = 0

    async def change(self):
        self._turn += 1
        held = {}
        for each in self.endpoint.devices:
            values = {tag.name: VALUES[tag.wire_type][self._turn % 2] for tag in each.tags}
            await self._simulator.hold(each.name, values)
            for point, tag in enumerate(each.tags):
                held[each.name, point] = values[tag.name]
        return held

    async def silence(self, device):
        await self._simulator.silence(device)

    async def wake(self, device):
        await self._simulator.wake(device)

    async def kill(self):
        await self._wire.refuse()
        await self._broker.kill()
        self._wire.cut()

    async def restore(self):
        await self._broker.start()
        await self._wire.admit()

    async def freeze(self):
        self._wire.freeze()


class TestMqttContract(DriverContract):
    @pytest.fixture
    async def harness(self, tmp_path) -> AsyncIterator[MqttHarness]:
        devices = (
            definition(
                "Camera",
                [row(word, word, f"result $.{word}") for word in VALUES],
                base="line/7",
                time={"at": "$.ts", "format": "unix-ms"},
                sequence="$.frame",
                alive={"topic": "status", "is": "online", "silence": "10s"},
            ),
            definition(
                "Hall",
                [row(word, word, f"{word} $.deep[1].{word}") for word in VALUES],
                base="hall",
                alive={"silence": "1s"},
            ),
        )
        async with (
            Mosquitto(tmp_path) as broker,
            Forwarder(broker.port) as wire,
            MqttSimulator(devices, port=broker.port, period_ms=300) as simulator,
        ):
            harness = MqttHarness(broker, wire, simulator, devices)
            await harness.change()
            yield harness
