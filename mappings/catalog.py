"""The catalog: the last emitted value of every point, as columns for each device.

*Emitted* means handed on by the mapper, not merely read: a birth shows these values, and the
deadband compares with them, so a host's picture and ours cannot drift apart. One sample goes
through `DeviceCatalog.update` and the outbox's append in one synchronous step.
"""

from collections.abc import Iterable, Mapping, Sequence

from mappings.batch import Batch, Value
from mappings.quality import BAD, GOOD, Reason

_NO_REASON = int(Reason.NONE)


def newest(times_ms: Sequence[int]) -> int:
    """The latest of some times; at once when they are one, as those of a poll are."""
    first = times_ms[0]
    return first if is_one(times_ms) else max(times_ms)


def is_one(times_ms: Sequence[int]) -> bool:
    """Whether all times are the same (counting equals is a hundred times cheaper than `max`)."""
    return times_ms.count(times_ms[0]) == len(times_ms)


class DeviceCatalog:
    """Columns indexed by point: value, time (ms since 1970, UTC), quality, native code.

    Beside them the reason. A point that was never read is None, BAD, at time 0. ``not_plain`` holds
    the points that are not GOOD or have a native code or reason, so that the common case is one
    test. ``newest_ms`` is the
    latest time of all that was ever emitted.
    """

    __slots__ = (
        "_spans", "natives", "newest_ms", "not_plain", "qualities", "reasons", "times_ms", "values",
    )  # fmt: skip

    def __init__(self, size: int) -> None:
        self.values: list[Value] = [None] * size
        self.times_ms: list[int] = [0] * size
        self.qualities: list[int] = [BAD] * size
        self.natives: list[int] = [0] * size
        self.reasons: list[int] = [_NO_REASON] * size
        self.not_plain: set[int] = set(range(size))
        self.newest_ms = 0
        self._spans: dict[int, tuple[tuple[int, ...], slice]] = {}

    def know(self, points: tuple[int, ...]) -> slice | None:
        """Remember a set of points that comes again and again; its span, if it has no gaps.

        Spans let whole columns be copied instead of single values. Sets are recognised by
        identity; the reference kept here makes sure that no other tuple can take its place.
        """
        first = points[0] if points else 0
        if points != tuple(range(first, first + len(points))):
            return None
        span = slice(first, first + len(points))
        self._spans[id(points)] = (points, span)
        return span

    def update(self, batch: Batch) -> None:
        """Take over what the mapper emitted. Values are final: a BAD one carries the last."""
        points = batch.points
        self.newest_ms = max(self.newest_ms, newest(batch.times_ms))
        if batch.plain and (not self.not_plain or self.not_plain.isdisjoint(points)):
            known = self._spans.get(id(points))
            if known is not None and known[0] is points:
                self.values[known[1]] = batch.values
                self.times_ms[known[1]] = batch.times_ms
                return
            values, times_ms = self.values, self.times_ms
            for point, value, time_ms in zip(points, batch.values, batch.times_ms, strict=True):
                values[point] = value
                times_ms[point] = time_ms
            return
        size = len(points)
        qualities = batch.qualities if batch.qualities is not None else [GOOD] * size
        natives = batch.natives if batch.natives is not None else [0] * size
        reasons = batch.reasons if batch.reasons is not None else [_NO_REASON] * size
        columns = (points, batch.values, batch.times_ms, qualities, natives, reasons)
        for point, value, time_ms, quality, native, reason in zip(*columns, strict=True):
            self.values[point] = value
            self.times_ms[point] = time_ms
            self.qualities[point] = quality
            self.natives[point] = native
            self.reasons[point] = reason
            if quality == GOOD and not native and not reason:
                self.not_plain.discard(point)
            else:
                self.not_plain.add(point)

    def carry(self, old: "DeviceCatalog", moved: Mapping[int, int]) -> None:
        """Take over points of other columns; ``moved`` are the points here, by those there."""
        for before, point in moved.items():
            self.values[point] = old.values[before]
            self.times_ms[point] = old.times_ms[before]
            self.qualities[point] = old.qualities[before]
            self.natives[point] = old.natives[before]
            self.reasons[point] = old.reasons[before]
            if before not in old.not_plain:
                self.not_plain.discard(point)
        self.newest_ms = max(self.times_ms, default=0)


class Catalog:
    """The columns of all devices, by device name; ``""`` is the edge node itself."""

    __slots__ = ("devices",)

    def __init__(self, sizes: Iterable[tuple[str, int]]) -> None:
        self.devices = {name: DeviceCatalog(size) for name, size in sizes}

    def update(self, batch: Batch) -> None:
        """Take over what the mapper emitted for one device."""
        self.devices[batch.device].update(batch)
