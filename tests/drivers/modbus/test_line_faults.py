"""A serial line that misbehaves: no value is ever another register's, and one unit hurts no other.

On a pseudo-terminal and through a TCP stream, with units that answer as a script says.
"""

import asyncio
import os
import random
import struct
import time
from contextlib import suppress
from typing import Self

import pytest

from drivers.driver import LinkError
from drivers.modbus.config import LinkOptions, SerialOptions
from drivers.modbus.connection import GarbledError, NoAnswerError, RefusedError, Request
from drivers.modbus.driver import connection_to
from tests.support.serial_gateway import crc
from tests.support.serial_peer import Behaviour, SerialPeer

LINE = [False, True]
TIMEOUT_MS = 100


def request(first: int, count: int = 2, unit: int = 1) -> Request:
    return Request(unit, 3, first, count)


def words(data: bytes) -> list[int]:
    return list(struct.unpack(f">{len(data) // 2}H", data))


def right(frame: bytes, right: bytes, send) -> None:
    send(right)


class Opened:
    """A line to a peer that behaves as told."""

    def __init__(self, behaviour: Behaviour, *, stream: bool, pause: str = "0ms") -> None:
        self.peer = SerialPeer(behaviour, stream=stream)
        self._pause = pause

    async def __aenter__(self) -> Self:
        await self.peer.__aenter__()
        options = LinkOptions(
            timeout=f"{TIMEOUT_MS}ms",  # type: ignore[arg-type]
            pause=self._pause,  # type: ignore[arg-type]
            serial=SerialOptions(baud=115_200, format="8N1"),
        )
        self.line, _ = connection_to(self.peer.url, options)
        await self.line.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.line.close()
        await self.peer.__aexit__()

    async def until_it_ends(self) -> None:
        """Read until the link ends, whatever else comes."""
        while True:
            with suppress(GarbledError, NoAnswerError):
                await self.read(3)

    async def read(self, first: int, count: int = 2, unit: int = 1) -> list[int]:
        return words(await self.line.read(request(first, count, unit)))


@pytest.mark.parametrize("stream", LINE)
async def test_an_adapter_that_repeats_requests_is_understood(stream: bool) -> None:
    def echo(frame: bytes, right: bytes, send) -> None:
        send(frame + right)

    async with Opened(echo, stream=stream) as opened:
        assert [await opened.read(first) for first in (0, 7, 300)] == [[0, 1], [7, 8], [300, 301]]


@pytest.mark.parametrize("stream", LINE)
async def test_noise_before_and_behind_an_answer_is_passed_over(stream: bool) -> None:
    rng = random.Random(7)

    def noisy(frame: bytes, right: bytes, send) -> None:
        send(rng.randbytes(rng.randint(0, 3)) + right + rng.randbytes(rng.randint(0, 3)))

    async with Opened(noisy, stream=stream) as opened:
        for first in range(0, 200, 10):
            assert await opened.read(first) == [first, first + 1]


@pytest.mark.parametrize("stream", LINE)
async def test_an_answer_in_pieces_is_put_together(stream: bool) -> None:
    async def slowly(data: bytes, send) -> None:
        for byte in data:
            send(bytes([byte]))
            await asyncio.sleep(0.003)

    tasks = set()

    def pieces(frame: bytes, right: bytes, send) -> None:
        tasks.add(asyncio.ensure_future(slowly(right, send)))

    async with Opened(pieces, stream=stream) as opened:
        assert await opened.read(40, 4) == [40, 41, 42, 43]


@pytest.mark.parametrize("stream", LINE)
async def test_a_flipped_bit_is_asked_for_again(stream: bool) -> None:
    asked: list[bytes] = []

    def once(frame: bytes, right: bytes, send) -> None:
        asked.append(frame)
        send(right if len(asked) % 2 == 0 else right[:4] + bytes([right[4] ^ 4]) + right[5:])

    async with Opened(once, stream=stream) as opened:
        assert await opened.read(12) == [12, 13]
        assert len(asked) == 2


@pytest.mark.parametrize("stream", LINE)
async def test_what_is_always_garbled_is_no_value(stream: bool) -> None:
    def garble(frame: bytes, right: bytes, send) -> None:
        send(right[:-1])

    async with Opened(garble, stream=stream) as opened:
        with pytest.raises(GarbledError, match="what is no answer"):
            await opened.read(12)


