"""Report by exception: which values of a column differ enough from the last emitted ones.

A deadband is absolute and in the metric's unit; a value is reported when it differs by *more* than
that, and with 0 when it differs at all. Whole columns are compared by functions that run in C.
"""

from collections.abc import Callable, Sequence
from operator import gt, ne, sub
from typing import Any

Changed = Callable[[Sequence[Any], Sequence[Any]], list[bool]]
"""(new column, last column) -> one flag a value."""


def any_change(new: Sequence[Any], last: Sequence[Any]) -> list[bool]:
    """Every value that is not equal to the last one."""
    return list(map(ne, new, last))


def changed_of(deadbands: Sequence[float]) -> Changed:
    """The comparison for a column whose values have these deadbands."""
    banded = [(i, band) for i, band in enumerate(deadbands) if band > 0]
    if not banded:
        return any_change
    if len(banded) == len(deadbands):
        bands = list(deadbands)
        if len(set(bands)) == 1:
            band = bands[0]
            return lambda new, last: [abs(n - o) > band for n, o in zip(new, last, strict=True)]
        return lambda new, last: list(map(gt, map(abs, map(sub, new, last)), bands))

    def some(new: Sequence[Any], last: Sequence[Any]) -> list[bool]:
        flags = any_change(new, last)
        for i, band in banded:
            flags[i] = flags[i] and abs(new[i] - last[i]) > band
        return flags

    return some


def differs(value: Any, last: Any, deadband: float) -> bool:
    """Whether one value is reported after another; None, no value yet, differs from every value."""
    if deadband and value is not None and last is not None:
        return bool(abs(value - last) > deadband)
    return bool(value != last)
