"""Data payloads: the hot path, written by hand.

The values of one device go out as an NDATA or DDATA payload whose bytes are those that the
protobuf runtime would write, at a tenth of its cost (tests hold them equal). Everything about a
metric that does not change - its alias, its field, its type - is bytes before the first value
comes.

Two ways, chosen per batch:

- *Planned*, for a set of points that was seen before, all GOOD, as a poll gives them: neighbours
  of fixed size (Boolean, Float, Double) are one `struct` call.
- *Each*, for everything else: qualities, sets that never come again.

A value outside of its type is the mapper's matter; here it is cut to its field and does not raise.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby, repeat
from math import copysign, inf
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from bridge.sparkplug.topics import QUALITY
from mappings.batch import Batch, Value
from mappings.catalog import is_one
from mappings.datatypes import TEXTS, DataType
from mappings.quality import GOOD, Quality
from mappings.tags import Metric

# Keys of the fields that are written: field number * 8 + wire type (Sparkplug 3.0, section 6.4).
_TIMESTAMP, _METRICS, _SEQ = b"\x08", b"\x12", b"\x18"  # of the payload
_NAME, _ALIAS, _TIME = b"\x0a", b"\x10", b"\x18"  # of a metric
_IS_HISTORICAL, _IS_NULL = b"\x28\x01", b"\x38\x01"
_PROPERTIES = b"\x4a"
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING = (
    b"\x50",
    b"\x58",
    b"\x65",
    b"\x69",
    b"\x70",
    b"\x7a",
)

# A metric beside its name or alias and a text: key and length 4, time 11, historical 2, Quality 18,
# the longest number 11.
_MOST_BESIDE_NAME = 46

_MAX_PLANS = 256  # of one device; more sets than that are no repetition
_MIN_RUN = 4  # average neighbours of one kind, below which runs are no faster
_MIN_SHARED = 4  # average values of one time, below which a plan is no faster
_VALUE_SIZES = 16  # a number and its key take at most 11 bytes

# Seven bits a byte, the last byte without the top bit: tables for fourteen bits at a time.
_SIZE, _REST = 1 << 14, (1 << 14) - 1
_LAST = [bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(_SIZE)]
_FIRST = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(_SIZE)]


def varint(number: int) -> bytes:
    """A whole number from 0 to 2**64 - 1 in protobuf's variable length."""
    if number < _SIZE:
        return _LAST[number]
    return _FIRST[number & _REST] + varint(number >> 14)


class _IntegerField:
    """Integers in one field, negative ones in two's complement of its width."""

    def __init__(self, key: bytes, bits: int) -> None:
        self._mask = (1 << bits) - 1
        self._last = [key + last for last in _LAST]
        self._first = [key + first for first in _FIRST]

    def one(self, value: int) -> bytes:
        if 0 <= value < _SIZE:
            return self._last[value]
        return self._first[value & _REST] + varint((value & self._mask) >> 14)

    def column(self, values: Iterable[int]) -> list[bytes]:
        first, last, mask = self._first, self._last, self._mask
        return [
            last[value]
            if 0 <= value < _SIZE
            else first[value & _REST]
            + (_LAST[value >> 14] if 0 <= value < 1 << 28 else varint((value & mask) >> 14))
            for value in values
        ]


class _MetricKeys(dict[int, bytes]):
    """The key and length in front of a metric, by its length."""

    def __missing__(self, length: int) -> bytes:
        encoded = _METRICS + varint(length)
        if length < 1 << 10:
            self[length] = encoded
        return encoded


_ints = _IntegerField(_INT, 32)
_longs = _IntegerField(_LONG, 64)
_metric_keys = _MetricKeys()
_pack_float = struct.Struct("<cf").pack


def _float(value: float) -> bytes:
    try:
        return _pack_float(_FLOAT, value)
    except OverflowError:  # beyond 32 bits: infinite, as the protobuf runtime has it
        return _pack_float(_FLOAT, copysign(inf, value))


def _boolean(value: object) -> bytes:
    return b"\x70\x01" if value else b"\x70\x00"


def _string(value: str) -> bytes:
    text = str.encode(value, "utf-8", "replace")
    return _STRING + varint(len(text)) + text


