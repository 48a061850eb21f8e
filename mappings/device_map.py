"""The mapping of one device: its columns of raw values in, columns to publish out.

What is known about a set of points that comes again with every scan is worked out once, in a
`SetPlan`: then a column of good values costs a few passes in C. Everything unusual (a quality, a
point twice in one batch, a first value, a scale that another row says) takes the slow, plain way,
value by value.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import lt
from typing import Any

from mappings.batch import Batch, Value
from mappings.catalog import DeviceCatalog, is_one
from mappings.conversion import Conversion
from mappings.deadband import differs
from mappings.freshness import Freshness
from mappings.last_read import LastRead
from mappings.pacing import Pacing, Row
from mappings.powers import Powers
from mappings.quality import BAD, GOOD, STALE, Reason
from mappings.set_plan import SetPlan
from mappings.tags import Metric

_MOST_PLANS = 256  # sets of points kept for each device; a driver has a few, one for each scan
_NONE = int(Reason.NONE)
_NO_VALUE = int(Reason.NO_VALUE)
_SILENT = int(Reason.SILENT)


class DeviceMap:
    """The mapping of one device over its columns of the catalog."""

    def __init__(self, name: str, metrics: Sequence[Metric], catalog: DeviceCatalog) -> None:
        self.name = name
        self.metrics = metrics
        self.catalog = catalog
        self.last_read = LastRead(len(metrics))
        self.conversions = [Conversion(m) for m in metrics]
        self.pacing = Pacing(metrics)
        self.powers = Powers(metrics)
        self._hidden = frozenset(p for p, m in enumerate(metrics) if not m.published)
        self._plans: dict[int, SetPlan] = {}
        limits = [m.stale_after_ms for m in metrics]
        self._freshness = Freshness(limits) if any(limits) else None
        # What was said of points before they became stale: point -> quality, native, reason.
        self.stale: dict[int, tuple[int, int, int]] = {}
        # When points were lost, by our own clock: point -> time, of use as long as it is the last.
        self.lost_ms: dict[int, int] = {}

    def apply(self, batch: Batch, now_ms: int) -> list[Batch]:
        """See `Mapper.apply`."""
        self.last_read.note(batch)
        if self._freshness is not None:
            self._freshness.touch(batch.points, now_ms)
        if batch.plain and batch.points:
            plan = self._plan(batch)
            if plan.is_fast and plan.members.isdisjoint(self.catalog.not_plain):
                column = plan.convert(batch.values)
                if column is not None and not self._late(batch.times_ms, plan):
                    emitted = self._fast(batch, plan, column, now_ms)
                    return [emitted] if emitted is not None else []
        return self._slow(batch, now_ms)

    def _plan(self, batch: Batch) -> SetPlan:
        points = batch.points
        plan = self._plans.get(id(points))
        if plan is None or plan.points is not points:
            plan = SetPlan(
                batch, self.metrics, self.conversions, self.catalog, self.powers, self.pacing
            )
            if len(self._plans) < _MOST_PLANS:  # the plan keeps the tuple, so its id stays taken
                self._plans[id(points)] = plan
        return plan

    def _late(self, times_ms: Sequence[int], plan: SetPlan) -> bool:
        """Whether a value is older than the last emitted one of its point."""
        if is_one(times_ms) and times_ms[0] >= self.catalog.newest_ms:
            return False
        return any(map(lt, times_ms, plan.column_of(self.catalog.times_ms)))

    def _fast(
        self, batch: Batch, plan: SetPlan, column: Sequence[Any], now_ms: int
    ) -> Batch | None:
        flags = plan.changed(column, plan.column_of(self.catalog.values))
        for i in plan.paced:
            point = batch.points[i]
            if not flags[i]:
                self.pacing.unchanged(point, column[i], batch.times_ms[i])
            else:
                row = (point, column[i], batch.times_ms[i], GOOD, 0, _NONE)
                flags[i] = self.pacing.may_go(row, now_ms)
        if all(flags):
            return Batch(batch.device, batch.points, column, batch.times_ms)
        if not any(flags):
            return None
        return Batch(
            batch.device,
            tuple(compress(batch.points, flags)),
            list(compress(column, flags)),
            list(compress(batch.times_ms, flags)),
        )

    def _slow(self, batch: Batch, now_ms: int) -> list[Batch]:
        catalog = self.catalog
        emitted: dict[int, Row] = {}
        out: list[Row] = []
        late: list[Row] = []
        for point, raw, read_ms, quality_said, native, reason_said in self.powers.rows_of(batch):
            time_ms = read_ms
            last = emitted.get(point) or _row_of(catalog, point)
            value, quality, reason = self._judge(point, raw, quality_said, reason_said, last[1])
            if time_ms < last[2]:
                if self.lost_ms.get(point) != last[2]:
                    late.append((point, value, time_ms, quality, native, reason))
                    continue
                # A device that comes back says what it holds since before it was lost, or has a
                # clock that is behind ours. That is its present: left to the history, a value
                # that does not change again would stay BAD for ever.
                time_ms = last[2]
            row = (point, value, time_ms, quality, native, reason)
            if row[3:] == last[3:]:
                if not differs(value, last[1], self.metrics[point].deadband):
                    self.pacing.unchanged(point, value, time_ms)
                    continue
                if not self.pacing.may_go(row, now_ms):
                    continue
            else:
                self.pacing.sent(point, now_ms)
            self.stale.pop(point, None)
            emitted[point] = row
            out.append(row)
        batches = (_batch_of(self.name, out), _batch_of(self.name, late, late=True))
        return [made for made in batches if made is not None]

    def _judge(
        self, point: int, raw: Value, quality: int, reason: int, last: Value
    ) -> tuple[Value, int, int]:
        """Value, quality and reason; what is no value leaves the last one, BAD."""
        if quality == BAD or raw is None:
            if quality == GOOD:
                return last, BAD, reason or _NO_VALUE
            return last, quality, reason
        value, said = self.conversions[point](raw, self.powers.of(point))
        if value is None:
            return last, BAD, said
        return value, quality, said or reason

    def fresh(self, points: tuple[int, ...], now_ms: int) -> Batch | None:
        """See `Mapper.fresh`."""
        if self._freshness is None:
            return None
        self._freshness.touch(points, now_ms)
        if not self.stale:
            return None
        back = [p for p in dict.fromkeys(points) if p in self.stale]
        rows = [(*self._now(p, now_ms), *self.stale.pop(p)) for p in back]
        for point in back:
            self.pacing.sent(point, now_ms)
        return _batch_of(self.name, rows)

    def _now(self, point: int, now_ms: int) -> tuple[int, Value, int]:
        catalog = self.catalog
        return point, catalog.values[point], max(now_ms, catalog.times_ms[point])

    def lose(self, now_ms: int) -> Batch | None:
        """See `Mapper.lost`."""
        catalog = self.catalog
        rows: list[Row] = []
        for point, quality in enumerate(catalog.qualities):
            if quality == BAD:
                continue
            _, value, time_ms = self._now(point, now_ms)
            waiting = self.pacing.waiting(point)
            value = waiting if waiting is not None else value
            rows.append((point, value, time_ms, BAD, 0, int(Reason.LINK_LOST)))
            self.pacing.sent(point, now_ms)
        self.stale.clear()
        self.lost_ms.update((row[0], row[2]) for row in rows)
        return _batch_of(self.name, rows)

    def due(self, now_ms: int) -> Batch | None:
        """See `Mapper.due`."""
        rows = {row[0]: row for row in self.pacing.due(self.catalog, now_ms)}
        for point in self._freshness.overdue(now_ms) if self._freshness is not None else ():
            last = rows.get(point) or _row_of(self.catalog, point)
            if last[3] in {BAD, STALE}:
                continue
            time_ms = max(now_ms, last[2])
            self.stale[point] = last[3:]
            self.lost_ms[point] = time_ms
            rows[point] = (point, last[1], time_ms, STALE, 0, _SILENT)
            self.pacing.sent(point, now_ms)
        return _batch_of(self.name, list(rows.values()))

    def shown(self, batch: Batch) -> Batch | None:
        """See `Mapper.shown`."""
        if not self._hidden or self._hidden.isdisjoint(batch.points):
            return batch
        rows = [i for i, point in enumerate(batch.points) if point not in self._hidden]
        return _chosen(batch, rows) if rows else None

    def carry(self, old: "DeviceMap", same: Mapping[int, int], now_ms: int) -> list[Batch]:
        """Take over what another mapping knows of points that are read from the same sources.

        See `Mapper.put`.
        """
        moved: dict[int, int] = {}
        for was, point in same.items():
            before, metric = old.metrics[was], self.metrics[point]
            alike = _meaning(metric, self.metrics) == _meaning(before, old.metrics)
            if metric.id == before.id and alike:
                moved[was] = point
        self.catalog.carry(old.catalog, moved)
        self.pacing.carry(old.pacing, moved)
        self.lost_ms = {moved[p]: ms for p, ms in old.lost_ms.items() if p in moved}
        self.stale = {moved[p]: said for p, said in old.stale.items() if p in moved}
        # What is lost or stale is so until it is read again.
        read = old.last_read.columns()
        rows: list[Row] = []
        for was, point in same.items():
            _, value, time_ms, quality, native, reason = _row_of(read, was)
            if time_ms and old.lost_ms.get(was) != old.catalog.times_ms[was]:
                # What was said again after a silence was still what was read before it.
                time_ms = max(time_ms, self.catalog.times_ms[point])
                rows.append((point, value, time_ms, quality, native, reason))
        known = _batch_of(self.name, rows)
        return [] if known is None else self.apply(known, now_ms)


def _meaning(metric: Metric, metrics: Sequence[Metric]) -> tuple[object, ...]:
    """What a published value depends on besides the raw value."""
    source = metric.scale_point
    return (
        metric.datatype, metric.raw_type, metric.invalid, metric.scale, metric.offset,
        None if source is None else metrics[source].id, metric.invert, metric.clamp,
        (metric.low, metric.high) if metric.clamp != "none" else None, metric.enum, metric.unit,
    )  # fmt: skip


def _row_of(catalog: DeviceCatalog, point: int) -> Row:
    """What was noted last of a point."""
    return (
        point, catalog.values[point], catalog.times_ms[point], catalog.qualities[point],
        catalog.natives[point], catalog.reasons[point],
    )  # fmt: skip


def _chosen(batch: Batch, rows: Iterable[int]) -> Batch:
    def of(column: Sequence[Any] | None) -> list[Any] | None:
        return None if column is None else [column[i] for i in rows]

    rows = list(rows)
    return Batch(
        batch.device, tuple(batch.points[i] for i in rows), [batch.values[i] for i in rows],
        [batch.times_ms[i] for i in rows], of(batch.qualities), of(batch.natives), batch.late,
        of(batch.reasons),
    )  # fmt: skip


def _batch_of(device: str, rows: Sequence[Row], *, late: bool = False) -> Batch | None:
    if not rows:
        return None
    points, values, times_ms, qualities, natives, reasons = zip(*rows, strict=True)
    good = all(quality == GOOD for quality in qualities)
    return Batch(
        device,
        points,
        values,
        times_ms,
        None if good else qualities,
        natives if any(natives) else None,
        late,
        reasons if any(reasons) else None,
    )
