"""The grid: what a file holds before anybody asks what its columns mean.

Both kinds of file become one: lines of texts, and beside them what is wrong with single cells. A
fault of a cell is told only if the cell is read at all, and not if it stands in a comment or in a
column of the user's own.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_ROWS = 100_000
MOST_COLUMNS = 256
MOST_CHARACTERS = 4_096
"""Of one cell."""
MOST_BYTES = 32 << 20
"""Of one file; 10,000 rows of 20 columns take 2 MB."""

# Control characters but tab and line ends, and those that nobody sees: zero width, direction,
# soft hyphen. Pasted from manuals, they make two names that look alike differ.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad"
    "\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff]"
)


class Stored(str):
    """A number as a workbook stores it: with a decimal point, whatever its language shows."""

    __slots__ = ()


class CellFault(NamedTuple):
    """What is wrong with a cell by itself."""

    code: str
    seen: str
    remedy: str


class Line(NamedTuple):
    """The texts of a row that is not empty; ``number`` counts lines of the file from 1."""

    number: int
    texts: list[str]


class Merged(NamedTuple):
    """Cells merged to one: first and last column and row, counted from 1."""

    left: int
    top: int
    right: int
    bottom: int
    name: str


@dataclass(slots=True)
class Grid:
    """A table as texts; ``file`` is its name in messages, with the sheet of a workbook."""

    file: str
    lines: list[Line] = field(default_factory=list)
    faults: dict[tuple[int, int], CellFault] = field(default_factory=dict)
    """By line and column, both from 1; the text of such a cell is empty or worth nothing."""
    decimal_comma: bool = True
    """Whether a comma may stand in a number: not where commas separate cells."""
    as_typed: bool = True
    """Whether a row has the cells that were typed, so that one too many is a slip."""
    merged: list[Merged] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def is_comment(line: Line) -> bool:
    """Whether the first cell begins with ``#``."""
    return line.texts[0].lstrip().startswith("#")


def too_long(length: int) -> CellFault:
    """The fault of a cell of so many characters."""
    seen = f"a cell of {length} characters; {MOST_CHARACTERS} are the most"
    return CellFault("E308", seen, "shorten it; in CSV: is a quote missing that ends it?")


def text_fault(text: str) -> CellFault | None:
    """What is wrong with the characters of a cell."""
    if len(text) > MOST_CHARACTERS:
        return too_long(len(text))
    found = _UNSEEN.search(text)
    if found is None:
        return None
    seen = f"the character U+{ord(found[0]):04X} in a cell, which nobody sees"
    return CellFault("E308", seen, "type the cell again instead of pasting it")


def has_unseen(text: str) -> bool:
    """Whether a look at single cells is worth it: some of these characters are there."""
    return _UNSEEN.search(text) is not None
