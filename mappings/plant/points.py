"""Points: the rows of one device, judged by the driver and against each other.

A row that is wrong is told and left out; what two rows do to each other is told at the second.
"""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

from mappings.errors import Fault
from mappings.plant.blocks import wrong_shape
from mappings.plant.faults import tell_fault
from mappings.plant.grammar import Grammar
from mappings.plant.names import folded
from mappings.plant.nodes import Mapping, Scalar
from mappings.plant.problems import Place, Report, Spot, beside
from mappings.plant.references import resolved
from mappings.plant.row import Defaults, Machine, Point, Row
from mappings.plant.rows import RowReader
from mappings.plant.words import Words
from mappings.tags import Device, Metric, Tag

_OF_COLUMNS = {"E303", "E511"}  # the name of a column is wrong, whatever stands below it


class InlineRow:
    """A row written as a mapping in the plant file."""

    __slots__ = ("cells", "folder", "lost", "machine", "node")

    def __init__(self, node: Mapping, report: Report) -> None:
        self.node = node
        self.machine: Machine | None = None
        self.folder = ""
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
    """The rows of one device; without its driver or options they are judged by themselves only.

    ``link`` is its name in messages, ``link_options`` are None where they could not be read.
    """

    def __init__(
        self,
        device: str,
        driver: Grammar | None,
        options: BaseModel | None,
        report: Report,
        *,
        words: Words,
        link: str = "",
        link_options: BaseModel | None = None,
    ) -> None:
        self.device = device
        self.link = link
        self.driver = driver
        self.options = options
        self.report = report
        self.reader = RowReader(words, driver, link_options)
        self.named: list[str] = []
        """The names of all rows that have one, of wrong ones too."""

    def read(
        self, given: Iterable[tuple[Row, Defaults]]
    ) -> tuple[list[Tag], list[Metric], list[Place]]:
        """The two halves of the rows that are right, and where they stand."""
        read: list[tuple[Row, Point]] = []
        for row, defaults in given:
            point = self.reader.read(row, defaults)
            if point.faults:
                with self.report.instance():
                    for fault in point.faults:
                        self._tell(row, fault, None)
            read.append((row, point))
        self.named = [point.name for row, point in read if "name" in row.cells]
        self._judge(read)
        _check_names(self.device, read, self.report)
        right = resolved(read, self.report)
        tags, metrics = [tag for _, tag, _ in right], [metric for _, _, metric in right]
        return tags, metrics, [row.spot for row, _, _ in right]

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
            if faults:
                with self.report.instance():
                    for fault in faults:
                        self._tell(row, fault, None)
            if not any(fault.code.startswith("E") for fault in faults):
                passed.append((row, point.tag))
        tags = tuple(tag for _, tag in passed)
        device = Device(name=self.device, options=options, tags=tags)
        for index, fault in driver.check_device(device):
            other = passed[fault.other][0] if fault.other is not None else None
            with self.report.instance():
                self._tell(passed[index][0], fault, other)

    def _tell(self, row: Row, fault: Fault, other: Row | None) -> None:
        spot = row.spot_of(fault.field) if fault.field else row.spot
        if fault.code in _OF_COLUMNS:
            spot = row.head_of(fault.field)
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
        first, inside = names.setdefault(key, row), folders.get(key)
        if first is not row:
            with report.instance():
                _tell_twin(device, row, point, first, report)
            continue
        if inside is not None:
            with report.instance():
                _tell_folder(row, point, inside, report)
        other = ids.setdefault(point.id, (row, point.name))
        if other[0] is not row:
            with report.instance():
                _tell_id(row, point, other, report)


def _tell_twin(device: str, row: Row, point: Point, first: Row, report: Report) -> None:
    spot = row.spot_of("name")
    seen = f"metric {point.name!r} exists already in {device!r}"
    at = beside(first.spot_of("name"), spot)
    remedy = f"first at {at}; names that differ only in case collide at hosts; rename one"
    report.add("E604", spot, seen, remedy)


def _tell_folder(row: Row, point: Point, inside: tuple[Row, str], report: Report) -> None:
    spot = row.spot_of("name")
    at = beside(inside[0].spot_of("name"), spot)
    seen, remedy = f"metric {point.name!r} is a folder too", f"{inside[1]!r} at {at} is in it"
    report.add("E605", spot, seen, f"{remedy}; rename one")


def _tell_id(row: Row, point: Point, other: tuple[Row, str], report: Report) -> None:
    spot = row.spot_of("id" if "id" in row.cells else "name")
    at = beside(other[0].spot_of("name"), row.spot_of("name"))
    seen = f"{point.name}: id {point.id!r} is the one of {other[1]!r} already"
    report.add("E606", spot, seen, f"first at {at}; history would mix: change one")


def _folders(name: str) -> Iterator[str]:
    end = name.find("/")
    while end != -1:
        yield name[:end]
        end = name.find("/", end + 1)
