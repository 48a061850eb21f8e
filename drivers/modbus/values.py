"""Values: from the bytes of a response to a column of values, by a plan made once.

A plan regroups the bytes of a whole block so that each value stands most significant byte first,
and takes them apart with one `struct.Struct`: two calls in C for a block, none for each value.
Regrouping is `bytes.translate` with the roles swapped: the precomputed text is the list of byte
positions, and the response, padded to 256 bytes, is the translation table. So any order, gaps,
and rows that share registers cost the same, and a block that arrives in order costs nothing.

Orders are as in the plant file: A is the most significant byte, letters in order of arrival.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from mappings.batch import Value

# Type code of `struct`, and registers, of each wire type that registers can carry.
_CODES = {
    "int16": ("h", 1), "uint16": ("H", 1),
    "int32": ("i", 2), "uint32": ("I", 2), "float32": ("f", 2),
    "int64": ("q", 4), "uint64": ("Q", 4), "float64": ("d", 4),
}  # fmt: skip

_IN_64_BIT = {"ABCD": "ABCDEFGH", "CDAB": "GHEFCDAB", "BADC": "BADCFEHG", "DCBA": "HGFEDCBA"}
_ORDERS = {1: ("AB", "BA"), 2: tuple(_IN_64_BIT), 4: tuple(_IN_64_BIT.values())}

_BITS_OF_BYTE = tuple(tuple(byte >> bit & 1 == 1 for bit in range(8)) for byte in range(256))


def registers_of(wire_type: str) -> int | None:
    """How many registers a number of this type takes, or None if registers do not carry it."""
    known = _CODES.get(wire_type)
    return None if known is None else known[1]


def orders(registers: int) -> tuple[str, ...]:
    """The byte orders of a value of so many registers; the first is the usual one."""
    return _ORDERS[registers]


def is_order(order: str, registers: int) -> bool:
    """Whether ``order`` is one; 64 bit values may have their whole registers in any order."""
    if order in _ORDERS[registers]:
        return True
    pairs = [order[i : i + 2] for i in range(0, len(order), 2)]
    return registers == 4 and sorted(pairs) == ["AB", "CD", "EF", "GH"]


def order_in(registers: int, own: str, of_device: str) -> str:
    """The order of a value: the row's own, else the device's pattern; 16 bit stays AB."""
    if own:
        return own
    if registers == 1:
        return "AB"
    return of_device if registers == 2 else _IN_64_BIT[of_device]


@dataclass(frozen=True, slots=True)
class Field:
    """A value inside a response: ``at`` is its first byte (in a block of coils, its bit)."""

    point: int
    at: int
    wire_type: str
    order: str = "AB"
    bit: int | None = None


class RegisterPlan:
    """How to read the fields of one block of registers, ``size`` bytes long."""

    __slots__ = ("_masks", "_numbers", "_positions", "_unpack", "points")

    def __init__(self, fields: Sequence[Field], size: int) -> None:
        numbers = [field for field in fields if field.bit is None]
        bits = [field for field in fields if field.bit is not None]
        places = bytes(
            chain(
                *([f.at + f.order.index(c) for c in sorted(f.order)] for f in numbers),
                *((f.at, f.at + 1) for f in bits),
            )
        )
        codes = [_CODES[f.wire_type][0] for f in numbers] + ["H"] * len(bits)
        self._positions = None if places == bytes(range(size)) else places
        self._unpack = struct.Struct(">" + "".join(codes)).unpack
        self._numbers = len(numbers)
        self._masks = tuple(1 << f.bit for f in bits if f.bit is not None)
        self.points = tuple(field.point for field in numbers + bits)

    def decode(self, raw: bytes) -> Sequence[Value]:
        """The values of ``points``, in that order."""
        if self._positions is not None:
            raw = self._positions.translate(raw.ljust(256))
        values = self._unpack(raw)
        if not self._masks:
            return values
        n = self._numbers
        return (
            *values[:n],
            *[word & mask != 0 for word, mask in zip(values[n:], self._masks, strict=True)],
        )


class CoilPlan:
    """How to read the fields of one block of coils or discrete inputs (bit 0 of byte 0 first)."""

    __slots__ = ("_count", "_pick", "points")

    def __init__(self, fields: Sequence[Field]) -> None:
        places = [field.at for field in fields]
        self._count = len(places)
        in_order = places == list(range(self._count))
        # One place more than needed: itemgetter of a single place would give no column.
        self._pick = None if in_order else itemgetter(*places, places[0])
        self.points = tuple(field.point for field in fields)

    def decode(self, raw: bytes) -> Sequence[Value]:
        """The values of ``points``, in that order."""
        bits = list(chain.from_iterable(map(_BITS_OF_BYTE.__getitem__, raw)))
        column = bits if self._pick is None else self._pick(bits)
        return column[: self._count]
