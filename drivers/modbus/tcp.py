"""TCP: one Modbus TCP connection, one request at a time, answers in raw bytes.

The door to pymodbus, which connects, frames and matches transactions. What is different here:

- No retries, no reconnecting: the bridge does that.
- `read` sends and waits itself. pymodbus's ``execute`` waits by `asyncio.wait_for`, which in
  Python 3.11 swallows a cancellation that comes together with the answer: a link that somebody
  left would go on for ever. It also closes the connection after a few timeouts, although other
  units may answer, and lets a request wait for its timeout when the connection is lost.
- Its decoder is replaced (`_RawDecoder`): a response stays bytes, because plans decode a whole
  block at once 8 times faster than it makes a list of registers, and a hostile response cannot
  raise inside the event loop.
- It accepts transaction id 0, any function code and any length as an answer, so `read` checks
  all of these itself. It forgets half an answer when it sends the next request, and would take
  the other half for a new one; a connection with pieces in its buffer is given up.

With transaction ids that mean nothing (``transaction_id: ignore``) a late answer looks like the
next one, as on a serial line; after a timeout such a connection is given up too.
"""

import asyncio
import logging
import struct
from typing import Any

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import DecodePDU, ModbusPDU

from drivers.driver import LinkError
from drivers.modbus.connection import GarbledError, NoAnswerError, Request, checked, lost_within
from drivers.modbus.stream import CONNECT_TIMEOUT_S, unreachable

# What it would say (a timeout, a foreign answer) is reported as events and errors of the link.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

_HEADER = struct.Struct(">HHH")  # MBAP: transaction, protocol (0), length of what follows


class _RawRequest(ModbusPDU):  # type: ignore[misc]  # pymodbus is not followed
    """A request whose bytes were made here, as those of a serial line are."""

    def __init__(self, request: Request) -> None:
        super().__init__(dev_id=request.unit)
        self.function_code = request.code
        self._body = request.body

    def encode(self) -> bytes:
        """What follows the function code."""
        return self._body


class _RawResponse(ModbusPDU):  # type: ignore[misc]  # pymodbus is not followed
    """A response as it came: ``function_code`` and the bytes behind it, ``raw``."""

    raw: bytes = b""


class _RawDecoder(DecodePDU):  # type: ignore[misc]  # pymodbus is not followed
    """Takes the place of pymodbus's decoder on the client's side; never raises."""

    def decode(self, frame: bytes) -> ModbusPDU:
        """Keep the bytes; ``frame`` begins with the function code and is never empty."""
        response = _RawResponse()
        response.function_code = frame[0]
        response.raw = frame[1:]
        return response


class TcpConnection:
    """A `drivers.modbus.connection.Connection` by pymodbus; ``pause_s`` before each request."""

    is_wire = False

    def __init__(self, host: str, port: int, timeout_s: float, pause_s: float = 0.0) -> None:
        self.peer = f"{host}:{port}"
        self.timeout_s = timeout_s
        self._pause_s = pause_s
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Any] | None = None
        self._lost = asyncio.Event()
        self._client = AsyncModbusTcpClient(
            host,
            port=port,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._connected,
        )
        self._client.ctx.framer.decoder = _RawDecoder(is_server=False)

    async def open(self) -> None:
        """Connect, or raise `LinkError`."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                # Not client.connect(): that says False and keeps the reason to itself.
                await self._client.ctx.call_create()
        except OSError as error:  # TimeoutError is one
            raise unreachable(self.peer, error, "Modbus TCP") from None

    def close(self) -> None:
        """Disconnect now; says nothing to the peer but that."""
        self._client.close()

    async def read(self, request: Request) -> bytes:
        """See `drivers.modbus.connection.Connection`."""
        return await self._asked(request)

    async def write(self, request: Request) -> None:
        """See `drivers.modbus.connection.Connection`."""
        await self._asked(request)

    async def _asked(self, request: Request) -> bytes:
        if self._pause_s:
            await self.wait(self._pause_s)
        if self._lost.is_set():
            raise self._gone()
        if self._client.ctx.recv_buffer:
            raise self._out_of_step()
        ctx: Any = self._client.ctx
        pdu = _RawRequest(request)
        pdu.transaction_id = ctx.getNextTID()
        self._answer = ctx.response_future = self._loop.create_future()
        ctx.pdu_send(pdu)
        if request.any_transaction:
            ctx.request_transaction_id = 0  # what pymodbus takes for "any"
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self._answer
        except TimeoutError:
            if ctx.recv_buffer:
                raise self._out_of_step() from None
            seen = f"unit {pdu.dev_id} at {self.peer} did not answer within {self.timeout_s:g} s"
            if request.any_transaction:
                remedy = "with transaction_id: ignore a late answer would be taken for another"
                raise LinkError(seen, remedy) from None
            raise NoAnswerError(seen) from None
        except ConnectionResetError:
            raise self._gone() from None
        finally:
            self._answer = None
        if response.transaction_id != pdu.transaction_id and not request.any_transaction:
            raise GarbledError("a transaction id that was not asked for")
        if response.dev_id != pdu.dev_id:
            raise GarbledError(f"unit {response.dev_id} answers for unit {pdu.dev_id}")
        raw = checked(request, response.function_code, response.raw)
        last_tid = 0xFFFF if request.any_transaction else pdu.transaction_id
        if ctx.recv_buffer and not _are_frames(ctx.recv_buffer, last_tid):
            # The end of a late answer: its begin may have completed a cut one, this one.
            raise self._out_of_step()
        return raw

    async def wait(self, seconds: float) -> None:
        """Sleep; raise `LinkError` as soon as the connection is lost."""
        if await lost_within(self._lost, seconds):
            raise self._gone()

    def _connected(self, connected: bool) -> None:
        if connected:
            return
        self._lost.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def _gone(self) -> LinkError:
        return LinkError(
            f"{self.peer} closed the connection",
            "did it restart? Many devices allow few connections at once: is another master on it?",
        )

    def _out_of_step(self) -> LinkError:
        return LinkError(
            f"{self.peer} sent an answer in pieces that do not fit together",
            "is it a Modbus TCP device, or a serial gateway that needs rtu+tcp?",
        )


def _are_frames(left: bytes, last_tid: int) -> bool:
    """Whether ``left`` are whole answers to this request or ones before (sent twice, or late)."""
    while len(left) > _HEADER.size:
        tid, protocol, length = _HEADER.unpack_from(left)
        end = _HEADER.size + length
        if not 0 < tid <= last_tid or protocol or length < 2 or len(left) < end:
            return False
        left = left[end:]
    return not left
