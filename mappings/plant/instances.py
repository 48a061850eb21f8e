"""Instances: the machines that one entry stands for, as rows, a range or a table.

Each has values by column; what a template declares besides is added from its defaults. A value
keeps its place, so that a wrong one is told where it was typed.
"""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Pairs
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from mappings.plant.blocks import read_block, suggestion, wrong_shape
from mappings.plant.expansion import Values, filled_text
from mappings.plant.nodes import Mapping, Node, Scalar, Sequence
from mappings.plant.placeholders import LOST, NAME, Doubtful
from mappings.plant.problems import Place, Report
from mappings.plant.scalars import WholeNumber
from mappings.plant.schema import Block
from mappings.plant.sheets import Sheets
from mappings.plant.tables.table import canonical
from mappings.plant.templates import Template

_RANGE = re.compile(r"\s*([+-]?[0-9]{1,9})\s*\.\.\s*([+-]?[0-9]{1,9})\s*")
_MOST = 10_000


class _DiscoveryBlock(Block):
    discover: str
    most: WholeNumber = 100


@dataclass(slots=True)
class Instance:
    """One machine: its values by column, each with its place."""

    spot: Place
    values: dict[str, str] = field(default_factory=dict)
    spots: dict[str, Place] = field(default_factory=dict)

    def spot_of(self, column: str) -> Place:
        """Where a value was typed; of one that was not, where the instance is."""
        return self.spots.get(column, self.spot)


@dataclass(slots=True)
class Instances:
    """All machines of one entry, and the places of the columns' heads."""

    items: list[Instance]
    heads: dict[str, Place]
    used: AbstractSet[str] = frozenset()
    """The names that the entry itself asks for."""


class InstanceReader:
    """Reads what stands under ``instances:``."""

    def __init__(self, sheets: Sheets, report: Report) -> None:
        self.sheets = sheets
        self.report = report

    def read(
        self,
        node: Node,
        path: str,
        outer: Values | None,
        used: AbstractSet[str],
        template: Template | None,
    ) -> Instances | None:
        """The instances; None where nothing can be said about them.

        ``outer`` are the values of the instance that this entry stands in, if it does; ``used``
        are the names that it asks for, besides the parameters of its template.
        """
        path = f"{path}.instances"
        found: Instances | None
        if isinstance(node, Sequence):
            found = self._listed(node, path)
        elif isinstance(node, Mapping):
            if "discover" in node.entries:
                self._discovery(node, path)
                return None
            found = self._range(node, path, outer)
        elif node.empty:
            self.report.add(*wrong_shape(path, node, "list", "a list, a range or a table's file"))
            return None
        else:
            found = self._table(node, used, template)
        if found is None:
            return None
        found.used = used
        for instance in found.items:
            for column, text in list(instance.values.items()):
                if outer is not None:
                    spot = instance.spot_of(column)
                    instance.values[column] = filled_text(text, outer, spot, self.report)
        if not found.items:
            remedy = "add {NAME: value}, or remove the entry"
            self.report.add("E547", node.spot, f"{path}: no instance", remedy)
        return found

    def _listed(self, node: Sequence, path: str) -> Instances:
        found = Instances([], {})
        for number, item in enumerate(node.items, start=1):
            if not isinstance(item, Mapping):
                what = "{NAME: value} of one instance"
                self.report.add(*wrong_shape(f"{path}[{number}]", item, "model", what))
                continue
            instance = Instance(item.spot)
            for column, (key, value) in item.entries.items():
                if column.startswith("#"):
                    continue
                found.heads.setdefault(column, key.spot)
                if not isinstance(value, Scalar):
                    self.report.add(*wrong_shape(f"{path}[{number}].{column}", value, "str"))
                elif value.text:
                    instance.values[column] = value.text
                instance.spots[column] = value.spot
            found.items.append(instance)
        self._names(found, path)
        return found

    def _range(self, node: Mapping, path: str, outer: Values | None) -> Instances | None:
        ranges = list(node.entries.items())
        what = "one range such as {nr: 1..8}, a list of rows or a table's file"
        if len(ranges) != 1:
            self.report.add("E547", node.spot, f"{path}: {len(ranges)} ranges", f"write {what}")
            return None
        [(column, (key, value))] = ranges
        if not isinstance(value, Scalar) or value.empty:
            self.report.add(*wrong_shape(f"{path}.{column}", value, "str", "a range such as 1..8"))
            return None
        text = value.text
        if outer is not None:
            text = filled_text(text, outer, value.spot, self.report)
        match = _RANGE.fullmatch(text)
        first, last = (int(match[1]), int(match[2])) if match else (1, 0)
        if first > last:
            seen = f"{path}.{column}: {text!r} is no range"
            self.report.add("E547", value.spot, seen, "write 1..8, the smaller number first")
            return None
        if last - first >= _MOST:
            seen = f"{path}.{column}: {last - first + 1} instances"
            self.report.add("E547", value.spot, seen, f"{_MOST} are the most; a slip?")
            return None
        items = [
            Instance(value.spot, {column: str(number)}, {column: value.spot})
            for number in range(first, last + 1)
        ]
        found = Instances(items, {column: key.spot})
        self._names(found, path)
        return found

    def _table(
        self, node: Scalar, used: AbstractSet[str], template: Template | None
    ) -> Instances | None:
        declared = template.parameters if template is not None else {}
        numbers = None
        if template is not None:
            numbers = frozenset(canonical(p.name) for p in declared.values() if p.kind != "text")
        table = self.sheets.table(node.text, node.spot, numbers)
        if table is None:
            return None
        table = table.spelled([*declared, *sorted(used)])
        items = [
            Instance(row.spot, dict(row.cells), {c: row.spot_of(c) for c in table.columns})
            for row in table.rows
        ]
        found = Instances(items, {column: table.head_of(column) for column in table.columns})
        self._names(found, node.text)
        return found

    def _names(self, found: Instances, path: str) -> None:
        """Columns are names that can stand in braces."""
        for column, place in list(found.heads.items()):
            if not NAME.fullmatch(column):
                seen = f"{path}: {column!r} cannot stand in braces"
                remedy = "a parameter is one word of letters, digits and _; your own begin with #"
                self.report.add("E549", place, seen, remedy)
                del found.heads[column]

    def _discovery(self, node: Mapping, path: str) -> None:
        block = read_block(_DiscoveryBlock, node, path, self.report)
        if block is not None and block.discover != "topics":
            spot = node.entries["discover"][1].spot
            seen = f"{path}.discover: unknown word {block.discover!r}"
            self.report.add("E112", spot, seen, "write topics")


