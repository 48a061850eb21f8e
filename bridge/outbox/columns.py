"""Columns: sequences of numbers or values as bytes and back, exactly.

A column begins with one letter that says how the rest is packed; the number of items is known to
the caller. Integers take the narrowest width that holds them (as offsets from the smallest, for
times), values keep their Python type: 1, 1.0 and True stay different, -0.0 and the payload of a
NaN survive. Always little endian. Pure.
"""

import sys
from array import array
from collections.abc import Sequence
from struct import Struct

from mappings.batch import Value

_I64 = Struct("<q")
_WIDTHS = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32), ("Q", 1 << 64))
_SIZES = {code: array(code).itemsize for code in "bBhHiIqQfd"}
assert _SIZES == {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4, "d": 8}
_SWAP = sys.byteorder == "big"

# Letters of a column, besides the array codes. A constant: one i64 for all items.
_CONSTANT, _OFFSETS = "=", "+"
# Kinds of a value in a mixed column; each kind's values follow in a column of their own.
_NULL, _FALSE, _TRUE, _INTEGER, _FLOAT, _TEXT, _BIG, _BYTES, _ARRAY = range(9)
_IN_HEAP = (_TEXT, _BIG, _BYTES, _ARRAY)
_LENGTH = Struct("<I")


class ColumnError(ValueError):
    """The bytes are not a column; only a bug or a forged file gets past the CRC to here."""


def _packed(code: str, items: Sequence[int] | Sequence[float]) -> bytes:
    column = array(code, items)
    if _SWAP:
        column.byteswap()
    return column.tobytes()


def pack_unsigned(items: Sequence[int]) -> bytes:
    """Integers of 0 .. 2**64-1."""
    most = max(items)
    for code, end in _WIDTHS:
        if most < end:
            return code.encode() + _packed(code, items)
    raise OverflowError(most)


def pack_integers(items: Sequence[int]) -> bytes:
    """Integers of -2**63 .. 2**63-1 that tend to be equal or near each other: times, codes."""
    least, most = min(items), max(items)
    if least == most:
        return b"=" + _I64.pack(least)
    if most - least < 1 << 32:
        return b"+" + _I64.pack(least) + pack_unsigned([item - least for item in items])
    return b"q" + _packed("q", items)


def unpack_integers(body: bytes, at: int, count: int) -> tuple[list[int], int]:
    """The integers of a column at offset ``at``, and the offset behind it."""
    code = chr(body[at])
    at += 1
    if code == _CONSTANT:
        return [_I64.unpack_from(body, at)[0]] * count, at + 8
    if code == _OFFSETS:
        (least,) = _I64.unpack_from(body, at)
        offsets, at = unpack_integers(body, at + 8, count)
        return [least + offset for offset in offsets], at
    if code not in "bBhHiIqQ":
        raise ColumnError(f"integer column {code!r}")
    return _unpacked(code, body, at, count)


def _unpacked(code: str, body: bytes, at: int, count: int) -> tuple[list[int], int]:
    end = at + _SIZES[code] * count
    if end > len(body):
        raise ColumnError("column is cut off")
    column: array[int] = array(code)
    column.frombytes(body[at:end])
    if _SWAP:
        column.byteswap()
    return column.tolist(), end


def pack_values(values: Sequence[Value]) -> bytes:
    """Values of any supported kind; TypeError for anything that is not a `Value`."""
    kinds = set(map(type, values))
    if len(kinds) == 1:
        kind = kinds.pop()
        if kind is float:
            return _pack_floats(values)  # type: ignore[arg-type]  # narrowed by the set of types
        if kind is int:
            packed = _pack_whole(values)  # type: ignore[arg-type]
            if packed is not None:
                return packed
        elif kind is bool:
            return b"?" + bytes(values)  # type: ignore[arg-type]
    return _pack_mixed(values)


def _pack_floats(values: Sequence[float]) -> bytes:
    first = values[0]
    if array("f", (first,))[0] == first:  # worth a try: float32 devices are the usual ones
        narrow = array("f", values)
        if narrow.tolist() == list(values):  # false for NaN, which keeps its payload as a double
            return b"f" + _packed("f", values)
    return b"d" + _packed("d", values)


