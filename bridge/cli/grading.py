"""The report of ``tagbridge watch --check``: how well each node keeps the rules of Sparkplug 3.0.

Every packet goes through `bridge.sparkplug.rules`, from a broker as it comes or from a capture.
What is broken is told by node and by the standard's own id: how often, when first, and with what.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.lights import Light
from bridge.sparkplug.rules import Grader, Packet, Violation
from bridge.sparkplug.topics import Verb, parse

_ELSEWHERE = ("", "")


@dataclass(slots=True)
class Broken:
    """One rule that a node broke: how often; when first, and what was seen then."""

    tck_id: str
    first: Violation
    first_ms: int
    count: int = 1


@dataclass(slots=True)
class NodeReport:
    """One node: its packets by verb, and the rules that it broke, by their ids."""

    packets: Counter[str] = field(default_factory=Counter)
    broken: dict[str, Broken] = field(default_factory=dict)


class Report:
    """What is known of all nodes so far; ``complete`` as `bridge.sparkplug.rules.Grader` has it."""

    def __init__(self, *, complete: bool = False) -> None:
        self._grader = Grader(complete=complete)
        self.nodes: dict[tuple[str, str], NodeReport] = {}

    def packet(self, packet: Packet) -> None:
        """Judge one more packet."""
        topic = parse(packet.topic)
        if topic is not None and topic.verb not in {Verb.NCMD, Verb.DCMD}:
            node = self.nodes.setdefault((topic.group, topic.node), NodeReport())
            node.packets[topic.verb.value] += 1
        for violation in self._grader.feed(packet):
            where = parse(violation.topic)
            key = (where.group, where.node) if where is not None else _ELSEWHERE
            broken = self.nodes.setdefault(key, NodeReport()).broken
            if violation.tck_id in broken:
                broken[violation.tck_id].count += 1
            else:
                broken[violation.tck_id] = Broken(violation.tck_id, violation, packet.time_ms)

    def gap(self) -> None:
        """Packets may be missing here."""
        self._grader.gap()

    @property
    def is_clean(self) -> bool:
        """Whether somebody spoke and nobody broke a rule."""
        return bool(self.nodes) and not any(node.broken for node in self.nodes.values())


def show(report: Report, console: Console) -> None:
    """Print a report: a line for each node, and under it one for each rule that it broke."""
    if not report.nodes:
        console.print(Text("No Sparkplug node has spoken: nothing was judged.", style="yellow"))
        return
    for (group, name), node in sorted(report.nodes.items()):
        light = Light.BAD if node.broken else Light.GOOD
        line = Text().append(light.text)
        line.append(f" {group}/{name}  " if name else " topics of nobody  ", style="bold")
        said = ", ".join(f"{count:,} {verb}" for verb, count in sorted(node.packets.items()))
        console.print(line.append(said, style="dim"), soft_wrap=True)
        if node.broken:
            console.print(_rules(node))
    broken = [one for node in report.nodes.values() for one in node.broken.values()]
    total = sum(one.count for one in broken)
    verdict = f"{len(report.nodes)} nodes, " + (
        f"{len(broken)} rules broken, {total:,} times" if broken else "no rule broken"
    )
    console.print(Text(verdict, style="bold red" if broken else "green"))


def _rules(node: NodeReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("    times", justify="right")
    table.add_column("rule", overflow="fold")
    table.add_column("first seen", overflow="fold")
    for one in sorted(node.broken.values(), key=lambda one: -one.count):
        when = datetime.fromtimestamp(one.first_ms / 1000, UTC).isoformat(timespec="milliseconds")
        seen = Text(f"{one.first.what}\n").append(f"{one.first.topic} {when}", style="dim")
        table.add_row(f"{one.count:,}", Text(one.tck_id, style="red"), seen)
    return table


def show_json(report: Report) -> None:
    """Print a report as JSON lines, one for each node."""
    for (group, name), node in sorted(report.nodes.items()):
        broken = [
            {"id": one.tck_id, "count": one.count, "first_ms": one.first_ms,
             "seen": one.first.what, "topic": one.first.topic}
            for one in node.broken.values()
        ]  # fmt: skip
        line = {"group": group, "node": name, "packets": dict(node.packets), "broken": broken}
        print(json.dumps(line, ensure_ascii=False))
