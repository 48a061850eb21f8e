"""Columns: what a row may say, and how each cell is read by itself.

The columns are those of inline rows, of tables and of ``defaults:`` alike. A cell that is empty is
not there, and one that says ``none`` neither: so a default is undone. Cells are read once for each
text, because a column of ten thousand rows has a few texts only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mappings.datatypes import IEC_NAMES, WIRE_TYPES, DataType, WireType, wire_type
from mappings.errors import Fault, nearest
from mappings.plant.blocks import one_of
from mappings.plant.invalids import RawConditions, read_conditions
from mappings.plant.scalars import Duration, Exact, Number, YesNo

PROPERTY = "property:"
NONE = "none"

METRIC_TYPES: dict[str, DataType] = {
    "Int8": DataType.INT8, "Int16": DataType.INT16, "Int32": DataType.INT32,
    "Int64": DataType.INT64, "UInt8": DataType.UINT8, "UInt16": DataType.UINT16,
    "UInt32": DataType.UINT32, "UInt64": DataType.UINT64, "Float": DataType.FLOAT,
    "Double": DataType.DOUBLE, "Boolean": DataType.BOOLEAN, "String": DataType.STRING,
    "DateTime": DataType.DATETIME, "Text": DataType.TEXT, "UUID": DataType.UUID,
    "Bytes": DataType.BYTES,
    "Int8Array": DataType.INT8_ARRAY, "Int16Array": DataType.INT16_ARRAY,
    "Int32Array": DataType.INT32_ARRAY, "Int64Array": DataType.INT64_ARRAY,
    "UInt8Array": DataType.UINT8_ARRAY, "UInt16Array": DataType.UINT16_ARRAY,
    "UInt32Array": DataType.UINT32_ARRAY, "UInt64Array": DataType.UINT64_ARRAY,
    "FloatArray": DataType.FLOAT_ARRAY, "DoubleArray": DataType.DOUBLE_ARRAY,
    "BooleanArray": DataType.BOOLEAN_ARRAY, "StringArray": DataType.STRING_ARRAY,
    "DateTimeArray": DataType.DATETIME_ARRAY,
}  # fmt: skip
"""Words of the ``metric_type`` column: Sparkplug's names of its data types."""

TYPE_NAMES: dict[DataType, str] = {datatype: name for name, datatype in METRIC_TYPES.items()}

