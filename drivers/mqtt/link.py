"""Link: one session at a broker, its devices, and the clock that watches them.

Messages are put into an inbox as they arrive, and read when `MqttLink.events` is asked: whoever
takes events slowly stops the reading of the socket, and the broker keeps what is to come.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from drivers.driver import Clock, Endpoint, Event, LinkError
from drivers.mqtt.config import LinkOptions
from drivers.mqtt.server import Server
from drivers.mqtt.session import Session
from drivers.mqtt.source import Source
from drivers.tls import Tls, TlsError, context_of

RETRY_REFUSED_S = 30.0
MOST_WAITING = 1_000
"""So many messages in the inbox stop the reading."""

_TICK_S = 0.25
_log = logging.getLogger(__name__)


class MqttLink:
    """One session. Entering connects and subscribes; leaving takes half a second at most."""

    def __init__(self, endpoint: Endpoint, now_ms: Clock) -> None:
        options = endpoint.options
        assert isinstance(options, LinkOptions)
        self._endpoint = endpoint
        self._options = options
        self._now_ms = now_ms
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[tuple[str, bytes, bool, int]] = deque()
        self._wake = asyncio.Event()
        self._refused: list[tuple[str, int]] = []
        self._session: Session | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.sources = [Source(device, self._loop.time()) for device in endpoint.devices]
        self._listeners: defaultdict[str, list[Source]] = defaultdict(list)
        for source in self.sources:
            for topic in source.topics:
                self._listeners[topic].append(source)

    async def __aenter__(self) -> Self:
        options = self._options
        server = self._server()
        context = None
        if server.tls:
            ca = Path(self._endpoint.plant).parent / options.tls.ca if options.tls else None
            try:
                context = await asyncio.to_thread(
                    context_of, Tls(ca=ca, identity=self._endpoint.identity)
                )
            except TlsError as error:
                raise LinkError(f"{server}: {error.seen}", error.remedy) from error
        session = Session(
            server,
            client_id=options.client_id,
            keep_alive_s=options.keep_alive // 1000,
            login=self._endpoint.login,
            context=context,
            on_message=self._arrived,
            on_end=self._wake.set,
        )
        try:
            await session.connect(options.timeout / 1000)
            self._session = session
            await self._subscribe([(topic, self._qos(topic)) for topic in self._listeners])
        except BaseException:
            await session.close()
            raise
        self._tasks = [asyncio.create_task(work) for work in (self._tick(), self._retry_refused())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def events(self) -> AsyncIterator[Event]:
        """See `drivers.driver.Link`."""
        session = self._session
        assert session is not None
        due_s = 0.0
        while True:
            self._wake.clear()
            while self._inbox:
                for event in self._read(*self._inbox.popleft()):
                    yield event
            session.resume()
            now_s = self._loop.time()
            if now_s >= due_s:
                due_s = now_s + _TICK_S
                for event in self._watch():
                    yield event
            if session.failure is not None and not self._inbox:
                raise session.failure
            await self._wake.wait()

    def _server(self) -> Server:
        try:
            server = Server.parse(self._endpoint.url)
        except ValueError as error:
            raise LinkError(str(error), "write mqtts://HOST or mqtts://HOST:PORT") from error
        # Where only this machine can listen, a plant may be tried against simulators.
        elsewhere = server.host not in {"127.0.0.1", "::1", "localhost"}
        if elsewhere and not server.tls and (self._options.tls or self._endpoint.identity):
            raise LinkError(
                f"{server}: certificates are configured, and mqtt:// does not use them",
                "write mqtts://, or remove tls: and the certificate of login:",
            )
        return server

    def _arrived(self, topic: str, payload: bytes, retained: bool) -> None:
        self._inbox.append((topic, payload, retained, self._now_ms()))
        self._wake.set()
        if len(self._inbox) >= MOST_WAITING and self._session is not None:
            self._session.pause()

    def _read(self, topic: str, payload: bytes, retained: bool, at_ms: int) -> Iterator[Event]:
        at_s = self._loop.time()
        for source in self._listeners.get(topic, ()):
            yield from source.take(topic, payload, retained=retained, now_ms=at_ms, at_s=at_s)
            self._say(source)

    def _watch(self) -> Iterator[Event]:
        now_ms, at_s = self._now_ms(), self._loop.time()
        for source in self.sources:
            mine = [topic for topic, _ in self._refused if source in self._listeners[topic]]
            yield from source.refused(mine, now_ms, at_s)
            yield from source.tick(now_ms, at_s)
            self._say(source)

    def _say(self, source: Source) -> None:
        for note in source.notes:
            _log.warning("%s: %s", source.name, note)
        source.notes.clear()

    def _qos(self, topic: str) -> int:
        return max(source.qos for source in self._listeners[topic])

    async def _subscribe(self, topics: list[tuple[str, int]]) -> None:
        assert self._session is not None
        refused = set(await self._session.subscribe(topics, self._options.timeout / 1000))
        self._refused = [(topic, qos) for topic, qos in topics if topic in refused]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._wake.set()

    async def _retry_refused(self) -> None:
        with suppress(LinkError):  # `events` says it
            while True:
                await asyncio.sleep(RETRY_REFUSED_S)
                if self._refused:
                    await self._subscribe(self._refused)
