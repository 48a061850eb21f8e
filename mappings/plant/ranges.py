"""Ranges: low and high, what clamps to them, and deadbands that are part of them."""

from fractions import Fraction

from mappings.datatypes import WireType
from mappings.plant.columns import Cells
from mappings.plant.findings import Findings
from mappings.plant.metric_types import Line, raw_ends
from mappings.plant.scaling import short

Ends = tuple[Fraction, Fraction]

_WIDER = {
    "int8": "int16", "int16": "int32", "int32": "int64",
    "uint8": "uint16", "uint16": "uint32", "uint32": "uint64",
    "bcd16": "bcd32",
}  # fmt: skip


def check_range(cells: Cells, findings: Findings, no_number: str) -> bool:
    """Whether the row has a range; ``no_number`` is what it is instead of a number, or empty."""
    low, high = cells.low, cells.high
    if low is None and high is None:
        return False
    column = "high" if low is None else "low"
    if no_number:
        remedy = "only numbers have low and high: remove them"
        findings.refuse("E508", column, f"{no_number} has no range", remedy, "low", "high")
        return False
    if low is None or high is None:
        other = "low" if column == "high" else "high"
        remedy = f"low and high go together: add {other}, or neither"
        findings.refuse("E506", column, f"{column} without {other}", remedy, other)
        return False
    if low >= high:
        seen = f"low {short(low)} is not below high {short(high)}"
        findings.refuse("E507", "low", seen, "are they the wrong way round?", "high")
        return False
    return True


def warn_of_reach(cells: Cells, wire: WireType, line: Line, findings: Findings, probe: str) -> None:
    """Warn of a limit that type and scale can never reach; ``probe`` is the command to look."""
    raw = raw_ends(wire)
    if raw is None or line.power or cells.low is None or cells.high is None:
        return
    ends = sorted(line.of(end) for end in raw)
    for column, limit, end, out in (
        ("low", cells.low, ends[0], cells.low < ends[0]),
        ("high", cells.high, ends[1], cells.high > ends[1]),
    ):
        if not out:
            continue
        word = "begins at" if column == "low" else "ends at"
        other = _other_type(wire, column)
        meant = f"is it {other}, or another scale?" if other else "is it another scale?"
        unit = f" {cells.unit}" if cells.source_unit else ""
        remedy = f"{wire.name}{_scaling(cells)} {word} {short(end)}{unit}; {meant}"
        seen = f"{column} {short(limit)} can never be reached"
        findings.refuse("W514", column, seen, remedy, ahead=probe)


def _other_type(wire: WireType, column: str) -> str:
    """The type that may have been meant where a limit lies outside."""
    if column == "low" and wire.kind.startswith("uint"):
        return wire.kind.removeprefix("u")
    return _WIDER.get(wire.kind, "")


def _scaling(cells: Cells) -> str:
    if cells.raw_low is not None and cells.raw_high is not None:
        return f" from {short(cells.raw_low)}..{short(cells.raw_high)}"
    shown = ""
    if isinstance(cells.scale, Fraction) and cells.scale != 1:
        shown = f" x {short(cells.scale)}"
    if cells.offset:
        sign = "+" if cells.offset > 0 else "-"
        shown += f" {sign} {short(abs(cells.offset))}"
    return f"{shown} {cells.source_unit}".rstrip()


def read_clamp(cells: Cells, findings: Findings, no_number: str, *, ranged: bool) -> str:
    """What beyond its range is shown as the limit: ``none low high both``."""
    if cells.clamp == "none":
        return "none"
    if no_number:
        remedy = "only numbers can be beyond a limit: remove it"
        findings.refuse("E515", "clamp", f"{no_number} cannot be clamped", remedy)
        return "none"
    if not ranged:
        limits = "low and high" if cells.clamp == "both" else cells.clamp
        seen = f"clamp {cells.clamp} without {limits}"
        remedy = "add low and high, or remove clamp"
        findings.refuse("E515", "clamp", seen, remedy, "low", "high")
        return "none"
    return cells.clamp


def read_deadband(cells: Cells, findings: Findings, no_number: str, *, ranged: bool) -> Fraction:
    """The deadband in the unit of the metric; 0 is any change."""
    deadband = cells.deadband
    if deadband is None or not deadband.amount:
        return Fraction(0)
    if no_number:
        remedy = "every change is published: remove it"
        findings.refuse("E503", "deadband", f"{no_number} has no deadband", remedy)
        return Fraction(0)
    if not deadband.percent:
        return deadband.amount
    if ranged:
        assert cells.low is not None
        assert cells.high is not None
        return deadband.amount / 100 * (cells.high - cells.low)
    if "deadband" in findings.defaulted:
        findings.unfit.add("deadband")
    elif cells.low is None and cells.high is None:
        remedy = "add low and high, or write it in the unit"
        findings.refuse("E504", "deadband", "a deadband in % needs a range", remedy, "low", "high")
    return Fraction(0)


def produced_ends(
    wire: WireType, line: Line, cells: Cells, invalid: tuple[float | None, float | None], clamp: str
) -> tuple[Ends | None, bool]:
    """Between which values a row of whole numbers ends, and whether all of its are whole.

    ``invalid`` are the raw values below and above which there is no value.
    """
    raw = raw_ends(wire)
    if raw is None or line.power:
        return None, False
    below, above = invalid
    first = raw[0] if below is None else max(raw[0], _whole(below, up=True))
    last = raw[1] if above is None else min(raw[1], _whole(above, up=False))
    low, high = sorted((line.of(first), line.of(last)))
    whole = line.scale.denominator == 1 and line.offset.denominator == 1
    if clamp in {"low", "both"} and cells.low is not None:
        whole &= cells.low.denominator == 1 or cells.low <= low
        low, high = max(low, cells.low), max(high, cells.low)
    if clamp in {"high", "both"} and cells.high is not None:
        whole &= cells.high.denominator == 1 or cells.high >= high
        low, high = min(low, cells.high), min(high, cells.high)
    return (low, high), whole


def _whole(number: float, *, up: bool) -> int:
    exact = Fraction(number)
    return -(-exact.numerator // exact.denominator) if up else exact.numerator // exact.denominator