_Writer = Callable[[Any], bytes]
_WRITERS: dict[DataType, _Writer] = {
    **dict.fromkeys((DataType.INT8, DataType.INT16, DataType.INT32), _ints.one),
    **dict.fromkeys((DataType.UINT8, DataType.UINT16, DataType.UINT32), _ints.one),
    **dict.fromkeys((DataType.INT64, DataType.UINT64, DataType.DATETIME), _longs.one),
    DataType.FLOAT: _float,
    DataType.DOUBLE: partial(struct.Struct("<cd").pack, _DOUBLE),
    DataType.BOOLEAN: _boolean,
    DataType.STRING: _string,
    DataType.TEXT: _string,
}
_COLUMN_WRITERS: dict[_Writer, Callable[[Any], list[bytes]]] = {
    _ints.one: _ints.column,
    _longs.one: _longs.column,
}
# Types whose value always has the same size: struct's code, key. A Boolean is packed as a small
# integer, because struct's own "?" takes anything, None too, for a truth value.
_FIXED = {
    DataType.BOOLEAN: ("b", _BOOLEAN),
    DataType.FLOAT: ("f", _FLOAT),
    DataType.DOUBLE: ("d", _DOUBLE),
}


def _quality_property(quality: int) -> bytes:
    """The PropertySet {Quality: Int32 quality} (tck-id-payloads-propertyset-quality-value-type)."""
    key = _NAME + varint(len(QUALITY)) + QUALITY.encode()
    value = b"\x08" + varint(int(DataType.INT32)) + b"\x18" + varint(quality)
    content = key + b"\x12" + varint(len(value)) + value
    return _PROPERTIES + varint(len(content)) + content


_QUALITY_PROPERTIES = {int(quality): _quality_property(quality) for quality in Quality}


class DeviceEncoder:
    """Encodes batches of one device, or of the node itself, as data payloads.

    ``metrics[i]`` is the metric of point i and ``aliases[i]`` its alias; ``aliases`` None names
    metrics by their names. `born` is called with each birth. One encoder is used by one sender.
    """

    def __init__(self, metrics: Sequence[Metric], aliases: Sequence[int] | None) -> None:
        if aliases is None:
            self._names = [_name(metric.name) for metric in metrics]
        else:
            self._names = [_ALIAS + varint(alias) + _TIME for alias in aliases]
        self._datatypes = [metric.datatype for metric in metrics]
        self._weight = max(map(len, self._names), default=0) + _MOST_BESIDE_NAME
        self._has_texts = not TEXTS.isdisjoint(self._datatypes)
        self._writers = [_WRITERS[metric.datatype] for metric in metrics]
        self._plans: dict[tuple[int, ...], _Plan | None] = {}
        self._last_points: tuple[int, ...] = ()
        self._last_plan: _Plan | None = None
        # Some hosts take the quality of a historical value for the current one, some do not: a
        # point is settled when both have been told GOOD.
        self._told_live: set[int] = set()
        self._told_last: set[int] = set()
        self._unsettled: set[int] = set()

    def born(self, qualities: Sequence[int]) -> None:
        """What the birth just sent told: the quality of each point."""
        self._told_live = {point for point, quality in enumerate(qualities) if quality != GOOD}
        self._told_last = set(self._told_live)
        self._unsettled = set(self._told_live)

    def weight(self, batch: Batch) -> int:
        """An upper bound of the bytes that a batch takes in a payload."""
        weight = len(batch) * self._weight
        if self._has_texts:
            # At most four bytes a character, and a length.
            weight += sum(4 * len(v) + 5 for v in batch.values if isinstance(v, str))
        return weight

    def encode(self, batch: Batch, *, timestamp_ms: int, seq: int, historical: bool) -> bytes:
        """The payload that carries one batch; see `encode_all`."""
        return self.encode_all([(batch, historical)], timestamp_ms=timestamp_ms, seq=seq)

    def encode_all(
        self, records: Iterable[tuple[Batch, bool]], *, timestamp_ms: int, seq: int
    ) -> bytes:
        """One payload that carries batches, each with whether it is historical, in their order.

        A metric has its name or alias, its time and its value (None: ``is_null``), and the
        property Quality when it is not GOOD or when a host may believe that it is not
        (tck-id-payloads-propertyset-quality-value-value). ``timestamp_ms`` is when the payload is
        sent. The encoder takes the payload for sent.
        """
        parts = [_TIMESTAMP, varint(timestamp_ms)]
        for batch, historical in records:
            metrics = self._planned(batch, historical=historical)
            if metrics is None:
                metrics = self._each(batch, historical=historical)
            parts += metrics
        parts += (_SEQ, varint(seq))
        return b"".join(parts)

    def _planned(self, batch: Batch, *, historical: bool) -> list[bytes] | None:
        """The metrics by a plan, or None where only `_each` does."""
        count = len(batch.points)
        qualities, times = batch.qualities, batch.times_ms
        if (
            count < _MIN_RUN
            or self._unsettled
            or (qualities is not None and qualities.count(GOOD) != count)
        ):
            return None
        plan = self._plan(batch.points)
        if plan is None:
            return None
        stamps = _stamps(times, historical=historical)
        if stamps is None:
            return None
        try:
            return plan.metrics(batch.values, stamps)
        except (struct.error, OverflowError, TypeError):
            return None  # a value that needs a closer look

    def _plan(self, points: tuple[int, ...]) -> "_Plan | None":
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
            plan = self._plans[points] = _Plan(points, self._names, self._datatypes)
        self._last_points, self._last_plan = points, plan
        return plan

    def _each(self, batch: Batch, *, historical: bool) -> list[bytes]:
        names, writers, unsettled, keys = self._names, self._writers, self._unsettled, _metric_keys
        told_live, told_last = self._told_live, self._told_last
        qualities: Iterable[int] = repeat(GOOD) if batch.qualities is None else batch.qualities
        # Of a time only the low fourteen bits, 16 seconds, change from value to value.
        high = -1
        first, rest = _FIRST, b""
        metrics: list[bytes] = []
        for point, value, time, quality in zip(
            batch.points, batch.values, batch.times_ms, qualities, strict=False
        ):
            if time >> 14 != high:
                high = time >> 14
                first = _FIRST if high else _LAST
                rest = (varint(high) if high else b"") + (_IS_HISTORICAL if historical else b"")
            if quality != GOOD or point in unsettled:
                said = _QUALITY_PROPERTIES[quality]
                content = _IS_NULL + said if value is None else said + writers[point](value)
                if quality == GOOD or point not in told_live or point not in told_last:
                    self._told(point, quality, historical=historical)
            else:
                content = _IS_NULL if value is None else writers[point](value)
            name = names[point]
            low = first[time & _REST]
            key = keys[len(name) + len(low) + len(rest) + len(content)]
            metrics.extend((key, name, low, rest, content))
        return metrics

    def _told(self, point: int, quality: int, *, historical: bool) -> None:
        told = (self._told_last,) if historical else (self._told_last, self._told_live)
        for not_good in told:
            (not_good.discard if quality == GOOD else not_good.add)(point)
        settled = point not in self._told_last and point not in self._told_live
        (self._unsettled.discard if settled else self._unsettled.add)(point)


