"""Invalid: raw values that say "no value", as ``0x8000``, ``<-100|>28000``, ``nan``.

A number in hexadecimal is the bits on the wire: ``0x8000`` of an int16 is -32768. What is not
finite is never published, so that ``nan`` and ``inf`` need not be said.
"""

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from mappings.datatypes import FLOATS, INTEGERS, WireType, integer_range
from mappings.errors import Fault
from mappings.plant.metric_types import LARGEST_FLOAT, raw_ends
from mappings.tags import NOTHING_INVALID, Invalid

_CONDITION = re.compile(
    r"([<>]?)\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)"
)
_BITS = re.compile(r"0[xX]([0-9A-Fa-f]{1,16})")
_LONGEST = 40
_PACKED = {16: ("<H", "<e"), 32: ("<I", "<f"), 64: ("<Q", "<d")}


@dataclass(frozen=True, slots=True)
class RawConditions:
    """An ``invalid`` cell: single values, patterns of bits, and what lies beyond."""

    values: tuple[Fraction, ...] = ()
    bits: tuple[int, ...] = ()
    below: Fraction | None = None
    above: Fraction | None = None
    finite: tuple[str, ...] = ()
    """``nan`` and ``inf`` where they are said."""


def read_conditions(text: str) -> RawConditions | Fault:
    """What the cell says by itself."""
    values: list[Fraction] = []
    bits: list[int] = []
    limits: dict[str, Fraction] = {}
    finite: list[str] = []
    for part in text.split("|"):
        word = part.strip()
        match = _CONDITION.fullmatch(word) if len(word) <= _LONGEST else None
        if word in {"nan", "inf"}:
            finite.append(word)
        elif hexadecimal := _BITS.fullmatch(word):
            bits.append(int(hexadecimal[1], 16))
        elif match is None:
            remedy = "raw values such as 0x8000, -1, <-100 or >28000, with | between them, or none"
            return Fault(
                code="E523", field="", seen=f"{word!r} is no raw value", remedy=f"write {remedy}"
            )
        elif not match[1]:
            values.append(Fraction(match[2]))
        elif match[1] in limits:
            remedy = f"one {match[1]} is enough: keep the one that says more"
            return Fault(code="E523", field="", seen=f"two limits {match[1]}", remedy=remedy)
        else:
            limits[match[1]] = Fraction(match[2])
    return RawConditions(
        tuple(values), tuple(bits), limits.get("<"), limits.get(">"), tuple(finite)
    )


def invalid_of(conditions: RawConditions | None, wire: WireType) -> Invalid | str:
    """The raw values of a type that say "no value", or what in the cell is none of that type."""
    if conditions is None:
        return NOTHING_INVALID
    ends = raw_ends(wire)
    if wire.datatype not in INTEGERS | FLOATS:
        return "the cell"
    if conditions.finite and wire.datatype not in FLOATS:
        return conditions.finite[0]
    limits = [v for v in (conditions.below, conditions.above) if v is not None]
    for value in (*conditions.values, *limits):
        if not _is_inside(value, wire, ends):
            return f"{float(value):g}"
    for value in conditions.values:
        if ends is not None and value.denominator != 1:
            return f"{float(value):g}"
    values: set[int | float] = {_number(value, wire) for value in conditions.values}
    for pattern in conditions.bits:
        found = _of_bits(pattern, wire)
        if found is None:
            return f"0x{pattern:X}"
        if isinstance(found, int) or isfinite(found):
            values.add(found)
    below, above = conditions.below, conditions.above
    if below is not None and above is not None and below >= above:
        return "everything"
    return Invalid(
        values=frozenset(values),
        below=None if below is None else _number(below, wire),
        above=None if above is None else _number(above, wire),
    )


def _is_inside(value: Fraction, wire: WireType, ends: tuple[int, int] | None) -> bool:
    if ends is not None:
        return ends[0] <= value <= ends[1]
    return wire.kind == "float64" or abs(value) <= LARGEST_FLOAT


def _number(value: Fraction, wire: WireType) -> int | float:
    """A limit or value as raw values are compared with it."""
    if value.denominator == 1 and wire.datatype in INTEGERS:
        return int(value)
    found = float(value)
    if wire.kind == "float32":  # as it is read: 0.1 of a float32 is 0.10000000149011612
        found = float(struct.unpack("<f", struct.pack("<f", found))[0])
    return found


def _of_bits(pattern: int, wire: WireType) -> int | float | None:
    """The raw value that a pattern of bits is; None if the type has no such pattern."""
    if pattern.bit_length() > wire.bits or wire.kind.startswith("bcd"):
        return None
    if wire.datatype in FLOATS:
        whole, number = _PACKED[wire.bits]
        return float(struct.unpack(number, struct.pack(whole, pattern))[0])
    first, last = integer_range(wire.datatype)
    return pattern - (1 << wire.bits) if first < 0 and pattern > last else pattern
