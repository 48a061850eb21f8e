"""Transforms: raw x scale + offset, exactly where exactness is possible.

The three integers of a `Line` make (raw x a + b) / d with one correctly rounded division for
integer raw values: a scale of 0.1 divides by ten, so that raw 3 becomes 0.3 and not
0.30000000000000004. A metric without scale and offset has no line: its values pass bit for bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from mappings.tags import Metric

_EXACT = 1 << 53  # whole numbers up to here are doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """(raw x ``a`` + ``b``) / ``d``."""

    a: int
    b: int
    d: int

    @property
    def is_tame(self) -> bool:
        """Whether its integers are doubles without rounding, so that a column may calculate."""
        return max(abs(self.a), abs(self.b), self.d) <= _EXACT

    def apply(self, raw: float | Fraction) -> float | Fraction:
        """The engineering value: exact of what is exact, a double of a float."""
        if not isinstance(raw, float):
            return (Fraction(raw) * self.a + self.b) / self.d
        if self.is_tame:
            same = (self.a, self.b) == (1, 0)
            value = raw / self.d if same else (raw * self.a + self.b) / self.d
            if isfinite(value):
                return value
        return self._nearest(raw)

    def _nearest(self, raw: float) -> float:
        """The double next to the exact value; infinite beyond all doubles."""
        exact = Fraction(raw) * Fraction(self.a, self.d) + Fraction(self.b, self.d)
        try:
            return exact.numerator / exact.denominator
        except OverflowError:
            return float("inf") if exact > 0 else float("-inf")


def line_of(metric: Metric) -> Line | None:
    """The line of a metric, or None when its values pass unchanged."""
    scale, offset = metric.scale, metric.offset
    if scale == 1 and offset == 0:
        return None
    d = scale.denominator * offset.denominator
    a, b = int(scale * d), int(offset * d)
    return Line(a=a, b=b, d=d)


Transform = Callable[[Sequence[Any]], Sequence[Any]]


def transform_of(lines: Sequence[Line | None], *, floats: bool = False) -> Transform | None:
    """One function for a whole column of values; None when nothing changes.

    The column is numeric wherever there is a line, and holds no None; the lines are tame.
    ``floats`` promises that every raw value is a float: then the line's integers become floats once
    instead of each time.
    """
    if not any(lines):
        return None
    first = lines[0]
    if first is not None and all(line == first for line in lines):
        a: float = first.a
        b: float = first.b
        d: float = first.d
        if floats:
            a, b, d = float(a), float(b), float(d)
        if (a, b) == (1, 0):
            return lambda column: [raw / d for raw in column]
        return lambda column: [(raw * a + b) / d for raw in column]
    scaled = [(i, line.a, line.b, line.d) for i, line in enumerate(lines) if line is not None]

    def some(column: Sequence[Any]) -> Sequence[Any]:
        out = list(column)
        for i, a, b, d in scaled:
            out[i] = (out[i] * a + b) / d
        return out

    return some
