"""Words: what names in cells refer to, the scans, enums and units of the plant."""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from mappings.errors import Fault
from mappings.plant.blocks import entries, read_block, wrong_shape
from mappings.plant.enums import NO_ENUMS, Enums
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Report
from mappings.plant.scans import ScanTimes
from mappings.plant.schema import UnitBlock
from mappings.tags import Unit
from mappings.units import Known, Units

_NAME = re.compile(r"[^\W\d_][\w-]*")
_EQUALS = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|[0-9]+\s*/\s*[1-9][0-9]*)?\s*(.*?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The names of a plant; ``units_complete`` is False where some could not be read."""

    scans: ScanTimes
    enums: Enums = NO_ENUMS
    units: Units = field(default_factory=Units)
    units_complete: bool = True

    def unit(self, text: str) -> Known | Fault | None:
        """What a ``unit`` cell says; None where the section that may know it is wrong."""
        found = self.units.find(text)
        return None if isinstance(found, Fault) and not self.units_complete else found


def read_units(node: Node | None, report: Report) -> tuple[Units, bool]:
    """The ``units:`` section, and whether all of it could be read."""
    before = len(report)
    section = entries(node, "units", '{ NAME: { equals: "1" } }', report)
    open_: dict[str, tuple[Fraction, str, Scalar]] = {}
    plain = Units()
    for name, (key, value) in section.items():
        path = f"units.{name}"
        if not isinstance(value, Mapping):
            report.add(*wrong_shape(path, value, "model", '{ equals: "1" } or { equals: 20 l }'))
            continue
        block = read_block(UnitBlock, value, path, report)
        if block is None:
            continue
        if not _NAME.fullmatch(name):
            seen = f"{path}: {name!r} cannot be read inside bottles/min"
            report.add("E524", key.spot, seen, "a unit is one word of letters, digits and -")
        elif not isinstance(plain.find(name), Fault):
            seen = f"{path}: {name!r} means something already"
            report.add("E524", key.spot, seen, "choose another name")
        else:
            number, base = _equals(block.equals)
            place = value.entries["equals"][1]
            assert isinstance(place, Scalar)
            open_[name] = number, base, place
    found = _resolved(open_, report)
    return Units(found), len(report) == before and isinstance(node, Mapping | None)


def _equals(text: str) -> tuple[Fraction, str]:
    match = _EQUALS.fullmatch(text)
    assert match is not None
    return Fraction((match[1] or "1").replace(" ", "")), match[2] or "1"


def _resolved(waiting: dict[str, tuple[Fraction, str, Scalar]], report: Report) -> dict[str, Known]:
    """The declared units in terms of what is known, whatever their order."""
    found: dict[str, Known] = {}
    while waiting:
        units = Units(found)
        ready = {
            name: known
            for name, (_, base, _) in waiting.items()
            if not isinstance(known := units.find(base), Fault)
        }
        if not ready:
            break
        for name, base_unit in ready.items():
            number, base, place = waiting.pop(name)
            if number == 0 or base_unit.absolute:
                seen = f"units.{name}.equals: {place.text!r} is no amount"
                report.add("E524", place.spot, seen, 'write "1" for what is counted, or 20 l')
                continue
            ucum = f"{{{name}}}"
            found[name] = Known(
                unit=Unit(text=name, ucum=ucum),
                pint=base_unit.pint,
                factor=number * base_unit.factor,
            )
    circle = all(base in waiting for _, base, _ in waiting.values())
    for name, (_, base, place) in waiting.items():
        fault = Units(found).find(base)
        assert isinstance(fault, Fault)
        if circle:
            remedy = "units that equal each other equal nothing: one of them has to be known"
            report.add("E524", place.spot, f"units.{name}: defined by itself", remedy)
        elif base not in waiting:
            report.add("E524", place.spot, f"units.{name}.equals: {fault.seen}", fault.remedy)
    return found
