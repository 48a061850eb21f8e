"""The outbox: the asyncio shell around `Lanes` (pure) and `Store` (files, on one thread).

Everything but `open`, `take_backlog` and `close` is synchronous and runs on the event loop. The
contract (what survives what) and the format of the files are in the folder's README.
"""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bridge.outbox.commits import Commit, Committed, Found
from bridge.outbox.files import File, Files, OsFiles
from bridge.outbox.lanes import Lanes
from bridge.outbox.moves import Moves
from bridge.outbox.store import Store
from bridge.outbox.words import (
    Entry,
    Extent,
    Incident,
    Ledger,
    Limits,
    OutboxLocked,
    PointKey,
    Recovery,
)
from bridge.outbox.worker import Worker
from mappings.batch import Batch

__all__ = [
    "Entry",
    "Extent",
    "Incident",
    "Ledger",
    "Limits",
    "Outbox",
    "OutboxLocked",
    "PointKey",
    "Recovery",
]

_CLOSE_TIMEOUT_S = 10.0


class Outbox:
    """The durable log of one destination; one user, on one event loop.

    ``keys[device][point index]`` is what identifies a point in the files; device ``""`` is the
    edge node itself. ``max_size`` (bytes, 64 KiB at least) bounds all files of ``folder``
    together. ``monotonic_ms`` is the clock of intervals; ``report`` is called on the loop.
    With ``strict`` nothing is given to send before it is on the disk.
    """

    def __init__(
        self,
        folder: Path,
        keys: Mapping[str, Sequence[PointKey]],
        *,
        max_size: int,
        monotonic_ms: Callable[[], int],
        report: Callable[[Incident], None],
        limits: Limits | None = None,
        strict: bool = False,
        files: Files | None = None,
    ) -> None:
        self.folder = folder
        self._keys = keys
        self._files = files or OsFiles()
        self.max_size = max_size
        self._store = Store(folder, keys, max_size=max_size, files=self._files)
        self._lanes = Lanes(limits or Limits(), strict=strict)
        self._monotonic_ms = monotonic_ms
        self._report = report
        self._checked: dict[str, tuple[int, ...]] = {}
        """The last points of each device that were found to be known."""
        self._lock: File | None = None
        self._worker: Worker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms = 0
        self._committing: asyncio.Event = asyncio.Event()
        """Set while no commit is under way."""
        self._committing.set()
        self._failure: BaseException | None = None
        self._closed = False
        self.wake = asyncio.Event()
        """Set when something may have become sendable: by `append`, `split`, `rewind`, and
        by commits. The user clears it before it looks."""

    async def open(self) -> Recovery:
        """Lock the folder, recover what it holds and start the commit thread.

        Raises `OutboxLocked` if another process has it, OSError if the folder cannot be made or
        listed. Damage never raises: it is counted, quarantined and reported.
        """
        self._lock = self._files.lock(self.folder)
        self._worker = Worker(f"outbox-{self.folder.name}")
        try:
            opened = await self._worker.run(self._store.open)
        except BaseException:
            self._release()
            raise
        self._lanes.restore(opened)
        for incident in opened.incidents:
            self._report(incident)
        self._arm()
        return opened.recovery

    # --- the event loop's side --------------------------------------------------------------

    def append(self, batch: Batch) -> int:
        """Take a batch; returns its record number. Wakes waiters.

        KeyError or IndexError if ``keys`` does not know the device or a point of it: a bug of
        the caller, found here rather than on the commit thread.
        """
        self._check_failure()
        if batch.points is not self._checked.get(batch.device):  # a poll's points never change
            if batch.points and max(batch.points) >= len(self._keys[batch.device]):
                raise IndexError(f"point {max(batch.points)} of {batch.device!r} is not known")
            self._checked[batch.device] = batch.points
        number = self._lanes.append(batch, self._monotonic_ms())
        self._moved()
        return number

    def rekey(self, keys: Mapping[str, Sequence[PointKey]]) -> None:
        """The plant has changed: points are known by these keys, in batches too, from now on.

        What is buffered follows: a renamed point keeps its samples, those of one that is gone or
        has another data type are discarded and counted.
        """
        moves = Moves(self._keys, keys)
        self._keys = keys
        self._checked.clear()
        self._lanes.rekey(moves)
        if self._worker:

            def done(result: BaseException | None) -> None:
                self._failure = result or self._failure

            self._worker.submit(lambda: self._store.rekey(keys), done)
        self._moved()

    def split(self) -> None:
        """A birth: everything owed and unsent becomes backlog; what is in flight stays."""
        self._lanes.split(self._monotonic_ms())
        self._moved()

    def rewind(self) -> None:
        """Link, broker or host lost: in flight, retained and unsent are owed again as backlog.

        The split is done at once. Entries taken before are dead: handing them back has no effect.
        """
        self._lanes.rewind(self._monotonic_ms())
        self._moved()

    def take_live(self, sendable: Container[str], max_samples: int) -> list[Entry]:
        """Move the oldest live entries to in flight, up to ``max_samples``, at least one.

        Entries of devices not in ``sendable`` stay in the lane without blocking others. With
        ``strict`` only committed ones are given.
        """
        self._check_failure()
        entries = self._lanes.take_live(sendable, max_samples, self._monotonic_ms())
        self._arm()
        return entries

    async def take_backlog(self, max_samples: int) -> list[Entry]:
        """Move the oldest backlog to in flight, up to ``max_samples``, at least one if any.

        In the order of record numbers. What is committed is read from disk on the thread; may be
        empty although `backlog_samples` is not 0: damage was passed over, or ``strict`` waits
        for a commit. If the call is cancelled, nothing was taken.
        """
        self._check_failure()
        ranges = self._lanes.ranges_to_read()
        taken: list[Entry] = []
        while ranges and not taken:
            keys = self._keys
            found = await self._read(ranges, max_samples)
            if keys is not self._keys:  # read with keys of before: read again
                self._lanes.incidents += found.incidents
                ranges = self._lanes.ranges_to_read()
                continue
            taken = self._lanes.take_found(found)
            ranges = self._lanes.ranges_to_read() if found.missing else []
        room = max_samples - sum(map(len, taken))
        if room > 0 and not self._lanes.ranges_to_read():
            taken += self._lanes.take_memory(room)
        self._moved(wake=False)
        return taken

    async def _read(self, ranges: list[tuple[int, int]], max_samples: int) -> Found:
        assert self._worker, "the outbox is not open"
        return await self._worker.run(lambda: self._store.read(ranges, max_samples))

    def confirm(self, entries: Sequence[Entry]) -> None:
        """Fenced: the broker has read them. Retained for the overlap, then forgotten."""
        self._lanes.confirm(entries, self._monotonic_ms())
        self._moved(wake=False)

    def take_overdue(self) -> dict[str, set[int]]:
        """The points, by device, whose unsent live values became backlog without a birth.

        By the live limit: the edge node sends their current values once as live. Cleared by
        asking, by `split` and by `rewind`.
        """
        return self._lanes.take_overdue()

    @property
    def backlog_samples(self) -> int:
        """Unsent backlog."""
        return self._lanes.backlog_samples

    @property
    def live_samples(self) -> int:
        """Unsent live samples."""
        return self._lanes.live_samples

    @property
    def next_number(self) -> int:
        """The number that the next record will get."""
        return self._lanes.next

    @property
    def ledger(self) -> Ledger:
        """Where every sample went."""
        return self._lanes.ledger

    async def extent(self) -> Extent:
        """What it takes up, and how old the oldest is that waits; waits for the thread."""
        assert self._worker, "the outbox is not open"
        ranges = self._lanes.ranges_to_read()
        extent = await self._worker.run(lambda: self._store.extent(ranges))
        waiting = self._lanes.oldest_in_memory_ms
        oldest = [time_ms for time_ms in (extent.oldest_ms, waiting) if time_ms is not None]
        return replace(extent, oldest_ms=min(oldest, default=None))

    # --- commits ----------------------------------------------------------------------------

    def _check_failure(self) -> None:
        """A bug on the thread stops whoever goes on using the outbox; restarting is harmless."""
        if self._failure:
            raise RuntimeError("the outbox's commit thread failed") from self._failure

    def _moved(self, *, wake: bool = True) -> None:
        if wake:
            self.wake.set()
        self._arm()
        self._report_incidents()

    def _report_incidents(self) -> None:
        while self._lanes.incidents:
            self._report(self._lanes.incidents.pop(0))

    def _arm(self) -> None:
        """Be called when the next commit is due, unless one is under way."""
        if self._closed or self._worker is None or not self._committing.is_set():
            return
        due = self._lanes.due_ms()
        if due is None or (self._timer and self._timer_due_ms <= due):
            return
        if self._timer:
            self._timer.cancel()
        delay = max(due - self._monotonic_ms(), 0) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)
        self._timer_due_ms = due

    def _on_timer(self) -> None:
        self._timer = None
        self._start_commit(self._lanes.begin_commit(self._monotonic_ms()))
        self._arm()
        self._report_incidents()

    def _start_commit(self, commit: Commit | None) -> None:
        if commit is None or self._worker is None:
            return
        self._committing.clear()

        def done(result: Committed | BaseException) -> None:
            self._committing.set()
            if isinstance(result, BaseException):
                self._failure = result
            else:
                self._lanes.finish_commit(commit, result, self._monotonic_ms())
            self._moved()

        self._worker.submit(lambda: self._store.commit(commit), done)

    async def close(self) -> None:
        """Commit everything unconfirmed and the cursor, sync, unlock; at most 10 s.

        A disk that does not answer in that time is reported, and left behind.
        """
        if self._worker is None:
            return
        if self._timer:
            self._timer.cancel()
            self._timer = None
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._committing.wait()
                self._closed = True
                self._start_commit(self._lanes.begin_commit(self._monotonic_ms(), final=True))
                await self._committing.wait()
                await self._worker.run(self._store.close)
        except TimeoutError:
            uncommitted = self._lanes.ledger.uncommitted
            self._report(
                Incident(
                    code="outbox-close-timeout",
                    what=f"the disk did not answer within {_CLOSE_TIMEOUT_S:.0f} s; "
                    f"{uncommitted} samples in memory may not be on it",
                    where=str(self.folder),
                    remedy="check the disk (dmesg, smartctl)",
                )
            )
        finally:
            self._closed = True
            self._report_incidents()
            self._release()

    def _release(self) -> None:
        if self._worker:
            self._worker.stop()
            self._worker = None
        if self._lock:
            self._lock.close()
            self._lock = None
