"""Data payloads: the hot path, written by hand.

The values of one device go out as an NDATA or DDATA payload whose bytes are those that the
protobuf runtime would write, at a tenth of its cost (tests hold them equal). Everything about a
metric that does not change - its alias, its field, its type - is bytes before the first value
comes (`bridge.sparkplug.fields`).

Two ways, chosen per batch:

- *Planned* (`bridge.sparkplug.plans`), for a set of points that was seen before, all GOOD, as a
  poll gives them: neighbours of fixed size (Boolean, Float, Double) are one `struct` call.
- *Each*, for everything else: qualities, sets that never come again.

A value outside of its type is the mapper's matter; here it is cut to its field and does not raise.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import repeat

from bridge.sparkplug.fields import (
    IS_HISTORICAL,
    IS_NULL,
    LOW_14_BITS,
    METRIC_KEYS,
    MOST_PROPERTIES,
    PROPERTIES,
    SEQ,
    TIMESTAMP,
    UNBOUNDED,
    VARINT_LAST,
    VARINT_MORE,
    WRITERS,
    alias_field,
    name_field,
    varint,
)
from bridge.sparkplug.plans import MIN_RUN, Plan, stamps_of
from mappings.batch import Batch, Value
from mappings.quality import BAD, GOOD, Reason
from mappings.tags import Metric

# A metric beside its name or alias and a value without bound: key and length 4, time 11,
# historical 2, properties, the longest number 11.
_MOST_BESIDE_NAME = 28 + MOST_PROPERTIES

_NO_REASON = int(Reason.NONE)
_MAX_PLANS = 256  # of one device; more sets than that are no repetition


Records = Iterable[tuple[Batch, bool]]
"""Batches, each with whether it is historical."""


class DeviceEncoder:
    """Encodes batches of one device, or of the node itself, as data payloads.

    ``metrics[i]`` is the metric of point i and ``aliases[i]`` its alias; ``aliases`` None names
    metrics by their names. With ``null_if_bad`` a BAD metric has no value, otherwise its last one.
    `born` is called with each birth. One encoder is used by one sender.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        aliases: Sequence[int] | None,
        *,
        null_if_bad: bool = False,
    ) -> None:
        self._null_if_bad = null_if_bad
        if aliases is None:
            self._names = [name_field(metric.name) for metric in metrics]
        else:
            self._names = [alias_field(alias) for alias in aliases]
        self._datatypes = [metric.datatype for metric in metrics]
        self._beside = _MOST_BESIDE_NAME
        self._weight = max(map(len, self._names), default=0) + self._beside
        self._unbounded = not UNBOUNDED.isdisjoint(self._datatypes)
        self._writers = [WRITERS[metric.datatype] for metric in metrics]
        self._plans: dict[tuple[int, ...], Plan | None] = {}
        self._last_points: tuple[int, ...] = ()
        self._last_plan: Plan | None = None
        # Some hosts take the quality of a historical value for the current one, some do not: a
        # point is settled when both have been told that it is plain: GOOD and nothing to say.
        self._told_live: set[int] = set()
        self._told_last: set[int] = set()
        self._unsettled: set[int] = set()
        # Hosts keep the last property they saw, so what was once told is told again when it ends.
        self._told_more: set[int] = set()

    def born(self, not_plain: Iterable[int], told_more: Iterable[int] = ()) -> None:
        """What the birth just sent told: the points that were not GOOD, or of which it told
        a reason or native code (``told_more``, a part of them).
        """
        self._told_live = set(not_plain)
        self._told_last = set(self._told_live)
        self._unsettled = set(self._told_live)
        self._told_more = set(told_more)

    def weight(self, batch: Batch) -> int:
        """An upper bound of the bytes that a batch takes in a payload."""
        weight = len(batch) * self._weight
        if self._unbounded:
            weight += sum(map(_weight_of, batch.values))
        return weight

    def encode(self, batch: Batch, *, timestamp_ms: int, seq: int, historical: bool) -> bytes:
        """The payload that carries one batch; see `encode_all`."""
        return self.encode_all([(batch, historical)], timestamp_ms=timestamp_ms, seq=seq)

    def encode_all(self, records: Records, *, timestamp_ms: int, seq: int) -> bytes:
        """One payload that carries batches, each with whether it is historical, in their order.

        A metric has its name or alias, its time and its value (None: ``is_null``), and the
        property Quality when it is not GOOD or when a host may believe that it is not
        (tck-id-payloads-propertyset-quality-value-value), with NativeCode and Reason where there
        is something to say. ``timestamp_ms`` is when the payload is
        sent. The encoder takes the payload for sent.
        """
        parts = [TIMESTAMP, varint(timestamp_ms)]
        for batch, historical in records:
            parts += self.metrics(batch, historical=historical)
        parts += (SEQ, varint(seq))
        return b"".join(parts)

    def metrics(self, batch: Batch, *, historical: bool) -> list[bytes]:
        """The metrics of one batch, as they stand in a payload."""
        metrics = self._planned(batch, historical=historical)
        return self._each(batch, historical=historical) if metrics is None else metrics

    def _planned(self, batch: Batch, *, historical: bool) -> list[bytes] | None:
        """The metrics by a plan, or None where only `_each` does."""
        count = len(batch.points)
        qualities, times = batch.qualities, batch.times_ms
        if (
            count < MIN_RUN
            or self._unsettled
            or (qualities is not None and qualities.count(GOOD) != count)
            or (batch.natives is not None and any(batch.natives))
            or (batch.reasons is not None and any(batch.reasons))
        ):
            return None
        plan = self._plan(batch.points)
        if plan is None:
            return None
        stamps = stamps_of(times, historical=historical)
        if stamps is None:
            return None
        try:
            return plan.metrics(batch.values, stamps)
        except (struct.error, OverflowError, TypeError):
            return None  # a value that needs a closer look

    def _plan(self, points: tuple[int, ...]) -> "Plan | None":
        """The plan for a set of points that was seen before."""
        if points is self._last_points:
            return self._last_plan
        plan = self._plans.get(points)
        if plan is None:
            if points not in self._plans:
                if len(self._plans) >= _MAX_PLANS:
                    del self._plans[next(iter(self._plans))]
                self._plans[points] = None
                return None
            plan = self._plans[points] = Plan(points, self._names, self._datatypes)
        self._last_points, self._last_plan = points, plan
        return plan

    def _each(self, batch: Batch, *, historical: bool) -> list[bytes]:
        names, writers, unsettled, keys = self._names, self._writers, self._unsettled, METRIC_KEYS
        told_live, told_last = self._told_live, self._told_last
        qualities: Iterable[int] = repeat(GOOD) if batch.qualities is None else batch.qualities
        natives: Iterable[int] = repeat(0) if batch.natives is None else batch.natives
        reasons: Iterable[int] = repeat(_NO_REASON) if batch.reasons is None else batch.reasons
        told_more, null_if_bad = self._told_more, self._null_if_bad
        # Of a time only the low fourteen bits, 16 seconds, change from value to value.
        high = -1
        first, rest = VARINT_MORE, b""
        metrics: list[bytes] = []
        for point, value, time, quality, native, reason in zip(
            batch.points, batch.values, batch.times_ms, qualities, natives, reasons, strict=False
        ):
            if time >> 14 != high:
                high = time >> 14
                first = VARINT_MORE if high else VARINT_LAST
                rest = (varint(high) if high else b"") + (IS_HISTORICAL if historical else b"")
            plain = quality == GOOD and not native and not reason
            if not plain or point in unsettled:
                more = bool(native or reason) or point in told_more
                said = PROPERTIES[quality, native, reason, more]
                null = value is None or (null_if_bad and quality == BAD)
                content = IS_NULL + said if null else said + writers[point](value)
                if more:
                    told_more.add(point)
                if plain or point not in told_live or point not in told_last:
                    self._told(point, plain=plain, historical=historical)
            else:
                content = IS_NULL if value is None else writers[point](value)
            name = names[point]
            low = first[time & LOW_14_BITS]
            key = keys[len(name) + len(low) + len(rest) + len(content)]
            metrics.extend((key, name, low, rest, content))
        return metrics

    def _told(self, point: int, *, plain: bool, historical: bool) -> None:
        told = (self._told_last,) if historical else (self._told_last, self._told_live)
        for not_plain in told:
            (not_plain.discard if plain else not_plain.add)(point)
        settled = point not in self._told_last and point not in self._told_live
        (self._unsettled.discard if settled else self._unsettled.add)(point)
        if settled:
            self._told_more.discard(point)


def _weight_of(value: Value) -> int:
    """An upper bound of the bytes of a value without bound, with its length; 0 for a number."""
    if isinstance(value, str):
        return 4 * len(value) + 5
    if isinstance(value, bytes):
        return len(value) + 6
    if isinstance(value, tuple):
        return 10 + sum(8 if not isinstance(v, str) else 4 * len(v) + 1 for v in value)
    return 0
