"""Powers: rows that are scaled by ten to the value of another row, as SunSpec's scale factors are.

Both rows of one response belong together, in whichever order they stand there. When the power
changes and the scaled row does not, because its raw value stayed the same, the published value is
another one all the same: so the last raw value of such a row is kept, and calculated again.
"""

from collections.abc import Iterator, Sequence

from mappings.batch import Batch, Value
from mappings.conversion import Conversion
from mappings.quality import GOOD, Reason
from mappings.tags import Metric

RawRow = tuple[int, Value, int, int, int, int]
"""Point, raw value, time (ms), quality, native code, reason."""

_NONE = int(Reason.NONE)


class Powers:
    """The powers of ten of one device."""

    __slots__ = ("_last", "_powers", "_scaled", "_sources")

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._scaled = {
            p: metric.scale_point for p, metric in enumerate(metrics)
            if metric.scale_point is not None
        }  # fmt: skip
        self._sources = {source: Conversion(metrics[source]) for source in self._scaled.values()}
        self._powers: dict[int, int | None] = dict.fromkeys(self._sources)
        self._last: dict[int, RawRow] = {}

    def concern(self, points: Sequence[int]) -> bool:
        """Whether one of these points scales or is scaled."""
        return any(point in self._scaled or point in self._sources for point in points)

    def of(self, point: int) -> int | None:
        """The power of ten of a row, None if it has none or nobody knows it."""
        source = self._scaled.get(point)
        return None if source is None else self._powers[source]

    def rows_of(self, batch: Batch) -> Iterator[RawRow]:
        """The rows of a batch, and those that are to be calculated again because of it."""
        size = len(batch.points)
        rows = zip(
            batch.points, batch.values, batch.times_ms,
            batch.qualities if batch.qualities is not None else [GOOD] * size,
            batch.natives if batch.natives is not None else [0] * size,
            batch.reasons if batch.reasons is not None else [_NONE] * size,
            strict=True,
        )  # fmt: skip
        if not self._scaled or not self.concern(batch.points):
            return rows
        return self._with_powers(list(rows))

    def _with_powers(self, rows: list[RawRow]) -> Iterator[RawRow]:
        changed: dict[int, int] = {}  # source -> time of the change
        for point, raw, time_ms, quality, _, _ in rows:
            if point in self._sources:
                power = self._power(point, raw, quality)
                if power != self._powers[point]:
                    self._powers[point] = power
                    changed[point] = time_ms
            elif point in self._scaled:
                self._last[point] = (point, raw, time_ms, quality, 0, _NONE)
        there = {row[0] for row in rows}
        yield from rows
        for point, source in self._scaled.items():
            last = self._last.get(point)
            if source in changed and point not in there and last is not None:
                yield (*last[:2], max(changed[source], last[2]), *last[3:])

    def _power(self, point: int, raw: Value, quality: int) -> int | None:
        if quality != GOOD or type(raw) is not int:
            return None
        value, _ = self._sources[point](raw)
        return raw if value is not None else None
