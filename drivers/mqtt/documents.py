"""Documents: what a payload says, before anybody asks for a type. Pure.

A payload comes from anywhere, so it is bounded and judged: JSON as RFC 8259 has it, in UTF-8, each
key once in its object, nested no deeper than Python can follow. Numbers stay what was written:
whole numbers exact at any length, others `decimal.Decimal`, because a binary float in between
would round twice. Python's NaN and Infinity, which are no JSON but what Python senders write, are
read as floats: they spoil their own point and not the others of the document.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from drivers.mqtt.addresses import Selector

MOST_BYTES = 1 << 20
"""A larger payload is not read: a point of a plant is no file."""

NOTHING: Any = object()
"""What a selector finds where there is nothing."""

_LAST_MS = 253_402_300_799_999  # the end of the year 9999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class MalformedError(Exception):
    """A payload is not what its format says; ``str(error)`` is one line for people."""


def text_of(payload: bytes) -> str:
    """A payload as text. Raises `MalformedError`."""
    if len(payload) > MOST_BYTES:
        raise MalformedError(f"{len(payload)} bytes; at most {MOST_BYTES} are read")
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"no UTF-8 at byte {error.start}") from None


def document_of(payload: bytes) -> Any:
    """A payload as a JSON document. Raises `MalformedError`."""
    text = text_of(payload)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedError(f"no JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise MalformedError("no JSON that can be followed: nested too deeply") from None
    except ArithmeticError:
        raise MalformedError("no JSON: a number beyond all measure") from None
    except ValueError as error:  # int() of thousands of digits; a key twice
        raise MalformedError(f"no JSON: {str(error)[:80]}") from None


def find(document: Any, selector: Selector) -> Any:
    """What stands at a place of a document, or `NOTHING`."""
    found = document
    for step in selector:
        if isinstance(step, str):
            if not isinstance(found, dict) or step not in found:
                return NOTHING
        elif not isinstance(found, list) or step >= len(found):
            return NOTHING
        found = found[step]
    return found


def moment_of(found: Any, form: str) -> int | None:
    """Milliseconds since 1970 of a time as ``form`` writes it; None if it is none.

    ``unix-ms`` and ``unix-s`` are numbers, rounded down; ``iso8601`` is a text with its zone
    (``2026-11-20T06:14:07.120Z``), since without one it could mean any of them.
    """
    if form == "iso8601":
        return _iso8601(found) if type(found) is str else None
    if type(found) not in {int, Decimal} or not 0 <= found <= _LAST_MS:
        return None
    moment_ms = int(found * 1000) if form == "unix-s" else int(found)
    return moment_ms if moment_ms <= _LAST_MS else None


def _iso8601(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        moment_ms = (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
    return moment_ms if 0 <= moment_ms <= _LAST_MS else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} twice in one object")
            seen.add(key)
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal)
