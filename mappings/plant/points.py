"""Points: the rows of one device, judged by the driver and against each other.

A row that is wrong is told and left out; what two rows do to each other is told at the second.
"""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from mappings.errors import Fault
from mappings.plant.blocks import wrong_shape
from mappings.plant.faults import tell_fault
from mappings.plant.grammar import Grammar
from mappings.plant.names import folded
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.nodes import Sequence as Listing
from mappings.plant.problems import Report, Spot, beside
from mappings.plant.rows import Defaults, Point, Row, read_row
from mappings.plant.scans import ScanTimes
from mappings.tags import Device, Metric, Tag


class InlineRow:
    """A row written as a mapping in the plant file."""

    __slots__ = ("cells", "lost", "node")

    def __init__(self, node: Mapping, report: Report) -> None:
        self.node = node
        self.cells: dict[str, str] = {}
        self.lost: set[str] = set()
        for column, (_, cell) in node.entries.items():
            if isinstance(cell, Scalar):
                if cell.text:
                    self.cells[column] = cell.text
            elif not column.startswith("#"):
                self.lost.add(column)
                code, spot, seen, _ = wrong_shape(column, cell, "str")
                remedy = f"put a text with [ ] {{ }} in quotes: {column}: '…'"
                report.add(code, spot, seen, remedy)

    @property
    def spot(self) -> Spot:
        """Where the row begins."""
        return self.node.spot

    def spot_of(self, column: str) -> Spot:
        """Where a cell stands; of an empty one, where the row begins."""
        entry = self.node.entries.get(column)
        return entry[1].spot if entry else self.node.spot

    def head_of(self, column: str) -> Spot:
        """Where the column's name stands."""
        return self.node.key_spot(column)


class Rows:
    """The rows of one device; without its driver or options they are judged by themselves only."""

    def __init__(
        self,
        device: str,
        driver: Grammar | None,
        options: BaseModel | None,
        report: Report,
        link: str = "",
    ) -> None:
        self.device = device
        self.link = link
        self.driver = driver
        self.options = options
        self.report = report

    def read(
        self, tags: Node, path: str, scans: ScanTimes, defaults: Defaults
    ) -> tuple[list[Tag], list[Metric]]:
        """The two halves of the rows that are right."""
        read = list(self._inline(tags, path, scans, defaults))
        self._judge(read)
        _check_names(self.device, read, self.report)
        right = [p for _, p in read if p.tag is not None and p.metric is not None]
        return [p.tag for p in right if p.tag], [p.metric for p in right if p.metric]

    def _inline(
        self, tags: Node, path: str, scans: ScanTimes, defaults: Defaults
    ) -> Iterator[tuple[Row, Point]]:
        if not isinstance(tags, Listing):
            what = "a list of rows [{name: …, address: …, type: …}]"
            self.report.add(*wrong_shape(path, tags, "list", what))
            return
        if not tags.items:
            remedy = "add {name: …, address: …, type: …}"
            self.report.add("E106", tags.spot, f"{path}: no rows", remedy)
        for number, item in enumerate(tags.items, start=1):
            if isinstance(item, Mapping):
                row = InlineRow(item, self.report)
                yield row, read_row(row, scans, defaults, self.report)
            else:
                what = "a row {name: …, address: …, type: …}"
                self.report.add(*wrong_shape(f"{path}[{number}]", item, "model", what))

    def _judge(self, read: Sequence[tuple[Row, Point]]) -> None:
        """What the driver says about the rows; it needs its block right for that."""
        driver, options = self.driver, self.options
        if driver is None or options is None:
            return
        passed: list[tuple[Row, Tag]] = []
        for row, point in read:
            if point.tag is None:
                continue
            faults = driver.check_tag(point.tag, options)
            for fault in faults:
                self._tell(row, fault, None)
            if not any(fault.code.startswith("E") for fault in faults):
                passed.append((row, point.tag))
        tags = tuple(tag for _, tag in passed)
        device = Device(name=self.device, options=options, tags=tags)
        for index, fault in driver.check_device(device):
            other = passed[fault.other][0] if fault.other is not None else None
            self._tell(passed[index][0], fault, other)

    def _tell(self, row: Row, fault: Fault, other: Row | None) -> None:
        spot = row.spot_of(fault.field) if fault.field else row.spot
        at = other.spot_of(fault.field) if other is not None else None
        tell_fault(fault, spot, self.report, device=self.device, link=self.link, other=at)


def _check_names(device: str, read: Sequence[tuple[Row, Point]], report: Report) -> None:
    """Names and ids are unique in a device, and a folder is no metric."""
    named = [(row, point) for row, point in read if "name" in row.cells]
    names: dict[str, Row] = {}
    ids: dict[str, tuple[Row, str]] = {}
    folders: dict[str, tuple[Row, str]] = {}
    for row, point in named:
        for folder in _folders(folded(point.name)):
            folders.setdefault(folder, (row, point.name))
    for row, point in named:
        key = folded(point.name)
        spot = row.spot_of("name")
        first = names.setdefault(key, row)
        if first is not row:
            seen = f"metric {point.name!r} exists already in {device!r}"
            at = beside(first.spot_of("name"), spot)
            remedy = f"first at {at}; names that differ only in case collide at hosts; rename one"
            report.add("E604", spot, seen, remedy)
            continue
        inside = folders.get(key)
        if inside is not None:
            seen = f"metric {point.name!r} is a folder too"
            remedy = (
                f"{inside[1]!r} at {beside(inside[0].spot_of('name'), spot)} is in it; rename one"
            )
            report.add("E605", spot, seen, remedy)
        other = ids.setdefault(point.id, (row, point.name))
        if other[0] is not row:
            column = "id" if "id" in row.cells else "name"
            seen = f"{point.name}: id {point.id!r} is the one of {other[1]!r} already"
            remedy = (
                f"first at {beside(other[0].spot_of('name'), spot)}; history would mix: change one"
            )
            report.add("E606", row.spot_of(column), seen, remedy)


def _folders(name: str) -> Iterator[str]:
    end = name.find("/")
    while end != -1:
        yield name[:end]
        end = name.find("/", end + 1)
