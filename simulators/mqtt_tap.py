"""A tap between nodes and a broker: passes every byte, and tells what a session is made of.

An MQTT reader of its own, for 3.1.1 and 5, that knows no more than what the rules about sessions
need (`bridge.sparkplug.session_rules`). Who connects to ``port`` is connected to the broker; what
cannot be read as MQTT is passed on all the same and told no more.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Self

from bridge.sparkplug.rules import Packet
from bridge.sparkplug.session_rules import (
    Accepted,
    Connect,
    Ended,
    Event,
    Received,
    Sent,
    Subscribe,
)
from simulators.clock import wall_clock_ms

_CONNECT, _CONNACK, _PUBLISH, _SUBSCRIBE, _DISCONNECT = 1, 2, 3, 8, 14
_EXPIRY = 17  # MQTT 5: the property Session Expiry Interval
_LARGEST = 64 << 20
# Length of an MQTT 5 property by its number; 0: two bytes of length, 1 pair of such, -1 a varint.
_WIDTHS = {
    1: 1, 2: 4, 3: 0, 8: 0, 9: 0, 11: -1, 17: 4, 18: 0, 19: 2, 21: 0, 22: 0, 23: 1, 24: 4, 25: 1,
    26: 0, 28: 0, 31: 0, 33: 2, 34: 2, 35: 2, 36: 1, 37: 1, 38: -2, 39: 4, 40: 1, 41: 1, 42: 1,
}  # fmt: skip


class _Cursor:
    """Reads fields out of one packet; raises IndexError or ValueError beyond its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError("cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def block(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        return self.block().decode("utf-8", "replace")

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    def properties(self) -> dict[int, int]:
        """Those that are numbers."""
        end = self.varint() + self.at
        found: dict[int, int] = {}
        while self.at < end:
            kind = self.varint()
            width = _WIDTHS[kind]
            if width > 0:
                found[kind] = self.number(width)
            elif width == -1:
                found[kind] = self.varint()
            else:
                for _ in range(2 if width == -2 else 1):
                    self.block()
        return found

    @property
    def rest(self) -> bytes:
        return self.data[self.at :]


class _Stream:
    """One direction's bytes as packets: the first byte and the body of each."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self._buffer += data
        while (found := self._packet()) is not None:
            yield found

    def _packet(self) -> tuple[int, bytes] | None:
        length = shift = 0
        for at in range(1, 5):
            if at >= len(self._buffer):
                return None
            byte = self._buffer[at]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        else:
            raise ValueError("no length of MQTT")
        end = at + 1 + length
        if length > _LARGEST:
            raise ValueError("too large")
        if len(self._buffer) < end:
            return None
        first, body = self._buffer[0], bytes(self._buffer[at + 1 : end])
        del self._buffer[:end]
        return first, body


class Session:
    """What one connection's bytes say, as events for the rules."""

    def __init__(self, link: int, server: str, now_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._link = link
        self._server = server
        self._now_ms = now_ms
        self._level = 4
        self._up, self._down = _Stream(), _Stream()
        self._reason: int | None = None
        self._readable = True

    def sent(self, data: bytes) -> list[Event]:
        """Bytes from the node."""
        return self._read(self._up, data, up=True)

    def received(self, data: bytes) -> list[Event]:
        """Bytes from the broker."""
        return self._read(self._down, data, up=False)

    def ended(self) -> Event:
        """The connection has ended."""
        return Ended(link=self._link, time_ms=self._now_ms(), reason=self._reason)

    def _read(self, stream: _Stream, data: bytes, *, up: bool) -> list[Event]:
        found: list[Event] = []
        try:
            for first, body in stream.feed(data) if self._readable else ():
                event = self._event(first, _Cursor(body), up=up)
                if event is not None:
                    found.append(event)
        except (ValueError, IndexError, KeyError):
            self._readable = False
        return found

    def _event(self, first: int, body: _Cursor, *, up: bool) -> Event | None:
        kind = first >> 4
        if kind == _PUBLISH:
            make = Sent if up else Received
            return make(link=self._link, time_ms=self._now_ms(), packet=self._publish(first, body))
        if kind == _CONNACK and not up and body.data[1] == 0:
            return Accepted(link=self._link, time_ms=self._now_ms())
        if not up:
            return None
        if kind == _CONNECT:
            return self._connect(body)
        if kind == _SUBSCRIBE:
            return self._subscribe(body)
        if kind == _DISCONNECT:
            self._reason = body.data[0] if body.data else 0
        return None

    def _connect(self, body: _Cursor) -> Connect:
        body.block()
        self._level, flags = body.number(1), body.number(1)
        body.number(2)
        properties = body.properties() if self._level >= 5 else {}
        client_id = body.text()
        will = None
        if flags & 0x04:
            if self._level >= 5:
                body.properties()
            topic, payload = body.text(), body.block()
            will = Packet(topic, payload, flags >> 3 & 3, bool(flags & 0x20), self._now_ms())
        return Connect(
            link=self._link, time_ms=self._now_ms(), server=self._server, client_id=client_id,
            level=self._level, clean=bool(flags & 2), expiry_s=properties.get(_EXPIRY, 0),
            will=will,
        )  # fmt: skip

    def _subscribe(self, body: _Cursor) -> Subscribe:
        body.number(2)
        if self._level >= 5:
            body.properties()
        filters = []
        while body.rest:
            filters.append((body.text(), body.number(1) & 3))
        return Subscribe(link=self._link, time_ms=self._now_ms(), filters=tuple(filters))

    def _publish(self, first: int, body: _Cursor) -> Packet:
        topic, qos = body.text(), first >> 1 & 3
        if qos:
            body.number(2)
        if self._level >= 5:
            body.properties()
        return Packet(topic, body.rest, qos, bool(first & 1), self._now_ms())


class MqttTap:
    """A port that leads to a broker; ``on_event`` is told what passes, in its order."""

    def __init__(
        self,
        host: str,
        port: int,
        on_event: Callable[[Event], None],
        *,
        listen: int = 0,
        links: Iterator[int] | None = None,
    ) -> None:
        self.port = listen
        self._broker = (host, port)
        self._on_event = on_event
        self._links = links if links is not None else itertools.count(1)
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pair, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._pairs:
            task.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)
        try:
            broker_reader, broker_writer = await asyncio.open_connection(*self._broker)
        except OSError:
            writer.close()
            return
        host, port = self._broker
        session = Session(next(self._links), f"{host}:{port}")
        ways = [
            asyncio.create_task(self._pass(reader, broker_writer, session.sent)),
            asyncio.create_task(self._pass(broker_reader, writer, session.received)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            broker_writer.close()
            self._on_event(session.ended())

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        read: Callable[[bytes], list[Event]],
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                for event in read(data):
                    self._on_event(event)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
