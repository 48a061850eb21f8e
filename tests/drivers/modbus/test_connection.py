"""One answer to one request, or an error: never the bytes of another answer."""

import asyncio
import random
import struct
import time

import pytest

from drivers.driver import LinkError
from drivers.modbus.blocks import Block
from drivers.modbus.connection import GarbledError, NoAnswerError, RefusedError, Request
from drivers.modbus.planning import plan_device
from drivers.modbus.tcp import TcpConnection
from tests.support.modbus import device, tag
from tests.support.modbus_peer import Asked, HostilePeer
from tests.support.wait import free_port, until


def block_at(first: int, count: int = 2) -> Block:
    rows = [tag(f"t{n}", f"holding:0x{first + n:x}") for n in range(count)]
    (block,) = plan_device(device("d", 7, rows))[100]
    return block


def words(first: int, count: int = 2) -> bytes:
    return struct.pack(f">{count}H", *range(first, first + count))


async def opened(peer: HostilePeer, timeout_s: float = 0.5) -> TcpConnection:
    connection = TcpConnection("127.0.0.1", peer.port, timeout_s)
    await connection.open()
    return connection


async def read_from(answer, timeout_s: float = 0.2) -> bytes:
    """One read of holding:100-101 from a peer that answers like this."""
    async with HostilePeer(answer) as peer:
        connection = await opened(peer, timeout_s)
        try:
            return await connection.read(Request.of(7, block_at(100)))
        finally:
            connection.close()


def reply(make):
    async def answer(asked: Asked, send) -> None:
        send(make(asked))

    return answer


async def test_the_right_answer():
    assert await read_from(reply(lambda a: a.frame(a.body()))) == words(100)


async def test_an_answer_in_single_bytes():
    async def answer(asked, send):
        for byte in asked.frame(asked.body()):
            send(bytes([byte]))
            await asyncio.sleep(0.001)

    assert await read_from(answer) == words(100)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 255])
async def test_exceptions(code):
    with pytest.raises(RefusedError) as caught:
        await read_from(reply(lambda a: a.frame(bytes([0x83, code]))))
    assert caught.value.code == code


@pytest.mark.parametrize("code", [0x0A, 0x0B])
async def test_a_gateway_that_does_not_reach_the_unit(code):
    with pytest.raises(NoAnswerError, match="the gateway says that unit 7 does not") as caught:
        await read_from(reply(lambda a: a.frame(bytes([0x83, code]))))
    assert caught.value.by_gateway


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda a: a.frame(a.body(), tid=0), id="transaction 0"),
        pytest.param(lambda a: a.frame(a.body(code=4)), id="another function"),
        pytest.param(lambda a: a.frame(a.body(count=1)), id="too short"),
        pytest.param(lambda a: a.frame(a.body(count=3)), id="too long"),
        pytest.param(lambda a: a.frame(a.body()[:1] + b"\x02" + a.body()[2:]), id="byte count"),
        pytest.param(lambda a: a.frame(a.body() + b"\0"), id="a byte behind it"),
        pytest.param(lambda a: a.frame(b"\x03"), id="no byte count"),
        pytest.param(lambda a: a.frame(b"\x83"), id="an exception without a code"),
        pytest.param(lambda a: a.frame(b"\x83\x02\x02"), id="an exception with two"),
        pytest.param(lambda a: a.frame(b"\x84\x02"), id="an exception to another function"),
        pytest.param(lambda a: a.frame(b"\x2b\x0e\x01"), id="another message"),
        pytest.param(lambda a: a.frame(b"\x00"), id="function 0"),
    ],
)
async def test_an_answer_that_is_none(make):
    with pytest.raises(GarbledError):
        await read_from(reply(make))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: b"", id="nothing"),
        pytest.param(lambda a: a.frame(a.body(), tid=(a.tid + 1) & 0xFFFF), id="transaction"),
        pytest.param(lambda a: a.frame(a.body(), unit=8), id="another unit"),
    ],
)
async def test_what_does_not_concern_us_is_no_answer(make):
    with pytest.raises(NoAnswerError, match=r"unit 7 at 127.0.0.1:\d+ did not answer") as caught:
        await read_from(reply(make))
    assert not caught.value.by_gateway


