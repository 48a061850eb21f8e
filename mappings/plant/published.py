"""The published type of a row: what it asks for, if that holds every value, or a fitting one."""

from fractions import Fraction

from mappings.datatypes import TEXTS, DataType, WireType, array_of, element_of
from mappings.plant.columns import METRIC_TYPES, TYPE_NAMES, Cells
from mappings.plant.findings import Findings
from mappings.plant.metric_types import Line, Produced, is_time
from mappings.plant.ranges import produced_ends
from mappings.tags import Invalid, Tag


def read_published(
    cells: Cells,
    tag: Tag,
    wire: WireType,
    line: Line,
    invalid: Invalid,
    findings: Findings,
    *,
    has_texts: bool,
) -> tuple[DataType, Line]:
    """The published type, and the line to it: a DateTime is in milliseconds.

    ``has_texts`` says that an enum is published as its texts.
    """
    wanted = cells.metric_type
    element = None if wanted is None else element_of(wanted)
    if wire.kind == "epoch_s" and element in {None, DataType.DATETIME}:
        line = line.then(Fraction(1_000), Fraction(0))
    limits = (invalid.below, invalid.above)
    ends, whole = produced_ends(wire, line, cells, limits, cells.clamp)
    produced = Produced(wire, line, ends, whole, has_texts)
    lost = findings.lost & {"scale", "offset", "raw_low", "raw_high", "low", "high", "enum"}
    if lost:
        return wire.datatype, line
    if element is None:
        element = produced.default()
        if not produced.fits(element) and is_time(wire):
            _refuse(cells, findings, "DateTime", produced, tag)
    elif wanted is not None and tag.array and wanted is element:
        shown = TYPE_NAMES.get(array_of(element) or element, "")
        remedy = f"write {shown}, or leave metric_type out"
        seen = f"{TYPE_NAMES[wanted]} cannot hold an array"
        findings.refuse("E509", "metric_type", seen, remedy)
    elif not produced.fits(element):
        _refuse(cells, findings, TYPE_NAMES[element], produced, tag)
    if not tag.array:
        return element, line
    whole_type = array_of(element)
    if whole_type is None:
        remedy = "Sparkplug has no arrays of them: name one element"
        findings.refuse("E531", "type", f"an array of {wire.name}", remedy)
        return element, line
    return whole_type, line


def _refuse(cells: Cells, findings: Findings, shown: str, produced: Produced, tag: Tag) -> None:
    wire = produced.wire
    given = wire.name if produced.line.same else f"scaled {wire.name}"
    fits = [
        TYPE_NAMES[(array_of(datatype) or datatype) if tag.array else datatype]
        for datatype in METRIC_TYPES.values()
        if element_of(datatype) is datatype and produced.fits(datatype)
        and not (tag.array and array_of(datatype) is None)
    ]  # fmt: skip
    choice = f"write {' or '.join(fits)}, or leave metric_type out"
    if not cells.enum and shown in {"String", "Text"} and wire.datatype not in TEXTS:
        choice = "String publishes the texts of an enum: add enum, or leave metric_type out"
    seen = f"{shown} cannot hold every value of {given}"
    columns = ("scale", "offset", "invalid", "clamp")
    concerned = [c for c in columns if c in findings.defaulted]
    findings.refuse("E509", "metric_type", seen, choice, *concerned)
