"""A table: rows by column, each cell with its place, for whoever reads rows or instances.

Columns go by their canonical name: ``Raw low`` is ``raw_low``. The names of parameters are words
of the user's own, in which case may matter; `Table.spelled` gives columns the spelling that they
have where they are used.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from mappings.plant.problems import Place

PROPERTY = "property:"


def canonical(header: str) -> str:
    """A header as it is compared: small letters, underscores; the X of ``property:X`` stays."""
    words = "_".join(header.split())
    head, colon, name = header.partition(":")
    if colon and "_".join(head.split()).casefold() == PROPERTY[:-1]:
        return f"{PROPERTY}{name.strip()}"
    return words.casefold()


@dataclass(frozen=True, slots=True)
class Head:
    """The header row: where each column stands."""

    file: str
    line: int
    columns: dict[str, int]
    """Number of the column, from 1, by its name; without those of the user's own."""


class TableRow:
    """One row of a table, as `mappings.plant.rows.Row` wants it."""

    __slots__ = ("_head", "cells", "line", "lost")

    def __init__(
        self, head: Head, line: int, cells: dict[str, str], lost: AbstractSet[str] = frozenset()
    ) -> None:
        self._head = head
        self.line = line
        self.cells = cells
        self.lost = lost

    @property
    def folder(self) -> str:
        """None: it is a row of a device until somebody puts it into one."""
        return ""

    @property
    def machine(self) -> None:
        """None, likewise."""
        return

    @property
    def spot(self) -> Place:
        """Where the row begins: its first column that is read."""
        column, number = next(iter(self._head.columns.items()), ("", 1))
        return Place(self._head.file, self.line, number, column)

    def spot_of(self, column: str) -> Place:
        """Where a cell stands, empty or not; without such a column, where the row begins."""
        number = self._head.columns.get(column)
        return self.spot if number is None else Place(self._head.file, self.line, number, column)

    def head_of(self, column: str) -> Place:
        """Where the column's name stands."""
        return Place(self._head.file, self._head.line, self._head.columns.get(column, 1), "")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file; ``file`` is its name in messages, ``io.xlsx!Tags`` in a workbook."""

    head: Head
    rows: tuple[TableRow, ...]

    @property
    def file(self) -> str:
        """The file's name in messages, with the sheet of a workbook."""
        return self.head.file

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in their order, without those of the user's own."""
        return tuple(self.head.columns)

    def head_of(self, column: str) -> Place:
        """Where the name of a column stands."""
        return Place(self.head.file, self.head.line, self.head.columns.get(column, 1), "")

    def spelled(self, names: Iterable[str]) -> "Table":
        """The table with its columns spelled as these names, where they differ in case only."""
        meant = {canonical(name): name for name in names}
        changed = {c: meant[c] for c in self.head.columns if meant.get(c, c) != c}
        if not changed:
            return self
        columns = {changed.get(c, c): number for c, number in self.head.columns.items()}
        head = replace(self.head, columns=columns)
        rows = tuple(
            TableRow(
                head,
                row.line,
                {changed.get(c, c): text for c, text in row.cells.items()},
                {changed.get(c, c) for c in row.lost},
            )
            for row in self.rows
        )
        return Table(head, rows)
