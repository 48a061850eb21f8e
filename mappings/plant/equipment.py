"""Equipment: the rows of a device, out of lists, tables, templates and the machines inside it.

A machine that is no device of its own is a folder: its rows have its path before their names. What
is written for all machines of a kind is read once and filled for each.
"""

from collections.abc import Iterable, Iterator

from mappings.plant.blocks import unknown_keys, wrong_shape
from mappings.plant.defaults import DefaultReader
from mappings.plant.expansion import FilledRow, Values, filled_text, names_of
from mappings.plant.instances import InstanceReader, scopes, tell_unused
from mappings.plant.names import check_metric_name, folded
from mappings.plant.nodes import Mapping, Node, Scalar, Sequence
from mappings.plant.placeholders import names_in
from mappings.plant.points import InlineRow
from mappings.plant.problems import Place, Report, beside
from mappings.plant.row import Defaults, Machine, Row
from mappings.plant.sheets import Sheets
from mappings.plant.templates import Template, Templates

_ENTRY_KEYS = ("template", "instances", "description", "defaults", "tags", "equipment")

Given = tuple[FilledRow, Defaults]
"""A row, and what holds for it where it says nothing."""


class EquipmentReader:
    """Makes rows of ``tags:``, ``template:`` and ``equipment:``."""

    def __init__(
        self, templates: Templates, sheets: Sheets, defaults: DefaultReader, report: Report
    ) -> None:
        self.templates = templates
        self.defaults = defaults
        self.report = report
        self.sheets = sheets
        self.instances = InstanceReader(sheets, report)
        self._rows: dict[int, list[Row]] = {}
        self._checked: set[int] = set()

    def rows(
        self,
        holder: Mapping,
        path: str,
        values: Values | None,
        defaults: Defaults,
        folder: str = "",
        machine: Machine | None = None,
    ) -> Iterator[Given]:
        """The rows of a device or a machine: its own and those of what is in it.

        ``holder`` is a device, a template or a machine; ``defaults`` are those of its surroundings,
        ``machine`` the one whose template this is.
        """
        defaults = self.defaults.read(holder.get("defaults"), f"{path}.defaults", values, defaults)
        tags = holder.get("tags")
        if tags is not None:
            for row in self._written(tags, f"{path}.tags"):
                with self.report.instance():
                    filled = FilledRow(row, values, folder, self.report, machine)
                yield filled, defaults
        equipment = holder.get("equipment")
        if equipment is not None:
            below = f"{path}.equipment"
            yield from self._machines(equipment, below, values, defaults, folder, machine)

    def of_template(
        self,
        template: Template,
        values: Values | None,
        defaults: Defaults,
        folder: str = "",
        machine: Machine | None = None,
    ) -> Iterator[Given]:
        """The rows of a template, for one instance of it."""
        path = f"templates.{template.name}"
        return self.rows(template.node, path, values, defaults, folder, machine)

    def check(self, template: Template) -> None:
        """Say what is wrong with the shape of a template's rows, whoever uses it."""
        tags = template.node.get("tags")
        if tags is not None:
            self._written(tags, f"templates.{template.name}.tags")
        for name, (key, entry) in _entries(template.node.get("equipment")):
            if isinstance(entry, Mapping):
                path = f"templates.{template.name}.equipment.{name}"
                self._check_keys(entry, path, key.spot)

    def used_names(self, node: Mapping) -> set[str]:
        """What an entry asks of its instances: in its texts, its tables, its machines."""
        return set(self._used(node))

    def _used(self, node: Mapping) -> Iterator[str]:
        for key, (_, value) in node.entries.items():
            if key != "instances":
                yield from names_of(value)
        tags = node.get("tags")
        for item in tags.items if isinstance(tags, Sequence) else [tags]:
            if isinstance(item, Scalar) and not item.empty:
                table = self.sheets.table(item.text, item.spot)
                for row in table.rows if table else ():
                    for text in row.cells.values():
                        yield from names_in(text)
        for name, (_, entry) in _entries(node.get("equipment")):
            yield from names_in(name)
            if isinstance(entry, Mapping):
                yield from self._used(entry)
                used = entry.get("template")
                template = (
                    self.templates.by_name.get(used.text) if isinstance(used, Scalar) else None
                )
                yield from template.parameters if template else ()

    def _written(self, tags: Node, path: str) -> list[Row]:
        """The rows as they are written, read once."""
        if id(tags) not in self._rows:
            self._rows[id(tags)] = list(self._listed(tags, path))
        return self._rows[id(tags)]

    def _listed(self, tags: Node, path: str) -> Iterator[Row]:
        what = "a table's file, or a list of rows [{name: …, address: …, type: …}]"
        if isinstance(tags, Scalar) and not tags.empty:
            yield from self._table(tags)
            return
        if not isinstance(tags, Sequence):
            self.report.add(*wrong_shape(path, tags, "list", what))
            return
        if not tags.items:
            remedy = "add {name: …, address: …, type: …}, or a table's file"
            self.report.add("E106", tags.spot, f"{path}: no rows", remedy)
        for number, item in enumerate(tags.items, start=1):
            if isinstance(item, Mapping):
                yield InlineRow(item, self.report)
            elif isinstance(item, Scalar) and not item.empty:
                yield from self._table(item)
            else:
                what = "a row {name: …, address: …, type: …} or a table's file"
                self.report.add(*wrong_shape(f"{path}[{number}]", item, "model", what))

    def _table(self, name: Scalar) -> Iterable[Row]:
        table = self.sheets.table(name.text, name.spot)
        return table.rows if table is not None else ()

    def _machines(
        self,
        node: Node,
        path: str,
        values: Values | None,
        defaults: Defaults,
        folder: str,
        machine: Machine | None,
    ) -> Iterator[Given]:
        if not isinstance(node, Mapping):
            what = '{ "Pumps/P-{n}": { template: …, instances: … } }'
            self.report.add(*wrong_shape(path, node, "model", what))
            return
        taken: dict[str, Place] = {}
        for name, (key, entry) in node.entries.items():
            below = f"{path}.{name}"
            if not isinstance(entry, Mapping):
                what = "{ template: …, instances: … }"
                self.report.add(*wrong_shape(below, entry, "model", what))
                continue
            yield from self._entry(
                name, key, entry, below, values, defaults, folder, taken, machine
            )

    def _entry(
        self,
        name: str,
        key: Scalar,
        entry: Mapping,
        path: str,
        values: Values | None,
        defaults: Defaults,
        folder: str,
        taken: dict[str, Place],
        machine: Machine | None,
    ) -> Iterator[Given]:
        self._check_keys(entry, path, key.spot)
        with self.report.instance():
            template = self.templates.find(entry.get("template"), path, self.report)
        node = entry.get("instances")
        found = None
        meant: set[str] = set()
        if node is not None:
            with self.report.instance():
                used = self.used_names(entry) | names_in(name)
                found = self.instances.read(node, path, values, used, template)
                if found is None:
                    return
                if template is not None or entry.get("template") is None:
                    meant = tell_unused(found, used, name, template, self.report)
        own = entry.get("defaults")
        for instance, scope, inner in scopes(found, template, values, meant, key.spot, self.report):
            spot = instance.spot if instance else key.spot
            with self.report.instance():
                part = self._folder(name, key.spot, scope, spot, taken)
            if part is None:
                continue
            around = defaults
            if template is not None:
                around = self.defaults.read(own, f"{path}.defaults", scope, defaults)
                # A machine inside another is a part of the outer one.
                here = machine or _machine(template, folder + part, inner)
                yield from self.of_template(template, inner, around, folder + part, here)
            yield from self.rows(entry, path, scope, defaults, folder + part, machine)

    def _folder(
        self, name: str, key: Place, scope: Values | None, spot: Place, taken: dict[str, Place]
    ) -> str | None:
        """The folder of one machine; None with a problem if it cannot be one."""
        before = len(self.report)
        part = filled_text(name, scope, key, self.report) if scope is not None else name
        if len(self.report) > before:
            return None
        fault = check_metric_name(part.lstrip("_"))
        if fault is not None:
            place = key if "{" not in name else spot
            self.report.add(fault.code, place, fault.seen, fault.remedy)
            return None
        first = taken.setdefault(folded(part), spot)
        if first is not spot:
            seen = f"two machines are called {part!r}"
            remedy = f"the other is at {beside(first, spot)}; put a {{placeholder}} into the name"
            self.report.add("E548", spot, seen, remedy)
            return None
        return part + "/"

    def _check_keys(self, entry: Mapping, path: str, spot: Place) -> None:
        if id(entry) in self._checked:
            return
        self._checked.add(id(entry))
        meant = unknown_keys(entry, _ENTRY_KEYS, path, self.report)
        if not (meant | entry.entries.keys()) & {"template", "tags", "equipment"}:
            remedy = "add template: NAME, or tags: [{name: …, address: …, type: …}]"
            self.report.add("E104", spot, f"{path}: no template and no tags", remedy)


def _machine(template: Template, folder: str, values: Values | None) -> Machine:
    said = values or {}
    parameters = tuple(
        (parameter.name, parameter.kind, said[parameter.name])
        for parameter in template.parameters.values()
        if parameter.name in said
    )
    return Machine(template.name, folder, parameters)


def _entries(node: Node | None) -> Iterable[tuple[str, tuple[Scalar, Node]]]:
    return node.entries.items() if isinstance(node, Mapping) else ()
