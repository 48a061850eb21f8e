"""Workbooks, XLSX: from bytes to the grid of one sheet.

openpyxl knows the parts of such a file; its own sheets lose what matters here (what is hidden,
merged, or a formula that nobody has calculated), so its row parser is used directly. Values become
the text that people see: 40101 and not 40101.0, ``1 %`` and not 0.01, yes and no.
"""

import warnings
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, NamedTuple
from zipfile import ZipFile

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.cell import range_boundaries
from openpyxl.worksheet._reader import (
    FORMULA_TAG,
    INLINE_STRING,
    VALUE_TAG,
    WorkSheetParser,
)
from openpyxl.xml.constants import SHEET_MAIN_NS

from mappings.errors import nearest
from mappings.plant.problems import Place, Report
from mappings.plant.tables.decimals import date_told
from mappings.plant.tables.grid import (
    MOST_BYTES,
    MOST_COLUMNS,
    MOST_ROWS,
    CellFault,
    Grid,
    Line,
    Merged,
    Stored,
    text_fault,
)

_LAST_ROW = 1_048_576  # of a sheet
_LARGEST_PART = 64 << 20  # bytes of a sheet or of the texts, unpacked
_LARGEST_OTHER = 8 << 20  # bytes of any other part that has to be read
_OLE = b"\xd0\xcf\x11\xe0"  # begins .xls, and .xlsx with a password
_EXACT_DIGITS = 15  # what a spreadsheet shows; 0.1 + 0.2 is stored as 0.30000000000000004


class _Sheet(NamedTuple):
    name: str
    part: str
    hidden: bool


class _UnreadableError(Exception):
    """Why a workbook cannot be read, and what to do."""

    def __init__(self, seen: str, remedy: str, code: str = "E309") -> None:
        super().__init__(seen)
        self.seen, self.remedy, self.code = seen, remedy, code


