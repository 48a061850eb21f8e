"""Scans: how often a point is read, by the plant's names or a time of its own."""

from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field

from pydantic import ValidationError

from mappings.errors import Fault, nearest
from mappings.plant.problems import Report, Spot
from mappings.plant.schema import Block, ScanTime

NORMAL = "normal"
"""The scan of rows that name none; 1 s unless ``scans:`` says otherwise."""


@dataclass(frozen=True, slots=True)
class ScanTimes:
    """Milliseconds by the names of the scans; None for one whose time is wrong already.

    ``complete`` is False where the section could not be read: then no name is said to be unknown.
    """

    times: Pairs[str, int | None]
    complete: bool = True
    _read: dict[str, int | Fault | None] = field(default_factory=dict, compare=False)

    def find(self, text: str) -> int | Fault | None:
        """The period in ms of a scan's name or a time; None where that is wrong already."""
        if text not in self._read:
            self._read[text] = self._find(text)
        return self._read[text]

    def _find(self, text: str) -> int | Fault | None:
        if text in self.times:
            return self.times[text]
        if text[0].isdigit():
            return _time(text)
        if not self.complete:
            return None
        meant = nearest(text, self.times)
        hint = f"did you mean {meant!r}? " if meant else ""
        names = ", ".join(self.times)
        declare = "declare it under scans:, or write a time such as 500ms"
        remedy = f"{hint}scans here: {names}; {declare}"
        return Fault(code="E501", field="scan", seen=f"no scan {text!r}", remedy=remedy)


class _Time(Block):
    time: ScanTime


def _time(text: str) -> int | Fault:
    try:
        return _Time.model_validate({"time": text}).time
    except ValidationError as error:
        detail = error.errors()[0]
        given = detail.get("ctx", {})
        return Fault(
            code=detail["type"], field="scan", seen=given["seen"], remedy=str(given["remedy"])
        )


def time_of(text: str, spot: Spot, what: str, report: Report) -> int | None:
    """The period in ms of a scan's time; None with a problem in the report."""
    found = _time(text)
    if isinstance(found, Fault):
        report.add(found.code, spot, f"{what}: {found.seen}", found.remedy)
        return None
    return found
