"""Values that are written: what the unit holds afterwards, by which function, and what is said.

The units are pymodbus's own server over TCP, and a scripted peer on lines; the registers expected
are made by the simulators' code, which shares nothing with the driver's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import listen, wall_clock_ms
from drivers.driver import DeviceRefusedError, UnansweredError, WritableLink
from drivers.heard import Heard
from drivers.modbus.addresses import Area
from drivers.modbus.config import LinkOptions, SerialOptions
from drivers.modbus.connection import GarbledError, NoAnswerError, Request
from drivers.modbus.driver import MODBUS, connection_to
from drivers.modbus.orders import known, order_in, orders
from drivers.modbus.readers import reader
from drivers.modbus.writing import encoded
from mappings.quality import BAD
from simulators.modbus import ModbusSimulator
from simulators.registers import registers_for, sent_order
from tests.support.modbus import definition, device, endpoint, tag
from tests.support.serial_gateway import crc
from tests.support.serial_peer import SerialPeer

ROWS = [
    tag("On", "C1", "bool", scan_ms=50),
    tag("Word", "HR1", "int16", scan_ms=50),
    tag("Wide", "HR2", "float32", scan_ms=50),
    tag("Long", "HR4", "uint64", scan_ms=50),
    tag("Bit", "HR8.3", "bool", scan_ms=50),
    tag("Whole", "HR8", "uint16", scan_ms=50),
    tag("Only written", "HR9", "uint16", access="w"),
    tag("Far", "input:5", "uint16", scan_ms=50),
]
ON, WORD, WIDE, LONG, BIT, WHOLE, ONLY, _ = range(len(ROWS))


@asynccontextmanager
async def pump(**options) -> AsyncIterator[tuple[ModbusSimulator, WritableLink, Heard]]:
    """A unit that is polled, and the link to it."""
    unit = device("Pump", 1, ROWS, word_order="CDAB", **options)
    async with ModbusSimulator([definition(unit)]) as simulator:
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            assert isinstance(link, WritableLink)
            events = link.events()
            await listen(events, heard, lambda: bool(heard.up), 5)
            following = asyncio.ensure_future(follow(events, heard))
            yield simulator, link, heard
            following.cancel()
            await asyncio.wait([following])


async def follow(events, heard) -> None:
    async for event in events:
        heard.take(event)


def words(value, kind):
    return tuple(registers_for(value, kind, sent_order(kind, "", "CDAB")))


@pytest.mark.parametrize(
    ("point", "value", "done"),
    [
        (ON, True, (5, 0, (1,))),
        (ON, False, (5, 0, (0,))),
        (WORD, -2, (6, 0, (0xFFFE,))),
        (WIDE, 12.5, (16, 1, words(12.5, "float32"))),
        (LONG, 2**63 + 5, (16, 3, words(2**63 + 5, "uint64"))),
        (ONLY, 7, (6, 8, (7,))),
    ],
)
async def test_a_value_is_written_by_its_function_and_read_back(point, value, done) -> None:
    async with pump() as (simulator, link, heard):
        await link.write("Pump", point, value)
        assert simulator.writes("Pump").done == [done]
        back = await link.read("Pump", point)
        assert (back.device, back.points, *back.values) == ("Pump", (point,), value)
        if point != ONLY:
            await link.write("Pump", point, value)
            async with asyncio.timeout(5):
                while heard.values["Pump", point] != value:
                    await asyncio.sleep(0.01)
        assert len(simulator.writes("Pump").done) == (1 if point == ONLY else 2)


@pytest.mark.parametrize("way", ["mask", "read-modify-write"])
async def test_a_bit_leaves_its_neighbours_alone(way) -> None:
    async with pump(bit_writes=way) as (simulator, link, _):
        await link.write("Pump", WHOLE, 0xA5A5)
        await link.write("Pump", BIT, True)
        assert [*(await link.read("Pump", WHOLE)).values] == [0xA5AD]
        await link.write("Pump", BIT, False)
        assert [*(await link.read("Pump", WHOLE)).values] == [0xA5A5]
        codes = [code for code, _, _ in simulator.writes("Pump").done]
        assert codes == ([6, 22, 22] if way == "mask" else [6, 6, 6])


async def test_a_bit_may_be_refused_by_choice() -> None:
    async with pump(bit_writes="refuse") as (simulator, link, _):
        with pytest.raises(DeviceRefusedError, match="bit_writes is refuse"):
            await link.write("Pump", BIT, True)
        assert simulator.writes("Pump").done == []


async def test_units_that_know_one_function_only_get_the_other() -> None:
    async with pump() as (simulator, link, _):
        simulator.writes("Pump").unknown |= {5, 6, 22}
        await link.write("Pump", ON, True)
        await link.write("Pump", WORD, 300)
        assert simulator.writes("Pump").done == [(15, 0, (1,)), (16, 0, (300,))]
        with pytest.raises(DeviceRefusedError) as refused:
            await link.write("Pump", BIT, True)
        assert "read-modify-write" in refused.value.remedy


async def test_what_a_unit_refuses_is_said_and_the_polls_go_on() -> None:
    async with pump() as (simulator, link, heard):
        simulator.writes("Pump").refusal = 4
        with pytest.raises(DeviceRefusedError, match="exception 4"):
            await link.write("Pump", WORD, 1)
        simulator.refuse("Pump", Area.HOLDING, 0, 0)
        back = await link.read("Pump", WORD)
        assert (back.qualities, back.natives) == ([BAD], [2])
        assert heard.up == {"Pump"}


async def test_a_write_that_is_not_acknowledged_is_unknown_and_not_sent_again() -> None:
    async with pump() as (simulator, link, _):
        simulator.writes("Pump").silent = True
        with pytest.raises(UnansweredError, match="did not answer"):
            await link.write("Pump", WORD, 77)
        assert simulator.writes("Pump").done == [(6, 0, (77,))]
        assert [*(await link.read("Pump", WORD)).values] == [77]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("bcd16", 10_000), ("bcd16", -1), ("int16", 40_000), ("float32", 1e39), ("float16", 1e6),
     ("string(4)", "fünfzig"), ("string(4)", "€uro"), ("bytes(2)", b"abc")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(kind, value) -> None:
    with pytest.raises(DeviceRefusedError, match="does not fit"):
        encoded(known(kind), value, orders(known(kind))[0])


NUMBERS = {
    "int16": st.integers(-(2**15), 2**15 - 1), "uint16": st.integers(0, 2**16 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1), "uint32": st.integers(0, 2**32 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1), "uint64": st.integers(0, 2**64 - 1),
    "float32": st.floats(width=32, allow_nan=False), "float64": st.floats(allow_nan=False),
}  # fmt: skip
OTHERS = {
    "int8": st.integers(-128, 127), "uint8": st.integers(0, 255), "bcd16": st.integers(0, 9999),
    "bcd32": st.integers(0, 99_999_999), "epoch_s": st.integers(0, 2**32 - 1),
    "epoch_ms": st.integers(0, 2**64 - 1), "float16": st.floats(width=16, allow_nan=False),
    "string(7,cp1252)": st.text("abcäöü€ß0", max_size=7), "bytes(5)": st.binary(max_size=5),
}  # fmt: skip


@given(st.data())
def test_numbers_lie_as_the_simulators_lay_them(data) -> None:
    kind = data.draw(st.sampled_from([*NUMBERS]))
    value, pattern = data.draw(NUMBERS[kind]), data.draw(st.sampled_from(["ABCD", "CDAB", "BADC"]))
    laid = registers_for(value, kind, sent_order(kind, "", pattern))
    wire = known(kind)
    sent = encoded(wire, value, order_in(wire, "", pattern))
    assert sent == b"".join(word.to_bytes(2, "big") for word in laid)


@given(st.data())
def test_every_type_is_read_as_it_was_written(data) -> None:
    kind = data.draw(st.sampled_from([*NUMBERS, *OTHERS]))
    value, wire = data.draw((NUMBERS | OTHERS)[kind]), known(kind)
    order = data.draw(st.sampled_from(orders(wire) or ("",)))
    read = reader(wire, 0, order)(encoded(wire, value, order))
    if isinstance(value, bytes):
        read = read[: len(value)]
    assert read == value


# --- lines ----------------------------------------------------------------------------------------


@asynccontextmanager
async def line(behaviour, *, stream: bool):
    """A line to a scripted peer."""
    async with SerialPeer(behaviour, stream=stream) as peer:
        options = LinkOptions(
            timeout="100ms",  # type: ignore[arg-type]
            serial=SerialOptions(baud=115_200, format="8N1"),
        )
        opened, _ = connection_to(peer.url, options)
        await opened.open()
        try:
            yield opened, peer
        finally:
            opened.close()


def acknowledging(frame: bytes, right: bytes, send) -> None:
    send(frame if frame[1] == 6 else right)


WRITE = Request(1, 6, 5, 1, data=b"\x00\x07")
READ = Request(1, 3, 5, 2)
LINES = [False, True]


@pytest.mark.parametrize("stream", LINES)
async def test_a_line_takes_the_echo_of_a_write(stream) -> None:
    async with line(acknowledging, stream=stream) as (opened, peer):
        await opened.write(WRITE)
        body = bytes([1, 6, 0, 5, 0, 7])
        assert peer.requests == [body + crc(body)]


@pytest.mark.parametrize("stream", LINES)
async def test_an_adapter_that_repeats_does_not_acknowledge(stream) -> None:
    """What is sent comes back from the adapter; the unit itself stays silent."""

    def repeating(frame: bytes, right: bytes, send) -> None:
        send(frame if frame[1] == 6 else frame + right)

    async with line(repeating, stream=stream) as (opened, _):
        await opened.read(READ)
        with pytest.raises((NoAnswerError, GarbledError)):
            await opened.write(WRITE)


@pytest.mark.parametrize("stream", LINES)
async def test_a_late_acknowledgement_is_never_that_of_another_write(stream) -> None:
    """Function 16 acknowledges a place, not a value: a late one must not count for the next."""
    late: list[bytes] = []

    def once_late(frame: bytes, right: bytes, send) -> None:
        if frame[1] != 16:
            send(right)
            return
        body = frame[:6]
        late.append(body + crc(body))
        if len(late) == 1:
            asyncio.get_running_loop().call_later(0.2, send, late[0])

    first = Request(1, 16, 5, 2, data=b"\0\1\0\2")
    second = Request(1, 16, 5, 2, data=b"\0\3\0\4")
    async with line(once_late, stream=stream) as (opened, peer):
        peer.request_size = 13
        with pytest.raises(NoAnswerError):
            await opened.write(first)
        with pytest.raises(NoAnswerError):
            await opened.write(second)
        assert len(late) == 2


@pytest.mark.parametrize("stream", LINES)
async def test_a_disturbed_acknowledgement_does_not_write_twice(stream) -> None:
    def disturbed(frame: bytes, right: bytes, send) -> None:
        send(frame[:-1] + bytes([frame[-1] ^ 1]))

    async with line(disturbed, stream=stream) as (opened, peer):
        with pytest.raises(GarbledError):
            await opened.write(WRITE)
        assert len(peer.requests) == 1
