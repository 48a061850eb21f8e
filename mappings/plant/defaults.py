"""Defaults: what rows get where they say nothing; the nearest wins.

A row's own cell comes first, then its template, the device or machine that it is in, the plant.
``none`` undoes what a level above says. A default that is wrong is told once, where it stands; one
that does not fit a row does not apply to it.
"""

from mappings.errors import Fault
from mappings.plant.blocks import unknown_keys, wrong_shape
from mappings.plant.columns import COLUMNS, NONE, PROPERTY, read_cell
from mappings.plant.expansion import Values, filled, has_braces
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Report
from mappings.plant.row import Defaults
from mappings.plant.words import Words

DEFAULTABLE = tuple(c for c in COLUMNS if c not in {"name", "id", "address"})
"""The columns that may have a default."""


class DefaultReader:
    """Reads ``defaults:`` sections; one that says the same for all instances is read once."""

    def __init__(self, words: Words, report: Report) -> None:
        self.words = words
        self.report = report
        self._read: dict[tuple[int, int], tuple[Node, Defaults, Defaults]] = {}

    def read(
        self, node: Node | None, path: str, values: Values | None, above: Defaults
    ) -> Defaults:
        """What holds below ``defaults:`` at ``path``, where ``above`` holds around it."""
        if node is None:
            return above
        if values is not None and has_braces(node):
            return self._over(above, filled(node, values, self.report), path)
        key = id(node), id(above)
        if key not in self._read:
            self._read[key] = node, above, self._over(above, node, path)
        return self._read[key][2]

    def _over(self, above: Defaults, node: Node, path: str) -> Defaults:
        if not isinstance(node, Mapping):
            what = "columns with their values { scan: fast }"
            self.report.add(*wrong_shape(path, node, "model", what))
            return above
        own = [key for key in node.entries if key.startswith(("#", PROPERTY))]
        lost = unknown_keys(node, [*DEFAULTABLE, *own], path, self.report)
        cells = dict(above.cells)
        for column, (_, value) in node.entries.items():
            if column not in DEFAULTABLE and not column.startswith(PROPERTY):
                continue
            lost.discard(column)
            fault = None
            if not isinstance(value, Scalar) or value.empty:
                self.report.add(*wrong_shape(f"{path}.{column}", value, "str"))
                lost.add(column)
            elif (fault := self._fault(column, value.text)) is not None:
                seen = f"{path}.{column}: {fault.seen}"
                self.report.add(fault.code, value.spot, seen, fault.remedy)
                lost.add(column)
            if column in lost:
                cells.pop(column, None)
            else:
                assert isinstance(value, Scalar)
                cells[column] = value.text
        return Defaults(cells, (above.lost - node.entries.keys()) | lost)

    def _fault(self, column: str, text: str) -> Fault | None:
        """What is wrong with a default by itself, and with what it names."""
        if text == NONE or column.startswith(PROPERTY):
            return None
        found = read_cell(column, text)
        if column == "scan":
            found = self.words.scans.find(text)
        elif column == "enum":
            found = self.words.enums.find(text)
        elif column in {"unit", "source_unit"}:
            found = self.words.unit(text)
        return found if isinstance(found, Fault) else None
