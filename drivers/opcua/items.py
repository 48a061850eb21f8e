"""Items: what one device's subscription watches, kept here and not in the library.

``ClientHandle`` is the point index + 1, for ever. A node is looked up by its namespace's URI in
each session, since indexes move. What the server refuses is remembered with its StatusCode and
asked for again by `retry`: a PLC that is still booting has not loaded its program. So is a node
that was deleted, because not every server finds one again by itself when it comes back.
"""

import contextlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Device, LinkError
from drivers.opcua.addresses import NodeAddress, parse
from drivers.opcua.config import AUTO, DeviceOptions

BUFFERED_MS = 15_000  # what the queues hold while a connection is lost, noticed and replaced
ITEMS_PER_CALL = 1_000

_LARGEST_QUEUE = 1_000
_GONE = frozenset({int(ua.StatusCodes.BadNodeIdUnknown), int(ua.StatusCodes.BadNodeIdInvalid)})
_TOO_LARGE = (
    ua.uaerrors.BadTooManyOperations,
    ua.uaerrors.BadRequestTooLarge,
    ua.uaerrors.BadEncodingLimitsExceeded,
    ua.uaerrors.BadTcpMessageTooLarge,
)
_MAKE_NODE_ID = {
    "i": ua.NumericNodeId,
    "s": ua.StringNodeId,
    "g": ua.GuidNodeId,
    "b": ua.ByteStringNodeId,
}


def queue_size(queue: int, scan_ms: int, publish_interval_ms: int) -> int:
    """How many values the server shall keep for a tag: `AUTO` spans a replaced connection.

    At least 2, so that a value and its correction within one sampling interval both arrive.
    """
    if queue != AUTO:
        return queue
    wanted = math.ceil((publish_interval_ms + BUFFERED_MS) / max(scan_ms, 1))
    return min(max(wanted, 2), _LARGEST_QUEUE)


class Items:
    """The monitored items of one device in one session.

    ``refused`` is {point: StatusCode} of those that the server does not have; ``missing`` the
    namespaces that rows need and the server did not have when it was last asked.
    """

    def __init__(self, device: Device, session: Any) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.refused: dict[int, int] = {}
        self.missing: tuple[str, ...] = ()
        self._device = device.name
        self._options = options
        self._tags = device.tags
        self._session = session
        self._nodes = [self._node(tag.address) for tag in device.tags]
        self._identifiers: dict[int, int] = {}  # point: MonitoredItemId

    @property
    def all_refused(self) -> bool:
        """Whether the server has not one of them."""
        return len(self.refused) == len(self._tags)

    def note(self, points: Iterable[int], natives: Iterable[int]) -> None:
        """Remember the nodes that a notification says are gone."""
        for point, status in zip(points, natives, strict=True):
            if status in _GONE:
                self.refused[point] = status

    async def create(self, subscription: int, namespaces: Sequence[str]) -> dict[int, int]:
        """Ask for all items: {point: StatusCode} of those that are refused.

        ``namespaces`` is the server's array: a URI's place in it is its index in this session.
        """
        return await self._ask(subscription, range(len(self._tags)), namespaces)

    async def retry(self, subscription: int, namespaces: Sequence[str]) -> dict[int, int]:
        """Ask again for what was refused or is gone: those whose StatusCode is another now."""
        points = tuple(self.refused)
        stale = [self._identifiers.pop(point) for point in points if point in self._identifiers]
        if stale:
            old = ua.DeleteMonitoredItemsParameters(
                SubscriptionId=subscription, MonitoredItemIds=stale
            )
            with contextlib.suppress(ua.UaStatusCodeError):  # may have gone with their nodes
                await self._session.delete_monitored_items(old)
        return await self._ask(subscription, points, namespaces)

    async def _ask(
        self, subscription: int, points: Iterable[int], namespaces: Sequence[str]
    ) -> dict[int, int]:
        index = {uri: place for place, uri in reversed(list(enumerate(namespaces)))}
        wanted: list[tuple[int, Any]] = []
        refused: dict[int, int] = {}
        for point in points:
            node = self._nodes[point]
            place = index.get(node.namespace)
            if place is None:
                refused[point] = int(ua.StatusCodes.BadNodeIdUnknown)
            else:
                wanted.append((point, _MAKE_NODE_ID[node.kind](node.identifier, place)))
        self.missing = tuple(sorted({self._nodes[point].namespace for point in refused}))
        refused |= await self._create(subscription, wanted)
        news = {
            point: status for point, status in refused.items() if self.refused.get(point) != status
        }
        for point, _ in wanted:
            if point not in refused:
                self.refused.pop(point, None)
        self.refused |= refused
        return news

    async def _create(self, subscription: int, wanted: Sequence[tuple[int, Any]]) -> dict[int, int]:
        """In blocks, halved when the server finds them too large."""
        refused: dict[int, int] = {}
        block = ITEMS_PER_CALL
        start = 0
        while start < len(wanted):
            part = wanted[start : start + block]
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=subscription,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._request(point, node) for point, node in part],
            )
            try:
                results = await self._session.create_monitored_items(parameters)
            except _TOO_LARGE:
                if block == 1:
                    raise
                block = max(1, min(block, len(part)) // 2)
                continue
            if len(results) != len(part):
                raise LinkError(
                    f"{self._device}: asked for {len(part)} items, the server answered for "
                    f"{len(results)}",
                    "the server breaks the protocol: look for an update of it",
                )
            for (point, _), result in zip(part, results, strict=True):
                if result.StatusCode.is_good():
                    self._identifiers[point] = result.MonitoredItemId
                else:
                    refused[point] = result.StatusCode.value
            start += len(part)
        return refused

    def _request(self, point: int, node: Any) -> Any:
        tag = self._tags[point]
        size = queue_size(self._options.queue, tag.scan_ms, self._options.publish_interval)
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=point + 1,
                SamplingInterval=float(tag.scan_ms),
                QueueSize=size,
                DiscardOldest=True,
            ),
        )

    def _node(self, address: str) -> NodeAddress:
        node = parse(address, self._options.namespaces)
        if not isinstance(node, NodeAddress):
            raise LinkError(f"{self._device}: {node.seen}", node.remedy)  # check says it earlier
        return node
