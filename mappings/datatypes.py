"""Data types: what a value is on the wire, and what it is published as.

A wire type is the word in the ``type`` column of a tag row (``int16``, ``REAL``,
``string(20,cp1252)``); a `DataType` is the number that Sparkplug gives a metric (Sparkplug 3.0,
section 6.4.16). Whether a row holds one value or an array of them is said by its address and its
``element``, not by its type.
"""

import codecs
import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class DataType(IntEnum):
    """Sparkplug's data types of values, by their numbers on the wire."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    BYTES = 17
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


SIGNED = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
UNSIGNED = frozenset({DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64})
INTEGERS = SIGNED | UNSIGNED
FLOATS = frozenset({DataType.FLOAT, DataType.DOUBLE})
NUMBERS = INTEGERS | FLOATS
TEXTS = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})

_BITS = {
    DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64,
    DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64,
}  # fmt: skip

# Sparkplug numbers arrays in the order of their elements: Int8 to Boolean, String, DateTime.
_FIRST_ARRAY = DataType.INT8_ARRAY
_ARRAYS = {DataType(n): DataType(_FIRST_ARRAY + n - 1) for n in range(1, 14)}
_ELEMENTS = {array: element for element, array in _ARRAYS.items()}
ARRAYS = frozenset(_ELEMENTS)


def width(datatype: DataType) -> int:
    """The bits of an integer type."""
    return _BITS[datatype]


def integer_range(datatype: DataType) -> tuple[int, int]:
    """The smallest and largest value of an integer type, both inclusive."""
    bits = _BITS[datatype]
    if datatype in SIGNED:
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


def array_of(datatype: DataType) -> DataType | None:
    """The type of arrays of such values; None for what Sparkplug has no arrays of."""
    return _ARRAYS.get(datatype)


def element_of(datatype: DataType) -> DataType:
    """The type of a value of an array, or the type itself if it is none of arrays."""
    return _ELEMENTS.get(datatype, datatype)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireType:
    """What a value is on the wire: its width is always said.

    ``name`` is canonical (``string(20,cp1252)``), ``kind`` the word without its parameters
    (``string``). ``datatype`` is what the raw value is as it is read: an epoch is a whole number
    of seconds or milliseconds, a BCD number an integer, a float16 a float. ``bits`` is 1 for bool
    and 0 where the protocol knows the length (OPC UA strings); ``length`` is characters of a
    string or bytes, 0 where it is not said; ``encoding`` a code page as Python names it.
    """

    name: str
    kind: str
    datatype: DataType
    bits: int
    length: int = 0
    encoding: str = ""


def _plain(name: str, datatype: DataType, bits: int) -> WireType:
    return WireType(name=name, kind=name, datatype=datatype, bits=bits)


WIRE_TYPES: dict[str, WireType] = {
    t.name: t
    for t in (
        _plain("bool", DataType.BOOLEAN, 1),
        _plain("int8", DataType.INT8, 8),
        _plain("uint8", DataType.UINT8, 8),
        _plain("int16", DataType.INT16, 16),
        _plain("uint16", DataType.UINT16, 16),
        _plain("int32", DataType.INT32, 32),
        _plain("uint32", DataType.UINT32, 32),
        _plain("int64", DataType.INT64, 64),
        _plain("uint64", DataType.UINT64, 64),
        _plain("float16", DataType.FLOAT, 16),
        _plain("float32", DataType.FLOAT, 32),
        _plain("float64", DataType.DOUBLE, 64),
        _plain("bcd16", DataType.UINT16, 16),
        _plain("bcd32", DataType.UINT32, 32),
        _plain("epoch_s", DataType.UINT32, 32),
        _plain("epoch_ms", DataType.UINT64, 64),
        _plain("string", DataType.STRING, 0),
        _plain("datetime", DataType.DATETIME, 0),
    )
}
"""The types without parameters; `wire_type` knows ``string(20)`` and ``bytes(8)`` besides."""

# IEC 61131-3 names, in capitals, are synonyms.
IEC_NAMES: dict[str, str] = {
    "BOOL": "bool", "SINT": "int8", "INT": "int16", "DINT": "int32", "LINT": "int64",
    "USINT": "uint8", "UINT": "uint16", "UDINT": "uint32", "ULINT": "uint64",
    "BYTE": "uint8", "WORD": "uint16", "DWORD": "uint32", "LWORD": "uint64",
    "REAL": "float32", "LREAL": "float64", "STRING": "string",
}  # fmt: skip

_PARAMETERS = re.compile(r"(string|STRING|bytes)\(\s*([0-9]{1,5})\s*(?:,\s*([\w.-]+)\s*)?\)")


@lru_cache(maxsize=4096)
def wire_type(word: str) -> WireType | None:
    """The wire type that a word names, or None; ``int`` and ``float`` do not say their width.

    ``string(20)`` is ASCII with room for 20 bytes, ``string(20,cp1252)`` of that code page;
    ``bytes(8)`` are 8 bytes as they are.
    """
    found = WIRE_TYPES.get(IEC_NAMES.get(word, word))
    if found is not None:
        return found
    sized = _PARAMETERS.fullmatch(word)
    if sized is None or not int(sized[2]):
        return None
    kind, length = sized[1].lower(), int(sized[2])
    if kind == "bytes":
        if sized[3]:
            return None
        return WireType(
            name=f"bytes({length})", kind=kind, datatype=DataType.BYTES, bits=8 * length,
            length=length,
        )  # fmt: skip
    encoding = sized[3] or "ascii"
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        return None
    if not codec._is_text_encoding:  # noqa: SLF001  no public name for it
        return None
    shown = f"string({length})" if not sized[3] else f"string({length},{sized[3].lower()})"
    return WireType(
        name=shown, kind=kind, datatype=DataType.STRING, bits=8 * length, length=length,
        encoding=codec.name,
    )  # fmt: skip
