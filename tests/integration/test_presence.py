"""Devices that come, go and come back while something else is going on: what hosts believe."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from bridge.access import Access
from bridge.gateway import Gateway
from bridge.sparkplug.session import State
from drivers.driver import DeviceUp
from mappings.batch import Batch
from mappings.plant.definitions import LinkDefinition, Plant
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.counting import assert_current_values_only_rise, assert_no_violation, counts
from tests.support.decoded import Sample, samples
from tests.support.wait import until

DEVICE = "Unit 1"
POINTS = (0, 1, 2)


class Options(BaseModel):
    """A block without keys."""


class Played:
    """A driver whose one device says what ``play`` yields, at the time of the gateway's clock."""

    def __init__(self, play: Callable[[], AsyncIterator]) -> None:
        self._play = play

    @contextlib.asynccontextmanager
    async def open(self, endpoint, now_ms):
        self._now_ms = now_ms
        yield self

    async def events(self):
        async for said in self._play():
            if isinstance(said, int):
                yield Batch(DEVICE, POINTS, [said] * 3, [self._now_ms()] * 3)
            else:
                yield said
        await asyncio.Event().wait()


def played_plant(folder: Path, broker_port: int, *, backlog_rate: float | None = None) -> Plant:
    plant = plants.read(plants.counting_plant(folder, broker_port, devices=1))
    link = LinkDefinition(
        name="stage", driver="played", endpoint="x://", options=Options(), devices=plant.devices
    )
    [destination] = plant.destinations
    destination = replace(destination, backlog_rate=backlog_rate)
    return replace(plant, links=(link,), destinations=(destination,))


@contextlib.asynccontextmanager
async def running(plant: Plant, play: Callable[[], AsyncIterator]):
    gateway = Gateway(plant, {"played": Played(play)}, Access(lambda _: ("", "")))
    stop = asyncio.Event()
    task = asyncio.create_task(gateway.run(stop))
    try:
        yield gateway
    finally:
        stop.set()
        await task
        for destination in gateway.destinations:
            ledger = destination.outbox.ledger
            left = ledger.buffered + ledger.evicted + ledger.discarded + ledger.quarantined
            assert ledger.accepted == ledger.confirmed + left


def of_device(capture: Capture) -> list[Sample]:
    return [s for s in samples(list(capture.packets)) if s.device == DEVICE]


async def test_a_device_that_comes_up_while_its_backlog_drains_is_not_left_at_bad(tmp_path) -> None:
    async with Mosquitto(tmp_path) as broker:
        plant = played_plant(tmp_path, broker.port, backlog_rate=3)
        await broker.stop()
        done = asyncio.Event()

        async def before():
            for number in range(1, 30):
                yield number
            yield DeviceUp(DEVICE)
            done.set()

        async with running(plant, before):
            await asyncio.wait_for(done.wait(), 5)
        await broker.start()
        complete = asyncio.Event()

        async def after():
            yield 100  # and never another value
            await complete.wait()
            yield DeviceUp(DEVICE)

        async with Capture("127.0.0.1", broker.port) as capture, running(plant, after):
            await until(lambda: any(s.verb == "DBIRTH" for s in of_device(capture)), what="DBIRTH")
            assert {s.quality for s in of_device(capture) if s.verb == "DBIRTH"} == {0}
            complete.set()
            await until(
                lambda: [
                    (s.value, s.quality) for s in of_device(capture) if not s.historical
                ][-3:] == [(100, 192)] * 3,
                what="the present, GOOD",
            )  # fmt: skip
            assert_no_violation(capture)


async def test_up_and_down_within_one_turn_leaves_the_truth(tmp_path: Path) -> None:
    """Down, up, down ... with nothing sent between: the last word is what the device holds."""
    async with Mosquitto(tmp_path) as broker:
        plant = played_plant(tmp_path, broker.port)

        async def steady():
            yield 1
            yield DeviceUp(DEVICE)

        async with Capture("127.0.0.1", broker.port) as capture, running(plant, steady) as gateway:
            await until(lambda: any(s.verb == "DBIRTH" for s in of_device(capture)), what="DBIRTH")
            for flap in range(2, 60):
                gateway.core.device_down(DEVICE)
                if flap % 3 == 0:
                    await asyncio.sleep(0.01)
                now_ms = gateway._clock.now_ms()
                gateway.core.accept(Batch(DEVICE, POINTS, [flap] * 3, [now_ms] * 3))
                gateway.core.device_up(DEVICE)
                if flap % 7 == 0:
                    await asyncio.sleep(0.01)
            await until(
                lambda: [
                    (s.value, s.quality) for s in of_device(capture) if not s.historical
                ][-3:] in ([(59, 192)] * 3, [(59, None)] * 3),
                what="the last value, GOOD",
            )  # fmt: skip
            await asyncio.sleep(0.3)
            assert_no_violation(capture)
        by_metric = counts(of_device(capture))
        assert_current_values_only_rise(by_metric)
        for series in by_metric.values():
            assert {s.value for s in series} == set(range(1, 60))


async def test_a_thousand_births_and_more_arrive_at_a_broker_of_default_settings(tmp_path) -> None:
    """mosquitto keeps 1,000 packets for a client that does not read, and drops the rest."""
    devices, metrics = 2_000, 60
    async with Mosquitto(tmp_path, max_queued_messages=1_000) as broker:
        plant = played_plant(tmp_path, broker.port)
        [link], [unit] = plant.links, plant.devices
        wide = replace(
            unit,
            tags=tuple(replace(unit.tags[0], name=f"M{n}") for n in range(metrics)),
            metrics=tuple(
                replace(unit.metrics[0], id=f"M{n}", name=f"M{n}", description="long " * 12)
                for n in range(metrics)
            ),
        )
        many = tuple(replace(wide, name=f"D{n}") for n in range(devices))
        plant = replace(plant, links=(replace(link, devices=many),))

        async def all_up():
            points = tuple(range(metrics))
            for device in many:
                yield Batch(device.name, points, [1] * metrics, [1] * metrics)
                yield DeviceUp(device.name)

        await broker.stop()
        async with running(plant, all_up) as gateway:
            await until(lambda: len(gateway.core.up) == devices, what="all up", timeout_s=20)
            await broker.start()
            [destination] = gateway.destinations
            await until(
                lambda: (
                    destination.node.state is State.ONLINE
                    and not destination.outbox.ledger.buffered
                ),
                what="online, and all delivered",
                timeout_s=30,
            )
