"""``tagbridge simulate``: the devices of a plant, simulated on this machine, until Ctrl-C."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from bridge import logs
from bridge.cli.secrets import SecretError, resolve
from mappings.plant.definitions import Plant

READY = "simulators ready"


def simulate(plant: Plant, *, seed: int, with_broker: bool) -> int:
    """Serve all devices; the exit code."""
    logs.configure(level="warning", form="console")
    console = Console()
    try:
        asyncio.run(_serve(plant, seed, console, with_broker=with_broker))
    except OSError as error:
        console.print(f"[red]cannot serve:[/] {error.strerror or error}", highlight=False)
        console.print("is a simulator, a device or a broker running at that port already?")
        return 1
    except SecretError as error:
        console.print(f"[red]cannot serve:[/] {error}", highlight=False)
        return 1
    return 0


async def _serve(plant: Plant, seed: int, console: Console, *, with_broker: bool) -> None:
    from simulators.plant import PlantSimulator  # noqa: PLC0415  # simulators stand outside

    folder = Path(plant.file).parent
    logins = {link.name: resolve(link.login, folder) for link in plant.links if link.login}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        if with_broker:
            await _brokers(plant, stack)
        simulator = PlantSimulator(plant, seed=seed, logins=logins)
        await stack.enter_async_context(simulator)
        table = Table(title="Simulated devices")
        for column in ("link", "driver", "served at", "devices", "tags"):
            table.add_column(column)
        for link in plant.links:
            table.add_row(
                link.name, link.driver, simulator.places[link.name],
                ", ".join(device.name for device in link.devices),
                str(sum(len(device.tags) for device in link.devices)),
            )  # fmt: skip
        console.print(table)
        moved = [
            f"--at '{link.name}={simulator.places[link.name]}'"
            for link in plant.links
            if simulator.places[link.name] != link.endpoint.rstrip("/")
        ]
        console.print("next: " + " ".join(["tagbridge run", plant.file, *moved]), soft_wrap=True)
        console.print(f"{READY}; Ctrl-C ends them")
        await stop.wait()


async def _brokers(plant: Plant, stack: AsyncExitStack) -> None:
    from simulators.broker import EmbeddedBroker  # noqa: PLC0415  # an extra, and outside

    for destination in plant.destinations:
        server = urlsplit(destination.servers[0])
        await stack.enter_async_context(
            EmbeddedBroker(server.hostname or "127.0.0.1", server.port or 1883)
        )
