"""Ranges: a set of record numbers, kept as sorted half-open ranges.

What a destination owes is such a set. It stays small because records are sent in order, however
long the backlog is. Pure.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of integers; bounds are ``start`` inclusive, ``end`` exclusive.

    Held as one flat sorted list ``[start, end, start, end, ...]``, so that bisecting it tells at
    once whether a number is inside (odd position) or outside (even).
    """

    __slots__ = ("_bounds",)

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._bounds: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        bounds = self._bounds
        return ((bounds[i], bounds[i + 1]) for i in range(0, len(bounds), 2))

    def __contains__(self, number: int) -> bool:
        return bisect_right(self._bounds, number) % 2 == 1

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"

    @property
    def first(self) -> int:
        """The smallest number; IndexError when empty."""
        return self._bounds[0]

    def add(self, start: int, end: int) -> None:
        """Put ``start <= n < end`` in; numbers that are already there do no harm."""
        bounds = self._bounds
        if start >= end:
            return
        if bounds and start == bounds[-1]:  # the common case: growing at the end
            bounds[-1] = end
            return
        low = bisect_left(bounds, start)
        high = bisect_right(bounds, end)
        # An even position is a gap: the new bound stays; an odd one is inside a range already.
        bounds[low:high] = ([start] if low % 2 == 0 else []) + ([end] if high % 2 == 0 else [])

    def remove(self, start: int, end: int) -> None:
        """Take ``start <= n < end`` out."""
        bounds = self._bounds
        if start >= end:
            return
        low = bisect_left(bounds, start)
        high = bisect_right(bounds, end)
        bounds[low:high] = ([start] if low % 2 == 1 else []) + ([end] if high % 2 == 1 else [])

    def overlaps(self, start: int, end: int) -> bool:
        """Whether any number of ``start <= n < end`` is in the set."""
        if start >= end:
            return False
        low = bisect_right(self._bounds, start)
        return low % 2 == 1 or bisect_left(self._bounds, end) > low

    def covers(self, start: int, end: int) -> bool:
        """Whether every number of ``start <= n < end`` is in the set."""
        low = bisect_right(self._bounds, start)
        return start >= end or (low % 2 == 1 and self._bounds[low] >= end)

    def clip(self, start: int, end: int, limit: int = 0) -> list[tuple[int, int]]:
        """The parts of the set within ``start <= n < end``, at most ``limit`` of them if given."""
        bounds = self._bounds
        parts: list[tuple[int, int]] = []
        position = bisect_right(bounds, start)
        position -= position % 2
        while position < len(bounds) and bounds[position] < end:
            low, high = max(bounds[position], start), min(bounds[position + 1], end)
            if low < high:
                parts.append((low, high))
                if len(parts) == limit:
                    break
            position += 2
        return parts

    def copy(self) -> "Ranges":
        """An independent copy."""
        other = Ranges()
        other._bounds = self._bounds.copy()
        return other


def ranges_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges."""
    ranges: list[tuple[int, int]] = []
    start = end = -1
    for number in numbers:
        if number == end:
            end += 1
        else:
            if end > start:
                ranges.append((start, end))
            start, end = number, number + 1
    if end > start:
        ranges.append((start, end))
    return ranges
