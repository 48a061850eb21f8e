"""Values with parts: arrays and structures that have all the elements that some rows read.

The rows of one node are put together: ``[2].Speed`` and ``[0].Name`` need an array of at least
three structures with two fields each. Structures are described at the server by a
DataTypeDefinition and packed here, field by field; asyncua's own classes for structures live in
one registry for the whole process, where simulator and driver would find each other's.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.common.structures104 import new_struct, new_struct_field
from asyncua.ua import ua_binary

from drivers.opcua.elements import Range, Step


class Typed(NamedTuple):
    """A value and its OPC UA type; a list is an array."""

    kind: Any
    value: Any


@dataclass
class Shape:
    """A node of the tree: a leaf that a row fills, an array, or a structure."""

    leaf: Callable[[], Typed] | None = None
    ranges: dict[int, Callable[[], Typed]] = field(default_factory=dict)
    elements: dict[int, "Shape"] = field(default_factory=dict)
    fields: dict[str, "Shape"] = field(default_factory=dict)
    data_type: Any = None
    encoding: Any = None

    def add(self, steps: tuple[Step, ...], leaf: Callable[[], Typed]) -> None:
        """Make room for one row's element."""
        if not steps:
            self.leaf = leaf
            return
        step, rest = steps[0], steps[1:]
        if isinstance(step, Range):
            self.ranges[step.first] = leaf
        elif isinstance(step, int):
            self.elements.setdefault(step, Shape()).add(rest, leaf)
        else:
            self.fields.setdefault(step, Shape()).add(rest, leaf)

    @property
    def is_array(self) -> bool:
        """Whether it holds several values."""
        return bool(self.elements or self.ranges)

    async def describe(self, server: Any, index: int, name: str) -> None:
        """Tell the server the types of all structures inside; their names end in the way there."""
        if self.elements:
            first = next(iter(self.elements.values()))
            for element in self.elements.values():  # alike, or they were no array
                for each, shape in element.fields.items():
                    first.fields.setdefault(each, shape)
            await first.describe(server, index, name)
            for element in self.elements.values():
                element.be_like(first)
            self.data_type = first.data_type
            return
        if not self.fields:
            return
        described = []
        for each, shape in self.fields.items():
            await shape.describe(server, index, f"{name}.{each}")
            kind = shape.data_type if shape.data_type is not None else shape.value()[0]
            described.append(new_struct_field(each, kind, array=shape.is_array))
        data_type, (encoding,) = await new_struct(server, index, name, described)
        self.data_type, self.encoding = data_type.nodeid, encoding.nodeid

    def be_like(self, other: "Shape") -> None:
        """Have the same fields in the same order, and the same types."""
        self.data_type, self.encoding = other.data_type, other.encoding
        self.fields = {each: self.fields.get(each, shape) for each, shape in other.fields.items()}
        for each, shape in self.fields.items():
            shape.be_like(other.fields[each])

    def value(self) -> Typed:
        """What it holds now."""
        if self.fields:
            return Typed(
                ua.VariantType.ExtensionObject,
                ua.ExtensionObject(TypeId=self.encoding, Body=self.packed()),
            )
        if self.is_array:
            return self._array()
        assert self.leaf is not None
        return self.leaf()

    def _array(self) -> Typed:
        """All elements; where no row reads one, another stands in its place."""
        values: dict[int, Any] = {}
        kind = None
        for first, leaf in self.ranges.items():
            kind, part = leaf()
            values |= dict(enumerate(part, first))
        for place, element in self.elements.items():
            kind, values[place] = element.value()
        spare = next(iter(values.values()), 0)
        return Typed(
            kind, [values.get(place, spare) for place in range(max(values, default=-1) + 1)]
        )

    def packed(self) -> bytes:
        """The fields of a structure, one after the other."""
        return b"".join(shape.packed_field() for shape in self.fields.values())

    def packed_field(self) -> bytes:
        """As a field of a structure: structures have no header here."""
        if self.fields:
            return self.packed()
        if self.elements and next(iter(self.elements.values())).fields:
            spare = self.elements[max(self.elements)]
            parts = [
                self.elements.get(place, spare).packed() for place in range(max(self.elements) + 1)
            ]
            return struct.pack("<i", len(parts)) + b"".join(parts)
        kind, value = self.value()
        if isinstance(value, list):
            return struct.pack("<i", len(value)) + b"".join(
                ua_binary.pack_uatype(kind, each) for each in value
            )
        return bytes(ua_binary.pack_uatype(kind, value))
