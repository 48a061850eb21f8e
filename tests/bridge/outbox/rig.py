"""Lanes and store without threads, and what every sample must have become.

Each sample carries a number of its own as its value, so that any loss, alteration, repetition or
mix-up is decidable. `Rig` drives the real parts step by step and checks after every step.
"""

import random
from pathlib import Path

from bridge.outbox.commits import Commit, Committed
from bridge.outbox.lanes import Lanes
from bridge.outbox.moves import Moves
from bridge.outbox.store import Store
from bridge.outbox.words import Entry, Ledger, Limits, PointKey
from mappings.batch import Batch
from mappings.datatypes import DataType
from tests.bridge.outbox.disk import Disk

FOLDER = Path("/outbox")
DEVICES = ("", "press", "oven")
KEYS = {
    name: [PointKey(f"{name}/{i}", DataType.UINT64 if i % 2 else DataType.DOUBLE) for i in range(9)]
    for name in DEVICES
}
Sample = tuple[str, PointKey, int, int | None]
"""Device, point, time, quality; what must come back with a value."""


class Rig:
    def __init__(
        self,
        rng: random.Random,
        disk: Disk | None = None,
        *,
        max_size: int = 1 << 24,
        segment_size: int = 0,
        loss_allowed: bool = False,
        origin: "Rig | None" = None,
        delivered: set[int] | None = None,
        strict: bool = False,
        **limits: int,
    ) -> None:
        self.rng = rng
        self.disk = disk or Disk()
        self.max_size = max_size
        self.segment_size = segment_size
        self.strict = strict
        self.limits = Limits(**limits)
        self.now = 1_000_000
        self.sent: dict[int, Sample] = origin.sent if origin else {}
        """Every sample ever appended, by its value."""
        self.must: set[int] = set()
        """Values that may not be lost: unconfirmed, not given up, and committed or in a process
        that lives."""
        self.confirmed: set[int] = set()
        self.repeats_allowed: set[int] = set(self.sent)
        self.delivered = delivered
        """After a crash within a commit: what had been confirmed. Both copies of a record that
        was being moved may be there, and only first deliveries are in order."""
        self.taken: list[Entry] = []
        self.order: dict[tuple[str, str, bool], int] = {}
        self.in_work: tuple[Commit, Committed] | None = None
        self.loss_allowed = loss_allowed
        self.incidents: list[str] = []
        self.discarded = 0
        """Values that nobody waits for any more, because their points are gone."""
        self.keys: dict[str, list[PointKey]] = dict(origin.keys if origin else KEYS)
        self.boot()

    def boot(self) -> None:
        self.store = Store(
            FOLDER,
            self.keys,
            max_size=self.max_size,
            files=self.disk,
            segment_size=self.segment_size,
        )
        self.lanes = Lanes(self.limits, strict=self.strict)
        opened = self.store.open()
        self.opened = opened
        self.incidents += [i.code for i in opened.incidents]
        self.lanes.restore(opened)
        self.taken = []
        self.order = {}
        self.in_work = None
        self.rekeyed: list[dict[str, list[PointKey]]] = []
        """What the store has not been told yet."""
        self.repeats_allowed |= self.confirmed
        self.check()

    # --- actions ----------------------------------------------------------------------------

    def append(self, size: int | None = None) -> None:
        rng = self.rng
        device = rng.choice([name for name in DEVICES if name in self.keys])
        keys = self.keys[device]
        points = tuple(rng.randrange(len(keys)) for _ in range(size or rng.randint(1, 6)))
        first = len(self.sent) + 1
        values = [_value(keys[point], first + i) for i, point in enumerate(points)]
        times = [1_700_000_000_000 + first + i for i in range(len(points))]
        qualities = [rng.choice((192, 500)) for _ in points] if rng.random() < 0.3 else None
        batch = Batch(device, points, values, times, qualities)
        for i, point in enumerate(points):
            quality = qualities[i] if qualities else None
            self.sent[first + i] = (device, keys[point], times[i], quality)
            self.must.add(first + i)
        self.lanes.append(batch, self.now)

    def take_live(self, sendable: frozenset[str] = frozenset(KEYS), most: int = 20) -> None:
        self._took(self.lanes.take_live(sendable, most, self.now), historical=False)

    def take_backlog(self, most: int = 20) -> None:
        ranges = self.lanes.ranges_to_read()
        if ranges:
            self.finish_commit()  # the thread answers in order
            for keys in self.rekeyed:
                self.store.rekey(keys)
            self.rekeyed = []
            found = self.store.read(ranges, most)
            self._took(self.lanes.take_found(found), historical=True)
        else:
            self._took(self.lanes.take_memory(most), historical=True)

    def _took(self, entries: list[Entry], *, historical: bool) -> None:
        for entry in entries:
            assert entry.historical is historical
            self._verify(entry)
            self.taken.append(entry)

    def _verify(self, entry: Entry) -> None:
        batch = entry.batch
        for i, point in enumerate(batch.points):
            value = batch.values[i]
            key = self.keys[batch.device][point]
            assert type(value) is type(_value(key, 0))
            quality = batch.qualities[i] if batch.qualities else None
            assert self.sent[int(value)] == (batch.device, key, batch.times_ms[i], quality)
            lane = (batch.device, key.id, entry.historical)
            if self.delivered is not None:
                if int(value) in self.delivered:
                    continue
                self.delivered.add(int(value))
            assert self.order.get(lane, 0) < int(value), "order of a point within a lane"
            self.order[lane] = int(value)

    def confirm(self, count: int) -> None:
        gone, self.taken = self.taken[:count], self.taken[count:]
        self.lanes.confirm(gone, self.now)
        for entry in gone:
            for value in map(int, entry.batch.values):  # type: ignore[arg-type]
                assert value not in self.confirmed or value in self.repeats_allowed
                self.confirmed.add(value)
                self.must.discard(value)

    def split(self) -> None:
        self.lanes.split(self.now)
        assert self.lanes.live_samples == 0

    def rewind(self) -> None:
        self.lanes.rewind(self.now)
        self.repeats_allowed |= self.confirmed
        stale, self.taken = self.taken, []
        self.order = {}
        before = self.lanes.ledger
        self.lanes.confirm(stale, self.now)  # a late fence: must have no effect
        assert self.lanes.ledger == before

    def begin_commit(self, *, final: bool = False) -> None:
        if self.in_work is None:
            commit = self.lanes.begin_commit(self.now, final=final)
            if commit:
                for keys in self.rekeyed:  # the thread answers in order
                    self.store.rekey(keys)
                self.rekeyed = []
                self.in_work = (commit, self.store.commit(commit))
                self.incidents += [i.code for i in self.in_work[1].incidents]

    def finish_commit(self) -> None:
        if self.in_work:
            commit, done = self.in_work
            self.in_work = None
            self.lanes.finish_commit(commit, done, self.now)

    def rekey(self) -> None:
        """A changed plant: rows in another order, some gone, come back or retyped, and devices."""
        rng = self.rng
        keys: dict[str, list[PointKey]] = {}
        for name in DEVICES:
            if name == "oven" and rng.random() < 0.3:
                continue
            rows = [row for row in KEYS[name] if rng.random() < 0.9] or KEYS[name][:1]
            keys[name] = [
                PointKey(row.id, DataType.UINT32) if rng.random() < 0.1 else row for row in rows
            ]
            if rng.random() < 0.5:
                rng.shuffle(keys[name])
        before = self.lanes.ledger.discarded
        self.lanes.rekey(Moves(self.keys, keys))
        self.keys = keys
        self.rekeyed.append(keys)
        wanted = {(name, key) for name in keys for key in keys[name]}
        gone = {value for value in self.must if self.sent[value][:2] not in wanted}
        self.must -= gone
        self.discarded += len(gone)
        assert before <= self.lanes.ledger.discarded
        self.taken = [entry for entry in self.taken if len(entry)]

    def pass_time(self) -> None:
        self.now += self.rng.choice((1, 10, 60, 60, 60, 1100, 3000))

    def close(self) -> None:
        self.finish_commit()
        self.begin_commit(final=True)
        self.finish_commit()
        self.store.close()

    def stored(self) -> set[int]:
        """Values that a crash may not take: all but what only memory has."""
        only_in_memory: set[int] = set()
        for entry in self.lanes._pending.values():
            only_in_memory |= set(map(int, entry.batch.values))  # type: ignore[arg-type]
        return self.must - only_in_memory

    # --- checks -----------------------------------------------------------------------------

    def check(self) -> None:
        ledger = self.lanes.ledger
        assert balanced(ledger)
        lanes = self.lanes
        assert lanes.backlog_samples == lanes._holdings.unsent + sum(
            len(e) for n, e in lanes._pending.items() if n in lanes._owed
        )
        assert ledger.uncommitted == sum(map(len, lanes._pending.values()))
        assert list(lanes._pending) == sorted(lanes._pending)
        assert sum(len(i.content) for i in self.disk.names.values()) <= self.max_size
        if not self.loss_allowed:
            assert ledger.evicted == ledger.quarantined == 0
            assert ledger.buffered >= len(self.must)

    def drain(self) -> set[int]:
        """Send everything that is left; the values that came."""
        came: set[int] = set()
        self.order = {}
        self.confirm(len(self.taken))
        self.split()
        stuck = 0
        while self.lanes.backlog_samples:
            self.take_backlog(50)
            stuck = 0 if self.taken else stuck + 1
            assert stuck < 1000, "the backlog does not come to an end"
            for entry in self.taken:
                came |= set(map(int, entry.batch.values))  # type: ignore[arg-type]
            self.confirm(len(self.taken))
            self.check()
        assert self.lanes.ledger.buffered == 0
        return came


def _value(key: PointKey, number: int) -> int | float:
    return float(number) if key.datatype is DataType.DOUBLE else number


def balanced(ledger: Ledger) -> bool:
    return ledger.accepted == (
        ledger.confirmed + ledger.buffered + ledger.evicted + ledger.discarded + ledger.quarantined
    )
