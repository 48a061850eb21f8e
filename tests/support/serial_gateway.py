"""A serial line on this machine: a pseudo-terminal with a Modbus TCP server's units behind it.

As a serial gateway does it the other way round. Frames are taken apart and checked here with
nothing of the driver's. Only requests of 8 bytes, which all reads are.
"""

import asyncio
import os
import tty
from typing import Self

_REQUEST_BYTES = 8


def crc(frame: bytes) -> bytes:
    """CRC-16 of Modbus over serial line, low byte first."""
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return bytes([register & 0xFF, register >> 8])


class SerialGateway:
    """Serves the units of the server at ``port``; ``path`` is the line's other end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.requests = 0
        self._received = bytearray()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._master, self._readable)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        os.close(self._master)
        os.close(self._slave)

    def _readable(self) -> None:
        self._received += os.read(self._master, 4096)
        self._arrived.set()

    async def _serve(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while len(self._received) >= _REQUEST_BYTES:
                    frame = bytes(self._received[:_REQUEST_BYTES])
                    del self._received[:_REQUEST_BYTES]
                    assert crc(frame[:-2]) == frame[-2:], "a request with a wrong checksum"
                    self.requests += 1
                    pdu = frame[1:-2]
                    head = self.requests.to_bytes(4, "big")[2:] + b"\0\0"
                    writer.write(head + (len(pdu) + 1).to_bytes(2, "big") + frame[:1] + pdu)
                    length = (await reader.readexactly(6))[4:]
                    answer = await reader.readexactly(int.from_bytes(length, "big"))
                    os.write(self._master, answer + crc(answer))
        finally:
            writer.close()
