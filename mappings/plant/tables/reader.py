"""The table reader: the bytes of a file in, a table or its problems out.

What a file is its name says; where its content says something else, that is told, and not read
as whatever it may be.
"""

from collections.abc import Collection

from mappings.plant.problems import Place, Report
from mappings.plant.tables.decimals import NUMBERS
from mappings.plant.tables.delimited import read_delimited
from mappings.plant.tables.grid import MOST_BYTES
from mappings.plant.tables.sheet import read_sheet
from mappings.plant.tables.table import Table

WORKBOOKS = (".xlsx", ".xlsm")
_OTHER_BOOKS = (".xls", ".xlsb", ".ods", ".xltx", ".numbers")


def is_workbook(file: str) -> bool:
    """Whether a file is a workbook, by its name; other tables are text."""
    return file.casefold().endswith(WORKBOOKS)


def read_table(
    raw: bytes,
    file: str,
    sheet: str,
    report: Report,
    *,
    numbers: Collection[str] | None = NUMBERS,
    asked: Place | None = None,
) -> Table | None:
    """The rows of a file, or None with the problem in the report.

    ``file`` is its name in messages, ``sheet`` the sheet of a workbook, empty for its only visible
    one and for CSV. ``numbers`` are the columns whose cells are numbers: those of the tag table,
    or the number parameters of a template; None where nobody has said, as with instances of a
    pattern: a cell that is nothing but a number with a decimal comma gets a point then. ``asked``
    is where file and sheet are named.
    """
    if is_workbook(file):
        # Loading the library takes 200 ms, and most plants have no workbook.
        from mappings.plant.tables.workbook import read_workbook  # noqa: PLC0415

        grid = read_workbook(raw, file, sheet, report, asked)
        return None if grid is None else read_sheet(grid, numbers, report)
    top = Place(file, 1, 1, "")
    if file.casefold().endswith(_OTHER_BOOKS) or raw.startswith(
        (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    ):
        remedy = "workbooks are .xlsx, text with separators is .csv: save it as one of them"
        report.add("E309", top, "a workbook of a kind that is not read", remedy)
        return None
    if sheet:
        remedy = f"remove '#{sheet}', or name a workbook"
        report.add("E310", asked or top, f"a text file has no sheets: {sheet!r}", remedy)
        return None
    if len(raw) > MOST_BYTES:
        remedy = "divide the table into several"
        report.add("E314", top, f"more than {MOST_BYTES >> 20} MiB: this is no table", remedy)
        return None
    grid = read_delimited(raw, file, report)
    return None if grid is None else read_sheet(grid, numbers, report)
