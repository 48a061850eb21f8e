"""Values: from the bytes of a response to a column of values, by a plan made once.

A plan regroups the bytes of a whole block so that each number stands most significant byte first,
and takes them apart with one `struct.Struct`: two calls in C for a block, none for each value.
Regrouping is `bytes.translate` with the roles swapped: the precomputed text is the list of byte
positions, and the response, padded to 256 bytes, is the translation table. So any order, gaps,
and rows that share registers cost the same, and a block that arrives in order costs nothing.

Bits come out of the same numbers. What is not one number (texts, arrays, BCD, ranges of bits) is
read one by one by `drivers.modbus.readers`, in the same plan.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from drivers.modbus.orders import known
from drivers.modbus.readers import (
    CODES,
    Read,
    bytes_at,
    read_array,
    read_bits,
    reader,
    regrouped,
)
from mappings.batch import Value

_BITS_OF_BYTE = tuple(tuple(byte >> bit & 1 == 1 for bit in range(8)) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Field:
    """A value inside a response: ``at`` is its first byte (in a block of coils, its bit).

    ``bit`` is a bit of a register, and with ``last_bit`` the lowest of several that are a number.
    ``count`` is set for an array of so many values, one behind the other.
    """

    point: int
    at: int
    wire_type: str
    order: str = "AB"
    bit: int | None = None
    last_bit: int | None = None
    count: int | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is one number that `struct` can take out of its bytes."""
        return self.bit is None and self.count is None and known(self.wire_type).kind in CODES

    @property
    def is_bit(self) -> bool:
        """Whether it is a single bit of a register."""
        return self.bit is not None and self.last_bit is None


class RegisterPlan:
    """How to read the fields of one block of registers, ``size`` bytes long."""

    __slots__ = ("_masks", "_numbers", "_others", "_positions", "_unpack", "points")

    def __init__(self, fields: Sequence[Field], size: int) -> None:
        numbers = [field for field in fields if field.is_number]
        bits = [field for field in fields if field.is_bit]
        others = [field for field in fields if not (field.is_number or field.is_bit)]
        places = bytes(
            chain(
                *(bytes_at(known(f.wire_type), f.at, f.order) for f in numbers),
                *((f.at, f.at + 1) for f in bits),
            )
        )
        codes = [CODES[known(f.wire_type).kind] for f in numbers] + ["H"] * len(bits)
        self._positions = None if places == bytes(range(size)) else places
        self._unpack = struct.Struct(">" + "".join(codes)).unpack
        self._numbers = len(numbers)
        self._masks = tuple(1 << f.bit for f in bits if f.bit is not None)
        self._others = tuple(_reader(f) for f in others)
        self.points = tuple(field.point for field in numbers + bits + others)

    def decode(self, raw: bytes) -> Sequence[Value]:
        """The values of ``points``, in that order; None for bytes that are no value of the type."""
        positions = self._positions
        values = self._unpack(raw if positions is None else regrouped(raw, positions))
        if not self._masks and not self._others:
            return values
        n = self._numbers
        return (
            *values[:n],
            *[word & mask != 0 for word, mask in zip(values[n:], self._masks, strict=True)],
            *[read(raw) for read in self._others],
        )

    @property
    def always_reads(self) -> bool:
        """Whether any bytes are a value, so that `decode` never says None."""
        return not self._others


class CoilPlan:
    """How to read the fields of one block of coils or discrete inputs (bit 0 of byte 0 first)."""

    __slots__ = ("_arrays", "_count", "_pick", "points")

    always_reads = True

    def __init__(self, fields: Sequence[Field]) -> None:
        single = [field for field in fields if field.count is None]
        arrays = [field for field in fields if field.count is not None]
        places = [field.at for field in single]
        self._count = len(places)
        in_order = places == list(range(self._count))
        # One place more than needed: itemgetter of a single place would give no column.
        self._pick = None if in_order else itemgetter(*places, places[0])
        self._arrays = tuple(slice(f.at, f.at + f.count) for f in arrays if f.count is not None)
        self.points = tuple(field.point for field in single + arrays)

    def decode(self, raw: bytes) -> Sequence[Value]:
        """The values of ``points``, in that order."""
        bits = list(chain.from_iterable(map(_BITS_OF_BYTE.__getitem__, raw)))
        column = bits if self._pick is None else self._pick(bits)
        if not self._arrays:
            return column[: self._count]
        return [*column[: self._count], *(tuple(bits[part]) for part in self._arrays)]


def _reader(field: Field) -> Read:
    wire = known(field.wire_type)
    if field.bit is not None and field.last_bit is not None:
        return read_bits(wire, field.at, field.bit, field.last_bit)
    if field.count is not None:
        return read_array(wire, field.at, field.order, field.count)
    return reader(wire, field.at, field.order)
