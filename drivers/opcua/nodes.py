"""Nodes: which NodeId an address has in this session.

A namespace is looked up by its URI and a browse path is walked by the server
(TranslateBrowsePathsToNodeIds), in each session anew: both move. An address that leads nowhere, or
to several nodes, has the server's StatusCode instead and stops no other.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from asyncua import ua

from drivers.driver import LinkError
from drivers.opcua.addresses import NodeAddress, PathAddress

PER_CALL = 1_000
"""How much one request asks for; half of it, and so on, where a server finds that too much."""

BAD_NODE_ID_UNKNOWN = int(ua.StatusCodes.BadNodeIdUnknown)
BAD_NO_MATCH = int(ua.StatusCodes.BadNoMatch)
BAD_TOO_MANY_MATCHES = int(ua.StatusCodes.BadTooManyMatches)

_WHOLE_PATH = 0xFFFF_FFFF  # RemainingPathIndex of a path that ended in this server
_TOO_LARGE = (
    ua.uaerrors.BadTooManyOperations,
    ua.uaerrors.BadRequestTooLarge,
    ua.uaerrors.BadResponseTooLarge,
    ua.uaerrors.BadEncodingLimitsExceeded,
    ua.uaerrors.BadTcpMessageTooLarge,
)
_MAKE_NODE_ID = {
    "i": ua.NumericNodeId,
    "s": ua.StringNodeId,
    "g": ua.GuidNodeId,
    "b": ua.ByteStringNodeId,
}

Asked = TypeVar("Asked")
Address = NodeAddress | PathAddress


def indexes(namespaces: Sequence[str]) -> dict[str, int]:
    """The index of each URI; of one that stands there twice the first."""
    return {uri: place for place, uri in reversed(list(enumerate(namespaces)))}


def namespaces_of(address: Address) -> tuple[str, ...]:
    """The URIs that an address needs."""
    if isinstance(address, NodeAddress):
        return (address.namespace,)
    return tuple(dict.fromkeys(uri for uri, _ in address.steps))


async def in_blocks(
    asked: Sequence[Asked], ask: Callable[[Sequence[Asked]], Awaitable[Sequence[Any]]], who: str
) -> list[Any]:
    """The server's results for all that is asked, in blocks that it can take.

    Raises `LinkError`, in the name of ``who``, when it answers for more or fewer.
    """
    results: list[Any] = []
    block = PER_CALL
    while len(results) < len(asked):
        part = asked[len(results) : len(results) + block]
        try:
            answered = await ask(part)
        except _TOO_LARGE:
            if block == 1:
                raise
            block = max(1, min(block, len(part)) // 2)
            continue
        if len(answered) != len(part):
            raise LinkError(
                f"{who}: asked for {len(part)} items, the server answered for {len(answered)}",
                "the server breaks the protocol: look for an update of it",
            )
        results += answered
    return results


async def find(
    session: Any, addresses: Mapping[int, Address], namespaces: Sequence[str], who: str
) -> tuple[dict[int, Any], dict[int, int]]:
    """The NodeId of each point's address, and {point: StatusCode} of those that have none."""
    index = indexes(namespaces)
    found: dict[int, Any] = {}
    lost: dict[int, int] = {}
    paths: dict[PathAddress, list[int]] = {}
    for point, address in addresses.items():
        if any(uri not in index for uri in namespaces_of(address)):
            lost[point] = BAD_NODE_ID_UNKNOWN
        elif isinstance(address, NodeAddress):
            found[point] = node_id(address, index)
        else:
            paths.setdefault(address, []).append(point)
    results = await _translate(session, [*paths], index, who)
    for points, (node, status) in zip(paths.values(), results, strict=True):
        for point in points:
            if status:
                lost[point] = status
            else:
                found[point] = node
    return found, lost


def node_id(address: NodeAddress, index: Mapping[str, int]) -> Any:
    """The NodeId of an address whose namespace is there."""
    return _MAKE_NODE_ID[address.kind](address.identifier, index[address.namespace])


async def _translate(
    session: Any, paths: Sequence[PathAddress], index: Mapping[str, int], who: str
) -> Iterable[tuple[Any, int]]:
    wanted = [_browse_path(path, index) for path in paths]
    try:
        results = await in_blocks(wanted, session.translate_browsepaths_to_nodeids, who)
    except ua.UaStatusCodeError as error:  # a small server without this service
        return [(None, int(error.code))] * len(paths)
    return [_target(result) for result in results]


def _browse_path(path: PathAddress, index: Mapping[str, int]) -> Any:
    steps = [
        ua.RelativePathElement(
            ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
            IsInverse=False,
            IncludeSubtypes=True,
            TargetName=ua.QualifiedName(name, index[uri]),
        )
        for uri, name in path.steps
    ]
    return ua.BrowsePath(
        StartingNode=ua.NodeId(ua.ObjectIds.ObjectsFolder), RelativePath=ua.RelativePath(steps)
    )


def _target(result: Any) -> tuple[Any, int]:
    """The one node that a path leads to; a node that is reached by two references is one."""
    if result.StatusCode is not None and not result.StatusCode.is_good():
        return None, int(result.StatusCode.value)
    nodes = {
        target.TargetId for target in result.Targets if target.RemainingPathIndex == _WHOLE_PATH
    }
    if len(nodes) != 1:
        return None, BAD_TOO_MANY_MATCHES if nodes else BAD_NO_MATCH
    (node,) = nodes
    if getattr(node, "ServerIndex", 0) or getattr(node, "NamespaceUri", None):
        return None, BAD_NO_MATCH  # of another server
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType), 0
