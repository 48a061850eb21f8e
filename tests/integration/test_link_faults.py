"""Faults of the way to the broker, one by one: no accepted sample is lost, and it never gets stuck.

Each fault strikes a running gateway. Afterwards every number that the devices ever served has to
be at the host, current values in their order, and no rule of the standard broken.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
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
    read_so_far,
)
from tests.support.decoded import samples
from tests.support.forwarder import Forwarder
from tests.support.gateway import GatewayProcess
from tests.support.wait import until

PATIENCE_S = 12.0
"""Twice the largest delay between two tries, one and a half keep-alive, and a try that hangs."""


@dataclass
class World:
    """What a fault can reach."""

    broker: Mosquitto
    way: Forwarder
    capture: Capture
    gateway: GatewayProcess


async def survives(
    folder: Path,
    fault: Callable[[World], Awaitable[None]],
    *,
    passwords: dict[str, str] | None = None,
) -> None:
    """Run a plant, let the fault strike, and count."""
    async with Mosquitto(folder, passwords=passwords) as broker, Forwarder(broker.port) as way:
        path = plants.counting_plant(folder, way.port)
        if passwords:
            login = 'login: {user: gateway, password: "${env:BROKER_PASSWORD}"}, sparkplug: {}'
            path.write_text(path.read_text().replace("sparkplug: {}", login))
        environment = {"BROKER_PASSWORD": PASSWORD}
        async with (
            PlantSimulator(plants.read(path), counting=True) as simulator,
            Capture("127.0.0.1", broker.port, login=HOST if passwords else None) as capture,
            GatewayProcess(path, environment=environment) as gateway,
        ):
            await gateway.logged("born")
            await asyncio.sleep(1)
            await fault(World(broker, way, capture, gateway))
            after = len(capture.packets)
            await until(
                lambda: any("/DDATA/" in p.topic for p in capture.packets[after:]),
                what="data after the fault",
                timeout_s=PATIENCE_S,
            )
            read_by_now = read_so_far(simulator)
            await until(
                lambda: delivered(capture, read_by_now),
                what="every number that was read before now",
                timeout_s=20,
                every_s=0.5,
            )
            assert await gateway.terminate() == 0
            [closed] = [line for line in gateway.lines() if line["event"] == "outbox closed"]
            assert closed["buffered"] == 0
        by_metric = counts(samples(capture.packets))
        for key, upto in read_by_now.items():
            assert missing(by_metric[key], upto) == [], key
            served = {stretch.value for stretch in simulator.truth.stretches(*key)}
            assert {s.value for s in by_metric[key]} <= served, key
        assert_current_values_only_rise(by_metric)
        # A CONNECT that was lost on the way has used its bdSeq up: no subscriber can know of it.
        assert_no_violation(capture, but="tck-id-topics-nbirth-bdseq-increment")


PASSWORD = "of the gateway"
HOST = ("host", "of the host")


async def reset(world: World) -> None:
    world.way.cut()


async def resets_in_a_row(world: World) -> None:
    for wait_s in (0.0, 0.05, 0.3, 0.6, 1.2, 0.1, 0.7, 0.2):
        await asyncio.sleep(wait_s)
        world.way.cut()


async def silent_drop(world: World) -> None:
    """Nothing passes for longer than one and a half keep-alive of 2 s."""
    world.way.freeze()
    await asyncio.sleep(5)
    world.way.cut()  # what was held on the way is gone for good
    world.way.thaw()


async def short_silence(world: World) -> None:
    """Too short to be noticed: what was held arrives late."""
    world.way.freeze()
    await asyncio.sleep(1.5)
    world.way.thaw()


async def half_close(world: World) -> None:
    world.way.half_close()
    await asyncio.sleep(2)


async def flapping(world: World) -> None:
    for _ in range(12):
        await world.way.refuse()
        world.way.cut()
        await asyncio.sleep(0.3)
        await world.way.admit()
        await asyncio.sleep(0.4)


async def frozen_broker(world: World) -> None:
    world.broker.freeze()
    await asyncio.sleep(5)
    world.broker.thaw()
    await world.capture.subscribed_again()


async def empty_broker(world: World) -> None:
    await world.way.refuse()
    await world.broker.kill()
    await asyncio.sleep(3)
    await world.broker.start()
    await world.capture.subscribed_again()
    await world.way.admit()


async def refused_logins(world: World) -> None:
    await world.way.refuse()
    await world.broker.kill()
    world.broker.set_passwords({"gateway": "another", HOST[0]: HOST[1]})
    await world.broker.start()
    await world.capture.subscribed_again()
    await world.way.admit()
    line = await world.gateway.logged("not connected", reason="the broker says: not authorised")
    assert line["remedy"]
    await asyncio.sleep(4)
    world.broker.set_passwords({"gateway": PASSWORD, HOST[0]: HOST[1]})
    os.kill(world.broker.pid, signal.SIGHUP)


async def takeovers(world: World) -> None:
    """Another program connects with our client id, three times."""
    for _ in range(3):
        other = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="Test/counter", reconnect_on_failure=False
        )
        other.connect("127.0.0.1", world.broker.port)
        other.loop_start()
        await asyncio.sleep(1.2)
        other.disconnect()
        other.loop_stop()


async def slow_line(world: World) -> None:
    """About 64 kbit/s, with an outage in it, so that a backlog has to get through."""
    world.way.bytes_per_s = 8_000
    world.way.cut()
    await asyncio.sleep(4)
    await world.way.refuse()
    world.way.cut()
    await asyncio.sleep(4)
    await world.way.admit()
    await asyncio.sleep(8)
    world.way.bytes_per_s = None


async def test_a_reset_loses_nothing(tmp_path: Path) -> None:
    await survives(tmp_path, reset)


@pytest.mark.faults
@pytest.mark.parametrize(
    "fault",
    [
        resets_in_a_row, silent_drop, short_silence, half_close, flapping, frozen_broker,
        empty_broker, takeovers, slow_line,
    ],
)  # fmt: skip
async def test_a_fault_loses_nothing(tmp_path: Path, fault: Callable) -> None:
    await survives(tmp_path, fault)


@pytest.mark.faults
async def test_a_broker_that_refuses_the_login_for_a_while_loses_nothing(tmp_path: Path) -> None:
    await survives(tmp_path, refused_logins, passwords={"gateway": PASSWORD, HOST[0]: HOST[1]})
