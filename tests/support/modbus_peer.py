"""A Modbus TCP peer written by hand, without pymodbus, that answers as a script says."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Send = Callable[[bytes], None]
Answer = Callable[["Asked", Send], Awaitable[None]]


class Asked:
    """A request as it came, and the right answers to it."""

    def __init__(self, frame: bytes) -> None:
        self.tid, _, _, self.unit, self.code, self.first, self.count = struct.unpack(
            ">HHHBBHH", frame
        )

    def frame(self, body: bytes, *, tid: int | None = None, unit: int | None = None) -> bytes:
        """An answer with this body, from the function code on."""
        return (
            struct.pack(
                ">HHHB",
                self.tid if tid is None else tid,
                0,
                len(body) + 1,
                self.unit if unit is None else unit,
            )
            + body
        )

    def body(self, count: int | None = None, code: int | None = None) -> bytes:
        """Registers whose value is their own address."""
        count = self.count if count is None else count
        words = struct.pack(
            f">{count}H", *(w & 0xFFFF for w in range(self.first, self.first + count))
        )
        return bytes([self.code if code is None else code, len(words)]) + words


class HostilePeer:
    """Listens at a free port; ``answer`` decides what is sent for each request."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.port = 0
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)

        def send(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        try:
            while True:
                await self._answer(Asked(await reader.readexactly(12)), send)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # streams would log a cancelled callback
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
