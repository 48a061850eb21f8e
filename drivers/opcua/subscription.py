"""Subscription: what the server sends for one device, without gaps.

One subscription per device, because the publishing interval is the device's, so that a
notification is one device's batch, and because the server numbers the notifications of each
subscription: a missing number is noticed and fetched again (Republish), whether a response was
lost or the connection was replaced. A number that the server no longer has ends the link; a new
session reads everything anew. Sequence numbers of OPC 10000-4, 5.14.1 and 7.26.
"""

import math
from collections.abc import Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Clock, Device, Event, LinkError
from drivers.opcua.config import DeviceOptions
from drivers.opcua.failures import fault_text
from drivers.opcua.items import Items
from drivers.opcua.presence import Presence
from mappings.batch import Batch

KEEP_ALIVE_MS = 5_000  # a subscription without news says so this often
LIFETIME_MS = 60_000  # the server drops one that nobody asks for
SILENT_KEEP_ALIVES = 2.5

_LAST_NUMBER = 0xFFFF_FFFF  # after it comes 1


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
        self._session = session
        self._items = Items(device, session)
        self._presence = Presence(device, self._items.reading, now_ms)
        self._expected = 1

    @property
    def incomplete(self) -> bool:
        """Whether the server refuses some items, so that `retry` has something to do."""
        return bool(self._items.reading.refused)

    @property
    def overflows(self) -> int:
        """Values that came marked with a loss in the server's queue."""
        return self._presence.overflows

    def answered(self, point: int, value: Any) -> Batch:
        """What a value means that was asked for: the DataValue of a point's node."""
        return self._presence.answered(self._items.reading.leader_of(point), value)

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
        refused = await self._items.create(self.identifier, namespaces)
        return self._presence.refused(refused, namespaces)

    async def retry(self, namespaces: Sequence[str]) -> list[Event]:
        """Ask again for the items that were refused, or whose node went away."""
        refused = await self._items.retry(self.identifier, namespaces)
        return self._presence.refused(refused, namespaces)

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
        self._presence.vouch(events)

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
                self._presence.take(part.MonitoredItems, events)
            elif isinstance(part, ua.StatusChangeNotification) and part.Status.value:
                raise LinkError(
                    f"{self.device}: the server ended the subscription ({part.Status.name})",
                    "its program may have changed, or it has restarted; a new session follows",
                )


def _not_called(_result: Any) -> None:
    """Keep asyncua content: its own publish loop, which would call this, does not run."""
