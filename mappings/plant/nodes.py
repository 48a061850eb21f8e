"""Nodes: the plant file as texts, lists and mappings, each with its place.

Built from YAML's events and not by a YAML loader, because a loader decides by its looks what a
value is: ``no`` becomes False, ``12:30`` 750, ``40001.10`` 40001.1. Here every value stays the
text that was typed until its key says how to read it. What lets one text mean two things, or hide
what it means, is refused: a key twice, anchors, tags, a second document.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from mappings.plant.problems import Place, Report, beside
from mappings.plant.syntax import UNSHOWN, explain, unreadable

Plain = str | list["Plain"] | dict[str, "Plain"]
"""Texts, lists and dicts: what pydantic models are validated from."""

_DEEPEST = 40  # levels; the language itself needs 7

# libyaml's parser is twenty times as fast; the other is for installations without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Scalar:
    """One value: the text that was typed; ``quoted`` tells "" from nothing at all."""

    spot: Place
    text: str
    quoted: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing was typed after the key."""
        return not self.text and not self.quoted


@dataclass(slots=True)
class Sequence:
    """A list of values; ``spot`` is its bracket or its first dash."""

    spot: Place
    items: list["Node"] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys and values, in the order of the file; ``spot`` is its brace or its first key."""

    spot: Place
    entries: dict[str, tuple[Scalar, "Node"]] = field(default_factory=dict)

    def get(self, key: str) -> "Node | None":
        """The value under a key."""
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def key_spot(self, key: str) -> Place:
        """Where a key stands; of a key that does not stand here, where the mapping begins."""
        entry = self.entries.get(key)
        return entry[0].spot if entry else self.spot

    def only(self, keys: Iterable[str]) -> "Mapping":
        """The part with these keys."""
        wanted = set(keys)
        chosen = {key: entry for key, entry in self.entries.items() if key in wanted}
        return Mapping(self.spot, chosen)


Node = Scalar | Sequence | Mapping


def kind_of(node: Node) -> str:
    """What a node is, in the words of a message."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return "nothing" if node.empty else "a single value"


def plain(node: Node) -> Plain:
    """The node without places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


def parse(text: str, file: str, report: Report) -> Node | None:
    """The tree of a file's text; None where there is none, with the reason in the report."""
    problem = unreadable(text)
    if problem is not None:
        code, (line, column), seen, remedy = problem
        report.add(code, Place(file, line, column), seen, remedy)
        return None
    lines = text.splitlines() or [""]
    end = Place(file, len(lines), len(lines[-1]) + 1)
    builder = _Builder(file, end, report)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if not builder.take(event):
                return None
    except yaml.MarkedYAMLError as error:
        at = builder.last_value
        last_value = (at.line, at.column) if at else None
        code, (line, column), seen, remedy = explain(error, text, builder.last_key, last_value)
        report.add(code, Place(file, line, column), seen, remedy)
        return None
    except yaml.YAMLError as error:
        report.add("E101", Place(file, 1, 1), f"not YAML: {error}", "compare with the samples")
        return None
    return builder.root


class _Builder:
    """Puts events together to a tree."""

    def __init__(self, file: str, end: Place, report: Report) -> None:
        self.file = file
        self.end = end
        self.report = report
        self.root: Node | None = None
        self.documents = 0
        self.open: list[Mapping | Sequence] = []
        self.keys: list[Scalar | None] = []  # of each open mapping: the key that waits for a value
        self.last_key: str | None = None
        self.last_value: Place | None = None

    def take(self, event: yaml.Event) -> bool:
        """Add one event; False when reading on makes no sense."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                remedy = "a plant is one document: remove the line '---' and what follows"
                self.report.add("E109", self._spot(event), "a second document begins here", remedy)
                return False
        elif isinstance(event, yaml.AliasEvent):
            self._refuse_alias(event)
            self._add(Scalar(self._spot(event), f"*{event.anchor}", quoted=True))
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_decoration(event)
            quoted = event.style is not None and event.style != ""
            self._add(Scalar(self._spot(event), event.value, quoted))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_decoration(event)
            kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
            node = kind(self._spot(event))
            if len(self.open) >= _DEEPEST:
                self.report.add("E101", node.spot, "nested too deep", "compare with the samples")
                return False
            self._add(node)
            self.open.append(node)
            self.keys.append(None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.open.pop()
            self.keys.pop()
        return True

    def _add(self, node: Node) -> None:
        self.last_key = self.last_value = None
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self.keys[-1]
        if key is None:
            if isinstance(node, Scalar):
                self.keys[-1] = node
            else:
                remedy = "a key is one word; a value with [ ] { } must stand in quotes"
                self.report.add("E105", node.spot, f"{kind_of(node)} as a key", remedy)
                self.keys[-1] = Scalar(node.spot, "", quoted=True)
            return
        self.keys[-1] = None
        self.last_key, self.last_value = key.text, node.spot
        first = parent.entries.get(key.text)
        if first is None:
            parent.entries[key.text] = (key, node)
        else:
            at = beside(first[0].spot, key.spot)
            remedy = f"the first stands at {at}; keep one of them"
            self.report.add("E102", key.spot, f"key {key.text!r} stands here twice", remedy)

    def _refuse_alias(self, event: yaml.AliasEvent) -> None:
        shown = self._shown(f"*{event.anchor}")
        remedy = f"write out what is meant, or put the text in quotes: '{shown}'"
        self.report.add("E107", self._spot(event), f"'{shown}' is a YAML alias", remedy)
        self.report.closed.add(self._spot(event))

    def _refuse_decoration(
        self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent
    ) -> None:
        if event.anchor is not None:
            shown = self._shown(f"&{event.anchor}")
            remedy = f"remove '{shown}', or put the text in quotes: '{shown} …'"
            self.report.add("E107", self._spot(event), f"'{shown}' is a YAML anchor", remedy)
        if event.tag is not None:
            tag = self._shown(event.tag.replace("tag:yaml.org,2002:", "!!"))
            remedy = "remove it, or put the text in quotes; a key knows how its value is read"
            self.report.add("E108", self._spot(event), f"'{tag}' is a YAML tag", remedy)

    def _shown(self, text: str) -> str:
        """A text for a message; of what stands under a secret's key only the first sign."""
        key = self.keys[-1] if self.keys else None
        return f"{text[0]}…" if key is not None and key.text in UNSHOWN else text

    def _spot(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None  # only events made by hand have none
        # What is missing at the end is missing in the last line, not below it.
        return min(Place(self.file, mark.line + 1, mark.column + 1), self.end)
