"""Births, deaths and commands: the rare payloads, by way of the protobuf runtime.

Data payloads, the frequent ones, have a path of their own (`bridge.sparkplug.encoder`). What goes
into which field of the wire (Sparkplug 3.0, section 6.4.16):

- Int8, Int16, Int32: ``int_value``, an unsigned field; negative values are sign-extended to 32
  bits, as Ignition and Tahu write them. Read with any width: masked first, then signed.
- UInt8, UInt16, UInt32: ``int_value``; a UInt32 is accepted in ``long_value`` too, where Tahu
  puts it.
- Int64 in two's complement, UInt64, DateTime in milliseconds: ``long_value``.
- Bytes and arrays: ``bytes_value``.
- No value: ``is_null`` and the data type, no value field.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bridge.sparkplug.arrays import array_bytes
from bridge.sparkplug.messages import Metric, Payload, read_payload
from bridge.sparkplug.topics import BD_SEQ
from mappings.batch import Value
from mappings.datatypes import ARRAYS, DataType

VALUE_FIELDS: Mapping[DataType, str] = MappingProxyType(
    {
        DataType.INT8: "int_value",
        DataType.INT16: "int_value",
        DataType.INT32: "int_value",
        DataType.INT64: "long_value",
        DataType.UINT8: "int_value",
        DataType.UINT16: "int_value",
        DataType.UINT32: "int_value",
        DataType.UINT64: "long_value",
        DataType.FLOAT: "float_value",
        DataType.DOUBLE: "double_value",
        DataType.BOOLEAN: "boolean_value",
        DataType.STRING: "string_value",
        DataType.DATETIME: "long_value",
        DataType.TEXT: "string_value",
        DataType.UUID: "string_value",
        DataType.BYTES: "bytes_value",
        **dict.fromkeys(ARRAYS, "bytes_value"),
    }
)
_TEMPLATE = 19  # the data type of a metric whose value is a Template
_NOT_UTF8 = "not a Sparkplug payload: text that is not UTF-8"
_MASKS = {"int_value": 0xFFFF_FFFF, "long_value": 0xFFFF_FFFF_FFFF_FFFF}


class PayloadError(ValueError):
    """A payload that came from outside cannot be understood; the text says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthMetric:
    """A metric as a birth tells it; ``value`` None is told as null.

    ``properties`` are the metric's properties by name, each with its type.
    """

    name: str
    datatype: DataType
    value: Value
    timestamp_ms: int
    alias: int | None = None
    properties: Mapping[str, tuple[DataType, Value]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthTemplate:
    """A Template as a birth tells it: an instance of ``definition``, or (None) one itself.

    ``parameters`` have a name, a type and a value.
    """

    name: str
    timestamp_ms: int
    members: tuple[BirthMetric, ...]
    parameters: tuple[tuple[str, DataType, Value], ...] = ()
    definition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandMetric:
    """One metric of an NCMD or DCMD, named by name or by alias (both None: by neither).

    ``value`` is as it stands in ``field`` ("boolean_value", ...): integers unsigned, because a
    command need not say its type. Both are None when the command carries null, and ``value`` alone
    for a kind that no scalar metric has ("dataset_value", "template_value").
    """

    name: str | None
    alias: int | None
    field: str | None
    value: bool | int | float | str | bytes | None
    datatype: int | None = None
    timestamp_ms: int | None = None
    is_historical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """An NCMD or DCMD. ``correlation`` is its uuid, what its sender calls it, or empty."""

    metrics: tuple[CommandMetric, ...]
    timestamp_ms: int | None = None
    correlation: str = ""


def wire_value(datatype: DataType, value: Value) -> Any:
    """A value as it goes into its field: integers masked to the field, texts made valid UTF-8.

    A lone surrogate, which no UTF-8 can carry, becomes "?"; an array becomes its bytes. A value
    that does not fit its type is the mapper's matter; a number is cut to its field here.
    """
    if isinstance(value, tuple):
        return array_bytes(datatype, value)
    mask = _MASKS.get(VALUE_FIELDS[datatype])
    if mask is not None:
        assert isinstance(value, int)
        return value & mask
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return bool(value) if datatype is DataType.BOOLEAN else value


def encode_birth(
    metrics: Iterable[BirthMetric | BirthTemplate], *, timestamp_ms: int, seq: int
) -> bytes:
    """The payload of an NBIRTH or DBIRTH (tck-id-topics-nbirth-metrics, -dbirth-metrics)."""
    payload = Payload(timestamp=timestamp_ms, seq=seq)
    for metric in metrics:
        if isinstance(metric, BirthTemplate):
            _add_template(payload.metrics, metric)
        else:
            _add_metric(payload.metrics, metric)
    return bytes(payload.SerializeToString())


def _add_metric(to: Any, metric: BirthMetric) -> None:
    message = to.add(
        name=_text(metric.name), timestamp=metric.timestamp_ms, datatype=int(metric.datatype)
    )
    if metric.alias is not None:
        message.alias = metric.alias
    _set_value(message, metric.datatype, metric.value)
    for key, (datatype, value) in metric.properties.items():
        message.properties.keys.append(_text(key))
        _set_value(message.properties.values.add(type=int(datatype)), datatype, value)


def _add_template(to: Any, template: BirthTemplate) -> None:
    """tck-id-payloads-template-definition-nbirth, -instance-ref, -is-definition."""
    message = to.add(
        name=_text(template.name), timestamp=template.timestamp_ms, datatype=_TEMPLATE
    ).template_value
    message.is_definition = template.definition is None
    if template.definition is not None:
        message.template_ref = _text(template.definition)
    for member in template.members:
        _add_metric(message.metrics, member)
    for name, datatype, value in template.parameters:
        parameter = message.parameters.add(name=_text(name), type=int(datatype))
        setattr(parameter, VALUE_FIELDS[datatype], wire_value(datatype, value))


def encode_node_death(bd_seq: int) -> bytes:
    """The payload of an NDEATH: bdSeq and nothing else (tck-id-topics-ndeath-payload, -seq).

    Without a timestamp: the same bytes are the Will, which is written at CONNECT and sent hours
    later, and a time that is wrong by hours is worse than none.
    """
    metric = Metric(name=BD_SEQ, datatype=int(DataType.INT64), long_value=bd_seq)
    return bytes(Payload(metrics=[metric]).SerializeToString())


def encode_device_death(*, timestamp_ms: int, seq: int) -> bytes:
    """The payload of a DDEATH (tck-id-payloads-ddeath-timestamp, -ddeath-seq)."""
    return bytes(Payload(timestamp=timestamp_ms, seq=seq).SerializeToString())


def decode_command(payload: bytes) -> CommandRequest:
    """What an NCMD or DCMD says. Whatever the bytes are, nothing but `PayloadError` is raised.

    Neither seq nor any timestamp is required: hosts in the field leave them out.
    """
    message = read_payload(payload)
    if message is None:
        raise PayloadError(f"not a Sparkplug payload: {len(payload)} bytes that are no protobuf")
    if isinstance(message.uuid, bytes):  # the runtime gives text that is no UTF-8 as bytes
        raise PayloadError(_NOT_UTF8)
    return CommandRequest(
        metrics=tuple(_command_metrics(message.metrics)),
        timestamp_ms=message.timestamp if message.HasField("timestamp") else None,
        correlation=message.uuid,
    )


def _command_metrics(metrics: Iterable[Any]) -> Iterator[CommandMetric]:
    """The metrics of a command; an instance of a Template is its members, by their whole names."""
    for metric in metrics:
        members = metric.template_value.metrics if metric.HasField("template_value") else ()
        if not members or not metric.HasField("name"):
            yield _command_metric(metric)
            continue
        whole = _command_metric(metric)
        for found in map(_command_metric, members):
            sent_ms = whole.timestamp_ms if found.timestamp_ms is None else found.timestamp_ms
            yield replace(
                found,
                name=f"{whole.name}/{found.name or ''}",
                alias=None,
                is_historical=found.is_historical or whole.is_historical,
                timestamp_ms=sent_ms,
            )


def _command_metric(metric: Any) -> CommandMetric:
    field_name: str | None = None if metric.is_null else metric.WhichOneof("value")
    value = None
    if field_name is not None and field_name not in {"dataset_value", "template_value"}:
        value = getattr(metric, field_name)
    name = metric.name if metric.HasField("name") else None
    if isinstance(name, bytes) or (field_name == "string_value" and isinstance(value, bytes)):
        raise PayloadError(_NOT_UTF8)
    return CommandMetric(
        name=name,
        alias=metric.alias if metric.HasField("alias") else None,
        field=field_name,
        value=value,
        datatype=metric.datatype if metric.HasField("datatype") else None,
        timestamp_ms=metric.timestamp if metric.HasField("timestamp") else None,
        is_historical=metric.is_historical,
    )


def _set_value(message: Any, datatype: DataType, value: Value) -> None:
    if value is None:
        message.is_null = True
    else:
        setattr(message, VALUE_FIELDS[datatype], wire_value(datatype, value))


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
