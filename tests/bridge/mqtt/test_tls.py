"""TLS to a real mosquitto: who is believed, who is not, and in which words."""

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bridge.mqtt import Connection, ConnectionLost, ConnectionRefused, Server, Will
from drivers.driver import Identity
from drivers.tls import Tls
from tests.bridge.mqtt.peers import Inbox, connect
from tests.support.broker import Mosquitto
from tests.support.certificates import Authority
from tests.support.forwarder import Forwarder
from tests.support.wait import until


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def secure(
    broker: Mosquitto,
    tls: Tls | None,
    inbox: Inbox | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    name: str = "node",
    **options,
) -> Connection:
    return await Connection.open(
        Server(host, port or broker.port, tls=True),
        client_id=name,
        will=options.pop("will", None),
        keep_alive_s=options.pop("keep_alive_s", 20),
        tls=tls,
        on_message=Inbox() if inbox is None else inbox,
        timeout_s=5,
        **options,
    )


async def refused(broker: Mosquitto, tls: Tls | None, **options) -> ConnectionLost:
    with pytest.raises(ConnectionLost) as caught:
        await secure(broker, tls, **options)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("mqtts://plant-broker", Server("plant-broker", 8883, tls=True)),
        ("mqtts://plant-broker:18830", Server("plant-broker", 18830, tls=True)),
        ("mqtt://plant-broker", Server("plant-broker", 1883, tls=False)),
    ],
)
def test_the_scheme_says_whether_it_is_protected(url: str, server: Server):
    assert Server.parse(url) == server


async def test_messages_large_and_small_pass_both_ways(authority: Authority):
    """Many small ones come in one record of TLS, large ones are in many."""
    inbox = Inbox()
    async with Mosquitto(options=authority.listener()) as broker:
        tls = Tls(ca=authority.file)
        async with await secure(broker, tls, inbox) as node:
            await node.subscribe([("a/#", 1)])
            for number in range(2_000):
                node.publish("a/small", b"%d" % number)
            for number in range(5):
                node.publish("a/large", bytes([number]) * 2_000_000)
            await node.fence()
            await until(lambda: len(inbox) == 2_005, what="all back")
            await until(lambda: node.unsent_bytes == 0, what="all acknowledged")
            assert await node.disconnect(2)
    assert [payload for _, payload, _ in inbox[:2_000]] == [b"%d" % n for n in range(2_000)]
    assert [payload for _, payload, _ in inbox[2_000:]] == [
        bytes([number]) * 2_000_000 for number in range(5)
    ]


async def test_the_socket_is_one_of_tls_and_the_host_may_be_a_name(authority: Authority):
    async with (
        Mosquitto(options=authority.listener()) as broker,
        await secure(broker, Tls(ca=authority.file), host="localhost") as node,
    ):
        await node.fence()
        assert isinstance(node._paho.socket(), ssl.SSLSocket)


