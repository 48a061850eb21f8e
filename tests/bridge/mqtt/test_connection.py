"""The transport against a real mosquitto: what it promises when all is well."""

import asyncio
import logging
import socket
import time

import pytest

from bridge.mqtt import Connection, ConnectionLost, ConnectionRefused, Server, Version, Will
from tests.bridge.mqtt.peers import Inbox, connect
from tests.support.broker import Mosquitto
from tests.support.wait import free_port, until

pytestmark = pytest.mark.usefixtures("version")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtt://plant-broker", "plant-broker", 1883),
        ("mqtt://10.0.0.7:18830", "10.0.0.7", 18830),
        ("mqtt://[::1]:1884/", "::1", 1884),
    ],
)
def test_a_server_is_read_from_its_url(url: str, host: str, port: int):
    assert Server.parse(url) == Server(host, port)


@pytest.mark.parametrize(
    "url",
    ["broker:1883", "ssl://broker", "mqtt://", "mqtt://b:99999", "mqtt://b:0", "mqtt://b/topic"],
)
def test_another_url_is_refused_with_the_form_to_write(url: str):
    with pytest.raises(ValueError, match=r"mqtt://host|1 to 65535"):
        Server.parse(url)


def test_a_login_in_the_url_is_refused_without_repeating_the_password():
    with pytest.raises(ValueError, match="login") as caught:
        Server.parse("mqtt://ann:secret@broker")
    assert "secret" not in str(caught.value)


async def test_messages_arrive_in_order_with_topic_payload_and_retain(mosquitto: Mosquitto):
    inbox = Inbox()
    async with await connect(mosquitto, "reader", inbox) as reader:
        await reader.subscribe([("a/#", 1), ("b", 0)])
        async with await connect(mosquitto, "writer") as writer:
            for number in range(500):
                writer.publish("a/é", b"%d" % number)
            writer.publish("b", b"")
            await writer.fence()
            await until(lambda: len(inbox) == 501, what="all messages")
    assert [payload for _, payload, _ in inbox[:500]] == [b"%d" % n for n in range(500)]
    assert inbox[0] == ("a/é", b"0", False)
    assert inbox[500] == ("b", b"", False)


@pytest.mark.parametrize("size", [20, 5_000])
async def test_the_fence_proves_that_the_broker_has_read_everything(
    mosquitto: Mosquitto, size: int
):
    """The publisher resets its connection the moment that the fence is answered."""
    inbox = Inbox()
    async with await connect(mosquitto, "reader", inbox) as reader:
        await reader.subscribe([("a", 0)])
        for round_number in range(5):
            writer = await connect(mosquitto, "writer")
            for number in range(2_000):
                writer.publish("a", (b"%d" % number).ljust(size))
            await writer.fence()
            writer.abort()
            await until(
                lambda rounds=round_number + 1: len(inbox) == 2_000 * rounds, what="all delivered"
            )


async def test_without_the_fence_the_same_reset_loses_messages(mosquitto: Mosquitto):
    """The test above can fail: this is what it would look like."""
    inbox = Inbox()
    async with await connect(mosquitto, "reader", inbox) as reader:
        await reader.subscribe([("a", 0), ("end", 0)])
        writer = await connect(mosquitto, "writer")
        for _ in range(2_000):
            writer.publish("a", b"x" * 5_000)
        writer.abort()
        async with await connect(mosquitto, "other") as other:
            other.publish("end", b"")
            await until(lambda: ("end", b"", False) in inbox, what="the end mark")
    assert len(inbox) < 2_001


async def test_several_fences_are_answered_in_order(mosquitto: Mosquitto):
    answered: list[int] = []
    async with await connect(mosquitto, "writer") as writer:
        fences = []
        for number in range(50):
            writer.publish("a", b"x")
            fence = writer.send_fence()
            fence.add_done_callback(lambda _, number=number: answered.append(number))
            fences.append(fence)
        await asyncio.gather(*fences)
    assert answered == list(range(50))


async def test_a_fence_whose_waiter_left_does_not_disturb_the_next(mosquitto: Mosquitto):
    async with await connect(mosquitto, "writer") as writer:
        waiting = asyncio.create_task(writer.fence())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait_for(writer.fence(), 5)


