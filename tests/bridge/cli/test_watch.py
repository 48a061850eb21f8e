"""``tagbridge watch``: the table of a picture, and the command against a real broker."""

import asyncio
import io
import signal
import sys

import aiomqtt
import pytest
from rich.console import Console

from bridge.cli.plant_table import age_text, render, value_text
from bridge.cli.watch import watch
from bridge.sparkplug.encoder import DeviceEncoder
from bridge.sparkplug.payload import (
    BirthMetric,
    encode_birth,
    encode_device_death,
    encode_node_death,
)
from bridge.sparkplug.rules import Packet
from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD
from mappings.tags import Metric
from simulators.host import HostView
from tests.support.wait import free_port, until

T = 1_795_000_000_000


def packets(count=3, *, historical=False):
    """The births of a node with one device, and a value of each metric; the last one Bad."""
    metrics = [
        Metric(id=f"{n}", name=f"Level {n:03}", datatype=DataType.DOUBLE) for n in range(count)
    ]
    encoder = DeviceEncoder(metrics, range(1, count + 1))
    encoder.born([])
    node = [
        BirthMetric(name="bdSeq", datatype=DataType.INT64, value=0, timestamp_ms=T),
        BirthMetric(
            name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=False, timestamp_ms=T
        ),
    ]
    device = [
        BirthMetric(
            name=metric.name,
            alias=n + 1,
            datatype=metric.datatype,
            value=None,
            timestamp_ms=T,
            properties={"engUnit": (DataType.STRING, "m³/h")},
        )
        for n, metric in enumerate(metrics)
    ]
    batch = Batch(
        "Tank",
        tuple(range(count)),
        [n + 0.25 for n in range(count)],
        [T + 1000] * count,
        [GOOD] * (count - 1) + [BAD],
    )
    topic = "spBv1.0/Plant/{}/gw{}"
    return [
        (topic.format("NBIRTH", ""), encode_birth(node, timestamp_ms=T, seq=0)),
        (topic.format("DBIRTH", "/Tank"), encode_birth(device, timestamp_ms=T, seq=1)),
        (
            topic.format("DDATA", "/Tank"),
            encoder.encode(batch, timestamp_ms=T, seq=2, historical=historical),
        ),
    ]


def picture(sent):
    view = HostView()
    for topic, payload in sent:
        view.feed(Packet(topic, payload, 0, False, T + 1000))
    return view


def drawn(view, *, width=110, now_ms=T + 1400, **options):
    console = Console(file=io.StringIO(), width=width)
    console.print(render(view, now_ms, **options))
    return console.file.getvalue()


def line_with(text, word):
    return next(line for line in text.splitlines() if word in line)


def test_a_metric_is_a_line():
    text = drawn(picture(packets()))
    assert line_with(text, "Level 001").split() == [
        "Level",
        "001",
        "1.250",
        "m³/h",
        "Good",
        "0.4",
        "s",
    ]
    assert "Bad" in line_with(text, "Level 002")
    assert "● Plant / gw" in text
    assert "0.6/s" in line_with(text, "● Tank")
    assert "1/1 nodes and 1/1 devices online · 3 metrics" in text
    assert "no rule of Sparkplug 3.0 broken" in text


def test_historical_values_are_counted_beside():
    text = drawn(picture(packets(historical=True)))
    assert line_with(text, "Level 001").split()[-1] == "1"
    assert "none" in line_with(text, "Level 001")
    assert "3 of them historical" in text


def test_rows_are_bounded_and_the_rest_is_told():
    text = drawn(picture(packets(200)), max_rows=12)
    assert len(text.splitlines()) < 20
    assert "… and 189 more, 1 not Good" in text


def test_small_devices_are_shown_whole():
    sent = packets(100)
    small = [(t.replace("Tank", "Pump"), p) for t, p in packets(2)[1:]]
    text = drawn(picture([*sent, *small]), max_rows=12)
    assert "● Pump" in text
    assert text.count("m³/h") == 10


