"""Everything that can end a connection: what waits ends at once, says why, and makes no noise.

Each test also fails when asyncio has something to complain about: a writer on a closed socket, an
exception that nobody took.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bridge.mqtt import Connection, ConnectionLost, ConnectionRefused, Server, SubscriptionRefused
from tests.bridge.mqtt.peers import connect
from tests.support.broker import Mosquitto
from tests.support.wait import until

ACCEPTED = b"\x20\x02\x00\x00"

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
async def quiet(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    caplog.set_level(logging.INFO)
    yield
    import gc

    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
    assert [record.getMessage() for record in caplog.records] == []


@contextlib.asynccontextmanager
async def peer(script: Script, *, buffer: int = 0) -> AsyncIterator[Server]:
    """A server that accepts TCP and then does what the script says, to the byte."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await script(reader, writer)

    listener = socket.create_server(("127.0.0.1", 0))
    if buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    server = await asyncio.start_server(serve, sock=listener, limit=buffer or 65536)
    try:
        yield Server("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def open_to(server: Server, *, timeout_s: float = 5, keep_alive_s: int = 20) -> Connection:
    return await Connection.open(
        server,
        client_id="n",
        will=None,
        keep_alive_s=keep_alive_s,
        on_message=lambda *_: None,
        timeout_s=timeout_s,
    )


async def test_a_killed_broker_ends_everything_that_waits_at_once(mosquitto: Mosquitto):
    connection = await connect(mosquitto, "n")
    mosquitto.freeze()
    waiting = [connection.send_fence() for _ in range(20)]
    subscribing = asyncio.create_task(connection.subscribe([("a", 0)]))
    closing = asyncio.create_task(connection.closed())
    for _ in range(200):
        connection.publish("a", b"x" * 50_000)  # more than the sockets hold: a writer is active
    await until(lambda: connection.unsent_bytes > 5_000_000, what="a full socket")
    await mosquitto.kill()
    started = asyncio.get_running_loop().time()
    results = await asyncio.gather(*waiting, subscribing, return_exceptions=True)
    assert asyncio.get_running_loop().time() - started < 1
    assert all(isinstance(result, ConnectionLost) for result in results), results
    assert "closed the connection" in (await closing).seen
    assert connection.unsent_bytes == 0
    with pytest.raises(ConnectionLost):
        connection.publish("a", b"x")
    with pytest.raises(ConnectionLost):
        connection.send_fence()
    with pytest.raises(ConnectionLost):
        await connection.subscribe([("a", 0)])
    assert not await connection.disconnect(1)


class GivenUp:
    """A loop that has closed the handle of a socket, as uvloop does at an error of its poll."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)

    def add_writer(self, *_: object) -> None:
        raise RuntimeError("the handler is closed")

    remove_writer = remove_reader = add_writer


async def test_a_socket_that_the_loop_has_given_up_is_a_lost_connection(mosquitto: Mosquitto):
    connection = await connect(mosquitto, "n")
    await connection.fence()
    connection._wire._loop = GivenUp(asyncio.get_running_loop())
    with pytest.raises(ConnectionLost, match="watched no more"):
        await asyncio.wait_for(connection.fence(), 5)
    assert not connection.is_open


async def test_fences_that_nobody_awaits_are_no_error(mosquitto: Mosquitto):
    connection = await connect(mosquitto, "n")
    connection.send_fence()
    connection.abort()


async def test_a_broker_that_returns_is_reached_by_a_new_connection_only(mosquitto: Mosquitto):
    first = await connect(mosquitto, "n")
    first.publish("a", b"x" * 100_000)
    await mosquitto.kill()
    await first.closed()
    await mosquitto.start()
    second = await connect(mosquitto, "n")
    await second.fence()
    assert not first.is_open
    assert second.is_open
    assert await second.disconnect(2)


async def test_a_frozen_broker_is_lost_after_one_and_a_half_keep_alives(mosquitto: Mosquitto):
    connection = await connect(mosquitto, "n", keep_alive_s=2)
    await connection.fence()
    mosquitto.freeze()
    started = asyncio.get_running_loop().time()
    fence = connection.send_fence()
    publishing = asyncio.create_task(_publish_until_lost(connection))
    with pytest.raises(ConnectionLost, match="silent"):
        await asyncio.wait_for(fence, 10)
    assert 2.5 < asyncio.get_running_loop().time() - started < 4
    await asyncio.wait_for(publishing, 5)


async def _publish_until_lost(connection: Connection) -> None:
    with contextlib.suppress(ConnectionLost):
        while True:
            connection.publish("a", b"x" * 1000)
            await asyncio.sleep(0.05)


async def test_a_slow_line_with_a_large_message_is_not_a_silent_broker():
    """4 s of nothing but acknowledgements, at a keep-alive of 1 s."""
    payload = b"x" * 1_000_000

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED)
        received = b""
        while len(received) < len(payload) + 11:
            received += await reader.read(25_000)
            await asyncio.sleep(0.1)
        while True:
            questions = received[len(payload) + 11 :]
            for at in range(0, len(questions) - 20, 21):
                writer.write(b"\xb0\x02" + questions[at + 2 : at + 4])
            received = received[: len(received) - len(questions) // 21 * 21]
            if not (more := await reader.read(1000)):
                return
            received += more

    async with peer(slow, buffer=16_384) as server:
        connection = await open_to(server, keep_alive_s=1)
        started = asyncio.get_running_loop().time()
        connection.publish("birth", payload)
        await asyncio.wait_for(connection.fence(), 10)
        assert asyncio.get_running_loop().time() - started > 2.5
        connection.abort()


async def test_a_line_cut_under_a_large_message_is_noticed():
    async def stops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED)
        await reader.read(1000)
        await asyncio.sleep(60)

    async with peer(stops, buffer=16_384) as server:
        connection = await open_to(server, keep_alive_s=1)
        connection.publish("birth", b"x" * 20_000_000)
        started = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionLost, match="silent"):
            await asyncio.wait_for(connection.fence(), 10)
        assert 1 < asyncio.get_running_loop().time() - started < 3


async def test_a_frozen_broker_cannot_hold_up_a_disconnect(mosquitto: Mosquitto):
    connection = await connect(mosquitto, "n")
    for _ in range(200):
        connection.publish("a", b"x" * 50_000)
    mosquitto.freeze()
    started = asyncio.get_running_loop().time()
    assert not await connection.disconnect(0.5)
    assert asyncio.get_running_loop().time() - started < 1
    assert not connection.is_open


async def test_a_frozen_broker_cannot_hold_up_an_open(mosquitto: Mosquitto):
    mosquitto.freeze()
    with pytest.raises(ConnectionLost, match=r"no answer from 127\.0\.0\.1.* within 0\.5 s"):
        await connect(mosquitto, "n", timeout_s=0.5)


@pytest.mark.faults
async def test_a_quiet_connection_is_kept_alive_from_both_sides(mosquitto: Mosquitto):
    """The broker ends a connection that is silent for 1.5 s here; so would the wire."""
    connection = await connect(mosquitto, "n", keep_alive_s=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.closed(), 4)
    assert connection.is_open
    await connection.disconnect(2)


@pytest.mark.faults
async def test_a_loop_that_stood_still_does_not_take_the_broker_for_silent(mosquitto: Mosquitto):
    import time

    connection = await connect(mosquitto, "n", keep_alive_s=2)
    await asyncio.sleep(0.5)
    time.sleep(2.9)  # shorter than the broker's patience of 3 s, longer than ours looks
    for _ in range(5):
        await connection.fence()
    assert await connection.disconnect(2)


@pytest.mark.parametrize(
    ("code", "word"),
    [(2, "client id 'n'"), (3, "unavailable"), (4, "user name or password"), (5, "authorised")],
)
async def test_a_refusing_connack_is_told_in_words(code: int, word: str):
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(bytes([0x20, 2, 0, code]))
        writer.close()

    async with peer(refuse) as server:
        with pytest.raises(ConnectionRefused, match=word) as caught:
            await open_to(server)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "answer", [b"", b"\x20\x02\x00\x01", b"\x20\x02\x00\x63", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_a_peer_that_is_no_broker_ends_the_attempt(answer: bytes):
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    async with peer(script) as server:
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(open_to(server), 3)


async def test_a_cancelled_open_leaves_no_connection_behind():
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        ended.set()

    async with peer(silent) as server:
        for patience_s in (0, 0.001, 0.05):
            ended.clear()
            opening = asyncio.create_task(open_to(server))
            await asyncio.sleep(patience_s)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            if patience_s == 0.05:
                await asyncio.wait_for(ended.wait(), 3)


async def test_a_refused_subscription_names_its_filters_and_leaves_the_connection_open():
    async def grant_one_of_two(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED)
        packet = await reader.read(1000)
        writer.write(b"\x90\x04" + packet[2:4] + b"\x01\x80")
        await reader.read(1000)

    async with peer(grant_one_of_two) as server:
        connection = await open_to(server)
        with pytest.raises(SubscriptionRefused, match="g/DCMD/n") as caught:
            await connection.subscribe([("spBv1.0/g/NCMD/n", 1), ("spBv1.0/g/DCMD/n/#", 1)])
        assert caught.value.filters == ("spBv1.0/g/DCMD/n/#",)
        assert connection.is_open
        connection.abort()


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xf0\x00",  # a reserved packet type
        b"\x30\xff\xff\xff\xff\xff",  # a length that never ends
        b"\x30\x02\x00\x09",  # a topic longer than its packet
        b"\x30\x04\x00\x02\xff\xfe",  # a topic that is no UTF-8
        b"\xb0\x00",  # UNSUBACK without a number
        b"\xb0\x02\xff\xff",  # UNSUBACK of what was never asked
        b"\x90\x01\x00",  # SUBACK cut short
    ],
)
async def test_hostile_bytes_end_the_connection(hostile: bytes):
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED)
        await reader.read(1000)
        writer.write(hostile)
        await reader.read(1000)

    async with peer(script) as server:
        connection = await open_to(server)
        fence = connection.send_fence()
        with pytest.raises(ConnectionLost) as caught:
            await asyncio.wait_for(fence, 3)
        assert caught.value.seen
        assert not connection.is_open


async def test_an_answer_out_of_order_proves_nothing_and_ends_the_connection():
    async def swap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED)
        packets = b""
        while len(packets) < 2 * 21:
            packets += await reader.read(1000)
        first, second = packets[2:4], packets[23:25]
        writer.write(b"\xb0\x02" + second + b"\xb0\x02" + first)
        await reader.read(1000)

    async with peer(swap) as server:
        connection = await open_to(server)
        fences = [connection.send_fence(), connection.send_fence()]
        with pytest.raises(ConnectionLost, match="left a fence unanswered"):
            await asyncio.wait_for(fences[0], 3)
        with pytest.raises(ConnectionLost, match="left a fence unanswered"):
            await fences[1]


async def test_a_hundred_connections_and_losses_leave_no_file_open(mosquitto: Mosquitto):
    from pathlib import Path

    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        connection = await connect(mosquitto, "n")
        connection.publish("a", b"x" * 200_000)
        connection.abort()
    for _ in range(50):
        connection = await connect(mosquitto, "n")
        assert await connection.disconnect(2)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