async def test_the_echo_of_a_birth_comes_before_the_answer_of_a_later_fence(mosquitto: Mosquitto):
    birth = b"birth" * 100
    for round_number in range(200):
        inbox = Inbox()
        async with await connect(mosquitto, "node", inbox) as node:
            await node.subscribe([("spBv1.0/g/NBIRTH/n", 0)])
            node.publish("spBv1.0/g/NBIRTH/n", birth)
            await node.fence()
            assert len(inbox) == 1, f"echo after the fence in round {round_number}"


async def test_the_broker_publishes_the_will_on_abort_and_not_on_disconnect(
    mosquitto: Mosquitto, version: Version
):
    """But for MQTT 5, where Sparkplug wants it in both cases."""
    inbox = Inbox()
    async with await connect(mosquitto, "witness", inbox) as witness:
        await witness.subscribe([("will", 1), ("last", 0)])
        leaving = await connect(mosquitto, "leaving", will=Will("will", b"left"))
        leaving.publish("last", b"word")
        assert await leaving.disconnect(5)
        crashing = await connect(mosquitto, "crashing", will=Will("will", b"crashed"))
        crashing.abort()
        await until(lambda: ("will", b"crashed", False) in inbox, what="the will")
    left = [("will", b"left")] if version == "mqtt-5" else []
    assert [message[:2] for message in inbox] == [("last", b"word"), *left, ("will", b"crashed")]


async def test_disconnect_delivers_although_echoes_are_unread(
    mosquitto: Mosquitto, version: Version
):
    """Closing a socket with unread bytes resets it; the broker would see a crash, and the will."""
    inbox = Inbox()
    async with await connect(mosquitto, "witness", inbox) as witness:
        await witness.subscribe([("will", 1), ("echo", 0)])
        for _ in range(30):
            node = await connect(mosquitto, "node", will=Will("will", b"left"))
            await node.subscribe([("echo", 0)])
            for _ in range(50):
                node.publish("echo", b"x" * 1_000)
            assert await node.disconnect(5)
        wills = 30 if version == "mqtt-5" else 0  # which says that it leaves with its will
        await until(lambda: len(inbox) >= 1_500 + wills, what="all echoes")
        await witness.fence()
    topics = [topic for topic, _, _ in inbox]
    assert (topics.count("echo"), topics.count("will")) == (1_500, wills)


async def test_a_second_client_with_the_same_id_takes_over(mosquitto: Mosquitto):
    first = await connect(mosquitto, "same")
    async with await connect(mosquitto, "same"):
        reason = await asyncio.wait_for(first.closed(), 5)
    assert "client id" in reason.remedy
    assert not first.is_open


async def test_the_socket_sends_small_packets_at_once(mosquitto: Mosquitto):
    async with await connect(mosquitto, "writer") as writer:
        sock = socket.socket(fileno=socket.dup(writer._wire.fileno()))
        with sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_a_large_payload_leaves_the_loop_free(mosquitto: Mosquitto):
    inbox = Inbox()
    worst_s = 0.0

    async def watch() -> None:
        nonlocal worst_s
        while True:
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.001)
            worst_s = max(worst_s, asyncio.get_running_loop().time() - before)

    async with await connect(mosquitto, "node", inbox) as node:
        await node.subscribe([("big", 0)])
        watching = asyncio.create_task(watch())
        for _ in range(5):
            node.publish("big", b"x" * 1_000_000)
            assert node.unsent_bytes >= 1_000_000
            await node.fence()
        await until(lambda: len(inbox) == 5, what="five echoes of 1 MB")
        watching.cancel()
        assert node.unsent_bytes == 0
    assert all(len(payload) == 1_000_000 for _, payload, _ in inbox)
    assert worst_s < 0.2


async def test_nothing_listening_is_said_in_one_line():
    with pytest.raises(ConnectionLost, match="nothing listens there") as caught:
        await Connection.open(
            Server("127.0.0.1", free_port()),
            client_id="n",
            will=None,
            keep_alive_s=5,
            on_message=lambda *_: None,
            timeout_s=3,
        )
    assert caught.value.remedy
    assert not caught.value.connect_sent


