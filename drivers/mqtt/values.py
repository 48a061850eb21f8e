"""Values: from what a message says to the columns of a batch, strictly typed. Pure.

JSON has numbers, texts and truth values, and a row says which it expects: a text where a number
belongs is no number, however it looks. A whole number may be written ``7`` or ``7.0``, never
``7.5``; a float takes any number, rounded to the nearest. Payloads of format text are read
by the row's type instead, because a text is all they have.

What cannot be a value is none, with the reason: `NO_VALUE` where nothing or null stands,
`WRONG_TYPE` for the wrong kind, `DOES_NOT_FIT` beyond the type, `NOT_FINITE` for NaN and Infinity.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

from drivers.mqtt.addresses import Selector, TopicAddress, parse
from drivers.mqtt.config import DeviceOptions
from drivers.mqtt.documents import NOTHING, document_of, find, moment_of, text_of
from mappings.batch import Value
from mappings.datatypes import INTEGERS, DataType, integer_range, wire_type
from mappings.quality import Reason
from mappings.tags import Tag

Judged = tuple[Value, int]
"""A value and `Reason.NONE`, or None and why there is none."""

_Convert = Callable[[Any], Judged]

_WRONG_TYPE: Judged = (None, int(Reason.WRONG_TYPE))
_DOES_NOT_FIT: Judged = (None, int(Reason.DOES_NOT_FIT))
_NOT_FINITE: Judged = (None, int(Reason.NOT_FINITE))
_NO_VALUE: Judged = (None, int(Reason.NO_VALUE))
_GOOD = int(Reason.NONE)

_MOST_DIGITS = 20  # before the decimal point, of 64 bit numbers
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_LONGEST_NUMBER = 400  # characters; a double written out in full has some 340
_NOT_FINITE_WORDS = frozenset({"nan", "inf", "infinity"})
_TRUTH = {
    "true": True, "on": True, "yes": True, "1": True,
    "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip
_SINGLE = struct.Struct("<f")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one message says of its rows: parallel to ``TopicRows.points``.

    ``reasons`` is None if every value is there. ``own_ms`` is the time that the message carries,
    None if it carries none that can be read; ``number`` what identifies it, None likewise.
    """

    values: Sequence[Value]
    reasons: Sequence[int] | None
    own_ms: int | None = None
    number: int | str | None = None


class TopicRows:
    """The rows of one device that are read from one topic."""

    def __init__(self, options: DeviceOptions, topic: str) -> None:
        self.format = options.format_of(topic)
        self.points: tuple[int, ...] = ()
        is_json = self.format == "json"
        self._time_at = options.time_at() if is_json else None
        self._time_form = options.time.format if options.time else "iso8601"
        self._number_at = options.sequence_at() if is_json else None
        self._selectors: list[Selector] = []
        self._converts: list[_Convert] = []

    @property
    def timed(self) -> bool:
        """Whether its messages should carry a time."""
        return self._time_at is not None

    def add(self, point: int, tag: Tag, selector: Selector | None) -> None:
        """One more row."""
        self.points += (point,)
        self._selectors.append(selector or ())
        self._converts.append(_convert(tag, self.format, self._time_form))

    def read(self, payload: bytes) -> Reading:
        """What a message says; raises `drivers.mqtt.documents.MalformedError`."""
        own_ms = number = None
        if not payload and self.format != "bytes":
            found: list[Any] = [NOTHING] * len(self.points)  # how a retained message is taken back
        elif self.format == "json":
            document = document_of(payload)
            found = [find(document, selector) for selector in self._selectors]
            if self._time_at is not None:
                own_ms = moment_of(find(document, self._time_at), self._time_form)
            if self._number_at is not None:
                number = _number(find(document, self._number_at))
        elif self.format == "text":
            found = [text_of(payload)] * len(self.points)
        else:
            found = [payload] * len(self.points)
        judged = [
            _NO_VALUE if each is NOTHING or each is None else convert(each)
            for convert, each in zip(self._converts, found, strict=True)
        ]
        reasons = [reason for _, reason in judged]
        return Reading(
            [value for value, _ in judged], reasons if any(reasons) else None, own_ms, number
        )


