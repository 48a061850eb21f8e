"""Undone: what the language has and this release does not do, told as a warning.

It is read and checked like everything else, so that a plant file need not change later; a release
that does more deletes lines here. Nothing is ignored in silence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Place, Report


@dataclass(frozen=True, slots=True)
class Undone:
    """A key that is checked only; ``*`` in its path stands for any name.

    ``word`` restricts it to one value of the key. ``instead`` is what happens.
    """

    code: str
    path: str
    instead: str
    word: str = ""


UNDONE = (
    Undone("W801", "relay", "tagbridge relay does not exist yet"),
    Undone("W802", "rules", "no rule acts"),
    Undone("W803", "destinations.*.uns", "nothing is sent to this destination"),
    Undone("W804", "web", "no page is served"),
    Undone("W810", "destinations.*.backlog.order", "live values go first", "oldest-first"),
    Undone("W811", "destinations.*.select", "everything is sent"),
    Undone("W813", "outbox.max_age", "values are kept until the outbox is full"),
    Undone("W814", "outbox.when_full", "the oldest values make room", "stop-storing"),
    Undone("W815", "edge_node.diagnostics", "all of its own metrics are shown", "basic"),
    Undone("W815", "destinations.*.edge_node.diagnostics", "all are shown", "basic"),
    Undone("W816", "devices.*.instances.discover", "no topic is discovered"),
    Undone("W816", "devices.*.equipment.*.instances.discover", "no topic is discovered"),
)


def warn_of_undone(root: Mapping, report: Report) -> None:
    """Warn of everything in a plant file that this release only checks."""
    for undone in UNDONE:
        for path, place, node in _at(root, undone.path.split("."), ""):
            if undone.word and not (isinstance(node, Scalar) and node.text == undone.word):
                continue
            shown = f"{path}: {undone.word}" if undone.word else path
            seen = f"{shown}: checked, not done by this release"
            report.add(undone.code, place, seen, undone.instead)


def _at(node: Node, steps: list[str], path: str) -> Iterator[tuple[str, Place, Node]]:
    if not isinstance(node, Mapping):
        return
    first, *rest = steps
    names = list(node.entries) if first == "*" else [first]
    for name in names:
        entry = node.entries.get(name)
        if entry is None:
            continue
        key, value = entry
        below = f"{path}.{name}" if path else name
        if rest:
            yield from _at(value, rest, below)
        else:
            yield below, key.spot, value
