"""The simulated host: its picture of the plant, and its connection to a real broker."""

import asyncio
import json
import time

import aiomqtt
import pytest

from bridge.sparkplug.encoder import DeviceEncoder
from bridge.sparkplug.messages import Metric as MetricMessage
from bridge.sparkplug.messages import Payload
from bridge.sparkplug.payload import (
    BirthMetric,
    decode_command,
    encode_birth,
    encode_device_death,
    encode_node_death,
)
from bridge.sparkplug.rules import Packet
from bridge.sparkplug.topics import BD_SEQ, QUALITY, REBIRTH
from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD, STALE
from mappings.tags import Metric
from simulators.broker import EmbeddedBroker
from simulators.host import HostView, SparkplugHost
from simulators.host_values import value_of
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.wait import free_port, until

T = 0


@pytest.fixture(autouse=True)
def now() -> None:
    """The host's own clock is the measure of what it is sent."""
    global T  # noqa: PLW0603  # the tests' own constant, new for each
    T = time.time_ns() // 1_000_000


METRICS = [
    Metric(id="t", name="Temperature", datatype=DataType.INT16),
    Metric(id="l", name="Level", datatype=DataType.DOUBLE),
]


class Node:
    """A small edge node; numbers its messages as the standard wants it."""

    def __init__(self, name="gw", bd_seq=0):
        self.name, self.bd_seq, self.seq = name, bd_seq, 0
        self.encoder = DeviceEncoder(METRICS, [1, 2])

    def packet(self, verb, payload, now_ms=None):
        level = "/Boiler" if verb[0] == "D" else ""
        return Packet(f"spBv1.0/G/{verb}/{self.name}{level}", payload, 0, False, now_ms or T)

    def nbirth(self):
        self.seq = 0
        metrics = [
            BirthMetric(name=BD_SEQ, datatype=DataType.INT64, value=self.bd_seq, timestamp_ms=T),
            BirthMetric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False, timestamp_ms=T),
        ]
        return self.packet("NBIRTH", encode_birth(metrics, timestamp_ms=T, seq=0))

    def dbirth(self, values=(20, None), qualities=(GOOD, STALE)):
        self.encoder.born([n for n, quality in enumerate(qualities) if quality != GOOD])
        metrics = [
            BirthMetric(
                name=metric.name,
                alias=n + 1,
                datatype=metric.datatype,
                value=values[n],
                timestamp_ms=T,
                properties={
                    "engUnit": (DataType.STRING, "°C"),
                    QUALITY: (DataType.INT32, qualities[n]),
                },
            )
            for n, metric in enumerate(METRICS)
        ]
        return self.packet("DBIRTH", encode_birth(metrics, timestamp_ms=T, seq=self.next_seq()))

    def ddata(self, points, values, *, after_ms=1, qualities=None, historical=False):
        batch = Batch("Boiler", points, values, [T + after_ms] * len(points), qualities)
        payload = self.encoder.encode(
            batch, timestamp_ms=T, seq=self.next_seq(), historical=historical
        )
        return self.packet("DDATA", payload, T + after_ms + 5)

    def ddeath(self):
        return self.packet("DDEATH", encode_device_death(timestamp_ms=T, seq=self.next_seq()))

    def ndeath(self):
        return self.packet("NDEATH", encode_node_death(self.bd_seq))

    def next_seq(self):
        self.seq = (self.seq + 1) % 256
        return self.seq


def fed(*packets, **options):
    view = HostView(**options)
    for packet in packets:
        view.feed(packet)
    return view


def test_births_tell_names_types_units_and_quality():
    node = Node(bd_seq=7)
    view = fed(node.nbirth(), node.dbirth(values=(-3, None)))
    gateway = view.nodes["G", "gw"]
    assert (gateway.online, gateway.bd_seq, gateway.births) == (True, 7, 1)
    assert gateway.devices["Boiler"].online
    temperature = view.metric("G", "gw", "Boiler", "Temperature")
    assert (temperature.value, temperature.unit, temperature.datatype) == (-3, "°C", 2)
    level = view.metric("G", "gw", "Boiler", "Level")
    assert (level.value, level.quality) == (None, STALE)
    assert view.violations == []
    assert not view.wants_rebirth


