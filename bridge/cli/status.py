"""``tagbridge status``: a running gateway at a glance, from links to brokers; and its outboxes.

One light for each part. What is in trouble says what was seen and what to check; the healthy take
one line each, and of many only those that are not.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.text import Text

from bridge.cli.commands import gate_line
from bridge.cli.gateway_at import asked, folder_of, not_running
from bridge.cli.lights import Light, ago, bar, size
from bridge.control.client import NotRunningError
from bridge.control.words import (
    CommandsStatus,
    DestinationStatus,
    DeviceStatus,
    LinkStatus,
    OutboxStatus,
    Status,
)

_DEVICES_SHOWN = 40
_LEAST_NAME = 16
_COLUMNS = (("metrics", 10), ("bad", 8), ("stale", 8), ("heard", 16))  # and their widths
_BACKLOG_AGE_MS = 10_000  # of waiting samples, from which it is worth a look


def status(path: Path, *, outbox: str | None, as_json: bool, everything: bool) -> int:
    """Show the state of the gateway that runs a plant; 1 if none does."""
    folder = folder_of(path, outbox)
    if folder is None:
        return 1
    try:
        found = asked(folder, "status", Status)
    except NotRunningError as error:
        return not_running(error, path)
    if found is None:
        return 1
    if as_json:
        print(json.dumps(to_jsonable_python(found), ensure_ascii=False))
    else:
        show_status(found, Console(highlight=False), everything=everything)
    return 0


def show_status(status: Status, console: Console, *, everything: bool = False) -> None:
    """Print the state of a gateway."""
    head = Text().append("tagbridge ", style="bold").append(status.version, style="dim")
    head.append(f"  {status.plant}")
    since = f"  up {ago(status.now_ms - status.started_ms)}"
    if status.reloaded_ms > status.started_ms:
        since += f", reloaded {ago(status.now_ms - status.reloaded_ms)} ago"
    console.print(head, soft_wrap=True)
    console.print(Text(f"{since.strip()}, process {status.pid}", style="dim"))
    console.print()
    devices = [device for link in status.links for device in link.devices]
    for destination in status.destinations:
        _print_destination(console, destination, status, sum(device.is_up for device in devices))
    if status.commands.gate != "closed":
        _print_commands(console, status.commands)
    console.print()
    _print_links(console, status.links, shown=None if everything else _DEVICES_SHOWN)
    console.print(_summary(status, devices))


def _print_destination(
    console: Console, destination: DestinationStatus, status: Status, up: int
) -> None:
    light = _light_of_destination(destination)
    line = Text().append(light.text).append(f" {destination.name}", style="bold").append("  ")
    line.append(destination.state, style=light.value[1])
    line.append(f"  {destination.node} at {destination.server or 'no server yet'}")
    line.append(f"  {destination.born} of {up} devices born", style="dim")
    console.print(line, soft_wrap=True)
    if destination.trouble:
        _print_trouble(console, destination.trouble, destination.remedy, light, "    ")
    if not destination.delivery_check:
        seen = "    delivery_check is none: nothing proves that the broker delivers"
        console.print(Text(seen, style="yellow"))
    box, ledger = destination.outbox, destination.outbox.ledger
    waits = f"    outbox  {ledger.buffered:,} samples wait"
    if box.oldest_ms is not None and ledger.buffered:
        waits += f", the oldest for {ago(status.now_ms - box.oldest_ms)}"
    line = Text().append(waits)
    if box.backlog:
        line.append(f" ({box.backlog:,} of them backlog)", style="yellow")
    line.append(f"  {ledger.confirmed:,} confirmed", style="dim")
    for count, word in _losses(box):
        line.append(f"  {count:,} {word}", style="bold red")
    console.print(line, soft_wrap=True)
    console.print(_disk(box).append("  ").append(box.folder, style="dim"), soft_wrap=True)


def _print_commands(console: Console, commands: CommandsStatus) -> None:
    line = gate_line(commands)
    line.append(f"  {commands.accepted:,} carried out", style="dim")
    if commands.denied:
        line.append(f"  {commands.denied:,} refused", style="yellow")
    console.print(line, soft_wrap=True)
    if commands.denied:
        last = f"    last refused: {commands.last_denial}"
        console.print(Text(last, style="dim"), soft_wrap=True)


def _losses(box: OutboxStatus) -> Iterator[tuple[int, str]]:
    ledger = box.ledger
    for count, word in (
        (ledger.evicted, "evicted"),
        (ledger.quarantined, "quarantined"),
        (ledger.discarded, "discarded"),
    ):
        if count:
            yield count, word


def _disk(box: OutboxStatus) -> Text:
    if not box.extent_known:
        return Text("    disk    does not answer", style="bold red")
    line = Text("    disk    ").append(bar(box.bytes / box.max_size if box.max_size else 0))
    return line.append(f" {size(box.bytes)} of {size(box.max_size)}")


def _light_of_destination(destination: DestinationStatus) -> Light:
    if destination.state == "online":
        return Light.GOOD if destination.delivery_check else Light.DOUBTFUL
    return Light.BAD if destination.trouble else Light.DOUBTFUL


def _print_links(console: Console, links: tuple[LinkStatus, ...], shown: int | None) -> None:
    """A line for each link and device; below it, over the whole width, what is wrong with it."""
    wanted = _wanted([device for link in links for device in link.devices], shown)
    width = max([_LEAST_NAME, *map(len, wanted)]) + 4
    counts = "".join(f"{word:>{size}}" for word, size in _COLUMNS)
    console.print(Text(f"{'link and device':{width}}{counts}", style="dim"), soft_wrap=True)
    for link in links:
        light = _light_of_link(link)
        line = Text().append(light.text).append(f" {link.name}  ", style="bold")
        console.print(line.append(link.endpoint, style="dim"), soft_wrap=True)
        if not link.is_open:
            _print_trouble(console, link.trouble or "no answer yet", link.remedy, light, "    ")
        for device in link.devices:
            if device.name in wanted:
                console.print(_device_line(device, width), soft_wrap=True)
                if device.trouble:
                    light = light_of_device(device)
                    _print_trouble(console, device.trouble, device.remedy, light, "      ")
    hidden = sum(device.name not in wanted for link in links for device in link.devices)
    if hidden:
        said = f"… and {hidden} more devices, all well (--all shows them)"
        console.print(Text(said, style="dim"))


def _print_trouble(console: Console, seen: str, remedy: str, light: Light, indent: str) -> None:
    console.print(Text(f"{indent}{seen}", style=light.value[1]), soft_wrap=True)
    if remedy:
        console.print(Text(f"{indent}{remedy}", style="dim"), soft_wrap=True)


def _wanted(devices: list[DeviceStatus], most: int | None) -> set[str]:
    """The devices that are shown: all of few, of many those that are not well."""
    if most is None or len(devices) <= most:
        return {device.name for device in devices}
    return {device.name for device in devices if light_of_device(device) is not Light.GOOD}


def _device_line(device: DeviceStatus, width: int) -> Text:
    light = light_of_device(device)
    heard = "never" if device.heard_ms is None else f"{ago(device.heard_ms)} ago"
    (_, metrics), (_, bad), (_, stale), (_, last) = _COLUMNS
    line = Text("  ").append(light.text).append(f" {device.name}".ljust(width - 3))
    line.append(f"{device.metrics:>{metrics},}")
    line.append(f"{device.bad or '':>{bad}}", style="bold red")
    line.append(f"{device.stale or '':>{stale}}", style="yellow")
    line.append(f"{heard:>{last}}")
    return line if device.is_up else line.append("  down", style=light.value[1])


def _light_of_link(link: LinkStatus) -> Light:
    if link.is_open:
        return Light.GOOD
    return Light.BAD if link.trouble else Light.DOUBTFUL


def light_of_device(device: DeviceStatus) -> Light:
    """Down is bad; up with metrics that are not GOOD, or silent for a moment, is doubtful."""
    if not device.is_up:
        return Light.BAD
    return Light.DOUBTFUL if device.bad or device.stale or device.trouble else Light.GOOD


def _summary(status: Status, devices: list[DeviceStatus]) -> Text:
    up = sum(device.is_up for device in devices)
    metrics = sum(device.metrics for device in devices)
    bad = sum(device.bad for device in devices)
    stale = sum(device.stale for device in devices)
    text = Text(f"{up} of {len(devices)} devices up, {metrics:,} metrics")
    for count, word, style in ((bad, "bad", "bold red"), (stale, "stale", "yellow")):
        if count:
            text.append(f", {count:,} {word}", style=style)
    late = [
        destination.name
        for destination in status.destinations
        if (oldest := destination.outbox.oldest_ms) is not None
        and destination.outbox.ledger.buffered
        and status.now_ms - oldest > _BACKLOG_AGE_MS
    ]
    if late:
        text.append(f"; behind: {', '.join(late)}", style="yellow")
    return text
