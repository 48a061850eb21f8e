"""Browsing: what a server has, for people who write rows: its namespaces and its variables.

Nodes are walked level by level from Objects, by references that lead downwards, with continuation
points (OPC 10000-4, 5.8.3), and never twice. What a row needs is read of many variables at once.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from asyncua import ua

from drivers.driver import Endpoint, LinkError
from drivers.opcua import session as sessions

_T = TypeVar("_T")
_AT_ONCE = 100  # nodes in one request: below what small servers take
_WORDS = {
    1: "bool", 2: "int8", 3: "uint8", 4: "int16", 5: "uint16", 6: "int32", 7: "uint32",
    8: "int64", 9: "uint64", 10: "float32", 11: "float64", 12: "string", 13: "datetime",
}  # fmt: skip
"""Wire types by the numbers of OPC UA's own data types (OPC 10000-6, 5.1.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that could be a row; ``wire_type`` is empty where no type of ours fits."""

    path: tuple[str, ...]
    namespace: int
    identifier: str
    wire_type: str
    array: bool
    writable: bool
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    node: Any
    path: tuple[str, ...]


def _batched(many: Iterable[_T], size: int) -> Iterator[tuple[_T, ...]]:
    rest = iter(many)
    while some := tuple(islice(rest, size)):
        yield some


@asynccontextmanager
async def connected(endpoint: Endpoint) -> AsyncIterator[Any]:
    """An open session; LinkError if there is none."""
    client = sessions.make_client(endpoint)
    await sessions.connect(client, endpoint)
    try:
        yield client
    except (OSError, TimeoutError, ua.UaError) as error:
        seen = f"{endpoint.url}: the server ended the browsing ({error or type(error).__name__})"
        raise LinkError(
            seen, "is it busy or restarting? try again with a smaller --depth"
        ) from error
    finally:
        await sessions.close(client)


async def namespaces(client: Any) -> list[str]:
    """The server's namespace URIs, by index."""
    return [str(uri) for uri in await client.get_namespace_array()]


async def variables(client: Any, *, depth: int, most: int) -> tuple[list[Variable], bool]:
    """The first ``most`` variables down to a depth, and whether there are more."""
    level = [_Found(node=client.nodes.objects.nodeid, path=())]
    seen = {level[0].node}
    found: list[_Found] = []
    for _ in range(depth):
        below: list[_Found] = []
        for some in _batched(level, _AT_ONCE):
            for parent, child in await _children(client, some):
                node = child.NodeId
                if node in seen or node.NodeIdType is None:
                    continue
                seen.add(node)
                entry = _Found(node=node, path=(*parent.path, str(child.BrowseName.Name)))
                if child.NodeClass == ua.NodeClass.Variable:
                    found.append(entry)
                if node != ua.NodeId(ua.ObjectIds.Server):  # its own diagnostics are no plant
                    below.append(entry)
        level = below
        if not level or len(found) > most:
            break
    more = len(found) > most or bool(level)
    shown: list[Variable] = []
    for some in _batched(found[:most], _AT_ONCE):
        shown += await _described(client, some)
    return shown, more


async def _children(client: Any, parents: tuple[_Found, ...]) -> list[tuple[_Found, Any]]:
    wanted = ua.BrowseParameters()
    wanted.View.Timestamp = ua.get_win_epoch()
    wanted.NodesToBrowse = [_downwards(parent.node) for parent in parents]
    results = await client.uaclient.browse(wanted)
    found = []
    for parent, result in zip(parents, results, strict=True):
        references = list(result.References or ())
        while result.ContinuationPoint:
            again = ua.BrowseNextParameters()
            again.ContinuationPoints = [result.ContinuationPoint]
            again.ReleaseContinuationPoints = False
            [result] = await client.uaclient.browse_next(again)  # noqa: PLW2901  its next page
            references += result.References or ()
        found += [(parent, reference) for reference in references]
    return found


def _downwards(node: Any) -> Any:
    description = ua.BrowseDescription()
    description.NodeId = node
    description.BrowseDirection = ua.BrowseDirection.Forward
    description.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HierarchicalReferences)
    description.IncludeSubtypes = True
    description.NodeClassMask = ua.NodeClass.Object | ua.NodeClass.Variable
    description.ResultMask = ua.BrowseResultMask.All
    return description


async def _described(client: Any, some: tuple[_Found, ...]) -> list[Variable]:
    attributes = (
        ua.AttributeIds.DataType, ua.AttributeIds.ValueRank, ua.AttributeIds.UserAccessLevel,
        ua.AttributeIds.Value,
    )  # fmt: skip
    read = ua.ReadParameters()
    read.NodesToRead = [
        ua.ReadValueId(NodeId=entry.node, AttributeId=attribute)
        for entry in some
        for attribute in attributes
    ]
    answers = list(await client.uaclient.read(read))
    shown = []
    for entry, (kind, rank, access, value) in zip(some, _batched(answers, 4), strict=True):
        kind_id = kind.Value.Value if kind.Value is not None else None
        numbered = kind_id is not None and kind_id.NamespaceIndex == 0
        shown.append(
            Variable(
                path=entry.path,
                namespace=entry.node.NamespaceIndex,
                identifier=entry.node.to_string().rpartition("ns=")[2].partition(";")[2]
                or entry.node.to_string(),
                wire_type=_WORDS.get(kind_id.Identifier, "") if numbered and kind_id else "",
                array=bool(rank.Value is not None and rank.Value.Value >= 0),
                writable=bool(access.Value is not None and access.Value.Value & 2),
                value=_said(value),
            )
        )
    return shown


def _said(value: Any) -> str:
    if value.Value is None or not value.StatusCode.is_good():
        return str(value.StatusCode.name)
    text = str(value.Value.Value)
    return text if len(text) <= 40 else f"{text[:39]}…"
