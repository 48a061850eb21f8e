"""Inverse: the way of a command, from a published value back to the raw one.

The steps of `mappings.conversion` backwards: enum, clamp, invert, the line; all of it exact, and
rounded once, to the nearest raw value that there is. What is not what a metric can show is refused:
nothing is cut to a limit on its way to a machine.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import copysign, isfinite

from mappings.batch import Value
from mappings.coercion import coerce_to
from mappings.conversion import Conversion
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
from mappings.tags import Metric
from mappings.transforms import line_of

# Digits of the significand, the leading one included (IEEE 754).
_DIGITS = {DataType.FLOAT: 24, DataType.DOUBLE: 53}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a value cannot be written; for people."""

    reason: str


def why_not_invertible(metric: Metric) -> str:
    """Why no command can find the raw value again; empty if each can."""
    if metric.datatype in ARRAYS:
        return "an array is not written"
    if metric.scale_point is not None:
        return "its scale is the value of another row"
    line = line_of(metric)
    wanted = element_of(metric.datatype)
    if line is None or metric.raw_type not in INTEGERS or wanted not in FLOATS:
        return ""
    # Between two raw values there must be more than what the published number is rounded by.
    reach = max(abs(Fraction(end) * line.a + line.b) for end in _ends(metric)) / line.d
    if Fraction(abs(line.a), line.d) <= reach / (1 << _DIGITS[wanted] - 1):
        return f"a {wanted.name.capitalize()} cannot tell its raw values apart"
    return ""


def _ends(metric: Metric) -> tuple[int, int]:
    low, high = integer_range(metric.raw_type)
    exact = 1 << 53  # raw values beyond are refused on their way up, too
    return max(low, -exact), min(high, exact)


def raw_of(metric: Metric, value: Value) -> Value | Refused:
    """The raw value that shows as ``value``, or nearest to it.

    ``value`` is of the published type, or an integer for a float. What comes back is of the raw
    type, and shows without being clamped, invalid or refused.
    """
    why = why_not_invertible(metric)
    if why:
        return Refused(why)
    if value is None:
        return Refused("no value")
    raw = _text_back(metric, value) if metric.enum else value
    if not isinstance(raw, Refused) and metric.raw_type in NUMBERS:
        raw = _number_back(metric, raw)
    elif not isinstance(raw, Refused):
        raw = _plain_back(metric, raw)
    if isinstance(raw, Refused):
        return raw
    shown, _ = Conversion(metric)(raw)
    if shown is None:
        return Refused(f"{value!r} is not what this metric can show")
    return raw


def _text_back(metric: Metric, value: Value) -> Value | Refused:
    if metric.datatype not in TEXTS:
        return value
    for code, text in metric.enum:
        if text == value:
            return bool(code) if metric.raw_type is DataType.BOOLEAN else code
    return Refused(f"{value!r} is none of {', '.join(text for _, text in metric.enum)}")


def _number_back(metric: Metric, value: Value) -> int | float | Refused:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return Refused(f"{value!r} is no number")
    low = metric.low if metric.clamp in {"low", "both"} else None
    high = metric.high if metric.clamp in {"high", "both"} else None
    if (low is not None and value < low) or (high is not None and value > high):
        return Refused(f"{value} is beyond what is shown")
    line = line_of(metric)
    exact = Fraction(value) if line is None else (Fraction(value) * line.d - line.b) / line.a
    if metric.raw_type in INTEGERS:
        return _integer_back(metric, value, exact, rounds=line is not None)
    found = coerce_to(metric.raw_type)(exact, True)
    if type(found) is not float:
        return Refused(f"{value} does not fit the device's type")
    return copysign(found, value) if line is None else found  # -0.0 stays


def _integer_back(metric: Metric, value: float, exact: Fraction, *, rounds: bool) -> int | Refused:
    raw = round(exact)
    if raw != exact and not rounds:
        return Refused(f"{value} is no whole number")
    low, high = integer_range(metric.raw_type)
    if not low <= raw <= high:
        return Refused(f"{value} does not fit the device's type")
    return raw


def _plain_back(metric: Metric, value: Value) -> Value | Refused:
    if metric.raw_type is DataType.BOOLEAN:
        if not isinstance(value, bool):
            return Refused(f"{value!r} is neither yes nor no")
        # An enum's text came from the value as it was shown, so it is turned round as well.
        return not value if metric.invert else value
    found = coerce_to(metric.raw_type)(value, False)
    return Refused(f"{value!r} does not fit the device's type") if found is None else found
