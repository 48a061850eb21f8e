"""``tagbridge watch``: what any Sparkplug nodes publish at a broker, live, decoded and judged.

On a terminal a table that is drawn anew four times a second; elsewhere, or on request, one line of
text for each value, death and violation. A broker that cannot be reached is named and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO
from urllib.parse import unquote, urlsplit

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bridge.cli.grading import Report, show, show_json
from bridge.cli.plant_table import render, value_text
from bridge.cli.stopping import stop_on_signals
from bridge.mqtt.server import DEFAULT_PORT
from bridge.sparkplug import captures
from bridge.sparkplug.topics import id_fault
from mappings.quality import Quality

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.sparkplug.rules import Packet
    from simulators.host import HostView, Sample, SparkplugHost

_FRAME_S = 0.25
_FRAME_LINES = 9  # of the screen: heading, node line, summary, rules


def watch(
    url: str,
    *,
    group: str | None = None,
    duration_s: float | None = None,
    plain: bool | None = None,
    console: Console | None = None,
    check: bool = False,
    as_json: bool = False,
    capture: Path | None = None,
) -> int:
    """Watch until Ctrl-C, SIGTERM or the end of ``duration_s``.

    ``url`` is ``mqtt://[USER[:PASSWORD]@]HOST[:PORT]``; ``plain`` None: lines unless on a terminal.
    With ``check`` a report on the rules ends it, with ``as_json`` as JSON and nothing else; all
    packets go to the file ``capture``. Returns 0; 1 when the broker was never reached or, with
    ``check``, a rule was broken; 2 when the arguments make no sense.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    fault = _url_fault(url) or _group_fault(group)
    if fault is not None:
        console.print(Text(fault, style="red"))
        return 2
    form = "json" if as_json else "lines"
    if not as_json and (console.is_terminal if plain is None else not plain):
        form = "screen"
    report = Report() if check or as_json else None
    with ExitStack() as stack:
        file = None
        if capture is not None:
            try:
                file = stack.enter_context(capture.open("w", encoding="utf-8"))
            except OSError as error:
                said = f"{capture} cannot be written: {error.strerror}"
                console.print(Text(said, style="red"))
                return 2
        code = asyncio.run(_watch(url, group, duration_s, console, form, _Sinks(report, file)))
    return _judged(report, console, as_json=as_json) or code if report is not None else code


