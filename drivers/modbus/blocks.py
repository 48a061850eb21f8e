"""Blocks: which registers to ask for in one request, so that requests are few and large.

A request costs about the same for one register as for 125, so rows of one area that touch or
overlap are read together, up to what the device allows. A value of several registers is never
cut in two: halves of different responses would make a number that never was. Registers that no
row names are never read; a device may refuse a whole block for one of them.

Pure: planning is done once, when a link is opened. Source of limits and function codes: Modbus
application protocol 1.1b3, sections 6.1 to 6.4.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from drivers.modbus.addresses import Address, Area, parse
from drivers.modbus.config import DeviceOptions
from drivers.modbus.values import CoilPlan, Field, RegisterPlan, order_in, registers_of
from mappings.batch import Batch, Value
from mappings.tags import Device, Tag

FUNCTION_CODES = {Area.COIL: 1, Area.DISCRETE: 2, Area.HOLDING: 3, Area.INPUT: 4}


class Row:
    """A tag with its place: ``first`` and ``count`` in bits or registers of ``area``."""

    __slots__ = ("area", "bit", "count", "first", "order", "point", "wire_type")

    def __init__(self, point: int, tag: Tag, address: Address, word_order: str) -> None:
        self.point = point
        self.area = address.area
        self.first = address.first
        self.bit = address.bit
        self.wire_type = tag.wire_type
        self.count = registers_of(tag.wire_type) or 1  # a bit lies in one register, or is a coil
        self.order = order_in(self.count, tag.order, word_order)

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.first + self.count


class Block:
    """One request, and how to read its response."""

    __slots__ = ("_plan", "area", "count", "device", "first", "points", "rows", "size")

    def __init__(self, device: str, rows: Sequence[Row]) -> None:
        self.device = device
        self.rows = tuple(rows)
        self.area = rows[0].area
        self.first = min(row.first for row in rows)
        self.count = max(row.end for row in rows) - self.first
        if self.area.is_bits:
            self.size = (self.count + 7) // 8
            self._plan: CoilPlan | RegisterPlan = CoilPlan(
                [Field(row.point, row.first - self.first, "bool") for row in rows]
            )
        else:
            self.size = 2 * self.count
            self._plan = RegisterPlan(
                [
                    Field(
                        row.point, 2 * (row.first - self.first), row.wire_type, row.order, row.bit
                    )
                    for row in rows
                ],
                self.size,
            )
        self.points = self._plan.points

    def __str__(self) -> str:
        last = self.first + self.count - 1
        return f"{self.area.value}:{self.first}" + (f"-{last}" if self.count > 1 else "")

    @property
    def function_code(self) -> int:
        """The Modbus function that reads it."""
        return FUNCTION_CODES[self.area]

    def values(self, raw: bytes) -> Sequence[Value]:
        """The values of `points`; ``raw`` is what follows the byte count, `size` bytes."""
        return self._plan.decode(raw)

    def decode(self, raw: bytes, t_ms: int) -> Batch:
        """The batch that a response says; ``raw`` as in `values`."""
        return Batch(self.device, self.points, self._plan.decode(raw), [t_ms] * len(self.points))

    def halves(self) -> tuple["Block", "Block"] | None:
        """Two blocks that read the same rows, cut between rows; None if all share one place."""
        places = [
            list(rows) for _, rows in groupby(self.rows, key=lambda row: (row.first, row.count))
        ]
        if len(places) == 1:
            return None
        middle = len(places) // 2
        left, right = (
            [row for place in part for row in place] for part in (places[:middle], places[middle:])
        )
        return Block(self.device, left), Block(self.device, right)


def plan(
    device: str, rows: Iterable[Row], *, max_registers: int = 125, max_coils: int = 2000
) -> list[Block]:
    """Blocks for rows that are read at the same time, in the order of areas and addresses."""
    ordered = sorted(rows, key=lambda row: (FUNCTION_CODES[row.area], row.first, row.count))
    blocks: list[Block] = []
    for area, in_area in groupby(ordered, key=lambda row: row.area):
        most = max_coils if area.is_bits else max_registers
        together: list[Row] = []
        end = 0
        for row in in_area:
            longer = max(end, row.end)
            if together and (row.first > end or longer - together[0].first > most):
                blocks.append(Block(device, together))
                together, longer = [], row.end
            together.append(row)
            end = longer
        blocks.append(Block(device, together))
    return blocks


def plan_device(device: Device) -> dict[int, list[Block]]:
    """Blocks by scan period in milliseconds, for a device whose rows have been checked."""
    options = device.options
    assert isinstance(options, DeviceOptions)
    by_scan: dict[int, list[Row]] = {}
    for point, tag in enumerate(device.tags):
        address = parse(tag.address)
        if not isinstance(address, Address):
            raise TypeError(f"{device.name}/{tag.name}: unchecked address {tag.address!r}")
        by_scan.setdefault(tag.scan_ms, []).append(Row(point, tag, address, options.word_order))
    return {
        scan_ms: plan(
            device.name, rows, max_registers=options.max_registers, max_coils=options.max_coils
        )
        for scan_ms, rows in sorted(by_scan.items())
    }
