"""A changed plant under load: what it leaves alone does not notice, and no value is lost.

Every register counts its reads, so a value that is missing, repeated or on another metric can be
told from its number. The gateway is a process of its own, the broker a real mosquitto.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
from asyncua import Server

from bridge.sparkplug.messages import Payload
from bridge.sparkplug.topics import Verb, parse
from mappings.plant.definitions import Plant
from simulators.plant import PlantSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.counting import (
    Key,
    assert_no_violation,
    counts,
    delivered,
    missing,
    read_so_far,
)
from tests.support.decoded import samples
from tests.support.forwarder import Forwarder
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.sockets import local_ports
from tests.support.wait import free_port, until

NORTH = ("North 1", "North 2")
SOUTH = ("South 1", "South 2")
EXTRA = '      - {name: Extra, address: "holding:300", type: uint16}'


class Edited:
    """A plant of two links with two units each, as a text that is edited."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        self.path = folder / "plant.yaml"
        self.ports = {"north": free_port(), "south": free_port()}
        self.text = "\n".join(
            [
                "tagbridge: 1",
                "edge_node: {group: Test, name: counter}",
                "destinations:",
                f'  scada: {{servers: ["mqtt://127.0.0.1:{broker_port}"], keep_alive: 2s}}',
                f'outbox: {{folder: "{folder / "outbox"}", max_size: 256 MiB}}',
                "links:",
                *(
                    f'  {name}: {{endpoint: "tcp://127.0.0.1:{port}", timeout: 1s}}'
                    for name, port in self.ports.items()
                ),
                "devices:",
                *(line for name in (*NORTH, *SOUTH) for line in _device(name)),
            ]
        )
        self.write()

    def write(self) -> None:
        self.path.write_text(self.text + "\n")

    def served(self) -> Plant:
        """The plant that the devices really are: with a register that nobody reads yet."""
        path = self.path.with_name("served.yaml")
        path.write_text(self.text.replace("\n  South 2:", f"\n{EXTRA}\n  South 2:"))
        return plants.read(path)

    def edit(self, *edits: tuple[str, str]) -> None:
        """Replace texts, each of which must be there once."""
        for before, after in edits:
            assert self.text.count(before) == 1, (before, self.text.count(before))
            self.text = self.text.replace(before, after)
        self.write()


