"""Polls: what is read of a unit at each period, and what it said last.

A poll is one unit's rows of one scan period, as blocks with their requests. A block whose bytes
are those of last time says nothing, or once a second that it is fresh. A block that the unit
refuses is cut until the row to blame is alone; the cuts are kept while the link is open, unless
they found nothing readable.
"""

from collections.abc import Sequence

from drivers.driver import Device, Fresh
from drivers.modbus.addresses import Address, parse
from drivers.modbus.blocks import Block, Row, batch_of
from drivers.modbus.config import DeviceOptions
from drivers.modbus.connection import Request
from drivers.modbus.planning import plan_device
from mappings.batch import Batch, Value
from mappings.quality import BAD

UNCUT_POLLS = 60
"""A block without one readable row is cut again after so many refusals."""
FRESH_S = 1.0
"""How often an unchanged block is said to be fresh, at most."""

_SETS_KEPT = 64


class Reading:
    """A block, its request, and what it said last: bytes, or the code of a failure."""

    __slots__ = ("block", "code", "fresh_at_s", "origin", "raw", "request", "uncut")

    def __init__(self, request: Request, block: Block, origin: "Reading | None" = None) -> None:
        self.block = block
        self.request = request
        self.origin = origin
        self.raw: bytes | None = None
        self.code: int | None = None
        self.uncut = 0  # refusals to come before it is cut again: cutting found nothing readable
        self.fresh_at_s = 0.0

    def forget(self) -> None:
        """Say everything again."""
        self.raw = self.code = None
        self.uncut = 0

    def changed(self, raw: bytes, now_s: float) -> bool:
        """Take an answer; whether it is news."""
        if raw == self.raw:
            return False
        self.raw, self.code, self.uncut = raw, None, 0
        self.fresh_at_s = now_s
        return True

    def fresh(self, now_s: float) -> Fresh | None:
        """That its values were read and are the same, if it is time to say so."""
        if now_s - self.fresh_at_s < FRESH_S:
            return None
        self.fresh_at_s = now_s
        return Fresh(self.block.device, self.block.points)

    def failed(self, code: int, time_ms: int) -> Batch | None:
        """Take the exception code of a failure (0: a wrong answer); what is new about it."""
        if self.code == code:
            return None
        self.raw, self.code = None, code
        return self.refused(code, time_ms)

    def refused(self, code: int, time_ms: int) -> Batch:
        """All its points are BAD, with an exception code."""
        size = len(self.block.points)
        return Batch(
            self.block.device,
            self.block.points,
            [None] * size,
            [time_ms] * size,
            [BAD] * size,
            [code] * size,
        )


Said = tuple[Block, bytes, int]
"""A good answer: the block, its bytes, and when they came (ms since 1970, UTC)."""


class Poll:
    """The rows of one unit with one scan period."""

    __slots__ = ("_sets", "readings")

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self._sets: dict[tuple[Block, ...], tuple[int, ...]] = {}

    def cut(self, reading: Reading) -> list[Reading]:
        """Replace a reading by its parts; empty if it cannot be cut."""
        if reading.uncut:
            reading.uncut -= 1
            return []
        unit, any_transaction = reading.request.unit, reading.request.any_transaction
        origin = reading.origin or reading
        parts = [
            Reading(Request.of(unit, part, any_transaction=any_transaction), part, origin)
            for part in reading.block.parts()
        ]
        if parts:
            place = self.readings.index(reading)
            self.readings[place : place + 1] = parts
        return parts

    def mend(self) -> None:
        """Undo cuts that found nothing readable: one refused request is better than many."""
        for origin in {id(r.origin): r.origin for r in self.readings if r.origin}.values():
            parts = [r for r in self.readings if r.origin is origin]
            if all(part.code is not None and not part.block.parts() for part in parts):
                place = self.readings.index(parts[0])
                self.readings[place : place + len(parts)] = [origin]
                origin.raw, origin.code, origin.uncut = None, parts[0].code, UNCUT_POLLS

    def joined(self, said: Sequence[Said]) -> list[Batch]:
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
        return [batch_of(key[0].device, points, values, times_ms)]


class Unit:
    """A device, its polls, and whether it answers."""

    __slots__ = (
        "_tags", "down", "garbled", "name", "number", "options", "owed", "polls", "tries", "up",
    )  # fmt: skip

    def __init__(self, device: Device, request_worth: int) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.name = device.name
        self.options = options
        self._tags = device.tags
        self.number = options.unit
        ignore = options.transaction_id == "ignore"
        self.polls = {
            scan_ms: Poll(
                [
                    Reading(Request.of(options.unit, block, any_transaction=ignore), block)
                    for block in blocks
                ]
            )
            for scan_ms, blocks in plan_device(device, request_worth).items()
        }
        self.up = self.down = False
        self.owed = set(self.polls)  # polls still to be done before the device is up
        self.tries = 0
        self.garbled = 0  # wrong answers in a row

    def row(self, point: int) -> Row:
        """The place of a point, which may be one that is never polled."""
        tag = self._tags[point]
        address = parse(tag.address)
        assert isinstance(address, Address)  # the plant reader refused any other
        return Row(point, tag, address, self.options.word_order)

    def forget(self) -> None:
        """Owe every value again."""
        self.owed = set(self.polls)
        for poll in self.polls.values():
            for reading in poll.readings:
                reading.forget()
