"""Templates: rows and driver settings that are written once, and the parameters that they have.

A template knows its own parameters and nothing else, so that it can be read by itself. It may hold
further equipment, but never itself.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field

from mappings.plant.blocks import entries, one_of, read_block, suggestion, unknown_key, wrong_shape
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.placeholders import LOST, NAME
from mappings.plant.problems import Place, Report
from mappings.plant.scalars import Text
from mappings.plant.schema import Block

KEYS = ("parameters", "description", "defaults", "tags", "equipment")

_KINDS = ("integer", "number", "text")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a template; without default each instance has to say it."""

    name: str
    kind: str = "text"
    default: str | None = None

    def fits(self, text: str) -> bool:
        """Whether a text is a value of this parameter."""
        shape = {"integer": _INTEGER, "number": _NUMBER}.get(self.kind)
        return shape is None or bool(shape.fullmatch(text.strip()) and len(text) <= 40)


@dataclass(slots=True)
class Template:
    """A template; ``node`` is what stands under its name."""

    name: str
    spot: Place
    node: Mapping
    parameters: dict[str, Parameter] = field(default_factory=dict)
    complete: bool = True
    """Whether all of its parameters could be read."""


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of a plant; not ``complete`` if some could not be read."""

    by_name: Pairs[str, Template]
    complete: bool = True

    def find(self, node: Node | None, path: str, report: Report) -> Template | None:
        """The template that a ``template:`` names; None with a problem, or without such a key."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or node.empty:
            report.add(*wrong_shape(f"{path}.template", node, "str", "the name of a template"))
            return None
        found = self.by_name.get(node.text)
        if found is None and self.complete:
            meant = suggestion(node.text, self.by_name)
            hint = f"did you mean {meant!r}? " if meant else ""
            there = ", ".join(self.by_name) or "none, add it under templates:"
            remedy = f"{hint}templates here: {there}"
            report.add("E545", node.spot, f"{path}: no template {node.text!r}", remedy)
        return found


class _ParameterBlock(Block):
    type: Text = "text"
    default: str | None = None


def read_templates(
    node: Node | None, drivers: Iterable[str], complete: bool, report: Report
) -> Templates:
    """The ``templates:`` section."""
    found: dict[str, Template] = {}
    known = [*KEYS, *drivers]
    for name, (key, value) in entries(node, "templates", "{ NAME: { tags: … } }", report).items():
        path = f"templates.{name}"
        if not isinstance(value, Mapping):
            report.add(*wrong_shape(path, value, "model", "{ parameters: …, tags: … }"))
            complete = False
            continue
        template = found[name] = Template(name, key.spot, value)
        for strange in value.entries:
            if strange not in known:
                meant = unknown_key(
                    path, strange, value.key_spot(strange), known, value.entries, report
                )
                template.complete &= meant not in {"parameters", None}
        _read_parameters(template, path, report)
    _refuse_circles(found, report)
    return Templates(found, complete)


def _read_parameters(template: Template, path: str, report: Report) -> None:
    path = f"{path}.parameters"
    node = template.node.get("parameters")
    template.complete &= isinstance(node, Mapping | None)
    for name, (key, value) in entries(node, path, "{ NAME: integer }", report).items():
        if not NAME.fullmatch(name):
            seen = f"{path}: {name!r} cannot stand in braces"
            report.add("E549", key.spot, seen, "a parameter is one word of letters, digits and _")
            continue
        template.parameters[name] = _parameter(name, value, f"{path}.{name}", report)


def _parameter(name: str, value: Node, path: str, report: Report) -> Parameter:
    lenient = Parameter(name, "text", LOST)
    default: str | None = None
    if isinstance(value, Scalar) and not value.empty:
        kind, spot = value.text, value.spot
    elif isinstance(value, Mapping):
        block = read_block(_ParameterBlock, value, path, report)
        if block is None:
            return lenient
        kind, default = block.type, block.default
        spot = value.entries["type"][1].spot if "type" in value.entries else value.spot
    else:
        what = "integer, number, text or { type: …, default: … }"
        report.add(*wrong_shape(path, value, "str", what))
        return lenient
    if kind not in _KINDS:
        report.add("E112", spot, f"{path}: unknown word {kind!r}", one_of(kind, _KINDS))
        return lenient
    parameter = Parameter(name, kind, default)
    if default is not None and not parameter.fits(default):
        assert isinstance(value, Mapping)
        place = value.entries["default"][1].spot
        seen = f"{path}: default {default!r} is no {kind}"
        report.add("E544", place, seen, "write another default, or another type")
        return lenient
    return parameter


def _refuse_circles(templates: dict[str, Template], report: Report) -> None:
    """Tell of templates that contain themselves; what closes the circle is cut out."""
    done: set[str] = set()

    def visit(name: str, chain: tuple[str, ...]) -> None:
        for holder, entry, used in list(_uses(templates[name].node)):
            if used.text in (*chain, name):
                way = " → ".join([*chain, name, used.text])
                seen = f"template {used.text!r} contains itself: {way}"
                report.add("E546", used.spot, seen, "machines end somewhere: remove one of them")
                del holder.entries[entry]
            elif used.text in templates and used.text not in done:
                visit(used.text, (*chain, name))
        done.add(name)

    for name in templates:
        if name not in done:
            visit(name, ())


def _uses(node: Mapping) -> Iterator[tuple[Mapping, str, Scalar]]:
    """The templates that equipment names, with the mapping and the key that it stands under."""
    equipment = node.get("equipment")
    if not isinstance(equipment, Mapping):
        return
    for name, (_, entry) in list(equipment.entries.items()):
        if isinstance(entry, Mapping):
            used = entry.get("template")
            if isinstance(used, Scalar):
                yield equipment, name, used
            yield from _uses(entry)