def _pack_whole(values: Sequence[int]) -> bytes | None:
    least, most = min(values), max(values)
    if least >= 0:
        return pack_unsigned(values) if most < 1 << 64 else None
    for code, end in (("b", 1 << 7), ("h", 1 << 15), ("i", 1 << 31), ("q", 1 << 63)):
        if -end <= least and most < end:
            return code.encode() + _packed(code, values)
    return None


def _pack_mixed(values: Sequence[Value]) -> bytes:
    kinds = bytearray()
    whole: list[int] = []
    floats: list[float] = []
    texts: list[bytes] = []
    for value in values:
        if value is None:
            kinds.append(_NULL)
        elif isinstance(value, bool):
            kinds.append(_TRUE if value else _FALSE)
        elif isinstance(value, float):
            kinds.append(_FLOAT)
            floats.append(float(value))
        elif isinstance(value, int):
            if -(1 << 63) <= value < 1 << 63:
                kinds.append(_INTEGER)
                whole.append(int(value))
            else:
                kinds.append(_BIG)
                texts.append(str(int(value)).encode())
        elif isinstance(value, str):
            kinds.append(_TEXT)
            # A device may hand on half a surrogate pair; it must not stop the log.
            texts.append(value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, bytes):
            kinds.append(_BYTES)
            texts.append(value)
        elif isinstance(value, tuple):
            # An array is a column inside the column: how many, and their bytes.
            kinds.append(_ARRAY)
            texts.append(_LENGTH.pack(len(value)) + (pack_values(value) if value else b""))
        else:
            raise TypeError(f"a value of type {type(value).__name__} cannot be stored")
    parts = [b"m", bytes(kinds), _packed("q", whole), _packed("d", floats)]
    if texts:
        parts += [pack_unsigned([len(text) for text in texts]), *texts]
    return b"".join(parts)


def unpack_values(body: bytes, at: int, count: int) -> tuple[list[Value], int]:
    """The values of a column at offset ``at``, and the offset behind it."""
    code = chr(body[at])
    at += 1
    values: list[Value]
    if code in _SIZES:
        column, at = _unpacked(code, body, at, count)
        values = list(column)
        return values, at
    kinds = body[at : at + count]
    if len(kinds) != count:
        raise ColumnError("column is cut off")
    at += count
    if code == "?":
        return [kind != 0 for kind in kinds], at
    if code != "m":
        raise ColumnError(f"value column {code!r}")
    whole, at = _unpacked("q", body, at, kinds.count(_INTEGER))
    floats, at = _unpacked("d", body, at, kinds.count(_FLOAT))
    texts: list[bytes] = []
    if heap := sum(map(kinds.count, _IN_HEAP)):
        lengths, at = unpack_integers(body, at, heap)
        for length in lengths:
            texts.append(body[at : at + length])
            at += length
        if at > len(body):
            raise ColumnError("column is cut off")
    return _merged(kinds, whole, floats, texts), at


def _merged(
    kinds: bytes, whole: Sequence[int], floats: Sequence[float], texts: list[bytes]
) -> list[Value]:
    next_whole, next_float, next_text = iter(whole), iter(floats), iter(texts)
    values: list[Value] = []
    for kind in kinds:
        if kind == _NULL:
            values.append(None)
        elif kind <= _TRUE:
            values.append(kind == _TRUE)
        elif kind == _INTEGER:
            values.append(next(next_whole))
        elif kind == _FLOAT:
            values.append(next(next_float))
        elif kind == _TEXT:
            values.append(next(next_text).decode("utf-8", "surrogatepass"))
        elif kind == _BIG:
            values.append(int(next(next_text)))
        elif kind == _BYTES:
            values.append(next(next_text))
        elif kind == _ARRAY:
            values.append(_array(next(next_text)))
        else:
            raise ColumnError(f"value kind {kind}")
    return values


def _array(text: bytes) -> Value:
    (count,) = _LENGTH.unpack_from(text)
    if not count:
        return ()
    if count > len(text):  # an element takes a byte at least
        raise ColumnError(f"array of {count} in {len(text)} bytes")
    elements, end = unpack_values(text, _LENGTH.size, count)
    if end != len(text):
        raise ColumnError("array is cut off")
    return tuple(elements)  # type: ignore[arg-type]  # elements of arrays are single values