async def test_another_unit_does_not_answer_for_unit_0():
    """pymodbus takes unit 0 for "any"."""

    async def answer(asked, send):
        send(asked.frame(asked.body(), unit=1))

    async with HostilePeer(answer) as peer:
        connection = await opened(peer)
        with pytest.raises(GarbledError, match="unit 1 answers for unit 0"):
            await connection.read(Request.of(0, block_at(100)))
        connection.close()


async def test_an_answer_sent_twice_is_one():
    assert await read_from(reply(lambda a: a.frame(a.body()) * 2)) == words(100)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda a: a.frame(a.body())[:7], id="half a frame"),
        pytest.param(lambda a: a.frame(b""), id="an empty frame"),
        pytest.param(lambda a: b"\0\1\0\5" + a.frame(a.body())[4:], id="another protocol"),
        pytest.param(lambda _: b"HTTP/1.1 400 Bad Request\r\n", id="text"),
        pytest.param(lambda _: bytes(range(250)), id="noise"),
    ],
)
async def test_what_cannot_be_framed_ends_the_link(make):
    with pytest.raises((LinkError, NoAnswerError, GarbledError)):
        await read_from(reply(make))


async def test_the_rest_of_a_late_answer_is_not_taken_for_a_new_one():
    """Its second half is made to look like a whole answer to the next request."""
    late = asyncio.Event()

    async def answer(asked, send):
        if asked.first == 100:
            send(asked.frame(asked.body())[:9])
            return
        trap = asked.frame(asked.body(code=3)[:2] + b"\xde\xad\xbe\xef")
        send(trap)
        late.set()

    async with HostilePeer(answer) as peer:
        connection = await opened(peer, 0.1)
        with pytest.raises(LinkError, match="pieces"):
            await connection.read(Request.of(7, block_at(100)))
        connection.close()
    assert not late.is_set()


async def test_pieces_that_come_between_requests_end_the_link():
    async def answer(asked, send):
        if asked.first == 100:
            await asyncio.sleep(0.15)
            send(asked.frame(asked.body())[:9])

    async with HostilePeer(answer) as peer:
        connection = await opened(peer, 0.1)
        with pytest.raises(NoAnswerError):
            await connection.read(Request.of(7, block_at(100)))
        await until(lambda: connection._client.ctx.recv_buffer, what="half an answer")
        with pytest.raises(LinkError, match="pieces"):
            await connection.read(Request.of(7, block_at(200)))
        connection.close()


async def test_a_cut_answer_is_not_completed_by_a_late_one():
    """Header, unit, function and length would all be right, and the values another's."""
    late = []

    async def answer(asked, send):
        if asked.first == 100:
            late.append(asked.frame(asked.body()))
        else:
            send(asked.frame(asked.body())[:10] + late[0])

    async with HostilePeer(answer) as peer:
        connection = await opened(peer, 0.1)
        with pytest.raises(NoAnswerError):
            await connection.read(Request.of(7, block_at(100)))
        with pytest.raises(LinkError, match="pieces"):
            await connection.read(Request.of(7, block_at(200)))
        connection.close()


async def test_many_timeouts_do_not_close_the_connection():
    """pymodbus would close it after a few."""

    async def answer(asked, send):
        if asked.first >= 110:
            send(asked.frame(asked.body()))

    async with HostilePeer(answer) as peer:
        connection = await opened(peer, 0.01)
        for first in range(100, 110):
            with pytest.raises(NoAnswerError):
                await connection.read(Request.of(7, block_at(first)))
        assert await connection.read(Request.of(7, block_at(110))) == words(110)
        connection.close()
        assert peer.connections == 1


async def test_a_loss_ends_the_request_in_flight():
    async def answer(_asked, _send):
        raise ConnectionError

    began = time.monotonic()
    with pytest.raises(LinkError, match="closed the connection") as caught:
        await read_from(answer, timeout_s=30)
    assert caught.value.remedy
    assert time.monotonic() - began < 5


async def test_a_loss_ends_the_wait():
    async def answer(asked, send):
        send(asked.frame(asked.body()))

    peer = HostilePeer(answer)
    async with peer:
        connection = await opened(peer)
        await connection.wait(0.01)
        waiting = asyncio.ensure_future(connection.wait(30))
        await asyncio.sleep(0)
        assert not waiting.done()
    with pytest.raises(LinkError, match="closed the connection"):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(LinkError, match="closed the connection"):
        await connection.read(Request.of(7, block_at(100)))
    connection.close()


