"""Subscription: what the server sends for one device, without gaps and without forgotten items.

One subscription per device, because the publishing interval is the device's, so that a
notification is one device's batch, and because the server numbers the notifications of each
subscription: a missing number is noticed and fetched again (Republish), whether a response was
lost or the connection was replaced. A number that the server no longer has ends the link; a new
session reads everything anew. Sequence numbers of OPC 10000-4, 5.14.1 and 7.26.

The items are ours: ``ClientHandle`` is the point index + 1, for ever. Items that the server
refuses (a PLC that is still booting has not loaded its program) are BAD at once with the server's
code and asked for again by `retry`; so are items whose node was deleted, because not every server
finds a node again by itself when it comes back.
"""

import contextlib
import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Clock, Device, DeviceDown, DeviceUp, Event, LinkError
from drivers.opcua.addresses import NodeAddress, parse
from drivers.opcua.config import AUTO, OpcUaDevice
from drivers.opcua.session import fault_text
from drivers.opcua.values import Columns
from mappings.batch import Batch

KEEP_ALIVE_MS = 5_000  # a subscription without news says so this often
LIFETIME_MS = 60_000  # the server drops one that nobody asks for
BUFFERED_MS = 15_000  # what the queues hold while a connection is lost, noticed and replaced
ITEMS_PER_CALL = 1_000
SILENT_KEEP_ALIVES = 2.5

_LARGEST_QUEUE = 1_000
_LAST_NUMBER = 0xFFFF_FFFF  # after it comes 1
_TOO_LARGE = (
    ua.uaerrors.BadTooManyOperations,
    ua.uaerrors.BadRequestTooLarge,
    ua.uaerrors.BadEncodingLimitsExceeded,
    ua.uaerrors.BadTcpMessageTooLarge,
)
_GONE = frozenset({int(ua.StatusCodes.BadNodeIdUnknown), int(ua.StatusCodes.BadNodeIdInvalid)})
_MAKE_NODE_ID = {
    "i": ua.NumericNodeId,
    "s": ua.StringNodeId,
    "g": ua.GuidNodeId,
    "b": ua.ByteStringNodeId,
}

_log = logging.getLogger(__name__)


def queue_size(queue: int, scan_ms: int, publish_interval_ms: int) -> int:
    """How many values the server shall keep for a tag: `AUTO` spans a replaced connection.

    At least 2, so that a value and its correction within one sampling interval both arrive.
    """
    if queue != AUTO:
        return queue
    wanted = math.ceil((publish_interval_ms + BUFFERED_MS) / max(scan_ms, 1))
    return min(max(wanted, 2), _LARGEST_QUEUE)


def steps_ahead(number: int, expected: int) -> int:
    """How far a sequence number is ahead of the expected one; negative if it was seen before."""
    ahead = (number - expected) % _LAST_NUMBER
    return ahead if ahead < _LAST_NUMBER // 2 else ahead - _LAST_NUMBER


def following(number: int, steps: int = 1) -> int:
    """The sequence number that comes ``steps`` after; 0 is never used."""
    return (number - 1 + steps) % _LAST_NUMBER + 1


