"""Plans: what is the same in all payloads of one set of points, laid out once.

Neighbours whose values have a fixed size (Boolean, Float, Double) are one `struct` call for all of
them; of the others the column of values is written by one function where they are of one kind.
Times are encoded once for each that is different: a batch of few times is what a poll gives.
"""

import struct
from collections.abc import Sequence
from itertools import groupby
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from bridge.sparkplug.fields import (
    COLUMN_WRITERS,
    FIXED,
    IS_HISTORICAL,
    METRIC_KEYS,
    UNBOUNDED,
    VALUE_SIZES,
    WRITERS,
    varint,
)
from mappings.batch import Value
from mappings.catalog import is_one
from mappings.datatypes import DataType

MIN_RUN = 4
"""Average neighbours of one kind, and values of a batch, below which a plan is no faster."""
_MIN_SHARED = 4  # average values of one time, below which a plan is no faster


def _stamp(time_ms: int, *, historical: bool) -> bytes:
    stamp = varint(time_ms)
    return stamp + IS_HISTORICAL if historical else stamp


class Stamps(NamedTuple):
    """The encoded times of a batch, ``size`` bytes each: all ``first``, or as ``each`` lists."""

    size: int
    first: bytes
    each: list[bytes] | None


def stamps_of(times_ms: Sequence[int], *, historical: bool) -> Stamps | None:
    """The stamps of few times that take equally many bytes, else None."""
    first = _stamp(times_ms[0], historical=historical)
    if is_one(times_ms):
        return Stamps(len(first), first, None)
    distinct = set(times_ms)
    if len(distinct) * _MIN_SHARED > len(times_ms):
        return None
    table = {time: _stamp(time, historical=historical) for time in distinct}
    if any(len(stamp) != len(first) for stamp in table.values()):
        return None
    return Stamps(len(first), first, [*map(table.__getitem__, times_ms)])


class Plan:
    """What is the same in all payloads of one set of points: runs of neighbours of one kind."""

    __slots__ = ("_runs",)

    def __init__(
        self, points: tuple[int, ...], names: Sequence[bytes], datatypes: Sequence[DataType]
    ) -> None:
        fixed = [
            (is_fixed, len(tuple(run)))
            for is_fixed, run in groupby(points, key=lambda point: datatypes[point] in FIXED)
        ]
        if len(fixed) * MIN_RUN > len(points):
            fixed = [(False, len(points))]
        self._runs: list[_FixedRun | _VaryingRun] = []
        start = 0
        for is_fixed, count in fixed:
            run = points[start : start + count]
            kind = _FixedRun if is_fixed else _VaryingRun
            self._runs.append(kind(start, [names[p] for p in run], [datatypes[p] for p in run]))
            start += count

    def metrics(self, values: Sequence[Value], stamps: Stamps) -> list[bytes]:
        """All metrics of a payload, in the order of the points.

        Raises struct.error, OverflowError or TypeError for a value that is None or not of its type.
        """
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
        self._codes = [FIXED[datatype][0] for datatype in datatypes]
        keys = [FIXED[datatype][1] for datatype in datatypes]
        self._keys = sorted(set(keys))
        indexes = [self._keys.index(key) for key in keys]
        self._pick = itemgetter(*indexes) if len(self._keys) > 1 else None
        self._stamp_size = -1
        self._struct = struct.Struct("")
        self._arguments: list[Any] = []

    def write(self, values: Sequence[Value], stamps: Stamps, metrics: list[bytes]) -> None:
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
            head = METRIC_KEYS[len(name) + stamp_size + struct.calcsize("<c" + code)] + name
            layout.append(f"{len(head)}s{stamp_size + 1}s{code}")
            self._arguments += (head, b"", 0)
        self._struct = struct.Struct("".join(layout))


class _VaryingRun:
    """Neighbours whose values vary in size, or of kinds that alternate."""

    __slots__ = (
        "_bounded",
        "_column",
        "_heads",
        "_names",
        "_parts",
        "_slice",
        "_stamp_size",
        "_writers",
    )

    def __init__(self, start: int, names: Sequence[bytes], datatypes: Sequence[DataType]) -> None:
        self._slice = slice(start, start + len(names))
        self._names = names
        self._writers = [WRITERS[datatype] for datatype in datatypes]
        self._bounded = UNBOUNDED.isdisjoint(datatypes)
        alike = len(set(self._writers)) == 1
        self._column = COLUMN_WRITERS.get(self._writers[0]) if alike else None
        self._stamp_size = -1
        # What stands before the time, by the size of the value; None where texts have any size.
        self._heads: list[list[bytes]] | None = None
        self._parts = [b""] * (3 * len(names))

    def write(self, values: Sequence[Value], stamps: Stamps, metrics: list[bytes]) -> None:
        if stamps.size != self._stamp_size:
            self._layout(stamps.size)
        column = values[self._slice]
        if self._column is not None:
            contents = self._column(column)
        else:
            contents = [write(value) for write, value in zip(self._writers, column, strict=True)]
        parts = self._parts
        if self._heads is None:
            size, keys = stamps.size, METRIC_KEYS
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
        if self._bounded:
            self._heads = [
                [METRIC_KEYS[len(name) + stamp_size + size] + name for size in range(VALUE_SIZES)]
                for name in self._names
            ]
