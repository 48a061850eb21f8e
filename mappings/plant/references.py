"""References: rows that name other rows of their device, for a power of ten or a readback.

A name is looked for in the row's own folder first, so that templates may name their own rows.
"""

from collections.abc import Sequence
from dataclasses import replace

from mappings.datatypes import INTEGERS
from mappings.plant.blocks import suggestion
from mappings.plant.problems import Report
from mappings.plant.row import Point, Row
from mappings.tags import Metric, Tag

Right = tuple[Row, Tag, Metric]


def resolved(read: Sequence[tuple[Row, Point]], report: Report) -> list[Right]:
    """The rows that are right, each with the rows that it names."""
    names = {point.name: point for _, point in read}
    kept: list[tuple[Row, Point, Tag, Metric]] = []
    for row, point in read:
        if point.tag is None or point.metric is None:
            continue
        metric = point.metric
        if point.power and not _is_power(row, point, names, report):
            continue
        if point.readback:
            other = _find(row, point.readback, "readback", point, names, report)
            if other is None:
                continue
            metric = replace(metric, readback=other.name)
        kept.append((row, point, point.tag, metric))
    index = {point.name: number for number, (_, point, _, _) in enumerate(kept)}
    found: list[Right] = []
    for row, point, tag, metric in kept:
        if not point.power:
            found.append((row, tag, metric))
            continue
        at = index.get(row.folder + point.power, index.get(point.power))
        found.append((row, tag, replace(metric, scale_point=at)))
    return found


def _is_power(row: Row, point: Point, names: dict[str, Point], report: Report) -> bool:
    other = _find(row, point.power, "scale", point, names, report)
    if other is None:
        return False
    if other.tag is None or other.metric is None:
        return False  # told there
    raw = other.metric.raw_type
    if other is point or raw not in INTEGERS or other.power or other.tag.array:
        seen = f"{point.name}: {point.power!r} is no power of ten"
        remedy = "a power of ten is another row of one whole number, and read like this one"
        with report.instance():
            report.add("E527", row.spot_of("scale"), seen, remedy)
        return False
    return True


def _find(
    row: Row, name: str, column: str, point: Point, names: dict[str, Point], report: Report
) -> Point | None:
    other = names.get(row.folder + name) or names.get(name)
    if other is None:
        meant = suggestion(name, (known.removeprefix(row.folder) for known in names))
        hint = f"did you mean {meant!r}? " if meant else ""
        code = "E526" if column == "scale" else "E530"
        seen = f"{point.name}: no row {name!r} in this device"
        with report.instance():
            report.add(code, row.spot_of(column), seen, f"{hint}name a row of the same device")
    return other
