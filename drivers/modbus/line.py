"""Line: RTU over a serial port or a TCP stream, one transaction at a time.

The rule of a line is silence: before each request nothing has come for 3.5 characters and the
``pause``, and what came before is thrown away. An answer is taken for one only if unit, function,
byte count and checksum are those of the request; what it cannot say, which registers it is about,
is kept certain by `drivers.modbus.owed`. A disturbed answer is asked for once more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from drivers.driver import LinkError
from drivers.modbus.connection import (
    GarbledError,
    NoAnswerError,
    RefusedError,
    Request,
    checked,
    lost_within,
)
from drivers.modbus.owed import Owed
from drivers.modbus.rtu import answer_in, request_frame
from drivers.modbus.wire_time import ANSWER_BYTES, REQUEST_BYTES, WireTime

BABBLE_S = 2.0
"""A line that is not silent for a moment in so long is used by somebody else, or broken."""
LATENCY_S = 0.002
"""What an operating system and an adapter add to a silence."""


class Wire(Protocol):
    """What carries the bytes. What arrives, and the loss, it says by calls."""

    def write(self, frame: bytes) -> None:
        """Send; never waits."""
        ...

    def close(self) -> None:
        """End it; says nothing more afterwards."""
        ...


Opened = Callable[[Callable[[bytes], None], Callable[[str], None]], Awaitable[Wire]]
"""Opens a wire: called with what takes bytes, and what takes the reason of a loss."""


class Line:
    """A `drivers.modbus.connection.Connection` in RTU framing.

    ``time`` is None where nobody knows how fast the wire is (behind a TCP stream).
    """

    is_wire = True

    def __init__(
        self,
        peer: str,
        open_wire: Opened,
        *,
        timeout_s: float,
        pause_s: float = 0.0,
        time: WireTime | None = None,
    ) -> None:
        self.peer = peer
        self.timeout_s = timeout_s
        self._open_wire = open_wire
        self._time = time
        self._gap_s = max(pause_s, (time.silence_s + LATENCY_S) if time else LATENCY_S)
        self._guard_s = max(1.0, 2 * timeout_s)
        self._loop = asyncio.get_running_loop()
        self._wire: Wire | None = None
        self._received = bytearray()
        self._heard_at_s = 0.0
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._why = ""
        self._repeats = False
        self._owed = Owed()

    async def open(self) -> None:
        """Open the wire, or raise `LinkError`."""
        self._wire = await self._open_wire(self._take, self._lose)

    def close(self) -> None:
        """Close it now."""
        if self._wire is not None:
            self._wire.close()

    async def read(self, request: Request) -> bytes:
        """See `Connection`."""
        await self._settle(request)
        try:
            return await self._asked(request)
        except GarbledError:
            await self._settle(request)
            return await self._asked(request)

    async def write(self, request: Request) -> None:
        """See `Connection`."""
        await self._settle(request)
        await self._asked(request)

    async def wait(self, seconds: float) -> None:
        """Sleep; raise `LinkError` as soon as the wire is lost."""
        if await lost_within(self._lost, seconds):
            raise self._gone()

    async def _settle(self, request: Request) -> None:
        """Make sure that no late answer can be taken for the one to ``request``."""
        if not self._owed.is_ambiguous(request, self._loop.time()):
            return
        part = self._owed.settling(request, self._loop.time())
        if part is None:
            await self._be_silent(self._guard_s, since_s=self._owed.last_s(request.unit))
            self._owed.settle(request.unit)
            return
        try:
            await self._asked(part)
        except (RefusedError, GarbledError) as error:  # some refuse a part of a value
            if self._owed.is_ambiguous(request, self._loop.time()):
                reason = f"unit {request.unit} at {self.peer} answers {error}"
                raise NoAnswerError(reason) from None

    async def _asked(self, request: Request) -> bytes:
        """One exchange; what it leaves open is owed."""
        await self._be_silent(self._gap_s)
        if self._wire is None or self._lost.is_set():
            raise self._gone()
        self._received.clear()
        frame = request_frame(request)
        self._wire.write(frame)
        # Where an adapter repeats what is sent, a write would seem to be acknowledged by itself.
        begin = len(frame) if request.data and self._repeats else 0
        answer = None
        try:
            async with asyncio.timeout(self._patience_s(request)):
                while answer is None:
                    self._arrived.clear()
                    await self._arrived.wait()
                    if self._lost.is_set():
                        raise self._gone()
                    answer = answer_in(self._received, request, begin)
        except TimeoutError:
            self._owed.missed(request, self._loop.time())
            if self._received:
                seen = self._received[:12].hex(" ")
                raise GarbledError(f"with what is no answer ({seen} …)") from None
            raise NoAnswerError(
                f"unit {request.unit} at {self.peer} did not answer within {self.timeout_s:g} s"
            ) from None
        except asyncio.CancelledError:
            self._owed.missed(request, self._loop.time())
            raise
        if not request.data:
            self._repeats = self._received.startswith(frame)
        return await self._understood(request, *answer)

    async def _understood(self, request: Request, code: int, raw: bytes) -> bytes:
        """The data of an answer; an exception that may be meant for another request is none."""
        try:
            read = checked(request, code, raw)
        except (RefusedError, NoAnswerError):
            if self._owed.may_be_refusal(request, self._loop.time()):
                await self._be_silent(self.timeout_s)
                self._owed.settle(request.unit)
                raise GarbledError("with an exception that may be meant for another") from None
            self._owed.answered(request, self._loop.time())
            raise
        self._owed.answered(request, self._loop.time())
        return read

    async def _be_silent(self, seconds: float, *, since_s: float = 0.0) -> None:
        """Wait until nothing has come for so long, counted from ``since_s`` at the earliest; a line
        that never falls silent ends the link.
        """
        until_s = self._loop.time() + seconds + BABBLE_S
        while (rest_s := max(self._heard_at_s, since_s) + seconds - self._loop.time()) > 0:
            if self._loop.time() > until_s:
                raise LinkError(
                    f"{self.peer} is never silent",
                    "does another master use this line? are A and B the right way round?",
                )
            await self.wait(rest_s)

    def _patience_s(self, request: Request) -> float:
        """How long an answer may take, with the time that both need on the wire."""
        if self._time is None:
            return self.timeout_s
        characters = REQUEST_BYTES + ANSWER_BYTES + request.size
        return self.timeout_s + characters * self._time.character_s

    def _take(self, received: bytes) -> None:
        self._heard_at_s = self._loop.time()
        if len(self._received) < 4096:  # what a line that babbles says is of no use
            self._received += received
        self._arrived.set()

    def _lose(self, why: str) -> None:
        self._why = why
        self._lost.set()
        self._arrived.set()

    def _gone(self) -> LinkError:
        return LinkError(
            f"{self.peer} is gone: {self._why or 'closed'}",
            "was the adapter unplugged, or does the gateway allow one connection only?",
        )
