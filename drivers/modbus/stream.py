"""Stream: the bytes of a serial line, carried by a TCP connection (``rtu+tcp://``).

As device servers do it: what they hear on their wire comes as it is, without a header and cut
anywhere.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from drivers.driver import LinkError

CONNECT_TIMEOUT_S = 3.0
"""Long enough for one repeated SYN (after 1 s) to be answered."""


class TcpWire(asyncio.Protocol):
    """An open stream; see `drivers.modbus.line.Wire`."""

    def __init__(self, take: Callable[[bytes], None], lose: Callable[[str], None]) -> None:
        self._take = take
        self._lose = lose
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send frames at once, not when they are many."""
        self._transport = transport
        opened = transport.get_extra_info("socket")
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """What came over the wire."""
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer ended it, or the network did."""
        self._lose(str(exc) if exc else "closed by the other side")

    def write(self, frame: bytes) -> None:
        """Send."""
        self._transport.write(frame)

    def close(self) -> None:
        """End it now."""
        self._transport.abort()


def unreachable(peer: str, error: OSError, service: str) -> LinkError:
    """Why a TCP connection to a device could not be made; ``service`` is what it should offer."""
    check = "is the address right, the device on, no firewall between?"
    if isinstance(error, TimeoutError):
        return LinkError(f"{peer} did not answer within {CONNECT_TIMEOUT_S:g} s", check)
    if isinstance(error, ConnectionRefusedError):
        return LinkError(
            f"{peer} refuses connections", f"is {service} switched on there, on this port?"
        )
    if isinstance(error, socket.gaierror):
        return LinkError(f"{peer}: no such host ({error.strerror})", "check the name or the DNS")
    return LinkError(f"{peer}: {error.strerror or error}", check)


async def open_stream(
    host: str, port: int, take: Callable[[bytes], None], lose: Callable[[str], None]
) -> TcpWire:
    """Connect, or raise `LinkError`."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, wire = await loop.create_connection(lambda: TcpWire(take, lose), host, port)
    except OSError as error:  # TimeoutError is one
        raise unreachable(f"{host}:{port}", error, "RTU over TCP") from None
    return wire
