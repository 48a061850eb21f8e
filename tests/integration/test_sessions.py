"""A gateway's sessions as a tap before each broker sees them, judged rule by rule."""

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from bridge.sparkplug.messages import Payload
from bridge.sparkplug.rules import Violation
from bridge.sparkplug.session_rules import Connect, Ended, Event, Sent, SessionGrader
from bridge.sparkplug.topics import Verb, parse
from simulators.mqtt_tap import MqttTap
from simulators.plant import PlantSimulator
from tests.integration.test_primary_host import say, state
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.gateway import GatewayProcess
from tests.support.wait import until


@dataclass
class Tapped:
    """A gateway between simulated devices and two brokers, each behind a tap."""

    gateway: GatewayProcess
    brokers: list[Mosquitto]
    events: list[Event]
    violations: list[Violation]

    def verbs(self) -> list[str]:
        topics = [parse(e.packet.topic) for e in self.events if isinstance(e, Sent)]
        return [topic.verb.value for topic in topics if topic is not None]

    def servers(self) -> list[str]:
        return [event.server for event in self.events if isinstance(event, Connect)]


@asynccontextmanager
async def tapped(folder: Path, protocol: str, host: str = "hmi") -> AsyncIterator[Tapped]:
    events: list[Event] = []
    violations: list[Violation] = []
    grader = SessionGrader(primary_host=host, servers=2)

    def on_event(event: Event) -> None:
        events.append(event)
        violations.extend(grader.feed(event))

    links = itertools.count(1)
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    async with (
        Mosquitto(folder / "a") as one,
        Mosquitto(folder / "b") as other,
        MqttTap("127.0.0.1", one.port, on_event, links=links) as first,
        MqttTap("127.0.0.1", other.port, on_event, links=links) as second,
    ):
        path = plants.counting_plant(folder, first.port, devices=2)
        servers = ", ".join(f'"mqtt://127.0.0.1:{tap.port}"' for tap in (first, second))
        text = path.read_text().replace(f'"mqtt://127.0.0.1:{first.port}"', servers)
        text = text.replace("keep_alive: 2s,", f"keep_alive: 2s, protocol: {protocol},")
        sparkplug = f"sparkplug: {{primary_host: {host}, server_dwell: 2s}}" if host else ""
        path.write_text(text.replace("sparkplug: {}", sparkplug or "sparkplug: {}"))
        async with (
            PlantSimulator(plants.read(path), counting=True),
            GatewayProcess(path) as gateway,
        ):
            yield Tapped(gateway, [one, other], events, violations)
            assert await gateway.terminate() == 0
    assert violations == []


def ask_rebirth(broker: Mosquitto, times: int) -> None:
    payload = Payload(timestamp=time.time_ns() // 1_000_000)
    payload.metrics.add(name="Node Control/Rebirth", boolean_value=True)
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for _ in range(times):
        sent = client.publish("spBv1.0/Test/NCMD/counter", payload.SerializeToString(), qos=1)
    sent.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("protocol", ["mqtt-3.1.1", "mqtt-5"])
async def test_a_session_is_to_the_letter(tmp_path: Path, protocol: str) -> None:
    async with tapped(tmp_path, protocol) as t:
        level = 5 if protocol == "mqtt-5" else 4
        say(t.brokers[0], state(True))
        await until(lambda: t.verbs().count("DDATA") > 5, what="data", timeout_s=30)
        ask_rebirth(t.brokers[0], 1)
        await until(lambda: t.verbs().count("NBIRTH") == 2, what="a rebirth")
        say(t.brokers[1], state(True))
        say(t.brokers[0], state(False))
        await until(lambda: t.verbs().count("NBIRTH") == 3, what="births elsewhere", timeout_s=20)
        assert len(set(t.servers())) == 2
        connects = [event for event in t.events if isinstance(event, Connect)]
        assert {event.level for event in connects} == {level}
        await t.brokers[1].kill()
        await until(lambda: any(isinstance(e, Ended) for e in t.events[-9:]), what="a cut")
        await t.brokers[1].start()
        say(t.brokers[0], state(True))
        await until(lambda: t.verbs().count("NBIRTH") == 4, what="births again", timeout_s=30)
    reasons = [event.reason for event in t.events if isinstance(event, Ended)]
    assert reasons[-1] == (4 if level == 5 else 0)
    assert t.verbs()[-1] == Verb.NDEATH.value


@pytest.mark.parametrize("protocol", ["mqtt-3.1.1", "mqtt-5"])
async def test_a_thousand_requests_are_two_births(tmp_path: Path, protocol: str) -> None:
    async with tapped(tmp_path, protocol, host="") as t:
        await until(lambda: t.verbs().count("DDATA") > 5, what="data", timeout_s=30)
        ask_rebirth(t.brokers[0], 1_000)
        births = 3  # of the start, at once, and one for all that asked meanwhile
        await until(lambda: t.verbs().count("NBIRTH") == births, what="rebirths", timeout_s=10)
        data = t.verbs().count("DDATA")
        await until(lambda: t.verbs().count("DDATA") > data + 120, what="3 s more", timeout_s=20)
        assert t.verbs().count("NBIRTH") == births
