"""A model of brokers and the ways to them: as MQTT says, with latency, cuts, freezes and kills.

`Door` stands where `bridge.mqtt.Connection` is opened. What a broker has read is in `Broker.log`,
which is all that any host could ever have seen.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

from bridge.mqtt import ConnectionLost, Server, Will
from bridge.sparkplug.rules import Packet
from tests.world.virtual_time import VirtualClock

LATENCY_S = 0.02
GAP = None


class Broker:
    """One server: its retained messages, its sessions, and everything that it has read."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.log: list[Packet | None] = []
        self.up = True
        self.reachable = True
        self.frozen = False
        self.retained: dict[str, bytes] = {}
        self.links: dict[str, Link] = {}
        self._held: list[Callable[[], None]] = []

    def kill(self) -> None:
        """Gone, with all sessions and no Will."""
        self.up = False
        self._held.clear()
        self.log.append(GAP)
        links, self.links = list(self.links.values()), {}
        for link in links:
            link.lost("killed")

    def thaw(self) -> None:
        self.frozen = False
        held, self._held = self._held, []
        for work in held:
            work()

    def work(self, do: Callable[[], None]) -> None:
        """Do something, or when it is thawed."""
        if self.frozen:
            self._held.append(do)
        elif self.up:
            do()

    def enter(self, link: "Link") -> None:
        """A CONNECT; another session of this client ends."""
        before = self.links.pop(link.client_id, None)
        if before is not None:
            self.bury(before)
            before.lost("taken over")
        self.links[link.client_id] = link

    def bury(self, link: "Link") -> None:
        """The end of a session without DISCONNECT."""
        if self.links.get(link.client_id) is link:
            del self.links[link.client_id]
        if link.will is not None and not link.said_goodbye:
            self.publish(link.will.topic, link.will.payload, 1, retain=False)

    def publish(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Read a message, and pass it on to who has subscribed."""
        if retain:
            self.retained[topic] = payload
        self.log.append(Packet(topic, payload, qos, False, self.clock.now_ms()))
        for link in list(self.links.values()):
            if any(_matches(filter_, topic) for filter_ in link.filters):
                link.deliver(topic, payload, retained=False)


class Link:
    """The client's side of one connection; the interface of `bridge.mqtt.Connection`."""

    largest_packet = None
    unsent_bytes = 0

    def __init__(
        self,
        broker: Broker,
        server: Server,
        client_id: str,
        will: Will | None,
        keep_alive_s: int,
        on_message: Callable[[str, bytes, bool], None],
    ) -> None:
        self.server = server
        self.client_id = client_id
        self.will = will
        self.filters: list[str] = []
        self.said_goodbye = False
        self._broker = broker
        self._keep_alive_s = keep_alive_s
        self._on_message = on_message
        self._cut = False
        self._up: deque[Callable[[], None]] = deque()
        self._down: deque[Callable[[], None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[ConnectionLost] = self._loop.create_future()
        self._fences: list[asyncio.Future[None]] = []

    # --- the way there and back -------------------------------------------------------------------

    def _later(self, do: Callable[[], None]) -> None:
        """At the broker, if the line still holds when it gets there; in the order of sending."""
        self._up.append(do)

        def arrive() -> None:
            first = self._up.popleft()  # timers of one moment come in no order
            if not self._cut:
                self._broker.work(first)

        self._loop.call_later(LATENCY_S, arrive)

    def _back(self, do: Callable[[], None]) -> None:
        """At the client, likewise."""
        self._down.append(do)

        def arrive() -> None:
            first = self._down.popleft()
            if not self._cut:
                first()

        self._loop.call_later(LATENCY_S, arrive)

    def deliver(self, topic: str, payload: bytes, *, retained: bool) -> None:
        def arrive() -> None:
            if not self._end.done():
                self._on_message(topic, payload, retained)

        self._back(arrive)

    def cut(self) -> None:
        """The line breaks without a word: each side notices by silence."""
        if self._cut:
            return
        self._cut = True
        self._loop.call_later(self._keep_alive_s, lambda: self.lost("silent"))
        self._loop.call_later(
            1.5 * self._keep_alive_s, lambda: self._broker.work(lambda: self._broker.bury(self))
        )

    def lost(self, why: str) -> None:
        if not self._end.done():
            self._end.set_result(ConnectionLost(why))
        for fence in self._fences:
            if not fence.done():
                fence.set_exception(ConnectionLost(why))
                fence.exception()

    # --- bridge.mqtt.Connection -------------------------------------------------------------------

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        answer: asyncio.Future[None] = self._loop.create_future()
        self._fences.append(answer)

        def granted() -> None:
            self.filters += [name for name, _ in filters]
            for topic, payload in self._broker.retained.items():
                if any(_matches(name, topic) for name, _ in filters):
                    self.deliver(topic, payload, retained=True)
            self._answer(answer)

        self._later(granted)
        await answer

    def publish(self, topic: str, payload: bytes) -> None:
        if self._end.done():
            raise self._end.result().again()
        self._later(lambda: self._read(topic, payload))

    def _read(self, topic: str, payload: bytes) -> None:
        if self._broker.links.get(self.client_id) is self:
            self._broker.publish(topic, payload)

    def send_fence(self) -> "asyncio.Future[None]":
        if self._end.done():
            raise self._end.result().again()
        answer: asyncio.Future[None] = self._loop.create_future()
        self._fences.append(answer)
        self._later(lambda: self._answer(answer))
        return answer

    def _answer(self, answer: "asyncio.Future[None]") -> None:
        def arrive() -> None:
            if not answer.done():
                answer.set_result(None)
                self._fences.remove(answer)

        self._back(arrive)

    async def fence(self) -> None:
        await self.send_fence()

    @property
    def is_open(self) -> bool:
        return not self._end.done()

    async def closed(self) -> ConnectionLost:
        return await asyncio.shield(self._end)

    async def disconnect(self, timeout_s: float) -> bool:
        delivered = False
        try:
            async with asyncio.timeout(timeout_s):
                await self.fence()
                delivered = True
                self.said_goodbye = True
        except (TimeoutError, ConnectionLost):
            pass
        self.abort()
        return delivered

    def abort(self) -> None:
        if self._end.done():
            return
        self.lost("closed by this side")
        self._later(lambda: self._broker.bury(self))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()


class Door:
    """Where connections are opened: `Connection.open` of a world with these brokers."""

    def __init__(self, brokers: dict[str, Broker]) -> None:
        self._brokers = brokers

    async def open(self, server: Server, **given: Any) -> Link:
        broker = self._brokers[server.host]
        await asyncio.sleep(LATENCY_S)
        if not broker.reachable:
            await asyncio.sleep(given["timeout_s"])
            raise ConnectionLost("no answer", connect_sent=False)
        if not broker.up:
            raise ConnectionLost("nothing listens there", connect_sent=False)
        link = Link(
            broker, server, given["client_id"], given["will"], given["keep_alive_s"],
            given["on_message"],
        )  # fmt: skip
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def enter() -> None:
            broker.enter(link)
            if not accepted.done():
                accepted.set_result(None)

        broker.work(enter)
        try:
            async with asyncio.timeout(given["timeout_s"]):
                await accepted
        except TimeoutError:
            link.abort()
            raise ConnectionLost("no answer") from None
        return link


def _matches(filter_: str, topic: str) -> bool:
    wanted, levels = filter_.split("/"), topic.split("/")
    return len(wanted) == len(levels) and all(
        a in {"+", b} for a, b in zip(wanted, levels, strict=True)
    )
