"""Rows: one row, one point; its cells become a tag and a metric.

A row comes as texts by column and knows the place of each, whoever has read it: an inline row
today, a line of a table tomorrow. Columns are the same in both, and so is every check. What a
cell is worth by itself is the model's affair; what cells mean together is told below it.
"""

from collections.abc import Mapping as Pairs
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mappings.datatypes import (
    FLOATS,
    INTEGERS,
    NUMBERS,
    TEXTS,
    WIRE_TYPES,
    DataType,
    WireType,
    integer_range,
    wire_type,
)
from mappings.errors import nearest
from mappings.plant.blocks import suggestion
from mappings.plant.columns import COLUMNS, METRIC_TYPES, PROPERTY, Cells, Deadband
from mappings.plant.names import OWN_PROPERTIES, check_metric_name, folded
from mappings.plant.problems import Report, Spot
from mappings.plant.scans import ScanTimes, scan_time
from mappings.tags import Metric, Tag, Unit

# Integers that a float holds without rounding: the bits of its mantissa.
_EXACT_BITS = {DataType.FLOAT: 24, DataType.DOUBLE: 53}

_WIDTHLESS = {
    "int": "int16, int32 or int64; INT in capitals is IEC's 16 bit",
    "uint": "uint16, uint32 or uint64; UINT in capitals is IEC's 16 bit",
    "word": "uint16, or WORD as IEC has it", "dword": "uint32, or DWORD as IEC has it",
    "byte": "uint8, or BYTE as IEC has it", "float": "float32 or float64",
    "real": "float32, or REAL as IEC has it", "double": "float64",
    "integer": "int16, int32 or int64", "long": "int32 or int64", "short": "int16",
}  # fmt: skip


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

    def spot_of(self, column: str) -> Spot:
        """Where a cell stands; of an empty one, where the row begins."""
        ...

    def head_of(self, column: str) -> Spot:
        """Where the name of the column stands."""
        ...


ANY_CHANGE = Deadband(0.0)
_UNTOLD = {"name": "?", "address": "?", "type": "?"}  # stand in for required cells that are lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a row gets where it says nothing itself.

    A default deadband applies to the rows that it can apply to: numbers, and for percent those
    with a range.
    """

    scan_ms: int | None = 1_000
    deadband: Deadband = ANY_CHANGE
    max_silence_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was understood of a row.

    ``tag`` is there when name, address, type and order can be read: enough for a driver to judge
    them, whatever else is wrong; ``metric`` when the whole row is right.
    """

    name: str
    id: str
    tag: Tag | None
    metric: Metric | None


def read_row(row: Row, scans: ScanTimes, defaults: Defaults, report: Report) -> Point:
    """What a row says, with its problems in the report."""
    own = {c: t for c, t in row.cells.items() if not c.startswith(("#", PROPERTY))}
    lost = set(row.lost)
    try:
        cells = Cells.model_validate(own)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        lost |= _refused(details, row, own, report)
        # What is wrong by itself is set aside, so that the rest of the row is judged as well.
        kept = {c: t for c, t in own.items() if c in COLUMNS and c not in lost}
        cells = Cells.model_validate(_UNTOLD | kept)
    return _Reading(row, cells, lost, report).point(scans, defaults)


def _refused(
    details: list[ErrorDetails], row: Row, own: Pairs[str, str], report: Report
) -> set[str]:
    """Report the cells that are wrong by themselves; the columns that are lost with them."""
    lost: set[str] = set()
    meant = set(row.lost)
    for detail in details:
        column = str(detail["loc"][0])
        lost.add(column)
        if detail["type"] == "extra_forbidden":
            word = suggestion(column, COLUMNS, own)
            meant |= {word} if word else set()
            hint = f"did you mean {word!r}? " if word else f"columns: {', '.join(COLUMNS)}. "
            remedy = f"{hint}To keep a column of your own, head it '# {column}'"
            report.add("E303", row.head_of(column), f"unknown column {column!r}", remedy)
    for detail in details:
        column = str(detail["loc"][0])
        given = detail.get("ctx", {})
        if detail["type"] == "missing":
            if column not in meant:
                name = own.get("name", "this row")
                report.add("E104", row.spot, f"{name}: no {column}", f"add {column}: …")
        elif "seen" in given:
            seen, remedy = f"{column}: {given['seen']}", str(given["remedy"])
            report.add(detail["type"], row.spot_of(column), seen, remedy)
        elif detail["type"] != "extra_forbidden":
            report.add("E119", row.spot_of(column), f"{column}: {detail['msg']}", "see the samples")
    return lost | meant