def _device(name: str) -> list[str]:
    link, unit = name.lower().split()
    return [
        f"  {name}:",
        f"    modbus: {{link: {link}, unit: {unit}}}",
        "    defaults: {scan: 20ms}",
        "    tags:",
        f'      - {{name: Count/A of {name}, address: "holding:100", type: uint32}}',
        f'      - {{name: Count/B of {name}, address: "holding:200", type: uint32}}',
    ]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """A command of tagbridge, as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "bridge.cli.main", *words],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
        env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip


async def typed(*words: str, code: int = 0) -> str:
    """What a command says, in all; it must end with this code."""
    done = await asyncio.to_thread(command, *words)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def said(capture: Capture, device: str) -> list[str]:
    """The births and deaths of a device so far."""
    topics = [parse(packet.topic) for packet in list(capture.packets)]
    verbs = [t.verb for t in topics if t is not None and t.device == device]
    return [verb.value for verb in verbs if verb is not Verb.DDATA]


def births(capture: Capture, device: str) -> list[dict[str, int]]:
    """The aliases by name of each birth of a device."""
    return [
        {metric.name: metric.alias for metric in Payload.FromString(packet.payload).metrics}
        for packet in list(capture.packets)
        if (topic := parse(packet.topic)) and topic.verb is Verb.DBIRTH and topic.device == device
    ]


@contextmanager
def kept_ports(gateway: GatewayProcess, *ports: int) -> Iterator[None]:
    """The connections to these ports are the same ones after the block."""
    before = {port: local_ports(gateway.pid, port) for port in ports}
    assert all(len(found) == 1 for found in before.values()), before
    yield
    assert {port: local_ports(gateway.pid, port) for port in ports} == before


class Stage:
    """Broker, simulators, capture and gateway of one edited plant."""

    def __init__(self, folder: Path) -> None:
        self.broker = Mosquitto(folder)
        self.way = Forwarder(self.broker.port)
        self.plant = Edited(folder, self.way.port)

    async def __aenter__(self) -> Self:
        await self.broker.__aenter__()
        await self.way.__aenter__()
        self.simulator = PlantSimulator(self.plant.served(), counting=True)
        await self.simulator.__aenter__()
        self.capture = Capture("127.0.0.1", self.broker.port)
        await self.capture.__aenter__()
        self.gateway = GatewayProcess(self.plant.path)
        await self.gateway.__aenter__()
        await until(lambda: self.online(100), what="a hundred data messages", timeout_s=20)
        return self

    async def __aexit__(self, *error: object) -> None:
        for part in (self.gateway, self.capture, self.simulator, self.way, self.broker):
            await part.__aexit__(*error)

    def online(self, messages: int) -> bool:
        return sum("/DDATA/" in packet.topic for packet in list(self.capture.packets)) > messages

    async def flows(self, messages: int = 100) -> None:
        """Wait for so many data messages more."""
        there = sum("/DDATA/" in packet.topic for packet in list(self.capture.packets))
        await until(lambda: self.online(there + messages), what="more data", timeout_s=20)

    async def everything(self, *names: str) -> None:
        """Every number that these devices' counters have had by now arrives."""
        read = read_so_far(self.simulator)
        wanted = {key: upto for key, upto in read.items() if key[0] in names}

        lost: dict[Key, list[int]] = {}

        def there() -> bool:
            by_metric = counts(samples(list(self.capture.packets)))
            lost.clear()
            for (device, name), upto in wanted.items():
                # A counter may have had several names; its first letters stay.
                series = [
                    sample
                    for (d, n), found in by_metric.items()
                    if d == device and n.startswith(name[:7])
                    for sample in found
                ]
                if gone := missing(series, upto):
                    lost[device, name] = gone
            return not lost

        with suppress(AssertionError):
            await until(there, what="every number that was read", timeout_s=20)
        assert not lost


