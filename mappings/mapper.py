"""The mapping engine: batches of raw values in, batches of metric values out; pure.

`Mapper.apply` transforms, judges (a number that is not finite is no value) and reports by
exception against the catalog, that is against what was last emitted. `Mapper.due` says what
maximum silence owes when nothing arrives. Nothing here knows a clock or a protocol.

What is known about a set of points that comes again with every scan is worked out once, in a
`_Plan`: then a column of good values costs a few passes in C. Everything unusual (a quality, a
point twice in one batch, the first values) takes the slow, plain way, value by value.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from math import isfinite
from operator import itemgetter, lt
from typing import Any

from mappings.batch import Batch, Value
from mappings.catalog import Catalog, DeviceCatalog, is_one
from mappings.datatypes import FLOATS
from mappings.deadband import changed_of
from mappings.quality import BAD, GOOD
from mappings.tags import Metric
from mappings.transforms import line_of, transform_of

_MOST_PLANS = 256  # sets of points kept for each device; a driver has a few, one for each scan

_Row = tuple[int, Value, int, int, int]  # point, value, time (ms), quality, native code


class _Plan:
    """What is known about one set of points."""

    __slots__ = ("changed", "floats", "gather", "points", "silent", "span", "transform", "unique")

    def __init__(self, batch: Batch, metrics: Sequence[Metric], catalog: DeviceCatalog) -> None:
        points = batch.points
        chosen = [metrics[p] for p in points]
        self.points = points
        self.unique = len(set(points)) == len(points)
        self.span = catalog.know(points)
        # One index makes itemgetter give a bare value, so a single point is gathered by its span.
        self.gather = itemgetter(*points) if len(points) > 1 else None
        # A tag's values are always of its one Python type, so the first batch speaks for all.
        floats = all(type(value) is float for value in batch.values)
        self.transform = transform_of([line_of(m) for m in chosen], floats=floats)
        self.changed = changed_of([m.deadband for m in chosen])
        checked = [i for i, m in enumerate(chosen) if m.datatype in FLOATS]
        self.floats = None if len(checked) == len(chosen) else checked
        self.silent = [i for i, m in enumerate(chosen) if m.max_silence_ms]

    def column_of(self, values: list[Any]) -> Sequence[Any]:
        """These points' entries of a device's column; a single point is a span always."""
        if self.span is not None:
            return values[self.span]
        assert self.gather is not None
        return self.gather(values)  # type: ignore[no-any-return]  # several indexes give a tuple

    def finite(self, column: Sequence[Any]) -> bool:
        """Whether no float is NaN or infinite: a sum that is finite has finite terms."""
        if self.floats is None:
            return isfinite(sum(column))
        return isfinite(sum([column[i] for i in self.floats]))


class _DeviceMap:
    """The mapping of one device."""

    __slots__ = (
        "catalog", "held", "lines", "lost", "metrics", "name", "plans", "sent_ms", "silences",
    )  # fmt: skip

    def __init__(self, name: str, metrics: Sequence[Metric], catalog: DeviceCatalog) -> None:
        self.name = name
        self.metrics = metrics
        self.catalog = catalog
        self.lines = [line_of(m) for m in metrics]
        self.plans: dict[int, _Plan] = {}
        self.silences = [(p, m.max_silence_ms) for p, m in enumerate(metrics) if m.max_silence_ms]
        self.sent_ms = [0] * len(metrics)
        # What the deadband held back last, for points with a maximum silence: point -> value, time.
        self.held: dict[int, tuple[Value, int]] = {}
        # When points were lost, by our own clock: point -> time, of use as long as it is the last.
        self.lost: dict[int, int] = {}

    def plan(self, batch: Batch) -> _Plan:
        points = batch.points
        plan = self.plans.get(id(points))
        if plan is None or plan.points is not points:
            plan = _Plan(batch, self.metrics, self.catalog)
            if len(self.plans) < _MOST_PLANS:  # the plan keeps the tuple, so its id stays taken
                self.plans[id(points)] = plan
        return plan

    def apply(self, batch: Batch, now_ms: int) -> list[Batch]:
        if batch.plain and not self.catalog.not_plain and batch.points:
            plan = self.plan(batch)
            if plan.unique:
                column = plan.transform(batch.values) if plan.transform else batch.values
                if not self._late(batch.times_ms, plan) and plan.finite(column):
                    emitted = self._fast(batch, plan, column, now_ms)
                    return [emitted] if emitted is not None else []
        return self._slow(batch, now_ms)

    def _late(self, times_ms: Sequence[int], plan: _Plan) -> bool:
        """Whether a value is older than the last emitted one of its point."""
        if is_one(times_ms) and times_ms[0] >= self.catalog.newest_ms:
            return False
        return any(map(lt, times_ms, plan.column_of(self.catalog.times_ms)))

    def _fast(self, batch: Batch, plan: _Plan, column: Sequence[Any], now_ms: int) -> Batch | None:
        flags = plan.changed(column, plan.column_of(self.catalog.values))
        if plan.silent:
            self._note_silent(batch, plan, column, flags, now_ms)
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

    def _note_silent(
        self, batch: Batch, plan: _Plan, column: Sequence[Any], flags: list[bool], now_ms: int
    ) -> None:
        for i in plan.silent:
            point = batch.points[i]
            if flags[i]:
                self.sent_ms[point] = now_ms
                self.held.pop(point, None)
            else:
                self.held[point] = (column[i], batch.times_ms[i])

    def _slow(self, batch: Batch, now_ms: int) -> list[Batch]:
        size = len(batch.points)
        qualities = batch.qualities if batch.qualities is not None else [GOOD] * size
        natives = batch.natives if batch.natives is not None else [0] * size
        catalog = self.catalog
        emitted: dict[int, tuple[Value, int, int, int]] = {}  # value, quality, native, time so far
        out: list[_Row] = []
        late: list[_Row] = []
        rows = zip(batch.points, batch.values, batch.times_ms, qualities, natives, strict=True)
        for point, raw, read_ms, said, native in rows:
            time_ms = read_ms
            last = emitted.get(point) or (
                catalog.values[point],
                catalog.qualities[point],
                catalog.natives[point],
                catalog.times_ms[point],
            )
            value, quality = self._judge(point, raw, said, last[0])
            if time_ms < last[3]:
                if self.lost.get(point) != last[3]:
                    late.append((point, value, time_ms, quality, native))
                    continue
                # A device that comes back says what it holds since before it was lost, or has a
                # clock that is behind ours. That is its present: left to the history, a value
                # that does not change again would stay BAD for ever.
                time_ms = last[3]
            metric = self.metrics[point]
            if (quality, native) == last[1:3] and not _differs(value, last[0], metric.deadband):
                if metric.max_silence_ms:
                    self.held[point] = (value, time_ms)
                continue
            emitted[point] = (value, quality, native, time_ms)
            out.append((point, value, time_ms, quality, native))
            self.sent_ms[point] = now_ms
            self.held.pop(point, None)
        batches = (_batch_of(batch.device, out), _batch_of(batch.device, late, late=True))
        return [made for made in batches if made is not None]

    def _judge(self, point: int, raw: Value, quality: int, last: Value) -> tuple[Value, int]:
        """The metric value and its quality; what is no value leaves the last one, BAD."""
        if quality == BAD or raw is None:
            return last, quality if quality != GOOD else BAD
        line = self.lines[point]
        value = raw if line is None else line.apply(raw)  # type: ignore[arg-type]  # a line is never on text
        if isinstance(value, float) and not isfinite(value):
            return last, BAD
        return value, quality

    def lose(self, now_ms: int) -> Batch | None:
        catalog = self.catalog
        rows = [
            (p, catalog.values[p], max(now_ms, catalog.times_ms[p]), BAD, 0)
            for p, quality in enumerate(catalog.qualities)
            if quality != BAD
        ]
        self.lost.update((row[0], row[2]) for row in rows)
        return _batch_of(self.name, rows)

    def due(self, now_ms: int) -> Batch | None:
        catalog = self.catalog
        out: list[_Row] = []
        for point, silence_ms in self.silences:
            if now_ms - self.sent_ms[point] < silence_ms:
                continue
            last_ms = catalog.times_ms[point]
            if last_ms == 0:
                continue  # never read: there is nothing to repeat
            held = self.held.pop(point, None)
            if held is not None and held[1] > last_ms:
                value, time_ms = held
            else:
                value, time_ms = catalog.values[point], max(now_ms, last_ms)
            quality, native = catalog.qualities[point], catalog.natives[point]
            out.append((point, value, time_ms, quality, native))
            self.sent_ms[point] = now_ms
        return _batch_of(self.name, out)


def _differs(value: Any, last: Any, deadband: float) -> bool:
    if deadband and value is not None and last is not None:
        return bool(abs(value - last) > deadband)
    return bool(value != last)


def _batch_of(device: str, rows: Sequence[_Row], *, late: bool = False) -> Batch | None:
    if not rows:
        return None
    points, values, times_ms, qualities, natives = zip(*rows, strict=True)
    good = all(quality == GOOD for quality in qualities)
    return Batch(
        device,
        points,
        values,
        times_ms,
        None if good else qualities,
        natives if any(natives) else None,
        late,
    )


class Mapper:
    """All devices' mappings over one catalog.

    The caller hands what `apply`, `due` and `lost` return to `Catalog.update` (but for late
    batches) before it calls again.
    """

    def __init__(self, devices: Mapping[str, Sequence[Metric]], catalog: Catalog) -> None:
        self._devices = {
            name: _DeviceMap(name, metrics, catalog.devices[name])
            for name, metrics in devices.items()
        }

    def apply(self, batch: Batch, now_ms: int) -> list[Batch]:
        """What of a raw batch is to be published: nothing, a batch, rarely a late one beside it.

        Emitted values are final: a value that is not GOOD because there is none carries the last
        value (None if there never was one). The result has the same ``points`` object when every
        value passed. A value older than the last emitted one of its point comes in a batch marked
        ``late``: it belongs into the history, not into the catalog.
        """
        return self._devices[batch.device].apply(batch, now_ms)

    def due(self, devices: Iterable[str], now_ms: int) -> list[Batch]:
        """What maximum silence owes for these devices: those that are up.

        The value is the last one received, with its time when it is newer than the last
        published one, else with ``now_ms``: the device is up and did not report a change.
        """
        batches = (self._devices[name].due(now_ms) for name in devices)
        return [batch for batch in batches if batch is not None]

    def lost(self, device: str, now_ms: int) -> Batch | None:
        """One record that makes every point of a lost device BAD; None if all are already."""
        return self._devices[device].lose(now_ms)
