"""Items: the monitored items of one device's subscription, kept here and not in the library.

``ClientHandle`` is the point index + 1, for ever; of rows that share an item that of the first.
"""

import contextlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Device
from drivers.opcua.config import AUTO, DeviceOptions
from drivers.opcua.nodes import in_blocks
from drivers.opcua.reading import Reading

BUFFERED_MS = 15_000  # what the queues hold while a connection is lost, noticed and replaced

_LARGEST_QUEUE = 1_000


def queue_size(queue: int, scan_ms: int, publish_interval_ms: int) -> int:
    """How many values the server shall keep for a tag: `AUTO` spans a replaced connection.

    At least 2, so that a value and its correction within one sampling interval both arrive.
    """
    if queue != AUTO:
        return queue
    wanted = math.ceil((publish_interval_ms + BUFFERED_MS) / max(scan_ms, 1))
    return min(max(wanted, 2), _LARGEST_QUEUE)


class Items:
    """The monitored items of one device in one session; ``reading`` knows their nodes."""

    def __init__(self, device: Device, session: Any) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.reading = Reading(device, session)
        self._device = device
        self._options = options
        self._session = session
        self._identifiers: dict[int, int] = {}  # leader: MonitoredItemId

    async def create(self, subscription: int, namespaces: Sequence[str]) -> dict[int, int]:
        """Ask for all items: {point: StatusCode} of those that are refused."""
        return await self._ask(subscription, tuple(self.reading.leaders), namespaces)

    async def retry(self, subscription: int, namespaces: Sequence[str]) -> dict[int, int]:
        """Ask again for what was refused or is gone: those whose StatusCode is another now."""
        leaders = self.reading.refused_leaders
        stale = [self._identifiers.pop(point) for point in leaders if point in self._identifiers]
        if stale:
            old = ua.DeleteMonitoredItemsParameters(
                SubscriptionId=subscription, MonitoredItemIds=stale
            )
            with contextlib.suppress(ua.UaStatusCodeError):  # may have gone with their nodes
                await self._session.delete_monitored_items(old)
        return await self._ask(subscription, leaders, namespaces)

    async def _ask(
        self, subscription: int, leaders: Iterable[int], namespaces: Sequence[str]
    ) -> dict[int, int]:
        nodes, lost = await self.reading.look_up(leaders, namespaces)

        async def create(part: Sequence[tuple[int, Any]]) -> Sequence[Any]:
            answer: Sequence[Any] = await self._session.create_monitored_items(
                ua.CreateMonitoredItemsParameters(
                    SubscriptionId=subscription,
                    TimestampsToReturn=ua.TimestampsToReturn.Both,
                    ItemsToCreate=[self._request(point, node) for point, node in part],
                )
            )
            return answer

        results = await in_blocks([*nodes.items()], create, self._device.name)
        for point, result in zip(nodes, results, strict=True):
            if result.StatusCode.is_good():
                self._identifiers[point] = result.MonitoredItemId
            else:
                lost[point] = result.StatusCode.value
        return self.reading.judge(leaders, lost)

    def _request(self, point: int, node: Any) -> Any:
        tag = self._device.tags[point]
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