async def test_an_edit_of_metrics_keeps_every_socket_and_every_value(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, gateway, capture = stage.plant, stage.gateway, stage.capture
        ports = (*plant.ports.values(), stage.way.port)
        with kept_ports(gateway, *ports):
            plant.edit(
                ("name: Count/A of North 1,", "name: Count/A renamed, id: Count/A of North 1,"),
                ("Count/B of North 1,", "Count/B of North 1, max_silence: 30s,"),
            )
            shown = await typed("plan", str(plant.path))
            assert re.search("North 1/Count/A renamed +renamed +was Count/A of North 1", shown)
            assert "2 of 2 links stay connected, 3 of 4 devices are not born anew" in shown
            assert "reloaded" in await typed("reload", str(plant.path))
            await stage.flows()
        await stage.everything(*NORTH, *SOUTH)
        assert said(capture, "North 1") == ["DBIRTH", "DDEATH", "DBIRTH"]
        assert [said(capture, name) for name in (*NORTH[1:], *SOUTH)] == [["DBIRTH"]] * 3
        first, second = births(capture, "North 1")
        assert first["Count/A of North 1"] == second["Count/A renamed"]
        assert "Nothing changes" in await typed("plan", str(plant.path))
        assert_no_violation(capture)


async def test_a_new_row_reopens_its_link_and_no_other(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, gateway, capture = stage.plant, stage.gateway, stage.capture
        moved = local_ports(gateway.pid, plant.ports["south"])
        with kept_ports(gateway, plant.ports["north"], stage.way.port):
            plant.edit(("\n  South 2:", f"\n{EXTRA}\n  South 2:"))
            shown = await typed("plan", str(plant.path))
            assert "south" in shown
            assert "reopened" in shown
            assert "South 1: other rows to read" in shown
            await typed("reload", str(plant.path))
            await until(lambda: len(births(capture, "South 1")) == 2, what="birth with the row")
            await stage.flows()
        assert local_ports(gateway.pid, plant.ports["south"]) != moved
        assert set(births(capture, "South 1")[1]) > set(births(capture, "South 1")[0])
        # Whoever shares the wire was away for less than down_after: no death.
        assert said(capture, "South 2") == ["DBIRTH"]
        assert [said(capture, name) for name in NORTH] == [["DBIRTH"]] * 2
        await stage.everything(*NORTH)
        born = [s for s in samples(capture.packets) if s.name == "Extra"]
        assert born
        assert born[0].value is not None, "born before it was read"
        assert_no_violation(capture)


async def test_a_bad_plant_is_refused_and_the_old_one_runs_on(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, gateway, capture = stage.plant, stage.gateway, stage.capture
        right = plant.text
        ports = (*plant.ports.values(), stage.way.port)
        with kept_ports(gateway, *ports):
            plant.edit(("Count/A of South 2, address", "Count/A of South 2, adress"))
            shown = await typed("reload", str(plant.path), code=1)
            assert "'adress'" in shown
            assert "address" in shown
            os.kill(gateway.pid, signal.SIGHUP)
            line = await gateway.logged("reload refused")
            assert "E201" in str(line["problems"]) or "adress" in str(line["problems"])
            plant.text = right.replace("256 MiB", "512 MiB")
            plant.write()
            shown = await typed("reload", str(plant.path), code=1)
            assert "only a restart changes outbox: max_size" in shown
            plant.text = right.replace("2s}", '2s, login: {user: x, password: "${file:none}"}}')
            plant.write()
            assert "none" in await typed("reload", str(plant.path), code=1)
            await stage.flows()
        assert [said(capture, name) for name in (*NORTH, *SOUTH)] == [["DBIRTH"]] * 4
        await stage.everything(*NORTH, *SOUTH)
        assert json.loads(await typed("status", str(plant.path), "--json"))["links"]
        assert_no_violation(capture)


async def test_sighup_reloads_devices_that_come_and_go(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, gateway, capture = stage.plant, stage.gateway, stage.capture
        whole = plant.text
        with kept_ports(gateway, plant.ports["north"], stage.way.port):
            start, end = whole.index("  South 1:"), whole.index("  South 2:")
            plant.text = whole[:start] + whole[end:]
            plant.write()
            os.kill(gateway.pid, signal.SIGHUP)
            await gateway.logged("reloaded", devices=["South 1 removed"])
            await stage.flows()
            assert said(capture, "South 1") == ["DBIRTH", "DDEATH"]
            plant.text = whole
            plant.write()
            os.kill(gateway.pid, signal.SIGHUP)
            await gateway.logged("reloaded", devices=["South 1 added"])
            await until(lambda: len(births(capture, "South 1")) == 2, what="born again")
            await stage.flows()
        # The same ids have the same aliases for ever.
        assert births(capture, "South 1")[0] == births(capture, "South 1")[1]
        assert [said(capture, name) for name in NORTH] == [["DBIRTH"]] * 2
        await stage.everything(*NORTH)
        assert_no_violation(capture)


async def test_what_is_buffered_follows_the_id_and_goes_with_a_removed_row(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, capture = stage.plant, stage.capture
        await stage.way.refuse()
        stage.way.cut()
        before = read_so_far(stage.simulator)
        removed: set[tuple[str, str]] = set()
        gone = ("South 2", "Count/B of South 2")

        def away(more: int) -> bool:
            read = read_so_far(stage.simulator)
            return all(read[k] > before[k] + more for k in before if k not in removed)

        await until(lambda: away(100), what="values while the broker is away", timeout_s=30)
        plant.edit(
            ("name: Count/A of North 1,", "name: Count/A renamed, id: Count/A of North 1,"),
            ('\n      - {name: Count/B of South 2, address: "holding:200", type: uint32}', ""),
        )
        shown = await typed("reload", str(plant.path))
        removed.add(gone)
        assert "removed" in shown
        await until(lambda: away(200), what="values under the new names", timeout_s=30)
        await stage.way.admit()
        await stage.flows()
        await stage.everything(*NORTH)  # of the others, the read under way was given up
        historical = [s for s in samples(capture.packets) if s.historical]
        assert len({s.value for s in historical if s.name == "Count/A renamed"}) > 150
        late = [s for s in historical if (s.device, s.name) == gone and s.value > before[gone]]
        assert late == []
        assert await stage.gateway.terminate() == 0
        ledger = json.loads(await typed("outbox", "stats", str(plant.path), "--json"))["scada"]
        told = ledger["ledger"]
        parts = ("confirmed", "buffered", "evicted", "discarded", "quarantined")
        assert told["accepted"] == sum(told[part] for part in parts)
        assert told["buffered"] == 0
        assert told["discarded"] > 100


async def test_another_keep_alive_reconnects_that_broker_and_loses_nothing(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, gateway, capture = stage.plant, stage.gateway, stage.capture
        links = tuple(plant.ports.values())
        broker = local_ports(gateway.pid, stage.way.port)
        with kept_ports(gateway, *links):
            plant.edit(("keep_alive: 2s", "keep_alive: 3s"))
            shown = await typed("plan", str(plant.path))
            assert re.search("scada +reconnected +keep_alive", shown)
            await typed("reload", str(plant.path))
            await until(lambda: said(capture, "North 1")[-1:] == ["DBIRTH"], what="born again")
            await stage.flows()
        assert local_ports(gateway.pid, stage.way.port) not in ([], broker)
        await stage.everything(*NORTH, *SOUTH)
        assert_no_violation(capture)


async def test_a_changed_password_file_reopens_what_uses_it(tmp_path: Path) -> None:
    secret = tmp_path / "word"
    secret.write_text("one\n")
    async with Mosquitto(tmp_path, passwords={"gw": "one"}) as broker:
        plant = Edited(tmp_path, broker.port)
        plant.edit(("keep_alive: 2s", 'login: {user: gw, password: "${file:word}"}'))
        async with (
            PlantSimulator(plants.read(plant.path), counting=True),
            Capture("127.0.0.1", broker.port, login=("gw", "one")) as capture,
            GatewayProcess(plant.path) as gateway,
        ):
            await gateway.logged("born")
            assert "nothing to reload" in await typed("reload", str(plant.path))
            secret.write_text("two\n")
            shown = await typed("reload", str(plant.path))
            assert "another login" in shown
            await gateway.logged("not connected")
            secret.write_text("one\n")
            await typed("reload", str(plant.path))
            await until(lambda: len(births(capture, "North 1")) == 2, what="born again")


async def test_a_hundred_edits_in_a_row_lose_nothing(tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        plant, gateway, capture = stage.plant, stage.gateway, stage.capture
        whole = plant.text
        with kept_ports(gateway, *plant.ports.values(), stage.way.port):
            for turn in range(1, 101):
                name = f"name: Count/A of South 1 in {turn}, id: Count/A of South 1,"
                plant.text = whole.replace("name: Count/A of South 1,", name)
                plant.write()
                os.kill(gateway.pid, signal.SIGHUP)
                await until(
                    lambda turn=turn: len(births(capture, "South 1")) > turn,
                    what=f"birth {turn}", timeout_s=20,
                )  # fmt: skip
        await stage.everything(*NORTH, *SOUTH)
        aliases = {
            alias
            for birth in births(capture, "South 1")
            for name, alias in birth.items()
            if name.startswith("Count/A")
        }
        assert len(aliases) == 1
        assert_no_violation(capture)


@pytest.mark.parametrize("name", ["status", "reload"])
async def test_without_a_gateway_a_command_says_how_to_start_it(tmp_path: Path, name: str) -> None:
    plant = Edited(tmp_path, free_port())
    assert urlsplit(f"tcp://127.0.0.1:{plant.ports['north']}").port
    shown = await typed(name, str(plant.path), code=1)
    assert "no gateway answers" in shown
    assert f"tagbridge run {plant.path}" in shown


async def test_ten_thousand_rows_are_edited_without_a_lost_value(tmp_path: Path) -> None:
    """The large device is offline: it is there to be read, compared and mapped anew."""
    async with Mosquitto(tmp_path) as broker:
        plant = Edited(tmp_path, broker.port)
        device = f'  Large: {{modbus: {{endpoint: "tcp://127.0.0.1:{free_port()}", unit: 1}}, '
        simulated = plants.read(plant.path)
        plant.text += f"\n{device}tags: [large.csv]}}"
        plant.text = plant.text.replace("keep_alive: 2s", "keep_alive: 2s, largest_packet: 8 MiB")
        assert "largest_packet" in plant.text
        rows = [f"Area {n // 100}/Tag {n};HR{2 * n + 1};float32;bar" for n in range(10_000)]
        table = tmp_path / "large.csv"
        table.write_text("\n".join(["name;address;type;unit", *rows]) + "\n")
        plant.write()
        async with (
            PlantSimulator(simulated, counting=True) as simulator,
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(plant.path) as gateway,
        ):
            await until(lambda: len(births(capture, "South 2")) == 1, what="births", timeout_s=30)
            with kept_ports(gateway, *plant.ports.values(), broker.port):
                table.write_text(table.read_text().replace(";bar\n", ";mbar\n", 5_000))
                plant.edit(("Count/A of North 1,", "Count/A renamed, id: Count/A of North 1,"))
                planned = (await typed("plan", str(plant.path), "--json")).splitlines()
                kinds = Counter(json.loads(line)["kind"] for line in planned)
                assert kinds == {"changed": 5_000, "renamed": 1, "reborn": 2}
                assert "reloaded" in await typed("reload", str(plant.path))
            read = read_so_far(simulator)
            wanted = {key: upto for key, upto in read.items() if key[0] != "North 1"}
            await until(lambda: delivered(capture, wanted), what="every number", timeout_s=20)
            renamed = counts(samples(capture.packets))
            both = [
                *renamed["North 1", "Count/A of North 1"],
                *renamed["North 1", "Count/A renamed"],
            ]
            assert not missing(both, read["North 1", "Count/A of North 1"])
            assert_no_violation(capture)


SAID_ONCE = """\
tagbridge: 1
edge_node: {{group: Test, name: quiet}}
destinations: {{scada: {{servers: ["mqtt://127.0.0.1:{broker}"]}}}}
outbox: {{folder: outbox, max_size: 64 MiB}}
devices:
  Tank:
    opcua:
      endpoint: "opc.tcp://127.0.0.1:{server}"
      security: insecure
      namespaces: {{plc: "urn:tests:tank"}}
    tags: [{{name: Level, address: "plc;s=Level", type: float64, scale: 1}}]
  Scale:
    mqtt: {{endpoint: "mqtt://127.0.0.1:{broker}", base: works/scale}}
    tags: [{{name: Weight, address: "state $.kg", type: float64, scale: 1}}]
"""


async def test_what_a_device_said_once_is_calculated_anew(tmp_path: Path) -> None:
    """A server reports changes only, and a sender may never speak again."""
    port = free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    space = await server.register_namespace("urn:tests:tank")
    await server.nodes.objects.add_variable(f"ns={space};s=Level", "Level", 12.0)
    path = tmp_path / "plant.yaml"
    async with server, Mosquitto(tmp_path) as broker:
        path.write_text(SAID_ONCE.format(broker=broker.port, server=port))

        def last(capture: Capture, name: str) -> object:
            return [s.value for s in samples(list(capture.packets)) if s.name == name][-1:]

        async with (
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            await gateway.logged("link up", link="Tank")
            capture.publish("works/scale/state", b'{"kg": 7}')
            await until(lambda: last(capture, "Level") == [12.0], what="level", timeout_s=20)
            await until(lambda: last(capture, "Weight") == [7.0], what="weight", timeout_s=20)
            with kept_ports(gateway, port):
                path.write_text(path.read_text().replace("scale: 1}", "scale: 0.5, unit: m}"))
                await typed("reload", str(path))
                await until(lambda: last(capture, "Level") == [6.0], what="level anew")
                await until(lambda: last(capture, "Weight") == [3.5], what="weight anew")
            assert [said(capture, name) for name in ("Tank", "Scale")] == [
                ["DBIRTH", "DDEATH", "DBIRTH"]
            ] * 2
            assert_no_violation(capture)
