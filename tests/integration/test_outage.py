"""Nothing is lost: brokers that stop, gateways that are killed, under load, with real parts.

The host is always there first when the broker comes back (a broker forgets messages that nobody has
subscribed): a forwarder admits the gateway when the host's subscription stands.
"""

import asyncio
import random
import time
from pathlib import Path

import pytest

from simulators.plant import PlantSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.counting import (
    assert_current_values_only_rise,
    assert_no_violation,
    counts,
    delivered,
    missing,
    reached,
    read_so_far,
)
from tests.support.decoded import Sample, samples
from tests.support.forwarder import Forwarder
from tests.support.gateway import GatewayProcess
from tests.support.wait import until


@pytest.mark.parametrize("outage_s", [8, pytest.param(30, marks=pytest.mark.faults)])
async def test_a_broker_outage_loses_nothing(outage_s: int, tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, Forwarder(broker.port) as way:
        path = plants.counting_plant(tmp_path, way.port)
        plant = plants.read(path)
        async with (
            PlantSimulator(plant, counting=True) as simulator,
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            await gateway.logged("born")
            await asyncio.sleep(3)
            await way.refuse()
            await broker.stop()
            await asyncio.sleep(outage_s)
            during = len(capture.packets)
            await broker.start()
            await capture.subscribed_again()
            await way.admit()
            await until(lambda: len(capture.packets) > during, what="packets after the outage")
            await asyncio.sleep(3)
            read_by_now = read_so_far(simulator)
            await until(
                lambda: delivered(capture, read_by_now),
                what="every number that was read before now",
                timeout_s=30,
                every_s=0.5,
            )
            assert await gateway.terminate() == 0
        by_metric = counts(samples(capture.packets))
        assert len(by_metric) == 9
        for key, series in by_metric.items():
            assert missing(series, read_by_now[key]) == [], key
            numbers = [sample.value for sample in series if sample.verb == "DDATA"]
            historical = [s for s in series if s.historical]
            # 20 scans a second, less the time that opening connections took.
            assert len(historical) > 13 * outage_s, f"{key}: {len(historical)} flagged historical"
            repeated = len(numbers) - len(set(numbers))
            assert repeated <= 5.5 * 20, f"{key}: more than one overlap repeated: {repeated}"
        assert_current_values_only_rise(by_metric)
        assert_no_violation(capture)


async def test_three_kills_of_the_gateway_under_load(tmp_path: Path) -> None:
    await kill_and_count(tmp_path, kills=3, seed=20)


@pytest.mark.faults
@pytest.mark.timeout(300)  # its waits alone add up to two minutes
async def test_fifty_kills_of_the_gateway_under_load(tmp_path: Path) -> None:
    await kill_and_count(tmp_path, kills=50, seed=21)


async def kill_and_count(tmp_path: Path, *, kills: int, seed: int) -> None:
    """R1: gaps lie around kill instants and are short, everywhere else no number is missing."""
    rng = random.Random(seed)
    kill_times_ms: list[int] = []
    broker_deaths = 0
    async with Mosquitto(tmp_path) as broker, Forwarder(broker.port) as way:
        path = plants.counting_plant(tmp_path, way.port)
        plant = plants.read(path)
        async with (
            PlantSimulator(plant, counting=True) as simulator,
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            for kill in range(kills):
                births = _births(capture)
                await until(lambda n=births: _births(capture) > n, what="births", timeout_s=20)
                await asyncio.sleep(rng.uniform(0.3, 2.0))
                if kill % 3 == 2:
                    broker_deaths += 1
                    await way.refuse()
                    await broker.kill()
                    await asyncio.sleep(rng.uniform(0.2, 1.5))
                    await broker.start()
                    await capture.subscribed_again()
                    await way.admit()
                    await asyncio.sleep(rng.uniform(0.0, 3.0))
                gateway.kill()
                kill_times_ms.append(_now_ms())
                gateway.start()
            restarted = _now_ms()
            fresh = await until(
                lambda: [s for s in samples(capture.packets)
                         if s.verb == "DDATA" and not s.historical and s.time_ms > restarted],
                what="a fresh sample after the last restart",
                timeout_s=10,
            )  # fmt: skip
            assert capture.packets[fresh[0].packet].time_ms - restarted < 5_000
            read_by_now = read_so_far(simulator)
            await until(
                lambda: reached(capture, read_by_now),
                what="the last numbers",
                timeout_s=20,
                every_s=0.5,
            )
            assert await gateway.terminate() == 0
        by_metric = counts(samples(capture.packets))
        total = 0
        for key, series in by_metric.items():
            truth = {s.value: s.from_ms for s in simulator.truth.stretches(*key)}
            spurious = [s for s in series if s.value not in truth]
            assert spurious == [], key
            lost = missing(series, read_by_now[key])
            total += len(lost)
            for number in lost:
                # Around a kill: read shortly before it, not yet committed and not yet fenced.
                before = min(abs(kill - truth[number]) for kill in kill_times_ms)
                assert before < COMMIT_MS + SLACK_MS, (
                    f"{key}: {number} lost {before} ms from a kill"
                )
            repeats = _repeats(series)
            assert all(s.historical for s in repeats if s.verb == "DDATA"), key
        print(f"\n{kills} kills, {broker_deaths} of the broker too: {total} numbers lost in gaps")
        assert_current_values_only_rise(by_metric)


COMMIT_MS = 50
SLACK_MS = 250
"""What a busy machine adds: the loop's turn, the thread's turn, the fsync."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _births(capture: Capture) -> int:
    return sum("/NBIRTH/" in packet.topic for packet in list(capture.packets))


def _repeats(series: list[Sample]) -> list[Sample]:
    """Samples of a number that DATA brought before."""
    seen: set[object] = set()
    out = []
    for sample in series:
        if sample.verb != "DDATA":
            continue
        if sample.value in seen:
            out.append(sample)
        seen.add(sample.value)
    return out


async def test_a_broker_that_drops_large_messages_without_a_word_loses_nothing(tmp_path) -> None:
    """mosquitto answers the fence behind a message that it dropped for its size."""
    async with (
        Mosquitto(tmp_path, message_size_limit=1_000) as broker,
        Forwarder(broker.port) as way,
    ):
        path = plants.counting_plant(tmp_path, way.port)
        async with (
            PlantSimulator(plants.read(path), counting=True) as simulator,
            Capture("127.0.0.1", broker.port) as capture,
            GatewayProcess(path) as gateway,
        ):
            await gateway.logged("born")
            await way.refuse()
            way.cut()
            await asyncio.sleep(4)  # some 700 samples of backlog, ten messages' worth
            await way.admit()
            await asyncio.sleep(1)
            read_by_now = read_so_far(simulator)
            await until(
                lambda: delivered(capture, read_by_now), what="every number", timeout_s=20,
                every_s=0.5,
            )  # fmt: skip
            assert await gateway.terminate() == 0
        assert max(len(packet.payload) for packet in capture.packets) <= 1_000
        assert_no_violation(capture)
