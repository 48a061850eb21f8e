"""What a changing value costs: mapper, encoder, outbox and the whole, beside a bare loop.

All run over the same recorded Modbus responses, in turn, in one process; figures are CPU time of
this process (all threads), so other programs on the machine hardly matter. The broker is a real
mosquitto in a process of its own. The last line compares the whole with the yardstick, the median
of the rounds; the exit code is 1 when the whole costs more than twice as much.
"""

import asyncio
import contextlib
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bridge import logs
from bridge.access import Access
from bridge.gateway import Gateway
from bridge.outbox.outbox import Outbox, PointKey
from bridge.sparkplug.encoder import DeviceEncoder
from drivers.driver import DeviceUp
from drivers.modbus.polls import Poll
from mappings.batch import Batch
from mappings.catalog import Catalog
from mappings.mapper import Mapper
from mappings.plant.definitions import (
    DestinationDefinition,
    EdgeNodeDefinition,
    LinkDefinition,
    OutboxDefinition,
    Plant,
)
from tests.bench.recorded import COUNT, Recording, device, record
from tests.bench.yardstick import Loop
from tests.support.broker import Mosquitto

SCANS = 1000
ROUNDS = 5
MOST_RATIO = 2.0
_MOST_BUFFERED = 50 * COUNT  # the feeder waits, as a plant's devices do not outrun the gateway


