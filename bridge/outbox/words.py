"""The words of an outbox and its user: limits, point key, entry, ledger, incident, recovery.

Nothing here acts. The outbox reports what people must know as `Incident`; it never logs itself.
"""

from dataclasses import dataclass

from mappings.batch import Batch
from mappings.datatypes import DataType


@dataclass(frozen=True, slots=True)
class PointKey:
    """What identifies a point in buffered records: its persistent id and its data type.

    ``keys[device][point index]`` is the key of a point; device ``""`` is the edge node itself.
    """

    id: str
    datatype: DataType


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long, and how much: intervals in milliseconds, amounts in samples.

    ``live_limit_ms`` is the age from which unsent live records become backlog; ``overlap_ms`` how
    long a confirmed record is retained for a resend, ``retained_limit`` how many of them at most.
    ``memory_limit`` bounds what waits in memory while the disk takes no writes.
    """

    commit_interval_ms: int = 50
    overlap_ms: int = 5000
    live_limit_ms: int = 5000
    memory_limit: int = 500_000
    retained_limit: int = 500_000


@dataclass(slots=True, eq=False)
class Entry:
    """One record that was taken from a lane; handed back to `confirm`.

    ``number`` is a position in the log, not an identity: a split may move it. ``historical`` says
    that it came from the backlog. The object itself is the identity: after `rewind` the entries
    taken before it are dead, and handing one back has no effect.
    """

    number: int
    batch: Batch
    historical: bool = False
    stored: bool = False
    """A copy under this number is on disk."""
    since_ms: int = 0
    """Monotonic time of append, later of confirmation."""
    filtered: int = 0
    """Samples of the stored record that are discarded, as their points are gone or retyped."""
    passed: int = 0
    """Such samples that were confirmed before their points went."""

    def __len__(self) -> int:
        return len(self.batch.points)

    def become(self, batch: Batch, *, confirmed: bool) -> int:
        """Tell the same by other points; how many samples are gone with theirs."""
        lost = len(self) - len(batch)
        self.batch = batch
        if confirmed:
            self.passed += lost
        elif self.stored:
            self.filtered += lost
        return lost

    def reach_disk(self, samples: int) -> None:
        """A copy is on disk, of so many samples."""
        self.stored = True
        left_out = samples - len(self)
        self.passed = min(self.passed, left_out)
        self.filtered = left_out - self.passed

    def leave_disk(self) -> None:
        """The copy on disk is not of use any more."""
        self.stored = False
        self.filtered = self.passed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where every sample went, in samples, since the folder was made (as far as it was written).

    ``accepted == confirmed + buffered + evicted + discarded + quarantined``, always. ``buffered``
    is unsent or in flight; ``uncommitted`` is the part of it that only memory holds, at most about
    one commit interval on a healthy disk. ``retained`` is the part of ``confirmed`` that a link
    loss would send again.
    """

    accepted: int = 0
    confirmed: int = 0
    buffered: int = 0
    evicted: int = 0
    discarded: int = 0
    quarantined: int = 0
    uncommitted: int = 0
    retained: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that people must know: what happened, where, and the way out.

    ``code`` is one of ``outbox-evicted``, ``outbox-memory-full``, ``outbox-disk-full``,
    ``outbox-write-failed``, ``outbox-recovered``, ``outbox-damaged``, ``outbox-discarded``,
    ``outbox-close-timeout``.
    """

    code: str
    what: str
    where: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What `open` found. Counts are samples, except where the name says otherwise.

    ``torn_bytes`` is the unfinished end of a write that a crash cut off; it was never accepted.
    ``evicted`` and ``quarantined`` are what this opening added to the ledger.
    """

    buffered: int = 0
    segments: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    evicted: int = 0
    quarantined: int = 0
    quarantined_files: tuple[str, ...] = ()
    cursor_found: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What an outbox takes up: bytes and segments on the disk, and the time of its oldest sample.

    ``oldest_ms`` is None when nothing waits, or nobody can say.
    """

    bytes: int
    segments: int
    oldest_ms: int | None = None


class OutboxLocked(Exception):  # noqa: N818 - it names a state, not a mistake
    """Another process has the folder open; ``str(error)`` is one line for people."""