@pytest.mark.parametrize("stream", LINE)
async def test_an_answer_of_another_unit_or_function_is_none(stream: bool) -> None:
    def another(frame: bytes, right: bytes, send) -> None:
        for head in (bytes([2, 3]), bytes([1, 4])):
            body = head + right[2:-2]
            send(body + crc(body))

    async with Opened(another, stream=stream) as opened:
        with pytest.raises((GarbledError, NoAnswerError)):
            await opened.read(12)


@pytest.mark.parametrize("stream", LINE)
async def test_an_exception_is_told_with_its_code(stream: bool) -> None:
    def refuse(frame: bytes, right: bytes, send) -> None:
        body = bytes([frame[0], frame[1] | 0x80, 2])
        send(body + crc(body))

    async with Opened(refuse, stream=stream) as opened:
        with pytest.raises(RefusedError) as refused:
            await opened.read(12)
        assert refused.value.code == 2


@pytest.mark.parametrize("stream", LINE)
@pytest.mark.parametrize("seed", [3, 20])
async def test_late_answers_are_never_those_to_later_requests(stream: bool, seed: int) -> None:
    """Answers come within five timeouts, in order, as of a unit that is busy; some never."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    free_s = [0.0]

    def late(frame: bytes, right: bytes, send) -> None:
        if rng.random() < 0.1:
            return
        wait_s = rng.choice((0.0, 0.0, 0.01, 0.09, 0.11, 0.2, 0.35)) * TIMEOUT_MS / 100
        free_s[0] = max(free_s[0] + 1e-6, loop.time() + wait_s)  # one after another
        loop.call_at(free_s[0], send, right)

    async with Opened(late, stream=stream) as opened:
        good = failed = 0
        deadline = loop.time() + 5
        while loop.time() < deadline:
            first = rng.choice((0, 10, 20, 500))
            count = rng.choice((2, 2, 2, 4))
            try:
                read = await opened.read(first, count)
            except (NoAnswerError, GarbledError, RefusedError):
                failed += 1
            else:
                assert read == list(range(first, first + count)), (seed, good, failed)
                good += 1
        assert good
        assert failed > 3


@pytest.mark.parametrize("stream", LINE)
async def test_a_dead_unit_costs_the_others_one_timeout_each_time(stream: bool) -> None:
    def half(frame: bytes, right: bytes, send) -> None:
        if frame[0] == 1:
            send(right)

    async with Opened(half, stream=stream) as opened:
        await opened.read(0)
        began = time.monotonic()
        for turn in range(5):
            with pytest.raises(NoAnswerError, match="unit 9"):
                await opened.read(0, unit=9)
            assert await opened.read(turn) == [turn, turn + 1]
        assert time.monotonic() - began < 5 * 2 * TIMEOUT_MS / 1000


@pytest.mark.parametrize("stream", LINE)
async def test_a_line_that_is_cut_ends_at_once(stream: bool) -> None:
    async with Opened(right, stream=stream) as opened:
        assert await opened.read(3) == [3, 4]
        opened.peer.behaviour = lambda *_: opened.peer.cut()
        with pytest.raises(LinkError, match="is gone"):
            await opened.read(3)
        with pytest.raises(LinkError):
            await opened.line.open()


@pytest.mark.parametrize("stream", LINE)
async def test_a_line_that_is_never_silent_ends(stream: bool) -> None:
    # A pseudo-terminal may hand on what was written a few milliseconds late: no silence at 50.
    async with Opened(right, stream=stream, pause="50ms") as opened:
        await opened.read(3)

        async def babble() -> None:
            while True:
                opened.peer.send(b"\x55")
                await asyncio.sleep(0.0005)

        babbling = asyncio.create_task(babble())
        try:
            with pytest.raises(LinkError, match="never silent"):
                await opened.until_it_ends()
        finally:
            babbling.cancel()


async def test_a_port_that_another_program_has_is_said() -> None:
    async with Opened(right, stream=False) as opened:
        second, _ = connection_to(opened.peer.url, LinkOptions())
        with pytest.raises(LinkError) as refused:
            await second.open()
        assert "used by another program" in refused.value.seen
        assert "fuser" in refused.value.remedy


async def test_a_port_that_is_not_there_is_said(tmp_path) -> None:
    line, _ = connection_to(f"rtu://{tmp_path}/ttyUSB7", LinkOptions())
    with pytest.raises(LinkError) as refused:
        await line.open()
    assert refused.value.seen == f"there is no port {tmp_path}/ttyUSB7"
    (tmp_path / "file").write_text("")
    line, _ = connection_to(f"rtu://{tmp_path}/file", LinkOptions())
    with pytest.raises(LinkError):
        await line.open()
    assert os.getpid()