def test_data_updates_by_alias_and_keeps_the_quality_told_last():
    node = Node()
    view = fed(node.nbirth(), node.dbirth(), node.ddata((0, 1), [-1, 0.5], after_ms=9))
    temperature = view.metric("G", "gw", "Boiler", "Temperature")
    assert (temperature.value, temperature.timestamp_ms, temperature.received_ms) == (
        -1,
        T + 9,
        T + 14,
    )
    assert view.metric("G", "gw", "Boiler", "Level").quality == GOOD
    view.feed(node.ddata((0,), [-1], after_ms=10, qualities=[BAD]))
    assert temperature.quality == BAD
    view.feed(node.ddata((0,), [4], after_ms=11))
    assert (temperature.quality, temperature.value, temperature.live) == (GOOD, 4, 3)
    assert view.violations == []


def test_historical_values_are_told_and_leave_the_present_alone():
    samples = []
    node = Node()
    view = fed(
        node.nbirth(),
        node.dbirth(),
        node.ddata((0,), [5], after_ms=50),
        node.ddata((0,), [4], after_ms=3, historical=True, qualities=[BAD]),
        on_sample=samples.append,
    )
    temperature = view.metric("G", "gw", "Boiler", "Temperature")
    assert (temperature.value, temperature.quality, temperature.historical) == (5, GOOD, 1)
    told = [
        (s.value, s.timestamp_ms, s.quality, s.historical, s.birth)
        for s in samples
        if s.metric == "Temperature"
    ]
    assert told == [
        (20, T, GOOD, False, True),
        (5, T + 50, GOOD, False, False),
        (4, T + 3, BAD, True, False),
    ]
    assert (samples[-1].group, samples[-1].node, samples[-1].device) == ("G", "gw", "Boiler")


def test_deaths():
    node = Node(bd_seq=1)
    view = fed(node.nbirth(), node.dbirth(), node.ddeath())
    gateway = view.nodes["G", "gw"]
    assert not gateway.devices["Boiler"].online
    assert gateway.online
    view.feed(node.dbirth())
    view.feed(Node(bd_seq=0).ndeath())  # an older session's Will
    assert gateway.online
    view.feed(node.ndeath())
    assert not gateway.online
    assert not gateway.devices["Boiler"].online
    assert gateway.deaths == 1
    assert view.violations == []


def test_a_late_joiner_asks_and_reports_nothing():
    node = Node()
    node.nbirth()
    node.dbirth()
    view = fed(node.ddata((0, 1), [1, 2.0]))
    assert view.wants_rebirth == {("G", "gw")}
    assert view.nodes["G", "gw"].undecoded == 2
    assert view.violations == []
    view.feed(node.nbirth())
    assert not view.wants_rebirth


def test_after_a_gap_it_decodes_by_the_old_births_and_asks_for_new_ones():
    node = Node()
    view = fed(node.nbirth(), node.dbirth())
    node.ddata((0,), [2])
    view.gap()
    view.feed(node.ddata((0,), [3]))
    assert view.metric("G", "gw", "Boiler", "Temperature").value == 3
    assert view.wants_rebirth == {("G", "gw")}
    assert view.violations == []
    view.feed(node.nbirth())
    view.feed(node.dbirth())
    view.feed(node.ddata((0,), [4], after_ms=90))
    assert not view.wants_rebirth
    assert view.violations == []


def test_violations_are_kept_and_counted():
    node = Node()
    view = fed(node.nbirth(), node.dbirth())
    node.next_seq()
    view.feed(node.ddata((0,), [3]))
    assert [v.tck_id for v in view.violations] == ["tck-id-payloads-sequence-num-incrementing"]
    assert view.violation_count == 1


