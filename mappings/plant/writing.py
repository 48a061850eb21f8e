"""Writing: may a command be meant for this row, and within which limits?

Left out means no. What is calculated in one direction only, or by another row, cannot be written;
a number that may be written has limits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from mappings.datatypes import WireType
from mappings.plant.columns import Cells
from mappings.plant.findings import Findings
from mappings.plant.metric_types import Line, raw_ends
from mappings.plant.scaling import short

_COLUMNS = ("write_low", "write_high", "readback")


@dataclass(frozen=True, slots=True)
class Writing:
    """What commands may do; ``readback`` is ``same``, ``none`` or the name of another row."""

    access: str = "r"
    low: Fraction | None = None
    high: Fraction | None = None
    readback: str = "same"


READ_ONLY = Writing()


def read_writing(
    cells: Cells,
    wire: WireType,
    line: Line,
    findings: Findings,
    *,
    array: bool,
    limited: bool,
    is_writable: Callable[[], bool],
) -> Writing:
    """What the cells say about commands.

    ``limited`` says that the value is a number which needs limits; ``is_writable`` is what the
    driver says of the address.
    """
    if cells.access == "r":
        for column in _COLUMNS:
            if getattr(cells, column):
                remedy = "write access: rw, or remove it"
                findings.refuse("W532", column, f"{column} of a row that is only read", remedy)
        return READ_ONLY
    reason = ""
    if array:
        reason = "an array is not written"
    elif line.power:
        reason = "its scale is the value of another row"
    elif not is_writable():
        reason = "nothing is written to this address"
    if reason:
        findings.refuse("E703", "access", f"cannot be written: {reason}", "write access: r")
        return READ_ONLY
    low = cells.low if cells.write_low is None else cells.write_low
    high = cells.high if cells.write_high is None else cells.write_high
    if limited:
        _check_limits(cells, wire, line, findings, low, high)
    else:
        for column in ("write_low", "write_high"):
            if getattr(cells, column) is not None:
                remedy = "only numbers have limits: remove it"
                findings.refuse("E533", column, f"{wire.name} has no {column}", remedy)
        low = high = None
    return Writing(cells.access, low, high, _readback(cells, findings))


def _check_limits(
    cells: Cells,
    wire: WireType,
    line: Line,
    findings: Findings,
    low: Fraction | None,
    high: Fraction | None,
) -> None:
    if low is None or high is None:
        remedy = "a number that may be written needs low and high, or write_low and write_high"
        limits = ("low", "high", "write_low", "write_high")
        lost = findings.lost & set(limits)
        if lost:
            findings.failed = True
        else:
            findings.refuse("E702", "access", "writable without limits", remedy)
        return
    if low >= high:
        seen = f"write_low {short(low)} is not below write_high {short(high)}"
        if cells.write_low is not None or cells.write_high is not None:
            column = "write_high" if cells.write_high is not None else "write_low"
            findings.refuse("E533", column, seen, "are they the wrong way round?", "write_low")
        return
    raw = raw_ends(wire)
    for column, limit in (("write_low", cells.write_low), ("write_high", cells.write_high)):
        if limit is None:
            continue
        if raw is not None and not raw[0] <= line.back(limit) <= raw[1]:
            ends = sorted(line.of(end) for end in raw)
            seen = f"{column} {short(limit)} is beyond what {wire.name} can hold"
            remedy = f"values of this row lie between {short(ends[0])} and {short(ends[1])}"
            findings.refuse("E533", column, seen, remedy)
        elif _is_clamped(cells, limit):
            seen = f"{column} {short(limit)} is beyond the limit that clamp shows"
            remedy = "what is written there reads as the limit: narrow it, or remove clamp"
            findings.refuse("E533", column, seen, remedy, "clamp")


def _is_clamped(cells: Cells, limit: Fraction) -> bool:
    if cells.clamp in {"low", "both"} and cells.low is not None and limit < cells.low:
        return True
    return cells.clamp in {"high", "both"} and cells.high is not None and limit > cells.high


def _readback(cells: Cells, findings: Findings) -> str:
    if cells.access == "w":
        if cells.readback == "same":
            remedy = "access w is never read: name the row that shows the result, or write none"
            findings.refuse("E530", "readback", "readback same of what is not read", remedy)
        return cells.readback or "none"
    return cells.readback or "same"