class DeviceSubscription:
    """One device's subscription in one session.

    ``heard_at_s`` is when the server last said anything about it, by the link's clock;
    ``silence_s`` how long it may say nothing. ``fetched_again`` counts notifications that were
    lost on their way and came by Republish.
    """

    def __init__(self, device: Device, session: Any, now_ms: Clock) -> None:
        options = device.options
        assert isinstance(options, OpcUaDevice)
        self.device = device.name
        self.identifier = 0
        self.heard_at_s = 0.0
        self.silence_s = math.inf
        self.fetched_again = 0
        self._options = options
        self._tags = device.tags
        self._session = session
        self._now_ms = now_ms
        self._columns = Columns(
            device.name, device.tags, clock=options.time, max_skew_ms=options.max_skew
        )
        self._nodes = [self._node(tag.address) for tag in device.tags]
        self._expected = 1
        self._unreported = set(range(len(device.tags)))
        self._rejected: dict[int, int] = {}  # point: StatusCode
        self._items: dict[int, int] = {}  # point: MonitoredItemId, of those that the server has
        self._up = False
        self._reason = ""

    @property
    def incomplete(self) -> bool:
        """Whether the server refuses some items, so that `retry` has something to do."""
        return bool(self._rejected)

    @property
    def overflows(self) -> int:
        """Values that came marked with a loss in the server's queue."""
        return self._columns.overflows

    def _node(self, address: str) -> NodeAddress:
        node = parse(address, self._options.namespaces)
        if not isinstance(node, NodeAddress):
            raise LinkError(f"{self.device}: {node.seen}", node.remedy)  # check says it earlier
        return node

    async def create(self, namespaces: Sequence[str]) -> list[Event]:
        """Create subscription and items; what is wrong with items is in the events.

        ``namespaces`` is the server's array: a URI's place in it is its index in this session.
        """
        interval_ms = self._options.publish_interval
        keep_alive = max(1, round(KEEP_ALIVE_MS / interval_ms))
        wanted = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=float(interval_ms),
            RequestedLifetimeCount=max(3 * keep_alive, math.ceil(LIFETIME_MS / interval_ms)),
            RequestedMaxKeepAliveCount=keep_alive,
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
            Priority=0,
        )
        try:
            granted = await self._session.create_subscription(wanted, callback=_not_called)
        except ua.UaStatusCodeError as error:
            raise LinkError(
                f"{self.device}: the server refused a subscription ({fault_text(error)})",
                "small PLCs allow few subscriptions and clients: close other clients, or read "
                "with fewer devices on this link",
            ) from error
        self.identifier = granted.SubscriptionId
        keep_alive_ms = granted.RevisedPublishingInterval * max(granted.RevisedMaxKeepAliveCount, 1)
        self.silence_s = SILENT_KEEP_ALIVES * max(keep_alive_ms, 100.0) / 1000
        return await self._add(range(len(self._tags)), namespaces)

    async def retry(self, namespaces: Sequence[str]) -> list[Event]:
        """Ask again for the items that were refused, or whose node went away."""
        points = tuple(self._rejected)
        stale = [self._items.pop(point) for point in points if point in self._items]
        if stale:
            old = ua.DeleteMonitoredItemsParameters(
                SubscriptionId=self.identifier, MonitoredItemIds=stale
            )
            with contextlib.suppress(ua.UaStatusCodeError):  # may have gone with their nodes
                await self._session.delete_monitored_items(old)
        return await self._add(points, namespaces)

    async def take(self, result: Any) -> list[Event]:
        """What a PublishResult of this subscription means, after anything that is missing."""
        message = result.NotificationMessage
        number = message.SequenceNumber
        if not message.NotificationData:
            # A keep-alive carries the number that the next notification will have. Some servers
            # get that wrong, so only what they say they still have is fetched.
            events: list[Event] = []
            while self._expected in (result.AvailableSequenceNumbers or ()):
                events += await self._fetch_expected()
            return events
        ahead = steps_ahead(number, self._expected)
        if ahead < 0:
            return []  # fetched before
        events = []
        while self._expected != number:
            events += await self._fetch_expected()
        return events + self._read(message)

    async def _fetch_expected(self) -> list[Event]:
        """Republish: the notification that is due, out of the server's memory."""
        number = self._expected
        try:
            message = await self._session.republish(self.identifier, number)
        except ua.UaStatusCodeError as error:
            raise self._lost(number, fault_text(error)) from error
        if message.SequenceNumber != number or not message.NotificationData:
            raise self._lost(number, "an empty answer")
        self.fetched_again += 1
        return self._read(message)

    def _lost(self, number: int, cause: str) -> LinkError:
        return LinkError(
            f"{self.device}: notification {number} was lost, and the server has it no more "
            f"({cause})",
            "values of that moment are missing; a new session reads all current ones",
        )

    def _read(self, message: Any) -> list[Event]:
        self._expected = following(message.SequenceNumber)
        events: list[Event] = []
        for part in message.NotificationData:
            if isinstance(part, ua.DataChangeNotification):
                batch = self._columns.batch(part.MonitoredItems, self._now_ms())
                if batch is not None:
                    events.append(batch)
                    self._note(batch)
            elif isinstance(part, ua.StatusChangeNotification) and part.Status.value:
                raise LinkError(
                    f"{self.device}: the server ended the subscription ({part.Status.name})",
                    "its program may have changed, or it has restarted; a new session follows",
                )
        if self._columns.mismatches:
            self._say_mismatches()
        return events + self._came_up()

    def _note(self, batch: Batch) -> None:
        if not self._up:
            self._unreported.difference_update(batch.points)
        if batch.natives is not None and batch.qualities is not None:
            for point, status in zip(batch.points, batch.natives, strict=True):
                if status in _GONE:
                    self._rejected[point] = status

    def _came_up(self) -> list[Event]:
        if self._up or self._unreported:
            return []
        self._up = True
        return [DeviceUp(self.device)]

    async def _add(self, points: Iterable[int], namespaces: Sequence[str]) -> list[Event]:
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
        missing = sorted({self._nodes[point].namespace for point in refused})
        refused |= await self._create_items(wanted)
        return self._refused(refused, [point for point, _ in wanted], missing, namespaces)

    def _refused(
        self,
        refused: dict[int, int],
        asked: Iterable[int],
        missing: Sequence[str],
        namespaces: Sequence[str],
    ) -> list[Event]:
        events: list[Event] = []
        news = {
            point: status
            for point, status in refused.items()
            if self._rejected.get(point) != status
        }
        for point in asked:
            if point not in refused:
                self._rejected.pop(point, None)
        self._rejected |= refused
        if news:
            events.append(self._columns.bad(news, self._now_ms()))
        nothing_there = len(self._rejected) == len(self._tags) and len(missing) > 0
        if missing:
            reason = (
                f"the server has no namespace {' or '.join(missing)}; "
                f"it has {', '.join(namespaces)}"
            )
            remedy = (
                "compare with namespaces: in the plant file; after a restart a PLC may still be "
                "loading its program, so this is asked again"
            )
            if reason != self._reason:
                _log.warning("%s: %s; %s", self.device, reason, remedy)
                if nothing_there and not self._up:
                    events.append(DeviceDown(self.device, reason, remedy))
            self._reason = reason
        if self._up or nothing_there:
            # Down as a whole: the rows are not written for what runs there now.
            return events
        self._unreported.difference_update(refused)
        return events + self._came_up()

    async def _create_items(self, wanted: Sequence[tuple[int, Any]]) -> dict[int, int]:
        """Create monitored items in blocks: {point: StatusCode} of those that were refused."""
        refused: dict[int, int] = {}
        block = ITEMS_PER_CALL
        start = 0
        while start < len(wanted):
            part = wanted[start : start + block]
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=self.identifier,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._item(point, node) for point, node in part],
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
                    f"{self.device}: asked for {len(part)} items, the server answered for "
                    f"{len(results)}",
                    "the server breaks the protocol: look for an update of it",
                )
            for (point, _), result in zip(part, results, strict=True):
                if result.StatusCode.is_good():
                    self._items[point] = result.MonitoredItemId
                else:
                    refused[point] = result.StatusCode.value
            start += len(part)
        return refused

    def _item(self, point: int, node: Any) -> Any:
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

    def _say_mismatches(self) -> None:
        """Once per point and session, so that a changed PLC program does not look like silence."""
        for point, sent in self._columns.mismatches.items():
            tag = self._tags[point]
            _log.warning(
                "%s: %s at %s is %s on the server, the row says %s; it is BAD until the row is "
                "mended",
                self.device,
                tag.name,
                tag.address,
                sent,
                tag.wire_type,
            )
        self._columns.mismatches.clear()


def _not_called(_result: Any) -> None:
    """Keep asyncua content: its own publish loop, which would call this, does not run."""
