"""Scanning: when is which poll due?

A `Timetable` is pure: time is a parameter (milliseconds of any clock that never jumps). Due times
are absolute, so a slow answer delays one poll and not all that follow. A poll that was missed
altogether is skipped and counted, never made up for: two polls in a row say nothing new.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Timetable(Generic[Key]):
    """Polls by their key, each with its period; all are due at once at the start."""

    def __init__(self, periods_ms: Mapping[Key, int], now_ms: int) -> None:
        if min(periods_ms.values(), default=1) <= 0:
            raise ValueError("a period is above 0")
        self._periods_ms = dict(periods_ms)
        self._due_ms = dict.fromkeys(self._periods_ms, now_ms)
        self.skipped = 0
        """How many polls were skipped because the one before took too long."""

    def next(self) -> tuple[Key, int] | None:
        """The poll that has been due longest, or is due next, and when that is."""
        if not self._due_ms:
            return None
        key = min(self._due_ms, key=self._due_ms.__getitem__)
        return key, self._due_ms[key]

    def done(self, key: Key, now_ms: int) -> int:
        """Set the next due time of a poll that has just been done; how many were skipped."""
        period_ms = self._periods_ms[key]
        skipped = max(0, now_ms - self._due_ms[key]) // period_ms
        self._due_ms[key] += (skipped + 1) * period_ms
        self.skipped += skipped
        return skipped

    def postpone(self, key: Key, until_ms: int) -> None:
        """Let a poll be due at ``until_ms`` instead; its period begins again there."""
        self._due_ms[key] = until_ms