@pytest.mark.parametrize("width", [80, 120, 200])
def test_any_width(width):
    text = drawn(picture(packets()), width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "Good" in text


def test_dead_device_and_dead_node():
    sent = packets()
    sent.append(("spBv1.0/Plant/DDEATH/gw/Tank", encode_device_death(timestamp_ms=T, seq=3)))
    text = drawn(picture(sent))
    assert "offline" in line_with(text, "● Tank")
    assert "Stale" in line_with(text, "Level 000")
    assert "Bad" in line_with(text, "Level 002")
    sent.append(("spBv1.0/Plant/NDEATH/gw", encode_node_death(0)))
    assert "dead, last heard 0.4 s ago" in line_with(drawn(picture(sent)), "Plant / gw")


def test_births_that_are_missing():
    text = drawn(picture(packets()[2:]), width=200)
    assert "births missing" in line_with(text, "Plant / gw")
    assert "3 came before their births" in text


def test_violations_are_told_with_their_rule():
    sent = packets()
    text = drawn(picture([*sent, sent[2]]), width=200)
    assert "1 violation of" in text
    assert "tck-id-payloads-sequence-num-incrementing" in text


def test_an_empty_picture():
    assert "No Sparkplug node" in drawn(HostView())


@pytest.mark.parametrize(
    ("value", "datatype", "text"),
    [
        (1.5, DataType.DOUBLE, "1.500"),
        (7, DataType.INT16, "7    "),
        (True, DataType.BOOLEAN, "true    "),
        (None, DataType.DOUBLE, "none    "),
        (1e-9, DataType.DOUBLE, "1.0000e-09"),
        (2.5e12, DataType.DOUBLE, "2.5000e+12"),
        (0.0, DataType.DOUBLE, "0.000"),
        (float("nan"), DataType.DOUBLE, "nan"),
        ("a\nb", DataType.STRING, "a·b    "),
        ("x" * 60, DataType.STRING, "x" * 23 + "…    "),
        (b"abc", 17, "3 bytes    "),
        (T, DataType.DATETIME, "2026-11-18 11:06:40"),
        ((1 << 64) - 1, DataType.DATETIME, f"{(1 << 64) - 1} ms"),
    ],
)
def test_values(value, datatype, text):
    assert value_text(value, datatype) == text


@pytest.mark.parametrize(
    ("age_ms", "text"),
    [
        (0, "0.0 s"), (400, "0.4 s"), (9_940, "9.9 s"), (12_000, "12 s"), (99_000, "99 s"),
        (180_000, "3 min"), (7_200_000, "2 h"), (400_000_000, "5 d"), (-500, "0.0 s"),
        (-30_000, "in 30 s"),
    ],
)  # fmt: skip
def test_ages(age_ms, text):
    assert age_text(age_ms) == text


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "group"),
    [
        ("localhost", None),
        ("mqtts://localhost", None),
        ("mqtt://", None),
        ("mqtt://h:99999", None),
        ("mqtt://[::1", None),
        ("mqtt://h", "a/b"),
        ("mqtt://h", ""),
    ],
)
def test_arguments_that_make_no_sense(url, group):
    console = Console(file=io.StringIO(), width=200)
    assert watch(url, group=group, console=console) == 2
    text = console.file.getvalue()
    assert "mqtt://host" in text or "group id" in text or "no address" in text


class Watching:
    """``tagbridge watch`` as a process; its lines are collected."""

    def __init__(self, *arguments):
        self._arguments = arguments
        self.lines = []

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge.cli.main", "watch", *self._arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self):
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    def line(self, *words):
        return next((line for line in self.lines if all(word in line for word in words)), None)


async def test_lines_where_there_is_no_terminal(mosquitto):
    async with Watching(mosquitto.url, "--group", "Plant") as watching:
        await until(lambda: watching.line("connected"), what="watch is connected")
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            for topic, payload in packets():
                await client.publish(topic, payload)
            await client.publish("spBv1.0/Plant/NDEATH/gw", encode_node_death(0))
            await client.publish("spBv1.0/Other/NDEATH/gw", encode_node_death(0))
            stray = packets()[2]
            await client.publish(stray[0], stray[1])
        await until(lambda: watching.line("ddata-order"), what="a violation is told")
        assert watching.line("Plant/gw/Tank Level 001 = 1.250 m³/h GOOD")
        assert watching.line("Plant/gw/Tank Level 001 = none m³/h GOOD birth")
        assert watching.line("Plant/gw/Tank Level 002 = 2.250 m³/h BAD")
        assert watching.line("Plant/gw NDEATH")
        assert watching.line("ddata-order").startswith("violation spBv1.0/")
        assert not watching.line("Other")
        watching.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(watching.process.wait(), 10) == 0


async def test_a_broker_that_comes_later(mosquitto):
    await mosquitto.kill()
    async with Watching(mosquitto.url) as watching:
        await until(lambda: watching.line("refused", "trying again"), what="the problem is told")
        await mosquitto.start()
        await until(lambda: watching.line("connected"), what="watch is connected")
        watching.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(watching.process.wait(), 10) == 0
    assert not watching.line("Traceback")


async def test_a_broker_that_never_comes():
    async with Watching(f"mqtt://127.0.0.1:{free_port()}", "--duration", "1s") as watching:
        assert await asyncio.wait_for(watching.process.wait(), 20) == 1
    assert watching.line("refused")
