"""Connection: one request, one answer in raw bytes, whatever carries them.

`Connection` is what the link needs of a TCP connection or a serial line: one transaction at a
time, checked in every field, and an error that says whom it concerns: this request, or all.
"""

import asyncio
import struct
from dataclasses import dataclass
from typing import Protocol

from drivers.modbus.blocks import Block

_TWO = struct.Struct(">HH")
_COUNTED_HEAD = struct.Struct(">HHB")
_COUNTED = frozenset({15, 16})  # these say how many bytes follow
_UNREACHABLE_UNIT = frozenset({0x0A, 0x0B})  # gateway: path unavailable, target did not respond


class NoAnswerError(Exception):
    """The unit did not answer in time, or a gateway says so; str() is one line for people.

    ``by_gateway``: something did answer, so the connection is alive.
    """

    def __init__(self, reason: str, *, by_gateway: bool = False) -> None:
        super().__init__(reason)
        self.by_gateway = by_gateway


class GarbledError(Exception):
    """An answer came that is none to the request; str() says what was wrong with it."""


class RefusedError(Exception):
    """The unit answered with an exception; ``code`` is its Modbus exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """A read, made once and sent at every scan; or with ``data`` a write.

    ``any_transaction``: the server may echo a wrong transaction id. ``data`` is what is written, as
    it is sent: two bytes (function 5, 6), the two masks (22), bits or registers (15, 16).
    """

    unit: int
    code: int
    first: int
    count: int
    any_transaction: bool = False
    data: bytes = b""

    @property
    def body(self) -> bytes:
        """What follows the function code. Source: application protocol 1.1b3, section 6."""
        if not self.data:
            return _TWO.pack(self.first, self.count)
        if self.code in _COUNTED:
            return _COUNTED_HEAD.pack(self.first, self.count, len(self.data)) + self.data
        return self.first.to_bytes(2, "big") + self.data

    @property
    def echo(self) -> bytes:
        """What follows the function code in the answer to a write; empty for a read."""
        if not self.data:
            return b""
        return self.body[:4] if self.code in _COUNTED else self.body

    @property
    def size(self) -> int:
        """Bytes of data in the answer to a read; bytes behind the function code of a write."""
        if self.data:
            return len(self.echo)
        return (self.count + 7) // 8 if self.code in {1, 2} else 2 * self.count

    @property
    def shape(self) -> tuple[int, int, bytes]:
        """What tells its answer from those to other requests of the unit."""
        return self.code, self.size, self.echo

    @classmethod
    def of(cls, unit: int, block: Block, *, any_transaction: bool = False) -> "Request":
        """The request of a block."""
        return cls(unit, block.function_code, block.first, block.count, any_transaction)


class Connection(Protocol):
    """An open connection; see the module."""

    peer: str
    """What it leads to, for people."""
    timeout_s: float
    """How long one answer may take."""
    is_wire: bool
    """Whether units share a wire: one that gives wrong answers is no reason to close it."""

    async def open(self) -> None:
        """Connect, or raise `LinkError`."""
        ...

    def close(self) -> None:
        """Disconnect now."""
        ...

    async def read(self, request: Request) -> bytes:
        """What a unit answers: the bytes behind the byte count, as many as asked for.

        Raises `RefusedError`, `NoAnswerError`, `GarbledError`, which concern this request, and
        `LinkError`, which ends the connection.
        """
        ...

    async def write(self, request: Request) -> None:
        """Send a write, once, and return when the unit has acknowledged it; raises as `read`.

        After `NoAnswerError` and `GarbledError` it may have been done all the same.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Sleep; raise `LinkError` as soon as the connection is lost."""
        ...


async def lost_within(lost: asyncio.Event, seconds: float) -> bool:
    """Sleep; True as soon as the connection is lost."""
    if not lost.is_set():
        try:
            async with asyncio.timeout(seconds):
                await lost.wait()
        except TimeoutError:
            return False
    return True


def checked(request: Request, code: int, raw: bytes) -> bytes:
    """The data of an answer with function ``code`` and ``raw`` behind it, or what is wrong."""
    if code == request.code | 0x80:
        if len(raw) != 1:
            raise GarbledError(f"an exception of {len(raw)} bytes")
        if raw[0] in _UNREACHABLE_UNIT:
            reason = f"the gateway says that unit {request.unit} does not answer"
            raise NoAnswerError(reason, by_gateway=True)
        raise RefusedError(raw[0])
    if code != request.code:
        raise GarbledError(f"function {code} for {request.code}")
    if request.data:
        if raw != request.echo:
            raise GarbledError("with the acknowledgement of another write")
        return raw
    if len(raw) != request.size + 1 or raw[0] != request.size:
        raise GarbledError(f"{len(raw) - 1} bytes of data for {request.size}")
    return raw[1:]
