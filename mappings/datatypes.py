"""Data types: what a value is on the wire, and what it is published as.

A wire type is the word in the ``type`` column of a tag row (``int16``, ``REAL``, ``string(20)``);
a `DataType` is the number that Sparkplug gives a metric (Sparkplug 3.0, section 6.4.16).
"""

from dataclasses import dataclass
from enum import IntEnum


class DataType(IntEnum):
    """Sparkplug's scalar data types, by their numbers on the wire."""

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


SIGNED = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
UNSIGNED = frozenset({DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64})
INTEGERS = SIGNED | UNSIGNED
FLOATS = frozenset({DataType.FLOAT, DataType.DOUBLE})
NUMBERS = INTEGERS | FLOATS
TEXTS = frozenset({DataType.STRING, DataType.TEXT})

_BITS = {
    DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64,
    DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64,
}  # fmt: skip


def integer_range(datatype: DataType) -> tuple[int, int]:
    """The smallest and largest value of an integer type, both inclusive."""
    bits = _BITS[datatype]
    if datatype in SIGNED:
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WireType:
    """What a value is on the wire: its width is always said.

    ``bits`` is 1 for bool and 0 where the protocol knows the length (OPC UA strings).
    """

    name: str
    datatype: DataType
    bits: int


WIRE_TYPES: dict[str, WireType] = {
    t.name: t
    for t in (
        WireType(name="bool", datatype=DataType.BOOLEAN, bits=1),
        WireType(name="int8", datatype=DataType.INT8, bits=8),
        WireType(name="uint8", datatype=DataType.UINT8, bits=8),
        WireType(name="int16", datatype=DataType.INT16, bits=16),
        WireType(name="uint16", datatype=DataType.UINT16, bits=16),
        WireType(name="int32", datatype=DataType.INT32, bits=32),
        WireType(name="uint32", datatype=DataType.UINT32, bits=32),
        WireType(name="int64", datatype=DataType.INT64, bits=64),
        WireType(name="uint64", datatype=DataType.UINT64, bits=64),
        WireType(name="float32", datatype=DataType.FLOAT, bits=32),
        WireType(name="float64", datatype=DataType.DOUBLE, bits=64),
        WireType(name="string", datatype=DataType.STRING, bits=0),
        WireType(name="datetime", datatype=DataType.DATETIME, bits=0),
    )
}

# IEC 61131-3 names, in capitals, are synonyms.
IEC_NAMES: dict[str, str] = {
    "BOOL": "bool", "SINT": "int8", "INT": "int16", "DINT": "int32", "LINT": "int64",
    "USINT": "uint8", "UINT": "uint16", "UDINT": "uint32", "ULINT": "uint64",
    "BYTE": "uint8", "WORD": "uint16", "DWORD": "uint32", "LWORD": "uint64",
    "REAL": "float32", "LREAL": "float64", "STRING": "string",
}  # fmt: skip


def wire_type(word: str) -> WireType | None:
    """The wire type that a word names, or None; ``int`` and ``float`` do not say their width."""
    return WIRE_TYPES.get(IEC_NAMES.get(word, word))
