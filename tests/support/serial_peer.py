"""A serial line with units of a script behind it: late, dead, noisy, garbled, cut.

The line is a pseudo-terminal, or a TCP stream as device servers make it. Registers hold their own
address, so that every value tells which register it is from. Nothing of the driver's is used.
"""

import asyncio
import os
import struct
import tty
from collections.abc import Callable
from typing import Protocol, Self

from tests.support.serial_gateway import crc

Send = Callable[[bytes], None]


class Behaviour(Protocol):
    """What happens on the line for each request; ``right`` is the answer that belongs to it."""

    def __call__(self, frame: bytes, right: bytes, send: Send) -> None: ...


def answer(frame: bytes) -> bytes:
    """The right answer to a read of registers: their addresses."""
    unit, code, first, count = struct.unpack(">BBHH", frame[:6])
    words = struct.pack(f">{count}H", *(place & 0xFFFF for place in range(first, first + count)))
    body = bytes([unit, code, len(words)]) + words
    return body + crc(body)


class SerialPeer:
    """Units at the end of a line; ``url`` is what the driver opens."""

    def __init__(self, behaviour: Behaviour, *, stream: bool) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.request_size = 8
        """Bytes of each request: 8, or as many as the writes of a test have."""
        self._stream = stream
        self._pending = bytearray()
        self._send: Send = lambda _: None
        self._close: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        if self._stream:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.url = f"rtu+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._close = server.close
            return self
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        loop = asyncio.get_running_loop()
        loop.add_reader(master, lambda: self._take(os.read(master, 4096)))
        self.url = f"rtu://{os.ttyname(slave)}"
        self._send = lambda data: void(os.write(master, data))

        def close() -> None:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)

        self._close = close
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """The adapter is unplugged, or the device server switched off."""
        close, self._close = self._close, lambda: None
        close()
        self._send = lambda _: None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._send = writer.write
        server_close = self._close

        def close() -> None:
            server_close()
            writer.transport.abort()

        self._close = close
        try:
            while data := await reader.read(4096):
                self._take(data)
        except (ConnectionError, asyncio.CancelledError):
            pass  # streams would log a cancelled callback

    def send(self, data: bytes) -> None:
        """Something comes over the line, asked for or not."""
        self._send(data)

    def _take(self, data: bytes) -> None:
        self._pending += data
        while len(self._pending) >= self.request_size:
            frame = bytes(self._pending[: self.request_size])
            del self._pending[: self.request_size]
            assert crc(frame[:-2]) == frame[-2:], "a request with a wrong checksum"
            self.requests.append(frame)
            self.behaviour(frame, answer(frame), self.send)


def void(_: object) -> None:
    """Nothing is made of it."""
