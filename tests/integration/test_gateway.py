"""The running gateway beside things that go wrong: links, brokers, rights, devices, files."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from bridge.access import Access
from bridge.gateway import Gateway
from bridge.sparkplug.rules import Grader
from bridge.sparkplug.topics import parse
from drivers.modbus.driver import MODBUS
from mappings.plant.definitions import LinkDefinition
from simulators.host import SparkplugHost
from simulators.plant import PlantSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.decoded import samples
from tests.support.gateway import GatewayProcess
from tests.support.wait import until


def verbs(capture: Capture, *, device: str | None = None) -> list[str]:
    """The verbs so far, of the node and all devices or of one device."""
    topics = [parse(packet.topic) for packet in list(capture.packets)]
    return [t.verb.value for t in topics if t is not None and device in {None, t.device}]


def last_quality(capture: Capture, device: str) -> list[int | None]:
    return [s.quality for s in samples(list(capture.packets)) if s.device == device][-3:]


# --- a link that raises ---


class Options(BaseModel):
    """A block without keys."""


class FaultyDriver:
    """Opens, says nothing and raises what nobody expects, at every scan."""

    def __init__(self) -> None:
        self.opened = 0

    @contextlib.asynccontextmanager
    async def open(self, endpoint, now_ms):
        self.opened += 1
        yield self

    async def events(self):
        await asyncio.sleep(0.01)
        raise KeyError("register map")
        yield


async def test_a_driver_that_raises_at_every_scan_hurts_nobody(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bridge.link._MOST_DELAY_S", 0.05)
    monkeypatch.setattr("bridge.link._FIRST_DELAY_S", 0.02)
    faulty = FaultyDriver()
    async with Mosquitto(tmp_path) as broker:
        plant = plants.read(plants.counting_plant(tmp_path, broker.port, scan="20ms", devices=1))
        [unit] = plant.devices
        broken = LinkDefinition(
            name="broken", driver="faulty", endpoint="x://", options=Options(),
            devices=(replace(unit, name="Broken"),),
        )  # fmt: skip
        plant = replace(plant, links=(*plant.links, broken))
        gateway = Gateway(plant, {"modbus": MODBUS, "faulty": faulty}, Access(lambda _: ("", "")))
        stop = asyncio.Event()
        async with (
            PlantSimulator(replace(plant, links=plant.links[:1]), counting=True) as simulator,
            Capture("127.0.0.1", broker.port) as capture,
        ):
            running = asyncio.create_task(gateway.run(stop))
            await until(lambda: faulty.opened > 30, what="thirty failures", timeout_s=20)
            stop.set()
            await running
            truth = simulator.truth.stretches("Unit 1", "Count/A")
            received = {s.value for s in samples(capture.packets) if s.name == "Count/A"}
            # The last read may have been under way when the gateway was told to stop.
            assert set(range(1, truth[-1].value)) <= received
            assert "Broken" not in {s.device for s in samples(capture.packets)}


# --- stopping ---


async def test_stop_is_deaths_then_disconnect_then_outbox(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port)
        async with (
            PlantSimulator(plants.read(path), counting=True),
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            # Until then a first value may be history that a stop does not wait for.
            await until(lambda: verbs(capture).count("DDATA") > 30, what="data")
            assert await gateway.terminate(timeout_s=5) == 0
            await until(lambda: "NDEATH" in verbs(capture), what="NDEATH")
            await asyncio.sleep(0.3)
            assert verbs(capture)[-4:] == ["DDEATH", "DDEATH", "DDEATH", "NDEATH"]
            events = [line["event"] for line in gateway.lines()]
            assert events.index("left") < events.index("outbox closed") < events.index("stopped")
            [left] = [line for line in gateway.lines() if line["event"] == "left"]
            assert left["delivered"] is True
            [closed] = [line for line in gateway.lines() if line["event"] == "outbox closed"]
            assert closed["buffered"] == 0
        # A DISCONNECT came before the end: the broker kept the will to itself.
        assert verbs(capture).count("NDEATH") == 1


@pytest.mark.parametrize("trouble", ["frozen", "dead", "never there"])
async def test_stop_takes_five_seconds_at_most_whatever_the_broker_does(
    tmp_path: Path, trouble: str
) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port)
        if trouble == "never there":
            await broker.stop()
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            if trouble == "never there":
                await gateway.logged("not connected")
                await gateway.logged("device up")
            else:
                await gateway.logged("born")
            if trouble == "frozen":
                broker.freeze()
                await asyncio.sleep(0.5)
            if trouble == "dead":
                await broker.kill()
                await asyncio.sleep(0.5)
            began = time.monotonic()
            assert await gateway.terminate(timeout_s=10) == 0
            took_s = time.monotonic() - began
            assert took_s < 5
            if trouble == "frozen":
                broker.thaw()


async def test_a_broker_that_was_never_there_is_said_once_with_a_remedy(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port)
        await broker.stop()
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            line = await gateway.logged("not connected")
            assert "nothing listens there" in line["reason"]
            assert line["remedy"]
            await asyncio.sleep(2)
            said = [line for line in gateway.lines() if line["event"] == "not connected"]
            assert len(said) == 1
            await broker.start()
            await gateway.logged("born")
            await gateway.terminate()


# --- devices ---


async def test_a_unit_that_falls_silent_is_bad_then_dead_and_born_again(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port)
        text = path.read_text().replace("timeout: 1s", "timeout: 200ms, down_after: 1s")
        path.write_text(text)
        plant = plants.read(path)
        async with (
            PlantSimulator(plant, counting=True) as simulator,
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            await until(lambda: verbs(capture).count("DBIRTH") == 3, what="births")
            simulator.simulators["line"].silence("Unit 2")
            await until(lambda: "DDEATH" in verbs(capture, device="Unit 2"), what="DDEATH")
            assert last_quality(capture, "Unit 2") == [0, 0, 0]
            await gateway.logged("device silent", device="Unit 2")
            before = len(verbs(capture, device="Unit 1"))
            await until(lambda: len(verbs(capture, device="Unit 1")) > before + 10, what="others")
            assert "DDEATH" not in verbs(capture, device="Unit 1")
            simulator.simulators["line"].wake("Unit 2")
            await until(
                lambda: verbs(capture, device="Unit 2").count("DBIRTH") == 2, what="born again",
                timeout_s=15,
            )  # fmt: skip
            await until(lambda: verbs(capture, device="Unit 2")[-1] == "DDATA", what="data again")
            assert await gateway.terminate() == 0
        grader = Grader()
        assert [found for packet in capture.packets for found in grader.feed(packet)] == []
        truth = simulator.truth.stretches("Unit 2", "Count/A")
        received = {s.value for s in samples(capture.packets) if s.device == "Unit 2"}
        assert set(range(1, truth[-1].value)) <= received


async def test_a_device_that_is_down_and_owes_is_born_at_bad_drained_and_buried(tmp_path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        plant = plants.read(path)
        await broker.stop()
        async with PlantSimulator(plant, counting=True) as simulator:
            async with GatewayProcess(path) as gateway:
                await gateway.logged("device up")
                await asyncio.sleep(1.5)
                assert await gateway.terminate() == 0
            owed = simulator.truth.stretches("Unit 1", "Count/A")[-1].value
        await broker.start()  # the device is gone now
        async with Capture("127.0.0.1", broker.port) as capture, GatewayProcess(path) as gateway:
            await until(lambda: "DDEATH" in verbs(capture), what="DDEATH", timeout_s=15)
            assert await gateway.terminate() == 0
        seen = verbs(capture, device="Unit 1")
        assert seen[0] == "DBIRTH"
        assert seen[-1] == "DDEATH"
        received = [s for s in samples(capture.packets) if s.device == "Unit 1"]
        assert {s.quality for s in received if s.verb == "DBIRTH"} == {0}
        history = [s.value for s in received if s.verb == "DDATA" and s.name == "Count/A"]
        assert all(s.historical for s in received if s.verb == "DDATA")
        assert set(range(1, owed)) <= set(history)
        assert history == sorted(history)


# --- rights, rebirth, damage ---


@pytest.mark.parametrize("dropped", ["NBIRTH", "DBIRTH"])
async def test_a_broker_that_drops_our_births_confirms_nothing(tmp_path, dropped: str) -> None:
    allowed = "\n".join(
        f"topic readwrite spBv1.0/Test/{verb}/#"
        for verb in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH", "NCMD", "DCMD")
        if verb != dropped
    )
    acl = f"{allowed}\ntopic read spBv1.0/Test/{dropped}/#\n"
    async with Mosquitto(tmp_path, acl=acl) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        async with (
            PlantSimulator(plants.read(path), counting=True) as simulator,
            GatewayProcess(path) as gateway,
        ):
            line = await gateway.logged("not connected", timeout_s=20)
            assert "rights" in line["reason"]
            assert dropped in line["reason"]
            assert "access list" in line["remedy"]
            assert await gateway.terminate() == 0
            [closed] = [line for line in gateway.lines() if line["event"] == "outbox closed"]
            read = simulator.truth.stretches("Unit 1", "Count/A")[-1].value
            assert closed["buffered"] >= 3 * (read - 1)


async def test_a_birth_that_the_broker_does_not_take_names_its_device(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path, options=("max_packet_size 2000",)) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        rows = [
            f'      - {{name: "Row {n} with a name", address: "holding:{200 + n}", type: uint16}}'
            for n in range(60)
        ]
        text = path.read_text().replace("keep_alive: 2s,", "keep_alive: 2s, protocol: mqtt-5,")
        path.write_text(text + "\n".join(rows) + "\n")
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            line = await gateway.logged("not connected", timeout_s=20)
            assert line["reason"].startswith("the birth of 'Unit 1' has")
            assert "divide 'Unit 1' into" in line["remedy"]
            assert await gateway.terminate() == 0


async def test_rebirths_keep_the_bd_seq_and_a_flood_of_requests_is_coalesced(tmp_path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port)
        async with (
            PlantSimulator(plants.read(path), counting=True),
            Capture("127.0.0.1", broker.port) as capture,
            SparkplugHost("127.0.0.1", broker.port, ask=False) as host,
            GatewayProcess(path) as gateway,
        ):
            await until(lambda: verbs(capture).count("DBIRTH") == 3, what="births")
            for _ in range(300):
                await host.rebirth("Test", "counter")
            await until(lambda: verbs(capture).count("NBIRTH") >= 2, what="a rebirth")
            await asyncio.sleep(3)
            assert 2 <= verbs(capture).count("NBIRTH") <= 3
            assert "NDEATH" not in verbs(capture)
            assert await gateway.terminate() == 0
        grader = Grader()
        assert [found for packet in capture.packets for found in grader.feed(packet)] == []
        current = [
            s.value
            for s in samples(capture.packets)
            if (s.device, s.name) == ("Unit 1", "Count/A") and not s.historical
        ]
        assert current == sorted(current)


async def test_a_damaged_outbox_is_said_and_the_gateway_runs_on(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        plant = plants.read(path)
        await broker.stop()
        async with PlantSimulator(plant, counting=True):
            async with GatewayProcess(path) as gateway:
                await gateway.logged("device up")
                await asyncio.sleep(2)
                assert await gateway.terminate() == 0
            segments = sorted((tmp_path / "outbox").rglob("*.seg"))
            assert segments
            content = bytearray(segments[0].read_bytes())
            middle = len(content) // 2
            content[middle : middle + 200] = bytes(200)
            segments[0].write_bytes(content)
            await broker.start()
            async with (
                Capture("127.0.0.1", broker.port) as capture,
                GatewayProcess(path) as gateway,
            ):
                line = await gateway.logged("outbox", code="outbox-damaged")
                assert line["remedy"]
                await gateway.logged("born")
                await until(lambda: verbs(capture).count("DDATA") > 20, what="data")
                assert await gateway.terminate() == 0
        numbers = [s.value for s in samples(capture.packets) if s.name == "Count/A" and s.value]
        assert all(isinstance(n, int) and 0 < n < 100_000 for n in numbers)


async def test_a_fault_of_the_core_stops_the_process_with_70(tmp_path: Path) -> None:
    """What all links share must not limp on: the service manager starts it again."""
    async with Mosquitto(tmp_path) as broker:
        plant = plants.read(plants.counting_plant(tmp_path, broker.port, devices=1))
        async with PlantSimulator(plant):
            gateway = Gateway(plant, {"modbus": MODBUS}, Access(lambda _: ("", "")))

            def broken(*_):
                raise ZeroDivisionError

            gateway.core._mapper.apply = broken
            with pytest.raises(ZeroDivisionError):
                async with asyncio.timeout(10):
                    await gateway.run(asyncio.Event())


async def test_ctrl_c_ends_it_like_sigterm(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        async with PlantSimulator(plants.read(path)), GatewayProcess(path) as gateway:
            await gateway.logged("born")
            os.kill(gateway.pid, signal.SIGINT)
            await until(lambda: gateway.exit_code is not None, what="end", timeout_s=5)
            assert gateway.exit_code == 0


async def test_a_state_file_that_cannot_be_written_does_not_end_a_running_gateway(tmp_path) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = plants.counting_plant(tmp_path, broker.port, devices=1)
        async with (
            PlantSimulator(plants.read(path), counting=True),
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            await gateway.logged("born", bd_seq=0)
            (tmp_path / "outbox" / "state.new").mkdir()  # as good as a full disk
            for bd_seq in (1, 2):
                await broker.kill()
                await broker.start()
                await capture.subscribed_again()
                await gateway.logged("born", bd_seq=bd_seq)
            [said] = [line for line in gateway.lines() if line["event"] == "bdSeq not on disk"]
            assert "check rights and free space" in said["reason"]
            assert await gateway.terminate() == 0


async def test_two_gateways_with_one_identity_do_not_throw_each_other_out_for_ever(
    tmp_path,
) -> None:
    async with Mosquitto(tmp_path) as broker:
        paths = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            paths.append(plants.counting_plant(folder, broker.port, devices=1))
        async with GatewayProcess(paths[0]) as one, GatewayProcess(paths[1]) as two:
            await one.logged("born")
            await two.logged("born")
            line = await one.logged("not connected", timeout_s=20)
            assert "another program uses the same client id" in line["remedy"]
            await asyncio.sleep(8)
            connected = [
                line for gateway in (one, two) for line in gateway.lines()
                if line["event"] == "connected"
            ]  # fmt: skip
            assert len(connected) < 25