def test_rate_is_of_the_last_five_seconds():
    node = Node()
    view = fed(node.nbirth(), node.dbirth())
    for n in range(10):
        view.feed(node.ddata((0, 1), [n, 1.0], after_ms=n * 500))
    device = view.nodes["G", "gw"].devices["Boiler"]
    assert device.rate(T + 4_900) == pytest.approx(4.0)
    assert device.rate(T + 60_000) == 0


@pytest.mark.parametrize("payload", [b"", b"\xff\xff", b"OFFLINE", b"\x12\x04\x0a\x02\xff\xfe"])
@pytest.mark.parametrize("verb", ["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH", "NCMD"])
def test_hostile_packets_do_not_raise(payload, verb):
    node = Node()
    view = fed(node.nbirth(), node.dbirth(), node.packet(verb, payload))
    view.feed(Packet("spBv1.0/a", payload, 0, False, T))
    view.feed(Packet("spBv1.0/STATE/scada", payload, 1, True, T))


# --- with a broker --------------------------------------------------------------------------------


async def publish(client, packet):
    await client.publish(packet.topic, packet.payload, qos=0)


async def test_host_follows_a_node(mosquitto):
    packets = []
    async with (
        SparkplugHost("127.0.0.1", mosquitto.port, on_packet=packets.append) as host,
        aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
    ):
        assert host.connected
        node = Node()
        for packet in (node.nbirth(), node.dbirth(), node.ddata((0, 1), [1, 2.5])):
            await publish(client, packet)
        await until(lambda: host.view.values == 2, what="both values are there")
        assert host.view.metric("G", "gw", "Boiler", "Level").value == 2.5
        assert host.view.violations == []
        assert [packet.qos for packet in packets] == [0, 0, 0]
        assert host.rebirths_asked == 0


async def test_host_asks_an_unknown_node_once_in_five_seconds(mosquitto):
    async with (
        aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
        SparkplugHost("127.0.0.1", mosquitto.port) as host,
    ):
        await client.subscribe("spBv1.0/G/NCMD/#", qos=1)
        node = Node()
        node.nbirth()
        node.dbirth()
        for n in range(5):
            await publish(client, node.ddata((0,), [n], after_ms=n))
        message = await asyncio.wait_for(anext(client.messages), 5)
        assert message.topic.value == "spBv1.0/G/NCMD/gw"
        assert (message.qos, message.retain) == (0, False)
        [command] = decode_command(message.payload).metrics
        assert (command.name, command.value) == (REBIRTH, True)
        assert Payload.FromString(message.payload).HasField("timestamp")
        await until(lambda: host.view.nodes["G", "gw"].undecoded == 5, what="five undecoded")
        assert host.rebirths_asked == 1


async def test_host_sees_violations_of_qos(mosquitto):
    async with (
        SparkplugHost("127.0.0.1", mosquitto.port) as host,
        aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
    ):
        birth = Node().nbirth()
        await client.publish(birth.topic, birth.payload, qos=1)
        await until(lambda: host.view.violations, what="a violation")
        assert [v.tck_id for v in host.view.violations] == ["tck-id-payloads-nbirth-qos"]


async def test_host_is_not_fooled_by_a_broker_that_raises_the_qos():
    """amqtt delivers what was published with QoS 0 with the QoS of the subscription."""
    async with (
        EmbeddedBroker() as broker,
        SparkplugHost("127.0.0.1", broker.port) as host,
        aiomqtt.Client("127.0.0.1", broker.port) as client,
    ):
        node = Node()
        for packet in (node.nbirth(), node.dbirth(), node.ddata((0, 1), [1, 2.5])):
            await publish(client, packet)
        await until(lambda: host.view.values == 2, what="both values are there")
        assert host.view.violations == []


async def test_a_broker_that_drops_the_probe_is_taken_for_a_good_one(tmp_path):
    async with (
        Mosquitto(tmp_path, acl="topic readwrite spBv1.0/#") as broker,
        SparkplugHost("127.0.0.1", broker.port) as host,
        aiomqtt.Client("127.0.0.1", broker.port) as client,
    ):
        birth = Node().nbirth()
        await client.publish(birth.topic, birth.payload, qos=1)
        await until(lambda: host.view.violations, what="a violation")


