"""Expansion: one text for many instances, filled with the values of one.

A filled node has the places of the node that it was made of, and a filled row those of its row,
so that every problem is told where somebody can mend it.
"""

from collections.abc import Mapping as Pairs
from collections.abc import Set as AbstractSet

from mappings.plant.nodes import Mapping, Node, Scalar, Sequence
from mappings.plant.placeholders import WrongPlaceholderError, fill, names_in
from mappings.plant.problems import Place, Report
from mappings.plant.row import Machine, Row

Values = Pairs[str, str]
"""What placeholders may name here, and what they stand for."""


def filled(node: Node, values: Values | None, report: Report) -> Node:
    """A node with its placeholders filled; without values it stays as it is.

    A text that cannot be filled is told, and everything else that is said of it is held back.
    """
    if values is None or not has_braces(node):
        return node
    if isinstance(node, Scalar):
        return Scalar(node.spot, filled_text(node.text, values, node.spot, report), node.quoted)
    if isinstance(node, Sequence):
        return Sequence(node.spot, [filled(item, values, report) for item in node.items])
    entries = {k: (key, filled(v, values, report)) for k, (key, v) in node.entries.items()}
    return Mapping(node.spot, entries)


def filled_text(text: str, values: Values, spot: Place, report: Report) -> str:
    """A text with its placeholders filled."""
    try:
        return fill(text, values)
    except WrongPlaceholderError as wrong:
        if wrong.code:
            report.add(wrong.code, spot, wrong.seen, wrong.remedy)
        report.closed.add(spot)
        return text


def has_braces(node: Node) -> bool:
    """Whether there may be placeholders in a node."""
    if isinstance(node, Scalar):
        return "{" in node.text
    if isinstance(node, Sequence):
        return any(has_braces(item) for item in node.items)
    return any(has_braces(value) for _, value in node.entries.values())


def names_of(node: Node) -> set[str]:
    """The parameters that a node names anywhere, in its keys too."""
    if isinstance(node, Scalar):
        return names_in(node.text)
    if isinstance(node, Sequence):
        return {name for item in node.items for name in names_of(item)}
    return {
        name
        for key, (_, value) in node.entries.items()
        for name in (*names_in(key), *names_of(value))
    }


class FilledRow:
    """A row of one instance: its cells filled, its name in a folder.

    ``folder`` ends with a slash or is empty; names of other rows in its cells are looked for in it
    first.
    """

    __slots__ = ("_row", "cells", "folder", "lost", "machine")

    def __init__(
        self,
        row: Row,
        values: Values | None,
        folder: str,
        report: Report,
        machine: Machine | None = None,
    ) -> None:
        self._row = row
        self.folder = folder
        self.machine = machine
        self.lost: AbstractSet[str] = row.lost
        self.cells: Pairs[str, str] = row.cells
        if values is not None:
            self._fill(values, report)
        if folder:
            named = {c: folder + self.cells[c] for c in ("name", "id") if c in self.cells}
            self.cells = {**self.cells, **named}

    def _fill(self, values: Values, report: Report) -> None:
        changed: dict[str, str] = {}
        lost: set[str] = set()
        for column, text in self._row.cells.items():
            if "{" not in text or column.startswith("#"):
                continue
            try:
                changed[column] = fill(text, values)
            except WrongPlaceholderError as wrong:
                if wrong.code:
                    report.add(wrong.code, self._row.spot_of(column), wrong.seen, wrong.remedy)
                lost.add(column)
        if changed or lost:
            cells = {**self._row.cells, **changed}
            self.cells = {c: t for c, t in cells.items() if t and c not in lost}
        self.lost = self.lost | lost

    @property
    def spot(self) -> Place:
        """Where the row begins."""
        return self._row.spot

    def spot_of(self, column: str) -> Place:
        """Where a cell stands; of an empty one, where the row begins."""
        return self._row.spot_of(column)

    def head_of(self, column: str) -> Place:
        """Where the column's name stands."""
        return self._row.head_of(column)
