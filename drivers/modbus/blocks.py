"""Blocks: one request, the rows that its response holds, and how to read them.

A value of several registers is never cut in two: halves of different responses would make a
number that never was. A block that a unit refuses can be read in parts.

Pure: blocks are made once, when a link is opened, by `drivers.modbus.planning`. Source of function
codes: Modbus application protocol 1.1b3, sections 6.1 to 6.4.
"""

from collections.abc import Sequence
from itertools import groupby

from drivers.modbus.addresses import Address, Area
from drivers.modbus.orders import known, order_in, registers_of
from drivers.modbus.values import CoilPlan, Field, RegisterPlan
from mappings.batch import Batch, Value
from mappings.quality import BAD, GOOD, Reason
from mappings.tags import Tag

FUNCTION_CODES = {Area.COIL: 1, Area.DISCRETE: 2, Area.HOLDING: 3, Area.INPUT: 4}


def span(tag: Tag, address: Address) -> int:
    """How many registers (or coils) a row takes, from its first on."""
    count = address.count or 1
    if address.area.is_bits or address.bit is not None:
        return count  # a bit lies in one register, or is a coil
    return count * (registers_of(known(tag.wire_type), tag.order) or 1)


class Row:
    """A tag with its place: ``first`` and ``count`` in bits or registers of ``area``."""

    __slots__ = ("address", "area", "count", "first", "name", "order", "point", "wire_type")

    def __init__(self, point: int, tag: Tag, address: Address, word_order: str) -> None:
        self.point = point
        self.name = tag.name
        self.address = address
        self.area = address.area
        self.first = address.first
        self.wire_type = tag.wire_type
        self.count = span(tag, address)
        self.order = order_in(known(tag.wire_type), tag.order, word_order)

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.first + self.count

    def field(self, first: int) -> Field:
        """The row in the response of a block that begins at ``first``."""
        at = self.first - first
        return Field(
            point=self.point,
            at=at if self.area.is_bits else 2 * at,
            wire_type=self.wire_type,
            order=self.order,
            bit=self.address.bit,
            last_bit=self.address.last_bit,
            count=self.address.count,
        )


class Block:
    """One request, and how to read its response."""

    __slots__ = ("_plan", "area", "count", "device", "first", "points", "rows", "size")

    def __init__(self, device: str, rows: Sequence[Row]) -> None:
        self.device = device
        self.rows = tuple(rows)
        self.area = rows[0].area
        self.first = min(row.first for row in rows)
        self.count = max(row.end for row in rows) - self.first
        fields = [row.field(self.first) for row in rows]
        if self.area.is_bits:
            self.size = (self.count + 7) // 8
            self._plan: CoilPlan | RegisterPlan = CoilPlan(fields)
        else:
            self.size = 2 * self.count
            self._plan = RegisterPlan(fields, self.size)
        self.points = self._plan.points

    def __str__(self) -> str:
        last = self.first + self.count - 1
        return f"{self.area.value}:{self.first}" + (f"-{last}" if self.count > 1 else "")

    @property
    def function_code(self) -> int:
        """The Modbus function that reads it."""
        return FUNCTION_CODES[self.area]

    def values(self, raw: bytes) -> Sequence[Value]:
        """The values of `points`; ``raw`` is what follows the byte count, `size` bytes.

        None stands for bytes that are no value of the row's type.
        """
        return self._plan.decode(raw)

    @property
    def always_reads(self) -> bool:
        """Whether no bytes can be wrong for its rows, so that `values` are never None."""
        return self._plan.always_reads

    def decode(self, raw: bytes, t_ms: int) -> Batch:
        """The batch that a response says; ``raw`` as in `values`."""
        values = self._plan.decode(raw)
        return batch_of(self.device, self.points, values, [t_ms] * len(self.points))

    def parts(self) -> tuple["Block", ...]:
        """Smaller blocks that read the same rows; none if all rows share one place.

        Cut at the gaps, which may be to blame; without gaps in halves, between rows.
        """
        pieces: list[list[Row]] = []
        end = 0
        for row in sorted(self.rows, key=lambda row: (row.first, row.count)):
            if not pieces or row.first > end:
                pieces.append([])
            pieces[-1].append(row)
            end = max(end, row.end)
        if len(pieces) > 1:
            return tuple(Block(self.device, piece) for piece in pieces)
        places = [
            list(rows) for _, rows in groupby(self.rows, key=lambda row: (row.first, row.count))
        ]
        if len(places) == 1:
            return ()
        middle = len(places) // 2
        left, right = (
            [row for place in part for row in place] for part in (places[:middle], places[middle:])
        )
        return Block(self.device, left), Block(self.device, right)


def batch_of(
    device: str, points: tuple[int, ...], values: Sequence[Value], times_ms: Sequence[int]
) -> Batch:
    """A batch of read values; None among them is a value that its bytes do not give: BAD."""
    if None not in values:
        return Batch(device, points, values, times_ms)
    return Batch(
        device,
        points,
        values,
        times_ms,
        qualities=[BAD if value is None else GOOD for value in values],
        reasons=[int(Reason.INVALID if value is None else Reason.NONE) for value in values],
    )