def _name(text: str) -> bytes:
    name = text.encode("utf-8", "replace")
    return _NAME + varint(len(name)) + name + _TIME


def _stamp(time_ms: int, *, historical: bool) -> bytes:
    stamp = varint(time_ms)
    return stamp + _IS_HISTORICAL if historical else stamp


class _Stamps(NamedTuple):
    """The encoded times of a batch, ``size`` bytes each: all ``first``, or as ``each`` lists."""

    size: int
    first: bytes
    each: list[bytes] | None


def _stamps(times_ms: Sequence[int], *, historical: bool) -> _Stamps | None:
    """The stamps of few times that take equally many bytes, else None."""
    first = _stamp(times_ms[0], historical=historical)
    if is_one(times_ms):
        return _Stamps(len(first), first, None)
    distinct = set(times_ms)
    if len(distinct) * _MIN_SHARED > len(times_ms):
        return None
    table = {time: _stamp(time, historical=historical) for time in distinct}
    if any(len(stamp) != len(first) for stamp in table.values()):
        return None
    return _Stamps(len(first), first, [*map(table.__getitem__, times_ms)])


class _Plan:
    """What is the same in all payloads of one set of points: runs of neighbours of one kind."""

    __slots__ = ("_runs",)

    def __init__(
        self, points: tuple[int, ...], names: Sequence[bytes], datatypes: Sequence[DataType]
    ) -> None:
        fixed = [
            (is_fixed, len(tuple(run)))
            for is_fixed, run in groupby(points, key=lambda point: datatypes[point] in _FIXED)
        ]
        if len(fixed) * _MIN_RUN > len(points):
            fixed = [(False, len(points))]
        self._runs: list[_FixedRun | _VaryingRun] = []
        start = 0
        for is_fixed, count in fixed:
            run = points[start : start + count]
            kind = _FixedRun if is_fixed else _VaryingRun
            self._runs.append(kind(start, [names[p] for p in run], [datatypes[p] for p in run]))
            start += count

    def metrics(self, values: Sequence[Value], stamps: _Stamps) -> list[bytes]:
        metrics: list[bytes] = []
        for run in self._runs:
            run.write(values, stamps, metrics)
        return metrics


