"""Freshness: which points has nobody read for longer than they may go unread?

Drivers speak of sets of points, the same tuples again and again, so a time is kept for each set and
not for each point, and nothing is looked at before the first of a set's deadlines.
"""

from collections.abc import Sequence
from math import inf

_MOST_SETS = 256  # of a device; what comes in ever new sets is noted point by point


class _Seen:
    """A set of points, and when it was read last (ms)."""

    __slots__ = ("deadlines", "look_ms", "members", "points", "seen_ms")

    def __init__(self, points: tuple[int, ...], limits: Sequence[int]) -> None:
        self.points = points
        self.members = frozenset(points)
        self.deadlines = sorted((limits[p], p) for p in self.members if limits[p])
        self.seen_ms = 0
        self.look_ms = inf

    def touch(self, now_ms: int) -> None:
        self.seen_ms = now_ms
        self.look_ms = now_ms + self.deadlines[0][0] if self.deadlines else inf

    def overdue(self, now_ms: int) -> list[int]:
        """Points of this set whose deadline has passed since it was asked last."""
        age = now_ms - self.seen_ms
        found = [point for limit, point in self.deadlines if limit <= age]
        later = [limit for limit, _ in self.deadlines if limit > age]
        self.look_ms = self.seen_ms + later[0] if later else inf
        return found


class Freshness:
    """When the points of one device were read; ``limits`` in ms by point, 0 for never stale."""

    __slots__ = ("_limits", "_sets", "_single")

    def __init__(self, limits: Sequence[int]) -> None:
        self._limits = limits
        self._sets: dict[int, _Seen] = {}
        self._single: dict[int, int] = {}

    def touch(self, points: tuple[int, ...], now_ms: int) -> None:
        """These points were read, or vouched for, whatever was said of them."""
        seen = self._sets.get(id(points))
        if seen is None or seen.points is not points:
            if len(self._sets) >= _MOST_SETS:
                self._single.update((p, now_ms) for p in points if self._limits[p])
                return
            seen = self._sets[id(points)] = _Seen(points, self._limits)
        seen.touch(now_ms)

    def overdue(self, now_ms: int) -> list[int]:
        """Points that have become stale since this was asked last; some may be told again."""
        found: set[int] = set()
        for seen in self._sets.values():
            if seen.look_ms <= now_ms:
                found.update(seen.overdue(now_ms))
        found.update(p for p, seen_ms in self._single.items() if self._is_over(p, seen_ms, now_ms))
        return sorted(p for p in found if self._is_over(p, self._latest(p), now_ms))

    def _is_over(self, point: int, seen_ms: int, now_ms: int) -> bool:
        return now_ms - seen_ms >= self._limits[point]

    def _latest(self, point: int) -> int:
        times = [seen.seen_ms for seen in self._sets.values() if point in seen.members]
        return (
            max(times, default=0)
            if point not in self._single
            else max(*times, self._single[point], 0)
        )
