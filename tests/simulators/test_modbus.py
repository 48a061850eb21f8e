"""The Modbus simulator, asked by pymodbus's own client and decoder."""

import struct
from fractions import Fraction

import pytest
from pymodbus.client import AsyncModbusTcpClient

from drivers.modbus.addresses import Area
from drivers.modbus.config import DeviceOptions
from mappings.datatypes import DataType
from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Metric
from simulators.modbus import ModbusSimulator
from simulators.registers import registers_for, sent_order
from simulators.signals import signal_for
from tests.support.modbus import definition, device, tag
from tests.support.wait import until

ROWS = (
    tag("Level", "HR1", "int16"),
    tag("Power", "HR2", "float32"),
    tag("Fault", "HR4.3", "bool"),
    tag("Ready", "HR4.0", "bool"),
    tag("Total", "30001", "uint32"),
    tag("Running", "C17", "bool"),
    tag("Door", "C19", "bool"),
)
PUMP = device("Pump", 5, ROWS)


@pytest.fixture
async def asked():
    """A client for the simulator that a test has made."""
    clients = []

    async def ask(simulator):
        client = AsyncModbusTcpClient(
            simulator.host, port=simulator.port, retries=0, timeout=0.5, reconnect_delay=0
        )
        assert await client.connect()
        clients.append(client)
        return client

    yield ask
    for client in clients:
        client.close()


async def test_serves_held_values(asked):
    async with ModbusSimulator([definition(PUMP)]) as simulator:
        simulator.hold(
            "Pump", {"Level": -2, "Power": 1.5, "Fault": True, "Ready": False, "Total": 70000,
                     "Running": True, "Door": False},
        )  # fmt: skip
        client = await asked(simulator)
        holding = await client.read_holding_registers(0, count=4, device_id=5)
        assert holding.registers == [0xFFFE, 0x3FC0, 0x0000, 0b1000]
        inputs = await client.read_input_registers(0, count=2, device_id=5)
        assert inputs.registers == [1, 70000 - 65536]
        assert (await client.read_coils(16, count=1, device_id=5)).bits[0] is True
        assert (await client.read_coils(18, count=1, device_id=5)).bits[0] is False
        assert simulator.truth.last("Pump")["Level"] == -2


async def test_what_no_row_names_is_exception_2(asked):
    async with ModbusSimulator([definition(PUMP)]) as simulator:
        client = await asked(simulator)
        for answer in (
            await client.read_holding_registers(0, count=5, device_id=5),
            await client.read_input_registers(7, count=1, device_id=5),
            await client.read_coils(16, count=3, device_id=5),
            await client.read_discrete_inputs(0, count=1, device_id=5),
        ):
            assert answer.exception_code == 2


async def test_signals_are_served_through_the_scale_and_remembered(asked):
    row = tag("Temperature", "HR1", "int16")
    metric = Metric(
        id="Temperature", name="Temperature", datatype=DataType.DOUBLE, scale=Fraction(1, 10),
        low=0.0, high=90.0,
    )  # fmt: skip
    oven = DeviceDefinition(
        name="Oven", description="", options=DeviceOptions(unit=1), tags=(row,), metrics=(metric,)
    )
    now = [1_800_000_000_000]
    async with ModbusSimulator([oven], seed=3, step_ms=100, now_ms=lambda: now[0]) as simulator:
        client = await asked(simulator)
        for _ in range(50):
            now[0] += 7_770
            (word,) = (await client.read_holding_registers(0, count=1, device_id=1)).registers
            curve = signal_for(3, "Oven", "Temperature", DataType.DOUBLE, 0.0, 90.0)
            assert abs(word / 10 - curve.at(now[0] - now[0] % 100)) <= 0.051
            assert simulator.truth.was("Oven", "Temperature", word, now[0])
    assert len(simulator.truth.stretches("Oven", "Temperature")) > 10


async def test_counts_answers_of_each_row_exactly(asked):
    async with ModbusSimulator([definition(PUMP)], counting=True) as simulator:
        client = await asked(simulator)
        for number in (1, 2, 3):
            words = (await client.read_holding_registers(0, count=4, device_id=5)).registers
            assert words[0] == number
            assert struct.unpack(">f", struct.pack(">2H", *words[1:3])) == (float(number),)
        assert (await client.read_holding_registers(0, count=1, device_id=5)).registers == [4]
        simulator.refuse("Pump", Area.HOLDING, 3, 3, code=4)
        assert (await client.read_holding_registers(0, count=4, device_id=5)).exception_code == 4
        simulator.allow("Pump")
        # half a value is not counted as a read of it
        await client.read_holding_registers(0, count=2, device_id=5)
        words = (await client.read_holding_registers(0, count=4, device_id=5)).registers
        assert words[0] == 6
        assert struct.unpack(">f", struct.pack(">2H", *words[1:3])) == (4.0,)
        assert simulator.counting.served("Pump", "Level") == 6
        # coils one by one
        assert (await client.read_coils(16, count=1, device_id=5)).bits[0] is True
        assert (await client.read_coils(18, count=1, device_id=5)).bits[0] is True
        assert (await client.read_coils(16, count=1, device_id=5)).bits[0] is False


async def test_units_can_be_silent_and_wake(asked):
    fan = device("Fan", 6, ROWS)
    async with ModbusSimulator([definition(PUMP), definition(fan)]) as simulator:
        client = await asked(simulator)
        simulator.silence("Pump")
        with pytest.raises(Exception, match="No response"):
            await client.read_holding_registers(0, count=1, device_id=5)
        assert not (await client.read_holding_registers(0, count=1, device_id=6)).isError()
        with pytest.raises(Exception, match="No response"):  # nobody has this unit id
            await client.read_holding_registers(0, count=1, device_id=77)
        simulator.wake("Pump")
        assert not (await client.read_holding_registers(0, count=1, device_id=5)).isError()


async def test_stops_and_starts_at_the_same_port(asked):
    async with ModbusSimulator([definition(PUMP)]) as simulator:
        client, port = await asked(simulator), simulator.port
        await simulator.stop()
        await until(lambda: not client.connected, what="the client notices")
        with pytest.raises(AssertionError):
            await asked(simulator)
        await simulator.start()
        assert simulator.port == port
        client = await asked(simulator)
        assert not (await client.read_holding_registers(0, count=1, device_id=5)).isError()
        simulator.drop_connections()
        await until(lambda: not client.connected, what="the client notices")
        await asked(simulator)


async def test_a_taken_port_is_said():
    async with ModbusSimulator([definition(PUMP)]) as simulator:
        with pytest.raises(OSError, match="cannot listen"):
            await ModbusSimulator([definition(PUMP)], port=simulator.port).start()


def test_registers_by_hand():
    assert registers_for(-2, "int32", "ABCD") == [0xFFFF, 0xFFFE]
    assert registers_for(0x01020304, "uint32", "BADC") == [0x0201, 0x0403]
    assert registers_for(1.5, "float64", "HGFEDCBA") == [0, 0, 0, 0xF83F]
    assert registers_for(1.5, "float32", "ABCD") == [0x3FC0, 0]


@pytest.mark.parametrize(
    ("wire_type", "word_order", "order"),
    [
        ("int16", "DCBA", "AB"),
        ("int32", "CDAB", "CDAB"),
        ("int64", "ABCD", "ABCDEFGH"),
        ("int64", "CDAB", "GHEFCDAB"),
        ("int64", "BADC", "BADCFEHG"),
        ("float64", "DCBA", "HGFEDCBA"),
    ],
)
def test_orders(wire_type, word_order, order):
    assert sent_order(wire_type, "", word_order) == order