def topics_of(options: DeviceOptions, tags: Sequence[Tag]) -> dict[str, TopicRows]:
    """The rows of a device by topic, ``base`` included; each tag has passed its check."""
    topics: dict[str, TopicRows] = {}
    for point, tag in enumerate(tags):
        address = parse(tag.address)
        assert isinstance(address, TopicAddress), address
        full = options.topic(address.topic)
        rows = topics.get(full)
        if rows is None:
            rows = topics[full] = TopicRows(options, address.topic)
        rows.add(point, tag, address.selector)
    return topics


def _number(found: Any) -> int | str | None:
    """What may number messages: whole numbers and texts."""
    if type(found) is Decimal:
        whole = _whole(found)
        return whole if isinstance(whole, int) else None
    return found if type(found) in {int, str} else None


def _convert(tag: Tag, of_format: str, time_form: str) -> _Convert:
    wire = wire_type(tag.wire_type)
    assert wire is not None, tag.wire_type
    if wire.datatype is DataType.BYTES:
        most = wire.length
        return lambda found: (found, _GOOD) if len(found) <= most else _DOES_NOT_FIT
    as_text = of_format == "text"
    if wire.datatype is DataType.STRING:
        return _string
    if wire.datatype is DataType.BOOLEAN:
        return _truth_of_text if as_text else _truth
    if wire.datatype is DataType.DATETIME:
        return _moment_of_text(time_form) if as_text else _moment(time_form)
    convert = _integer(wire.datatype) if wire.datatype in INTEGERS else _float(wire.datatype)
    return _number_of_text(convert) if as_text else convert


def _truth(found: Any) -> Judged:
    return (found, _GOOD) if type(found) is bool else _WRONG_TYPE


def _truth_of_text(found: str) -> Judged:
    truth = _TRUTH.get(found.strip().casefold())
    return _WRONG_TYPE if truth is None else (truth, _GOOD)


def _string(found: Any) -> Judged:
    if type(found) is not str:
        return _WRONG_TYPE
    try:
        found.encode()
    except UnicodeEncodeError:  # half a character, which JSON's \ud800 can say and UTF-8 cannot
        return _DOES_NOT_FIT
    return found, _GOOD


def _moment(form: str) -> _Convert:
    wanted = {str} if form == "iso8601" else {int, Decimal}

    def convert(found: Any) -> Judged:
        if type(found) not in wanted:
            return _WRONG_TYPE
        moment_ms = moment_of(found, form)
        return _DOES_NOT_FIT if moment_ms is None else (moment_ms, _GOOD)

    return convert


def _moment_of_text(form: str) -> _Convert:
    convert = _moment(form)
    if form == "iso8601":
        return lambda found: convert(found.strip())
    return _number_of_text(convert)


def _integer(datatype: DataType) -> _Convert:
    least, most = integer_range(datatype)

    def convert(found: Any) -> Judged:
        if type(found) is int:
            whole: int | None = found
        elif type(found) is Decimal:
            whole = _whole(found)
        else:
            return _NOT_FINITE if type(found) is float else _WRONG_TYPE
        if whole is None or not least <= whole <= most:
            return _DOES_NOT_FIT
        return whole, _GOOD

    return convert


def _whole(number: Decimal) -> int | None:
    """A decimal as a whole number; None if it has a fraction, or more digits than 64 bits."""
    if number.adjusted() >= _MOST_DIGITS or number != number.to_integral_value():
        return None
    return int(number)


def _float(datatype: DataType) -> _Convert:
    single = datatype is DataType.FLOAT

    def convert(found: Any) -> Judged:
        if type(found) is float:
            return _NOT_FINITE
        if type(found) not in {int, Decimal}:
            return _WRONG_TYPE
        try:
            value = float(found)
            if single:
                (value,) = _SINGLE.unpack(_SINGLE.pack(value))
        except OverflowError:
            return _DOES_NOT_FIT
        return (value, _GOOD) if isfinite(value) else _DOES_NOT_FIT

    return convert


def _number_of_text(convert: _Convert) -> _Convert:
    def read(found: str) -> Judged:
        text = found.strip()
        if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
            return convert(Decimal(text))
        if text.casefold().lstrip("+-") in _NOT_FINITE_WORDS:
            return _NOT_FINITE
        return _WRONG_TYPE

    return read
