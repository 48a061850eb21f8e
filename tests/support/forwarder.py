"""A TCP forwarder that a test stands between a client and a server: it cuts, holds and refuses."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

from tests.support.wait import free_port


class Forwarder:
    """Forwards ``port`` to ``target_port`` on the loopback.

    `freeze`: connections stay open, nothing passes, and new ones are accepted but stay mute.
    `cut`: all connections are reset; new ones pass unless `refuse` was called.
    `half_close`: clients are told the end of what they read, and what they say is still passed on.
    ``bytes_per_s``, if set, is how fast each direction of each connection is; ``on_bytes`` is told
    all that passes, in both directions.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.connections = 0
        self.bytes_per_s: float | None = None
        self.on_bytes: Callable[[bytes], None] | None = None
        self._target_port = target_port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._ended: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.admit()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def admit(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    def half_close(self) -> None:
        for writer in tuple(self._clients):
            self._ended.add(writer)
            writer.write_eof()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        self._clients.add(writer)
        pumps = [
            asyncio.create_task(self._pump(reader, back)),
            asyncio.create_task(self._pump(there, writer)),
        ]
        self._tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, back):
            end.transport.abort()
            for known in (self._writers, self._clients, self._ended):
                known.discard(end)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._tasks.difference_update(pumps)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536 if self.bytes_per_s is None else 1_024):
                await self._flowing.wait()
                if writer in self._ended:
                    continue
                if self.bytes_per_s is not None:
                    await asyncio.sleep(len(chunk) / self.bytes_per_s)
                if self.on_bytes is not None:
                    self.on_bytes(chunk)
                writer.write(chunk)
                await writer.drain()
