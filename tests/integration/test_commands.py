"""Writes from a host to a machine, by way of a real broker, gateway and devices."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from bridge.sparkplug.messages import Payload
from bridge.sparkplug.topics import Verb, parse
from simulators.plant import PlantSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.counting import assert_no_violation
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.wait import free_port, until

PLANT = """\
tagbridge: 1
edge_node: {{group: Test, name: writer}}
destinations:
  scada: {{servers: ["{broker}"], keep_alive: 2s, sparkplug: {{}}}}
outbox: {{folder: "{folder}/outbox", max_size: 64 MiB}}
links:
  line: {{endpoint: "tcp://127.0.0.1:{modbus}", timeout: 500ms}}
  cell: {{endpoint: "opc.tcp://127.0.0.1:{opcua}", security: insecure}}
devices:
  Pump:
    modbus: {{link: line, unit: 1}}
    defaults: {{scan: 100ms}}
    tags:
      - {{name: Setpoint/Speed, address: HR1, type: int16, scale: 0.1, low: 0, high: 60, unit: Hz,
         access: rw}}
      - {{name: On, address: C1, type: bool, access: rw}}
      - {{name: Level, address: HR10, type: uint16}}
      - {{name: Service, address: HR11, type: uint16, low: 0, high: 9, access: rw}}
  Press:
    opcua: {{link: cell, namespaces: {{line: "urn:line"}}}}
    tags:
      - {{name: Force, address: "line;s=Force", type: float64, low: -5, high: 5, access: rw}}
commands: {{gate: {gate}, max_age: 5s, readback: 1s,
  allow: [{{destination: scada, write: ["Pump/Setpoint/*", Pump/On, Press/Force]}}]}}
