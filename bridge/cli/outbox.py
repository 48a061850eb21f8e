"""``tagbridge outbox stats``: what each outbox holds; asks the gateway, else the files."""

import json
import time
from pathlib import Path

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.applied import kept
from bridge.cli.check import read
from bridge.cli.failing import failed
from bridge.cli.gateway_at import asked, folder_of
from bridge.cli.lights import ago, bar, size
from bridge.control.client import NotRunningError
from bridge.control.words import OutboxStatus
from bridge.diagnostics import rows_of
from bridge.outbox.looking import look, outboxes
from bridge.outbox.words import OutboxLocked, PointKey
from mappings.plant.definitions import Plant


def stats(path: Path, *, outbox: str | None, as_json: bool) -> int:
    """Show what the outboxes of a plant hold; 1 if nobody can say."""
    folder = folder_of(path, outbox)
    if folder is None:
        return 1
    try:
        found = asked(folder, "outbox", dict[str, OutboxStatus])
        runs = True
    except NotRunningError:
        found = _of_files(folder)
        runs = False
    if found is None:
        return 1
    if as_json:
        print(json.dumps(to_jsonable_python(found), ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    said = "as the running gateway says" if runs else "as its files say; no gateway is running"
    console.print(Text(f"outboxes in {folder}, {said}"), soft_wrap=True)
    console.print(_table(found))
    return 0


def _of_files(folder: Path) -> dict[str, OutboxStatus] | None:
    """What the files hold; None after saying why nobody can tell."""
    try:
        boxes = outboxes(folder)
    except FileNotFoundError:
        failed(f"there is no outbox folder {folder}", "nothing has run with this plant yet")
        return None
    except OSError as error:
        failed(f"{folder} cannot be read: {error.strerror}", "be root, or the gateway's user")
        return None
    if not boxes:
        failed(f"no outbox in {folder}", "nothing has run with this plant yet")
        return None
    plant = _applied(folder)
    keys = {
        device: [PointKey(id=metric.id, datatype=metric.datatype) for metric in rows]
        for device, rows in (rows_of(plant) if plant else {}).items()
    }
    found: dict[str, OutboxStatus] = {}
    for box in boxes:
        try:
            ledger, extent, incidents = look(box, keys)
        except OutboxLocked as error:
            failed(f"{error}, which does not answer", "it starts or ends just now: try again")
            return None
        except OSError as error:
            failed(f"{box} cannot be read: {error.strerror}", "be root, or the gateway's user")
            return None
        for incident in incidents:
            failed(f"{box.name}: {incident.what}", incident.remedy)
        found[box.name] = OutboxStatus(
            folder=str(box),
            max_size=plant.outbox.max_size if plant else 0,
            ledger=ledger,
            backlog=ledger.buffered,
            bytes=extent.bytes,
            segments=extent.segments,
            oldest_ms=extent.oldest_ms,
        )
    return found


def _applied(folder: Path) -> Plant | None:
    """The plant that ran last over this folder, if it can still be read."""
    try:
        applied = kept(folder)
    except (OSError, ValueError):
        return None
    return None if applied is None else read(Path(applied.plant), applied)[0]


def _table(boxes: dict[str, OutboxStatus]) -> Table:
    """A column for each destination."""
    now_ms = time.time_ns() // 1_000_000
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("", style="dim", no_wrap=True)
    for name in boxes:
        table.add_column(name, overflow="fold")
    table.add_row("waiting", *(f"{box.ledger.buffered:,} samples" for box in boxes.values()))
    table.add_row("  live", *(f"{box.live:,}" for box in boxes.values()))
    table.add_row("  backlog", *(_count(box.backlog, "yellow") for box in boxes.values()))
    table.add_row("  oldest", *(_oldest(box, now_ms) for box in boxes.values()))
    table.add_row("confirmed", *(f"{box.ledger.confirmed:,}" for box in boxes.values()))
    for word in ("evicted", "discarded", "quarantined"):
        counts = (getattr(box.ledger, word) for box in boxes.values())
        table.add_row(word, *(_count(count, "bold red") for count in counts))
    table.add_row("disk", *map(_disk, boxes.values()))
    return table


def _count(count: int, style: str) -> Text:
    return Text(f"{count:,}", style=style if count else "")


def _oldest(box: OutboxStatus, now_ms: int) -> str:
    if not box.ledger.buffered:
        return "-"
    return "unknown" if box.oldest_ms is None else f"{ago(now_ms - box.oldest_ms)} ago"


def _disk(box: OutboxStatus) -> Text:
    if not box.extent_known:
        return Text("does not answer", style="bold red")
    used = Text(size(box.bytes))
    if box.max_size:
        used = bar(box.bytes / box.max_size).append(f" {size(box.bytes)}", style="default")
        used.append(f" of {size(box.max_size)}", style="dim")
    return used.append(f", {box.segments} segments", style="dim")
