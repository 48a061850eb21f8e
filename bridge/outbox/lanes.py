"""Lanes: what is owed, in flight, retained and not yet committed, and how it moves. Pure.

Every batch gets a record number when it arrives; numbers ascend for ever. Below `live_from` is
the backlog, from there on the live lane.

* A record below ``live_from`` is always written, even if it is confirmed first; so a rewind just
  returns its number to what is owed.
* A live record that is confirmed before its commit is never written. If one of those has to be
  sent again (rewind), or unsent records behind it become backlog (split), all of the live side
  moves to new numbers at the end, in its order: order on disk is always order of numbers.

The caller carries out what `begin_commit` and `ranges_to_read` ask for, on another thread, and
brings the answers back in the order in which the thread gave them.
"""

from collections import deque
from collections.abc import Container, Iterable, Sequence

from bridge.outbox.commits import Commit, Committed, Found, Opened
from bridge.outbox.holdings import Holdings
from bridge.outbox.moves import Moves
from bridge.outbox.numbers import Ranges, ranges_of
from bridge.outbox.tally import Tally
from bridge.outbox.words import Entry, Incident, Ledger, Limits
from mappings.batch import Batch

CURSOR_INTERVAL_MS = 1000
RETRY_MS = 1000
_RANGES_AT_ONCE = 64
_MOST_PENDING_SEARCHED = 20_000


