"""Fields: one value, name or time as the bytes that protobuf would write; tables and functions.

A metric is bytes in this order: key and length (`METRIC_KEYS`), name or alias, time, the flag of
the past, the property Quality when it must be said, the value with its key (`WRITERS`). All that
can be computed before the first value comes is a table here.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import copysign, inf
from typing import Any

from bridge.sparkplug.arrays import array_bytes
from bridge.sparkplug.topics import NATIVE_CODE, QUALITY, REASON
from mappings.datatypes import ARRAYS, TEXTS, DataType
from mappings.quality import REASON_TEXTS

# Keys of the fields that are written: field number * 8 + wire type (Sparkplug 3.0, section 6.4).
TIMESTAMP, _METRICS, SEQ = b"\x08", b"\x12", b"\x18"  # of the payload
_NAME, _ALIAS, _TIME = b"\x0a", b"\x10", b"\x18"  # of a metric
IS_HISTORICAL, IS_NULL = b"\x28\x01", b"\x38\x01"
_PROPERTIES = b"\x4a"
_INT, _LONG, _FLOAT = b"\x50", b"\x58", b"\x65"
_DOUBLE, _BOOLEAN, _STRING, _BYTES = b"\x69", b"\x70", b"\x7a", b"\x82\x01"

# Seven bits a byte, the last byte without the top bit: tables for fourteen bits at a time, where
# the number ends with them and where more follows.
_SIZE, LOW_14_BITS = 1 << 14, (1 << 14) - 1
VARINT_LAST = [bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(_SIZE)]
VARINT_MORE = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(_SIZE)]


def varint(number: int) -> bytes:
    """A whole number from 0 to 2**64 - 1 in protobuf's variable length."""
    if number < _SIZE:
        return VARINT_LAST[number]
    return VARINT_MORE[number & LOW_14_BITS] + varint(number >> 14)


class _IntegerField:
    """Integers in one field, negative ones in two's complement of its width."""

    def __init__(self, key: bytes, bits: int) -> None:
        self._mask = (1 << bits) - 1
        self._last = [key + last for last in VARINT_LAST]
        self._first = [key + first for first in VARINT_MORE]

    def one(self, value: int) -> bytes:
        if 0 <= value < _SIZE:
            return self._last[value]
        return self._first[value & LOW_14_BITS] + varint((value & self._mask) >> 14)

    def column(self, values: Iterable[int]) -> list[bytes]:
        first, last, mask = self._first, self._last, self._mask
        return [
            last[value]
            if 0 <= value < _SIZE
            else first[value & LOW_14_BITS]
            + (VARINT_LAST[value >> 14] if 0 <= value < 1 << 28 else varint((value & mask) >> 14))
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
METRIC_KEYS = _MetricKeys()
_pack_float = struct.Struct("<cf").pack


def _float(value: float) -> bytes:
    try:
        return _pack_float(_FLOAT, value)
    except OverflowError:  # beyond 32 bits: infinite, as the protobuf runtime has it
        return _pack_float(_FLOAT, copysign(inf, value))


def _boolean(value: object) -> bytes:
    return b"\x70\x01" if value else b"\x70\x00"


def write_string(value: str) -> bytes:
    """A text with its key."""
    text = str.encode(value, "utf-8", "replace")
    return _STRING + varint(len(text)) + text


def _bytes(value: bytes) -> bytes:
    return _BYTES + varint(len(value)) + value


def _array(datatype: DataType, value: Sequence[Any]) -> bytes:
    return _bytes(array_bytes(datatype, value))


_Writer = Callable[[Any], bytes]
"""A value to its key and bytes."""

WRITERS: dict[DataType, _Writer] = {
    **dict.fromkeys((DataType.INT8, DataType.INT16, DataType.INT32), _ints.one),
    **dict.fromkeys((DataType.UINT8, DataType.UINT16, DataType.UINT32), _ints.one),
    **dict.fromkeys((DataType.INT64, DataType.UINT64, DataType.DATETIME), _longs.one),
    DataType.FLOAT: _float,
    DataType.DOUBLE: partial(struct.Struct("<cd").pack, _DOUBLE),
    DataType.BOOLEAN: _boolean,
    **dict.fromkeys(TEXTS, write_string),
    DataType.BYTES: _bytes,
    **{datatype: partial(_array, datatype) for datatype in ARRAYS},
}
UNBOUNDED = TEXTS | ARRAYS | {DataType.BYTES}
"""Types whose values have no largest size."""
COLUMN_WRITERS: dict[_Writer, Callable[[Any], list[bytes]]] = {
    _ints.one: _ints.column,
    _longs.one: _longs.column,
}
VALUE_SIZES = 16
"""A number with its key has fewer bytes than this (at most 11)."""

# Types whose value always has the same size: struct's code, key. A Boolean is packed as a small
# integer, because struct's own "?" takes anything, None too, for a truth value.
FIXED = {
    DataType.BOOLEAN: ("b", _BOOLEAN),
    DataType.FLOAT: ("f", _FLOAT),
    DataType.DOUBLE: ("d", _DOUBLE),
}


def _property(name: str) -> bytes:
    key = name.encode()
    return _NAME + varint(len(key)) + key


def _property_value(datatype: DataType, value: bytes) -> bytes:
    content = b"\x08" + varint(int(datatype)) + value
    return b"\x12" + varint(len(content)) + content


def _said(quality: int, native: int, reason: int, *, more: bool) -> bytes:
    values = [_property_value(DataType.INT32, b"\x18" + varint(quality))]
    names = [_property(QUALITY)]
    if more:
        text = REASON_TEXTS.get(reason, "").encode()
        names += [_property(NATIVE_CODE), _property(REASON)]
        values += [
            _property_value(DataType.INT64, b"\x20" + varint(native & (1 << 64) - 1)),
            _property_value(DataType.STRING, b"\x42" + varint(len(text)) + text),
        ]
    content = b"".join(names + values)
    return _PROPERTIES + varint(len(content)) + content


class _Properties(dict[tuple[int, int, int, bool], bytes]):
    """The PropertySet of a value by its quality, native code, reason, and whether the last two
    are told: Quality is an Int32 (tck-id-payloads-propertyset-quality-value-type).
    """

    def __missing__(self, key: tuple[int, int, int, bool]) -> bytes:
        quality, native, reason, more = key
        encoded = _said(quality, native, reason, more=more)
        if len(self) < 4096:
            self[key] = encoded
        return encoded


PROPERTIES = _Properties()
MOST_PROPERTIES = 128
"""No such PropertySet has more bytes."""


def template_field(definition: str) -> bytes:
    """What an instance says of itself behind its members: its definition, and that it is none."""
    text = definition.encode("utf-8", "replace")
    return b"\x22" + varint(len(text)) + text + b"\x28\x00"


def name_field(text: str) -> bytes:
    """The name of a metric, and the key of its time, which follows."""
    name = text.encode("utf-8", "replace")
    return _NAME + varint(len(name)) + name + _TIME


def alias_field(alias: int) -> bytes:
    """The alias of a metric, and the key of its time, which follows."""
    return _ALIAS + varint(alias) + _TIME
