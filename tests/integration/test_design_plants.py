"""The three plants of the reference run against simulated devices: every metric is Good at a host.

As they stand in mappings/examples, but for addresses and secrets: brokers and devices are on this
machine.
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bridge.access import Access
from bridge.cli.check import read
from bridge.gateway import Gateway
from drivers.opcua.pki import Pki, thumbprint
from drivers.registry import load_drivers
from mappings.plant.definitions import Plant, Tls
from mappings.quality import GOOD
from simulators.host import SparkplugHost
from simulators.modbus import ModbusSimulator
from simulators.mqtt import MqttSimulator
from simulators.opcua import OpcUaSimulator
from simulators.opcua_server import ALL_POLICIES
from tests.support.broker import Mosquitto
from tests.support.gateway import ROOT
from tests.support.serial_gateway import SerialGateway
from tests.support.wait import until

EXAMPLES = ROOT / "mappings" / "examples"
PASSWORD = "geheim"


def here(name: str, broker: Mosquitto, folder: Path, places: dict[str, str]) -> Plant:
    """An example with its brokers and links on this machine."""
    plant, problems = read(EXAMPLES / name)
    assert plant is not None, [str(problem) for problem in problems]
    destinations = tuple(
        replace(d, servers=(broker.url,), login=None, certificate=None, tls=Tls())
        for d in plant.destinations
    )
    links = tuple(replace(link, endpoint=places[link.name]) for link in plant.links)
    return replace(
        plant, destinations=destinations, links=links, pki_folder=str(folder / "pki"),
        outbox=replace(plant.outbox, folder=str(folder / "outbox")),
    )  # fmt: skip


def devices_of(name: str, link: str):
    plant, _ = read(EXAMPLES / name)
    assert plant is not None
    return next(found.devices for found in plant.links if found.name == link)


@asynccontextmanager
async def running(plant: Plant, broker: Mosquitto):
    """The plant's gateway, and a host that sees what it publishes."""
    stop = asyncio.Event()
    gateway = Gateway(plant, load_drivers(), Access(lambda login: (login.user, PASSWORD)))
    task = asyncio.create_task(gateway.run(stop))
    try:
        primary = plant.destinations[0].primary_host
        async with SparkplugHost("127.0.0.1", broker.port, primary=primary) as host:
            yield host
    finally:
        stop.set()
        await task


async def all_good(plant: Plant, host: SparkplugHost) -> None:
    """Wait until every published metric of the plant is Good, with a value."""
    node = plant.destinations[0].edge_node
    wanted = [(d.name, m.name) for d in plant.devices for m in d.metrics if m.published]

    def missing() -> list[str]:
        found = []
        for device, name in wanted:
            metric = host.view.metric(node.group, node.name, device, name)
            if metric is None or metric.quality != GOOD or metric.value is None:
                found.append(f"{device}/{name}: {metric}")
        return found

    await until(lambda: not missing(), what="Good everywhere", timeout_s=40)
    assert not host.view.violations


async def test_the_brewery_on_a_serial_line(tmp_path: Path) -> None:
    units = devices_of("brewery", "mcc")
    async with (
        Mosquitto(tmp_path) as broker,
        ModbusSimulator(units) as simulator,
        SerialGateway(simulator.port) as line,
    ):
        plant = here("brewery", broker, tmp_path, {"mcc": f"rtu://{line.path}"})
        async with running(plant, broker) as host:
            await all_good(plant, host)

            def power():
                node = plant.destinations[0].edge_node
                return host.view.metric(node.group, node.name, "Meter Kettle", "Power/Active").value

            # Two values far apart: one alone may lie within the deadband of what was published.
            for watts, kilowatts in ((61_700.0, 61.7), (12_340.0, 12.34)):
                simulator.hold("Meter Kettle", {"Power/Active": watts})
                await until(lambda: power() == kilowatts, what=f"{watts} W as {kilowatts} kW")  # noqa: B023
        assert line.requests > 14


async def test_the_cellar_behind_a_secure_endpoint(tmp_path: Path) -> None:
    devices = devices_of("cellar", "Cellar PLC")
    async with (
        Mosquitto(tmp_path) as broker,
        OpcUaSimulator(devices, users={"tagbridge": PASSWORD}, policies=ALL_POLICIES) as plc,
    ):
        pki = Pki(tmp_path / "pki")
        pki.reject(plc.certificate)
        pki.accept(thumbprint(plc.certificate))
        plant = here("cellar", broker, tmp_path, {"Cellar PLC": plc.endpoint})
        assert sum(len(device.metrics) for device in plant.devices) == 241
        async with running(plant, broker) as host:
            await all_good(plant, host)


async def test_the_filling_line_with_its_camera(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Mosquitto(tmp_path))
        camera = await stack.enter_async_context(
            MqttSimulator(devices_of("filling", "Camera 7"), port=broker.port, period_ms=200)
        )
        filler = await stack.enter_async_context(
            ModbusSimulator(devices_of("filling", "Filler PLC"))
        )
        places = {"Camera 7": camera.endpoint, "Filler PLC": filler.endpoint}
        plant = here("filling", broker, tmp_path, places)
        host = await stack.enter_async_context(running(plant, broker))
        await all_good(plant, host)
