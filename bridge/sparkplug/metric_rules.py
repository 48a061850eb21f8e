"""The rules about metrics in births and DATA: names, aliases, types, values, properties, times.

The half of `bridge.sparkplug.rules` that looks into the metrics of one message, knowing what the
last birth said. A rule that is broken is a pair: its id and what was seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bridge.sparkplug.messages import as_text
from bridge.sparkplug.topics import QUALITY, Verb

Broken = tuple[str, str]

_INT32 = 3
_DATATYPES = range(1, 35)  # 6.4.16
_PROPERTY_TYPES = frozenset({*range(1, 15), 20, 21})  # basic types, PropertySet, PropertySetList
# A value's field by its type; a UInt32 in long_value is how Tahu and Ignition send it.
_FIELDS: dict[int, frozenset[str]] = {
    **dict.fromkeys((1, 2, 3, 5, 6), frozenset({"int_value"})),
    7: frozenset({"int_value", "long_value"}),
    **dict.fromkeys((4, 8, 13), frozenset({"long_value"})),
    9: frozenset({"float_value"}),
    10: frozenset({"double_value"}),
    11: frozenset({"boolean_value"}),
    **dict.fromkeys((12, 14, 15), frozenset({"string_value"})),
    16: frozenset({"dataset_value"}),
    **dict.fromkeys((17, 18, *range(22, 35)), frozenset({"bytes_value"})),
    19: frozenset({"template_value"}),
}
_TEXT = "own-text-is-utf8"
_METRIC_TIME = "tck-id-payloads-name-birth-data-requirement"  # in spite of its name
_NAMELESS = "tck-id-payloads-name-requirement"
_NAMING = "tck-id-payloads-alias-data-cmd-requirement"
_VALUE = "unmarked-metric-value-oneof"
_MOMENT = "tck-id-payloads-metric-timestamp-in-UTC"
_TYPED = "tck-id-payloads-metric-datatype-not-req"
_FIRST_MS = 100_000_000_000  # of 1973 in milliseconds, of the year 5138 in seconds
_BIRTH_VALUE = {
    Verb.NBIRTH: "tck-id-operational-behavior-data-publish-nbirth-values",
    Verb.DBIRTH: "tck-id-operational-behavior-data-publish-dbirth-values",
}
_IN_BIRTH = {
    Verb.NDATA: "tck-id-topics-nbirth-metric-reqs",
    Verb.DDATA: "tck-id-topics-dbirth-metric-reqs",
}
_ORDER = {
    Verb.NDATA: "tck-id-operational-behavior-data-publish-nbirth-order",
    Verb.DDATA: "tck-id-operational-behavior-data-publish-dbirth-order",
}


@dataclass(slots=True)
class Known:
    """What a birth said of a metric, and the time of its last value that was not historical."""

    name: str
    datatype: int
    alias: int | None
    fields: frozenset[str]
    last_ms: int = 0


@dataclass(slots=True)
class Birth:
    """The metrics of a node or device in its last birth."""

    by_name: dict[str, Known] = field(default_factory=dict)
    by_alias: dict[int, Known] = field(default_factory=dict)


def judge_birth(
    births: dict[str | None, Birth],
    device: str | None,
    payload: Any,
    verb: Verb,
    latest_ms: int,
) -> Iterable[Broken]:
    """The metrics of a birth, which becomes ``births[device]``; None stands for the node itself.

    No metric may be of a time after ``latest_ms``.
    """
    birth = births[device] = Birth()
    elsewhere = {
        alias for other, known in births.items() if other != device for alias in known.by_alias
    }
    folded: dict[str, str] = {}
    for metric in payload.metrics:
        yield from _birth_metric(metric, verb)
        yield from _moment(metric, latest_ms)
        name = as_text(metric.name)
        alias = metric.alias if metric.HasField("alias") else None
        if not metric.HasField("name"):
            continue
        if isinstance(metric.name, bytes):
            yield _TEXT, f"metric name {metric.name!r} is no UTF-8"
        twin = folded.setdefault(name.casefold(), name)
        if name in birth.by_name:
            yield "tck-id-case-sensitivity-metric-names", f"{name} occurs twice"
        elif twin != name:
            yield "tck-id-case-sensitivity-metric-names", f"{name} differs from {twin} only by case"
        known = Known(name, metric.datatype, alias, _FIELDS.get(metric.datatype, frozenset()))
        if not metric.is_null:
            known.last_ms = metric.timestamp
        if alias is not None:
            if alias in elsewhere or alias in birth.by_alias:
                yield "tck-id-payloads-alias-uniqueness", f"alias {alias} of {name} is taken"
            birth.by_alias[alias] = known
        birth.by_name[name] = known


def _birth_metric(metric: Any, verb: Verb) -> Iterable[Broken]:
    name = as_text(metric.name)
    if not metric.HasField("name"):
        if metric.HasField("alias"):
            yield "tck-id-payloads-alias-birth-requirement", f"alias {metric.alias} without a name"
        else:
            yield _NAMELESS, "a metric without name and alias"
    if not metric.HasField("timestamp"):
        yield _METRIC_TIME, f"{name} has no timestamp"
    has_value = metric.WhichOneof("value") is not None
    if not has_value and not metric.is_null:
        yield _BIRTH_VALUE[verb], f"{name} has neither value nor is_null"
    if not metric.HasField("datatype"):
        yield "tck-id-payloads-metric-datatype-req", f"{name} has no datatype"
    elif metric.datatype not in _DATATYPES:
        yield "tck-id-payloads-metric-datatype-value", f"{name} has datatype {metric.datatype}"
    else:
        yield from _value_field(metric, name, metric.datatype)
    yield from _properties(metric, name, born=True)


def _moment(metric: Any, latest_ms: int) -> Iterable[Broken]:
    """A metric's time: milliseconds since 1970 and not of the future."""
    if metric.timestamp > latest_ms or 0 < metric.timestamp < _FIRST_MS:
        yield _MOMENT, f"{as_text(metric.name) or metric.alias} is of {metric.timestamp} ms"


