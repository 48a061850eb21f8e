"""The sheet: a grid becomes a table; header row, comments, the user's own columns, numbers.

What is wrong with a cell is told only where somebody reads it: not in a comment, not in a column
whose header begins with ``#``.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable

from mappings.plant.problems import Place, Report, column_letter
from mappings.plant.tables.decimals import NUMBERS, QUANTITIES, Styles, date_fault, with_point
from mappings.plant.tables.grid import MOST_COLUMNS, MOST_ROWS, Grid, Line, is_comment
from mappings.plant.tables.table import Head, Table, TableRow, canonical

_FIRST_FEW = 4  # hidden rows or columns named in a warning


def read_sheet(grid: Grid, numbers: Collection[str] | None, report: Report) -> Table | None:
    """The table of a grid, what is wrong in the report; None where there is no header row.

    ``numbers``: the columns whose cells are numbers; None: nobody has said.
    """
    header, lines = _header(grid)
    if header is None:
        remedy = "begin it with a row of column names, such as name;address;type"
        report.add("E301", Place(grid.file, 1, 1, ""), "no header row in this table", remedy)
        return None
    reading = _Reading(grid, header, numbers, report)
    lines = [line for line in lines if not is_comment(line)]
    if not lines:
        remedy = "add rows below the header"
        report.add("E301", Place(grid.file, header.number, 1, ""), "no rows in this table", remedy)
    if len(lines) > MOST_ROWS:
        place = Place(grid.file, lines[MOST_ROWS].number, 1, "")
        report.add("E314", place, f"more than {MOST_ROWS} rows", "divide the table into several")
        del lines[MOST_ROWS:]
    rows = tuple(reading.row(line) for line in lines)
    reading.finish(lines)
    return Table(reading.head, rows)


def _header(grid: Grid) -> tuple[Line | None, list[Line]]:
    """The header row and what stands below it.

    Comments may stand above. A row that begins with ``#`` is the header nevertheless if it has as
    many cells as the row below, and that is no header of a tag table: its first column is the
    user's own.
    """
    for index, line in enumerate(grid.lines):
        if not is_comment(line):
            above = grid.lines[index - 1] if index else None
            named = any(canonical(text) == "name" for text in line.texts)
            if above is not None and not named and 1 < _width(above) == _width(line):
                return above, grid.lines[index:]
            return line, grid.lines[index + 1 :]
    return (grid.lines[-1], []) if grid.lines and _width(grid.lines[-1]) > 1 else (None, [])


def _width(line: Line) -> int:
    """The number of the last cell that is not empty."""
    return max((n for n, text in enumerate(line.texts, start=1) if text.strip()), default=0)


class _Reading:
    """One table, row after row."""

    def __init__(
        self, grid: Grid, header: Line, numbers: Collection[str] | None, report: Report
    ) -> None:
        self.grid = grid
        self.header = header
        self.report = report
        self.styles = Styles()
        self.bare: set[int] = set()  # columns without header whose cells have been told
        self.own: set[int] = set()
        self.head = Head(grid.file, header.number, {})
        self._columns()
        self.order = [(name, number - 1) for name, number in self.head.columns.items()]
        folded = {canonical(name) for name in numbers or ()}
        also = QUANTITIES if numbers is NUMBERS else frozenset()
        self.numbers = [name for name in self.head.columns if name in folded]
        self.signed = [name for name in self.head.columns if name in folded | also]
        if not grid.decimal_comma:
            self.signed = []
        self.untold = numbers is None and grid.decimal_comma

    def _columns(self) -> None:
        """The names of the columns; each once."""
        columns = self.head.columns
        for number, text in enumerate(self.header.texts, start=1):
            name = canonical(text)
            place = Place(self.grid.file, self.header.number, number, "")
            fault = self.grid.faults.get((self.header.number, number))
            if text.lstrip().startswith("#"):
                self.own.add(number)
            elif fault is not None:
                self.own.add(number)  # told once, and not for every cell below it
                self.report.add(fault.code, place, fault.seen, fault.remedy)
            elif number > MOST_COLUMNS:
                remedy = "remove some, or divide the table"
                self.report.add("E314", place, f"more than {MOST_COLUMNS} columns", remedy)
            elif name in columns:
                self.own.add(number)
                first = Place(self.grid.file, self.header.number, columns[name], "")
                remedy = f"the first is {first}; to keep this one for yourself, head it '# {name}'"
                self.report.add("E302", place, f"column {name!r} stands here twice", remedy)
            elif name:
                columns[name] = number

    def row(self, line: Line) -> TableRow:
        """A row without its own columns; what is wrong with its cells is told."""
        texts = line.texts
        count = len(texts)
        cells = {}
        for name, index in self.order:
            if index < count and (text := texts[index].strip() or ""):
                cells[name] = text
        lost: set[str] = set()
        for name in self.signed:
            if name in cells:
                text = texts[self.head.columns[name] - 1]
                text = text if type(text) is not str else cells[name]
                cells[name] = self.styles.read(text, self._place(line, name))
        for name in self.numbers:
            if name in cells and (fault := date_fault(cells[name])):
                self.report.add(fault.code, self._place(line, name), fault.seen, fault.remedy)
                lost.add(name)
        if self.untold:
            cells = {name: with_point(text) for name, text in cells.items()}
        if self.grid.faults:
            self._faults(line, lost)
        if count > len(self.header.texts) or self._has_bare_columns:
            self._bare(line)
        for name in lost:
            cells.pop(name, None)
        return TableRow(self.head, line.number, cells, lost)

    @property
    def _has_bare_columns(self) -> bool:
        return len(self.head.columns) + len(self.own) < len(self.header.texts)

    def _place(self, line: Line, column: str) -> Place:
        return Place(self.grid.file, line.number, self.head.columns[column], column)

    def _faults(self, line: Line, lost: set[str]) -> None:
        """Tell what the grid has found wrong with cells of this row."""
        for number in range(1, len(line.texts) + 1):
            fault = self.grid.faults.get((line.number, number))
            if fault is None:
                continue
            name = next((n for n, at in self.head.columns.items() if at == number), "")
            if name or fault.code == "E306":
                place = Place(self.grid.file, line.number, number, name)
                self.report.add(fault.code, place, fault.seen, fault.remedy)
                lost.add(name)
            if fault.code == "E306":  # where the next cells begin is anybody's guess
                lost.update(n for n, at in self.head.columns.items() if at >= number)
        lost.discard("")

    def _bare(self, line: Line) -> None:
        """Tell cells that have no header; in a column of a workbook only the first."""
        known = {*self.head.columns.values(), *self.own}
        for number, text in enumerate(line.texts, start=1):
            if number in known or not text.strip() or number in self.bare:
                continue
            place = Place(self.grid.file, line.number, number, "")
            if self.grid.as_typed and number > len(self.header.texts):
                seen = f"more cells than the {len(self.header.texts)} headers"
                remedy = "a cell that contains the separator must stand in double quotes"
                if not self.grid.decimal_comma:
                    remedy = f"{remedy}; numbers have a point: 0.5"
                self.report.add("E304", place, seen, remedy)
                return
            self.bare.add(number)
            above = f"{column_letter(number)}{self.header.number}"
            seen = f"a cell in a column without header: {text.strip()!r}"
            remedy = f"name the column in {above}; to keep it for yourself, begin with #"
            self.report.add("E304", place, seen, remedy)

    def finish(self, lines: list[Line]) -> None:
        """What can be told only when all rows have been seen."""
        self.styles.tell(self.report)
        read = [self.header.number, *(line.number for line in lines)]
        last = max(self.head.columns.values(), default=0)
        for merged in self.grid.merged:
            first = bisect_left(read, merged.top)
            in_rows = first < len(read) and read[first] <= merged.bottom
            names = [
                name
                for name, number in self.head.columns.items()
                if merged.left <= number <= merged.right
            ]
            if in_rows and names and merged.left <= last:
                row = max(merged.top, self.header.number)
                header = names[0] if row > self.header.number else ""
                place = Place(self.grid.file, row, self.head.columns[names[0]], header)
                seen = f"the cells {merged.name} are merged"
                self.report.add("E312", place, seen, "unmerge them and fill each cell")
        self._hidden(lines)

    def _hidden(self, lines: list[Line]) -> None:
        rows = [line.number for line in lines if line.number in self.grid.hidden_rows]
        if rows:
            name, number = next(iter(self.head.columns.items()), ("", 1))
            place = Place(self.grid.file, rows[0], number, name)
            remedy = "a filter hides rows too; begin the first cell with # to leave a row out"
            seen = f"hidden, but read: {_few('row', map(str, rows))}"
            self.report.add("W315", place, seen, remedy)
        columns = [n for n in self.head.columns.values() if n in self.grid.hidden_columns]
        if columns:
            place = Place(self.grid.file, self.header.number, columns[0], "")
            remedy = "unhide them; begin the header with # to leave a column out"
            seen = f"hidden, but read: {_few('column', map(column_letter, columns))}"
            self.report.add("W315", place, seen, remedy)


def _few(word: str, names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:_FIRST_FEW])
    more = f" and {len(names) - _FIRST_FEW} more" if len(names) > _FIRST_FEW else ""
    return f"{word}{'s' if len(names) > 1 else ''} {shown}{more}"
