"""``tagbridge plan`` and ``reload``: what an edit means, before it runs; and then let it run."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.changes import Change, Changes, compare
from bridge.cli.applied import Applied, kept
from bridge.cli.check import plant_file, read, right
from bridge.cli.failing import failed
from bridge.cli.gateway_at import asked, folder_of, not_running
from bridge.cli.lights import ago
from bridge.cli.listing import load_of
from bridge.cli.words import placed
from bridge.control.client import NotRunningError
from bridge.control.words import Reloaded, Status
from drivers.driver import Driver
from drivers.registry import load_drivers
from mappings.plant.definitions import LinkDefinition, Plant
from mappings.plant.grammar import WithRequests
from mappings.tags import Device

_ROWS = 30
_STYLES = {
    "added": "green", "removed": "bold red", "retyped": "bold yellow", "renamed": "cyan",
    "reopened": "yellow", "reborn": "yellow", "reconnected": "yellow",
}  # fmt: skip
_RELOAD_S = 60.0


def plan(path: Path, *, outbox: str | None, as_json: bool) -> int:
    """Show what the plant changes against what was applied last; 1 if one of them has mistakes."""
    drivers = load_drivers()
    after = right(path, *read(path))
    folder = Path(outbox) if outbox else Path(after.outbox.folder)
    try:
        applied = kept(folder)
    except (OSError, ValueError) as error:
        return failed(f"what was applied last cannot be read: {error}", "see its rights")
    if applied is None:
        metrics = sum(len(device.metrics) for device in after.devices)
        print(f"Nothing has run with the outbox {folder} yet: all {metrics} metrics are new.")
        return 0
    before = _before(applied, drivers)
    if before is None:
        return 1
    after = placed(after, applied.options.at, drivers)
    # Whatever it was called from the folder where the gateway was started, it was found here.
    before, after = (_over(plant, folder) for plant in (before, after))
    changes = compare(before, after)
    if as_json:
        for change in changes:
            print(json.dumps(to_jsonable_python(change), ensure_ascii=False))
        for word in changes.restart:
            print(json.dumps({"what": "restart", "why": word}, ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    age = ago(time.time_ns() // 1_000_000 - applied.applied_ms)
    running = _is_running(folder)
    said = f"which runs, read {age} ago" if running else f"which ran last, read {age} ago"
    console.print(Text(f"{plant_file(path)} against {applied.plant}, {said}"), soft_wrap=True)
    show_changes(changes, console, before=before, after=after)
    if changes:
        _print_loads(console, before, after, drivers)
    if changes.restart:
        for word in changes.restart:
            console.print(Text(f"only with a restart: {word}", style="bold yellow"))
    elif changes and running:
        console.print(Text(f"next: tagbridge reload {path}", style="dim"))
    return 0


def reload(path: Path, *, outbox: str | None, as_json: bool) -> int:
    """Have the running gateway take over its plant as the files are now; 1 if it does not."""
    right(path, *read(path))
    folder = folder_of(path, outbox)
    if folder is None:
        return 1
    try:
        done = asked(
            folder, "reload", Reloaded, timeout_s=_RELOAD_S, plant=str(plant_file(path).resolve())
        )
    except NotRunningError as error:
        return not_running(error, path)
    if done is None:
        return 1
    if as_json:
        print(json.dumps(to_jsonable_python(done), ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    show_changes(done.changes, console)
    console.print(Text("reloaded", style="green") if done.changes else Text("nothing to reload"))
    return 0


def _before(applied: Applied, drivers: Mapping[str, Driver]) -> Plant | None:
    plant, _ = read(Path(applied.plant), applied)
    if plant is None:
        failed(
            "what was applied last cannot be read by this version of tagbridge",
            "tagbridge check says whether the new plant is right; a restart applies it",
        )
        return None
    return placed(plant, applied.options.at, drivers)


def _over(plant: Plant, folder: Path) -> Plant:
    return replace(plant, outbox=replace(plant.outbox, folder=str(folder)))


def _is_running(folder: Path) -> bool:
    try:
        return asked(folder, "status", Status) is not None
    except NotRunningError:
        return False


def show_changes(
    changes: Changes,
    console: Console,
    *,
    before: Plant | None = None,
    after: Plant | None = None,
) -> None:
    """Print changes as a table, and in a sentence what stays as it is."""
    if not changes:
        console.print(Text("Nothing changes."))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for group in (changes.destinations, changes.links, changes.devices, changes.metrics):
        for change in group[:_ROWS]:
            table.add_row(*_cells(change))
        if len(group) > _ROWS:
            more = Counter(change.kind for change in group[_ROWS:])
            said = ", ".join(f"{count} {kind}" for kind, count in more.items())
            table.add_row(group[0].what, "…", "", Text(f"and {said}", style="dim"))
    console.print(table)
    if before is not None and after is not None:
        console.print(Text(_kept(changes, before, after), style="dim"), soft_wrap=True)


def _cells(change: Change) -> Iterable[Text]:
    style = _STYLES.get(change.kind, "")
    return (
        Text(change.what, style="dim"), Text(change.name), Text(change.kind, style=style),
        Text(change.why, style="dim"),
    )  # fmt: skip


def _kept(changes: Changes, before: Plant, after: Plant) -> str:
    """What does not notice."""
    links = {link.name for link in before.links} & {link.name for link in after.links}
    devices = {d.name for d in before.devices} & {d.name for d in after.devices}
    links -= {change.name for change in changes.links}
    devices -= {change.name for change in changes.devices}
    return (
        f"{len(links)} of {len(after.links)} links stay connected, "
        f"{len(devices)} of {len(after.devices)} devices are not born anew"
    )


def _print_loads(
    console: Console, before: Plant, after: Plant, drivers: Mapping[str, Driver]
) -> None:
    old = {link.name: _load(link, drivers) for link in before.links}
    for link in after.links:
        was, now = old.get(link.name), _load(link, drivers)
        if now is not None and now != was:
            said = f"{link.name}: the wire is {now:.0%} busy"
            said += f", was {was:.0%}" if was is not None else ""
            console.print(Text(said, style="bold red" if now > 1 else "default"), soft_wrap=True)


def _load(link: LinkDefinition, drivers: Mapping[str, Driver]) -> float | None:
    driver = drivers[link.driver]
    if not isinstance(driver, WithRequests):
        return None
    devices = [Device(name=d.name, options=d.options, tags=d.tags) for d in link.devices]
    return load_of(driver.requests(link.endpoint, devices, link.options))