class Lanes:
    """All state of an outbox on the event loop's side; ``now`` is monotonic milliseconds."""

    def __init__(self, limits: Limits, *, strict: bool = False) -> None:
        self._limits = limits
        self._strict = strict

        self.next = 0
        self.live_from = 0
        self._owed = Ranges()
        """Unsent backlog, on disk or in ``_pending``."""
        self._live: deque[Entry] = deque()
        self._in_flight: dict[int, Entry] = {}
        self._retained: deque[tuple[int, Entry]] = deque()
        """Until when, and what; ascending in time."""
        self._pending: dict[int, Entry] = {}
        """Not on disk and to be written; ascending in number, all above what is on disk."""
        self._holdings = Holdings()
        self._overdue: dict[str, set[int]] = {}

        self.backlog_samples = 0
        self.live_samples = 0
        self._in_flight_samples = 0
        self._retained_samples = 0
        self._pending_samples = 0
        self._tally = Tally()
        self._restored = Tally()
        """The totals at the beginning."""

        self._changes = 0
        """Counts everything that makes the cursor on disk out of date."""
        self._written_changes = 0
        self._last_commit_ms = -(1 << 62)
        self._last_cursor_ms = -(1 << 62)
        self._not_before_ms = -(1 << 62)
        self._memory_full = False
        self._discarding = False
        """Whether it was told, since the points changed last."""
        self.incidents: list[Incident] = []
        """For the shell to report; it empties the list."""

    def restore(self, opened: Opened) -> None:
        """Begin where the folder says; numbers go on in a new generation of 2**32.

        So they ascend for ever although numbers of confirmed records are never written.
        """
        cursor = opened.cursor
        self.next = self.live_from = ((cursor.next >> 32) + 1) << 32
        self._owed = Ranges(cursor.owed)
        self._holdings = Holdings(opened.segments)
        self.backlog_samples = self._holdings.unsent
        self._tally = Tally.of(cursor)
        self._restored = Tally.of(cursor)
        if self._holdings:
            self._changes += 1  # the first cursor of this run lets drained segments go

    @property
    def ledger(self) -> Ledger:
        """Where every sample went."""
        return self._tally.ledger(
            buffered=self.backlog_samples + self.live_samples + self._in_flight_samples,
            uncommitted=self._pending_samples,
            retained=self._retained_samples,
        )

    @property
    def oldest_in_memory_ms(self) -> int | None:
        """The time of the oldest sample that waits and is in memory; None if there is none."""
        first_owed = self._pending.get(self._owed.first) if self._owed else None
        waiting = (first_owed, next(iter(self._in_flight.values()), None), *list(self._live)[:1])
        times = [min(entry.batch.times_ms) for entry in waiting if entry]
        return min(times, default=None)

    # --- arriving ---------------------------------------------------------------------------

    def append(self, batch: Batch, now: int) -> int:
        """Take a batch into the live lane; its record number."""
        number = self.next
        self.next += 1
        samples = len(batch.points)
        if samples:
            entry = Entry(number, batch, since_ms=now)
            self._live.append(entry)
            self._pend(entry)
            self.live_samples += samples
            self._tally.accepted += samples
        self.tidy(now)
        return number

    def tidy(self, now: int) -> None:
        """Forget what is retained long enough, split a late live lane, keep memory bounded."""
        self._forget(now)
        if self._live and (
            now - self._live[0].since_ms > self._limits.live_limit_ms
            or self.live_samples > self._limits.memory_limit
        ):
            for entry in self._live:
                self._overdue.setdefault(entry.batch.device, set()).update(entry.batch.points)
            self._split()
        if self._pending_samples > self._limits.memory_limit:
            self._evict_from_memory()

    def rekey(self, moves: Moves) -> None:
        """Points of some devices have other indexes from now on, or are gone.

        What is in memory follows at once, what is on disk when it is read. Samples of points that
        are gone are discarded, unless they were confirmed.
        """
        retained = [entry for _, entry in self._retained]
        known = set(map(id, retained))
        held = (*self._live, *self._in_flight.values(), *retained, *self._pending.values())
        self._discarding = False
        for entry in {id(entry): entry for entry in held}.values():
            confirmed = id(entry) in known
            lost = entry.become(moves.of(entry.batch), confirmed=confirmed)
            self._discard(0 if confirmed else lost)
            if entry.number in self._owed:
                self.backlog_samples -= lost
                if not entry:
                    self._owed.remove(entry.number, entry.number + 1)
        self._live = deque(entry for entry in self._live if entry)
        self._in_flight = {number: entry for number, entry in self._in_flight.items() if entry}
        self._retained = deque((until, entry) for until, entry in self._retained if entry)
        self._pending = {number: entry for number, entry in self._pending.items() if entry}
        self.live_samples = sum(map(len, self._live))
        self._in_flight_samples = sum(map(len, self._in_flight.values()))
        self._retained_samples = sum(len(entry) for _, entry in self._retained)
        self._pending_samples = sum(map(len, self._pending.values()))
        for device in moves.devices:
            self._overdue.pop(device, None)
        self._changes += 1

    def take_overdue(self) -> dict[str, set[int]]:
        """Points whose unsent live values became backlog without a birth, by device.

        With ``strict`` a point waits as long as memory alone holds a value of it: its present must
        not be told before it is on disk, nor ahead of older values that still wait for that.
        """
        if self._strict and self._pending_samples > _MOST_PENDING_SEARCHED:
            return {}  # the disk is far behind; this is asked often
        overdue, self._overdue = self._overdue, {}
        if self._strict and overdue:
            for entry in self._pending.values():
                points = overdue.get(entry.batch.device, set())
                if waiting := points.intersection(entry.batch.points):
                    self._overdue.setdefault(entry.batch.device, set()).update(waiting)
                    points -= waiting
        return {device: points for device, points in overdue.items() if points}

    # --- between the lanes ------------------------------------------------------------------

    def split(self, now: int) -> None:
        """A birth: what is unsent becomes backlog, what is in flight stays."""
        self._forget(now)
        self._overdue.clear()
        self._split()

    def _split(self) -> None:
        if not self._live:
            return
        live_side = [entry for _, entry in self._retained if entry.number >= self.live_from]
        live_side += [e for e in self._in_flight.values() if e.number >= self.live_from]
        live_side += self._live
        if self._has_holes(live_side):
            for entry in _in_order(live_side):
                if self._in_flight.pop(entry.number, None):
                    self._in_flight[self.next] = entry
                self._renumber(entry)
        for entry in self._live:
            self._owe(entry)
        self._live.clear()
        self.live_samples = 0
        self.live_from = self.next

    def rewind(self, now: int) -> None:
        """The link is lost: in flight, retained and unsent are owed again, all as backlog."""
        self._forget(now)
        self._overdue.clear()
        retained = [entry for _, entry in self._retained]
        flying = list(self._in_flight.values())
        self._retained.clear()
        self._in_flight.clear()
        self._tally.confirmed -= self._retained_samples
        self._retained_samples = self._in_flight_samples = 0

        for again, entries in ((True, retained), (False, flying)):
            for entry in entries:
                if entry.number >= self.live_from:
                    continue
                if entry.stored or entry.number in self._pending:
                    self._owe(entry)
                elif again:  # its segment was evicted; it had been confirmed, and stays so
                    self._tally.confirmed += len(entry)
                else:
                    self._tally.evicted += len(entry)

        live_side = [e for e in (*retained, *flying) if e.number >= self.live_from]
        live_side += self._live
        self._live.clear()
        self.live_samples = 0
        live_side = _in_order(live_side)
        if self._has_holes(live_side):
            for entry in live_side:
                self._renumber(entry)
        for entry in live_side:
            self._owe(entry)
        # Whoever still holds an entry from before must not be able to confirm it.
        for number, entry in self._pending.items():
            self._pending[number] = Entry(
                number, entry.batch, since_ms=entry.since_ms, passed=entry.passed
            )
        self.live_from = self.next
        self._changes += 1

    def _has_holes(self, entries: Iterable[Entry]) -> bool:
        """Whether any is neither on disk nor to be written under its number."""
        return any(not entry.stored and entry.number not in self._pending for entry in entries)

    def _renumber(self, entry: Entry) -> None:
        if self._pending.pop(entry.number, None):
            self._pending_samples -= len(entry)
        entry.number = self.next
        entry.leave_disk()
        self.next += 1
        self._pend(entry)

    def _pend(self, entry: Entry) -> None:
        self._pending[entry.number] = entry
        self._pending_samples += len(entry)

    def _unpend(self, number: int) -> Entry | None:
        entry = self._pending.pop(number, None)
        if entry:
            self._pending_samples -= len(entry)
        return entry

    def _owe(self, entry: Entry) -> None:
        """Unsent backlog again, or for the first time; what is read back is filtered once more."""
        self._owed.add(entry.number, entry.number + 1)
        self.backlog_samples += len(entry)
        if entry.stored:
            self._owe_left_out(entry)
            self._holdings.count(entry.number, len(entry) + entry.filtered + entry.passed)

    def _owe_left_out(self, entry: Entry) -> None:
        """What a stored record has besides is owed with it, and discarded when it is read."""
        self.backlog_samples += entry.filtered + entry.passed
        self._tally.discarded -= entry.filtered
        self._tally.confirmed -= entry.passed

    # --- leaving ----------------------------------------------------------------------------

    def take_live(self, sendable: Container[str], max_samples: int, now: int) -> list[Entry]:
        """The oldest live entries of ``sendable`` devices, at least one if there is any."""
        self.tidy(now)
        taken: list[Entry] = []
        waiting: list[Entry] = []
        room = max_samples
        while self._live and room > 0:
            entry = self._live[0]
            samples = len(entry)
            if self._strict and not entry.stored:
                break
            if entry.batch.device not in sendable:
                waiting.append(self._live.popleft())
                continue
            if samples > room and taken:
                break
            taken.append(self._live.popleft())
            room -= samples
        self._live.extendleft(reversed(waiting))
        for entry in taken:
            self._fly(entry)
            self.live_samples -= len(entry)
        return taken

    def _fly(self, entry: Entry) -> None:
        self._in_flight[entry.number] = entry
        self._in_flight_samples += len(entry)

    def ranges_to_read(self) -> list[tuple[int, int]]:
        """The first owed ranges that are on disk; empty if memory has the oldest, or nobody."""
        if not self._owed:
            return []
        return self._owed.clip(self._owed.first, self._stored_end, _RANGES_AT_ONCE)

    @property
    def _stored_end(self) -> int:
        """The number behind all that is on disk."""
        return next(iter(self._pending), self.next)

    def take_found(self, found: Found) -> list[Entry]:
        """What was read back moves to in flight; what is missing leaves what is owed."""
        self.incidents += found.incidents
        taken: list[Entry] = []
        touched: set[int] = set()
        for number, batch, stored in found.records:
            if number not in self._owed:
                continue  # evicted, or moved by a rewind, while it was being read
            self._owed.remove(number, number + 1)
            self.backlog_samples -= stored
            touched.add(self._holdings.count(number, -stored))
            wanted = len(batch) if batch else 0
            self._discard(stored - wanted)
            self._changes += 1
            if batch:
                entry = Entry(number, batch, historical=True, stored=True, filtered=stored - wanted)
                self._fly(entry)
                taken.append(entry)
        for start, end in found.missing:
            self._owed.remove(start, end)
            touched.update(self._holdings.positions(start, end))
            self._changes += 1
        damaged = self._holdings.settle(touched, self._owed, self._stored_end)
        self._tally.quarantined += damaged
        self.backlog_samples -= damaged
        return taken

    def take_memory(self, max_samples: int) -> list[Entry]:
        """The oldest backlog, as long as it is in memory."""
        taken: list[Entry] = []
        room = max_samples
        while self._owed and room > 0 and not self._strict:
            entry = self._pending.get(self._owed.first)
            if entry is None or (taken and len(entry) > room):
                break
            entry.historical = True
            self._owed.remove(entry.number, entry.number + 1)
            self.backlog_samples -= len(entry)
            self._fly(entry)
            taken.append(entry)
            room -= len(entry)
        return taken

    # --- what became of it ------------------------------------------------------------------

    def _landed(self, entries: Sequence[Entry]) -> list[Entry]:
        """Of these, the ones in flight, which they now are no more."""
        landed: list[Entry] = []
        for entry in entries:
            if self._in_flight.get(entry.number) is entry:
                del self._in_flight[entry.number]
                self._in_flight_samples -= len(entry)
                self._changes += entry.stored
                landed.append(entry)
        return landed

    def confirm(self, entries: Sequence[Entry], now: int) -> None:
        """The broker has read them: retained for the overlap, then forgotten."""
        for entry in self._landed(entries):
            samples = len(entry)
            self._tally.confirmed += samples
            if entry.number >= self.live_from:
                self._unpend(entry.number)
            self._retained.append((now + self._limits.overlap_ms, entry))
            self._retained_samples += samples
        self._forget(now)

    def _forget(self, now: int) -> None:
        while self._retained and (
            self._retained[0][0] <= now or self._retained_samples > self._limits.retained_limit
        ):
            _, entry = self._retained.popleft()
            self._retained_samples -= len(entry)
            self._unpend(entry.number)

    def _evict_from_memory(self) -> None:
        """The disk does not take what arrives: the oldest unsent records go, counted."""
        self._split()
        evicted = 0
        for number, entry in list(self._pending.items()):
            if self._pending_samples <= self._limits.memory_limit:
                break
            if number in self._owed:
                self._owed.remove(number, number + 1)
                self._unpend(number)
                evicted += len(entry)
        self.backlog_samples -= evicted
        self._tally.evicted += evicted
        if evicted and not self._memory_full:
            self._memory_full = True
            self.incidents.append(
                Incident(
                    code="outbox-memory-full",
                    what=f"the disk takes no writes and {self._limits.memory_limit} samples wait "
                    "in memory: from now on the oldest are given up, and counted as evicted",
                    where="memory",
                    remedy="make room on the disk or mend it; the outbox goes on by itself",
                )
            )

    def _discard(self, samples: int) -> None:
        """Samples of points that are gone, or have another type now."""
        self._tally.discarded += samples
        if samples and not self._discarding:
            self._discarding = True
            self.incidents.append(
                Incident(
                    code="outbox-discarded",
                    what="samples are buffered of metrics that the plant does not have any more, "
                    "or has with another type: they are not sent, and counted as discarded",
                    where="outbox",
                    remedy="nothing, if that was meant; a renamed metric keeps its samples if its "
                    "id is the old name",
                )
            )

    # --- commits ----------------------------------------------------------------------------

    def due_ms(self) -> int | None:
        """When `begin_commit` should be called next; None if nothing waits for it."""
        due: list[int] = []
        if self._pending:
            oldest = next(iter(self._pending.values()))
            soonest = self._last_commit_ms + self._limits.commit_interval_ms
            if self._strict:
                due.append(soonest)
            else:
                due.append(max(soonest, oldest.since_ms + self._limits.commit_interval_ms))
        if self._holdings and (self._changes != self._written_changes or len(self._holdings) > 1):
            due.append(self._last_cursor_ms + CURSOR_INTERVAL_MS)
        return max(min(due), self._not_before_ms) if due else None

    def begin_commit(self, now: int, *, final: bool = False) -> Commit | None:
        """What to write now, if anything; ``final`` takes all that is unconfirmed."""
        self.tidy(now)
        due = self.due_ms()
        if not final and (due is None or due > now):
            return None
        unsent_or_flying = sorted([*self._in_flight, *(e.number for e in self._live)])
        owed = self._owed.copy()
        for start, end in ranges_of(unsent_or_flying):
            owed.add(start, end)
        entries = list(self._pending.values())
        if final:
            entries = [entry for entry in entries if entry.number in owed]
        retained = sorted(entry.number for _, entry in self._retained)
        drop = self._holdings.droppable(owed, retained)
        self._last_cursor_ms = now
        told = self._changes == self._written_changes or not self._holdings
        if final:  # the totals go on where they end
            told = told and self._tally == self._restored
        if not entries and not drop and told:
            return None
        if entries:
            self._last_commit_ms = now
        return Commit(
            records=tuple((entry.number, entry.batch) for entry in entries),
            entries=tuple(entries),
            cursor=self._tally.cursor(self.next, owed),
            sync=bool(entries or drop or final),
            drop=drop,
            changes=self._changes,
        )

    def finish_commit(self, commit: Commit, done: Committed, now: int) -> None:
        """Take note of what became of a commit."""
        self.incidents += done.incidents
        for first in done.opened:
            self._holdings.begin(first)
        written = zip(commit.records, commit.entries, strict=True)
        entry_of = {number: (entry, len(batch)) for (number, batch), entry in written}
        for first, numbers in done.placed:
            for number in numbers:
                entry, samples = entry_of[number]
                if entry.number == number:
                    entry.reach_disk(samples)
                pending = self._unpend(number)
                if pending:
                    pending.reach_disk(samples)
                else:  # confirmed or moved meanwhile: the cursor in this commit still owes it
                    self._changes += 1
                if number in self._owed:
                    self._holdings.add(first, samples)
                    if pending:
                        self._owe_left_out(pending)
        for number in done.refused:
            pending = self._unpend(number)
            if pending and number in self._owed:
                self._owed.remove(number, number + 1)
                self.backlog_samples -= len(pending)
                self._tally.evicted += len(pending)
        for first in done.evicted:
            self._evict(first)
        for first in done.dropped:
            self._holdings.drop(first)
        if done.ok:
            self._written_changes = commit.changes
            self._not_before_ms = now
            self._memory_full = False
        else:
            self._not_before_ms = now + RETRY_MS

    def _evict(self, first: int) -> None:
        end, samples = self._holdings.evict(first, self._stored_end)
        self._owed.remove(first, end)
        self.backlog_samples -= samples
        self._tally.evicted += samples
        self._changes += 1
        elsewhere = (*self._in_flight.values(), *self._live, *(e for _, e in self._retained))
        for entry in elsewhere:
            if first <= entry.number < end:
                entry.leave_disk()


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.number)
