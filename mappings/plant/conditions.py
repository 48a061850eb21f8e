"""Conditions: a metric, a comparison, a value; and values that are written.

Which words may stand as a value follows from the metric: the states of its enum, yes and no,
numbers in its unit, any text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mappings.datatypes import INTEGERS, NUMBERS, TEXTS, DataType
from mappings.plant.blocks import one_of, unknown_keys, wrong_shape
from mappings.plant.metric_names import MetricNames, Named
from mappings.plant.nodes import Mapping, Node, Scalar, Sequence
from mappings.plant.permissions import Condition
from mappings.plant.problems import Place, Report
from mappings.plant.rule_schema import COMPARISONS
from mappings.plant.scalars import Number, YesNo

_ORDERED = ("above", "below", "at_least", "at_most")


@dataclass(frozen=True, slots=True)
class Value:
    """A value that was understood; of an enum with its code."""

    value: bool | float | str
    code: int | None = None


class ConditionReader:
    """Reads conditions; ``section`` is where they stand, as messages say it."""

    def __init__(self, names: MetricNames, report: Report) -> None:
        self.names = names
        self.report = report

    def read_all(self, node: Node | None, path: str, section: str) -> tuple[Condition, ...]:
        """The conditions of an ``only_if:`` list."""
        if node is None:
            return ()
        if not isinstance(node, Sequence):
            what = "a list [{metric: DEVICE/METRIC, is: …}]"
            self.report.add(*wrong_shape(f"{path}.only_if", node, "list", what))
            return ()
        read = (
            self.read(item, f"{path}.only_if[{number}]", section, change=False)
            for number, item in enumerate(node.items, start=1)
        )
        return tuple(condition for condition in read if condition is not None)

    def read(self, node: Node, path: str, section: str, *, change: bool) -> Condition | None:
        """One condition; ``change`` allows ``becomes``."""
        if not isinstance(node, Mapping):
            what = "a condition {metric: DEVICE/METRIC, is: …}"
            self.report.add(*wrong_shape(path, node, "model", what))
            return None
        known = [c for c in COMPARISONS if change or c != "becomes"]
        meant = unknown_keys(node, ["metric", *known], path, self.report)
        named = self.metric(node, path, meant)
        written = [key for key in known if key in node.entries]
        if len(written) != 1:
            if not meant - {"metric"}:
                found = " and ".join(written) or "no comparison"
                seen = f"{path}: {found}" + (" in one condition" if written else "")
                remedy = f"write one of {', '.join(known)}; conditions in a list must all be true"
                self.report.add("E226", node.spot, seen, remedy)
            return None
        [comparison] = written
        key, value = node.entries[comparison]
        if named is None or named.metric is None:
            return None
        if not named.metric.is_read:
            seen = f"{path}: {named.path!r} is written only"
            self.report.add("E227", key.spot, seen, "it has no value that could be compared")
            return None
        if comparison in _ORDERED and not self._has_order(named, comparison, path, key.spot):
            return None
        found_value = self.value(value, named, f"{path}.{comparison}", section)
        if found_value is None:
            return None
        return Condition(
            device=named.device,
            metric=named.name,
            comparison=comparison,
            value=found_value.value,
            code=found_value.code,
        )

    def metric(self, node: Mapping, path: str, meant: Iterable[str]) -> Named | None:
        """The metric that a mapping names."""
        metric = node.get("metric")
        if metric is None:
            if "metric" not in meant:
                remedy = "add metric: DEVICE/METRIC"
                self.report.add("E104", node.spot, f"{path}: key 'metric' is missing", remedy)
            return None
        if not isinstance(metric, Scalar) or metric.empty:
            what = "a metric's name DEVICE/METRIC"
            self.report.add(*wrong_shape(f"{path}.metric", metric, "str", what))
            return None
        return self.names.find(metric.text, metric.spot, path, self.report)

    def value(self, node: Node, named: Named, path: str, section: str) -> Value | None:
        """A value of a metric, as it is compared or written."""
        if not isinstance(node, Scalar) or node.empty:
            self.report.add(*wrong_shape(path, node, "str", "a value"))
            return None
        metric = named.metric
        assert metric is not None
        if metric.enum:
            return self._state(node, named, section)
        if metric.datatype is DataType.BOOLEAN:
            return self._scalar(node, YesNo, path)
        if metric.datatype in NUMBERS:
            return self._number(node, named, path)
        if metric.datatype in TEXTS:
            return Value(node.text)
        seen = f"{path}: {named.path!r} has no single value to compare"
        remedy = "conditions and rules are about numbers, yes and no, states and texts"
        self.report.add("E227", node.spot, seen, remedy)
        return None

    def _state(self, node: Scalar, named: Named, section: str) -> Value | None:
        assert named.metric is not None
        states = {text: code for code, text in named.metric.enum}
        if node.text in states:
            return Value(node.text, states[node.text])
        leaf = named.name.rpartition("/")[2]
        enum = self.names.enum_of(named)
        by_code = {str(code): text for text, code in states.items()}
        meant = by_code.get(node.text)
        hint = one_of(node.text, states).partition("?")[0] + "?"
        hint = f"; did you mean {meant!r}?" if meant else f"; {hint}" if "mean" in hint else ""
        has = f"enum {enum} has" if enum else "it has"
        seen = f"{section}: {node.text!r} is no state of {leaf!r}"
        self.report.add("E208", node.spot, seen, f"{has} {', '.join(states)}{hint}")
        return None

    def _number(self, node: Scalar, named: Named, path: str) -> Value | None:
        found = self._scalar(node, Number, path)
        assert named.metric is not None
        metric = named.metric
        exact = metric.datatype in INTEGERS and found is not None
        if exact and found is not None and isinstance(found.value, float):
            if found.value.is_integer():
                return Value(int(found.value))
            if path.rpartition(".")[2] in {"is", "becomes", "set"}:
                seen = f"{path}: {node.text} will never be a value of {named.path!r}"
                self.report.add("E115", node.spot, seen, "it has whole numbers only")
                return None
        return found

    def _scalar(self, node: Scalar, kind: Any, path: str) -> Value | None:
        try:
            return Value(TypeAdapter(kind).validate_python(node.text))
        except ValidationError as error:
            [detail] = error.errors(include_url=False, include_input=False)
            given = detail["ctx"]
            seen = f"{path}: {given['seen']}"
            self.report.add(detail["type"], node.spot, seen, str(given["remedy"]))
            return None

    def _has_order(self, named: Named, comparison: str, path: str, place: Place) -> bool:
        metric = named.metric
        assert metric is not None
        if metric.datatype in NUMBERS and not metric.enum:
            return True
        kind = "states" if metric.enum else "no numbers"
        seen = f"{path}: {named.path!r} has {kind}, nothing is {comparison.replace('_', ' ')} them"
        self.report.add("E227", place, seen, "write is or is_not")
        return False
