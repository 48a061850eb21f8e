"""The OPC UA driver keeps the driver contract, against the simulator.

Devices of one OPC UA server share its session, and fall silent together.
"""

from collections.abc import AsyncIterator

import pytest

from drivers.contract import OneServerContract
from drivers.opcua.driver import OPCUA
from mappings.batch import Value
from simulators.opcua import OpcUaSimulator
from tests.support.forwarder import Forwarder
from tests.support.opcua import definition, endpoint, row
from tests.support.wait import free_port

VALUES: dict[str, tuple[Value, Value]] = {
    "bool": (False, True), "int8": (-128, 127), "uint8": (0, 255), "int16": (-5, -32768),
    "uint16": (1480, 65535), "int32": (-1, 1 << 30), "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), 1), "uint64": (1 << 40, (1 << 64) - 1), "float32": (1.5, -0.25),
    "float64": (0.1, -1e300), "string": ("", "Äpfel €"), "datetime": (0, 1_795_000_000_123),
}  # fmt: skip


class OpcUaHarness:
    def __init__(self, simulator: OpcUaSimulator, wire: Forwarder, devices) -> None:
        self.driver = OPCUA
        self.endpoint = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", devices, timeout_ms=2_000)
        self.nowhere = endpoint(f"opc.tcp://127.0.0.1:{free_port()}", devices)
        self._simulator = simulator
        self._wire = wire
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

    async def kill(self):
        await self._wire.refuse()
        await self._simulator.stop()
        self._wire.cut()

    async def restore(self):
        await self._simulator.start()
        await self._wire.admit()

    async def freeze(self):
        self._wire.freeze()


class TestOpcUaContract(OneServerContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[OpcUaHarness]:
        devices = (
            definition("Press", [row(word, word) for word in VALUES]),
            definition(
                "Oven",
                [row(word, word, f"nsu=urn:tests:types;s=oven {word}") for word in VALUES],
                publish_interval=200,
            ),
        )
        async with OpcUaSimulator(devices) as simulator, Forwarder(simulator.port) as wire:
            harness = OpcUaHarness(simulator, wire, devices)
            await harness.change()
            yield harness
