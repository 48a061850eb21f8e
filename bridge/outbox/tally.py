"""Tally: the totals of an outbox, as they are counted, kept in cursors and told. Pure.

Each sample that was accepted and is not buffered any more is in exactly one of the others.
"""

from dataclasses import dataclass, fields
from typing import Self

from bridge.outbox.numbers import Ranges
from bridge.outbox.records import Cursor
from bridge.outbox.words import Ledger


@dataclass(slots=True, kw_only=True)
class Tally:
    """Samples since the folder was made; what each total means tells `Ledger`."""

    accepted: int = 0
    confirmed: int = 0
    evicted: int = 0
    discarded: int = 0
    quarantined: int = 0

    @classmethod
    def of(cls, cursor: Cursor) -> Self:
        """The totals that a cursor kept."""
        return cls(**{field.name: getattr(cursor, field.name) for field in fields(cls)})

    def cursor(self, following: int, owed: Ranges) -> Cursor:
        """The totals at this moment, with what is owed below the number ``following``."""
        return Cursor(next=following, owed=tuple(owed), **self._totals())

    def ledger(self, *, buffered: int, uncommitted: int, retained: int) -> Ledger:
        """The totals, and where the samples are that are still in the outbox."""
        totals = self._totals()
        return Ledger(buffered=buffered, uncommitted=uncommitted, retained=retained, **totals)

    def _totals(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}
