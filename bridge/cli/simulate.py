"""``tagbridge simulate``: the devices of a plant, simulated on this machine, until Ctrl-C."""

import asyncio
import shlex
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge import logs
from bridge.cli.secrets import SecretError, resolve
from bridge.cli.stopping import stop_on_signals
from bridge.mqtt.server import DEFAULT_PORT
from mappings.plant.definitions import Plant

READY = "simulators ready"


class NotHereError(Exception):
    """A simulator that does not exist or is not installed; ``str(error)`` says what to do."""


def simulate(plant: Plant, *, seed: int, with_broker: bool) -> int:
    """Serve all devices; the exit code."""
    logs.configure(level="warning", form="console")
    console = Console()
    try:
        asyncio.run(_serve(plant, seed, console, with_broker=with_broker))
    except OSError as error:
        _refuse(console, f"{error.strerror or error}", _hint(error))
        return 1
    except (SecretError, NotHereError) as error:
        _refuse(console, str(error), "")
        return 1
    return 0


def _refuse(console: Console, reason: str, hint: str) -> None:
    line = Text("cannot serve: ", style="red").append(reason, style="default")
    console.print(line, soft_wrap=True)
    if hint:
        console.print(Text(hint), soft_wrap=True)


def _hint(error: OSError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PermissionError):
            return "ports below 1024 are root's: put it elsewhere, --at NAME=tcp://127.0.0.1:5020"
        cause = cause.__cause__ or cause.__context__
    return (
        "is a simulator, a device or a broker running at that port already? "
        "End it, or put this one elsewhere: --at NAME=URL"
    )


async def _serve(plant: Plant, seed: int, console: Console, *, with_broker: bool) -> None:
    from simulators.plant import (  # noqa: PLC0415  # simulators stand outside
        NotSimulatedError,
        PlantSimulator,
    )

    folder = Path(plant.file).parent
    logins = {link.name: resolve(link.login, folder) for link in plant.links if link.login}
    stop = stop_on_signals()
    async with AsyncExitStack() as stack:
        brokers = await _brokers(plant, stack) if with_broker else {}
        simulator = PlantSimulator(plant, seed=seed, logins=logins)
        try:
            await stack.enter_async_context(simulator)
        except NotSimulatedError as error:
            raise NotHereError(str(error)) from error
        table = Table(title="Simulated devices")
        for column in ("link", "driver", "served at", "devices", "tags"):
            # A place must never be broken: people copy it.
            table.add_column(column, overflow="fold", no_wrap=column == "served at")
        for link in plant.links:
            row = (
                link.name, link.driver, simulator.places[link.name],
                ", ".join(device.name for device in link.devices),
                str(sum(len(device.tags) for device in link.devices)),
            )  # fmt: skip
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        for destination in plant.destinations:
            place, host_id = brokers.get(destination.name), destination.primary_host
            if place is None:
                continue
            said = f"broker for {destination.name}: {place}"
            if host_id:
                await stack.enter_async_context(_host(place, host_id))
                said += f", with primary host {host_id}"
            console.print(Text(said), soft_wrap=True)
        moved = [
            shlex.quote(f"{link.name}={simulator.places[link.name]}")
            for link in plant.links
            if simulator.places[link.name] != link.endpoint.rstrip("/")
        ]
        moved += [
            shlex.quote(f"{destination.name}={brokers[destination.name]}")
            for destination in plant.destinations
            if destination.name in brokers and not _is_here(destination.servers[0])
        ]
        words = ["tagbridge", "run", shlex.quote(plant.file)]
        words += [word for place in moved for word in ("--at", place)]
        console.print(Text("next: " + " ".join(words)), soft_wrap=True)
        console.print(f"{READY}; Ctrl-C ends them")
        await stop.wait()


async def _brokers(plant: Plant, stack: AsyncExitStack) -> dict[str, str]:
    """A broker for each destination; one of another machine gets a free port of the loopback."""
    try:
        from simulators.broker import EmbeddedBroker  # noqa: PLC0415  # an extra, and outside
    except ModuleNotFoundError as error:
        missing = f"the embedded broker needs {error.name}, which is not installed"
        raise NotHereError(f"{missing}; install 'tagbridge[demo]'") from error
    places = {}
    for destination in plant.destinations:
        url = destination.servers[0]
        server = urlsplit(url)
        host, port = "127.0.0.1", 0
        if _is_here(url):
            host, port = server.hostname or "", server.port or DEFAULT_PORT
        try:
            broker = await stack.enter_async_context(EmbeddedBroker(host, port))
        except OSError as error:
            raise OSError(f"cannot listen at {url} for {destination.name}") from error
        places[destination.name] = broker.url
    return places


def _host(place: str, host_id: str) -> AbstractAsyncContextManager[object]:
    """The primary host that a destination waits for, at its simulated broker."""
    from simulators.host import SparkplugHost  # noqa: PLC0415  # simulators stand outside

    parts = urlsplit(place)
    return SparkplugHost(
        parts.hostname or "", parts.port or DEFAULT_PORT, primary=host_id, ask=False
    )


def _is_here(url: str) -> bool:
    """Whether a simulated broker can stand there: it has no certificate for mqtts://."""
    parts = urlsplit(url)
    return parts.scheme != "mqtts" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
