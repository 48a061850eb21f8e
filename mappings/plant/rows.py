"""Rows: one row, one point; its cells become a tag and a metric.

Columns are the same wherever a row comes from, and so is every check. What a cell says by itself is
the affair of `mappings.plant.columns`; here it is seen what the cells say together.
"""

from collections.abc import Mapping as Pairs
from collections.abc import Set as AbstractSet

from pydantic import BaseModel

from mappings.datatypes import NUMBERS, DataType, WireType, element_of
from mappings.errors import Fault
from mappings.inverse import why_not_invertible
from mappings.plant.blocks import suggestion
from mappings.plant.columns import (
    COLUMNS,
    LITERAL,
    NONE,
    PROPERTY,
    SAYS_NONE,
    TYPE_NAMES,
    Cells,
    field_of,
    read_cell,
)
from mappings.plant.enums import Texts
from mappings.plant.findings import Findings
from mappings.plant.grammar import (
    Grammar,
    is_writable,
    may_be_array,
    probe_command,
    takes_scans,
)
from mappings.plant.invalids import invalid_of
from mappings.plant.metric_types import EPOCHS, Line, raw_ends
from mappings.plant.names import OWN_PROPERTIES, check_metric_name, folded, is_hidden
from mappings.plant.published import read_published
from mappings.plant.ranges import (
    check_range,
    read_clamp,
    read_deadband,
    warn_of_reach,
)
from mappings.plant.row import Defaults, Point, Row
from mappings.plant.scalars import duration_text
from mappings.plant.scaling import read_line, read_unit
from mappings.plant.scans import NORMAL
from mappings.plant.words import Words
from mappings.plant.writing import read_writing
from mappings.tags import NOTHING_INVALID, Invalid, Metric, Tag

_REQUIRED = ("name", "address", "type")
_OWN_PROPERTIES = {folded(name): name for name in OWN_PROPERTIES}


class RowReader:
    """Reads the rows of one device.

    Without its driver or the options of its link they are judged by themselves only.
    """

    def __init__(self, words: Words, driver: Grammar | None, link: BaseModel | None) -> None:
        self.words = words
        self.driver = driver
        self.link = link
        self.scans = driver is None or takes_scans(driver)

    def read(self, row: Row, defaults: Defaults) -> Point:
        """What a row says, and what is wrong with it."""
        without: set[str] = set()
        while True:
            reading = _Reading(self, row, defaults, without)
            point = reading.point()
            if not reading.findings.unfit - without:
                return point
            without |= reading.findings.unfit


