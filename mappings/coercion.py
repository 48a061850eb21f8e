"""Coercion: an engineering value as its published type, exactly or not at all.

A number that its row did not calculate is never rounded: it fits bit for bit, or it does not. One
that was scaled is rounded once, to Double or Float, because 0.1 has no other meaning there; it is
never rounded to an integer.
"""

import struct
from collections.abc import Callable
from fractions import Fraction
from math import isfinite, isinf
from typing import Any
from uuid import UUID

from mappings.batch import Value
from mappings.datatypes import INTEGERS, DataType, integer_range

Number = int | float | Fraction
Coerce = Callable[[Any, bool], Value]
"""(value, whether the row calculated it) -> the published value, or None if it does not fit."""

_FLOAT = struct.Struct("<f")
_LARGEST: float = _FLOAT.unpack(b"\xff\xff\x7f\x7f")[0]
_INFINITE_FROM = (2**25 - 1) * 2**103  # rounds to infinity (IEEE 754, section 4.3.1)
_LAST_TIME = integer_range(DataType.UINT64)[1]


def coerce_to(datatype: DataType) -> Coerce:
    """The coercion to a type of single values."""
    if datatype in INTEGERS:
        low, high = integer_range(datatype)
        return lambda value, _: _integer(value, low, high)
    if datatype is DataType.DATETIME:
        return lambda value, _: _integer(value, 0, _LAST_TIME)
    return _OTHERS[datatype]


def _integer(value: Any, low: int, high: int) -> int | None:
    if type(value) is float:
        if not value.is_integer():
            return None
        value = int(value)
    elif type(value) is Fraction:
        if value.denominator != 1:
            return None
        value = value.numerator
    return value if type(value) is int and low <= value <= high else None


def _double(value: Any, calculated: bool) -> float | None:
    if type(value) is float:
        return value
    if type(value) is Fraction:
        try:
            return value.numerator / value.denominator  # correctly rounded
        except OverflowError:
            return None
    if type(value) is not int:
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if calculated or int(found) == value else None


def _float(value: Any, calculated: bool) -> float | None:
    """The nearest number of IEEE 754 binary32, as a Python float."""
    if not calculated:
        exact = _double(value, calculated=False)
        return exact if exact is not None and _packed(exact) == exact else None
    double = _double(value, calculated=True)
    if double is None:
        return None
    found = _packed(double)
    if type(value) is float:
        return found
    if found is None:  # the double may have been rounded up to where infinity begins
        fits = abs(Fraction(value)) < _INFINITE_FROM
        return (_LARGEST if value > 0 else -_LARGEST) if fits else None
    # Rounding the rounded double could miss the nearest by one where it lies between two.
    exact_value = Fraction(value)
    around = [n for n in (_next(found, -1), found, _next(found, 1)) if n is not None]
    return min(around, key=lambda n: (abs(Fraction(n) - exact_value), _bits(n) & 1))


def _packed(value: float) -> float | None:
    try:
        found: float = _FLOAT.unpack(_FLOAT.pack(value))[0]
    except OverflowError:
        return None
    return None if isinf(found) else found


def _bits(value: float) -> int:
    return int.from_bytes(_FLOAT.pack(value), "little")


def _next(value: float, way: int) -> float | None:
    """The neighbour among the binary32 numbers, upwards or downwards."""
    if value == 0:
        return _FLOAT.unpack(struct.pack("<I", 1))[0] * way  # type: ignore[no-any-return]
    step = way if value > 0 else -way
    found: float = _FLOAT.unpack(struct.pack("<I", _bits(value) + step))[0]
    return found if isfinite(found) else None


def _bool(value: Any, _: bool) -> bool | None:
    if type(value) is bool:
        return value
    return bool(value) if type(value) is int and value in {0, 1} else None


def _text(value: Any, _: bool) -> str | None:
    return value if type(value) is str else None


def _uuid(value: Any, _: bool) -> str | None:
    try:
        return str(UUID(value)) if type(value) is str else None
    except ValueError:
        return None


def _bytes(value: Any, _: bool) -> bytes | None:
    return value if type(value) is bytes else None


_OTHERS: dict[DataType, Coerce] = {
    DataType.FLOAT: _float,
    DataType.DOUBLE: _double,
    DataType.BOOLEAN: _bool,
    DataType.STRING: _text,
    DataType.TEXT: _text,
    DataType.UUID: _uuid,
    DataType.BYTES: _bytes,
}
