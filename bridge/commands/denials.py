"""Denials of a second, told as one: a flood of them costs as much as one a second; pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.commands.words import Command, Denied, plain

_PERIOD_MS = 1_000
_TOLD = 5  # in full, of a source and second
LONGEST = 200
"""Characters of what a sender chose."""


@dataclass(slots=True)
class _Second:
    until_ms: int
    counts: Counter[str] = field(default_factory=Counter)
    told: list[Mapping[str, Any]] = field(default_factory=list)


class Denials:
    """What was denied, by source; collected for a second from the first one on."""

    def __init__(self) -> None:
        self._open: dict[str, _Second] = {}

    def add(self, source: str, denial: Mapping[str, Any], now_ms: int) -> None:
        """Count a denial."""
        second = self._open.get(source)
        if second is None:
            second = self._open[source] = _Second(now_ms + _PERIOD_MS)
        second.counts[str(denial["refused"])] += 1
        if len(second.told) < _TOLD:
            second.told.append(denial)

    def due(self, now_ms: int | None) -> list[dict[str, Any]]:
        """The records of seconds that are over; of all, if ``now_ms`` is None."""
        over = [
            s for s, second in self._open.items() if now_ms is None or now_ms >= second.until_ms
        ]
        return [_record(source, self._open.pop(source)) for source in over]


def _record(source: str, second: _Second) -> dict[str, Any]:
    return {
        "what": "denied", "from": source, "count": sum(second.counts.values()),
        "refused": dict(second.counts), "first": second.told,
    }  # fmt: skip


def denial_of(command: Command, denied: Denied) -> dict[str, Any]:
    """One denial as logs and results tell it; what its sender chose is cut short."""
    value = plain(command.metric.value)
    return {
        "metric": command.called[:LONGEST],
        "value": value[:LONGEST] if isinstance(value, str) else value,
        "id": command.correlation[:LONGEST],
        "refused": denied.refusal.value,
        "why": denied.why[:LONGEST],
    }
