"""``tagbridge demo``: a whole plant in one terminal, without anything to set up.

Three programs and a screen: simulated devices with an embedded broker, the gateway, both as
processes of their own and started as a user would start them, and in this one a Sparkplug host that
judges every packet and draws what it knows. Ports are chosen free; files are in a temporary folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bridge.cli.check import load_plant
from bridge.cli.plant_table import render
from bridge.cli.simulate import READY
from bridge.cli.stopping import stop_on_signals
from mappings.plant.definitions import Plant
from mappings.quality import GOOD

if TYPE_CHECKING:
    from simulators.host import SparkplugHost

_READY_S = 60.0  # importing OPC UA on a slow machine
_END_S = 8.0
_PLAIN_PERIOD_S = 5.0
_FRAME_S = 0.25
_LOG_LINES = 3
_OTHER_LINES = 9 + _LOG_LINES  # of the screen: headings, node line, summary, rules, log
_LEAST_ROWS = 5


def demo(*, duration_s: float | None) -> int:
    """Run the demo; 0 only if every metric was Good at the end and no rule was broken."""
    console = Console()
    try:
        return asyncio.run(_demo(console, duration_s))
    except KeyboardInterrupt:
        return 0
    except _ChildError as error:
        console.print(f"[red]the demo cannot run:[/] {error}", highlight=False, soft_wrap=True)
        return 1


class _ChildError(Exception):
    """A program of the demo did not start, or ended."""


async def _demo(console: Console, duration_s: float | None) -> int:
    from simulators.host import SparkplugHost  # noqa: PLC0415  # simulators stand outside

    example = resources.files("mappings") / "examples" / "demo.yaml"
    stop = stop_on_signals()
    with resources.as_file(example) as file, tempfile.TemporaryDirectory() as name:
        plant = load_plant(file)
        folder = Path(name)
        port, places = _places(plant)
        console.print(f"simulated plant: {file}", highlight=False, soft_wrap=True)
        async with (
            _child("simulate", file, *places, "--broker", log=folder / "simulate.log") as devices,
            _ready(devices, folder / "simulate.log", console),
            SparkplugHost("127.0.0.1", port, complete=True) as host,
            _child(
                "run", file, *places, "--outbox", str(folder / "outbox"), log=folder / "run.log"
            ) as gateway,
        ):
            children = {"simulators": devices, "gateway": gateway}
            await _show(console, host, children, folder / "run.log", duration_s, stop)
            return _verdict(console, host, plant) if duration_s is not None else 0


def _places(plant: Plant) -> tuple[int, list[str]]:
    """A free port for the broker, and options that move everything to free ports."""
    names = [link.name for link in plant.links] + [plant.destinations[0].name]
    schemes = [urlsplit(link.endpoint).scheme for link in plant.links] + ["mqtt"]
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in probes]
    places = []
    for name, scheme, port in zip(names, schemes, ports, strict=True):
        places += ["--at", f"{name}={scheme}://127.0.0.1:{port}"]
    return ports[-1], places


@contextlib.asynccontextmanager
async def _child(
    command: str, plant: Path, *options: str, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A tagbridge command as a process, ended with the context."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge.cli.main", command, str(plant), *options,
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the others
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_END_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@contextlib.asynccontextmanager
async def _ready(
    devices: asyncio.subprocess.Process, log: Path, console: Console
) -> AsyncIterator[None]:
    deadline = time.monotonic() + _READY_S
    with console.status("starting simulators and broker"):
        while READY not in _tail(log):
            if devices.returncode is not None or time.monotonic() > deadline:
                raise _ChildError(f"simulators did not start\n{_tail(log)}")
            await asyncio.sleep(0.1)
    yield


async def _show(
    console: Console,
    host: SparkplugHost,
    children: dict[str, asyncio.subprocess.Process],
    log: Path,
    duration_s: float | None,
    stop: asyncio.Event,
) -> None:
    """The live view, until the time is over or Ctrl-C."""
    end = None if duration_s is None else time.monotonic() + duration_s
    live = Live(console=console, auto_refresh=False, screen=False, transient=False)
    plain = not console.is_terminal
    next_plain = 0.0
    with contextlib.nullcontext() if plain else live:
        while not stop.is_set() and (end is None or time.monotonic() < end):
            for name, child in children.items():
                if child.returncode is not None:
                    raise _ChildError(f"the {name} ended by itself\n{_tail(log)}")
            if not plain:
                live.update(_screen(console, host, log), refresh=True)
            elif time.monotonic() >= next_plain:
                next_plain = time.monotonic() + _PLAIN_PERIOD_S
                console.print(_counts(host))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FRAME_S):
                    await stop.wait()


def _screen(console: Console, host: SparkplugHost, log: Path) -> RenderableType:
    """What fits: the log gets the lines that the picture leaves, the newest ones."""
    heading = Text("tagbridge demo ", style="bold").append("  Ctrl-C ends", style="not bold dim")
    rows = max(console.height - _OTHER_LINES, _LEAST_ROWS)
    picture = Group(heading, render(host.view, time.time_ns() // 1_000_000, max_rows=rows))
    left = console.height - 2 - len(console.render_lines(picture, pad=False))
    if left < 1:
        return picture
    lines = Text.from_ansi(_tail(log, min(left, _LOG_LINES)))
    lines.no_wrap, lines.overflow = True, "ellipsis"
    return Group(picture, Text("gateway log", style="dim"), lines)


def _counts(host: SparkplugHost) -> str:
    metrics = list(_device_metrics(host))
    good = sum(quality == GOOD for _, quality in metrics)
    return (
        f"{good} of {len(metrics)} metrics Good, {host.view.values} values received, "
        f"{host.view.violation_count} violations"
    )


def _device_metrics(host: SparkplugHost) -> list[tuple[str, int]]:
    """Name and quality of each metric of a device that is online and has a value."""
    return [
        (f"{device.name}/{metric.name}", metric.quality if metric.value is not None else 0)
        for node in host.view.nodes.values()
        for device in node.devices.values()
        if device.name is not None and device.online
        for metric in device.metrics.values()
    ]


def _verdict(
    console: Console,
    host: SparkplugHost,
    plant: Plant,
) -> int:
    expected = sum(len(device.metrics) for device in plant.devices)
    metrics = _device_metrics(host)
    good = sum(quality == GOOD for _, quality in metrics)
    view = host.view
    console.print(
        f"metrics Good: {good} of {expected}\nvalues received: {view.values}\n"
        f"violations: {view.violation_count}",
        highlight=False,
    )
    if len(metrics) < expected:
        console.print(f"not online: {expected - len(metrics)} of {expected}", highlight=False)
    for name, quality in metrics:
        if quality != GOOD:
            console.print(f"not Good: {name}", highlight=False)
    for violation in view.violations[:10]:
        console.print(f"violation: {violation}", highlight=False, soft_wrap=True)
    return 0 if good == expected and view.values > 0 and view.violation_count == 0 else 1


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
