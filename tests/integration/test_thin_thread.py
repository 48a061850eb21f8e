"""The main job on real parts: devices on two protocols, a broker, and hosts that are not ours.

What was delivered is decoded twice, by pysparkplug in an environment of its own and by reading the
bare wire, and held against what the simulated devices served.
"""

import asyncio
import struct
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from bridge.sparkplug.rules import Grader
from bridge.sparkplug.topics import Verb, parse
from mappings.datatypes import DataType
from mappings.plant.definitions import Plant
from mappings.quality import GOOD
from simulators.plant import PlantSimulator
from simulators.signals import engineering_of
from tests.support import plants, wire
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.decoded import Sample, samples
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.wait import free_port, until
from tests.support.witness import pysparkplug_decode

EXAMPLE = ROOT / "mappings/examples/two-protocols.yaml"
TOLERANCE_MS = 600
"""How far a value's time may be from when it was served: a poll reads within a grid of time."""


def moved(plant: Plant) -> tuple[Plant, list[str]]:
    """The plant with every link on a free port, and the options that tell the gateway so."""
    links, options = [], []
    for link in plant.links:
        url = f"{urlsplit(link.endpoint).scheme}://127.0.0.1:{free_port()}"
        links.append(replace(link, endpoint=url))
        options += ["--at", f"{link.name}={url}"]
    return replace(plant, links=tuple(links)), options


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """Ten seconds of the example plant: the plant, what was served, what was delivered."""

    async def play():
        folder = tmp_path_factory.mktemp("thin")
        plant, options = moved(plants.read(EXAMPLE))
        async with Mosquitto(folder) as broker:
            options += ["--at", f"scada={broker.url}", "--outbox", str(folder / "outbox")]
            async with (
                PlantSimulator(plant) as simulator,
                Capture("127.0.0.1", broker.port) as capture,
                GatewayProcess(EXAMPLE, *options, log=folder / "run.log") as gateway,
            ):
                await gateway.logged("born")
                births = {f"/DBIRTH/works-gw/{device.name}" for device in plant.devices}
                await until(
                    lambda: all(any(p.topic.endswith(b) for p in capture.packets) for b in births),
                    what="births of all devices",
                )
                await asyncio.sleep(8)
                assert await gateway.terminate() == 0
                await until(
                    lambda: "/NDEATH/" in capture.packets[-1].topic, what="the node's death"
                )
        return plant, simulator.truth, capture.packets

    return asyncio.run(play())


def test_every_metric_is_born_once_by_its_name_type_unit_and_alias(run) -> None:
    plant, _, packets = run
    born = {}
    for packet in packets:
        topic = parse(packet.topic)
        if topic is not None and topic.verb is Verb.DBIRTH:
            for metric in wire.metrics(packet.payload):
                born[topic.device, metric[1].decode()] = metric
    expected = {(d.name, m.name): m for d in plant.devices for m in d.metrics}
    assert born.keys() == expected.keys()
    assert {key: metric[4] for key, metric in born.items()} == {
        key: int(metric.datatype) for key, metric in expected.items()
    }
    aliases = [metric[2] for metric in born.values()]
    assert len(set(aliases)) == len(aliases)
    assert min(aliases) >= 1
    for key, metric in expected.items():
        assert _properties(born[key]).get("engUnit", "") == metric.unit.text


def _properties(metric: dict[int, int | bytes]) -> dict[str, object]:
    """engUnit and Quality, read from the wire: keys are field 1, values field 2."""
    keys, values = [], []
    for number, content in wire.fields(metric.get(9, b"")):
        (keys if number == 1 else values).append(content)
    out: dict[str, object] = {}
    for key, value in zip(keys, values, strict=True):
        fields = dict(wire.fields(value))
        out[key.decode()] = fields[8].decode() if 8 in fields else fields.get(3)
    return out


def test_every_delivered_value_is_what_the_device_served_then(run) -> None:
    plant, truth, packets = run
    wire_types = {(d.name, t.name): t for d in plant.devices for t in d.tags}
    metrics = {(d.name, m.name): m for d in plant.devices for m in d.metrics}
    checked = 0
    for sample in samples(packets):
        if not sample.device or sample.value is None or sample.quality not in {None, GOOD}:
            continue  # what is STALE or BAD is the last value, of which nobody says that it is true
        key = (sample.device, sample.name)
        assert key in wire_types
        served = [
            engineering_of(stretch.value, metrics[key])
            for stretch in truth.stretches(*key)
            if stretch.from_ms - TOLERANCE_MS <= sample.time_ms <= stretch.until_ms + TOLERANCE_MS
        ]
        if key == ("Pump station", "Clock"):
            continue  # the server's own clock: no simulator serves it
        assert sample.value in served, (
            f"{key} at {sample.time_ms}: {sample.value!r} not in {served}"
        )
        checked += 1
    assert checked > 150


def test_an_independent_decoder_reads_the_same(run) -> None:
    """pysparkplug's names, aliases, types, values and times equal ours, but for what it cannot."""
    _, _, packets = run
    ours: dict[int, list[Sample]] = {}
    for sample in samples(packets):
        ours.setdefault(sample.packet, []).append(sample)
    unreadable = 0
    for place, answer in enumerate(pysparkplug_decode(packets)):
        topic = parse(packets[place].topic)
        if topic.verb in {Verb.NDEATH, Verb.DDEATH}:
            continue
        if "error" in answer:
            # A sign-extended Int16 below zero; see tests/conformance/test_witness.py.
            assert "overflow" in answer["error"].lower(), answer
            unreadable += 1
            continue
        theirs = answer["metrics"]
        assert len(theirs) == len(ours[place])
        for their, our in zip(theirs, ours[place], strict=True):
            assert their["name"] == our.name
            assert their["timestamp_ms"] == our.time_ms
            assert bool(their["historical"]) == our.historical
            if isinstance(our.value, float):
                assert struct.pack("<d", their["value"]) == struct.pack("<d", our.value)
            else:
                assert their["value"] == our.value
    assert unreadable < len(packets) / 4


def test_the_traffic_breaks_no_rule(run) -> None:
    _, _, packets = run
    grader = Grader(complete=True)
    assert [found for packet in packets for found in grader.feed(packet)] == []


def test_the_end_is_deaths_of_devices_then_of_the_node(run) -> None:
    plant, _, packets = run
    verbs = [parse(packet.topic).verb for packet in packets[-len(plant.devices) - 1 :]]
    assert verbs == [Verb.DDEATH] * len(plant.devices) + [Verb.NDEATH]


def test_scaled_metrics_are_doubles_and_exact(run) -> None:
    plant, _, packets = run
    metrics = {(d.name, m.name): m for d in plant.devices for m in d.metrics}
    currents = [s for s in samples(packets) if s.name == "Pump/Current" and s.value is not None]
    assert currents
    for sample in currents:
        assert metrics[sample.device, sample.name].datatype is DataType.DOUBLE
        assert sample.value == round(sample.value, 2)  # a hundredth of a whole number, no noise