_WIDTHLESS = {
    "int": "int16, int32 or int64; INT in capitals is IEC's 16 bit",
    "uint": "uint16, uint32 or uint64; UINT in capitals is IEC's 16 bit",
    "word": "uint16, or WORD as IEC has it", "dword": "uint32, or DWORD as IEC has it",
    "byte": "uint8, or BYTE as IEC has it", "float": "float32 or float64",
    "real": "float32, or REAL as IEC has it", "double": "float64",
    "integer": "int16, int32 or int64", "long": "int32 or int64", "short": "int16",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deadband:
    """The deadband cell: in the metric's unit, or in percent of low..high."""

    amount: Fraction
    percent: bool = False


@dataclass(frozen=True, slots=True)
class PowerOfTen:
    """A scale that another row says: ten to its value."""

    row: str


@dataclass(slots=True, kw_only=True)
class Cells:
    """What the cells of a row say, each by itself; ``importance`` is the column ``class``."""

    name: str = ""
    id: str = ""
    address: str = ""
    type: WireType | None = None
    metric_type: DataType | None = None
    element: str = ""
    order: str = ""
    scan: str = ""
    scale: Fraction | PowerOfTen | None = None
    offset: Fraction | None = None
    raw_low: Fraction | None = None
    raw_high: Fraction | None = None
    low: Fraction | None = None
    high: Fraction | None = None
    clamp: str = NONE
    invert: bool = False
    enum: str = ""
    invalid: RawConditions | None = None
    source_unit: str = ""
    unit: str = ""
    deadband: Deadband | None = None
    max_silence: int = 0
    min_interval: int = 0
    stale_after: int | None = None
    importance: str = "routine"
    access: str = "r"
    write_low: Fraction | None = None
    write_high: Fraction | None = None
    readback: str = ""
    description: str = ""


COLUMNS: tuple[str, ...] = tuple(
    {"importance": "class"}.get(name, name) for name in Cells.__dataclass_fields__
)

LITERAL = frozenset({"name", "id", "address", "element", "description"})
"""Columns in which ``none`` is a text like others, unless it undoes a default."""
SAYS_NONE = frozenset({"clamp", "readback", "stale_after"})
"""Columns in which ``none`` is a word of its own."""


def _fault(code: str, seen: str, remedy: str) -> Fault:
    return Fault(code=code, field="", seen=seen, remedy=remedy)


def _by(kind: Any) -> Callable[[str], object]:
    """How a text is read that a scalar's type knows how to read."""
    adapter = TypeAdapter(kind)

    def read(text: str) -> object:
        try:
            return adapter.validate_python(text)
        except ValidationError as error:
            [detail] = error.errors(include_url=False, include_input=False)
            given = detail["ctx"]
            return _fault(detail["type"], given["seen"], given["remedy"])

    return read


def _word(*words: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        if text in words:
            return text
        return _fault("E112", f"unknown word {text!r}", one_of(text, words))

    return read


_number = _by(Number)
_exact = _by(Exact)
_duration = _by(Duration)


def _limit(text: str) -> object:
    """A decimal, kept exactly."""
    found = _number(text)
    return found if isinstance(found, Fault) else Fraction(text.strip())


def _scale(text: str) -> object:
    power = re.fullmatch(r"10\s*(?:\^|\*\*)\s*(\S.*)", text.strip())
    if power is not None and not re.fullmatch(r"[+-]?[0-9.]+", power[1]):
        return PowerOfTen(power[1])
    return _exact(text)


def _type(text: str) -> object:
    found = wire_type(text)
    if found is not None:
        return found
    if text in _WIDTHLESS:
        return _fault("E510", f"type {text!r} does not say its width", f"write {_WIDTHLESS[text]}")
    names = IEC_NAMES if text.isupper() else [*WIRE_TYPES, "string(20)", "bytes(8)"]
    meant = nearest(text, names)
    hint = f"did you mean {meant!r}?" if meant else f"types: {', '.join(WIRE_TYPES)}"
    return _fault("E510", f"unknown type {text!r}", hint)


def _metric_type(text: str) -> object:
    found = METRIC_TYPES.get(text)
    if found is not None:
        return found
    meant = nearest(text, METRIC_TYPES)
    hint = f"did you mean {meant!r}? " if meant else ""
    words = [name for name in METRIC_TYPES if not name.endswith("Array")]
    remedy = f"{hint}one of {', '.join(words)}, or FloatArray and so on"
    return _fault("E112", f"unknown word {text!r}", remedy)


def _deadband(text: str) -> object:
    shown = text.strip()
    percent = shown.endswith("%")
    amount = _number(shown.removesuffix("%").strip())
    if isinstance(amount, Fault) or not isinstance(amount, float) or amount < 0:
        remedy = "write 0.5 (in the unit of the row), 1 % (of low..high), or none"
        return _fault("E113", f"{text!r} is no deadband", remedy)
    if percent and amount >= 100:
        return _fault("E115", f"{text!r} would hide every change", "write less than 100 %")
    return Deadband(Fraction(shown.removesuffix("%").strip()), percent)


def _silence(text: str) -> object:
    found = _duration(text)
    if found == 0:
        remedy = "write a time such as 10min, or none"
        return _fault("E115", f"{text!r}: a silence of 0 would publish without end", remedy)
    return found


def _staleness(text: str) -> object:
    if text == NONE:
        return 0
    found = _duration(text)
    if found == 0:
        remedy = "write a time such as 30s, or none"
        return _fault("E115", f"{text!r}: after a time of 0 everything is stale", remedy)
    return found


def _text(text: str) -> object:
    return text


_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "type": ("type", _type),
    "metric_type": ("metric_type", _metric_type),
    "scale": ("scale", _scale),
    "offset": ("offset", _exact),
    "clamp": ("clamp", _word(NONE, "low", "high", "both")),
    "invert": ("invert", _by(YesNo)),
    "invalid": ("invalid", read_conditions),
    "deadband": ("deadband", _deadband),
    "max_silence": ("max_silence", _silence),
    "min_interval": ("min_interval", _duration),
    "stale_after": ("stale_after", _staleness),
    "class": ("importance", _word("routine", "important", "critical")),
    "access": ("access", _word("r", "rw", "w")),
} | {
    column: (column, _limit)
    for column in ("raw_low", "raw_high", "low", "high", "write_low", "write_high")
} | {
    column: (column, _text)
    for column in (
        "name", "id", "address", "element", "order", "scan", "enum", "source_unit", "unit",
        "readback", "description",
    )
}  # fmt: skip


@lru_cache(maxsize=20_000)
def read_cell(column: str, text: str) -> object:
    """What the cell of a column says, or the `Fault` in it; without the column's name."""
    return _READERS[column][1](text)


def field_of(column: str) -> str:
    """The field of `Cells` for a column."""
    return _READERS[column][0]
