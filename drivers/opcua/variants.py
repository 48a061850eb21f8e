"""Variants: which OPC UA types a row takes, and how each becomes a value. Pure.

The type on the wire must be exactly the one that the row says: there is no widening, and no array
for a single value. A server that answers otherwise was changed since the row was written. What
differs in name only is taken: an enumeration is an Int32, a Guid or a LocalizedText is text for a
``string``, a ByteString is an array of bytes for a range of ``uint8``.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from asyncua import ua

from mappings.batch import Value
from mappings.datatypes import wire_type
from mappings.quality import Reason
from mappings.tags import Tag

VARIANT_TYPES: dict[str, Any] = {
    "bool": ua.VariantType.Boolean,
    "int8": ua.VariantType.SByte,
    "uint8": ua.VariantType.Byte,
    "int16": ua.VariantType.Int16,
    "uint16": ua.VariantType.UInt16,
    "int32": ua.VariantType.Int32,
    "uint32": ua.VariantType.UInt32,
    "int64": ua.VariantType.Int64,
    "uint64": ua.VariantType.UInt64,
    "float32": ua.VariantType.Float,
    "float64": ua.VariantType.Double,
    "string": ua.VariantType.String,
    "datetime": ua.VariantType.DateTime,
    "bytes": ua.VariantType.ByteString,
}
"""The OPC UA type of each kind of wire type (`mappings.datatypes.WireType.kind`)."""

BAD_TYPE_MISMATCH = int(ua.StatusCodes.BadTypeMismatch)
BAD_NO_DATA = int(ua.StatusCodes.BadNoData)
BAD_NOTHING_THERE = int(ua.StatusCodes.BadIndexRangeNoData)
BAD_OUT_OF_RANGE = int(ua.StatusCodes.BadOutOfRange)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Convert = Callable[[Any], Value]


class Typed(NamedTuple):
    """A value with its OPC UA type: a variant, or a part of one."""

    kind: Any
    is_array: bool
    value: Any


class Refusal(NamedTuple):
    """Why there is no value: the StatusCode, a `mappings.quality.Reason`, and what was seen."""

    status: int
    reason: int
    seen: str = ""


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down. OPC UA's times are UTC, with or without a zone."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def typed(variant: Any) -> Typed:
    """A Variant of asyncua; None and the null variant are of type Null."""
    if variant is None:
        return Typed(ua.VariantType.Null, False, None)
    return Typed(variant.VariantType, bool(variant.is_array), variant.Value)


class Wanted:
    """What one row takes.

    ``kind`` is the type that most servers send for it and ``convert`` makes it a value (None: it
    is one), so that who is in a hurry needs not call `take`.
    """

    __slots__ = ("_array", "_converts", "_most", "convert", "kind")

    def __init__(self, tag: Tag) -> None:
        wire = wire_type(tag.wire_type)
        assert wire is not None, tag.wire_type  # the plant reader refused any other
        self.kind = VARIANT_TYPES[wire.kind]
        self.convert: Convert | None = _CONVERTS.get(wire.kind, {}).get(self.kind)
        self._converts: dict[Any, Convert | None] = {
            self.kind: None, **_CONVERTS.get(wire.kind, {}),
        }  # fmt: skip
        self._array = tag.array
        self._most = wire.length if wire.kind == "bytes" else None
        if tag.array or self._most is not None:
            self.kind = None  # never the quick way

    def take(self, found: Typed) -> Value | Refusal:
        """The value, or why it may not be believed."""
        kind, is_array, value = found
        if kind is ua.VariantType.Null:
            return Refusal(BAD_NO_DATA, Reason.NO_VALUE)
        if self._array and kind is ua.VariantType.ByteString and not is_array and value is not None:
            kind, is_array, value = ua.VariantType.Byte, True, list(value)
        if self._most is not None and kind is ua.VariantType.Byte and is_array:
            kind, is_array, value = ua.VariantType.ByteString, False, bytes(value or ())
        if kind not in self._converts or is_array is not self._array:
            return Refusal(BAD_TYPE_MISMATCH, Reason.WRONG_TYPE, name_of(found))
        convert = self._converts[kind]
        if is_array:
            return self._many(value, convert, found)
        value = convert(value) if convert else value
        if value is None:
            return Refusal(BAD_NO_DATA, Reason.NO_VALUE)
        if self._most is not None and len(found.value) > self._most:
            return Refusal(BAD_OUT_OF_RANGE, Reason.DOES_NOT_FIT, f"{len(found.value)} bytes")
        taken: Value = value
        return taken

    def _many(self, values: Any, convert: Convert | None, found: Typed) -> Value | Refusal:
        if values is None:  # a null array is an empty one (OPC 10000-6, 5.2.5)
            return ()
        if any(isinstance(value, list) for value in values):
            return Refusal(BAD_TYPE_MISMATCH, Reason.WRONG_TYPE, f"matrix: {name_of(found)}")
        taken = tuple(map(convert, values)) if convert else tuple(values)
        if None in taken:
            return Refusal(BAD_NO_DATA, Reason.NO_VALUE)
        return taken  # type: ignore[return-value]  # None is not among them


def name_of(found: Typed) -> str:
    """What people call a type: ``Int16``, ``array of Float``."""
    name = getattr(found.kind, "name", str(found.kind))
    name = "structure" if name == "ExtensionObject" else name
    return f"array of {name}" if found.is_array else name


def _text(value: Any) -> Value:
    """A null string is an empty one: many servers do not distinguish them."""
    return "" if value is None else str(value)


def _localized(value: Any) -> Value:
    return "" if value is None else _text(value.Text)


def _moment(value: Any) -> Value:
    """Sparkplug's DateTime is unsigned milliseconds since 1970: what is before is no value."""
    if value is None:
        return None
    moment_ms = milliseconds(value)
    return moment_ms if moment_ms >= 0 else None


_CONVERTS: dict[str, dict[Any, Convert]] = {
    "string": {
        ua.VariantType.String: _text,
        ua.VariantType.LocalizedText: _localized,
        ua.VariantType.Guid: _text,
        ua.VariantType.XmlElement: _text,
    },
    "datetime": {ua.VariantType.DateTime: _moment},
}