@contextmanager
def handshakes(
    authority: Authority, version: ssl.TLSVersion, *, ask: bool = False
) -> Iterator[Server]:
    """A server of this version of TLS alone, which says nothing afterwards.

    In a thread, where OpenSSL writes its alerts before the socket closes; asyncio's does not.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1: that is the point
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    authority.listener()
    context.load_cert_chain(authority.folder / "broker.pem", authority.folder / "broker.key")
    if ask:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain, _ = listening.accept()
                with plain, suppress(OSError):
                    plain.settimeout(5)
                    with context.wrap_socket(plain, server_side=True) as secured:
                        while secured.recv(1000):
                            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield Server("127.0.0.1", listening.getsockname()[1], tls=True)
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


async def shake(server: Server, tls: Tls) -> ConnectionLost:
    with pytest.raises(ConnectionLost) as caught:
        await Connection.open(
            server, client_id="node", will=None, keep_alive_s=5, tls=tls, on_message=Inbox(),
            timeout_s=1,
        )  # fmt: skip
    return caught.value


async def test_tls_1_2_will_do_and_nothing_older(authority: Authority):
    tls = Tls(ca=authority.file)
    with handshakes(authority, ssl.TLSVersion.TLSv1_2) as server:
        assert "no answer" in (await shake(server, tls)).seen  # it shook hands, and waits for MQTT
    with handshakes(authority, ssl.TLSVersion.TLSv1_1) as server:
        error = await shake(server, tls)
        assert "only versions of TLS that are not safe any more" in error.seen


async def test_a_certificate_that_is_asked_for_in_tls_1_2(authority: Authority):
    with handshakes(authority, ssl.TLSVersion.TLSv1_2, ask=True) as server:
        error = await shake(server, Tls(ca=authority.file))
        assert "login: {certificate" in error.remedy
        ours = Tls(ca=authority.file, identity=authority.issue("node", []))
        assert "no answer" in (await shake(server, ours)).seen


async def test_an_authority_that_nobody_trusts(authority: Authority, tmp_path: Path):
    other = Authority(tmp_path, "other CA")
    async with Mosquitto(options=authority.listener()) as broker:
        for tls in (None, Tls(), Tls(ca=other.file)):
            error = await refused(broker, tls)
            assert "nobody whom we trust has issued the server's certificate" in error.seen
            assert f"127.0.0.1:{broker.port}" in error.seen
            assert not error.connect_sent


async def test_a_certificate_for_another_host(authority: Authority):
    identity = authority.issue("broker", ["broker.elsewhere.example"])
    async with Mosquitto(options=authority.listener(identity)) as broker:
        for host in ("127.0.0.1", "localhost"):
            error = await refused(broker, Tls(ca=authority.file), host=host)
            assert f"the server's certificate is not for '{host}'" in error.seen


@pytest.mark.parametrize(
    ("days", "words"), [((-9, -1), "has expired"), ((1, 9), "is not valid yet")]
)
async def test_a_certificate_out_of_its_time(authority: Authority, days, words: str):
    identity = authority.issue("broker", from_days=days[0], to_days=days[1])
    async with Mosquitto(options=authority.listener(identity)) as broker:
        error = await refused(broker, Tls(ca=authority.file))
    assert words in error.seen


async def test_a_broker_that_asks_for_a_certificate(authority: Authority, tmp_path: Path):
    clients = Authority(tmp_path, "clients CA")
    stranger = Authority(tmp_path, "strangers CA").issue("node", [])
    expired = clients.issue("node", [], from_days=-9, to_days=-1)
    async with Mosquitto(options=authority.listener(clients=clients)) as broker:
        ours = Tls(ca=authority.file, identity=clients.issue("node", []))
        async with await secure(broker, ours) as node:
            await node.fence()
        none = await refused(broker, Tls(ca=authority.file))
        assert "the server asks for a certificate, and there is none" in none.seen
        assert "login: {certificate" in none.remedy
        unknown = await refused(broker, Tls(ca=authority.file, identity=stranger))
        assert "does not know who issued our certificate" in unknown.seen
        late = await refused(broker, Tls(ca=authority.file, identity=expired))
        assert "our certificate has expired" in late.seen


async def test_files_that_are_none(authority: Authority, tmp_path: Path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    pair, other = authority.issue("node", []), authority.issue("node", [])
    locked = authority.issue("node", [], password=b"secret")
    async with Mosquitto(options=authority.listener()) as broker:
        missing = await refused(broker, Tls(ca=tmp_path / "gone.pem"))
        assert "gone.pem: No such file" in missing.seen
        assert "no certificates" in (await refused(broker, Tls(ca=wrong))).seen

        def ours(certificate: bytes, key: bytes) -> Tls:
            return Tls(ca=authority.file, identity=Identity(certificate=certificate, key=key))

        mixed = await refused(broker, ours(pair.certificate, other.key))
        assert "do not belong together" in mixed.seen
        for identity in (ours(b"no", pair.key), ours(locked.certificate, locked.key)):
            assert "cannot be read" in (await refused(broker, identity)).seen


async def test_never_plain_where_tls_is_meant(mosquitto: Mosquitto, authority: Authority):
    error = await refused(mosquitto, Tls(ca=authority.file), login=("ann", "secret"))
    assert "TLS" in error.seen + error.remedy or "closed the connection" in error.seen
    assert not error.connect_sent
    assert "secret" not in mosquitto.tail()


async def test_plain_to_a_port_of_tls_ends_in_words(authority: Authority):
    async with Mosquitto(options=authority.listener()) as broker:
        with pytest.raises(ConnectionLost):
            await connect(broker, "node")


async def test_a_refused_login_is_told_as_without_tls(authority: Authority):
    options = authority.listener()
    async with Mosquitto(options=options, passwords={"ann": "right"}) as broker:
        tls = Tls(ca=authority.file)
        with pytest.raises(ConnectionRefused):
            await secure(broker, tls, login=("ann", "wrong"))
        async with await secure(broker, tls, login=("ann", "right")) as node:
            await node.fence()


async def test_the_will_is_published_when_the_connection_is_cut(authority: Authority):
    inbox = Inbox()
    async with Mosquitto(options=authority.listener()) as broker:
        tls = Tls(ca=authority.file)
        async with await secure(broker, tls, inbox, name="host") as host:
            await host.subscribe([("gone", 1)])
            node = await secure(broker, tls, will=Will("gone", b"node"))
            node.abort()
            await until(lambda: ("gone", b"node", False) in inbox, what="the will")


async def test_a_silent_broker_is_noticed(authority: Authority):
    async with (
        Mosquitto(options=authority.listener()) as broker,
        Forwarder(broker.port) as wire,
    ):
        node = await secure(broker, Tls(ca=authority.file), port=wire.port, keep_alive_s=1)
        await asyncio.sleep(2.5)  # the probes keep it alive
        assert node.is_open
        wire.freeze()
        reason = await asyncio.wait_for(node.closed(), 5)
        assert "silent" in reason.seen


async def test_a_handshake_that_is_never_answered_ends_in_time(authority: Authority):
    async with Mosquitto(options=authority.listener()) as broker, Forwarder(broker.port) as wire:
        wire.freeze()
        with pytest.raises(ConnectionLost) as caught:
            await Connection.open(
                Server("127.0.0.1", wire.port, tls=True),
                client_id="node",
                will=None,
                keep_alive_s=5,
                tls=Tls(ca=authority.file),
                on_message=Inbox(),
                timeout_s=0.5,
            )
    assert not caught.value.connect_sent
    assert "no answer" in caught.value.seen
