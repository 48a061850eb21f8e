"""Findings: what is wrong with one row, before anybody is told.

A check that concerns a cell which is a default does not accuse the row: the default does not apply
to it, and the row is judged again without. What would be said of a cell that could not be read
follows from that, and is held back.
"""

from collections.abc import Set as AbstractSet

from mappings.errors import Fault


class Findings:
    """The faults of one row; ``lost`` are cells that could not be read, ``defaulted`` defaults."""

    def __init__(self, name: str, lost: AbstractSet[str], defaulted: AbstractSet[str]) -> None:
        self.name = name
        self.lost = lost
        self.defaulted = defaulted
        self.faults: list[Fault] = []
        self.unfit: set[str] = set()
        """Defaults that do not apply to this row."""
        self.failed = bool(lost)

    def refuse(
        self, code: str, column: str, seen: str, remedy: str, *others: str, ahead: str = ""
    ) -> None:
        """One more fault at ``column``; ``others`` are columns that it is about as well.

        ``seen`` gets the name of the row before it, ``ahead`` is the command to type next.
        """
        concerned = {column, *others}
        unfit = concerned & self.defaulted
        if unfit:
            self.unfit |= unfit
            return
        self.failed |= code.startswith("E")
        if concerned & self.lost:
            return
        self.tell(code, column, f"{self.name}: {seen}", remedy, ahead)

    def tell(self, code: str, column: str, seen: str, remedy: str, ahead: str = "") -> None:
        """A fault with a text of its own."""
        self.failed |= code.startswith("E")
        self.faults.append(Fault(code=code, field=column, seen=seen, remedy=remedy, next=ahead))