def tell_unused(
    found: Instances, used: AbstractSet[str], entry: str, template: Template | None, report: Report
) -> set[str]:
    """Tell of columns that nothing asks for; what was meant by them."""
    known = sorted(used | (template.parameters.keys() if template else set()))
    meant = set()
    for column, place in found.heads.items():
        if column in known or (template is not None and not template.complete):
            continue
        word = suggestion(column, known, found.heads)
        meant |= {word} if word else set()
        where = f"{entry!r}" + (f" or template {template.name!r}" if template else "")
        hint = f"did you mean {word!r}? " if word else ""
        remedy = f"{hint}To keep it for yourself, head it '# {column}'"
        report.add("E505", place, f"column {column!r} is used nowhere in {where}", remedy)
    return meant


def scopes(
    found: Instances | None,
    template: Template | None,
    outer: Values | None,
    meant: AbstractSet[str],
    spot: Place,
    report: Report,
) -> Iterator[tuple[Instance | None, Values | None, Values | None]]:
    """Each instance with what its entry and what its template may name.

    Without ``found`` there is one, the entry itself at ``spot``. ``meant`` are parameters whose
    misspelling has been told: that they are missing follows.
    """
    instances = found.items if found is not None else [None]
    if template is not None and found is not None:
        absent = [
            p.name
            for p in template.parameters.values()
            if p.default is None and p.name not in (*found.heads, *(outer or ()), *meant)
        ]
        for name in absent if found.items else ():
            seen = f"template {template.name!r} needs {name}, and no instance says it"
            report.add("E543", spot, seen, f"write it under instances: {{{name}: …}}")
        meant = {*meant, *absent}
    for instance in instances:
        own = {**(outer or {}), **(instance.values if instance else {})}
        with report.instance():
            if found is not None and instance is not None:
                own |= _left_out(found, instance, template, own, meant, report)
            inner = _parameters(template, own, instance, meant, spot, report) if template else None
        filling = instance is not None or outer is not None or template is not None
        scope = {**own, **(inner or {})} if filling else None
        if template is not None and not template.complete:
            inner, scope = Doubtful(inner or {}), Doubtful(scope or {})
        yield instance, scope, inner


def _left_out(
    found: Instances,
    instance: Instance,
    template: Template | None,
    values: Pairs[str, str],
    meant: AbstractSet[str],
    report: Report,
) -> dict[str, str]:
    """What an instance leaves out that its entry asks for, and no template has a default for."""
    lost = {}
    declared = template.parameters if template is not None else {}
    for column in found.heads:
        if column not in values and column not in declared:
            lost[column] = LOST
            if column in found.used and column not in meant:
                seen = f"no {column} for this instance"
                remedy = f"write it, or take {{{column}}} out of the entry"
                report.add("E543", instance.spot_of(column), seen, remedy)
    return lost


def _parameters(
    template: Template,
    values: Pairs[str, str],
    instance: Instance | None,
    meant: AbstractSet[str],
    spot: Place,
    report: Report,
) -> dict[str, str]:
    found = {}
    for name, parameter in template.parameters.items():
        text = values.get(name)
        if text is None:
            text = parameter.default
            if text is None:
                text = LOST
                if name not in meant:
                    place = instance.spot_of(name) if instance else spot
                    seen = f"template {template.name!r} needs {name}, and nothing says it"
                    report.add("E543", place, seen, f"write it under instances: {{{name}: …}}")
        elif text != LOST and not parameter.fits(text):
            place = instance.spot_of(name) if instance else spot
            seen = f"{name}: {text!r} is no {parameter.kind}"
            remedy = f"template {template.name!r} declares {name}: {parameter.kind}"
            report.add("E544", place, seen, remedy)
            text = LOST
        found[name] = text.strip(" \t")
    return found
