"""The Modbus driver keeps the driver contract, against the simulator."""

from collections.abc import AsyncIterator

import pytest

from drivers.contract import DriverContract
from drivers.modbus.driver import MODBUS
from mappings.batch import Value
from simulators.modbus import ModbusSimulator
from tests.support.modbus import definition, device, endpoint, tag
from tests.support.wait import free_port

ROWS = (
    tag("Speed", "HR101", "uint16"),
    tag("Torque", "HR102", "int16"),
    tag("Power", "HR103", "float32"),
    tag("Energy", "HR201", "uint64", scan_ms=200),
    tag("Fault", "HR110.3", "bool"),
    tag("Level", "30001", "float64"),
    tag("Running", "C17", "bool"),
    tag("Door", "10001", "bool"),
)
VALUES: dict[str, tuple[Value, Value]] = {
    "Speed": (1480, 65535), "Torque": (-5, -32768), "Power": (1.5, -0.25),
    "Energy": (1 << 40, (1 << 64) - 1), "Fault": (False, True), "Level": (0.1, -1e300),
    "Running": (True, False), "Door": (False, True),
}  # fmt: skip


class ModbusHarness:
    def __init__(self, simulator: ModbusSimulator, devices) -> None:
        self.driver = MODBUS
        self.endpoint = endpoint(simulator.endpoint, devices)
        self.nowhere = endpoint(f"tcp://127.0.0.1:{free_port()}", devices)
        self._simulator = simulator
        self._turn = 0
        self._hold()

    def _hold(self) -> dict[tuple[str, int], Value]:
        held = {}
        for each in self.endpoint.devices:
            values = {name: pair[self._turn % 2] for name, pair in VALUES.items()}
            self._simulator.hold(each.name, values)
            for point, row in enumerate(each.tags):
                held[each.name, point] = values[row.name]
        return held

    async def change(self):
        self._turn += 1
        return self._hold()

    async def kill(self):
        await self._simulator.stop()

    async def restore(self):
        await self._simulator.start()

    async def freeze(self):
        self._simulator.freeze()

    async def silence(self, device):
        self._simulator.silence(device)

    async def wake(self, device):
        self._simulator.wake(device)


class TestModbusContract(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[ModbusHarness]:
        devices = (
            device("Pump", 1, ROWS),
            device("Fan", 2, ROWS, word_order="CDAB"),
            device("Mill", 255, ROWS, word_order="DCBA", max_registers=4),
        )
        async with ModbusSimulator([definition(d) for d in devices]) as simulator:
            yield ModbusHarness(simulator, devices)
