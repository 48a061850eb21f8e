"""Readers: values that are not one plain number, taken out of a response one by one.

Texts, bytes, BCD, arrays, and several bits as a number. A reader gives None where the bytes are no
value of the type: a BCD digit above 9, a byte that the code page does not know. So a wrong number
or a mutilated text is never published; the row is BAD.
"""

import struct
from collections.abc import Callable
from itertools import chain

from drivers.modbus.orders import is_text, registers_of
from mappings.batch import Value
from mappings.datatypes import WireType

Read = Callable[[bytes], Value]
"""From the bytes of a response to a value, or None."""

CODES = {
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "float16": "e", "float32": "f", "float64": "d",
    "epoch_s": "I", "epoch_ms": "Q",
}  # fmt: skip
"""The type code of `struct` of each wire type that is one number."""


def bytes_at(wire: WireType, at: int, order: str) -> tuple[int, ...]:
    """Where the bytes of a value stand, the most significant (of texts: the first) first.

    ``at`` is the first byte of its first register. A value of 8 bits is in a register's low byte.
    """
    if is_text(wire):
        registers = range(at, at + 2 * (registers_of(wire, order) or 0), 2)
        offsets = {"AB": (0, 1), "BA": (1, 0), "A-": (0,), "-A": (1,)}[order]
        places = tuple(register + offset for register in registers for offset in offsets)
        return places[: wire.length]
    if wire.bits == 8:
        return (at + 1,)
    return tuple(at + order.index(letter) for letter in sorted(order))


def regrouped(raw: bytes, positions: bytes) -> bytes:
    """The bytes of ``raw`` (256 at most) at these positions."""
    return positions.translate(raw.ljust(256))


def reader(wire: WireType, at: int, order: str) -> Read:
    """How to read one value."""
    positions = bytes(bytes_at(wire, at, order))
    if wire.kind == "string":
        return _text(positions, wire.encoding)
    if wire.kind == "bytes":
        return lambda raw: regrouped(raw, positions)
    if wire.kind in {"bcd16", "bcd32"}:
        return _bcd(positions)
    unpack = struct.Struct(">" + CODES[wire.kind]).unpack
    return lambda raw: unpack(regrouped(raw, positions))[0]


def read_array(wire: WireType, at: int, order: str, count: int) -> Read:
    """How to read an array of values that stand one behind the other: as a tuple."""
    step = 2 * (registers_of(wire, order) or 0)
    begins = range(at, at + count * step, step)
    if wire.kind in CODES:
        positions = bytes(chain.from_iterable(bytes_at(wire, begin, order) for begin in begins))
        unpack = struct.Struct(f">{count}{CODES[wire.kind]}").unpack
        return lambda raw: unpack(regrouped(raw, positions))
    readers = [reader(wire, begin, order) for begin in begins]

    def elements(raw: bytes) -> Value:
        values = [read(raw) for read in readers]
        return None if None in values else tuple(values)  # type: ignore[arg-type]

    return elements


def read_bits(wire: WireType, at: int, bit: int, last_bit: int) -> Read:
    """How to read bits of one register as a number."""
    mask = (1 << last_bit - bit + 1) - 1
    beyond = mask // 2 if wire.kind.startswith("int") else mask

    def number(raw: bytes) -> int:
        value = (raw[at] << 8 | raw[at + 1]) >> bit & mask
        return value - mask - 1 if value > beyond else value

    return number


def _bcd(positions: bytes) -> Read:
    def number(raw: bytes) -> int | None:
        digits = regrouped(raw, positions).hex()
        return int(digits) if digits.isdecimal() else None

    return number


def _text(positions: bytes, encoding: str) -> Read:
    nul = bytes(_width(encoding))
    width = len(nul)

    def text(raw: bytes) -> str | None:
        sent = regrouped(raw, positions)
        end = sent.find(nul)
        while end > 0 and end % width:  # a NUL is a whole character
            end = sent.find(nul, end + 1)
        try:
            found = (sent if end < 0 else sent[:end]).decode(encoding)
            found.encode()  # what some code pages make of some bytes cannot be sent on
        except UnicodeError:
            return None
        return found.rstrip(" ")

    return text


def _width(encoding: str) -> int:
    """How many bytes a NUL has in a code page."""
    try:
        return max(1, len("\0\0".encode(encoding)) - len("\0".encode(encoding)))  # less the mark
    except UnicodeError:
        return 1
