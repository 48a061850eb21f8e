"""Link: one session, its subscriptions, and the watch over both.

Three kinds of task feed one inbox, and `OpcUaLink.events` empties it: Publish requests bring
notifications, rejected items are asked for again, and two watches fail the link.

When the connection is lost, asyncua reactivates the same session on a new one. This link gives it
``timeout`` for that. Then the subscriptions are what they were, the numbers of their
notifications show what was sent into the void, and `DeviceSubscription` fetches it: nothing is
recreated, so no item can be forgotten. Anything else ends the link: another session, a
subscription that the server no longer knows, silence longer than two and a half keep-alives
(an answering server may have a dead subscription).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Self

from asyncua import ua
from asyncua.client.ua_client import UaClientState

from drivers.driver import (
    Clock,
    Device,
    DeviceRefusedError,
    Endpoint,
    Event,
    LinkError,
    UnansweredError,
)
from drivers.opcua import session as sessions
from drivers.opcua import writing
from drivers.opcua.config import LinkOptions, is_polled
from drivers.opcua.failures import fault_text
from drivers.opcua.polling import DevicePolling
from drivers.opcua.publishing import Answer, PublishRequests
from drivers.opcua.subscription import DeviceSubscription
from mappings.batch import Batch, Value

RETRY_REJECTED_S = 30.0
MOST_REQUESTS = 10

_WATCH_EVERY_S = 0.25
_FETCH_ATTEMPTS = 5


class _Said:
    """Events that were made elsewhere, and whether they have been taken."""

    __slots__ = ("events", "taken")

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.taken = asyncio.Event()


class OpcUaLink:
    """One session. Entering connects and creates all items; leaving takes a second at most."""

    def __init__(self, endpoint: Endpoint, now_ms: Clock) -> None:
        options = endpoint.options
        assert isinstance(options, LinkOptions)
        self._endpoint = endpoint
        self._timeout_s = options.timeout / 1000
        self._timeout_ms = options.timeout
        self._client = sessions.make_client(endpoint)
        self._session = self._client.uaclient.session
        self._subscriptions = [
            DeviceSubscription(device, self._session, now_ms)
            for device in endpoint.devices
            if not is_polled(device.options)
        ]
        self._polled = [
            DevicePolling(device, self._session, now_ms)
            for device in endpoint.devices
            if is_polled(device.options)
        ]
        devices: list[DeviceSubscription | DevicePolling] = [*self._subscriptions, *self._polled]
        self._by_name = {each.device: each for each in devices}
        self._by_identifier: dict[int, DeviceSubscription] = {}
        self._inbox: asyncio.Queue[Answer | _Said | BaseException] = asyncio.Queue()
        self._requests = PublishRequests(self._client, self._arrived)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connected = asyncio.Event()
        self._failure: BaseException | None = None
        self._first: list[Event] = []

    async def __aenter__(self) -> Self:
        try:
            await sessions.connect(self._client, self._endpoint)
            await self._subscribe()
        except (OSError, TimeoutError, ua.UaError) as error:
            await sessions.close(self._client)
            raise LinkError(
                f"{self._endpoint.url}: the session opened, but {fault_text(error)} while items "
                "were created",
                "a busy server may need a longer timeout",
            ) from error
        except BaseException:
            await sessions.close(self._client)
            raise
        self._connected.set()
        self._start(self._watch_connection())
        self._start(self._watch_silence())
        self._start(self._retry_rejected())
        self._start_publishing()
        for device in self._polled:
            self._start(device.run(self._connected, self._hand_over))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._requests.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._requests.tasks, return_exceptions=True)
        await sessions.close(self._client)

    async def events(self) -> AsyncIterator[Event]:
        """See `drivers.driver.Link`."""
        for event in self._first:
            yield event
        self._first = []
        while True:
            entry = await self._inbox.get()
            if isinstance(entry, BaseException):
                raise entry
            if isinstance(entry, _Said):
                for event in entry.events:
                    yield event
                entry.taken.set()
                continue
            events: list[Event] = []
            failure: LinkError | None = None
            try:
                await self._take(entry.result, events)
            except LinkError as error:
                failure = error
            for event in events:  # what came before the failure is true all the same
                yield event
            if failure is not None:
                raise failure
            entry.taken.set()

    # --- what is asked for, beside the subscriptions ---

    async def write(self, device: str, point: int, value: Value) -> None:
        """See `drivers.driver.WritableLink`."""
        async with self._answered(device):
            namespaces = await self._client.get_namespace_array()
            await writing.write(self._session, self._device(device), point, value, namespaces)

    async def read(self, device: str, point: int) -> Batch:
        """See `drivers.driver.WritableLink`."""
        asked = self._by_name[device]
        async with self._answered(device):
            namespaces = await self._client.get_namespace_array()
            found = await writing.read(self._session, self._device(device), point, namespaces)
            await self._hand_over([])  # what came before it is said before it
        return asked.answered(point, found)

    def _device(self, name: str) -> Device:
        return next(device for device in self._endpoint.devices if device.name == name)

    @contextlib.asynccontextmanager
    async def _answered(self, device: str) -> AsyncIterator[None]:
        """What it means for a request that the server refuses it or says nothing."""
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                yield
        except (ConnectionError, TimeoutError) as error:
            raise UnansweredError(f"the server of {device}: {fault_text(error)}") from error
        except ua.UaStatusCodeError as error:
            seen = f"the server of {device} says {fault_text(error)}"
            raise DeviceRefusedError(seen, "see the server's own log for the reason") from error

    @property
    def overflows(self) -> int:
        """Values that came marked with a loss in the server's queue, all devices together."""
        devices: list[DeviceSubscription | DevicePolling] = [*self._subscriptions, *self._polled]
        return sum(device.overflows for device in devices)

    @property
    def fetched_again(self) -> int:
        """Notifications that were lost on their way and came by Republish."""
        return sum(subscription.fetched_again for subscription in self._subscriptions)

    async def _subscribe(self) -> None:
        namespaces = await self._client.get_namespace_array()
        for subscription in self._subscriptions:
            self._first += await subscription.create(namespaces)
            self._by_identifier[subscription.identifier] = subscription
        for device in self._polled:
            self._first += await device.create(namespaces)

    async def _take(self, result: Any, events: list[Event]) -> None:
        """Add the events of one answer, and of what was missing before it; acknowledge it."""
        subscription = self._by_identifier.get(result.SubscriptionId)
        if subscription is None:
            return  # of nobody we know
        for attempt in range(_FETCH_ATTEMPTS):
            try:
                await subscription.take(result, events)
            except (ConnectionError, TimeoutError) as error:
                # The connection went while something was fetched again.
                if attempt == _FETCH_ATTEMPTS - 1:
                    raise LinkError(
                        f"{self._endpoint.url}: what was lost with the connection could not be "
                        f"fetched again ({fault_text(error)})",
                        "is the network whole? a busy server may need a longer timeout",
                    ) from error
                await self._reconnected()
            else:
                break
        self._requests.acknowledge(subscription.identifier, subscription.taken)
        subscription.taken.clear()

    async def _reconnected(self) -> None:
        await asyncio.sleep(_WATCH_EVERY_S)  # the loss may be noticed a moment later than here
        await self._connected.wait()
        if self._failure is not None:
            raise self._failure

    def _start_publishing(self) -> None:
        """One more request than subscriptions at least (OPC 10000-4, 5.14.5), and one in flight."""
        now_s = asyncio.get_running_loop().time()
        for subscription in self._subscriptions:
            subscription.heard_at_s = now_s
        if not self._subscriptions:
            return  # a server refuses to publish what nobody has subscribed to
        for _ in range(min(len(self._subscriptions) + 2, MOST_REQUESTS)):
            self._requests.start(self._guarded)

    def _arrived(self, answer: Answer) -> None:
        """Note whose answer it is, and leave it to `events`."""
        subscription = self._by_identifier.get(answer.result.SubscriptionId)
        if subscription is not None:
            subscription.heard_at_s = asyncio.get_running_loop().time()
        self._inbox.put_nowait(answer)

    # --- Watches ---

    async def _watch_connection(self) -> None:
        """Publish anew after asyncua has brought the same session back, in time."""
        ours = sessions.token(self._client)
        async with self._client.subscribe_state() as states:
            while True:
                if self._client.state is UaClientState.CONNECTED:
                    await states.next_change()
                    continue
                self._connected.clear()
                self._requests.cancel()
                try:
                    await states.wait_for_state(UaClientState.CONNECTED, timeout=self._timeout_s)
                except TimeoutError:
                    raise LinkError(
                        f"{self._endpoint.url}: the connection was lost and not back within "
                        f"{self._timeout_ms} ms",
                        "is the device on, and the network whole?",
                    ) from None
                if sessions.token(self._client) != ours:
                    raise LinkError(
                        f"{self._endpoint.url}: the server has forgotten the session",
                        "it has restarted, probably; a new session follows",
                    )
                self._start_publishing()
                self._connected.set()

    async def _watch_silence(self) -> None:
        """Fail when a subscription says nothing, not even that it has nothing to say."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            now_s = clock()
            if self._connected.is_set() and not self._requests.tasks:
                self._start_publishing()  # came and went between two looks of the other watch
            for subscription in self._subscriptions:
                if not self._requests.asking or not self._connected.is_set():
                    subscription.heard_at_s = now_s  # a slow reader here, or the other watch's
                elif now_s - subscription.heard_at_s > subscription.silence_s:
                    raise LinkError(
                        f"{self._endpoint.url}: nothing heard of {subscription.device} for "
                        f"{subscription.silence_s:.1f} s, not even a keep-alive",
                        "the server or its subscription hangs; a new session follows",
                    )

    async def _retry_rejected(self) -> None:
        while True:
            await asyncio.sleep(RETRY_REJECTED_S)
            devices: list[DeviceSubscription | DevicePolling]
            devices = [*self._subscriptions, *self._polled]
            incomplete = [device for device in devices if device.incomplete]
            if not incomplete or not self._connected.is_set():
                continue
            with contextlib.suppress(ConnectionError, TimeoutError):  # the next round will do
                namespaces = await self._client.get_namespace_array()
                for device in incomplete:
                    events = await device.retry(namespaces)
                    if events:
                        await self._hand_over(events)

    async def _hand_over(self, events: list[Event]) -> None:
        """Leave events to `events`, and wait until they are taken."""
        said = _Said(events)
        self._inbox.put_nowait(said)
        await said.taken.wait()

    # --- Tasks ---

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """The first task that fails ends the link, with its error."""
        try:
            await work
        except ua.UaStatusCodeError as error:
            self._fail(
                LinkError(
                    f"{self._endpoint.url}: the server refused a request ({fault_text(error)})",
                    "it may have restarted or dropped the session; a new one follows",
                )
            )
        except Exception as error:  # noqa: BLE001  handed on to the reader of events
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            self._inbox.put_nowait(error)
            self._connected.set()  # wakes whoever waits for a connection
