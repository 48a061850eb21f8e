"""The rules about DataSets and Templates: their shapes, and that instances are as defined.

A definition is the value of a metric of an NBIRTH, whose name instances refer to. Members of an
instance of which the definition was never seen are not judged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bridge.sparkplug.messages import as_text
from bridge.sparkplug.topics import Verb

Broken = tuple[str, str]

_BASIC = range(1, 16)  # 6.4.16: Int8 to UUID; a DataSet's columns and a Template's parameters
_TEMPLATE = "tck-id-payloads-template"
_BIRTHS = frozenset({Verb.NBIRTH, Verb.DBIRTH})


@dataclass(frozen=True, slots=True)
class Definition:
    """The names of a Template's members and parameters."""

    members: frozenset[str]
    parameters: frozenset[str]


def judge_dataset(dataset: Any, name: str) -> Iterable[Broken]:
    """A DataSet's columns and their types."""
    columns, types = len(dataset.columns), len(dataset.types)
    if columns and not types:
        yield "tck-id-payloads-dataset-parameter-type-req", f"{name} has columns without types"
    elif columns != types:
        yield (
            "tck-id-payloads-dataset-column-num-headers",
            f"{name} has {columns} columns and {types} types",
        )
    elif dataset.HasField("num_of_columns") and dataset.num_of_columns != columns:
        yield (
            "own-dataset-num-of-columns",
            f"{name} says {dataset.num_of_columns} columns and has {columns}",
        )
    for kind in dataset.types:
        if kind not in _BASIC:
            yield "tck-id-payloads-dataset-types-value", f"{name} has a column of type {kind}"


def definitions_of(payload: Any) -> dict[str, Definition]:
    """The Templates that an NBIRTH defines, by the names of their metrics."""
    return {
        as_text(metric.name): Definition(
            frozenset(as_text(member.name) for member in metric.template_value.metrics),
            frozenset(as_text(one.name) for one in metric.template_value.parameters),
        )
        for metric in payload.metrics
        if metric.WhichOneof("value") == "template_value"
        and not metric.template_value.HasField("template_ref")
    }


def judge_template(
    template: Any, name: str, verb: Verb, definitions: dict[str, Definition], referred: set[str]
) -> Iterable[Broken]:
    """One Template; ``referred`` are the definitions that instances of this node name."""
    if not template.HasField("is_definition"):
        yield f"{_TEMPLATE}-is-definition", f"{name} does not say is_definition"
        return
    if isinstance(template.version, bytes):
        yield f"{_TEMPLATE}-version", f"the version of {name} is no UTF-8"
    has_ref = template.HasField("template_ref")
    if template.is_definition and verb is Verb.NBIRTH:
        if has_ref:
            yield f"{_TEMPLATE}-definition-ref", f"definition {name} has a template_ref"
        yield from _parameters(template, name, verb)
    elif template.is_definition and has_ref:
        yield f"{_TEMPLATE}-instance-is-definition", f"instance {name} says is_definition"
    elif template.is_definition:
        yield f"{_TEMPLATE}-definition-nbirth-only", f"definition {name} in a {verb.value}"
    elif not has_ref and name in referred and verb is Verb.NBIRTH:
        yield f"{_TEMPLATE}-definition-is-definition", f"definition {name} does not say it is one"
    elif not has_ref:
        yield f"{_TEMPLATE}-instance-ref", f"instance {name} names no definition"
    else:
        yield from _parameters(template, name, verb)
        yield from _instance(template, name, verb, definitions)


def _parameters(template: Any, name: str, verb: Verb) -> Iterable[Broken]:
    for parameter in template.parameters:
        called = as_text(parameter.name)
        if not parameter.HasField("name"):
            yield f"{_TEMPLATE}-parameter-name-required", f"{name} has a parameter without a name"
        elif isinstance(parameter.name, bytes):
            yield f"{_TEMPLATE}-parameter-name-type", f"a parameter's name in {name} is no UTF-8"
        if not parameter.HasField("type"):
            if verb in _BIRTHS:
                yield f"{_TEMPLATE}-parameter-type-req", f"{name}: {called} has no type"
        elif parameter.type not in _BASIC:
            yield (
                f"{_TEMPLATE}-parameter-type-value",
                f"{name}: {called} has type {parameter.type}",
            )


def _instance(
    template: Any, name: str, verb: Verb, definitions: dict[str, Definition]
) -> Iterable[Broken]:
    ref = as_text(template.template_ref)
    definition = definitions.get(ref)
    if definition is None:
        yield f"{_TEMPLATE}-definition-nbirth", f"{name}: {ref!r} is defined in no NBIRTH"
        return
    members = {as_text(member.name) for member in template.metrics}
    if more := members - definition.members:
        yield f"{_TEMPLATE}-instance-members", f"{name}: {min(more)} is not in {ref}"
    if verb in _BIRTHS and (less := definition.members - members):
        yield f"{_TEMPLATE}-instance-members-birth", f"{name}: {min(less)} of {ref} is missing"
    known = {as_text(parameter.name) for parameter in template.parameters}
    if more := known - definition.parameters:
        yield f"{_TEMPLATE}-definition-parameters", f"{name}: {ref} has no parameter {min(more)}"
