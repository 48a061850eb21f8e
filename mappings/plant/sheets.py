"""Sheets: the tables that a plant file names, each read once."""

from mappings.plant.files import Shelf, joined
from mappings.plant.problems import Place, Report
from mappings.plant.tables.decimals import NUMBERS
from mappings.plant.tables.reader import read_table
from mappings.plant.tables.table import Table


class Sheets:
    """Tables by file and sheet: ``sdm630.csv``, ``book.xlsx#Sheet``."""

    def __init__(self, shelf: Shelf, report: Report) -> None:
        self.shelf = shelf
        self.report = report
        self._read: dict[tuple[str, str, frozenset[str] | None], Table | None] = {}

    def table(
        self, name: str, asked: Place, numbers: frozenset[str] | None = NUMBERS
    ) -> Table | None:
        """The table that is named at ``asked``; None with a problem in the report.

        ``numbers`` are the columns whose cells are numbers, None where nobody has said.
        """
        path, _, sheet = name.partition("#")
        raw = self.shelf.raw(path, asked)
        if raw is None:
            return None
        file = joined(asked.file, path)
        key = file, sheet, numbers
        if key not in self._read:
            self._read[key] = read_table(
                raw, file, sheet, self.report, numbers=numbers, asked=asked
            )
        return self._read[key]
