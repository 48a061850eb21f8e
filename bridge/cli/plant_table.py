"""A host's picture of the plant as a table: nodes, devices, metrics, and the rules they break.

A pure function of the picture and the time, drawn by ``tagbridge watch`` and ``tagbridge demo``.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.sparkplug.topics import BD_SEQ
from mappings.datatypes import ARRAYS, DataType, element_of
from mappings.quality import BAD, GOOD, STALE

if TYPE_CHECKING:
    from simulators.host_values import HostValue
    from simulators.host_view import DeviceView, HostView, MetricView, NodeView

_QUALITIES = {GOOD: ("Good", "green"), BAD: ("Bad", "bold red"), STALE: ("Stale", "yellow")}
_TEXT_WIDTH = 24
_ELEMENT_OF = {int(array): int(element_of(array)) for array in ARRAYS}
_FRACTION = "    "  # as wide as ".123", so that whole numbers stand above the others' whole part
_VIOLATIONS_SHOWN = 3
_OF_THE_PROTOCOL = "Node Control/"


def render(view: HostView, now_ms: int, *, max_rows: int = 30) -> RenderableType:
    """The picture at a time, with about ``max_rows`` rows for devices and metrics."""
    if not view.nodes:
        return Group(Text("No Sparkplug node has spoken yet.", style="dim"), _rules(view))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("device and metric", no_wrap=True, overflow="ellipsis", ratio=3, min_width=16)
    table.add_column("value", justify="right", no_wrap=True, min_width=12)
    table.add_column("unit", no_wrap=True, overflow="ellipsis", max_width=12)
    table.add_column("quality", no_wrap=True, min_width=7)
    table.add_column("age", justify="right", no_wrap=True, min_width=6)
    table.add_column("rate", justify="right", no_wrap=True, min_width=6)
    table.add_column("historical", justify="right", no_wrap=True)
    devices = [
        (node, device)
        for _, node in sorted(view.nodes.items())
        for device in sorted(node.devices.values(), key=lambda d: (d.name is None, d.name or ""))
        if device.name is not None or _shown(device)
    ]
    shares = _shares([len(_shown(device)) for _, device in devices], max_rows - len(devices))
    drawn: NodeView | None = None
    for (node, device), share in zip(devices, shares, strict=True):
        if node is not drawn:
            table.add_row(_node_line(node, now_ms))
            drawn = node
        _device_rows(table, node, device, share, now_ms)
    for _, node in sorted(view.nodes.items()):
        if not any(node is other for other, _ in devices):
            table.add_row(_node_line(node, now_ms))
    return Group(table, Text(), _summary(view, now_ms), _rules(view))


def _device_rows(table: Table, node: NodeView, device: DeviceView, share: int, now_ms: int) -> None:
    online = node.online and device.online
    metrics = _shown(device)
    name = Text("  ").append("● ", style="green" if online else "red")
    name.append(device.name or "the node itself", style="bold" if device.name else "italic")
    state = Text() if online else Text("offline", style="red")
    rate = Text(f"{device.rate(now_ms):,.1f}/s", style="" if online else "dim")
    table.add_row(name, Text(), Text(), state, Text(), rate)
    for metric in metrics[:share]:
        table.add_row(*_metric_row(metric, now_ms, online=online))
    rest = metrics[share:]
    if rest:
        doubtful = sum(metric.quality != GOOD for metric in rest)
        more = f"      … and {len(rest)} more" + (f", {doubtful} not Good" if doubtful else "")
        table.add_row(Text(more, style="yellow" if doubtful else "dim"))


def _metric_row(metric: MetricView, now_ms: int, *, online: bool) -> tuple[Text, ...]:
    word, style = _QUALITIES.get(metric.quality, (str(metric.quality), "magenta"))
    if not online and metric.quality == GOOD:
        word, style = _QUALITIES[STALE]
    faint = "" if online else "dim"
    history = Text(f"{metric.historical:,}" if metric.historical else "", style="cyan")
    return (
        Text(f"      {metric.name}", style=faint),
        Text(value_text(metric.value, metric.datatype), style=faint),
        Text(metric.unit, style=faint or "cyan"),
        Text(word, style=style),
        Text(age_text(now_ms - metric.timestamp_ms), style=faint),
        Text(),
        history,
    )


def _node_line(node: NodeView, now_ms: int) -> Text:
    light = "green" if node.online else ("red" if node.births else "yellow")
    line = Text().append("● ", style=light)
    line.append(f"{node.group} / {node.name}", style="bold")
    if not node.births:
        line.append("  births missing, asked for", style="yellow")
    elif not node.online:
        line.append(f"  dead, last heard {age_text(now_ms - node.heard_ms)} ago", style="red")
    else:
        line.append(f"  session {node.bd_seq}", style="dim")
    return line


def _summary(view: HostView, now_ms: int) -> Text:
    devices = [device for node in view.nodes.values() for device in node.devices.values()]
    named = [device for device in devices if device.name is not None]
    online = sum(node.online for node in view.nodes.values())
    alive = sum(device.online for device in named)
    metrics = sum(len(_shown(device)) for device in devices)
    rate = sum(device.rate(now_ms) for device in devices)
    undecoded = sum(node.undecoded for node in view.nodes.values())
    parts = [
        f"{online}/{len(view.nodes)} nodes and {alive}/{len(named)} devices online",
        f"{metrics} metrics",
        f"{rate:,.1f} values/s",
        f"{view.values:,} values received, {view.historical:,} of them historical",
    ]
    if undecoded:
        parts.append(f"{undecoded:,} came before their births")
    return Text(" · ".join(parts), style="dim")


def _rules(view: HostView) -> Text:
    if not view.violation_count:
        return Text("✓ no rule of Sparkplug 3.0 broken", style="green")
    count = view.violation_count
    text = Text(f"✗ {count} violation{'s'[: count > 1]} of Sparkplug 3.0", style="bold red")
    for violation in view.violations[-_VIOLATIONS_SHOWN:]:
        text.append(f"\n  {violation.topic}: {violation.what} ", style="not bold red")
        text.append(f"({violation.tck_id})", style="not bold dim")
    return text


def _shown(device: DeviceView) -> list[MetricView]:
    """The metrics that people want to see, in the order of the birth."""
    return [
        metric
        for metric in device.metrics.values()
        if metric.name != BD_SEQ and not metric.name.startswith(_OF_THE_PROTOCOL)
    ]


def _shares(wanted: list[int], rows: int) -> list[int]:
    """Rows for each device: all where they fit, else the small ones whole, the large ones alike."""
    shares = [0] * len(wanted)
    left = max(rows, len(wanted))
    open_devices = [n for n, want in enumerate(wanted) if want]
    while open_devices and left >= len(open_devices):
        each = left // len(open_devices)
        for n in open_devices:
            given = min(each, wanted[n] - shares[n])
            shares[n] += given
            left -= given
        open_devices = [n for n in open_devices if shares[n] < wanted[n]]
    return shares


def value_text(value: HostValue, datatype: int) -> str:
    """A value for a right-aligned column: decimal points stand below each other."""
    if value is None:
        return "none" + _FRACTION
    if isinstance(value, bool):
        return ("true" if value else "false") + _FRACTION
    if isinstance(value, int):
        if datatype == DataType.DATETIME:
            return _time_text(value)
        return f"{value}{_FRACTION}"
    if isinstance(value, float):
        if not math.isfinite(value) or value == 0:
            return f"{value:.3f}"
        return f"{value:.3f}" if 1e-3 <= abs(value) < 1e9 else f"{value:.4e}"
    if isinstance(value, tuple):
        shown = ", ".join(
            value_text(element, _ELEMENT_OF.get(datatype, datatype)).strip() for element in value
        )
        return (shown if len(shown) <= _TEXT_WIDTH else f"{len(value)} values") + _FRACTION
    if isinstance(value, bytes):
        return f"{len(value)} bytes{_FRACTION}"
    shown = value if len(value) <= _TEXT_WIDTH else value[: _TEXT_WIDTH - 1] + "…"
    return "".join(c if c.isprintable() else "·" for c in shown) + _FRACTION


def age_text(age_ms: int) -> str:
    """An age as people say it: 0.4 s, 12 s, 3 min, 5 h, 2 d."""
    if age_ms < -1000:
        return f"in {age_text(-age_ms)}"
    seconds = max(age_ms, 0) / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for unit, size, limit in (("s", 1, 100), ("min", 60, 6000), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _time_text(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