"""


NODE_SAYS = tuple(f"spBv1.0/Test/{verb}/#" for verb in Verb if verb not in {Verb.NCMD, Verb.DCMD})


@dataclass
class World:
    """All that a command passes, and a host of paho's own."""

    path: Path
    gateway: GatewayProcess
    simulator: PlantSimulator
    capture: Capture
    host: paho.Client

    def send(
        self,
        device: str,
        name: str | None = None,
        *,
        verb: str = "DCMD",
        qos: int = 1,
        retain: bool = False,
        uuid: str = "order",
        age_ms: int = 0,
        **metric: Any,
    ) -> None:
        at = time.time_ns() // 1_000_000 - age_ms
        payload = Payload(timestamp=at, uuid=uuid)
        if name is not None:
            metric["name"] = name
        payload.metrics.add(timestamp=at, **metric)
        self.publish(device, payload.SerializeToString(), verb=verb, qos=qos, retain=retain)

    def publish(
        self, device: str, payload: bytes, *, verb: str = "DCMD", qos: int = 1, retain: bool = False
    ) -> None:
        topic = f"spBv1.0/Test/{verb}/writer" + (f"/{device}" if device else "")
        self.host.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(5)

    def shown(self, name: str, device: str = "") -> list[Any]:
        """What a metric was told as, in births and data, by its alias too."""
        found: list[Any] = []
        aliases: dict[int, str] = {}
        for packet in list(self.capture.packets):
            topic = parse(packet.topic)
            if topic is None or topic.verb in {Verb.NCMD, Verb.DCMD}:
                continue
            if (topic.device or "") != device:
                continue
            for metric in Payload.FromString(packet.payload).metrics:
                if metric.HasField("name") and metric.HasField("alias"):
                    aliases[metric.alias] = metric.name
                called = metric.name or aliases.get(metric.alias, "")
                field = metric.WhichOneof("value")
                if called == name and field is not None:
                    found.append(getattr(metric, field))
        return found

    def alias(self, device: str, name: str) -> int:
        for packet in list(self.capture.packets):
            topic = parse(packet.topic)
            if topic is not None and topic.verb is Verb.DBIRTH and topic.device == device:
                for metric in Payload.FromString(packet.payload).metrics:
                    if metric.name == name:
                        return int(metric.alias)
        raise AssertionError(name)

    async def result(self, device: str, name: str, **wanted: Any) -> dict[str, Any]:
        """The first result of a metric with these words."""

        def found() -> dict[str, Any] | None:
            texts = self.shown(f"Commands/{device}/{name}")
            results = [json.loads(text) for text in texts if text]
            return next((r for r in results if wanted.items() <= r.items()), None)

        return await until(found, what=f"result of {name} {wanted}", timeout_s=10)

    def tagbridge(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bridge.cli.main", *words, str(self.path)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    async def status(self) -> dict[str, Any]:
        done = await asyncio.to_thread(self.tagbridge, "status", "--json")
        found: dict[str, Any] = json.loads(done.stdout)["commands"]
        return found


@asynccontextmanager
async def world(folder: Path, gate: str = "open") -> AsyncIterator[World]:
    async with Mosquitto(folder) as broker:
        path = folder / "plant.yaml"
        path.write_text(
            PLANT.format(
                broker=broker.url, folder=folder, gate=gate,
                modbus=free_port(), opcua=free_port(),
            )
        )  # fmt: skip
        host = paho.Client(paho.CallbackAPIVersion.VERSION2)
        host.connect("127.0.0.1", broker.port)
        host.loop_start()
        try:
            async with (
                PlantSimulator(plants.read(path)) as simulator,
                Capture("127.0.0.1", broker.port, filters=NODE_SAYS) as capture,
                GatewayProcess(path) as gateway,
            ):
                made = World(path, gateway, simulator, capture, host)
                await until(lambda: _dead(made) == set(), what="both are born", timeout_s=30)
                yield made
                assert await gateway.terminate() == 0
                assert_no_violation(capture)
        finally:
            host.disconnect()
            host.loop_stop()


async def test_a_host_writes_to_machines_and_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        writes = w.simulator.simulators["line"].writes("Pump")
        w.send("Pump", "Setpoint/Speed", double_value=42.0, datatype=10, uuid="a1")
        told = await w.result("Pump", "Setpoint/Speed", id="a1")
        assert (told["accepted"], told["outcome"], told["read"]) == (True, "confirmed", 42.0)
        assert writes.done == [(6, 0, (420,))]
        # The metric itself shows what the device has, and nothing else.
        await until(lambda: w.shown("Setpoint/Speed", "Pump")[-1] == 42.0, what="42 from the pump")
        alias = w.alias("Pump", "On")
        w.send("Pump", alias=alias, boolean_value=True, uuid="a2", qos=0)
        assert (await w.result("Pump", "On", id="a2"))["outcome"] == "confirmed"
        w.send("Press", "Force", double_value=-2.5, uuid="a3")
        assert (await w.result("Press", "Force", id="a3"))["read"] == -2.5
        writes.refusal = 3
        w.send("Pump", "Setpoint/Speed", double_value=10.0, uuid="a4")
        told = await w.result("Pump", "Setpoint/Speed", id="a4")
        assert told["outcome"] == "refused by the device"
        writes.refusal = 0
        writes.deaf = True
        w.send("Pump", "Setpoint/Speed", double_value=11.0, uuid="a5")
        told = await w.result("Pump", "Setpoint/Speed", id="a5")
        assert (told["outcome"], told["read"]) == ("unconfirmed", 42.0)
        writes.deaf = False
        status = await w.status()
        assert (status["accepted"], status["denied"], status["shut"]) == (5, 0, "")
        log = w.tagbridge("commands", "log").stdout
        assert "Press/Force" in log
        assert "confirmed" in log
        head = await until(lambda: (w.shown("Commands/Audit head") or [""])[-1], what="a head")
        verified = w.tagbridge("commands", "verify", "--head", head.split()[-1])
        assert (verified.returncode, "unbroken" in verified.stdout) == (0, True), verified
        [audit] = (tmp_path / "outbox" / "commands.audit").iterdir()
        audit.write_text(audit.read_text().replace('"value":42.0', '"value":24.0', 1))
        tampered = w.tagbridge("commands", "verify")
        assert tampered.returncode == 1
        assert "changed, or no record" in tampered.stderr


async def test_what_is_not_allowed_is_told_and_never_written(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        writes = w.simulator.simulators["line"].writes("Pump")
        for number, (options, refusal) in enumerate(
            [
                ({"double_value": 60.1}, "limits"),
                ({"string_value": "42"}, "type"),
                ({"double_value": 1.0, "age_ms": 60_000}, "too old"),
                ({"double_value": 1.0, "is_historical": True}, "historical"),
                ({"double_value": 1.0, "retain": True}, ""),
            ]
        ):
            w.send("Pump", "Setpoint/Speed", uuid=f"b{number}", **options)
            if refusal:
                told = await w.result("Pump", "Setpoint/Speed", id=f"b{number}")
                assert (told["accepted"], told["refused"]) == (False, refusal)
        # The retained one was live for us; cleared, and it counts as what it is after a restart.
        told = await w.result("Pump", "Setpoint/Speed", id="b4")
        assert told["outcome"] == "confirmed"
        before = list(writes.done)
        w.send("Pump", "Service", int_value=1, uuid="c1")
        w.send("Pump", "Level", int_value=1, uuid="c2")
        w.send("Pump", "Nothing", int_value=1, uuid="c3")
        w.send("Nobody", "On", boolean_value=True, uuid="c4")
        w.send("", "Commands/Gate", verb="NCMD", string_value="open", uuid="c5")
        for junk in (b"", b"\xff" * 40, b'{"metrics": []}', bytes(100_000)):
            w.publish("Pump", junk)
        denied = 4 + 5 + 3  # an empty payload is a command for nothing
        await until(lambda: w.shown("Commands/Denied")[-1] >= denied, what="refusals are counted")
        await w.gateway.logged("command refused", refused="not allowed")
        await w.gateway.logged("command refused", refused="read-only")
        await w.gateway.logged("command refused", refused="unreadable")
        assert writes.done == before
        assert (await w.status())["denied"] == denied
        w.gateway.kill()
        w.gateway.start()
        await w.gateway.logged("command refused", refused="retained")
        assert writes.done == before


async def test_a_closed_gate_does_not_listen(tmp_path: Path) -> None:
    async with world(tmp_path, gate="closed") as w:
        w.send("Pump", "On", boolean_value=True)
        w.send("", "On", verb="NCMD", boolean_value=True)
        line = await w.gateway.logged("command refused", refused="gate")
        assert line["metric"] == "On"
        refused = [x for x in w.gateway.lines() if x.get("event") == "command refused"]
        assert len(refused) == 1  # the DCMD was not even delivered
        assert w.simulator.simulators["line"].writes("Pump").done == []
        assert not any(name.startswith("Commands/") for name in _names(w))
        done = w.tagbridge("commands", "arm")
        assert done.returncode == 1
        assert "closed by the plant file" in done.stderr
        w.send("", "Node Control/Rebirth", verb="NCMD", boolean_value=True)
        await until(lambda: _births(w) >= 2, what="rebirth in spite of it")


async def test_a_gate_that_a_person_opens(tmp_path: Path) -> None:
    async with world(tmp_path, gate="by-hand") as w:
        w.send("Pump", "On", boolean_value=True, uuid="d1")
        told = await w.result("Pump", "On", id="d1")
        assert told["refused"] == "gate"
        done = await asyncio.to_thread(w.tagbridge, "commands", "arm")
        assert (done.returncode, "open for" in done.stdout) == (0, True), done
        w.send("Pump", "On", boolean_value=True, uuid="d2")
        assert (await w.result("Pump", "On", id="d2"))["accepted"] is True
        await asyncio.to_thread(w.tagbridge, "commands", "disarm")
        w.send("Pump", "On", boolean_value=False, uuid="d3")
        assert (await w.result("Pump", "On", id="d3"))["refused"] == "gate"
        log = w.tagbridge("commands", "log").stdout
        assert "armed" in log
        assert "disarmed" in log


@pytest.mark.parametrize("edit", ["by-hand to open", "another row"])
async def test_a_reload_changes_who_may_write(tmp_path: Path, edit: str) -> None:
    async with world(tmp_path, gate="by-hand" if "hand" in edit else "open") as w:
        text = w.path.read_text()
        if "hand" in edit:
            w.path.write_text(text.replace("gate: by-hand", "gate: open"))
            name, value = "On", {"boolean_value": True}
        else:
            w.path.write_text(text.replace("Pump/On, Press", "Pump/On, Pump/Service, Press"))
            name, value = "Service", {"int_value": 7}
        done = await asyncio.to_thread(w.tagbridge, "reload")
        assert done.returncode == 0, done
        await until(lambda: _births(w) >= 2 or "hand" in edit, what="a birth with the new metric")

        async def answered() -> bool:
            w.send("Pump", name, uuid="e1", **value)
            texts = w.shown(f"Commands/Pump/{name}")
            return any(json.loads(text).get("accepted") for text in texts if text)

        async with asyncio.timeout(10):
            while not await answered():
                await asyncio.sleep(0.2)
        assert w.simulator.simulators["line"].writes("Pump").done


def _names(w: World) -> set[str]:
    return {
        metric.name
        for packet in list(w.capture.packets)
        if (topic := parse(packet.topic)) is not None and topic.verb is Verb.NBIRTH
        for metric in Payload.FromString(packet.payload).metrics
    }


def _dead(w: World) -> set[str]:
    topics = [parse(packet.topic) for packet in list(w.capture.packets)]
    born = {topic.device for topic in topics if topic is not None and topic.verb is Verb.DBIRTH}
    return {"Pump", "Press"} - {str(device) for device in born}


def _births(w: World) -> int:
    topics = [parse(packet.topic) for packet in list(w.capture.packets)]
    return sum(topic is not None and topic.verb is Verb.NBIRTH for topic in topics)
