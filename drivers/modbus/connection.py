"""Connection: one TCP connection to Modbus units, one request at a time, answers in raw bytes.

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
"""

import asyncio
import logging
import socket
import struct
from typing import Any

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from drivers.driver import LinkError
from drivers.modbus.blocks import Block

# What it would say (a timeout, a foreign answer) is reported as events and errors of the link.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

CONNECT_TIMEOUT_S = 3.0
"""Long enough for one repeated SYN (after 1 s) to be answered."""

_HEADER = struct.Struct(">HHH")  # MBAP: transaction, protocol (0), length of what follows
_UNREACHABLE_UNIT = frozenset({0x0A, 0x0B})  # gateway: path unavailable, target did not respond
_REQUESTS = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}


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


class Request:
    """A block's request, made once and sent at every scan."""

    __slots__ = ("pdu", "size")

    def __init__(self, unit: int, block: Block) -> None:
        self.pdu: Any = _REQUESTS[block.function_code](
            dev_id=unit, address=block.first, count=block.count
        )
        self.size = block.size


class Connection:
    """One TCP connection; `open` it, `read` one request after the other, `close` it."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.peer = f"{host}:{port}"
        self.timeout_s = timeout_s
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
        check = "is the address right, the device on, no firewall between?"
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                # Not client.connect(): that says False and keeps the reason to itself.
                await self._client.ctx.call_create()
        except TimeoutError:
            raise LinkError(
                f"{self.peer} did not answer within {CONNECT_TIMEOUT_S:g} s", check
            ) from None
        except ConnectionRefusedError:
            raise LinkError(
                f"{self.peer} refuses connections",
                "is Modbus TCP switched on there, on this port?",
            ) from None
        except socket.gaierror as error:
            raise LinkError(
                f"{self.peer}: no such host ({error.strerror})", "check the name or the DNS"
            ) from None
        except OSError as error:
            raise LinkError(f"{self.peer}: {error.strerror or error}", check) from None

    def close(self) -> None:
        """Disconnect now; says nothing to the peer but that."""
        self._client.close()

    async def read(self, request: Request) -> bytes:
        """What a unit answers: the bytes behind the byte count, as many as asked for.

        Raises `RefusedError`, `NoAnswerError`, `GarbledError`, which concern this request, and
        `LinkError`, which ends the connection.
        """
        if self._lost.is_set():
            raise self._gone()
        if self._client.ctx.recv_buffer:
            raise self._out_of_step()
        ctx, pdu = self._client.ctx, request.pdu
        pdu.transaction_id = ctx.getNextTID()
        self._answer = ctx.response_future = self._loop.create_future()
        ctx.pdu_send(pdu)
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self._answer
        except TimeoutError:
            if ctx.recv_buffer:
                raise self._out_of_step() from None
            raise NoAnswerError(
                f"unit {pdu.dev_id} at {self.peer} did not answer within {self.timeout_s:g} s"
            ) from None
        except ConnectionResetError:
            raise self._gone() from None
        finally:
            self._answer = None
        raw = _checked(response, pdu, request.size)
        if ctx.recv_buffer and not _are_frames(ctx.recv_buffer, pdu.transaction_id):
            # The end of a late answer: its begin may have completed a cut one, this one.
            raise self._out_of_step()
        return raw

    async def wait(self, seconds: float) -> None:
        """Sleep; raise `LinkError` as soon as the connection is lost."""
        if not self._lost.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._lost.wait()
            except TimeoutError:
                return
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


def _checked(response: Any, pdu: Any, size: int) -> bytes:
    """The bytes of a response that answers ``pdu`` with ``size`` bytes, in every field."""
    raw: bytes = response.raw
    if response.transaction_id != pdu.transaction_id:
        raise GarbledError("a transaction id that was not asked for")
    if response.dev_id != pdu.dev_id:
        raise GarbledError(f"unit {response.dev_id} answers for unit {pdu.dev_id}")
    if response.function_code == pdu.function_code | 0x80:
        if len(raw) != 1:
            raise GarbledError(f"an exception of {len(raw)} bytes")
        if raw[0] in _UNREACHABLE_UNIT:
            reason = f"the gateway says that unit {pdu.dev_id} does not answer"
            raise NoAnswerError(reason, by_gateway=True)
        raise RefusedError(raw[0])
    if response.function_code != pdu.function_code:
        raise GarbledError(f"function {response.function_code} for {pdu.function_code}")
    if len(raw) != size + 1 or raw[0] != size:
        raise GarbledError(f"{len(raw) - 1} bytes of data for {size}")
    return raw[1:]
