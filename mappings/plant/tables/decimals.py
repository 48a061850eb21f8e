"""Decimals: numbers as spreadsheets write them, and the dates that they make of numbers.

Where commas do not separate cells, a comma may be the decimal one, and leaves as a point. A table
has one style: where one cell says ``0,5`` and another ``1.500``, nobody knows whether the second
is one and a half or fifteen hundred.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from mappings.plant.problems import Place, Report
from mappings.plant.tables.grid import CellFault, Stored

NUMBERS = frozenset({
    "scale", "offset", "raw_low", "raw_high", "low", "high", "deadband", "write_low", "write_high",
})  # fmt: skip
"""Columns of the tag table whose cells are numbers: a date there was one once."""
QUANTITIES = frozenset({
    "invalid", "scan", "max_silence", "min_interval", "stale_after",
})  # fmt: skip
"""Columns of the tag table whose cells may have a decimal comma in them."""

_COMMA = re.compile(r"(?<![\w.,])([+-]?\d*),(\d+)(?![\d.,])")
_POINT = re.compile(r"(?<![\w.,])[+-]?\d*\.\d")
_NUMBER_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

_MONTHS = (
    ("jan", "ene", "gen"), ("feb", "fév", "fev"), ("mar", "mär", "mrz"), ("apr", "avr", "abr"),
    ("may", "mai", "mag", "mei"), ("jun", "juin", "giu"), ("jul", "juil", "lug"),
    ("aug", "aoû", "ago"), ("sep", "set"), ("oct", "okt", "ott"), ("nov",),
    ("dec", "dez", "déc", "dic"),
)  # fmt: skip
_BETWEEN = r"[\s./-]+"
_DAY_MONTH = re.compile(rf"(\d{{1,2}})(?:{_BETWEEN})?([^\W\d_]{{3,}})\.?(?:{_BETWEEN}(\d{{2,4}}))?")
_MONTH_DAY = re.compile(rf"([^\W\d_]{{3,}})\.?(?:{_BETWEEN})?(\d{{1,4}})(?:,?\s+\d{{2,4}})?")
_ISO = re.compile(r"\d{4}-(\d{1,2})-(\d{1,2})(?:[T ][\d:.]+)?")
_DIGITS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2\d{2,4}(?:\s[\d:.]+)?")


class Style(NamedTuple):
    """A cell whose number has a decimal sign, and where it stands."""

    text: str
    place: Place


@dataclass(slots=True)
class Styles:
    """The first number of a table with a comma, and the first with a point."""

    comma: Style | None = None
    point: Style | None = None
    commas: int = 0
    points: int = 0

    def read(self, text: str, place: Place) -> str:
        """The cell with a decimal point; the decimal sign it had is remembered."""
        if isinstance(text, Stored):
            return text
        with_point, found = _COMMA.subn(_pointed, text)
        if found:
            self.comma = self.comma or Style(text, place)
            self.commas += 1
        elif "." in text and _POINT.search(text):
            self.point = self.point or Style(text, place)
            self.points += 1
        return with_point

    def tell(self, report: Report) -> None:
        """Report that a table has both, at the first number of the rarer style."""
        if self.comma is None or self.point is None:
            return
        few, many = self.point, self.comma
        if self.points > self.commas:
            few, many = many, few
        seen = f"{few.text!r} and {many.text!r}: decimal point and decimal comma in one table"
        remedy = f"{many.text!r} stands at {many.place}; write all numbers in one style"
        report.add("E307", few.place, seen, remedy)


def with_point(text: str) -> str:
    """A text that is nothing but a number with a decimal comma, with a point; others as they are.

    For columns of which nobody has said whether their cells are numbers.
    """
    return text.replace(",", ".") if _NUMBER_WITH_COMMA.fullmatch(text) else text


def date_fault(text: str) -> CellFault | None:
    """What is wrong with a number that a spreadsheet has turned into a date."""
    if not text[:1].isalnum() or not (typed := _typed(text)):
        return None
    return date_told(text, typed)


def date_told(shown: str, typed: str) -> CellFault:
    """The fault of a date; ``typed`` is a number that may have become it."""
    remedy = (
        f"a spreadsheet made it out of a number such as {typed}; "
        "format the column as Text and type it again"
    )
    return CellFault("E305", f"{shown!r} is a date", remedy)


def _pointed(found: re.Match[str]) -> str:
    before = found[1] if found[1][-1:].isdigit() else f"{found[1]}0"
    return f"{before}.{found[2]}"


def _typed(text: str) -> str:
    """The number that may have become this date; empty if it is none."""
    if found := _DAY_MONTH.fullmatch(text):
        return _joined(found[1], _month(found[2]))
    if found := _MONTH_DAY.fullmatch(text):
        month = _month(found[1])
        day = int(found[2])
        return _joined(found[2], month) if day <= 31 else f"{month}.{day % 100:02}" * bool(month)
    if found := _ISO.fullmatch(text):
        return _joined(found[2], int(found[1]))
    if found := _DIGITS.fullmatch(text):
        return _joined(found[1], int(found[3])) if found[2] != "/" else "3.1"
    return ""


def _joined(day: str, month: int) -> str:
    return f"{int(day)}.{month}" if 1 <= int(day) <= 31 and month else ""


def _month(word: str) -> int:
    """1 to 12; 0 if the word is no month. Four letters tell juin from juillet and giugno."""
    folded = word.casefold()
    for number, beginnings in enumerate(_MONTHS, start=1):
        if folded.startswith(beginnings):
            return number
    return 0
