"""Columns: what a row may say, and how each cell is read.

The columns are those of inline rows and of tables alike; more come as features do. A cell that is
empty is not there, and its column has its default.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from mappings.datatypes import DataType
from mappings.plant.scalars import Duration, Exact, Number, Text, refusal
from mappings.plant.schema import Block

PROPERTY = "property:"

METRIC_TYPES: dict[str, DataType] = {
    "Int8": DataType.INT8, "Int16": DataType.INT16, "Int32": DataType.INT32,
    "Int64": DataType.INT64, "UInt8": DataType.UINT8, "UInt16": DataType.UINT16,
    "UInt32": DataType.UINT32, "UInt64": DataType.UINT64, "Float": DataType.FLOAT,
    "Double": DataType.DOUBLE, "Boolean": DataType.BOOLEAN, "String": DataType.STRING,
    "DateTime": DataType.DATETIME, "Text": DataType.TEXT,
}  # fmt: skip
"""Words of the ``metric_type`` column: Sparkplug's names of its data types."""


@dataclass(frozen=True, slots=True)
class Deadband:
    """The deadband cell: in the metric's unit, or in percent of low..high."""

    amount: float
    percent: bool = False


def _deadband(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text == "none":
        return Deadband(0.0)
    percent = text.endswith("%")
    try:
        amount = float(text.removesuffix("%"))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf") or "_" in text:
        remedy = "write 0.5 (in the unit of the row), 1 % (of low..high), or none"
        raise refusal("E113", f"{value!r} is no deadband", remedy)
    if percent and amount >= 100:
        raise refusal("E115", f"{value!r} would hide every change", "write less than 100 %")
    return Deadband(amount, percent)


def _silence(value: object) -> object:
    if value == "none":
        return 0
    if isinstance(value, str) and value.strip().rstrip("smindh") in {"0", "0.0"}:
        remedy = "write a time such as 10min, or none"
        raise refusal("E115", f"{value!r}: a silence of 0 would publish without end", remedy)
    return value


DeadbandCell = Annotated[Deadband, BeforeValidator(_deadband)]
SilenceCell = Annotated[Duration, BeforeValidator(_silence)]


class Cells(Block):
    """The columns of a row that this release reads, besides ``property:X`` and ``# X``."""

    name: Text
    id: Text = ""
    address: Text
    type: Text
    metric_type: Text = ""
    order: Text = ""
    scan: Text = ""
    scale: Exact = Fraction(1)
    offset: Exact = Fraction(0)
    unit: Text = ""
    low: Number | None = None
    high: Number | None = None
    deadband: DeadbandCell | None = None
    max_silence: SilenceCell | None = None
    description: Text = ""


COLUMNS = tuple(Cells.model_fields)


class DefaultCells(Block):
    """The columns that may have a default for a whole plant or device."""

    scan: Text | None = None
    deadband: DeadbandCell | None = None
    max_silence: SilenceCell | None = None
