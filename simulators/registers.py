"""Registers: how a value lies in 16 bit words, in any byte order, written a second time on purpose.

The driver takes values out of registers by plans of `struct`; this puts them in without `struct`
and without a line of the driver's, so that no mistake can hide on both sides of the wire.
"""

import array
import sys

from mappings.batch import Value

_BYTES = {
    "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4,
    "int64": 8, "uint64": 8, "float64": 8,
}  # fmt: skip


def register_count(wire_type: str) -> int:
    """How many registers a value takes; a bit lies in one."""
    return _BYTES.get(wire_type, 2) // 2


def registers_for(value: Value, wire_type: str, order: str) -> list[int]:
    """The registers that hold ``value``; ``order`` names its bytes as they are sent, A first.

    >>> [hex(r) for r in registers_for(0x01020304, "uint32", "CDAB")]
    ['0x304', '0x102']
    """
    size = _BYTES[wire_type]
    assert isinstance(value, int | float)
    if wire_type.startswith("float"):
        big_endian = _float_bytes(float(value), size)
    else:
        big_endian = (int(value) % (1 << 8 * size)).to_bytes(size, "big")
    named = dict(zip("ABCDEFGH", big_endian, strict=False))
    sent = [named[letter] for letter in order]
    return [sent[i] << 8 | sent[i + 1] for i in range(0, size, 2)]


def _float_bytes(value: float, size: int) -> bytes:
    # IEEE 754 by way of the machine's own arrays, not by the struct plans under test.
    native = array.array("f" if size == 4 else "d", [value]).tobytes()
    return native[::-1] if sys.byteorder == "little" else native


def sent_order(wire_type: str, own: str, word_order: str) -> str:
    """The letters of a value's bytes in the order in which they are sent."""
    size = _BYTES[wire_type]
    if own:
        return own
    if size == 2:
        return "AB"
    # The pattern says two things: do words come least significant first, are bytes swapped?
    words_back, bytes_back = {
        "ABCD": (False, False), "CDAB": (True, False), "BADC": (False, True), "DCBA": (True, True),
    }[word_order]  # fmt: skip
    words = ["ABCDEFGH"[i : i + 2] for i in range(0, size, 2)]
    if words_back:
        words.reverse()
    return "".join(word[::-1] if bytes_back else word for word in words)
