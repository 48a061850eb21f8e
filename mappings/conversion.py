"""Conversion: the way of one metric's value from raw to published, with what is to be said of it.

The steps, in this order: ``invalid``, the line (with the power of ten of another row), ``invert``,
``clamp``, ``enum``, coercion to the published type. A value that ends nowhere is None, with the
`Reason`; one that is published may have a reason too. `mappings.inverse` goes the same way back.

Most metrics need none of this, or a line only: `Conversion.is_plain` says so, and then whole
columns are calculated at once (`mappings.transforms`), with the same result.
"""

from fractions import Fraction
from math import isfinite
from typing import Any

from mappings.batch import Value
from mappings.coercion import coerce_to
from mappings.datatypes import (
    ARRAYS,
    FLOATS,
    INTEGERS,
    NUMBERS,
    TEXTS,
    DataType,
    element_of,
    integer_range,
)
from mappings.quality import Reason
from mappings.tags import NOTHING_INVALID, Metric
from mappings.transforms import Line, line_of

Converted = tuple[Value, int]
"""The value and `Reason`; the value is None where there is none."""

_MOST_POWER = 60  # no row is scaled further than this; what is beyond means "not there"
_EXACT = 1 << 53
_WIDE = frozenset({DataType.INT64, DataType.UINT64})

_NUMBER = frozenset({int, float})
_TYPES: dict[DataType, frozenset[type]] = {
    DataType.BOOLEAN: frozenset({bool}),
    DataType.BYTES: frozenset({bytes}),
    **dict.fromkeys(TEXTS, frozenset({str})),
}

_NONE = int(Reason.NONE)
_WRONG_TYPE: Converted = (None, int(Reason.WRONG_TYPE))
_DOES_NOT_FIT: Converted = (None, int(Reason.DOES_NOT_FIT))
_INVALID: Converted = (None, int(Reason.INVALID))
_NOT_FINITE: Converted = (None, int(Reason.NOT_FINITE))
_SCALE_UNKNOWN: Converted = (None, int(Reason.SCALE_UNKNOWN))


def _is_plain(metric: Metric, line: Line | None) -> bool:
    if (
        metric.scale_point is not None
        or metric.invalid != NOTHING_INVALID
        or metric.invert
        or metric.clamp != "none"
        or metric.enum
    ):
        return False
    raw, wanted = metric.raw_type, element_of(metric.datatype)
    is_array = metric.datatype in ARRAYS
    if line is not None:
        return (
            wanted is DataType.DOUBLE and not is_array and raw not in _WIDE
            and raw in NUMBERS and line.is_tame
        )  # fmt: skip
    if is_array and raw in FLOATS:
        return False
    if raw is wanted:
        return raw is not DataType.UUID
    if raw in INTEGERS and wanted in INTEGERS:
        inner, outer = integer_range(raw), integer_range(wanted)
        return outer[0] <= inner[0] and inner[1] <= outer[1]
    if raw is DataType.FLOAT and wanted is DataType.DOUBLE:
        return True
    return raw in TEXTS and wanted in TEXTS and wanted is not DataType.UUID


class Conversion:
    """One metric's steps; called with a raw value, and the power of ten if another row says it.

    ``line`` is its line, None where values pass. ``is_plain`` says that a column of values is
    calculated at once, because they pass or have a line to Double.
    """

    __slots__ = (
        "_above", "_below", "_coerce", "_enum", "_high", "_invalid", "_invert", "_is_array", "_low",
        "_power", "_texts", "_types", "_values", "is_plain", "line",
    )  # fmt: skip

    def __init__(self, metric: Metric) -> None:
        invalid = metric.invalid
        self._invalid = invalid != NOTHING_INVALID
        self._values, self._below, self._above = invalid.values, invalid.below, invalid.above
        self.line = line_of(metric)
        self.is_plain = _is_plain(metric, self.line)
        self._power = metric.scale_point is not None
        self._invert = metric.invert
        self._low = metric.low if metric.clamp in {"low", "both"} else None
        self._high = metric.high if metric.clamp in {"high", "both"} else None
        self._enum = dict(metric.enum)
        wanted = element_of(metric.datatype)
        self._texts = wanted in TEXTS
        self._types = _TYPES.get(metric.raw_type, _NUMBER)
        self._coerce = coerce_to(wanted)
        self._is_array = metric.datatype in ARRAYS

    def __call__(self, raw: Any, power: int | None = None) -> Converted:
        """What is published of a raw value, and what is to be said of it."""
        if not self._is_array:
            return self._one(raw, power)
        if type(raw) is not tuple:
            return _WRONG_TYPE
        elements = [self._one(element, power) for element in raw]
        lost = next((reason for value, reason in elements if value is None), None)
        if lost is not None:
            return None, lost
        said = max((reason for _, reason in elements), default=_NONE)
        return tuple(value for value, _ in elements), said  # type: ignore[misc]  # none is None

    def _one(self, raw: Any, power: int | None) -> Converted:
        if type(raw) not in self._types:
            return _WRONG_TYPE
        if type(raw) is float and not isfinite(raw):
            return _NOT_FINITE
        if self._invalid and self._is_invalid(raw):
            return _INVALID
        value: Any = raw
        calculated = False
        if self.line is not None or self._power:
            if self._power:
                if power is None or abs(power) > _MOST_POWER:
                    return _SCALE_UNKNOWN
                value = Fraction(raw) * Fraction(10) ** power
            calculated = True
            if self.line is not None:
                value = self.line.apply(value)
        elif self._invert:
            value = not raw
        said = _NONE
        if self._low is not None and value < self._low:
            value, said = self._low, int(Reason.CLAMPED)
        elif self._high is not None and value > self._high:
            value, said = self._high, int(Reason.CLAMPED)
        if self._enum:
            text = self._enum.get(int(value)) if type(value) in {int, bool} else None
            if text is None:
                said = int(Reason.NO_TEXT)
            if self._texts:
                value = text if text is not None else str(int(value))
        found = self._coerce(value, calculated)
        if found is None:
            return _DOES_NOT_FIT
        if calculated and type(raw) is int and abs(raw) > _EXACT and type(found) is float:
            if said == _NONE and Fraction(found) != value:
                return _DOES_NOT_FIT  # its last digits would be lost
        elif calculated and type(found) is float and not isfinite(found):
            return _DOES_NOT_FIT
        return found, said

    def _is_invalid(self, raw: Any) -> bool:
        if raw in self._values:
            return True
        if self._below is not None and raw < self._below:
            return True
        return self._above is not None and raw > self._above
