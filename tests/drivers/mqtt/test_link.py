"""The link at a real mosquitto, and at brokers that misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.driver import DeviceDown, Identity, LinkError
from drivers.heard import Heard
from drivers.mqtt import link as links
from drivers.mqtt.driver import MQTT
from drivers.mqtt.link import MOST_WAITING, MqttLink
from mappings.batch import Batch
from mappings.quality import BAD, GOOD, Reason
from tests.support.broker import Mosquitto
from tests.support.certificates import Authority
from tests.support.mqtt import definition, endpoint, listening, now_ms, publisher, row

ROWS = (row("Level", "float64", "tank $.level"), row("State", "string", "state"))
BOTH = {"base": "plant", "topics": {"state": {"format": "text"}}}


def tank(name: str = "Tank", tags=ROWS, **options):
    return definition(name, tags, **{**BOTH, **options})


async def said(publishing, topic: str, document, **options) -> None:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    await publishing.publish(f"plant/{topic}", payload, qos=1, **options)


async def refusal(to) -> LinkError:
    with pytest.raises(LinkError) as caught:
        async with MQTT.open(to, now_ms):
            pytest.fail("opened")
    assert caught.value.remedy
    assert "\n" not in caught.value.seen
    return caught.value


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_values_arrive_with_each_quality_of_service(mosquitto: Mosquitto, qos: int):
    to = endpoint(mosquitto.url, [tank(qos=qos)])
    async with listening(to) as listener, publisher(mosquitto) as publishing:
        for number in range(200):
            payload = json.dumps({"level": number}).encode()
            await publishing.publish("plant/tank", payload, qos=qos)
        await publishing.publish("plant/state", b"full", qos=qos)
        await listener.until(lambda: listener.heard.up)
    levels = [e.values[0] for e in listener.events if isinstance(e, Batch) and e.points == (0,)]
    assert levels == [float(number) for number in range(200)]
    assert listener.heard.values["Tank", 1] == "full"


async def test_retained_values_are_there_at_once_or_ignored(mosquitto: Mosquitto):
    async with publisher(mosquitto) as publishing:
        await said(publishing, "tank", {"level": 3}, retain=True)
        await said(publishing, "state", b"calm", retain=True)
    async with listening(endpoint(mosquitto.url, [tank()])) as listener:
        await listener.until(lambda: listener.heard.up)
        assert set(listener.heard.qualities.values()) == {GOOD}
    ignoring = endpoint(mosquitto.url, [tank(retained="ignore")])
    async with listening(ignoring) as listener, publisher(mosquitto) as publishing:
        await listener.until(lambda: listener.link.sources[0].ignored == 2)
        await said(publishing, "tank", {"level": 4})
        await listener.until(lambda: listener.heard.up)
        assert listener.heard.values["Tank", 0] == 4.0
        assert listener.heard.qualities["Tank", 1] == BAD


async def test_two_devices_may_listen_to_one_topic(mosquitto: Mosquitto):
    to = endpoint(mosquitto.url, [tank("A"), tank("B", retained="ignore")])
    async with listening(to) as listener, publisher(mosquitto) as publishing:
        await said(publishing, "tank", {"level": 1})
        await said(publishing, "state", b"x")
        await listener.until(lambda: listener.heard.up == {"A", "B"})


async def test_many_topics_take_several_subscriptions(mosquitto: Mosquitto):
    tags = [row(f"T{n}", "uint16", f"t{n} $") for n in range(230)]
    to = endpoint(mosquitto.url, [definition("Many", tags)])
    async with listening(to) as listener, publisher(mosquitto) as publishing:
        for number in range(230):
            await publishing.publish(f"t{number}", str(number).encode(), qos=0)
        await listener.until(lambda: listener.heard.up)
        assert [listener.heard.values["Many", n] for n in range(230)] == list(range(230))


async def test_whoever_reads_slowly_stops_the_reading_and_loses_nothing(mosquitto: Mosquitto):
    count = 5 * MOST_WAITING
    to = endpoint(mosquitto.url, [tank()], keep_alive="1s")
    async with MQTT.open(to, now_ms) as link, publisher(mosquitto) as publishing:
        assert isinstance(link, MqttLink)
        for number in range(count):
            await publishing.publish("plant/tank", b'{"level":%d}' % number, qos=0)
        await asyncio.sleep(2.5)  # longer than the keep-alive allows: it is not the broker's fault
        assert len(link._inbox) < 2 * MOST_WAITING
        heard, levels = Heard(to), []
        async with asyncio.timeout(10):
            async for event in link.events():
                heard.take(event)
                if isinstance(event, Batch) and event.points == (0,):
                    levels += event.values
                if len(levels) == count:
                    break
        assert levels == [float(number) for number in range(count)]


async def test_payloads_of_any_kind_end_nothing(mosquitto: Mosquitto, caplog):
    async with (
        listening(endpoint(mosquitto.url, [tank()])) as listener,
        publisher(mosquitto) as publishing,
    ):
        for bad in (b"", b"{", b"\xff", b"[" * 100_000, b"x" * 4_000_000, b'{"level":NaN}'):
            await said(publishing, "tank", bad)
            await said(publishing, "state", bad)
        await listener.until(lambda: listener.heard.up)
        await said(publishing, "tank", {"level": 7})
        await said(publishing, "state", b"calm")
        await listener.until(lambda: listener.heard.values["Tank", 1] == "calm")
        assert listener.heard.values["Tank", 0] == 7.0
    told = [record.message for record in caplog.records if "plant/tank" in record.message]
    assert ["readable again" in line for line in told] == [False, True]


async def test_a_login_is_asked_for(tmp_path: Path):
    async with Mosquitto(tmp_path, passwords={"gw": "right"}) as broker:
        for login in (None, ("gw", "wrong")):
            error = await refusal(endpoint(broker.url, [tank()], login=login))
            assert "the broker" in error.seen
            assert "password" in error.remedy
        async with MQTT.open(endpoint(broker.url, [tank()], login=("gw", "right")), now_ms):
            pass


async def test_tls_with_and_without_a_certificate_of_our_own(tmp_path: Path):
    authority = Authority(tmp_path)
    ours = authority.issue("gw", [])
    known = {"tls": {"ca": str(authority.file)}}
    async with Mosquitto(tmp_path, options=authority.listener(clients=authority)) as broker:
        url = f"mqtts://localhost:{broker.port}"
        async with listening(endpoint(url, [tank()], identity=ours, **known)) as listener:
            assert listener.link.sources
        error = await refusal(endpoint(url, [tank()], **known))
        assert "the server asks for a certificate, and there is none" in error.seen
        assert f"localhost:{broker.port}" in error.seen
        error = await refusal(endpoint(url, [tank()], identity=ours))
        assert "nobody whom we trust has issued the server's certificate" in error.seen
        error = await refusal(endpoint(url, [tank()], tls={"ca": "/nowhere.pem"}))
        assert "/nowhere.pem" in error.seen


async def test_certificates_are_never_left_aside_for_plain_text():
    ours = Identity(certificate=b"x", key=b"x")
    for options in ({"tls": {"ca": "x.pem"}}, {"identity": ours}):
        error = await refusal(endpoint("mqtt://broker.example", [tank()], **options))
        assert "mqtt://" in error.seen


async def test_a_broker_that_goes_ends_the_link_with_a_reason(mosquitto: Mosquitto):
    async with MQTT.open(endpoint(mosquitto.url, [tank()]), now_ms) as link:
        await mosquitto.stop()
        with pytest.raises(LinkError, match="the broker closed the connection"):
            async for _ in link.events():
                pass


async def test_a_broker_that_falls_silent_ends_the_link(mosquitto: Mosquitto):
    to = endpoint(mosquitto.url, [tank()], keep_alive="1s")
    async with MQTT.open(to, now_ms) as link:
        mosquitto.freeze()
        async with asyncio.timeout(4):
            with pytest.raises(LinkError, match="silent"):
                async for _ in link.events():
                    pass


# Brokers that misbehave.

CONNACK = b"\x20\x02\x00\x00"


@asynccontextmanager
async def broker(*, refuses: frozenset[str] = frozenset(), then: bytes = b"") -> AsyncIterator[str]:
    """Speaks just enough MQTT: refuses some topics, and says ``then`` after the first SUBACK."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind = (await reader.readexactly(1))[0]
                length, shift = 0, 0
                while True:
                    byte = (await reader.readexactly(1))[0]
                    length |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = await reader.readexactly(length)
                if kind == 0x10:
                    writer.write(CONNACK)
                elif kind == 0x82:
                    codes, at = bytearray(), 2
                    while at < len(body):
                        end = at + 2 + int.from_bytes(body[at : at + 2])
                        topic = body[at + 2 : end].decode()
                        codes.append(0x80 if topic in refuses else 1)
                        at = end + 1
                    writer.write(bytes([0x90, 2 + len(codes)]) + body[:2] + codes + then)
                elif kind == 0xA2:
                    writer.write(b"\xb0\x02" + body[:2])
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_refused_topic_is_bad_and_asked_for_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(links, "RETRY_REFUSED_S", 0.1)
    message = b"\x30" + bytes([2 + 10 + 11]) + b"\0\x0aplant/tank" + b'{"level":1}'
    async with (
        broker(refuses=frozenset({"plant/state"}), then=message) as url,
        listening(endpoint(url, [tank()])) as listener,
    ):
        await listener.until(lambda: listener.heard.up)
        assert listener.heard.values["Tank", 0] == 1.0
        reasons = [e.reasons for e in listener.events if isinstance(e, Batch) and e.reasons]
        assert reasons == [[Reason.DEVICE_ERROR]]
        count = len(listener.events)
        # It is refused again and again, which is no news; the broker's message comes with each.
        await listener.until(lambda: len(listener.events) > count + 2)
        assert all(isinstance(e, Batch) and e.plain for e in listener.events[count:])


async def test_all_topics_refused_is_a_device_that_is_down():
    async with (
        broker(refuses=frozenset({"plant/state", "plant/tank"})) as url,
        listening(endpoint(url, [tank()])) as listener,
    ):
        await listener.until(lambda: any(isinstance(e, DeviceDown) for e in listener.events))
        assert not listener.heard.up


@pytest.mark.parametrize(
    "garbage",
    [b"\xf0\x00", b"\x30\xff\xff\xff\xff\x7f", b"\x30\x04\x00\x02\xff\xfe", b"\x00" * 50],
)
async def test_bytes_that_are_no_mqtt_end_the_link(garbage: bytes):
    async with broker(then=garbage) as url, MQTT.open(endpoint(url, [tank()]), now_ms) as link:
        async with asyncio.timeout(5):
            with pytest.raises(LinkError) as caught:
                async for _ in link.events():
                    pass
    assert caught.value.seen
    assert caught.value.remedy


async def test_a_port_where_nobody_speaks_ends_in_time():
    async with await asyncio.start_server(lambda *_: asyncio.sleep(9), "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        to = endpoint(f"mqtt://127.0.0.1:{port}", [tank()], timeout="300ms")
        error = await refusal(to)
        assert "no answer within 0.3 s" in error.seen
