"""Commits: what the lanes (event loop) and the store (thread) say to each other.

Requests and answers are frozen, because two threads read them.
"""

from dataclasses import dataclass

from bridge.outbox.records import Cursor
from bridge.outbox.words import Entry, Incident, Recovery
from mappings.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Write ``records`` in their order, then ``cursor``; then unlink the ``drop`` segments.

    With ``sync`` it counts only when it is on the disk. A commit without is a cursor alone, whose
    loss means no more than repetition. Segments are named by their first number.
    """

    records: tuple[tuple[int, Batch], ...]
    cursor: Cursor
    sync: bool
    drop: tuple[int, ...] = ()
    entries: tuple[Entry, ...] = ()
    """The entries of ``records``; only the event loop touches them."""
    changes: int = 0
    """What the lanes' counter of changes stood at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of a commit; ``ok`` if all of it was done.

    ``placed`` tells which numbers are now safe in which segment; ``refused`` are the numbers of
    records too large for the outbox, which it passed over. The rest stays in memory.
    """

    ok: bool
    opened: tuple[int, ...] = ()
    placed: tuple[tuple[int, tuple[int, ...]], ...] = ()
    refused: tuple[int, ...] = ()
    evicted: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Records read back, ascending: number, batch (None: nothing of it is wanted), samples stored.

    ``missing`` are ranges of numbers that were asked for and passed, but are not there.
    """

    records: tuple[tuple[int, Batch | None, int], ...] = ()
    missing: tuple[tuple[int, int], ...] = ()
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the folder held: ``cursor`` is brought up to date with it, ``segments`` are first
    number and owed samples of each file.
    """

    cursor: Cursor
    segments: tuple[tuple[int, int], ...]
    recovery: Recovery
    incidents: tuple[Incident, ...] = ()
