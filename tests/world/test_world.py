"""A world on a virtual clock: an edge node, two brokers, their host, and hours of trouble.

Core, outbox, edge node, session, sender and encoder are the product's own; brokers and the ways to
them are a model (`tests.world.model`). Every reading is a number that counts; at the end each has
been read by a broker, on its own metric, and no rule of Sparkplug was ever broken.
"""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.commands.commander import Commander
from bridge.core import Core
from bridge.destination import Commons, Destination
from bridge.links import Links
from bridge.outbox import outbox as outbox_module
from bridge.sparkplug import edge_node
from bridge.sparkplug.messages import Payload
from bridge.sparkplug.rules import Grader, Packet
from bridge.state import StateFile
from drivers.registry import load_drivers
from drivers.tls import Tls
from mappings.batch import Batch
from mappings.plant.definitions import Plant
from mappings.plant.reader import read_plant
from tests.support.decoded import samples
from tests.world.model import Broker, Door
from tests.world.virtual_time import InlineWorker, VirtualClock, VirtualLoop, run

DEVICES = ("Well", "Pump", "Tank")
PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations:
  scada:
    servers: ["mqtt://a", "mqtt://b"]
    sparkplug: {primary_host: hmi, server_dwell: 30s}
devices:
""" + "\n".join(
    f"""\
  {name}:
    modbus: {{endpoint: "tcp://127.0.0.{number}", unit: 1}}
    tags:
      - {{name: Count/A, address: HR1, type: uint32}}
      - {{name: Count/B, address: HR3, type: uint32}}"""
    for number, name in enumerate(DEVICES, start=1)
)
STATE = "spBv1.0/STATE/hmi"
SHARED = "tck-id-topics-nbirth-bdseq-increment"
"""Of one server alone: all servers of a node share one count."""


class World:
    """Everything, and the hand that makes trouble."""

    def __init__(self, loop: VirtualLoop, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = VirtualClock(loop)
        self.brokers = {name: Broker(self.clock) for name in ("a", "b")}
        self.plant = _plant(folder)
        self.faults: list[BaseException] = []
        self.core = Core(self.plant, self.clock, self.faults.append)
        links = Links({}, self.core, self.clock, self.faults.append)
        self.commons = Commons(
            state=StateFile(folder / "state.json"),
            catalog=self.core.catalog,
            clock=self.clock,
            failed=self.faults.append,
            commander=Commander(
                self.plant, self.core.catalog, links, self.clock, self.core.tell,
                self.faults.append,
            ),
        )  # fmt: skip
        self.counts: Counter[str] = Counter()
        self.answering = set(DEVICES)
        self.happened: Counter[str] = Counter()

    # --- what the plant does ----------------------------------------------------------------------

    def read(self) -> None:
        """One scan of the devices that answer."""
        for device in sorted(self.answering):
            self.counts[device] += 1
            number = self.counts[device]
            self.core.accept(
                Batch(device, (0, 1), [number, number + 1_000_000], [self.clock.now_ms()] * 2)
            )
            if device not in self.core.up:
                self.core.device_up(device)

    async def live(self, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        scans = 0
        while loop.time() < until_s:
            await asyncio.sleep(0.25)
            self.core.tick()
            scans += 1
            if scans % 4 == 0:
                self.read()

    # --- trouble ----------------------------------------------------------------------------------

    def state(self, broker: Broker, *, online: bool) -> None:
        payload = json.dumps({"online": online, "timestamp": self.clock.now_ms()}).encode()
        if broker.up:
            broker.publish(STATE, payload, 1, retain=True)

    def order(self, broker: Broker, name: str) -> None:
        payload = Payload()
        payload.metrics.add(name=name, boolean_value=True)
        if broker.up:
            broker.publish("spBv1.0/G/NCMD/n", payload.SerializeToString(), 1)

    async def trouble(self, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until_s:
            await asyncio.sleep(self.random.expovariate(1 / 20))
            name = self.random.choice(
                ("cut", "kill", "freeze", "host", "rebirth", "flood", "next", "device", "flap")
            )
            self.happened[name] += 1
            broker = self.random.choice(list(self.brokers.values()))
            await getattr(self, f"_{name}")(broker)

    async def _cut(self, broker: Broker) -> None:
        broker.reachable = False
        for link in list(broker.links.values()):
            link.cut()
        await asyncio.sleep(self.random.uniform(0.1, 90))
        broker.reachable = True

    async def _kill(self, broker: Broker) -> None:
        broker.kill()
        await asyncio.sleep(self.random.uniform(0.5, 60))
        if self.random.random() < 0.5:
            broker.retained.clear()  # it comes back empty, and the host says its STATE again
        broker.up = True
        self.state(broker, online=True)

    async def _freeze(self, broker: Broker) -> None:
        broker.frozen = True
        await asyncio.sleep(self.random.uniform(0.1, 8))
        broker.thaw()

    async def _host(self, broker: Broker) -> None:
        self.state(broker, online=False)
        await asyncio.sleep(self.random.uniform(1, 60))
        self.state(broker, online=True)

    async def _rebirth(self, broker: Broker) -> None:
        self.order(broker, "Node Control/Rebirth")

    async def _flood(self, broker: Broker) -> None:
        for _ in range(200):
            self.order(broker, "Node Control/Rebirth")

    async def _next(self, broker: Broker) -> None:
        self.order(broker, "Node Control/Next Server")

    async def _device(self, _broker: Broker) -> None:
        device = self.random.choice(DEVICES)
        if device in self.answering:
            self.answering.discard(device)
            await asyncio.sleep(self.random.uniform(0.5, 30))
            if self.random.random() < 0.7:
                self.core.device_down(device)
            await asyncio.sleep(self.random.uniform(0, 30))
            self.answering.add(device)

    async def _flap(self, broker: Broker) -> None:
        for _ in range(5):
            for link in list(broker.links.values()):
                link.cut()
                link.lost("reset by peer")
            await asyncio.sleep(self.random.uniform(0.2, 3))


def _plant(folder: Path) -> Plant:
    plant, problems = read_plant(PLANT, str(folder / "plant.yaml"), load_drivers())
    assert plant is not None, [str(problem) for problem in problems]
    return replace(plant, outbox=replace(plant.outbox, folder=str(folder / "outbox")))


async def hours(loop: VirtualLoop, folder: Path, seed: int, hours: float) -> None:
    world = World(loop, folder, seed)
    edge_node.Connection = Door(world.brokers)  # type: ignore[assignment,misc]
    (folder / "outbox").mkdir()
    [definition] = world.plant.destinations
    destination = await Destination.open(definition, world.plant, world.commons)
    world.core.destinations.append(destination)
    destination.start((None, Tls()), ())
    for broker in world.brokers.values():
        world.state(broker, online=True)
    until_s = hours * 3600
    living = asyncio.create_task(world.live(until_s + 600))
    await world.trouble(until_s)
    await living  # ten quiet minutes at the end
    await destination.leave()
    ledger = destination.outbox.ledger
    await destination.close()
    assert world.faults == []
    assert ledger.accepted == ledger.confirmed + ledger.buffered
    assert ledger.buffered == 0
    _judge(world)
    print(
        f"seed {seed}: {hours} h, {sum(world.happened.values())} troubles "
        f"{dict(world.happened)}, {2 * sum(world.counts.values())} readings, "
        f"{sum(len(broker.log) for broker in world.brokers.values())} messages"
    )


def _judge(world: World) -> None:
    """All readings arrived, on their metrics, and no rule was broken."""
    arrived: dict[tuple[str, str], set[object]] = defaultdict(set)
    for broker in world.brokers.values():
        grader = Grader()
        stretch: list[Packet] = []
        violations = []
        for packet in [*broker.log, None]:
            if packet is None:
                grader.gap()
                for sample in samples(stretch):
                    if sample.device and sample.value is not None:
                        arrived[sample.device, sample.name].add(sample.value)
                stretch = []
                continue
            if packet.topic == STATE:
                continue
            violations += [v for v in grader.feed(packet) if v.tck_id != SHARED]
            if "CMD" not in packet.topic:
                stretch.append(packet)
        assert violations == [], violations[:3]
    for device, count in world.counts.items():
        for name, base in (("Count/A", 0), ("Count/B", 1_000_000)):
            missing = {base + n for n in range(1, count + 1)} - arrived[device, name]
            foreign = arrived[device, name] - {base + n for n in range(1, count + 1)}
            assert not missing, f"{device} {name}: {len(missing)} missing, {sorted(missing)[:5]}"
            assert not foreign, f"{device} {name}: not its own: {list(foreign)[:5]}"


@pytest.fixture(autouse=True)
def in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No threads, no sockets; files are real, and synced to nowhere."""
    monkeypatch.setattr(outbox_module, "Worker", InlineWorker)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr(edge_node, "Connection", edge_node.Connection)  # set back at the end


def through(folder: Path, seed: int, length: float) -> None:
    began = time.monotonic()
    run(lambda loop: hours(loop, folder, seed, length))
    print(f"{length} h in {time.monotonic() - began:.1f} s")


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_of_trouble_loses_nothing_and_breaks_no_rule(seed: int, tmp_path: Path) -> None:
    through(tmp_path, seed, 1.0)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_days_of_trouble_lose_nothing_and_break_no_rule(tmp_path: Path) -> None:
    first = time.time_ns() % 1_000_000
    for seed in range(first, first + 6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        through(folder, seed, 4.0)


def test_the_judge_misses_what_a_forgetful_node_loses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that does not owe again what the broker may not have read is found out."""
    monkeypatch.setattr(outbox_module.Outbox, "rewind", lambda _: None)
    with pytest.raises(AssertionError):
        through(tmp_path, 1, 1.0)
