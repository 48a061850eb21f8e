"""Delimited text, CSV: from bytes to a grid, with the line and the cell of whatever is wrong.

Quotes are those of RFC 4180: a cell in quotes may hold separators, line ends and doubled quotes.
A quote inside a cell that does not begin with one is a character like others, as in the node ids
of a PLC. A cell whose quotes are wrong is told where it begins, and reading goes on in the next
line, so that a forgotten quote does not swallow the rest of the file.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mappings.plant.problems import Place, Report
from mappings.plant.tables.grid import (
    MOST_CHARACTERS,
    MOST_COLUMNS,
    CellFault,
    Grid,
    Line,
    has_unseen,
    text_fault,
)

SEPARATORS = (";", "\t", ",")
"""In the order in which they win where a line has as many of one as of the other."""

_MOST_BAD_QUOTES = 20  # told, then the rest is not read: the quotes of such a file make no sense
_QUOTED = re.compile('"[^"]*("|$)')
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=([;,\t])\"?[;,\t]*\s*", re.IGNORECASE)
_ESCAPED = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as the decoder leaves them
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Record(NamedTuple):
    """One row in a text: from ``start`` to ``end``, without its line end.

    ``spans`` are where its cells begin and end, quotes and blanks included; None where there are
    no quotes, and each separator separates. A ``fault`` is one of the last of them.
    """

    number: int
    start: int
    end: int
    spans: list[tuple[int, int]] | None
    fault: CellFault | None


def read_delimited(raw: bytes, file: str, report: Report) -> Grid | None:
    """The grid of a file; None with the problem in the report where it is not UTF-8."""
    top = Place(file, 1, 1, "")
    if raw[:2] in _UTF_16 or raw.count(0, 0, 64) > 16:
        remedy = 'choose "CSV UTF-8" when you save it'
        report.add("E111", top, "this is UTF-16, not UTF-8", remedy)
        return None
    text = with_line_feeds(raw.decode("utf-8-sig", errors="surrogateescape"))
    separator = separator_of(text)
    grid = Grid(file, decimal_comma=separator != ",")
    look_closely = has_unseen(text)
    for record in records(text, separator):
        if record.spans is None:
            cells = text[record.start : record.end].split(separator, MOST_COLUMNS)
        else:
            cells = [unquoted(text[start:end]) for start, end in record.spans]
        line = Line(record.number, cells)
        if record.fault is not None:
            grid.faults[line.number, len(cells)] = record.fault
        elif not any(cell and not cell.isspace() for cell in cells):
            continue
        grid.lines.append(line)
        if look_closely or any(len(cell) > MOST_CHARACTERS for cell in line.texts):
            for column, cell in enumerate(line.texts, start=1):
                found = text_fault(cell)
                if found is not None:
                    grid.faults[line.number, column] = found
    return None if _refuse_encoding(text, grid, report) else grid


def _refuse_encoding(text: str, grid: Grid, report: Report) -> bool:
    """Tell the first byte that is not UTF-8, if there is one."""
    found = _ESCAPED.search(text)
    if found is None:
        return False
    byte = ord(found[0]) - 0xDC00
    where = (
        (line.number, column)
        for line in grid.lines
        for column, cell in enumerate(line.texts, start=1)
        if _ESCAPED.search(cell)
    )
    number, column = next(where, (text.count("\n", 0, found.start()) + 1, 1))
    meant = bytes([byte]).decode("cp1252", errors="replace")
    hint = f"Windows calls it {meant!r}; " if meant.isprintable() and meant != "\ufffd" else ""
    seen = f"the byte 0x{byte:02X} here is not UTF-8"
    remedy = f'{hint}choose "CSV UTF-8" when you save it'
    report.add("E111", Place(grid.file, number, column, ""), seen, remedy)
    return True


def with_line_feeds(text: str) -> str:
    """A text whose lines all end as the functions below want it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def separator_of(text: str) -> str:
    """What separates cells, as the header row shows; ``;`` where there is but one column."""
    first = text[: text.find("\n")] if "\n" in text else text
    said = _SEPARATOR_LINE.fullmatch(first)
    if said:
        return said[1]
    above = ""
    for found in re.finditer(r"^.*\S.*$", text, re.MULTILINE):
        header = _QUOTED.sub("", found[0])
        if not header.lstrip().startswith("#"):
            break
        above = header
    else:
        header = above
    # A header whose first column is the user's own looks like a comment; the row below tells.
    shared = [s for s in SEPARATORS if 0 < above.count(s) == header.count(s)]
    return shared[0] if shared else max(SEPARATORS, key=header.count)


def records(text: str, separator: str) -> Iterator[Record]:
    """The lines of a text that are not empty, but for a first one that says the separator."""
    at, number, bad_quotes = 0, 1, 0
    length = len(text)
    while at < length and bad_quotes < _MOST_BAD_QUOTES:
        end = text.find("\n", at)
        end = length if end < 0 else end
        if at == end:
            number += 1
            at += 1
            continue
        spans, fault = None, None
        if text.find('"', at, end) >= 0:
            spans, closed, fault = _quoted_spans(text, at, separator)
            if fault is None:
                end = closed
            elif text[at:end].lstrip().startswith("#"):
                spans, fault = [(at, end)], None  # nobody reads a comment
            else:
                bad_quotes += 1
        if number > 1 or not _SEPARATOR_LINE.fullmatch(text[at:end]):
            yield Record(number, at, end, spans, fault)
        number += text.count("\n", at, end) + 1
        at = end + 1


def _quoted_spans(
    text: str, at: int, separator: str
) -> tuple[list[tuple[int, int]], int, CellFault | None]:
    """The cells of a row with quotes and where it ends; at a fault, those up to the faulty one."""
    spans: list[tuple[int, int]] = []
    while True:
        start = at
        while text.startswith(" ", at):
            at += 1
        if text.startswith('"', at):
            close = _closing(text, at + 1)
            if close < 0:
                seen, remedy = "this quote is never closed", "add the closing quote"
                return [*spans, (at, at)], at, CellFault("E306", seen, remedy)
            at = close + 1
            while text.startswith(" ", at):
                at += 1
            if text[at : at + 1] not in {"", "\n", separator}:
                seen = "this cell goes on after its closing quote"
                remedy = 'inside a cell in quotes write each quote twice: "s=""Pump"".Speed"'
                return [*spans, (at, at)], at, CellFault("E306", seen, remedy)
        else:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            stop = text.find(separator, start, end)
            at = end if stop < 0 else stop
        spans.append((start, at))
        if text[at : at + 1] != separator or len(spans) > MOST_COLUMNS:
            end = text.find("\n", at)
            return spans, len(text) if end < 0 else end, None
        at += 1


def unquoted(raw: str) -> str:
    """What a cell says, without the quotes round it."""
    bare = raw.strip(" ")
    return bare[1:-1].replace('""', '"') if bare.startswith('"') else raw


def _closing(text: str, at: int) -> int:
    """Where the quote is that closes a cell, past doubled ones; -1 if nowhere."""
    while True:
        at = text.find('"', at)
        if at < 0 or not text.startswith('"', at + 1):
            return at
        at += 2