class RecordedLink:
    """Plays a recording through the Modbus driver's own decoding."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.cpu_began = 0.0
        self.outbox: Outbox | None = None
        self.start = asyncio.Event()
        self.done = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open(self, _endpoint: object, now_ms) -> AsyncIterator["RecordedLink"]:
        self._now_ms = now_ms
        yield self

    async def events(self):
        poll = Poll([])
        blocks, scans = self._recording.blocks, self._recording.scans
        yield self._scan(poll, blocks, scans[-1])
        yield DeviceUp("Device")
        await self.start.wait()
        self.cpu_began = time.process_time()
        for number, responses in enumerate(scans):
            while number % 10 == 0 and self.outbox.ledger.buffered > _MOST_BUFFERED:
                await asyncio.sleep(0.01)  # asking costs CPU time, too
            yield self._scan(poll, blocks, responses)
            await asyncio.sleep(0)
        while self.outbox.ledger.buffered:
            await asyncio.sleep(0.001)
        self.done.set()
        await asyncio.Event().wait()

    def _scan(self, poll: Poll, blocks, responses) -> Batch:
        now_ms = self._now_ms()
        said = [(block, raw, now_ms) for block, raw in zip(blocks, responses, strict=True)]
        [batch] = poll.joined(said)
        return batch


async def whole(recording: Recording, folder: Path, port: int) -> float:
    """CPU seconds from response bytes to confirmed, through the product as `run` wires it."""
    unit = device()
    plant = Plant(
        file="bench",
        destinations=(
            DestinationDefinition(
                name="scada",
                servers=(f"mqtt://127.0.0.1:{port}",),
                edge_node=EdgeNodeDefinition(group="Bench", name="whole", diagnostics="none"),
            ),
        ),
        outbox=OutboxDefinition(folder=str(folder), max_size=1 << 30),
        links=(
            LinkDefinition(
                name="link", driver="recorded", endpoint="x://", options=unit.options,
                devices=(unit,),
            ),
        ),
    )  # fmt: skip
    link = RecordedLink(recording)
    gateway = Gateway(plant, {"recorded": link}, Access(lambda _: ("", "")))  # type: ignore[dict-item]
    stop = asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    while not gateway.destinations or not gateway.destinations[0].outbox.ledger.confirmed:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    link.outbox = gateway.destinations[0].outbox
    link.start.set()
    done = asyncio.create_task(link.done.wait())
    await asyncio.wait({done, running}, return_when=asyncio.FIRST_COMPLETED)
    cpu_s = time.process_time() - link.cpu_began
    confirmed = link.outbox.ledger.confirmed
    stop.set()
    await running
    assert confirmed >= recording.values, f"only {confirmed} of {recording.values} confirmed"
    return cpu_s


def batches(recording: Recording) -> list[Batch]:
    poll = Poll([])
    out = []
    for number, responses in enumerate(recording.scans):
        said = [
            (block, raw, 1_800_000_000_000 + number)
            for block, raw in zip(recording.blocks, responses, strict=True)
        ]
        out += poll.joined(said)
    return out


def mapper(raw: list[Batch]) -> float:
    """Transform, judge, deadband, catalog."""
    metrics = device().metrics
    catalog = Catalog([("Device", COUNT)])
    engine = Mapper({"Device": metrics}, catalog)
    emitted = 0
    began = time.process_time()
    for batch in raw:
        for made in engine.apply(batch, 0):
            catalog.update(made)
            emitted += len(made)
    assert emitted == len(raw) * COUNT
    return time.process_time() - began


def encoder(raw: list[Batch]) -> float:
    """Sparkplug payloads."""
    made = DeviceEncoder(device().metrics, range(1, COUNT + 1))
    made.born([])
    began = time.process_time()
    for seq, batch in enumerate(raw):
        made.encode(batch, timestamp_ms=1_800_000_000_000, seq=seq % 256, historical=False)
    return time.process_time() - began


async def outbox(raw: list[Batch], folder: Path) -> float:
    """Append and commit everything to disk, as in an outage."""
    keys = {"Device": [PointKey(metric.id, metric.datatype) for metric in device().metrics]}
    log = Outbox(
        folder, keys, max_size=1 << 30, report=print,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
    )  # fmt: skip
    await log.open()
    log.split()
    began = time.process_time()
    for batch in raw:
        while log.ledger.uncommitted > _MOST_BUFFERED:
            await asyncio.sleep(0.01)
        log.append(batch)
        await asyncio.sleep(0)
    await log.close()
    return time.process_time() - began


def show(name: str, cpu_s: list[float], values: int) -> float:
    median = statistics.median(cpu_s)
    print(
        f"{name:<10} {values / median:>14,.0f} values per CPU-second"
        f"   {1e6 * median / values:7.3f} us per value   (of {len(cpu_s)}: "
        f"{1e6 * min(cpu_s) / values:.3f} to {1e6 * max(cpu_s) / values:.3f})",
        flush=True,
    )
    return median


async def main() -> int:
    logs.configure(level="warning", form="console")
    recording = record(SCANS)
    raw = batches(recording)
    figures: dict[str, list[float]] = {
        name: [] for name in ("mapper", "encoder", "outbox", "whole", "yardstick")
    }
    with tempfile.TemporaryDirectory() as name:
        async with Mosquitto(options=("max_queued_messages 0",)) as broker:
            for turn in range(ROUNDS):
                folder = Path(name) / str(turn)
                folder.mkdir()
                gc.collect()
                figures["mapper"].append(mapper(raw))
                figures["encoder"].append(encoder(raw))
                figures["outbox"].append(await outbox(raw, folder / "outbox"))
                gc.collect()
                figures["whole"].append(await whole(recording, folder / "whole", broker.port))
                gc.collect()
                loop = Loop(folder, broker.port)
                figures["yardstick"].append(loop.run(recording))
                loop.close()
    print(
        f"{COUNT} float32 values in {len(recording.blocks)} responses, {SCANS} scans, all changing"
    )
    for name, cpu_s in figures.items():
        show(name, cpu_s, recording.values)
    ratios = [w / y for w, y in zip(figures["whole"], figures["yardstick"], strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"whole / yardstick: {ratio:.2f}   (at most {MOST_RATIO}; rounds: "
        + " ".join(f"{r:.2f}" for r in ratios)
        + ")"
    )
    return 0 if ratio <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