class _Reading:
    """One row, seen with those of the defaults that may apply to it."""

    def __init__(
        self, reader: RowReader, row: Row, defaults: Defaults, without: AbstractSet[str]
    ) -> None:
        self.reader = reader
        self.row = row
        self.cells = Cells()
        self.properties: dict[str, str] = {}
        lost = {*row.lost, *(defaults.lost - row.cells.keys())}
        given = {c: t for c, t in defaults.cells.items() if t != NONE and c not in without}
        defaulted = {column for column in given if column not in row.cells}
        for column, text in row.cells.items():
            if (
                text != NONE
                or column in SAYS_NONE
                or (column in LITERAL and column not in defaults.cells)
            ):
                given[column] = text
            else:
                given.pop(column, None)
        self.findings = Findings(given.get("name", "this row"), lost, defaulted)
        self.lost = lost
        self._read_cells(given)
        self.findings.failed |= bool(lost)

    def _read_cells(self, given: Pairs[str, str]) -> None:
        cells, findings, lost = self.cells, self.findings, self.lost
        for column, text in given.items():
            if column in _COLUMN_SET:
                found = read_cell(column, text)
                if isinstance(found, Fault):
                    lost.add(column)
                    seen = found.seen if column == "type" else f"{column}: {found.seen}"
                    findings.tell(found.code, column, seen, found.remedy)
                else:
                    setattr(cells, _FIELDS[column], found)
            elif column.startswith(PROPERTY):
                self._property(column, text)
            elif not column.startswith("#"):
                self._unknown(column, given)
        for column in _REQUIRED:
            if column not in given and column not in lost:
                lost.add(column)
                seen = f"{findings.name}: no {column}"
                findings.tell("E104", "", seen, f"add {column}: …")

    def _unknown(self, column: str, given: Pairs[str, str]) -> None:
        word = suggestion(column, COLUMNS, given)
        if word:
            self.lost.add(word)
        hint = f"did you mean {word!r}? " if word else f"columns: {', '.join(COLUMNS)}. "
        remedy = f"{hint}To keep a column of your own, head it '# {column}'"
        self.findings.tell("E303", column, f"unknown column {column!r}", remedy)

    def _property(self, column: str, text: str) -> None:
        name = column.removeprefix(PROPERTY).strip()
        own = _OWN_PROPERTIES.get(folded(name))
        if not name or own:
            said = f"property {own} is published already" if own else "a property without name"
            remedy = "choose another name: property:Loop number"
            self.findings.tell("E511", column, f"{column!r}: {said}", remedy)
        self.properties[name] = text

    def point(self) -> Point:
        """The tag and the metric, as far as they could be read."""
        cells, findings = self.cells, self.findings
        identity = cells.id or cells.name
        if cells.name and (fault := check_metric_name(cells.name)) is not None:
            findings.tell(fault.code, "name", fault.seen, fault.remedy)
        scan_ms = self._scan()
        wire = cells.type
        if wire is None or "type" in findings.lost:
            return Point(
                name=cells.name, id=identity, tag=None, metric=None, faults=findings.faults
            )
        tag = self._tag(wire, scan_ms or 0)
        metric, line = self._metric(tag, wire, identity, scan_ms)
        readable = not findings.lost & {"name", "address", "order", "element"}
        return Point(
            name=cells.name,
            id=identity,
            tag=tag if readable else None,
            metric=metric if not findings.failed and scan_ms is not None else None,
            power=line.power,
            readback=cells.readback if cells.readback not in {"", NONE, "same"} else "",
            faults=findings.faults,
        )

    def _scan(self) -> int | None:
        text = self.cells.scan
        if text and not self.reader.scans:
            remedy = "the sender decides how often: remove it"
            self.findings.refuse("E528", "scan", "a scan of what is not polled", remedy)
        found = self.reader.words.scans.find(text or NORMAL)
        if isinstance(found, Fault):
            self.findings.refuse(found.code, "scan", found.seen, found.remedy)
            return None
        return found

    def _tag(self, wire: WireType, scan_ms: int) -> Tag:
        """The tag; an array where address and element say so, or the published type does."""
        cells, driver = self.cells, self.reader.driver
        tag = Tag(
            name=cells.name, address=cells.address, wire_type=wire.name, order=cells.order,
            scan_ms=scan_ms, element=cells.element, access=cells.access,
        )  # fmt: skip
        array = driver is not None and bool(cells.address) and driver.is_array(tag)
        wanted = cells.metric_type
        if not array and wanted is not None and element_of(wanted) is not wanted:
            array = True
            if driver is not None and not may_be_array(driver, tag):
                shown = TYPE_NAMES[wanted]
                remedy = f"write {TYPE_NAMES[element_of(wanted)]}, or an address of an array"
                self.findings.refuse("E531", "metric_type", f"{shown} of one value", remedy)
        if not array:
            return tag
        return Tag(
            name=cells.name, address=cells.address, wire_type=wire.name, order=cells.order,
            scan_ms=scan_ms, element=cells.element, access=cells.access, array=True,
        )  # fmt: skip

    def _metric(
        self, tag: Tag, wire: WireType, identity: str, scan_ms: int | None
    ) -> tuple[Metric | None, Line]:
        cells, findings, words = self.cells, self.findings, self.reader.words
        plain = read_line(cells, wire, findings)
        unit, line = read_unit(cells, wire, plain, words, findings)
        texts = self._enum(tag, wire, line)
        invalid = self._invalid(wire)
        datatype, line = read_published(
            cells, tag, wire, line, invalid, findings, has_texts=bool(texts)
        )
        numeric = wire.datatype in NUMBERS and element_of(datatype) in NUMBERS
        no_number = "" if numeric else self._instead(wire, datatype)
        ranged = check_range(cells, findings, no_number)
        if ranged:
            warn_of_reach(cells, wire, line, findings, probe_command(self.reader.driver, tag))
        clamp = read_clamp(cells, findings, no_number, ranged=ranged)
        deadband = read_deadband(
            cells, findings, "an array" if tag.array else no_number, ranged=ranged
        )
        if cells.invert and wire.kind != "bool":
            remedy = "only bool can be turned round: remove it"
            findings.refuse("E517", "invert", f"{wire.name} cannot be inverted", remedy)
        writing = read_writing(
            cells, wire, line, findings, array=tag.array, limited=numeric and not texts,
            is_writable=lambda: is_writable(self.reader.driver, tag),
        )  # fmt: skip
        stale_ms = self._times(tag, scan_ms)
        if findings.failed or findings.unfit:
            return None, line
        metric = Metric(
            id=identity,
            name=cells.name,
            datatype=datatype,
            raw=wire.datatype,
            unit=unit,
            description=cells.description,
            invalid=invalid,
            scale=line.scale,
            offset=line.offset,
            invert=cells.invert,
            clamp=clamp,
            enum=texts,
            low=None if cells.low is None else float(cells.low),
            high=None if cells.high is None else float(cells.high),
            deadband=float(deadband),
            max_silence_ms=cells.max_silence,
            min_interval_ms=cells.min_interval,
            stale_after_ms=stale_ms,
            importance=cells.importance,
            access=writing.access,
            write_low=None if writing.low is None else float(writing.low),
            write_high=None if writing.high is None else float(writing.high),
            readback=writing.readback,
            published=not is_hidden(cells.name),
            properties=self.properties,
            part=self.row.machine.part(cells.name) if self.row.machine else None,
        )
        why = why_not_invertible(metric) if metric.writable and not line.power else ""
        if why:
            findings.refuse("E703", "access", f"cannot be written: {why}", "write access: r")
            return None, line
        return metric, line

    def _instead(self, wire: WireType, datatype: DataType) -> str:
        """What the row has instead of a number, for messages."""
        if wire.datatype in NUMBERS:
            return TYPE_NAMES.get(datatype, wire.name)
        return wire.name

    def _enum(self, tag: Tag, wire: WireType, line: Line) -> Texts:
        cells, findings = self.cells, self.findings
        if not cells.enum:
            return ()
        found = self.reader.words.enums.find(cells.enum)
        if isinstance(found, Fault):
            findings.refuse(found.code, "enum", found.seen, found.remedy)
            return ()
        if found is None:
            findings.failed = True
            return ()
        codes = [code for code, _ in found]
        ends = (0, 1) if wire.kind == "bool" else raw_ends(wire)
        reason, remedy = "", "remove it"
        if tag.array:
            reason = "an array has no enum"
        elif ends is None or wire.kind in EPOCHS:
            reason, remedy = f"{wire.name} has no codes", "only integers and bool have: remove it"
        elif not line.same:
            reason, remedy = "codes cannot be scaled", "remove the scale, or the enum"
        elif not ends[0] <= min(codes) <= max(codes) <= ends[1]:
            outside = next(code for code in codes if not ends[0] <= code <= ends[1])
            reason = f"code {outside} does not fit {wire.name}"
            remedy = f"its codes lie between {ends[0]} and {ends[1]}"
        if reason:
            more = () if line.same else ("scale", "offset")
            findings.refuse("E519", "enum", reason, remedy, *more)
            return ()
        return found

    def _invalid(self, wire: WireType) -> Invalid:
        found = invalid_of(self.cells.invalid, wire)
        if isinstance(found, Invalid):
            return found
        remedy = "write raw values, as they are before scaling, or remove it"
        seen = f"invalid: {found} is no raw value of {wire.name}"
        self.findings.refuse("E523", "invalid", seen, remedy)
        return NOTHING_INVALID

    def _times(self, tag: Tag, scan_ms: int | None) -> int:
        """After how long a value is stale, with the row's times checked."""
        cells, findings, reader = self.cells, self.findings, self.reader
        silence, interval = cells.max_silence, cells.min_interval
        if silence and interval and silence <= interval:
            seen = f"max_silence {duration_text(silence)} is not above min_interval"
            remedy = f"write more than {duration_text(interval)}, or remove one of the two"
            findings.refuse("E534", "max_silence", seen, remedy, "min_interval")
        if cells.stale_after is None:
            if reader.driver is None or reader.link is None:
                return 0
            return reader.driver.stale_after_ms(tag, reader.link)
        if reader.scans and scan_ms and 0 < cells.stale_after <= scan_ms:
            seen = f"stale_after {duration_text(cells.stale_after)} is not above its scan"
            remedy = f"it is read every {duration_text(scan_ms)}: write a longer time"
            findings.refuse("E535", "stale_after", seen, remedy, "scan")
        return cells.stale_after


_COLUMN_SET = frozenset(COLUMNS)
_FIELDS = {column: field_of(column) for column in COLUMNS}
