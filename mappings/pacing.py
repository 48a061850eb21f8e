"""Pacing: how often a metric is published, whatever its values do.

*Maximum silence*: a metric that has said nothing for so long is said again. *Minimum interval*: a
change that comes too soon after the last one waits, and the last of those that wait is published
when its time has come. A change of quality never waits.
"""

from collections.abc import Iterator, Sequence

from mappings.batch import Value
from mappings.catalog import DeviceCatalog
from mappings.tags import Metric

Row = tuple[int, Value, int, int, int, int]
"""Point, value, time (ms), quality, native code, reason."""


class Pacing:
    """The pace of one device's metrics."""

    __slots__ = ("_intervals", "_silences", "held", "paced", "sent_ms", "waiting_rows")

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._silences = {p: m.max_silence_ms for p, m in enumerate(metrics) if m.max_silence_ms}
        self._intervals = {p: m.min_interval_ms for p, m in enumerate(metrics) if m.min_interval_ms}
        self.paced = frozenset(self._silences) | frozenset(self._intervals)
        self.sent_ms = [0] * len(metrics)
        # What the deadband held back last, for points with a maximum silence: point -> value, time.
        self.held: dict[int, tuple[Value, int]] = {}
        self.waiting_rows: dict[int, Row] = {}

    def may_go(self, row: Row, now_ms: int) -> bool:
        """Whether a changed value is published now; if not, it waits."""
        point = row[0]
        interval = self._intervals.get(point, 0)
        # A clock that was set back must not make a value wait for longer than its interval.
        if interval and 0 <= now_ms - self.sent_ms[point] < interval:
            self.waiting_rows[point] = row
            return False
        self.sent(point, now_ms)
        return True

    def sent(self, point: int, now_ms: int) -> None:
        """A value of this point is published."""
        self.sent_ms[point] = now_ms
        self.held.pop(point, None)
        self.waiting_rows.pop(point, None)

    def unchanged(self, point: int, value: Value, time_ms: int) -> None:
        """A value that is not worth publishing; it takes the place of one that waits."""
        self.waiting_rows.pop(point, None)
        if point in self._silences:
            self.held[point] = (value, time_ms)

    def waiting(self, point: int) -> Value:
        """The value that waits, or None."""
        row = self.waiting_rows.get(point)
        return row[1] if row is not None else None

    def due(self, catalog: DeviceCatalog, now_ms: int) -> Iterator[Row]:
        """What time alone makes worth publishing; whoever takes it publishes it."""
        for point, row in list(self.waiting_rows.items()):
            if not 0 <= now_ms - self.sent_ms[point] < self._intervals[point]:
                self.sent(point, now_ms)
                yield row
        for point, silence_ms in self._silences.items():
            last_ms = catalog.times_ms[point]
            if last_ms == 0 or 0 <= now_ms - self.sent_ms[point] < silence_ms:
                continue  # never read: there is nothing to repeat; or not yet
            value, time_ms = self.held.get(point, (None, 0))
            if time_ms <= last_ms:
                value, time_ms = catalog.values[point], max(now_ms, last_ms)
            said = catalog.qualities[point], catalog.natives[point], catalog.reasons[point]
            self.sent(point, now_ms)
            yield (point, value, time_ms, *said)

    def carry(self, old: "Pacing", moved: dict[int, int]) -> None:
        """Take over what another one knows; ``moved`` are new points by old ones."""
        for before, point in moved.items():
            self.sent_ms[point] = old.sent_ms[before]
            if before in old.held and point in self._silences:
                self.held[point] = old.held[before]
            if before in old.waiting_rows:
                self.waiting_rows[point] = (point, *old.waiting_rows[before][1:])
                self._intervals.setdefault(point, 0)
