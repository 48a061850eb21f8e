"""Edits without end, while brokers vanish and hosts ask for births: no value on the wrong metric.

Every register says which it is (its address, and two digits that change), and every metric is named
after its register, whatever rows are shuffled, dropped, added, renamed or taken back, so that a
value on another metric, under another name's alias, from memory or from disk, can be told.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import struct
from collections import defaultdict
from pathlib import Path

import pytest

from bridge.sparkplug.messages import Payload
from tests.integration.test_reload import typed
from tests.support.broker import Mosquitto
from tests.support.capture import Capture
from tests.support.counting import assert_no_violation
from tests.support.decoded import samples
from tests.support.forwarder import Forwarder
from tests.support.gateway import GatewayProcess
from tests.support.modbus_peer import Asked, HostilePeer, Send
from tests.support.wait import until

REGISTERS = tuple(range(10, 22))
EDITS = 40


class Units:
    """A server whose registers tell their unit's and their own number, and move on with each read.

    Of a register r of unit u the value is ``u * 10,000 + r * 100`` and two digits.
    """

    def __init__(self) -> None:
        self._turns = itertools.count()

    async def __call__(self, asked: Asked, send: Send) -> None:
        turn = next(self._turns) % 100
        words = struct.pack(
            f">{asked.count}H",
            *(asked.unit * 10_000 + r * 100 + turn
              for r in range(asked.first, asked.first + asked.count)),
        )  # fmt: skip
        send(asked.frame(bytes([asked.code, len(words)]) + words))


def plant(rng: random.Random, port: int, broker: int, folder: Path, turn: int) -> str:
    """One of many plants over the same registers."""
    lines = [
        "tagbridge: 1",
        "edge_node: {group: Test, name: chaos}",
        f'destinations: {{scada: {{servers: ["mqtt://127.0.0.1:{broker}"], keep_alive: 2s}}}}',
        f'outbox: {{folder: "{folder / "outbox"}", max_size: 64 MiB}}',
        f'links: {{line: {{endpoint: "tcp://127.0.0.1:{port}", timeout: 1s}}}}',
        "devices:",
    ]
    for unit in (1, 2, 3):
        if unit == 3 and rng.random() < 0.3:
            continue
        rows = [r for r in REGISTERS if rng.random() < 0.9]
        if rng.random() < 0.5:
            rng.shuffle(rows)
        lines += [
            f"  Unit {unit}:",
            f"    modbus: {{link: line, unit: {unit}}}",
            "    defaults: {scan: 30ms}",
            "    tags:",
        ]
        for r in rows:
            name = f"R{r}" + (f" of {turn}" if rng.random() < 0.2 else "")
            kind = rng.choice(("uint16", "uint16", "uint16", "uint16, metric_type: UInt32"))
            lines.append(
                f'      - {{name: {name}, id: R{r}, address: "holding:{r}", type: {kind}}}'
            )
    return "\n".join(lines) + "\n"


@pytest.mark.faults
@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_edit_puts_a_value_on_another_metric(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    rebirth = Payload()
    metric = rebirth.metrics.add()
    metric.name, metric.datatype, metric.boolean_value = "Node Control/Rebirth", 11, True
    path = tmp_path / "plant.yaml"
    async with (
        Mosquitto(tmp_path) as broker,
        Forwarder(broker.port) as way,
        HostilePeer(Units()) as units,
        Capture("127.0.0.1", broker.port) as capture,
    ):
        path.write_text(plant(rng, units.port, way.port, tmp_path, 0))
        async with GatewayProcess(path) as gateway:
            await gateway.logged("born")
            for turn in range(1, EDITS + 1):
                path.write_text(plant(rng, units.port, way.port, tmp_path, turn))
                chaos = rng.random()
                if chaos < 0.25:
                    await way.refuse()
                    way.cut()
                elif chaos < 0.5:
                    way.cut()
                elif chaos < 0.7:
                    capture.publish("spBv1.0/Test/NCMD/chaos", rebirth.SerializeToString())
                os.kill(gateway.pid, signal.SIGHUP)

                def reloads(turn: int = turn) -> bool:
                    said = [line for line in gateway.lines() if line["event"] == "reloaded"]
                    return len(said) >= turn

                await until(reloads, what=f"reload {turn}", timeout_s=20)
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.2, 0.8)))
                if chaos < 0.25:
                    await way.admit()
                    await asyncio.sleep(rng.choice((0.0, 0.5, 1.5)))
            seen = len(capture.packets)
            await until(lambda: len(capture.packets) > seen + 50, what="data", timeout_s=30)

            async def drained() -> bool:
                said = json.loads(await typed("outbox", "stats", str(path), "--json"))
                return bool(said["scada"]["backlog"] == 0)

            await until(drained, what="the backlog sent", timeout_s=30)
            assert await gateway.terminate() == 0
        told = json.loads(await typed("outbox", "stats", str(path), "--json"))["scada"]["ledger"]
    parts = ("confirmed", "buffered", "evicted", "discarded", "quarantined")
    assert told["accepted"] == sum(told[part] for part in parts), told
    assert (told["evicted"], told["quarantined"]) == (0, 0)
    wrong = []
    there: dict[tuple[str, str], int] = defaultdict(int)
    for sample in samples(capture.packets):
        if not sample.device or sample.value is None:
            continue
        unit, register = int(sample.device[5:]), int(sample.name.split()[0][1:])
        there[sample.device, f"R{register}"] += 1
        if sample.value // 100 != unit * 100 + register:
            wrong.append(sample)
    assert not wrong, wrong[:5]
    assert len(there) == 3 * len(REGISTERS)
    assert min(there.values()) > 20
    assert_no_violation(capture)
