"""Workbooks as spreadsheets write them, made for a test."""

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from openpyxl import Workbook


@dataclass(frozen=True)
class Cell:
    """A cell that is more than its value: a number format, or openpyxl's kind (``e``: error)."""

    value: Any
    format: str = "General"
    kind: str = ""


def workbook(
    sheets: Mapping[str, Sequence[Sequence[Any]]],
    *,
    merged: Iterable[str] = (),
    hidden_rows: Iterable[int] = (),
    hidden_columns: str = "",
    hidden_sheets: Iterable[str] = (),
) -> bytes:
    """The bytes of a workbook; what is merged and hidden is so in the first sheet."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for line, row in enumerate(rows, start=1):
            for column, given in enumerate(row, start=1):
                wanted = given if isinstance(given, Cell) else Cell(given)
                cell = sheet.cell(line, column, wanted.value)
                cell.number_format = (
                    cell.number_format if wanted.format == "General" else (wanted.format)
                )
                if wanted.kind:
                    cell.data_type = wanted.kind
    first = book.worksheets[0]
    for cells in merged:
        first.merge_cells(cells)
    for row in hidden_rows:
        first.row_dimensions[row].hidden = True
    for column in hidden_columns:
        first.column_dimensions[column].hidden = True
    for name in hidden_sheets:
        book[name].sheet_state = "hidden"
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def rewritten(raw: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """A workbook with the text of one part changed."""
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(raw)) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text) if name == part else text)
    return written.getvalue()


def with_shared_texts(raw: bytes) -> bytes:
    """A workbook of one sheet with its texts in a list of their own, as Excel writes them."""
    texts: list[bytes] = []

    def moved(found: re.Match[bytes]) -> bytes:
        texts.append(found[2])
        return b'%s t="s"><v>%d</v></c>' % (found[1], len(texts) - 1)

    cells = re.compile(rb'(<c r="[A-Z0-9]+"[^>]*?) t="inlineStr"><is>(.*?)</is></c>')
    raw = rewritten(raw, "xl/worksheets/sheet1.xml", lambda text: cells.sub(moved, text))
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    entry = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s" /></Types>' % kind
    raw = rewritten(raw, "[Content_Types].xml", lambda text: text.replace(b"</Types>", entry))
    written = BytesIO(raw)
    with zipfile.ZipFile(written, "a") as archive:
        items = b"".join(b"<si>%s</si>" % text for text in texts)
        namespace = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        archive.writestr("xl/sharedStrings.xml", b'<sst xmlns="%s">%s</sst>' % (namespace, items))
    return written.getvalue()
