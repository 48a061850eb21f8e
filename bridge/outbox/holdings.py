"""Holdings: which file holds which record numbers, and how many unsent samples. Pure.

A file is named by its first number and reaches to the first number of the next, the last one to
what is not on disk yet: ``end``, which the caller knows. What is owed the caller knows as well;
here it is only compared with what the files should still hold.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from bridge.outbox.numbers import Ranges


class Holdings:
    """The files of an outbox; ``files`` are first number and unsent samples, ascending."""

    def __init__(self, files: Iterable[tuple[int, int]] = ()) -> None:
        self._unsent = dict(files)
        """Samples of unsent backlog in each file."""
        self._firsts = list(self._unsent)

    def __len__(self) -> int:
        """How many files there are."""
        return len(self._firsts)

    @property
    def unsent(self) -> int:
        """Samples of unsent backlog in all files."""
        return sum(self._unsent.values())

    def position_of(self, number: int) -> int:
        """Which file ``number`` belongs to, counted from the oldest; -1 if it is older than all."""
        return bisect_right(self._firsts, number) - 1

    def positions(self, start: int, end: int) -> range:
        """The files to which any number of ``start <= n < end`` belongs."""
        return range(max(self.position_of(start), 0), self.position_of(end - 1) + 1)

    def begin(self, first: int) -> None:
        """A file was begun, behind all others."""
        self._firsts.append(first)
        self._unsent[first] = 0

    def add(self, first: int, samples: int) -> None:
        """Unsent samples were written to a file."""
        self._unsent[first] += samples

    def count(self, number: int, samples: int) -> int:
        """Samples of a record are unsent again, or less than 0 if taken; its file's position."""
        position = self.position_of(number)
        self._unsent[self._firsts[position]] += samples
        return position

    def settle(self, positions: Iterable[int], owed: Ranges, end: int) -> int:
        """Samples left in files of which nothing is owed any more: these were damaged."""
        damaged = 0
        for position in positions:
            first = self._firsts[position]
            if self._unsent[first] and not owed.overlaps(first, self._end_of(position, end)):
                damaged += self._unsent[first]
                self._unsent[first] = 0
        return damaged

    def droppable(self, owed: Ranges, retained: Sequence[int]) -> tuple[int, ...]:
        """Files that nobody will ask for again. Not the last: it has the latest cursor.

        ``retained`` are the numbers, ascending, of records that a rewind would ask for.
        """
        drop: list[int] = []
        for first, end in zip(self._firsts, self._firsts[1:], strict=False):
            if owed.overlaps(first, end):
                continue
            position = bisect_left(retained, first)
            if position == len(retained) or retained[position] >= end:
                drop.append(first)
        return tuple(drop)

    def drop(self, first: int) -> None:
        """A file is gone of which nothing was owed."""
        self._firsts.remove(first)
        del self._unsent[first]

    def evict(self, first: int, end: int) -> tuple[int, int]:
        """A file is gone; the number behind its last, and the unsent samples lost with it."""
        end = self._end_of(self._firsts.index(first), end)
        samples = self._unsent[first]
        self.drop(first)
        return end, samples

    def _end_of(self, position: int, end: int) -> int:
        """The number behind a file's last."""
        following = position + 1
        return self._firsts[following] if following < len(self._firsts) else end
