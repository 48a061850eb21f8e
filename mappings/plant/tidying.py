"""Tidying: small disorder that people leave in their texts, and that can be mended safely.

Every rule is one that no reader of the file would miss. Nothing is sorted, aligned or rewritten;
comments, quotes, line ends and the spelling of values are the user's.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

import yaml

from mappings.plant.columns import COLUMNS
from mappings.plant.edits import Edit
from mappings.plant.nodes import parse, plain
from mappings.plant.problems import Report
from mappings.plant.tables.delimited import Record, records, separator_of, unquoted, with_line_feeds
from mappings.plant.tables.reader import read_table
from mappings.plant.tables.table import PROPERTY, Table, canonical

BLANKS_AT_END = "blanks at the end of a line"
BLANKS_AROUND = "blanks round a cell"
SPELLING = "spelling of a column"
EMPTY_END = "empty lines at the end"
NO_END = "no line end at the end"

_LINE_ENDS = "\r\n\x85\u2028\u2029"  # those of YAML; tables have the first two
_LINE_END = re.compile(f"\r\n|[{_LINE_ENDS}]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def is_yaml(file: str) -> bool:
    """Whether a file of a plant is YAML, by its name; a text that is not is a table."""
    return file.casefold().endswith((".yaml", ".yml"))


def tidied(file: str, text: str) -> list[Edit]:
    """The edits that tidy a text; none where it cannot be read."""
    return sorted(_yaml(text) if is_yaml(file) else _table(text))


def means_the_same(file: str, before: str, after: str) -> bool:
    """Whether a text, read by itself, says the same before and after an edit."""
    if is_yaml(file):
        trees = [parse(text.removeprefix("\ufeff"), file, Report(file)) for text in (before, after)]
        return all(trees) and plain(trees[0]) == plain(trees[1])  # type: ignore[arg-type]
    tables = [_read(text) for text in (before, after)]
    return all(tables) and _content(tables[0]) == _content(tables[1])


def _read(text: str) -> Table | None:
    return read_table(text.encode(), "table.csv", "", Report("table.csv"))


def _content(table: Table | None) -> object:
    assert table is not None
    return table.head, [(row.line, row.cells, row.lost) for row in table.rows]


def _yaml(text: str) -> Iterator[Edit]:
    try:
        kept = _lines_of_scalars(text)
    except yaml.YAMLError:
        return
    lines = text.splitlines(keepends=True)
    last = max((n for n, line in enumerate(lines) if line.strip()), default=-1)
    at = 0
    for number, line in enumerate(lines[: last + 1]):
        content = line.rstrip(_LINE_ENDS)
        bare = content.rstrip(" \t")
        if len(bare) < len(content) and number not in kept:
            yield Edit(at + len(bare), at + len(content), "", BLANKS_AT_END)
        at += len(line)
    if last >= 0 and not any(number >= last for number in kept):
        yield from _end(text, at)


def _lines_of_scalars(text: str) -> set[int]:
    """The lines, from 0, whose end belongs to a value that goes on in the next line."""
    found: set[int] = set()
    for token in yaml.scan(text.removeprefix("\ufeff"), Loader=_LOADER):
        if isinstance(token, yaml.ScalarToken):
            first, last = token.start_mark.line, token.end_mark.line
            found.update(range(first, last))
            if token.style in {"|", ">"} and token.end_mark.column:
                found.add(last)  # it ends the text, without a line end
    return found


def _table(text: str) -> Iterator[Edit]:
    table = _read(text)
    if table is None:
        return
    plain_text = with_line_feeds(text.removeprefix("\ufeff"))
    separator = separator_of(plain_text)
    # A parameter is a word of the user's own: only columns of the language have one spelling.
    is_tag_table = {"name", "address", "type"} <= set(table.columns)
    read = set(table.head.columns.values())
    rows = [(row, _spans(plain_text, row, separator)) for row in records(plain_text, separator)]
    filled = [
        (row, spans)
        for row, spans in rows
        if row.fault or any(unquoted(plain_text[start:end]).strip() for start, end in spans)
    ]
    edits: list[Edit] = []
    for row, spans in filled:
        if row.fault is not None:
            return  # where its cells end is anybody's guess
        is_head = row.number == table.head.line
        if not is_head and plain_text[slice(*spans[0])].lstrip(' "').startswith("#"):
            continue
        for number, (start, end) in enumerate(spans, start=1):
            if number not in read:
                continue  # the user's own
            edits += _cell(plain_text, start, end, respell=is_head and is_tag_table)
    places = _Places(text)
    yield from (Edit(places.of(e.start), places.of(e.end), e.new, e.why) for e in edits)
    if filled:
        end = places.of(filled[-1][0].end)
        found = _LINE_END.match(text, end)
        yield from _end(text, found.end() if found else end)


def _spans(text: str, row: Record, separator: str) -> list[tuple[int, int]]:
    """Where the cells of a row begin and end."""
    if row.spans is not None:
        return row.spans
    spans = []
    at = row.start
    for cell in text[row.start : row.end].split(separator):
        spans.append((at, at + len(cell)))
        at += len(cell) + len(separator)
    return spans


def _cell(text: str, start: int, end: int, *, respell: bool) -> Iterator[Edit]:
    raw = text[start:end]
    bare = raw.strip()
    if bare.startswith('"') and not raw.lstrip(" ").startswith('"'):
        return  # without the tab before it, the quote would be another
    first = start + (len(raw) - len(raw.lstrip()) if bare else len(raw))
    last = first + len(bare)
    if start < first:
        yield Edit(start, first, "", BLANKS_AROUND)
    if last < end:
        yield Edit(last, end, "", BLANKS_AROUND)
    if not respell:
        return
    quote = '"' if bare.startswith('"') else ""
    word = bare[1:-1] if quote else bare
    column = canonical(word)
    if (column in COLUMNS or column.startswith(PROPERTY)) and column != word:
        yield Edit(first, last, f"{quote}{column}{quote}", SPELLING)


def _end(text: str, after: int) -> Iterator[Edit]:
    """The end of a text whose last line that says anything, with its line end, goes up to here."""
    if after < len(text):
        yield Edit(after, len(text), "", EMPTY_END)
    elif not text.endswith(tuple(_LINE_ENDS)):
        found = _LINE_END.search(text)
        yield Edit(after, after, found[0] if found else "\n", NO_END)


class _Places:
    """From places in a text with line feeds only to those in the text as it is."""

    def __init__(self, text: str) -> None:
        self.mark = int(text.startswith("\ufeff"))
        found = re.finditer("\r\n", text[self.mark :])
        self.pairs = [match.start() - number for number, match in enumerate(found)]

    def of(self, at: int) -> int:
        """Each line end of two characters before it is one more."""
        return self.mark + at + bisect_left(self.pairs, at)