async def test_host_comes_back_after_the_broker(mosquitto):
    async with SparkplugHost("127.0.0.1", mosquitto.port) as host:
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            node = Node()
            for packet in (node.nbirth(), node.dbirth()):
                await publish(client, packet)
            await until(lambda: host.view.packets == 2, what="births")
            await mosquitto.kill()
            await until(lambda: not host.connected, what="the loss is noticed")
            # The test's own client is dead as well; what it says on leaving does not matter here.
            with pytest.raises(aiomqtt.MqttError):
                await asyncio.wait_for(anext(client.messages), 5)
        await until(lambda: host.problem is not None, what="a problem is told")
        await mosquitto.start()
        await until(lambda: host.connected, what="connected again")
        assert host.problem is None
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            again = Node(bd_seq=9)
            again.nbirth()
            again.dbirth()
            await publish(client, again.ddata((0,), [77]))
            await until(lambda: host.rebirths_asked == 1, what="births asked for after the gap")
            assert host.view.metric("G", "gw", "Boiler", "Temperature").value == 77
            await publish(client, again.nbirth())
            await publish(client, again.dbirth())
            await until(lambda: host.view.nodes["G", "gw"].bd_seq == 9, what="the new births")
        assert host.view.violations == []


async def test_host_says_why_it_cannot_connect():
    port = free_port()
    async with SparkplugHost("127.0.0.1", port) as host:
        assert not host.connected
        assert f"127.0.0.1:{port}" in host.problem
        assert "refused" in host.problem
        with pytest.raises(ConnectionError):
            await host.rebirth("G", "gw")


async def test_host_says_that_its_password_is_refused_and_where_to_write_it(tmp_path):
    async with (
        Mosquitto(tmp_path, passwords={"u": "right"}) as broker,
        SparkplugHost("127.0.0.1", broker.port, username="u", password="wrong") as host,
    ):
        assert "refuses this user and password; write mqtt://USER:PASSWORD@" in host.problem


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.INT16_ARRAY, (-3, 7)),
        (DataType.BOOLEAN_ARRAY, (True, False, True)),
        (DataType.STRING_ARRAY, ("a", "höher")),
        (DataType.FLOAT_ARRAY, (0.5, -1.0)),
        (DataType.BYTES, b"\x00\xff"),
    ],
)
def test_arrays_and_bytes_are_read(datatype, value):
    birth = BirthMetric(name="m", datatype=datatype, value=value, timestamp_ms=T)
    payload = Payload.FromString(encode_birth([birth], timestamp_ms=T, seq=0))
    assert value_of(payload.metrics[0], int(datatype)) == value


def test_bytes_that_are_no_array_stay_bytes():
    for datatype in (23, 32):
        assert value_of(MetricMessage(bytes_value=b"\x01\x02\x03"), datatype) == b"\x01\x02\x03"


async def test_a_primary_host_says_that_it_is_there_and_that_it_goes(mosquitto):
    topic = "spBv1.0/STATE/hmi"
    async with Capture("127.0.0.1", mosquitto.port, filters=(topic,)) as capture:

        def states():
            return [(json.loads(p.payload)["online"], p.qos) for p in list(capture.packets)]

        async with SparkplugHost("127.0.0.1", mosquitto.port, primary="hmi"):
            await until(lambda: states() == [(True, 1)], what="STATE online")
            born_ms = json.loads(capture.packets[0].payload)["timestamp"]
            old = json.dumps({"online": False, "timestamp": born_ms}).encode()
            capture.publish(topic, old, qos=1)
            await until(lambda: len(states()) == 3, what="STATE online again")
            assert json.loads(capture.packets[2].payload) == {"online": True, "timestamp": born_ms}
            async with Capture("127.0.0.1", mosquitto.port, filters=(topic,)) as late:
                await until(lambda: late.packets, what="the retained STATE")
                assert late.packets[0].retain
        await until(lambda: states()[-1] == (False, 1), what="STATE offline")
        assert json.loads(capture.packets[-1].payload)["timestamp"] >= born_ms