class _Reading:
    """One row whose cells are right by themselves: what do they mean together?

    What would be said of a lost column follows from its own problem, and is held back.
    """

    def __init__(self, row: Row, cells: Cells, lost: AbstractSet[str], report: Report) -> None:
        self.row = row
        self.cells = cells
        self.lost = lost
        self.report = report
        self.failed = bool(lost)

    def refuse(self, code: str, column: str, seen: str, remedy: str) -> None:
        self.failed = True
        self.report.add(code, self.row.spot_of(column), seen, remedy)

    def point(self, scans: ScanTimes, defaults: Defaults) -> Point:
        cells = self.cells
        identity = cells.id or cells.name
        fault = check_metric_name(cells.name) if "name" not in self.lost else None
        if fault is not None:
            self.refuse(fault.code, "name", fault.seen, fault.remedy)
        scan_ms = defaults.scan_ms
        if cells.scan:
            spot = self.row.spot_of("scan")
            scan_ms = scan_time(cells.scan, scans, spot, cells.name, self.report)
        properties = self._properties()
        wire = self._wire_type() if "type" not in self.lost else None
        if wire is None:
            return Point(name=cells.name, id=identity, tag=None, metric=None)
        tag = Tag(
            name=cells.name,
            address=cells.address,
            wire_type=wire.name,
            order=cells.order,
            scan_ms=scan_ms or 0,
        )
        datatype = self._datatype(wire)
        if not self.lost & {"low", "high"}:
            self._range(wire)
        deadband = self._deadband(wire, defaults.deadband)
        if self.lost & {"name", "address", "order"}:
            return Point(name=cells.name, id=identity, tag=None, metric=None)
        if self.failed or scan_ms is None or datatype is None:
            return Point(name=cells.name, id=identity, tag=tag, metric=None)
        silence = cells.max_silence
        metric = Metric(
            id=identity,
            name=cells.name,
            datatype=datatype,
            raw=wire.datatype,
            unit=Unit(text=cells.unit),
            description=cells.description,
            scale=cells.scale,
            offset=cells.offset,
            low=cells.low,
            high=cells.high,
            deadband=deadband,
            max_silence_ms=defaults.max_silence_ms if silence is None else silence,
            properties=properties,
        )
        return Point(name=cells.name, id=identity, tag=tag, metric=metric)

    def _wire_type(self) -> WireType | None:
        word = self.cells.type
        found = wire_type(word)
        if found is not None:
            return found
        if word in _WIDTHLESS:
            seen = f"type {word!r} does not say its width"
            self.refuse("E510", "type", seen, f"write {_WIDTHLESS[word]}")
            return None
        meant = nearest(word, WIRE_TYPES)
        hint = f"did you mean {meant!r}?" if meant else f"types: {', '.join(WIRE_TYPES)}"
        self.refuse("E510", "type", f"unknown type {word!r}", hint)
        return None

    def _datatype(self, wire: WireType) -> DataType | None:
        """What the metric is published as."""
        cells = self.cells
        scaled = cells.scale != 1 or cells.offset != 0 or bool(self.lost & {"scale", "offset"})
        if scaled and wire.datatype not in NUMBERS:
            if self.lost & {"scale", "offset"}:
                return None
            column = "scale" if cells.scale != 1 else "offset"
            seen = f"{cells.name}: {wire.name} cannot be scaled"
            self.refuse("E502", column, seen, "only numbers have scale and offset: remove them")
            return None
        if cells.scale == 0:
            seen = f"{cells.name}: scale 0 makes every value the same"
            self.refuse("E115", "scale", seen, "write another scale, or leave it out")
            return None
        if not cells.metric_type:
            return DataType.DOUBLE if scaled else wire.datatype
        wanted = METRIC_TYPES.get(cells.metric_type)
        if wanted is None:
            meant = nearest(cells.metric_type, METRIC_TYPES)
            hint = f"did you mean {meant!r}? " if meant else ""
            seen = f"{cells.name}: unknown metric_type {cells.metric_type!r}"
            remedy = f"{hint}one of {', '.join(METRIC_TYPES)}"
            self.refuse("E112", "metric_type", seen, remedy)
            return None
        if (wanted is DataType.DOUBLE) if scaled else _holds(wanted, wire.datatype):
            return wanted
        given = f"scaled {wire.name}" if scaled else wire.name
        fits = [n for n, t in METRIC_TYPES.items() if _holds(t, wire.datatype)]
        remedy = f"write {'Double' if scaled else ' or '.join(fits)}, or leave metric_type out"
        seen = f"{cells.name}: {cells.metric_type} cannot hold every value of {given}"
        self.refuse("E509", "metric_type", seen, remedy)
        return None

    def _range(self, wire: WireType) -> None:
        cells = self.cells
        if cells.low is None and cells.high is None:
            return
        column = "high" if cells.low is None else "low"
        if wire.datatype not in NUMBERS:
            seen = f"{cells.name}: {wire.name} has no range"
            self.refuse("E508", column, seen, "only numbers have low and high: remove them")
        elif cells.low is None or cells.high is None:
            other = "low" if column == "high" else "high"
            seen = f"{cells.name}: {column} without {other}"
            self.refuse("E506", column, seen, f"low and high go together: add {other}, or neither")
        elif cells.low >= cells.high:
            seen = f"{cells.name}: low {_short(cells.low)} is not below high {_short(cells.high)}"
            self.refuse("E507", "low", seen, "are they the wrong way round?")
        elif wire.datatype in INTEGERS:
            self._reach(wire, cells.low, cells.high)

    def _reach(self, wire: WireType, low: float, high: float) -> None:
        """Warn of a limit that the type and the scale can never reach."""
        scale, offset = self.cells.scale, self.cells.offset
        ends = [raw * scale + offset for raw in integer_range(wire.datatype)]
        first, last = min(ends), max(ends)
        for column, limit, out in (("low", low, low < first), ("high", high, high > last)):
            if out:
                end = (
                    f"begins at {float(first):g}" if column == "low" else f"ends at {float(last):g}"
                )
                scaling = f" x {_short(scale)}" if scale != 1 else ""
                scaling += f" + {_short(offset)}" if offset else ""
                seen = f"{self.cells.name}: {column} {_short(limit)} can never be reached"
                remedy = f"{wire.name}{scaling} {end}; is it another type, or another scale?"
                self.report.add("W514", self.row.spot_of(column), seen, remedy)

    def _deadband(self, wire: WireType, default: Deadband) -> float:
        cells = self.cells
        deadband = default if cells.deadband is None else cells.deadband
        ranged = cells.low is not None and cells.high is not None
        if wire.datatype not in NUMBERS:
            if cells.deadband is not None and cells.deadband.amount:
                seen = f"{cells.name}: {wire.name} has no deadband"
                self.refuse("E503", "deadband", seen, "every change is published: remove it")
            return 0.0
        if not deadband.percent:
            return deadband.amount
        if ranged:
            assert cells.low is not None
            assert cells.high is not None
            return deadband.amount / 100 * (cells.high - cells.low)
        one_is_there = cells.low is not None or cells.high is not None
        if cells.deadband is not None and not one_is_there and not self.lost & {"low", "high"}:
            seen = f"{cells.name}: a deadband in % needs a range"
            self.refuse("E504", "deadband", seen, "add low and high, or write it in the unit")
        return 0.0

    def _properties(self) -> dict[str, str]:
        properties = {}
        taken = {folded(name): name for name in OWN_PROPERTIES}
        for column, text in self.row.cells.items():
            if not column.startswith(PROPERTY):
                continue
            name = column.removeprefix(PROPERTY).strip()
            own = taken.get(folded(name))
            if not name or own:
                said = f"property {own} is published already" if own else "a property without name"
                remedy = "choose another name: property:Loop number"
                self.failed = True
                self.report.add("E511", self.row.head_of(column), f"{column!r}: {said}", remedy)
            properties[name] = text
        return properties


def _holds(wanted: DataType, given: DataType) -> bool:
    """Whether every value of one type is a value of another."""
    if wanted is given:
        return True
    if given in INTEGERS:
        first, last = integer_range(given)
        if wanted in INTEGERS:
            low, high = integer_range(wanted)
            return low <= first and last <= high
        return wanted in _EXACT_BITS and max(-first, last) <= 1 << _EXACT_BITS[wanted]
    if given in FLOATS:
        return wanted is DataType.DOUBLE
    return given in TEXTS and wanted in TEXTS


def _short(number: Fraction | float) -> str:
    """A number for people, 65.535 and 4294967295 in full."""
    return f"{float(number):.12g}"
