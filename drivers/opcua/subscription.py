"""Subscription: what the server sends for one device, without gaps.

One subscription per device, because the publishing interval is the device's, so that a
notification is one device's batch, and because the server numbers the notifications of each
subscription: a missing number is noticed and fetched again (Republish), whether a response was
lost or the connection was replaced. A number that the server no longer has ends the link; a new
session reads everything anew. Sequence numbers of OPC 10000-4, 5.14.1 and 7.26.
"""

import logging
import math
from collections.abc import Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Clock, Device, DeviceDown, DeviceUp, Event, LinkError
from drivers.opcua.config import DeviceOptions
from drivers.opcua.items import Items
from drivers.opcua.session import fault_text
from drivers.opcua.values import Columns
from mappings.batch import Batch

KEEP_ALIVE_MS = 5_000  # a subscription without news says so this often
LIFETIME_MS = 60_000  # the server drops one that nobody asks for
SILENT_KEEP_ALIVES = 2.5

_LAST_NUMBER = 0xFFFF_FFFF  # after it comes 1

_log = logging.getLogger(__name__)


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
    lost on their way and came by Republish. ``taken`` are the numbers of notifications that were
    read and may be acknowledged; whoever does that empties it.
    """

    def __init__(self, device: Device, session: Any, now_ms: Clock) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.device = device.name
        self.identifier = 0
        self.heard_at_s = 0.0
        self.silence_s = math.inf
        self.fetched_again = 0
        self.taken: list[int] = []
        self._options = options
        self._tags = device.tags
        self._session = session
        self._now_ms = now_ms
        self._items = Items(device, session)
        self._columns = Columns(
            device.name, device.tags, clock=options.time, max_skew_ms=options.max_skew
        )
        self._expected = 1
        self._unreported = set(range(len(device.tags)))
        self._up = False
        self._reason = ""

    @property
    def incomplete(self) -> bool:
        """Whether the server refuses some items, so that `retry` has something to do."""
        return bool(self._items.refused)

    @property
    def overflows(self) -> int:
        """Values that came marked with a loss in the server's queue."""
        return self._columns.overflows

    async def create(self, namespaces: Sequence[str]) -> list[Event]:
        """Create subscription and items; what is wrong with items is in the events."""
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
        return self._answered(await self._items.create(self.identifier, namespaces), namespaces)

    async def retry(self, namespaces: Sequence[str]) -> list[Event]:
        """Ask again for the items that were refused, or whose node went away."""
        return self._answered(await self._items.retry(self.identifier, namespaces), namespaces)

    async def take(self, result: Any, events: list[Event]) -> None:
        """Add to ``events`` what a PublishResult means, after anything that is missing before it.

        When the connection is lost meanwhile, ConnectionError or TimeoutError; calling again
        with the same result and events goes on where it stopped.
        """
        message = result.NotificationMessage
        number = message.SequenceNumber
        if not message.NotificationData:
            # A keep-alive carries the number that the next notification will have. Some servers
            # get that wrong, so only what they say they still have is fetched.
            while self._expected in (result.AvailableSequenceNumbers or ()):
                await self._fetch_expected(events)
        elif steps_ahead(number, self._expected) < 0:
            self.taken.append(number)  # fetched before
        else:
            while self._expected != number:
                await self._fetch_expected(events)
            self._read(message, events)

    async def _fetch_expected(self, events: list[Event]) -> None:
        """Republish: the notification that is due, out of the server's memory."""
        number = self._expected
        try:
            message = await self._session.republish(self.identifier, number)
        except ua.UaStatusCodeError as error:
            raise self._lost(number, fault_text(error)) from error
        if message.SequenceNumber != number or not message.NotificationData:
            raise self._lost(number, "an empty answer")
        self.fetched_again += 1
        self._read(message, events)

    def _lost(self, number: int, cause: str) -> LinkError:
        return LinkError(
            f"{self.device}: notification {number} was lost, and the server has it no more "
            f"({cause})",
            "values of that moment are missing; a new session reads all current ones",
        )

    def _read(self, message: Any, events: list[Event]) -> None:
        self._expected = following(message.SequenceNumber)
        self.taken.append(message.SequenceNumber)
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
        self._come_up(events)

    def _note(self, batch: Batch) -> None:
        if not self._up:
            self._unreported.difference_update(batch.points)
        if batch.natives is not None:
            self._items.note(batch.points, batch.natives)

    def _come_up(self, events: list[Event]) -> None:
        if not self._up and not self._unreported:
            self._up = True
            events.append(DeviceUp(self.device))

    def _answered(self, refused: dict[int, int], namespaces: Sequence[str]) -> list[Event]:
        """What it means that items were asked for and some, newly, are refused."""
        events: list[Event] = []
        if refused:
            events.append(self._columns.bad(refused, self._now_ms()))
        # Down as a whole: the rows are not written for what runs there now.
        nothing_there = self._items.all_refused and bool(self._items.missing)
        if self._items.missing:
            self._say_missing(namespaces, events, down=nothing_there and not self._up)
        if not nothing_there:
            self._unreported.difference_update(self._items.refused)
            self._come_up(events)
        return events

    def _say_missing(self, namespaces: Sequence[str], events: list[Event], *, down: bool) -> None:
        reason = (
            f"the server has no namespace {' or '.join(self._items.missing)}; "
            f"it has {', '.join(namespaces)}"
        )
        if reason == self._reason:
            return
        self._reason = reason
        remedy = (
            "compare with namespaces: in the plant file; after a restart a PLC may still be "
            "loading its program, so this is asked again"
        )
        if down:
            events.append(DeviceDown(self.device, reason, remedy))
        else:
            _log.warning("%s: %s; %s", self.device, reason, remedy)

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
