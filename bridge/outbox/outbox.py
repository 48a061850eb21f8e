"""The outbox: the asyncio shell around lanes (pure) and store (files, on one thread).

Everything but `open`, `take_backlog` and `close` is synchronous and runs on the event loop.
"""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

from bridge.outbox.words import Entry, Incident, Ledger, OutboxLocked, PointKey, Recovery
from mappings.batch import Batch

__all__ = ["Entry", "Incident", "Ledger", "Outbox", "OutboxLocked", "PointKey", "Recovery"]


class Outbox:
    """The durable log of one destination."""

    wake: asyncio.Event
    """Set by `append`, and by commits and splits that make something sendable; the user clears."""

    def __init__(
        self,
        folder: Path,
        keys: Mapping[str, Sequence[PointKey]],
        *,
        max_size: int,
        monotonic_ms: Callable[[], int],
        report: Callable[[Incident], None],
        commit_interval_ms: int = 50,
        overlap_ms: int = 5000,
        live_limit_ms: int = 5000,
        strict: bool = False,
    ) -> None:
        raise NotImplementedError

    async def open(self) -> Recovery:
        """Lock the folder, recover what it holds, start the commit thread."""
        raise NotImplementedError

    def append(self, batch: Batch) -> int:
        """Take a batch; returns its record number. Wakes waiters."""
        raise NotImplementedError

    def split(self) -> None:
        """A birth: everything owed and unsent becomes backlog; what is in flight stays."""
        raise NotImplementedError

    def rewind(self) -> None:
        """Link, broker or host lost: in flight, retained and unsent are all owed as backlog."""
        raise NotImplementedError

    def take_live(self, sendable: Container[str], max_samples: int) -> list[Entry]:
        """Move the oldest live entries of the ``sendable`` devices to in flight."""
        raise NotImplementedError

    async def take_backlog(self, max_samples: int) -> list[Entry]:
        """Move the oldest backlog to in flight, reading the disk on the thread."""
        raise NotImplementedError

    def confirm(self, entries: Sequence[Entry]) -> None:
        """Fenced: the broker has read them."""
        raise NotImplementedError

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Taken, but not published: unsent again, at their places."""
        raise NotImplementedError

    def discard(self, entries: Sequence[Entry]) -> None:
        """Never to be sent; counted as discarded."""
        raise NotImplementedError

    def take_overdue(self) -> dict[str, set[int]]:
        """The points, by device, whose unsent live values the live limit made backlog.

        The edge node sends their current values once as live. Cleared by asking, by `split` and
        by `rewind`.
        """
        raise NotImplementedError

    @property
    def backlog_samples(self) -> int:
        """Unsent backlog."""
        raise NotImplementedError

    @property
    def live_samples(self) -> int:
        """Unsent live samples."""
        raise NotImplementedError

    @property
    def ledger(self) -> Ledger:
        """Where every sample went."""
        raise NotImplementedError

    async def close(self) -> None:
        """Commit everything unconfirmed, sync, unlock; bounded time."""
        raise NotImplementedError
