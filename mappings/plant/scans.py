"""Scans: how often a point is read, by the plant's names or a time of its own."""

from collections.abc import Mapping as Pairs
from dataclasses import dataclass

from pydantic import ValidationError

from mappings.errors import nearest
from mappings.plant.problems import Report, Spot
from mappings.plant.schema import Block, ScanTime


@dataclass(frozen=True, slots=True)
class ScanTimes:
    """Milliseconds by the names of the scans; None for one whose time is wrong already.

    ``complete`` is False where the section could not be read: then no name is said to be unknown.
    """

    times: Pairs[str, int | None]
    complete: bool = True


class _Time(Block):
    time: ScanTime


def time_of(text: str, spot: Spot, what: str, report: Report) -> int | None:
    """The period in ms of a scan's time; None with a problem in the report."""
    try:
        return _Time.model_validate({"time": text}).time
    except ValidationError as error:
        detail = error.errors()[0]
        given = detail.get("ctx", {})
        report.add(detail["type"], spot, f"{what}: {given['seen']}", str(given["remedy"]))
        return None


def scan_time(text: str, scans: ScanTimes, spot: Spot, what: str, report: Report) -> int | None:
    """The period in ms of a scan's name or a time; None with a problem in the report."""
    if text in scans.times:
        return scans.times[text]
    if text[0].isdigit():
        return time_of(text, spot, what, report)
    if not scans.complete:
        return None
    meant = nearest(text, scans.times)
    hint = f"did you mean {meant!r}? " if meant else ""
    names = ", ".join(scans.times)
    remedy = f"{hint}scans here: {names}; declare it under scans:, or write a time such as 500ms"
    report.add("E501", spot, f"{what}: no scan {text!r}", remedy)
    return None
