"""A row as it comes, and what was understood of it.

A row is texts by column, and knows the place of each; whoever has read it, an inline row, a line of
a table, one of many instances of either. What it became is a `Point`.
"""

from collections.abc import Mapping as Pairs
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from mappings.errors import Fault
from mappings.plant.problems import Spot
from mappings.tags import Metric, Part, Tag


@dataclass(frozen=True, slots=True)
class Machine:
    """One instance of a template: its folder, which ends with a slash, and its parameters.

    Of each parameter name, kind and value.
    """

    template: str
    folder: str
    parameters: tuple[tuple[str, str, str], ...] = ()

    def part(self, name: str) -> Part:
        """What a metric of this name is of it."""
        member = name.removeprefix(self.folder)
        return Part(template=self.template, member=member, parameters=self.parameters)


class Row(Protocol):
    """Texts by column, with the place of each."""

    @property
    def cells(self) -> Pairs[str, str]:
        """The cells that are not empty, by column."""
        ...

    @property
    def spot(self) -> Spot:
        """Where the row begins."""
        ...

    @property
    def lost(self) -> AbstractSet[str]:
        """Columns whose cell is no text, told already."""
        ...

    @property
    def folder(self) -> str:
        """The folder that names of other rows are looked for in first; ends with a slash."""
        ...

    @property
    def machine(self) -> Machine | None:
        """The machine that it is a part of, by a template of equipment."""
        ...

    def spot_of(self, column: str) -> Spot:
        """Where a cell stands; of an empty one, where the row begins."""
        ...

    def head_of(self, column: str) -> Spot:
        """Where the name of the column stands."""
        ...


@dataclass(frozen=True, slots=True)
class Defaults:
    """What rows get where they say nothing themselves: texts by column.

    ``lost`` are columns whose default is wrong, told already.
    """

    cells: Pairs[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lost: AbstractSet[str] = frozenset()


NO_DEFAULTS = Defaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was understood of a row.

    ``tag`` is there when name, address, type, element and order can be read: enough for a driver
    to judge them, whatever else is wrong; ``metric`` when the whole row is right. ``power`` and
    ``readback`` name other rows of the device. ``faults`` are for whoever knows the places.
    """

    name: str
    id: str
    tag: Tag | None
    metric: Metric | None
    power: str = ""
    readback: str = ""
    faults: list[Fault] = field(default_factory=list)
