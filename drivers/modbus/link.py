"""Link: scans the units behind one connection, and says what they say.

One request is in flight at a time. A poll, one unit's rows of one scan period, is read block by
block and becomes one batch, of the blocks whose bytes are new. A unit that does not answer is
down: it costs one timeout for each try, tries are spaced wider and wider, and the others go on.
A block that a unit refuses is cut in halves until the row to blame is alone; the cuts are kept.

This is a shell: `blocks` plans, `values` decodes, `drivers.scanning` says when, `connection`
sends. What ends the link is a `LinkError`; anything else that is raised here is a bug.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from drivers.driver import Clock, Device, DeviceDown, DeviceUp, Event, LinkError
from drivers.modbus.blocks import Block, plan_device
from drivers.modbus.config import DeviceOptions
from drivers.modbus.connection import (
    Connection,
    GarbledError,
    NoAnswerError,
    RefusedError,
    Request,
)
from drivers.scanning import Timetable
from mappings.batch import Batch, Value
from mappings.quality import BAD

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 10.0
"""A unit that is down is tried after 1, 2, 4, 8 and then every 10 s."""
SILENCE_S = 10.0
"""When no unit at all has answered for so long, the connection itself is doubted."""
IDLE_S = 3600.0
"""How long to sleep at a time when nothing is to be polled."""
GARBLED_LIMIT = 3
"""So many wrong answers in a row end the link."""
CUTS_PER_POLL = 16
"""Enough to find one bad row among 125 at once, few enough not to hold up the other units."""
UNCUT_POLLS = 60
"""A block without one readable row is cut again after so many refusals."""

# Illegal address, illegal value, device failure: one row may be to blame for the whole block.
# (An illegal function is refused for each row alike, and a busy device for the moment.)
_MAY_BE_ONE_ROW = frozenset({2, 3, 4})
_SETS_KEPT = 64


class _Reading:
    """A block, its request, and what it said last: bytes, or the code of a failure."""

    __slots__ = ("block", "code", "origin", "raw", "request", "uncut")

    def __init__(self, unit: int, block: Block, origin: "_Reading | None" = None) -> None:
        self.block = block
        self.request = Request(unit, block)
        self.origin = origin
        self.raw: bytes | None = None
        self.code: int | None = None
        self.uncut = 0  # refusals to come before it is cut again: cutting found nothing readable

    def forget(self) -> None:
        self.raw = self.code = None
        self.uncut = 0


_Said = tuple[Block, bytes, int]
"""A good answer: the block, its bytes, and when they came (ms since 1970, UTC)."""


class _Poll:
    """The rows of one unit with one scan period."""

    __slots__ = ("_sets", "readings")

    def __init__(self, readings: list[_Reading]) -> None:
        self.readings = readings
        self._sets: dict[tuple[Block, ...], tuple[int, ...]] = {}

    def cut(self, unit: int, reading: _Reading) -> list[_Reading]:
        """Replace a reading by its two halves; empty if it cannot be cut."""
        if reading.uncut:
            reading.uncut -= 1
            return []
        halves = reading.block.halves()
        if halves is None:
            return []
        origin = reading.origin or reading
        parts = [_Reading(unit, half, origin) for half in halves]
        place = self.readings.index(reading)
        self.readings[place : place + 1] = parts
        return parts

    def mend(self) -> None:
        """Undo cuts that found nothing readable: one refused request is better than many."""
        for origin in {id(r.origin): r.origin for r in self.readings if r.origin}.values():
            parts = [r for r in self.readings if r.origin is origin]
            if all(part.code is not None and part.block.halves() is None for part in parts):
                place = self.readings.index(parts[0])
                self.readings[place : place + len(parts)] = [origin]
                origin.raw, origin.code, origin.uncut = None, parts[0].code, UNCUT_POLLS

    def joined(self, said: Sequence[_Said]) -> list[Batch]:
        """One batch out of good answers, with the same ``points`` object for the same blocks."""
        if not said:
            return []
        if len(said) == 1:
            [(block, raw, time_ms)] = said
            return [block.decode(raw, time_ms)]
        key = tuple([block for block, _, _ in said])
        points = self._sets.get(key)
        if points is None:
            if len(self._sets) >= _SETS_KEPT:
                return [block.decode(raw, time_ms) for block, raw, time_ms in said]
            points = self._sets[key] = tuple(p for block in key for p in block.points)
        values: list[Value] = []
        times_ms: list[int] = []
        for block, raw, time_ms in said:
            column = block.values(raw)
            values += column
            times_ms += [time_ms] * len(column)
        return [Batch(key[0].device, points, values, times_ms)]


class _Unit:
    """A device, its polls, and whether it answers."""

    __slots__ = ("down", "name", "number", "owed", "polls", "tries", "up")

    def __init__(self, device: Device) -> None:
        assert isinstance(device.options, DeviceOptions)
        self.name = device.name
        self.number = device.options.unit
        self.polls = {
            scan_ms: _Poll([_Reading(self.number, block) for block in blocks])
            for scan_ms, blocks in plan_device(device).items()
        }
        self.up = self.down = False
        self.owed = set(self.polls)  # polls still to be done before the device is up
        self.tries = 0

    def forget(self) -> None:
        """Owe every value again."""
        self.owed = set(self.polls)
        for poll in self.polls.values():
            for reading in poll.readings:
                reading.forget()


class ModbusLink:
    """An open link; see `drivers.driver.Link`."""

    def __init__(self, connection: Connection, devices: Sequence[Device], now_ms: Clock) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._units = {device.name: _Unit(device) for device in devices}
        self._last_ms = 0
        self._garbled = 0
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

    async def _poll(self, unit: _Unit, scan_ms: int) -> list[Event]:
        poll = unit.polls[scan_ms]
        good: list[_Said] = []
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

    async def _read(self, unit: _Unit, poll: _Poll, good: list[_Said], bad: list[Event]) -> None:
        to_read = poll.readings[::-1]
        cuts = 0
        while to_read:
            reading = to_read.pop()
            try:
                raw = await self._connection.read(reading.request)
            except RefusedError as refused:
                self._heard()
                if refused.code in _MAY_BE_ONE_ROW and cuts < CUTS_PER_POLL:
                    parts = poll.cut(unit.number, reading)
                    if parts:
                        cuts += 1
                        to_read += reversed(parts)
                        continue
                self._failed(reading, refused.code, bad)
            except GarbledError as error:
                self._heard()
                self._garbled += 1
                if self._garbled >= GARBLED_LIMIT:
                    raise LinkError(
                        f"{self._connection.peer} gives wrong answers: {error}",
                        "is another program using the same connection through a gateway?",
                    ) from None
                self._failed(reading, 0, bad)
            else:
                self._garbled = 0
                self._heard()
                if raw != reading.raw:
                    reading.raw, reading.code, reading.uncut = raw, None, 0
                    good.append((reading.block, raw, self._time_ms()))
        if cuts:
            poll.mend()

    def _failed(self, reading: _Reading, code: int, bad: list[Event]) -> None:
        """Say once that a block is BAD, with the exception code (0: a wrong answer)."""
        if reading.code == code:
            return
        reading.raw, reading.code = None, code
        size = len(reading.block.points)
        bad.append(
            Batch(
                reading.block.device,
                reading.block.points,
                [None] * size,
                [self._time_ms()] * size,
                [BAD] * size,
                [code] * size,
            )
        )

    def _silent(self, unit: _Unit, reason: str) -> list[Event]:
        """A unit did not answer: try it later, and let it owe everything."""
        unit.forget()
        unit.up = False
        wait_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2**unit.tries)
        unit.tries = min(unit.tries + 1, 16)
        for scan_ms in unit.polls:
            self._timetable.postpone((unit.name, scan_ms), self._steady_ms() + round(wait_s * 1000))
        silent_s = self._loop.time() - self._heard_at_s
        if silent_s > max(SILENCE_S, 3 * self._connection.timeout_s):
            numbers = ", ".join(str(u.number) for u in self._units.values())
            raise LinkError(
                f"{self._connection.peer} is connected, but no unit has answered for a while",
                f"unit {numbers}: is the number right, the device behind the gateway on?",
            )
        if unit.down:
            return []
        unit.down = True
        return [
            DeviceDown(unit.name, reason, f"is {unit.number} its unit id, and is it switched on?")
        ]

    def _heard(self) -> None:
        self._heard_at_s = self._loop.time()

    def _time_ms(self) -> int:
        """Now, for values: never before what was said already, wherever the clock was set to."""
        self._last_ms = max(self._last_ms, self._now_ms())
        return self._last_ms

    def _steady_ms(self) -> int:
        return int(self._loop.time() * 1000)
