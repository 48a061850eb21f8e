"""Includes: the sections of a plant, gathered out of its files.

Nothing overrides anything: what has one name has it in one file. Included files hold lists of
named things only (`schema.INCLUDABLE`), so it does not matter in which order they are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mappings.plant.blocks import unknown_key, wrong_shape
from mappings.plant.files import Shelf, joined
from mappings.plant.nodes import Mapping, Node, Scalar, Sequence
from mappings.plant.problems import Place, Report, beside
from mappings.plant.schema import INCLUDABLE, SECTIONS


@dataclass(slots=True)
class Gathered:
    """The plant's root with everything that was included.

    ``doubtful`` are the sections that may lack something: of what is not found there nothing can
    be said.
    """

    root: Mapping
    doubtful: set[str] = field(default_factory=set)


def gather(root: Mapping, shelf: Shelf, report: Report) -> Gathered:
    """The sections of a root and of all that it includes."""
    found = Gathered(Mapping(root.spot, dict(root.entries)))
    _Gathering(found, shelf, report).include(root, (report.file,))
    return found


def is_part(root: Mapping) -> bool:
    """Whether a file looks like one that is included by a plant, and is no plant itself."""
    return bool(root.entries) and root.entries.keys() <= {*INCLUDABLE, "include"}


class _Gathering:
    def __init__(self, found: Gathered, shelf: Shelf, report: Report) -> None:
        self.found = found
        self.shelf = shelf
        self.report = report
        self.seen: set[str] = set()

    def include(self, root: Mapping, chain: tuple[str, ...]) -> None:
        """Take in what a file includes; ``chain`` is how it came to be read, itself the last."""
        for path, asked in self._paths(root.get("include")):
            file = joined(asked.file, path)
            if file in chain:
                way = " → ".join([*chain[chain.index(file) :], file])
                seen = f"{file} includes itself" if len(chain) == 1 else f"{way}: a circle"
                remedy = "remove this one; a pattern may not match the file that it stands in"
                self.report.add("E122", asked, seen, remedy)
            elif file not in self.seen:
                self.seen.add(file)
                self._take(path, file, asked, chain)

    def _paths(self, node: Node | None) -> Iterator[tuple[str, Place]]:
        if node is None:
            return
        if not isinstance(node, Sequence):
            self.report.add(*wrong_shape("include", node, "list", "a list [templates/*.yaml]"))
            self.found.doubtful.update(INCLUDABLE)
            return
        for number, item in enumerate(node.items, start=1):
            if not isinstance(item, Scalar) or item.empty:
                self.report.add(*wrong_shape(f"include[{number}]", item, "str", "a file's path"))
                self.found.doubtful.update(INCLUDABLE)
            elif any(sign in item.text for sign in "*?"):
                names = self.shelf.names(item.text, item.spot)
                if not names:
                    folder = joined(item.spot.file, item.text).rpartition("/")[0] or "."
                    seen = f"no file matches {item.text!r}"
                    self.report.add("E123", item.spot, seen, f"looked in {folder}/")
                    self.found.doubtful.update(INCLUDABLE)
                yield from ((name, item.spot) for name in names)
            else:
                yield item.text, item.spot

    def _take(self, path: str, file: str, asked: Place, chain: tuple[str, ...]) -> None:
        before = len(self.report)
        tree = self.shelf.tree(path, asked)
        if tree is None:
            if len(self.report) > before:
                self.found.doubtful.update(INCLUDABLE)
            return
        if not isinstance(tree, Mapping):
            what = "sections such as templates: and enums:"
            self.report.add(*wrong_shape("an included file", tree, "model", what))
            self.found.doubtful.update(INCLUDABLE)
            return
        self.found.doubtful.update(check_part(tree, self.report))
        for section in INCLUDABLE:
            node = tree.get(section)
            if isinstance(node, Mapping):
                self._merge(section, tree.entries[section][0], node)
            elif node is not None:
                self.report.add(*wrong_shape(section, node, "model", "{ NAME: … }"))
                self.found.doubtful.add(section)
        self.include(tree, (*chain, file))

    def _merge(self, section: str, key: Scalar, node: Mapping) -> None:
        root = self.found.root
        entry = root.entries.get(section)
        if entry is not None and not isinstance(entry[1], Mapping):
            return  # told where it stands
        if entry is None:
            root.entries[section] = (key, Mapping(node.spot, dict(node.entries)))
            return
        there = entry[1]
        assert isinstance(there, Mapping)
        merged = dict(there.entries)
        for name, (name_key, value) in node.entries.items():
            first = merged.setdefault(name, (name_key, value))[0]
            if first is not name_key:
                seen = f"{section}: {name!r} stands in two files"
                at = beside(first.spot, name_key.spot)
                remedy = f"the first is at {at}; nothing overrides anything: rename or remove one"
                self.report.add("E125", name_key.spot, seen, remedy)
        root.entries[section] = (entry[0], Mapping(there.spot, merged))


def check_part(root: Mapping, report: Report) -> set[str]:
    """Whether a file has only keys that an included file may have; the sections meant instead."""
    meant: set[str] = set()
    known = [*INCLUDABLE, "include", "tagbridge"]
    for key in root.entries:
        if key in known:
            continue
        if key in SECTIONS:
            seen = f"{key!r} in an included file"
            remedy = f"write it into {report.file}; included files have {', '.join(INCLUDABLE)}"
            report.add("E124", root.key_spot(key), seen, remedy)
        else:
            word = unknown_key("", key, root.key_spot(key), known, root.entries, report)
            meant |= {word} if word else set(INCLUDABLE)
    return meant
