"""Commands: the gate, and who may write what; nobody may what nobody was allowed.

Whoever is named is there, whatever is named can be written, and every pattern means something.
"""

from collections.abc import Collection

from mappings.errors import nearest
from mappings.plant.blocks import keys_of, read_block, unknown_keys, wrong_shape
from mappings.plant.conditions import ConditionReader
from mappings.plant.metric_names import MetricNames
from mappings.plant.nodes import Mapping, Node, Scalar, Sequence
from mappings.plant.permissions import Commands, Permission
from mappings.plant.problems import Report
from mappings.plant.rule_schema import AllowBlock, CommandsBlock


class CommandsReader:
    """Reads the ``commands:`` section.

    ``destinations`` and ``rules`` are the names that may be allowed something, None where they
    could not be read.
    """

    def __init__(
        self,
        names: MetricNames,
        destinations: Collection[str] | None,
        rules: Collection[str] | None,
        report: Report,
    ) -> None:
        self.names = names
        self.known = {"destination": destinations, "rule": rules}
        self.conditions = ConditionReader(names, report)
        self.report = report

    def read(self, node: Node | None) -> Commands:
        """The section; left out, the gate is closed."""
        if node is None:
            return Commands()
        if not isinstance(node, Mapping):
            what = "{ gate: open, allow: [ … ] }"
            self.report.add(*wrong_shape("commands", node, "model", what))
            return Commands()
        own = keys_of(CommandsBlock)
        unknown_keys(node, [*own, "allow"], "commands", self.report)
        block = read_block(CommandsBlock, node.only(own), "commands", self.report)
        block = block or CommandsBlock()
        return Commands(
            gate=block.gate,
            max_age_ms=block.max_age,
            readback_ms=block.readback,
            arming_ms=block.arming,
            allow=self._allow(node.get("allow")),
        )

    def _allow(self, node: Node | None) -> tuple[Permission, ...]:
        if node is None:
            return ()
        if not isinstance(node, Sequence):
            what = "a list [{destination: …, write: […]}]"
            self.report.add(*wrong_shape("commands.allow", node, "list", what))
            return ()
        read = (
            self._permission(item, f"commands.allow[{number}]")
            for number, item in enumerate(node.items, start=1)
        )
        return tuple(permission for permission in read if permission is not None)

    def _permission(self, node: Node, path: str) -> Permission | None:
        if not isinstance(node, Mapping):
            what = "{destination: …, write: […]}"
            self.report.add(*wrong_shape(path, node, "model", what))
            return None
        own = keys_of(AllowBlock)
        meant = unknown_keys(node, [*own, "only_if"], path, self.report)
        block = read_block(AllowBlock, node.only(own), path, self.report, meant=meant)
        only_if = self.conditions.read_all(node.get("only_if"), path, "commands.allow")
        self._check_who(node, path, meant)
        self._check_write(node.get("write"), f"{path}.write")
        if block is None:
            return None
        return Permission(
            destination=block.destination or "",
            rule=block.rule or "",
            write=block.write,
            only_if=only_if,
            rate=block.rate or 0.0,
        )

    def _check_who(self, node: Mapping, path: str, meant: set[str]) -> None:
        """One of destination and rule is named, and there."""
        who = [key for key in self.known if key in node.entries]
        if len(who) != 1:
            if not meant & self.known.keys():
                found = "a destination and a rule" if who else "nobody is named"
                remedy = "write destination: NAME or rule: NAME: who may write"
                self.report.add("E225", node.spot, f"{path}: {found}", remedy)
            return
        [kind] = who
        value, known = node.get(kind), self.known[kind]
        if not isinstance(value, Scalar) or known is None or value.text in known or value.empty:
            return
        word = nearest(value.text, known)
        hint = f"did you mean {word!r}? " if word else ""
        code = "E222" if kind == "destination" else "E223"
        remedy = f"{hint}{kind}s here: {', '.join(known) or 'none'}"
        self.report.add(code, value.spot, f"{path}: no {kind} {value.text!r}", remedy)

    def _check_write(self, node: Node | None, path: str) -> None:
        for item in node.items if isinstance(node, Sequence) else ():
            if not isinstance(item, Scalar) or item.empty:
                continue
            found = self.names.check_pattern(item.text, item.spot, path, self.report)
            known = [named.metric for named in found if named.metric is not None]
            if known and len(known) == len(found) and not any(m.writable for m in known):
                seen = f"{path}: {item.text!r} cannot be written"
                remedy = "write access: rw into its row"
                if len(known) > 1:
                    remedy = "none of these metrics is writable: write access: rw into a row"
                self.report.add("E703", item.spot, seen, remedy)


def check_selections(destinations: Node | None, names: MetricNames, report: Report) -> None:
    """Whether the patterns of ``select`` in destinations mean something."""
    for name, (_, node) in (
        destinations.entries.items() if isinstance(destinations, Mapping) else ()
    ):
        select = node.get("select") if isinstance(node, Mapping) else None
        metrics = select.get("metrics") if isinstance(select, Mapping) else None
        for item in metrics.items if isinstance(metrics, Sequence) else ():
            if isinstance(item, Scalar) and not item.empty:
                path = f"destinations.{name}.select.metrics"
                names.check_pattern(item.text, item.spot, path, report)
