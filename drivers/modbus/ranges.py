"""Ranges: places of an area that must never be read, as ``holding:500-599`` says.

Both ends are included, and each is an address of the usual grammar: ``HR501-600`` and
``40501-40600`` are the same range.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.modbus.addresses import Address, Area, parse
from mappings.errors import Fault

_ENDS = re.compile(
    r"(?P<prefix>[a-z]+:|[134]x|[a-z]+)?(?P<first>\w+)(?:\s*-\s*(?P<last>\w+))?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Range:
    """Bits or registers ``first`` to ``last`` of an area, both included."""

    area: Area
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.area.value}:{self.first}-{self.last}"


def parse_range(text: str) -> Range | Fault:
    """The range that ``text`` means, or what is wrong with it."""
    ends = _ENDS.fullmatch(text.strip())
    if ends is None:
        return _fault(f"{text!r} is no range of addresses", "write holding:500-599")
    prefix = ends["prefix"] or ""
    first = parse(prefix + ends["first"])
    last = parse(prefix + (ends["last"] or ends["first"]))
    for end in (first, last):
        if isinstance(end, Fault):
            return _fault(end.seen, end.remedy)
    assert isinstance(first, Address)
    assert isinstance(last, Address)
    if last.first < first.first or last.area is not first.area:
        return _fault(f"{text!r} ends before it begins", "write holding:500-599")
    return Range(first.area, first.first, last.first)


def touching(ranges: Iterable[Range], area: Area, first: int, end: int) -> Range | None:
    """The first range that has a place from ``first`` to before ``end``."""
    for each in ranges:
        if each.area is area and first <= each.last and each.first < end:
            return each
    return None


def _fault(seen: str, remedy: str) -> Fault:
    return Fault(code="E119", field="forbidden", seen=seen, remedy=remedy)
