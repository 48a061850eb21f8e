"""Structures: how the server lays out its own data types, and their values taken apart by it.

A value of a structured type comes as bytes. What they mean is said by the DataTypeDefinition of
its type (OPC 10000-3, 5.8.3), which is read in each session. asyncua can make Python classes of
definitions, but keeps them in one registry for the whole process, where two servers that number
their types alike would overwrite each other's. So the bytes are read here, by layouts that belong
to one session. A value that its layout does not use up to the last byte is not believed.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua import ua_binary

from drivers.opcua.nodes import in_blocks
from drivers.opcua.variants import Typed

_LAST_BUILT_IN = 25
_ABSTRACT = frozenset({24, 26, 27, 28})  # BaseDataType, Number, Integer, UInteger: as Variants
_ENUMERATION = 29
_ROOT_TYPES = frozenset({ua.ObjectIds.Structure, ua.ObjectIds.Union})
_MOST_SUPERTYPES = 20
_KINDS = frozenset({
    ua.StructureType.Structure, ua.StructureType.StructureWithOptionalFields,
    ua.StructureType.Union,
})  # fmt: skip


class StructureError(Exception):
    """A structure cannot be taken apart; ``str(error)`` says what was seen."""


@dataclass(slots=True)
class Field:
    """One field: ``kind`` is its built-in type, or ``layout`` tells its structure."""

    name: str
    kind: Any
    layout: "Layout | None" = None
    is_array: bool = False
    optional: bool = False


@dataclass(slots=True)
class Layout:
    """How one structured type lies in bytes."""

    structure: Any
    fields: list[Field] = field(default_factory=list)


def unpack(value: Any, layouts: Mapping[Any, Layout]) -> dict[str, Typed | None]:
    """The fields of a structure: None for an optional one that is not there."""
    if isinstance(value, ua.ExtensionObject):
        encoding, body = value.TypeId, value.Body
    else:  # one of OPC UA's own types, which asyncua has taken apart
        encoding = ua.typeid_by_extension_objects.get(type(value))
        body = ua_binary.struct_to_binary(value)
    layout = layouts.get(encoding)
    if layout is None:
        raise StructureError(f"a structure that the server does not describe ({encoding})")
    if body is None:
        raise StructureError("a structure without content")
    buffer = Buffer(body)
    try:
        fields = _fields(layout, buffer)
    except (struct.error, NotEnoughData, ValueError, IndexError, ua.UaError) as error:
        raise StructureError("a structure that does not fit its definition") from error
    if len(buffer):
        raise StructureError("a structure that is longer than its definition")
    return fields


def _fields(layout: Layout, buffer: Any) -> dict[str, Typed | None]:
    if layout.structure is ua.StructureType.Union:
        chosen = ua_binary.Primitives.UInt32.unpack(buffer)
        return {
            each.name: _value(each, buffer) if number == chosen else None
            for number, each in enumerate(layout.fields, start=1)
        }
    mask = -1
    if layout.structure is ua.StructureType.StructureWithOptionalFields:
        mask = ua_binary.Primitives.UInt32.unpack(buffer)
    fields: dict[str, Typed | None] = {}
    bit = 0
    for each in layout.fields:
        there = True
        if each.optional:
            there = bool(mask >> bit & 1)
            bit += 1
        fields[each.name] = _value(each, buffer) if there else None
    return fields


def _value(each: Field, buffer: Any) -> Typed:
    if not each.is_array:
        return _one(each, buffer)
    length = ua_binary.Primitives.Int32.unpack(buffer)
    if length > len(buffer):
        raise ValueError(length)  # whatever they are, they take a byte each
    kind = ua.VariantType.ExtensionObject if each.layout else each.kind
    return Typed(kind, True, [_one(each, buffer).value for _ in range(length)])


def _one(each: Field, buffer: Any) -> Typed:
    if each.layout is not None:
        return Typed(ua.VariantType.ExtensionObject, False, _fields(each.layout, buffer))
    value = ua_binary.unpack_uatype(each.kind, buffer)
    if each.kind is ua.VariantType.Variant:
        return Typed(value.VariantType, bool(value.is_array), value.Value)
    return Typed(each.kind, False, value)


class Structures:
    """The layouts of one session, each asked for once: ``layouts`` by their binary encoding."""

    def __init__(self, session: Any, who: str) -> None:
        self.layouts: dict[Any, Layout] = {}
        self._session = session
        self._who = who
        self._by_type: dict[Any, Layout] = {}

    async def learn(self, nodes: Mapping[int, Any]) -> dict[int, int]:
        """Learn the types of some points' nodes: {point: StatusCode} where that fails."""
        refused: dict[int, int] = {}
        types = await self._read(list(nodes.values()), ua.AttributeIds.DataType)
        for point, answer in zip(nodes, types, strict=True):
            try:
                await self._layout(_good(answer))
            except ua.UaStatusCodeError as error:
                refused[point] = int(error.code)
        return refused

    async def _layout(self, data_type: Any) -> Layout:
        known = self._by_type.get(data_type)
        if known is not None:
            return known
        (answer,) = await self._read([data_type], ua.AttributeIds.DataTypeDefinition)
        definition = _good(answer)
        if not isinstance(definition, ua.StructureDefinition):
            raise ua.uaerrors.BadTypeMismatch
        if definition.StructureType not in _KINDS:
            raise ua.uaerrors.BadNotSupported
        layout = self._by_type[data_type] = Layout(definition.StructureType)
        try:
            await self._fill(layout, definition)
        except ua.UaStatusCodeError:
            del self._by_type[data_type]
            raise
        encoding = definition.DefaultEncodingId
        if encoding.is_null():
            encoding = await self._binary_encoding(data_type)
        self.layouts[encoding] = layout
        return layout

    async def _fill(self, layout: Layout, definition: Any) -> None:
        own = [await self._field(each) for each in definition.Fields or ()]
        names = {each.name for each in own}
        base = definition.BaseDataType
        inherited: list[Field] = []
        if base is not None and not base.is_null() and not _is_root(base):
            # Servers disagree on whether a definition repeats the fields of its base.
            inherited = [f for f in (await self._layout(base)).fields if f.name not in names]
        layout.fields += inherited + own

    async def _field(self, described: Any) -> Field:
        if described.ValueRank > 1 or described.ValueRank == 0:
            raise ua.uaerrors.BadNotSupported  # a matrix inside of a structure
        kind, layout = await self._kind(described.DataType)
        return Field(
            name=str(described.Name), kind=kind, layout=layout,
            is_array=described.ValueRank == 1, optional=bool(described.IsOptional),
        )  # fmt: skip

    async def _kind(self, data_type: Any) -> tuple[Any, Layout | None]:
        """The built-in type that a data type is sent as, or its layout."""
        for _ in range(_MOST_SUPERTYPES):
            number = data_type.Identifier if data_type.NamespaceIndex == 0 else None
            if number in _ABSTRACT:
                return ua.VariantType.Variant, None
            if number == _ENUMERATION:
                return ua.VariantType.Int32, None
            if isinstance(number, int) and 0 < number <= _LAST_BUILT_IN:
                return ua.VariantType(number), None
            if data_type in self._by_type:
                return None, self._by_type[data_type]
            (answer,) = await self._read([data_type], ua.AttributeIds.DataTypeDefinition)
            if answer.Value is not None and isinstance(answer.Value.Value, ua.StructureDefinition):
                return None, await self._layout(data_type)
            data_type = await self._one_reference(
                data_type, ua.ObjectIds.HasSubtype, ua.BrowseDirection.Inverse
            )
        raise ua.uaerrors.BadDataTypeIdUnknown

    async def _binary_encoding(self, data_type: Any) -> Any:
        return await self._one_reference(
            data_type, ua.ObjectIds.HasEncoding, ua.BrowseDirection.Forward, "Default Binary"
        )

    async def _one_reference(
        self, node: Any, reference: int, direction: Any, name: str | None = None
    ) -> Any:
        wanted = ua.BrowseDescription(
            NodeId=node, BrowseDirection=direction, ReferenceTypeId=ua.NodeId(reference),
            IncludeSubtypes=True, NodeClassMask=0, ResultMask=ua.BrowseResultMask.All,
        )  # fmt: skip
        (result,) = await self._session.browse(ua.BrowseParameters(NodesToBrowse=[wanted]))
        for found in result.References or ():
            if name is None or found.BrowseName.Name == name:
                target = found.NodeId
                return ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
        raise ua.uaerrors.BadDataTypeIdUnknown

    async def _read(self, nodes: Sequence[Any], attribute: Any) -> list[Any]:
        async def ask(part: Sequence[Any]) -> Sequence[Any]:
            wanted = [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in part]
            answer: Sequence[Any] = await self._session.read(
                ua.ReadParameters(
                    MaxAge=0, TimestampsToReturn=ua.TimestampsToReturn.Neither, NodesToRead=wanted
                )
            )
            return answer

        return await in_blocks(nodes, ask, self._who)


def _good(answer: Any) -> Any:
    """The value of a read, or its Bad status as an exception."""
    if answer.StatusCode is not None:
        answer.StatusCode.check()
    if answer.Value is None or answer.Value.Value is None:
        raise ua.uaerrors.BadAttributeIdInvalid
    return answer.Value.Value


def _is_root(data_type: Any) -> bool:
    return data_type.NamespaceIndex == 0 and data_type.Identifier in _ROOT_TYPES
