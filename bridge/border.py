"""The border: no batch that breaks the driver contract gets past it.

Behind it lies what all links share, where a mistake would stop the process; in front of it a
mistake ends one link. So each batch is held against its device's tags: columns of one length,
points that exist, values of the tag's type and inside its range. A column of numbers is judged by
one `struct` call, which packs it and throws the bytes away: nothing in Python is cheaper.
"""

import struct
from collections.abc import Callable
from typing import Any

from drivers.driver import Device
from mappings.batch import Batch, Value
from mappings.datatypes import DataType, wire_type
from mappings.quality import GOOD

_CODES = {
    DataType.INT8: "b", DataType.INT16: "h", DataType.INT32: "i", DataType.INT64: "q",
    DataType.UINT8: "B", DataType.UINT16: "H", DataType.UINT32: "I", DataType.UINT64: "Q",
    DataType.FLOAT: "d", DataType.DOUBLE: "d", DataType.DATETIME: "q",
}  # fmt: skip
_TYPES: dict[DataType, type] = {
    DataType.BOOLEAN: bool, DataType.STRING: str, DataType.BYTES: bytes,
}  # fmt: skip
_MOST_SETS = 256


class ContractError(Exception):
    """A driver handed over what its contract forbids."""


class Border:
    """The border of one device."""

    def __init__(self, device: Device) -> None:
        self._name = device.name
        self._datatypes = [_datatype(tag.wire_type) for tag in device.tags]
        self._arrays = [tag.array for tag in device.tags]
        # Sets of points are recognised by identity; the tuple kept here holds its id.
        self._sets: dict[int, tuple[tuple[int, ...], Callable[..., object]]] = {}

    def check(self, batch: Batch) -> None:
        """Raise `ContractError` for a batch that the contract forbids."""
        points, values = batch.points, batch.values
        size = len(points)
        columns = (values, batch.times_ms, batch.natives, batch.reasons)
        if any(column is not None and len(column) != size for column in columns):
            raise ContractError(f"{self._name}: columns of different lengths")
        known = self._sets.get(id(points))
        if known is None or known[0] is not points:
            known = (points, self._judge_of(points))
            if len(self._sets) < _MOST_SETS:
                self._sets[id(points)] = known
        if batch.qualities is None:
            fits = _accepts(known[1], values)
        elif len(batch.qualities) != size:
            raise ContractError(f"{self._name}: columns of different lengths")
        else:
            rows = zip(points, values, batch.qualities, strict=True)
            fits = all(
                quality != GOOD if value is None else self._fits(point, value)
                for point, value, quality in rows
            )
        if not fits:
            raise ContractError(f"{self._name}: a value is not of its tag's type, or beyond it")

    def check_points(self, points: tuple[int, ...]) -> None:
        """Raise `ContractError` for point indexes that no tag has."""
        if not points or min(points) < 0 or max(points) >= len(self._datatypes):
            raise ContractError(f"{self._name}: a point index that no tag has")

    def _judge_of(self, points: tuple[int, ...]) -> Callable[..., object]:
        """What accepts a column of values of these points, or raises."""
        if not points:
            raise ContractError(f"{self._name}: a batch without points")
        if min(points) < 0 or max(points) >= len(self._datatypes):
            raise ContractError(f"{self._name}: a point index that no tag has")
        codes = [
            None if self._arrays[point] else _CODES.get(self._datatypes[point]) for point in points
        ]
        if None not in codes:
            return struct.Struct("=" + "".join(map(str, codes))).pack

        def each(*values: Value) -> None:
            if not all(map(self._fits, points, values)):
                raise TypeError

        return each

    def _fits(self, point: int, value: Value) -> bool:
        datatype = self._datatypes[point]
        if self._arrays[point]:
            if not isinstance(value, tuple):
                return False
            code = _CODES.get(datatype)
            if code is not None:
                return _accepts(struct.Struct(f"={len(value)}{code}").pack, value)
            return all(isinstance(element, _TYPES[datatype]) for element in value)
        code = _CODES.get(datatype)
        if code is not None:
            return _accepts(struct.Struct("=" + code).pack, [value])
        return isinstance(value, _TYPES[datatype])


def _accepts(judge: Callable[..., object], values: Any) -> bool:
    try:
        judge(*values)
    except (struct.error, TypeError, OverflowError):
        return False
    return True


def _datatype(word: str) -> DataType:
    wire = wire_type(word)
    assert wire is not None, word  # the plant reader refused any other
    return wire.datatype