def _value_field(metric: Any, name: str, datatype: int) -> Iterable[Broken]:
    seen = metric.WhichOneof("value")
    if metric.is_null:
        if seen is not None:
            yield _VALUE, f"{name} is null and has {seen}"
    elif seen is not None and seen not in _FIELDS.get(datatype, frozenset({seen})):
        due = " or ".join(sorted(_FIELDS[datatype]))
        yield _VALUE, f"{name}, datatype {datatype}, in {seen}; {due} is due"


def _properties(metric: Any, name: str, *, born: bool) -> Iterable[Broken]:
    if not metric.HasField("properties"):
        return
    keys, values = metric.properties.keys, metric.properties.values
    if len(keys) != len(values):
        yield (
            "tck-id-payloads-propertyset-keys-array-size",
            f"{name} has {len(keys)} property keys and {len(values)} values",
        )
        return
    for key, value in zip(keys, values, strict=True):
        if key == QUALITY:
            yield from _quality(value, name)
        elif value.HasField("type") and value.type not in _PROPERTY_TYPES:
            yield (
                "tck-id-payloads-metric-propertyvalue-type-value",
                f"{name}: property {as_text(key)} has type {value.type}",
            )
        if (value.WhichOneof("value") is None) is not value.is_null:
            what = "a value and null" if value.is_null else "neither value nor null"
            yield "unmarked-property-value-oneof", f"{name}: property {as_text(key)} has {what}"
        if born and not value.HasField("type"):
            yield (
                "tck-id-payloads-metric-propertyvalue-type-req",
                f"{name}: property {as_text(key)} has no type",
            )


def _quality(value: Any, name: str) -> Iterable[Broken]:
    if value.HasField("type") and value.type != _INT32:
        yield (
            "tck-id-payloads-propertyset-quality-value-type",
            f"{name}: Quality has type {value.type}, {_INT32} (Int32) is due",
        )
    if value.WhichOneof("value") != "int_value" or value.int_value not in {0, 192, 500}:
        yield (
            "tck-id-payloads-propertyset-quality-value-value",
            f"{name}: Quality is none of 0, 192, 500 in int_value",
        )


def judge_values(birth: Birth, payload: Any, verb: Verb, latest_ms: int) -> list[Broken]:
    """The metrics of an NDATA or DDATA; a list, because this runs for each value."""
    found: list[Broken] = []
    for metric in payload.metrics:
        known = _known(birth, metric, verb, found)
        if known is None:
            continue
        seen = metric.WhichOneof("value")
        if seen is None and not metric.is_null:
            found.append((_VALUE, f"{known.name} has neither value nor is_null"))
        elif seen not in known.fields or metric.is_null:
            found += _value_field(metric, known.name, known.datatype)
        if metric.HasField("properties"):
            found += _properties(metric, known.name, born=False)
        if seen == "string_value" and isinstance(metric.string_value, bytes):
            found.append((_TEXT, f"the text of {known.name} is no UTF-8"))
        if metric.HasField("datatype"):
            found.append((_TYPED, f"{known.name} with its datatype, which the birth told"))
        time_ms = metric.timestamp
        if time_ms > latest_ms or 0 < time_ms < _FIRST_MS:
            found += _moment(metric, latest_ms)
        if not metric.HasField("timestamp"):
            found.append((_METRIC_TIME, f"{known.name} has no timestamp"))
        elif not metric.is_historical:
            if time_ms < known.last_ms:
                found.append(
                    (_ORDER[verb], f"{known.name} goes back by {known.last_ms - time_ms} ms")
                )
            known.last_ms = time_ms
    return found


def _known(birth: Birth, metric: Any, verb: Verb, found: list[Broken]) -> Known | None:
    """The metric of the birth that a metric of a DATA message names."""
    if metric.HasField("alias"):
        known: Known | None = birth.by_alias.get(metric.alias)
        who = f"alias {metric.alias}"
        if metric.HasField("name"):
            found.append((_NAMING, f"{as_text(metric.name)} with its name beside {who}"))
    elif metric.HasField("name"):
        who = as_text(metric.name)
        known = birth.by_name.get(who)
        if known is not None and known.alias is not None:
            found.append((_NAMING, f"{who} by its name, it has alias {known.alias}"))
    else:
        found.append((_NAMELESS, "a metric without name and alias"))
        return None
    if known is None:
        found.append((_IN_BIRTH[verb], f"{who} is not in the birth"))
    return known
