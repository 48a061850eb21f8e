"""Rules: when something is so, something is written, through the same gate as everybody.

A rule may write only what ``commands.allow`` allows it; they are no safety function.
"""

from mappings.datatypes import NUMBERS, TEXTS, DataType
from mappings.plant.blocks import entries, keys_of, read_block, unknown_keys, wrong_shape
from mappings.plant.conditions import ConditionReader
from mappings.plant.metric_names import MetricNames, Named
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.permissions import Action, Commands, Rule
from mappings.plant.problems import Place, Report
from mappings.plant.rule_schema import ActionBlock, RuleBlock
from mappings.tags import Metric

_KEYS = ("when", "only_if", "then", *keys_of(RuleBlock))
_ACTIONS = ("set", "pulse", "copy")


class RulesReader:
    """Reads the ``rules:`` section."""

    def __init__(self, names: MetricNames, report: Report) -> None:
        self.names = names
        self.conditions = ConditionReader(names, report)
        self.report = report
        self._targets: list[tuple[str, Named, Place]] = []

    def read(self, node: Node | None) -> tuple[Rule, ...]:
        """The rules that are right."""
        what = "{ NAME: { when: …, then: … } }"
        section = entries(node, "rules", what, self.report).items()
        found = (self._rule(name, key, value) for name, (key, value) in section)
        return tuple(rule for rule in found if rule is not None)

    def check_allowed(self, commands: Commands, *, complete: bool) -> None:
        """Whether each rule may write what it writes; unless some permission is wrong."""
        if not complete:
            return
        for rule, target, place in self._targets:
            patterns = [w for p in commands.allow if p.rule == rule for w in p.write]
            allowed = {named.path for w in patterns for named in self.names.matching(w)}
            if target.path not in allowed:
                seen = f"rules.{rule}: nobody allowed it to write {target.path!r}"
                entry = f"{{rule: {rule}, write: [{target.path}]}}"
                remedy = f"default is deny; add to commands.allow: {entry}"
                self.report.add("E704", place, seen, remedy)

    def _rule(self, name: str, key: Scalar, node: Node) -> Rule | None:
        path = f"rules.{name}"
        if not isinstance(node, Mapping):
            self.report.add(*wrong_shape(path, node, "model", "{ when: …, then: … }"))
            return None
        meant = unknown_keys(node, _KEYS, path, self.report)
        block = read_block(RuleBlock, node.only(keys_of(RuleBlock)), path, self.report)
        for needed in ("when", "then"):
            if needed not in node.entries and needed not in meant:
                remedy = f"add {needed}: {{metric: DEVICE/METRIC, …}}"
                seen = f"{path}: key {needed!r} is missing"
                self.report.add("E104", key.spot, seen, remedy)
        when, then = node.get("when"), node.get("then")
        condition = action = None
        if when is not None:
            condition = self.conditions.read(when, f"{path}.when", path, change=True)
        only_if = self.conditions.read_all(node.get("only_if"), path, path)
        if then is not None:
            action = self._action(then, name, path)
        if condition is None or action is None or block is None:
            return None
        return Rule(
            name=name,
            when=condition,
            then=action,
            only_if=only_if,
            max_age_ms=block.max_age or 0,
            rate=block.rate or 0.0,
        )

    def _action(self, node: Node, rule: str, path: str) -> Action | None:
        below = f"{path}.then"
        if not isinstance(node, Mapping):
            what = "{metric: DEVICE/METRIC, set: …}"
            self.report.add(*wrong_shape(below, node, "model", what))
            return None
        meant = unknown_keys(node, ["metric", *_ACTIONS], below, self.report)
        target = self.conditions.metric(node, below, meant)
        written = [key for key in _ACTIONS if key in node.entries]
        if len(written) != 1:
            if not meant & set(_ACTIONS):
                found = " and ".join(written) or "nothing to write"
                remedy = "write one of set: VALUE, pulse: 200ms, copy: DEVICE/METRIC"
                self.report.add("E226", node.spot, f"{below}: {found}", remedy)
            return None
        [kind] = written
        block = read_block(ActionBlock, node.only(["pulse"]), below, self.report)
        if target is None or target.metric is None or block is None:
            return None
        place = node.entries["metric"][1].spot
        if not target.metric.writable:
            seen = f"{below}: {target.path!r} cannot be written"
            self.report.add("E703", place, seen, "write access: rw into its row")
            return None
        self._targets.append((rule, target, place))
        return self._written(kind, node, target, target.metric, block, path)

    def _written(
        self, kind: str, node: Mapping, target: Named, metric: Metric, block: ActionBlock, path: str
    ) -> Action | None:
        key, value = node.entries[kind]
        below = f"{path}.then.{kind}"
        device, name = target.device, target.name
        if kind == "pulse":
            if metric.datatype is not DataType.BOOLEAN:
                seen = f"{below}: {target.path!r} is not yes or no"
                self.report.add("E227", key.spot, seen, "a pulse is yes and then no: use set")
                return None
            return Action(device=device, metric=name, pulse_ms=block.pulse or 0)
        if kind == "copy":
            source = self._source(value, below, metric, target)
            if source is None:
                return None
            return Action(device=device, metric=name, copy=(source.device, source.name))
        found = self.conditions.value(value, target, below, path)
        if found is None or not self._within(found.value, metric, value.spot, below):
            return None
        return Action(device=device, metric=name, value=found.value)

    def _source(self, node: Node, path: str, metric: Metric, target: Named) -> Named | None:
        if not isinstance(node, Scalar) or node.empty:
            what = "a metric's name DEVICE/METRIC"
            self.report.add(*wrong_shape(path, node, "str", what))
            return None
        source = self.names.find(node.text, node.spot, path, self.report)
        if source is None or source.metric is None:
            return None
        if _kind(source.metric) != _kind(metric) or not source.metric.is_read:
            seen = f"{path}: values of {source.path!r} are none of {target.path!r}"
            remedy = "both have to be numbers, or yes and no, or texts, and one that is read"
            self.report.add("E227", node.spot, seen, remedy)
            return None
        return source

    def _within(self, value: bool | float | str, metric: Metric, place: Place, path: str) -> bool:
        """Whether a value is inside of the limits of commands."""
        if isinstance(value, bool | str):
            return True
        low = metric.low if metric.write_low is None else metric.write_low
        high = metric.high if metric.write_high is None else metric.write_high
        if (low is None or value >= low) and (high is None or value <= high):
            return True
        seen = f"{path}: {value:g} is outside of {low:g} to {high:g}"
        self.report.add("E115", place, seen, "these are the limits of its row")
        return False


def _kind(metric: Metric) -> str:
    if metric.datatype in NUMBERS:
        return "number"
    return "text" if metric.datatype in TEXTS else metric.datatype.name
