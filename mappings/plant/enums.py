"""Enums: texts for the codes of a device, by name under ``enums:`` or in the cell itself."""

import re
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field

from mappings.errors import Fault, nearest
from mappings.plant.blocks import entries, wrong_shape
from mappings.plant.nodes import Node, Scalar
from mappings.plant.problems import Report

Texts = tuple[tuple[int, str], ...]
"""Codes and their texts, in the order of the user."""

_CODE = re.compile(r"[+-]?[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Enums:
    """The enums of a plant by name; None for one that is wrong already."""

    by_name: Pairs[str, Texts | None]
    complete: bool = True
    _read: dict[str, Texts | Fault | None] = field(default_factory=dict, compare=False)

    def find(self, text: str) -> Texts | Fault | None:
        """What an ``enum`` cell says; None where that is wrong already."""
        if text not in self._read:
            self._read[text] = self._find(text)
        return self._read[text]

    def _find(self, text: str) -> Texts | Fault | None:
        if text in self.by_name:
            return self.by_name[text]
        if "=" in text:
            return _inline(text)
        if not self.complete:
            return None
        meant = nearest(text, self.by_name)
        hint = f"did you mean {meant!r}? " if meant else ""
        here = ", ".join(self.by_name) or "none yet"
        remedy = f"{hint}enums here: {here}; declare it under enums:, or write 0=Stopped|1=Running"
        return Fault(code="E518", field="enum", seen=f"no enum {text!r}", remedy=remedy)


NO_ENUMS = Enums({})


def _inline(text: str) -> Texts | Fault:
    pairs: list[tuple[str, str]] = []
    for part in text.split("|"):
        code, sign, words = part.partition("=")
        if not sign:
            return _wrong(f"{part.strip()!r} has no code")
        pairs.append((code.strip(), words.strip()))
    return _checked(pairs)


def _checked(pairs: list[tuple[str, str]]) -> Texts | Fault:
    """Codes and texts, each once."""
    codes: set[int] = set()
    texts: set[str] = set()
    found: list[tuple[int, str]] = []
    for written, words in pairs:
        if not _CODE.fullmatch(written):
            return _wrong(f"{written!r} is no code")
        if not words:
            return _wrong(f"code {written} has no text")
        code = int(written)
        if code in codes:
            return _wrong(f"code {code} stands twice")
        if words in texts:
            return _wrong(f"{words!r} stands twice")
        codes.add(code)
        texts.add(words)
        found.append((code, words))
    return tuple(found)


def _wrong(seen: str) -> Fault:
    remedy = "write whole numbers with a text each, all different: 0=Stopped|1=Running"
    return Fault(code="E520", field="enum", seen=seen, remedy=remedy)


def read_enums(node: Node | None, *, complete: bool, report: Report) -> Enums:
    """The ``enums:`` section."""
    found: dict[str, Texts | None] = {}
    for name, (key, value) in entries(node, "enums", "{ NAME: { 0: Off, 1: On } }", report).items():
        found[name] = _named(f"enums.{name}", key, value, report)
    return Enums(found, complete)


def _named(path: str, key: Scalar, node: Node, report: Report) -> Texts | None:
    pairs: list[tuple[str, str]] = []
    before = len(report)
    for code, (place, value) in entries(node, path, "{ 0: Off, 1: On }", report).items():
        if not isinstance(value, Scalar) or value.empty:
            report.add(*wrong_shape(f"{path}.{code}", value, "str", "a text"))
            continue
        pairs.append((code, value.text))
        known = _checked(pairs)
        if isinstance(known, Fault):
            pairs.pop()
            remedy = "write whole numbers with a text each, all different: {0: Stopped, 1: Running}"
            report.add(known.code, place.spot, f"{path}: {known.seen}", remedy)
    if len(report) > before:
        return None
    if not pairs:
        report.add("E520", key.spot, f"{path}: no code", "write {0: Stopped, 1: Running}")
        return None
    found = _checked(pairs)
    assert not isinstance(found, Fault)
    return found