class _FixedRun:
    """Neighbours whose values have a fixed size: one struct for all of them.

    The struct takes three arguments a metric: what stands before its time, the time with the key
    of its value, and the value.
    """

    __slots__ = (
        "_arguments",
        "_codes",
        "_keys",
        "_names",
        "_pick",
        "_slice",
        "_stamp_size",
        "_struct",
    )

    def __init__(self, start: int, names: Sequence[bytes], datatypes: Sequence[DataType]) -> None:
        self._slice = slice(start, start + len(names))
        self._names = names
        self._codes = [_FIXED[datatype][0] for datatype in datatypes]
        keys = [_FIXED[datatype][1] for datatype in datatypes]
        self._keys = sorted(set(keys))
        indexes = [self._keys.index(key) for key in keys]
        self._pick = itemgetter(*indexes) if len(self._keys) > 1 else None
        self._stamp_size = -1
        self._struct = struct.Struct("")
        self._arguments: list[Any] = []

    def write(self, values: Sequence[Value], stamps: _Stamps, metrics: list[bytes]) -> None:
        if stamps.size != self._stamp_size:
            self._layout(stamps.size)
        arguments = self._arguments
        if stamps.each is not None:
            each = stamps.each[self._slice]
            keyed = [{stamp: stamp + key for stamp in set(each)} for key in self._keys]
            tables = keyed * len(each) if self._pick is None else self._pick(keyed)
            arguments[1::3] = map(getitem, tables, each)
        else:
            alike = [stamps.first + key for key in self._keys]
            arguments[1::3] = alike * len(self._names) if self._pick is None else self._pick(alike)
        arguments[2::3] = values[self._slice]
        metrics.append(self._struct.pack(*arguments))

    def _layout(self, stamp_size: int) -> None:
        """Lay out for times that take so many bytes: six since 1971, two more for historical."""
        self._stamp_size = stamp_size
        self._arguments = []
        layout = ["<"]
        for name, code in zip(self._names, self._codes, strict=True):
            head = _metric_keys[len(name) + stamp_size + struct.calcsize("<c" + code)] + name
            layout.append(f"{len(head)}s{stamp_size + 1}s{code}")
            self._arguments += (head, b"", 0)
        self._struct = struct.Struct("".join(layout))


class _VaryingRun:
    """Neighbours whose values vary in size, or of kinds that alternate."""

    __slots__ = ("_column", "_heads", "_names", "_parts", "_slice", "_stamp_size", "_writers")

    def __init__(self, start: int, names: Sequence[bytes], datatypes: Sequence[DataType]) -> None:
        self._slice = slice(start, start + len(names))
        self._names = names
        self._writers = [_WRITERS[datatype] for datatype in datatypes]
        alike = len(set(self._writers)) == 1
        self._column = _COLUMN_WRITERS.get(self._writers[0]) if alike else None
        self._stamp_size = -1
        # What stands before the time, by the size of the value; None where texts have any size.
        self._heads: list[list[bytes]] | None = None
        self._parts = [b""] * (3 * len(names))

    def write(self, values: Sequence[Value], stamps: _Stamps, metrics: list[bytes]) -> None:
        if stamps.size != self._stamp_size:
            self._layout(stamps.size)
        column = values[self._slice]
        if self._column is not None:
            contents = self._column(column)
        else:
            contents = [write(value) for write, value in zip(self._writers, column, strict=True)]
        parts = self._parts
        if self._heads is None:
            size, keys = stamps.size, _metric_keys
            parts[0::3] = [
                keys[len(name) + size + len(content)] + name
                for name, content in zip(self._names, contents, strict=True)
            ]
        else:
            parts[0::3] = map(getitem, self._heads, map(len, contents))
        each = stamps.each
        parts[1::3] = [stamps.first] * len(contents) if each is None else each[self._slice]
        parts[2::3] = contents
        metrics += parts

    def _layout(self, stamp_size: int) -> None:
        self._stamp_size = stamp_size
        if _string not in self._writers:
            self._heads = [
                [_metric_keys[len(name) + stamp_size + size] + name for size in range(_VALUE_SIZES)]
                for name in self._names
            ]