async def test_an_unknown_host_is_said_in_one_line():
    with pytest.raises(ConnectionLost, match="no-such-host"):
        await Connection.open(
            Server("no-such-host.invalid", 1883),
            client_id="n",
            will=None,
            keep_alive_s=5,
            on_message=lambda *_: None,
            timeout_s=20,
        )


async def test_wrong_and_missing_credentials_are_refused_and_right_ones_accepted(tmp_path):
    async with Mosquitto(tmp_path, passwords={"ann": "right"}) as broker:
        for login in (("ann", "wrong"), ("bob", "right"), None):
            with pytest.raises(ConnectionRefused) as caught:
                await connect(broker, "n", login=login)
            assert "password" in caught.value.remedy
            assert caught.value.connect_sent
        async with await connect(broker, "n", login=("ann", "right")) as connection:
            await connection.fence()


async def test_mosquitto_grants_what_its_access_list_then_drops(tmp_path):
    """Why a node has to wait for the echo of its birth: no code says that anything was refused."""
    inbox = Inbox()
    async with (
        Mosquitto(tmp_path, acl="topic readwrite allowed/#\n") as broker,
        await connect(broker, "n", inbox) as connection,
    ):
        await connection.subscribe([("forbidden", 0), ("allowed/a", 0)])
        connection.publish("forbidden", b"x")
        connection.publish("allowed/a", b"x")
        await connection.fence()
    assert inbox == [("allowed/a", b"x", False)]


async def test_mosquitto_drops_what_it_finds_too_large_and_answers_the_fence(tmp_path):
    """The second thing that a fence does not see (mosquitto 2.0; MQTT 5 would announce it)."""
    inbox = Inbox()
    async with (
        Mosquitto(tmp_path, message_size_limit=1000) as broker,
        await connect(broker, "n", inbox) as connection,
    ):
        await connection.subscribe([("a", 0)])
        connection.publish("a", b"x" * 2000)
        connection.publish("a", b"small")
        await asyncio.wait_for(connection.fence(), 5)
    assert inbox == [("a", b"small", False)]


@pytest.mark.parametrize("refusal", [{"acl": "topic readwrite b\n"}, {"message_size_limit": 100}])
async def test_mosquitto_without_a_queue_limit_closes_instead_of_dropping(tmp_path, refusal):
    async with (
        Mosquitto(tmp_path, max_queued_messages=0, **refusal) as broker,
        await connect(broker, "n") as connection,
    ):
        connection.publish("a", b"x" * 2000)
        with pytest.raises(ConnectionLost, match="closed the connection"):
            await asyncio.wait_for(connection.fence(), 5)


async def test_mosquitto_drops_for_a_slow_subscriber_and_answers_the_fence(tmp_path):
    """The third: a host that falls more than 1000 messages behind."""
    inbox = Inbox()

    def slow(topic: str, payload: bytes, retain: bool) -> None:
        if len(inbox) % 50 == 0:
            time.sleep(0.002)
        inbox(topic, payload, retain)

    async with (
        Mosquitto(tmp_path, max_queued_messages=1000) as broker,
        await connect(broker, "reader", slow) as reader,
        await connect(broker, "writer") as writer,
    ):
        await reader.subscribe([("a", 0)])
        for _ in range(6_000):
            writer.publish("a", b"x" * 5_000)
        await writer.fence()
        await until(lambda: "being dropped" in broker.tail(100_000), what="the broker drops")


async def test_what_on_message_raises_ends_the_connection_and_reaches_every_waiter(
    mosquitto: Mosquitto,
):
    def broken(topic: str, payload: bytes, retain: bool) -> None:
        raise RuntimeError("a bug in the session")

    connection = await connect(mosquitto, "n", broken)
    await connection.subscribe([("a", 0)])
    connection.publish("a", b"x")
    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(connection.fence(), 5)
    with pytest.raises(RuntimeError, match="a bug"):
        await connection.closed()


async def test_the_libraries_log_nothing(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with await connect(mosquitto, "n") as connection:
        await connection.subscribe([("a", 0)])
        for _ in range(30):
            connection.publish("a", b"x")
        await asyncio.gather(*(connection.send_fence() for _ in range(30)))
        await mosquitto.kill()
        await connection.closed()
    assert [record for record in caplog.records if record.name != "asyncio"] == []
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
