"""Scaling: the one line from raw to engineering values that the cells of a row make together.

``scale`` and ``offset``, or the straight line through a raw range, and then the conversion of
units, folded into one. All of it is exact.
"""

from fractions import Fraction

from mappings.datatypes import NUMBERS, WireType
from mappings.errors import Fault
from mappings.plant.columns import Cells, PowerOfTen
from mappings.plant.findings import Findings
from mappings.plant.metric_types import IDENTITY, Line, raw_ends
from mappings.plant.words import Words
from mappings.tags import NO_UNIT, Unit
from mappings.units import Known, conversion, quantity

_RAW = ("raw_low", "raw_high")
_ENDS = (*_RAW, "low", "high")


def short(number: Fraction | float) -> str:
    """A number for people, 65.535 and 4294967295 in full."""
    return f"{float(number):.12g}"


def read_line(cells: Cells, wire: WireType, findings: Findings) -> Line:
    """The line of ``scale`` and ``offset`` or of the raw range, without the conversion of units."""
    scaled = [c for c in ("scale", "offset") if getattr(cells, c) is not None]
    ranged = [c for c in _RAW if getattr(cells, c) is not None]
    if wire.datatype not in NUMBERS:
        for column in (*scaled, *ranged):
            remedy = "only numbers have a scale: remove it"
            findings.refuse("E502", column, f"{wire.name} cannot be scaled", remedy)
        return IDENTITY
    if scaled and ranged:
        seen = f"{scaled[0]} and a raw range"
        remedy = "both say how raw values become engineering values: keep one of them"
        findings.refuse("E512", scaled[0], seen, remedy, *ranged)
        return IDENTITY
    return _of_range(cells, wire, findings) if ranged else _of_scale(cells, findings)


def _of_scale(cells: Cells, findings: Findings) -> Line:
    scale = Fraction(1) if cells.scale is None else cells.scale
    offset = cells.offset or Fraction(0)
    if isinstance(scale, PowerOfTen):
        return Line(Fraction(1), offset, scale.row)
    if scale == 0:
        remedy = "write another scale, or leave it out"
        findings.refuse("E115", "scale", "scale 0 makes every value the same", remedy)
        return IDENTITY
    return Line(scale, offset)


def _of_range(cells: Cells, wire: WireType, findings: Findings) -> Line:
    there = [column for column in _ENDS if getattr(cells, column) is not None]
    missing = [column for column in _ENDS if column not in there]
    if missing:
        remedy = "the line goes from raw_low, raw_high to low, high: all four are needed"
        seen = f"{there[0]} without {' and '.join(missing)}"
        findings.refuse("E513", there[0], seen, remedy, *there, *missing)
        return IDENTITY
    raw_low, raw_high, low, high = cells.raw_low, cells.raw_high, cells.low, cells.high
    assert raw_low is not None and raw_high is not None  # noqa: PT018
    assert low is not None and high is not None  # noqa: PT018
    ends = raw_ends(wire)
    for column, limit in (("raw_low", raw_low), ("raw_high", raw_high)):
        if ends is not None and not ends[0] <= limit <= ends[1]:
            remedy = f"a raw value of {wire.name} lies between {ends[0]} and {ends[1]}"
            findings.refuse("E513", column, f"{column} {short(limit)} cannot occur", remedy)
            return IDENTITY
    if raw_low == raw_high or low == high:
        seen = f"raw_low and raw_high are both {short(raw_low)}"
        if raw_low == raw_high:
            findings.refuse("E513", "raw_high", seen, "they are the ends of a line", "raw_low")
        return IDENTITY
    scale = (high - low) / (raw_high - raw_low)
    return Line(scale, low - raw_low * scale)


def read_unit(
    cells: Cells, wire: WireType, line: Line, words: Words, findings: Findings
) -> tuple[Unit, Line]:
    """The unit that is published, and the line with the conversion to it."""
    known = _known("unit", cells.unit, words, findings)
    unit = known.unit if known is not None else NO_UNIT
    if not cells.source_unit:
        return unit, line
    source = _known("source_unit", cells.source_unit, words, findings)
    remedy = ""
    if wire.datatype not in NUMBERS:
        remedy = f"{wire.name} is no number: remove it"
    elif not cells.unit and "unit" not in findings.lost:
        remedy = "add unit, what it is converted to"
    elif cells.raw_low is not None or cells.raw_high is not None:
        remedy = "a raw range leads to low and high, which are in unit already: remove it"
    if remedy:
        seen = f"source_unit {cells.source_unit!r} converts nothing"
        findings.refuse("E525", "source_unit", seen, remedy)
        return unit, line
    if source is None or known is None:
        return unit, line
    found = conversion(source, known)
    if found is None:
        one, other = _named(cells.source_unit, source), _named(cells.unit, known)
        remedy = "they are different quantities: one of the two units is wrong"
        findings.refuse("E522", "unit", f"{one} cannot become {other}", remedy, "source_unit")
        return unit, line
    return unit, line.then(found.factor, found.offset)


def _named(text: str, unit: Known) -> str:
    name = quantity(unit)
    return f"{text} ({name})" if name else text


def _known(column: str, text: str, words: Words, findings: Findings) -> Known | None:
    if not text:
        return None
    found = words.unit(text)
    if isinstance(found, Fault):
        seen = found.seen if column == "unit" else f"{column} {text!r}"
        findings.refuse(found.code, column, seen, found.remedy)
        return None
    if found is None:
        findings.failed = True
    return found
