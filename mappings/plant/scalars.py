"""Scalars: what a text in the plant file means, by the key that it stands under.

The reader hands every value over as the text that was typed; these annotated types read it. A
text that means more than one thing is refused: a duration without a unit, a number in hexadecimal
where people count in tens, ``on`` for ``yes``. A value that is no text any more (a default, a
model built by a program) passes as it is, in the unit given here.

Words to choose from are `typing.Literal`; the reader suggests the nearest. A driver's block model
uses the same types, and `refusal` for checks of its own.
"""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

_DURATION_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION_SLIPS = {
    "m": "min", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms",
    "millis": "ms", "mins": "min", "minute": "min", "minutes": "min", "hr": "h", "hour": "h",
    "hours": "h", "day": "d", "days": "d",
}  # fmt: skip
_SIZE_BYTES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}  # fmt: skip
_LONGEST = 40  # characters; longer numbers are slips, and int() of thousands of digits is slow

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_RATIO = re.compile(r"([+-]?[0-9]+)\s*/\s*([0-9]+)")
_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]+)\s*([^\s0-9.]*)")


def refusal(code: str, seen: str, remedy: str) -> PydanticCustomError:
    """The error that a validator raises: the reader adds the place and makes it a problem.

    ``seen`` is one line in the user's words, ``remedy`` what was expected and how to mend it.
    """
    return PydanticCustomError(code, "{seen}", {"seen": seen, "remedy": remedy})


