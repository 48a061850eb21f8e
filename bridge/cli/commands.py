"""``tagbridge commands``: the gate for commands, opened and shut by a person; its audit log."""

import json
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.failing import failed
from bridge.cli.gateway_at import asked, folder_of, not_running
from bridge.cli.lights import Light, ago
from bridge.commands.audit import FOLDER, files_of, verify_folder
from bridge.commands.chain import FIRST
from bridge.control.client import NotRunningError
from bridge.control.words import CommandsStatus

_GOOD = frozenset({"confirmed", "written"})
_FAULTS_SHOWN = 20


def turn(path: Path, word: str, *, outbox: str | None) -> int:
    """Arm or disarm: open the gate of the running gateway, or shut it; 1 if it will not."""
    folder = folder_of(path, outbox)
    if folder is None:
        return 1
    try:
        found = asked(folder, word, CommandsStatus)
    except NotRunningError as error:
        return not_running(error, path)
    if found is None:
        return 1
    Console(highlight=False).print(gate_line(found), soft_wrap=True)
    return 0


def gate_line(status: CommandsStatus) -> Text:
    """The gate in one line: its light, what passes, and for how long."""
    if status.gate == "closed":
        return Light.OFF.beside("commands  closed")
    if status.trouble:
        return Light.BAD.beside(f"commands  none is carried out: {status.trouble}")
    if status.shut:
        return Light.DOUBTFUL.beside(f"commands  {status.shut}")
    line = Light.GOOD.beside("commands  open")
    if status.gate == "by-hand" and status.open_ms is not None:
        line.append(f" for {ago(status.open_ms)}")
    return line


def log(path: Path, *, outbox: str | None, last: int, as_json: bool) -> int:
    """Show the last records of the audit log, which needs no running gateway."""
    folder = folder_of(path, outbox)
    if folder is None:
        return 1
    lines: deque[str] = deque(maxlen=last)
    try:
        for _, file in files_of(folder / FOLDER):
            lines.extend(file.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError as error:
        return _unread(error)
    if not lines:
        return failed(
            f"no commands in {folder / FOLDER}",
            "nothing was ever written or refused there; see commands: in the plant file",
        )
    if as_json:
        print("\n".join(lines))
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("time (UTC)", "what", "from", "metric", "value", "outcome"):
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*_row(line))
    Console(highlight=False).print(table)
    return 0


def verify(path: Path, *, outbox: str | None, head: str | None) -> int:
    """Say whether the audit log is as it was written; 1 if it is not.

    ``head`` is a hash that was published, which must be in it.
    """
    folder = folder_of(path, outbox)
    if folder is None:
        return 1
    try:
        verdict = verify_folder(folder / FOLDER)
    except OSError as error:
        return _unread(error)
    for fault in verdict.faults[:_FAULTS_SHOWN]:
        failed(f"{folder / FOLDER / fault.file}:{fault.line}: {fault.what}")
    wanted = head.split()[-1] if head and head.split() else ""
    missing = bool(wanted) and wanted not in verdict.hashes
    if missing:
        failed(
            f"no record has the hash {wanted}",
            "records were cut off or written anew, or it was given up with an old file",
        )
    if verdict.faults or missing:
        count = len(verdict.faults) + missing
        return failed(f"the audit log is not as it was written: {count} faults")
    said = f"{verdict.records:,} records, unbroken"
    if verdict.first > 1:
        said += f"; the {verdict.first - 1:,} before them were given up with their files"
    console = Console(highlight=False)
    console.print(Light.GOOD.beside(said), soft_wrap=True)
    if verdict.head != FIRST:
        console.print(Text(f"head {verdict.head}", style="dim"), soft_wrap=True)
    if not wanted:
        remedy = "an end that was cut off shows with --head, from Commands/Audit head at the host"
        console.print(Text(remedy, style="dim"), soft_wrap=True)
    return 0


def _unread(error: OSError) -> int:
    remedy = "be root, or the gateway's user"
    return failed(f"{error.filename} cannot be read: {error.strerror}", remedy)


def _row(line: str) -> tuple[str | Text, ...]:
    try:
        record = json.loads(line)
        assert isinstance(record, dict)
    except (ValueError, AssertionError):
        return ("", Text("not a record", style="bold red"), "", "", "", line[:60])
    what = str(record.get("what", ""))
    source = str(record.get("from", record.get("who", "")))
    value = "" if record.get("value") is None else str(record["value"])
    at = str(record.get("at", "")).replace("T", " ").removesuffix("Z")
    return (at, what, source, str(record.get("metric", "")), value, _outcome(what, record))


def _outcome(what: str, record: Mapping[str, Any]) -> Text:
    if what == "denied":
        reasons = ", ".join(f"{n} {why}" for why, n in dict(record.get("refused", {})).items())
        first: Mapping[str, Any] = next(iter(record.get("first", ())), {})
        example = f" ({first.get('metric')}: {first.get('why')})" if first else ""
        return Text(f"{reasons}{example}", style="yellow")
    if what == "result":
        outcome = str(record.get("outcome", ""))
        why = f": {record['why']}" if record.get("why") else ""
        read = f", read {record['read']}" if record.get("read") is not None else ""
        return Text(f"{outcome}{why}{read}", style="green" if outcome in _GOOD else "bold red")
    if what == "not written":
        return Text(str(record.get("refused", "")), style="yellow")
    return Text(str(record.get("gate", "")), style="dim")