def read_workbook(
    raw: bytes, file: str, sheet: str, report: Report, asked: Place | None = None
) -> Grid | None:
    """The grid of a sheet; None with the problem in the report.

    ``sheet`` empty is the only visible one; ``asked`` is the place that names the sheet.
    """
    top = Place(file, 1, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is no table: pictures, rules, extensions
            return _read(raw, file, sheet, report, asked or top)
    except _UnreadableError as problem:
        at = (asked or top) if problem.code == "E310" else top
        report.add(problem.code, at, problem.seen, problem.remedy)
    except Exception as error:  # noqa: BLE001  # the libraries raise anything on a damaged file
        seen = f"this workbook is damaged ({type(error).__name__})"
        report.add("E309", top, seen, "open it, and save it again as .xlsx")
    return None


def _read(raw: bytes, file: str, wanted: str, report: Report, asked: Place) -> Grid | None:
    reader = _opened(raw)
    book: Any = reader.wb
    sheets = [
        _Sheet(sheet.name, relation.target, sheet.state != "visible")
        for sheet, relation in reader.parser.find_sheets()
        if relation.Type.endswith("/worksheet")
    ]
    sheet = _chosen(sheets, wanted, file)
    grid = Grid(f"{file}!{sheet.name}", as_typed=False)
    if sheet.hidden:
        remedy = "unhide it, so that people see what is read"
        report.add("W315", asked, f"sheet {sheet.name!r} of {file} is hidden", remedy)
    part = BytesIO(reader.archive.read(sheet.part))
    parser = _Parser(
        part,
        reader.shared_strings,
        data_only=True,
        epoch=book.epoch,
        date_formats=book._date_formats,  # noqa: SLF001  # known nowhere else
        timedelta_formats=book._timedelta_formats,  # noqa: SLF001
    )
    percents = _percent_styles(book)
    for number, cells in parser.parse():
        texts: list[str] = []
        for cell in cells:
            value, column = cell["value"], cell["column"]
            if value is None and cell["data_type"] != "f":
                continue
            text = _text(cell, percents)
            fault = text if isinstance(text, CellFault) else text_fault(text)
            if column > MOST_COLUMNS:
                seen = f"a cell beyond column {MOST_COLUMNS}"
                report.add("E314", Place(grid.file, number, column, ""), seen, "remove it")
                return None
            texts += [""] * (column - len(texts))
            texts[column - 1] = "" if isinstance(text, CellFault) else text
            if fault is not None:
                grid.faults[number, column] = fault
        if any(texts) or any((number, c + 1) in grid.faults for c in range(len(texts))):
            grid.lines.append(Line(number, texts))
        if number > _LAST_ROW or len(grid.lines) > MOST_ROWS + 1:
            break  # told with the rows
    grid.hidden_rows = {int(row) for row, a in parser.row_dimensions.items() if _is_hidden(a)}
    for attributes in parser.column_dimensions.values():
        if _is_hidden(attributes):
            last = min(int(attributes.get("max", MOST_COLUMNS)), MOST_COLUMNS)
            grid.hidden_columns.update(range(int(attributes["min"]), last + 1))
    for merged in parser.merged_cells.mergeCell if parser.merged_cells else ():
        left, top, right, bottom = range_boundaries(merged.ref)
        grid.merged.append(Merged(left or 1, top or 1, right or 1, bottom or 1, merged.ref))
    return grid


def _opened(raw: bytes) -> ExcelReader:
    """A workbook without its sheets; limits are those that the archive itself enforces."""
    if len(raw) > MOST_BYTES:
        seen = f"a workbook of more than {MOST_BYTES >> 20} MiB"
        raise _UnreadableError(seen, "keep tables in a file of their own", "E314")
    if raw.startswith(_OLE):
        remedy = "save it as .xlsx, without a password"
        raise _UnreadableError("this workbook has a password, or is an old .xls", remedy)
    if not raw.startswith(b"PK"):
        seen = "this is no workbook" if raw else "this workbook is empty"
        raise _UnreadableError(seen, "save it as .xlsx; a text with separators is named .csv")
    with ZipFile(BytesIO(raw)) as archive:
        parts = archive.infolist()
    names = {part.filename for part in parts}
    if "mimetype" in names:
        remedy = "save it as .xlsx"
        raise _UnreadableError("this is an OpenDocument file, no .xlsx workbook", remedy)
    if "xl/workbook.bin" in names:
        raise _UnreadableError("this is a binary workbook, .xlsb", "save it as .xlsx")
    for part in parts:
        tables = part.filename.startswith("xl/worksheets/") or "sharedstrings" in (
            part.filename.casefold()
        )
        media = part.filename.startswith("xl/media/")
        limit = _LARGEST_PART if tables else _LARGEST_OTHER
        if part.file_size > limit and not media:
            seen = f"{part.filename} has {part.file_size >> 20} MiB unpacked"
            remedy = "keep tables in a file of their own; clear formats of empty rows"
            raise _UnreadableError(seen, remedy, "E314")
    reader = ExcelReader(BytesIO(raw), read_only=True, data_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    return reader


def _chosen(sheets: list[_Sheet], wanted: str, file: str) -> _Sheet:
    """The sheet of a name, or the only visible one."""
    visible = [sheet for sheet in sheets if not sheet.hidden]
    names = ", ".join(repr(sheet.name) for sheet in visible) or "none that is visible"
    if wanted:
        for sheet in sheets:
            if sheet.name.casefold() == wanted.casefold():
                return sheet
        meant = nearest(wanted, [sheet.name for sheet in sheets])
        hint = f"did you mean {meant!r}? " if meant else ""
        seen = f"no sheet {wanted!r} in {file}"
        raise _UnreadableError(seen, f"{hint}its sheets: {names}", "E310")
    if len(visible) != 1:
        example = f"{file.rsplit('/', 1)[-1]}#{(visible or sheets)[0].name}" if sheets else ""
        seen = f"{file} has {len(visible)} visible sheets: which one?"
        raise _UnreadableError(seen, f"write {example}; its sheets: {names}", "E310")
    return visible[0]


_PLAIN, _RUN = f"{{{SHEET_MAIN_NS}}}t", f"{{{SHEET_MAIN_NS}}}r"


class _Parser(WorkSheetParser):
    """Cells, with formulas that have no stored value marked."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        text = element.find(INLINE_STRING)
        if text is not None:
            element.remove(text)  # the library takes half of the time of a table for it
        cell: dict[str, Any] = super().parse_cell(element)
        if text is not None and element.get("t") == "inlineStr":
            runs = [text.findtext(_PLAIN), *(run.findtext(_PLAIN) for run in text.findall(_RUN))]
            cell |= {"value": "".join(run or "" for run in runs), "data_type": "s"}
        if cell["value"] is None and element.find(FORMULA_TAG) is not None:
            # A formula may well have the empty text as its value.
            has_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
            cell["data_type"] = "s" if has_text else "f"
        return cell


def _text(cell: dict[str, Any], percents: set[int]) -> str | CellFault:
    """What people see in a cell that is not empty."""
    value, kind = cell["value"], cell["data_type"]
    if kind == "f":
        seen = "a formula without a stored value"
        return CellFault("E313", seen, "open the workbook, let it calculate, and save it")
    if kind == "e":
        return CellFault("E311", f"{value} instead of a value", "mend the formula or the cell")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime | date):
        shown = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
        return date_told(shown.removesuffix(" 00:00:00"), f"{value.day}.{value.month}")
    if isinstance(value, int | float):
        number = str(value) if isinstance(value, int) else format(value, f".{_EXACT_DIGITS}g")
        if cell["style_id"] in percents:
            return Stored(f"{(Decimal(number) * 100).normalize():f} %")
        return Stored(number)
    if isinstance(value, str):
        return value.strip()
    remedy = "format the column as Text and type it again"
    return CellFault("E305", f"'{value}' is a time", remedy)


def _percent_styles(book: Any) -> set[int]:
    """The cell styles that show a number as percent."""
    found = set()
    for index, style in enumerate(book._cell_styles):  # noqa: SLF001  # known nowhere else
        number = style.numFmtId
        if number < BUILTIN_FORMATS_MAX_SIZE:
            shown = BUILTIN_FORMATS.get(number, "")
        else:
            shown = book._number_formats[number - BUILTIN_FORMATS_MAX_SIZE]  # noqa: SLF001
        if "%" in shown:
            found.add(index)
    return found


def _is_hidden(attributes: dict[str, str]) -> bool:
    return attributes.get("hidden", "0") in {"1", "true"}