def _whole(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _WHOLE.fullmatch(text) and len(text) <= _LONGEST:
        return int(text)
    raise refusal("E113", f"{value!r} is not a whole number", "write it in decimal digits")


def _decimal(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _DECIMAL.fullmatch(text) and len(text) <= _LONGEST:
        number = float(text)
        if abs(number) != float("inf"):
            return number
    raise _no_number(value)


def _exact(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if len(text) <= _LONGEST:
        if _DECIMAL.fullmatch(text):
            return Fraction(text)
        ratio = _RATIO.fullmatch(text)
        if ratio and int(ratio[2]):
            return Fraction(int(ratio[1]), int(ratio[2]))
    raise _no_number(value, " or 1/3")


def _no_number(value: str, more: str = "") -> PydanticCustomError:
    comma = re.fullmatch(r"\s*([+-]?[0-9]+),([0-9]+)\s*", value)
    if comma:
        return refusal("E113", f"{value!r} is not a number", f"write {comma[1]}.{comma[2]}")
    return refusal("E113", f"{value!r} is not a number", f"write a decimal such as 0.1{more}")


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    units = "units are ms, s, min, h, d"
    text = value.strip()
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise refusal("E114", f"{value!r} is not a duration", f"write 300ms or 5s; {units}")
    number, unit = match.groups()
    if not unit:
        remedy = f"write {number}ms or {number}s; {units}"
        raise refusal("E114", f"{value!r} has no unit", remedy)
    if unit not in _DURATION_MS:
        folded = unit.casefold()
        meant = _DURATION_SLIPS.get(folded, folded if folded in _DURATION_MS else None)
        hint = f"did you mean {number}{meant}? {units}" if meant else units
        raise refusal("E114", f"{value!r}: unknown unit {unit!r}", hint)
    exact_ms = Decimal(number) * _DURATION_MS[unit]
    if exact_ms < 0:
        raise refusal("E114", f"{value!r} is negative", "a duration is 0 or longer")
    if exact_ms != int(exact_ms):
        raise refusal("E114", f"{value!r} is finer than 1ms", "write whole milliseconds")
    if exact_ms > 36_525 * _DURATION_MS["d"]:
        raise refusal("E114", f"{value!r} is longer than a century", f"{units}; a slip?")
    return int(exact_ms)


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    units = "units are MiB, GiB, TiB, MB, GB, TB"
    text = value.strip()
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise refusal("E116", f"{value!r} is not a size", f"write 64 MiB or 4 GiB; {units}")
    number, unit = match.groups()
    if not unit:
        remedy = f"write {number} MiB or {number} GiB; {units}"
        raise refusal("E116", f"{value!r} has no unit", remedy)
    if unit not in _SIZE_BYTES:
        folded = {u.casefold(): u for u in _SIZE_BYTES} | {"m": "MiB", "g": "GiB", "t": "TiB"}
        meant = folded.get(unit.casefold())
        hint = f"did you mean {number} {meant}? {units}" if meant else units
        raise refusal("E116", f"{value!r}: unknown unit {unit!r}", hint)
    size = Decimal(number) * _SIZE_BYTES[unit]
    if size < 0:
        raise refusal("E116", f"{value!r} is negative", "write a size such as 4 GiB")
    return int(size)


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*(\S.*?)\s*", value)
    if match is None or len(value) > _LONGEST:
        count = value.strip()
        example = f"{count}/s" if _WHOLE.fullmatch(count) else "5000/s"
        remedy = f"write {example}, or 1/5s for one in 5 seconds"
        raise refusal("E117", f"{value!r} is not a rate", remedy)
    count, period = match.groups()
    try:
        period_ms = _duration(period if period[0].isdigit() else f"1{period}")
    except PydanticCustomError:
        period_ms = 0
    if not isinstance(period_ms, int) or period_ms == 0 or float(count) == 0:
        raise refusal("E117", f"{value!r} is not a rate", "write 5000/s, 10/min or 1/5s")
    return float(count) * 1_000 / period_ms


def _yes_no(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value in {"yes", "no"}:
        return value == "yes"
    meant = {"true": "yes", "on": "yes", "1": "yes", "y": "yes"}.get(value.casefold())
    meant = meant or {"false": "no", "off": "no", "0": "no", "n": "no"}.get(value.casefold())
    hint = f"write {meant}" if meant else "write yes or no"
    raise refusal("E118", f"{value!r} is neither yes nor no", hint)


def lasting(at_least: str, at_most: str) -> AfterValidator:
    """Bounds for a duration, both inclusive, to stand beside `Duration` in an annotation.

    ``Annotated[Duration, lasting("100ms", "1min")]``.
    """
    least_ms, most_ms = _duration(at_least), _duration(at_most)
    assert isinstance(least_ms, int)
    assert isinstance(most_ms, int)

    def check(value_ms: int) -> int:
        if least_ms <= value_ms <= most_ms:
            return value_ms
        word = "too short" if value_ms < least_ms else "too long"
        raise refusal(
            "E115",
            f"{duration_text(value_ms)} is {word}",
            f"write a duration from {at_least} to {at_most}",
        )

    return AfterValidator(check)


def duration_text(duration_ms: int) -> str:
    """A duration as a user would write it: 1500 is ``1500ms``, 120000 is ``2min``."""
    for unit, unit_ms in reversed(_DURATION_MS.items()):
        if duration_ms and duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{unit}"
    return f"{duration_ms}ms"


def _shown(examples: str, *more: str) -> WithJsonSchema:
    """What editors are told of a scalar: they see texts, or what YAML makes of them."""
    return WithJsonSchema({"type": [*more, "string"], "description": examples})


Text = Annotated[str, StringConstraints(min_length=1)]
"""Any text but the empty one."""

WholeNumber = Annotated[int, BeforeValidator(_whole), _shown("a whole number", "integer")]
"""``125``. Bounds: ``Annotated[WholeNumber, Field(ge=1, le=247)]``."""

Number = Annotated[float, BeforeValidator(_decimal), _shown("a number such as 0.5", "number")]
"""``0.5``, ``-20``, ``1e-3``: finite."""

Exact = Annotated[Fraction, BeforeValidator(_exact), _shown("0.1 or 1/3", "number")]
"""``0.1`` or ``1/3``, without rounding."""

Duration = Annotated[
    int, BeforeValidator(_duration), _shown("a time such as 300ms, 5s, 1min, 2h, 30d")
]
"""Milliseconds, from ``300ms 5s 1min 2h 30d``; 0 or longer, bounds by `lasting`."""

Size = Annotated[int, BeforeValidator(_size), _shown("a size such as 64 MiB or 4 GiB")]
"""Bytes, from ``64 MiB``, ``4 GiB``, ``500 MB``."""

Rate = Annotated[float, BeforeValidator(_rate), _shown("a rate such as 5000/s, 10/min, 1/5s")]
"""Times per second, from ``5000/s``, ``10/min``, ``1/5s``."""

YesNo = Annotated[bool, BeforeValidator(_yes_no), _shown("yes or no", "boolean")]
"""``yes`` or ``no``, nothing else."""
