"""Parts: from a node's whole value to what one row means of it. Pure.

Rows that read parts of one node at one rate share a monitored item: the server sends the whole
value once, and it is taken apart here. IndexRange would have the server do it, but many know it for
plain arrays only, some not at all, and none for the field of a structure. Small arrays in one item
are also cheaper than an item for each of their elements.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from asyncua import ua

from drivers.opcua.elements import Range, Step, parse_element
from drivers.opcua.structures import Layout, StructureError, unpack
from drivers.opcua.variants import (
    BAD_NOTHING_THERE,
    BAD_TYPE_MISMATCH,
    Refusal,
    Typed,
    Wanted,
    name_of,
)
from mappings.batch import Value
from mappings.quality import Reason
from mappings.tags import Tag


class Part:
    """What one row means of its node's value."""

    __slots__ = ("_steps", "_wanted")

    def __init__(self, steps: tuple[Step, ...], wanted: Wanted) -> None:
        self._steps = steps
        self._wanted = wanted

    def take(self, whole: Typed, layouts: Mapping[Any, Layout]) -> Value | Refusal:
        """The row's value, or why it has none; ``layouts`` by the encoding that they describe."""
        found: Typed | Refusal = whole
        try:
            for step in self._steps:
                if isinstance(found, Refusal):
                    return found
                if isinstance(step, str):
                    found = _field(found, step, layouts)
                elif isinstance(step, int):
                    found = _index(found, step)
                else:
                    found = _range(found, step)
        except StructureError as error:
            return Refusal(BAD_TYPE_MISMATCH, Reason.WRONG_TYPE, str(error))
        return found if isinstance(found, Refusal) else self._wanted.take(found)


def steps_of(tag: Tag) -> tuple[Step, ...]:
    """The steps of a row's element, which `check_tag` has found to be right."""
    steps = parse_element(tag.element)
    return steps if isinstance(steps, tuple) else ()


def has_field(tag: Tag) -> bool:
    """Whether a row goes into a structure."""
    return any(isinstance(step, str) for step in steps_of(tag))


def sharing(tags: Sequence[Tag]) -> dict[int, tuple[int, ...]]:
    """Which points share an item: {the first one: all of them}; most are alone.

    Those that are never read are in none.
    """
    leaders: dict[tuple[str, int], int] = {}
    groups: dict[int, list[int]] = {}
    for point, tag in enumerate(tags):
        if not tag.is_read:
            continue
        leader = point
        if tag.element:
            leader = leaders.setdefault((tag.address, tag.scan_ms), point)
        groups.setdefault(leader, []).append(point)
    return {leader: tuple(members) for leader, members in groups.items()}


def _field(found: Typed, name: str, layouts: Mapping[Any, Layout]) -> Typed | Refusal:
    if found.kind is not ua.VariantType.ExtensionObject or found.is_array:
        return _another(found, f"no structure with a field {name!r}")
    if found.value is None:
        return Refusal(BAD_NOTHING_THERE, Reason.NO_VALUE)
    fields = found.value if isinstance(found.value, dict) else unpack(found.value, layouts)
    if name not in fields:
        return Refusal(
            BAD_TYPE_MISMATCH, Reason.WRONG_TYPE,
            f"a structure without {name!r}; it has {', '.join(fields)}",
        )  # fmt: skip
    inside: Typed | None = fields[name]
    return Refusal(BAD_NOTHING_THERE, Reason.NO_VALUE) if inside is None else inside


def _index(found: Typed, index: int) -> Typed | Refusal:
    kind, values = _elements(found)
    if values is None:
        return _another(found, "no array")
    if index >= len(values):
        return Refusal(BAD_NOTHING_THERE, Reason.NO_VALUE)
    value = values[index]
    return Typed(kind, isinstance(value, list), value)


def _range(found: Typed, part: Range) -> Typed | Refusal:
    kind, values = _elements(found)
    if values is None:
        return _another(found, "no array")
    inside = values[part.first : None if part.last is None else part.last + 1]
    if not inside and part.last is not None:
        return Refusal(BAD_NOTHING_THERE, Reason.NO_VALUE)
    return Typed(kind, True, inside)


def _elements(found: Typed) -> tuple[Any, list[Any] | None]:
    """The type and the elements of an array; None of what is none."""
    if found.is_array:
        return found.kind, found.value or []
    if found.kind is ua.VariantType.ByteString:
        return ua.VariantType.Byte, list(found.value or b"")
    return found.kind, None


def _another(found: Typed, what: str) -> Refusal:
    return Refusal(BAD_TYPE_MISMATCH, Reason.WRONG_TYPE, f"{name_of(found)}, {what}")
