"""Link: scans the units behind one connection, and says what they say.

One request is in flight at a time. A poll, one unit's rows of one scan period, is read block by
block and becomes one batch, of the blocks whose bytes are new. A unit that does not answer is
down: it costs one timeout for each try, tries are spaced wider and wider, and the others go on.

This is a shell: `polls` knows what is read and what is new, `drivers.scanning` says when, a
`connection` sends. What ends the link is a `LinkError`; anything else raised here is a bug.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from drivers.driver import (
    Clock,
    Device,
    DeviceDown,
    DeviceRefusedError,
    DeviceUp,
    Event,
    LinkError,
    UnansweredError,
)
from drivers.modbus import writing
from drivers.modbus.blocks import Block
from drivers.modbus.connection import (
    Connection,
    GarbledError,
    NoAnswerError,
    RefusedError,
    Request,
)
from drivers.modbus.planning import NETWORK_GAP
from drivers.modbus.polls import Poll, Reading, Said, Unit
from drivers.scanning import Timetable
from mappings.batch import Batch, Value

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 10.0
"""A unit that is down is tried after 1, 2, 4, 8 and then every 10 s."""
SILENCE_S = 10.0
"""When no unit at all has answered for so long, the connection itself is doubted."""
IDLE_S = 3600.0
"""How long to sleep at a time when nothing is to be polled."""
GARBLED_LIMIT = 3
"""So many wrong answers in a row end the link; on a wire that others share the unit is down."""
CUTS_PER_POLL = 16
"""Enough to find one bad row among 125 at once, few enough not to hold up the other units."""
QUICK_TRIES = 2
"""So many tries of a unit that is down come soon, whatever share of the time they take."""
LONGEST_RETRY_S = 60.0
"""The longest time between two tries, however little of the time they may take."""

# Illegal address, illegal value, device failure: one row may be to blame for the whole block.
# (An illegal function is refused for each row alike, and a busy device for the moment.)
_MAY_BE_ONE_ROW = frozenset({2, 3, 4})


class ModbusLink:
    """An open link; see `drivers.driver.WritableLink`."""

    def __init__(
        self,
        connection: Connection,
        devices: Sequence[Device],
        now_ms: Clock,
        *,
        dead_share: float = 1.0,
        request_worth: int = NETWORK_GAP,
    ) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._dead_share = dead_share
        self._units = {device.name: Unit(device, request_worth) for device in devices}
        self._turn = asyncio.Lock()  # fair: a write waits for one exchange at most
        self._asked: dict[tuple[str, int], Block] = {}
        self._last_ms = 0
        self._loop = asyncio.get_running_loop()
        self._heard_at_s = self._loop.time()
        self._timetable = Timetable(
            {
                (unit.name, scan_ms): scan_ms
                for unit in self._units.values()
                for scan_ms in unit.polls
            },
            self._steady_ms(),
        )

    @property
    def skipped(self) -> int:
        """How many polls were left out because the connection was too slow for them."""
        return self._timetable.skipped

    async def events(self) -> AsyncIterator[Event]:
        """What the units say; ends with `LinkError`."""
        for unit in self._units.values():
            if not unit.polls:  # nothing to read, so nothing is owed
                yield DeviceUp(unit.name)
        while True:
            poll = self._timetable.next()
            if poll is None:
                await self._connection.wait(IDLE_S)
                continue
            (name, scan_ms), due_ms = poll
            early_ms = due_ms - self._steady_ms()
            if early_ms > 0:
                await self._connection.wait(early_ms / 1000)
            unit = self._units[name]
            for event in await self._poll(unit, scan_ms):
                yield event

    async def _poll(self, unit: Unit, scan_ms: int) -> list[Event]:
        poll = unit.polls[scan_ms]
        good: list[Said] = []
        events: list[Event] = []
        try:
            await self._read(unit, poll, good, events)
        except NoAnswerError as error:
            if error.by_gateway:
                self._heard()
            return [*poll.joined(good), *events, *self._silent(unit, str(error))]
        events[:0] = poll.joined(good)
        self._timetable.done((unit.name, scan_ms), self._steady_ms())
        unit.owed.discard(scan_ms)
        if not unit.owed and not unit.up:
            unit.up, unit.down, unit.tries = True, False, 0
            events.append(DeviceUp(unit.name))
        return events

    async def _read(self, unit: Unit, poll: Poll, good: list[Said], other: list[Event]) -> None:
        to_read = poll.readings[::-1]
        cuts = 0
        while to_read:
            reading = to_read.pop()
            try:
                async with self._turn:
                    raw = await self._connection.read(reading.request)
            except RefusedError as refused:
                self._heard()
                if refused.code in _MAY_BE_ONE_ROW and cuts < CUTS_PER_POLL:
                    parts = poll.cut(reading)
                    if parts:
                        cuts += 1
                        to_read += reversed(parts)
                        continue
                self._failed(reading, refused.code, other)
            except GarbledError as error:
                self._heard()
                unit.garbled += 1
                if unit.garbled >= GARBLED_LIMIT:
                    self._wrong(unit, error)
                self._failed(reading, 0, other)
            else:
                unit.garbled = 0
                self._heard()
                if reading.changed(raw, self._loop.time()):
                    good.append((reading.block, raw, self._time_ms()))
                elif (fresh := reading.fresh(self._loop.time())) is not None:
                    other.append(fresh)
        if cuts:
            poll.mend()

    # --- what is asked for, not polled ------------------------------------------------------------

    async def write(self, device: str, point: int, value: Value) -> None:
        """See `drivers.driver.WritableLink`."""
        unit = self._units[device]
        row = unit.row(point)
        async with self._turn:
            try:
                if row.address.bit is None:
                    await self._put(writing.write_request(row, value, unit.options))
                elif unit.options.bit_writes == "mask":
                    await self._connection.write(writing.masked(row, value, unit.options))
                else:
                    await self._put_bits(unit, point, value)
            except RefusedError as refused:
                mask = row.address.bit is not None and refused.code == writing.ILLEGAL_FUNCTION
                raise DeviceRefusedError(
                    f"unit {unit.number} refused to write {row.address}: {refused}",
                    "write bit_writes: read-modify-write into its modbus block"
                    if mask
                    else "does its manual say that this address may be written now?",
                ) from None
            except (NoAnswerError, GarbledError) as error:
                raise UnansweredError(_said(unit, error)) from None

    async def read(self, device: str, point: int) -> Batch:
        """See `drivers.driver.WritableLink`."""
        unit = self._units[device]
        block = self._asked.get((device, point))
        if block is None:
            block = self._asked[device, point] = Block(device, [unit.row(point)])
        ignore = unit.options.transaction_id == "ignore"
        request = Request.of(unit.number, block, any_transaction=ignore)
        try:
            async with self._turn:
                raw = await self._connection.read(request)
        except RefusedError as refused:
            return Reading(request, block).refused(refused.code, self._time_ms())
        except (NoAnswerError, GarbledError) as error:
            raise UnansweredError(_said(unit, error)) from None
        return block.decode(raw, self._time_ms())

    async def _put(self, request: Request) -> None:
        """Write, and by the function for many where a unit does not know the one for one."""
        try:
            await self._connection.write(request)
        except RefusedError as refused:
            other = writing.other_way(request)
            if refused.code != writing.ILLEGAL_FUNCTION or other is None:
                raise
            await self._connection.write(other)

    async def _put_bits(self, unit: Unit, point: int, value: Value) -> None:
        """Bits of a register without a mask: nobody else may write it meanwhile."""
        row = unit.row(point)
        if unit.options.bit_writes == "refuse":
            raise DeviceRefusedError(
                f"{row.address} is a part of a register, and bit_writes is refuse",
                "write bit_writes: mask, or read-modify-write if nobody else writes this register",
            )
        raw = await self._connection.read(writing.register(row, unit.options))
        keep, put = writing.masks(row, value)
        word = int.from_bytes(raw, "big") & keep | put
        await self._put(writing.register(row, unit.options, word))

    # --- what goes wrong --------------------------------------------------------------------------

    def _failed(self, reading: Reading, code: int, bad: list[Event]) -> None:
        """Say once that a block is BAD, with the exception code (0: a wrong answer)."""
        batch = reading.failed(code, self._time_ms())
        if batch is not None:
            bad.append(batch)

    def _wrong(self, unit: Unit, error: GarbledError) -> None:
        """A unit has given wrong answers in a row."""
        unit.garbled = 0
        if self._connection.is_wire:
            raise NoAnswerError(
                f"unit {unit.number} at {self._connection.peer} gives wrong answers: {error}"
            )
        raise LinkError(
            f"{self._connection.peer} gives wrong answers: {error}",
            "is another program using the same connection through a gateway?",
        )

    def _silent(self, unit: Unit, reason: str) -> list[Event]:
        """A unit did not answer: try it later, and let it owe everything."""
        unit.forget()
        unit.up = False
        wait_s = self._retry_s(unit)
        unit.tries = min(unit.tries + 1, 16)
        for scan_ms in unit.polls:
            self._timetable.postpone((unit.name, scan_ms), self._steady_ms() + round(wait_s * 1000))
        silent_s = self._loop.time() - self._heard_at_s
        if silent_s > max(SILENCE_S, 3 * self._connection.timeout_s):
            numbers = ", ".join(str(u.number) for u in self._units.values())
            check = f"unit {numbers}: is the number right, the device behind the gateway on?"
            if self._connection.is_wire:
                check = (
                    f"unit {numbers}: are baud and format right, A and B not swapped, the line "
                    "terminated, the devices on?"
                )
            raise LinkError(
                f"{self._connection.peer} is connected, but no unit has answered for a while",
                check,
            )
        if unit.down:
            return []
        unit.down = True
        return [
            DeviceDown(unit.name, reason, f"is {unit.number} its unit id, and is it switched on?")
        ]

    def _retry_s(self, unit: Unit) -> float:
        """How long until the next try of a unit that does not answer."""
        backoff_s = min(LAST_RETRY_S, FIRST_RETRY_S * float(1 << unit.tries))
        if unit.tries < QUICK_TRIES:
            return backoff_s
        dead = sum(each.tries > 0 for each in self._units.values() if not each.up)
        share_s = dead * self._connection.timeout_s / self._dead_share
        return min(LONGEST_RETRY_S, max(backoff_s, share_s))

    def _heard(self) -> None:
        self._heard_at_s = self._loop.time()

    def _time_ms(self) -> int:
        """Now, for values: never before what was said already, wherever the clock was set to."""
        self._last_ms = max(self._last_ms, self._now_ms())
        return self._last_ms

    def _steady_ms(self) -> int:
        return int(self._loop.time() * 1000)


def _said(unit: Unit, error: Exception) -> str:
    if isinstance(error, GarbledError):
        return f"unit {unit.number} answered {error}"
    return str(error)