async def test_a_cancellation_that_comes_with_the_answer_is_not_swallowed():
    """`asyncio.wait_for` of Python 3.11 would return the answer, and the task would go on."""

    async def answer(asked, send):
        send(asked.frame(asked.body()))

    async with HostilePeer(answer) as peer:
        connection = await opened(peer)
        decoder = connection._client.ctx.framer.decoder
        plain = decoder.decode
        reading = asyncio.ensure_future(connection.read(Request.of(7, block_at(100))))

        def decode(frame):
            # runs after the answer is there and before the task is woken by it
            asyncio.get_running_loop().call_soon(reading.cancel)
            return plain(frame)

        decoder.decode = decode
        await asyncio.wait([reading], timeout=5)
        connection.close()
    assert reading.cancelled()


async def test_refused():
    with pytest.raises(LinkError, match="refuses connections") as caught:
        await TcpConnection("127.0.0.1", free_port(), 1).open()
    assert caught.value.remedy == "is Modbus TCP switched on there, on this port?"


async def test_no_such_host():
    with pytest.raises(LinkError, match=r"no-such-host\.invalid:502: no such host"):
        await TcpConnection("no-such-host.invalid", 502, 1).open()


async def test_no_wrong_value_from_a_peer_that_lies_in_every_third_answer():
    """7,000 reads of registers that hold their own address; 30 % of the answers are hostile."""
    dice = random.Random(4711)
    held: list[bytes] = []
    lies = dict.fromkeys(
        ("late", "twice", "swapped", "tid", "tid 0", "unit", "short", "long", "code", "length"), 0
    )
    tasks = set()

    async def later(send, data):
        await asyncio.sleep(0.002 + dice.random() * 0.01)
        send(data)

    async def answer(asked: Asked, send) -> None:
        right = asked.frame(asked.body())
        if dice.random() >= 0.3:
            send(right)
            return
        lie = dice.choice([*lies, "twice", "twice", "code", "short", "long"])
        lies[lie] += 1
        if lie == "late":
            tasks.add(asyncio.ensure_future(later(send, right)))
        elif lie == "twice":
            send(right * 2)
        elif lie == "swapped":
            held.append(right)
            send(held.pop(0) if len(held) > 1 else b"")
        elif lie == "tid":
            send(asked.frame(asked.body(), tid=(asked.tid - 1) & 0xFFFF))
        elif lie == "tid 0":
            send(asked.frame(asked.body()[:2] + b"\xff" * 2 * asked.count, tid=0))
        elif lie == "unit":
            send(asked.frame(asked.body(), unit=asked.unit + 1))
        elif lie == "short":
            send(asked.frame(asked.body(count=asked.count - 1)))
        elif lie == "long":
            send(asked.frame(asked.body(count=asked.count + 1)))
        elif lie == "code":
            send(asked.frame(asked.body(code=4)))
        else:
            length = dice.randrange(0, 260)
            send(right[:4] + length.to_bytes(2, "big") + right[6:])

    outcomes = {"right": 0, "no answer": 0, "garbled": 0, "ended": 0}
    blocks = [block_at(first, dice.randrange(2, 20)) for first in range(0, 5000, 97)]
    requests = [(block, Request.of(7, block)) for block in blocks]
    async with HostilePeer(answer) as peer:
        connection = await opened(peer, 0.005)
        for _ in range(7_000):
            block, request = dice.choice(requests)
            try:
                raw = await connection.read(request)
            except NoAnswerError:
                outcomes["no answer"] += 1
            except GarbledError:
                outcomes["garbled"] += 1
            except LinkError:
                outcomes["ended"] += 1
                connection.close()
                held.clear()  # transaction ids begin anew: an old answer could have a new one's
                connection = await opened(peer, 0.005)
            else:
                assert raw == words(block.first, block.count)
                batch = block.decode(raw, 0)
                assert [block.first + point for point in batch.points] == list(batch.values)
                outcomes["right"] += 1
        connection.close()
        await asyncio.gather(*tasks)
    assert min(lies.values()) > 50
    assert outcomes["right"] > 4_500
    assert min(outcomes.values()) > 20, outcomes