def judge(file: Path, *, as_json: bool = False, console: Console | None = None) -> int:
    """Report on a capture; 1 when a rule was broken or nobody spoke, 2 when it is no capture."""
    console = console or Console(highlight=False, soft_wrap=True)
    report = Report()
    try:
        with file.open(encoding="utf-8") as lines:
            for packet in captures.read(lines):
                _Sinks(report, None).take(packet)
    except (OSError, UnicodeDecodeError, captures.CaptureError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        console.print(Text(f"{file}: {reason}", style="red"))
        console.print(Text("    captures are written by: tagbridge watch BROKER --capture FILE"))
        return 2
    return _judged(report, console, as_json=as_json)


def _judged(report: Report, console: Console, *, as_json: bool) -> int:
    if as_json:
        show_json(report)
    else:
        show(report, console)
    return 0 if report.is_clean else 1


@dataclass(frozen=True, slots=True)
class _Sinks:
    """Where packets go besides the eyes: a report, a file."""

    report: Report | None
    file: TextIO | None

    def take(self, packet: Packet | None) -> None:
        """A packet, or None where some may be missing."""
        if self.file is not None:
            captures.write(self.file, packet)
        if self.report is None:
            return
        if packet is None:
            self.report.gap()
        else:
            self.report.packet(packet)


async def _watch(
    url: str,
    group: str | None,
    duration_s: float | None,
    console: Console,
    form: str,
    sinks: _Sinks,
) -> int:
    from simulators.host import SparkplugHost  # noqa: PLC0415 - simulators stand outside

    parts = urlsplit(url)
    lines = _Lines(console) if form == "lines" else None

    def packet(packet: Packet) -> None:
        sinks.take(packet)
        if lines is not None:
            lines.packet(packet)

    stop = stop_on_signals()
    async with SparkplugHost(
        parts.hostname or "",
        parts.port or DEFAULT_PORT,
        group=group,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        on_sample=lines.sample if lines else None,
        on_packet=packet,
        on_gap=lambda: sinks.take(captures.GAP),
    ) as host:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                if lines is not None:
                    await lines.follow(host, stop)
                elif form == "screen":
                    await _draw(host, url, console, stop)
                else:
                    await stop.wait()
        if form == "screen":
            console.print(render(host.view, _now_ms()))
    return 0 if host.connections else 1


async def _draw(host: SparkplugHost, url: str, console: Console, stop: asyncio.Event) -> None:
    shown = urlsplit(url)
    where = f"{shown.hostname}:{shown.port or DEFAULT_PORT}"
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            rows = max(console.height - _FRAME_LINES, 8)
            picture = render(host.view, _now_ms(), max_rows=rows)
            live.update(Group(_heading(host, where), Text(), picture), refresh=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FRAME_S):
                    await stop.wait()


def _heading(host: SparkplugHost, where: str) -> Text:
    if host.connected:
        text = Text("tagbridge watch ", style="bold").append(where, style="not bold green")
        return text.append("   Ctrl-C ends", style="not bold dim")
    problem = host.problem or f"broker {where}: connecting"
    return Text("tagbridge watch ", style="bold").append(
        f"{problem}; trying again", style="not bold red"
    )


class _Lines:
    """The plain form: one line for each value, death, violation, and turn of the connection."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: str | None = None
        self._violations = 0
        self._view: HostView | None = None

    def sample(self, sample: Sample) -> None:
        view = self._view
        where = (sample.group, sample.node, sample.device, sample.metric)
        metric = view.metric(*where) if view is not None else None
        value = value_text(sample.value, metric.datatype if metric is not None else 0).strip()
        unit = f" {metric.unit}" if metric is not None and metric.unit else ""
        path = "/".join(level for level in where[:3] if level is not None)
        kind = " birth" if sample.birth else (" historical" if sample.historical else "")
        self._print(
            f"{_clock(sample.timestamp_ms)} {path} {sample.metric} = {value}{unit} "
            f"{_quality(sample.quality)}{kind}"
        )

    def packet(self, packet: Packet) -> None:
        levels = packet.topic.split("/")
        if len(levels) > 3 and levels[2] in {"NDEATH", "DDEATH"}:
            path = "/".join((levels[1], *levels[3:]))
            self._print(f"{_clock(packet.time_ms)} {path} {levels[2]}")

    async def follow(self, host: SparkplugHost, stop: asyncio.Event) -> None:
        """Say what is not a value, until the end."""
        self._view = host.view
        while not stop.is_set():
            state = "connected" if host.connected else f"{host.problem}; trying again"
            if state != self._said:
                self._said = state
                self._print(f"{_clock(_now_ms())} {state}")
            for violation in host.view.violations[self._violations :]:
                self._print(f"violation {violation.topic}: {violation.what} ({violation.tck_id})")
            self._violations = len(host.view.violations)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FRAME_S):
                    await stop.wait()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _quality(code: int) -> str:
    return Quality(code).name if code in set(Quality) else f"quality {code}"


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{url!r} is no address of a broker: {error}; write mqtt://host or mqtt://host:1883"
    if parts.scheme != "mqtt" or not parts.hostname or port == 0:
        return f"{url!r} is no address of a broker: write mqtt://host or mqtt://host:1883"
    return None


def _group_fault(group: str | None) -> str | None:
    fault = id_fault(group) if group is not None else None
    return f"--group {group!r} is no group id: {fault}" if fault is not None else None


def _clock(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
