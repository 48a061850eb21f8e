"""``tagbridge check --metrics`` and ``--requests``: what will run, before it does.

The metrics as they are after expansion of patterns, templates and tables, and the requests of
every link that polls, with the load of wires whose speed is known. As tables for people, as JSON
lines for programs; the JSON of the metrics is also what `migrate` compares.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drivers.driver import Driver
from mappings.datatypes import DataType
from mappings.plant.definitions import DeviceDefinition, LinkDefinition, Plant
from mappings.plant.grammar import PlannedRequest, WithRequests
from mappings.plant.scalars import duration_text
from mappings.tags import Device, Metric, Tag

_BUSY, _FULL = 0.6, 1.0  # of the time of a wire: worth a look, more than it has


def metric_lines(plant: Plant) -> Iterator[dict[str, object]]:
    """Every metric as plain values: what it is, where it comes from, how it is treated."""
    for link in plant.links:
        for device in link.devices:
            for tag, metric in zip(device.tags, device.metrics, strict=True):
                yield _metric(link, device, tag, metric)


def _metric(
    link: LinkDefinition, device: DeviceDefinition, tag: Tag, metric: Metric
) -> dict[str, object]:
    line: dict[str, object] = {
        "device": device.name, "metric": metric.name, "id": metric.id, "link": link.name,
        "address": tag.address, "element": tag.element, "type": tag.wire_type, "array": tag.array,
        "order": tag.order, "scan_ms": tag.scan_ms, "metric_type": type_name(metric.datatype),
        "unit": metric.unit.text, "scale": str(metric.scale), "offset": str(metric.offset),
        "low": metric.low, "high": metric.high, "clamp": metric.clamp, "invert": metric.invert,
        "enum": dict(metric.enum), "deadband": metric.deadband,
        "max_silence_ms": metric.max_silence_ms, "min_interval_ms": metric.min_interval_ms,
        "stale_after_ms": metric.stale_after_ms, "class": metric.importance,
        "access": metric.access, "published": metric.published,
        "description": metric.description, "properties": metric.properties,
    }  # fmt: skip
    return {key: value for key, value in line.items() if value not in ("", None, {}, False)}


def type_name(datatype: DataType) -> str:
    """Sparkplug's name of a type: ``UInt16``, ``FloatArray``."""
    name = "".join(word.title() for word in datatype.name.split("_"))
    for seen, right in (("Uint", "UInt"), ("Datetime", "DateTime"), ("Uuid", "UUID")):
        name = name.replace(seen, right)
    return name


def show_metrics(plant: Plant, *, as_json: bool) -> None:
    """Print every metric of a plant."""
    if as_json:
        for line in metric_lines(plant):
            print(json.dumps(line, ensure_ascii=False))
        return
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("metric", "address", "type", "metric type", "unit", "range", "scan", ""):
        whole = column in {"metric", "address", "type", "metric type", "range"}
        table.add_column(column, overflow="fold", no_wrap=whole)
    for link in plant.links:
        for device in link.devices:
            table.add_row(Text(device.name, style="bold"), Text(link.name, style="dim"))
            for tag, metric in zip(device.tags, device.metrics, strict=True):
                table.add_row(*(Text(cell) for cell in _cells(tag, metric)))
    console.print(table)
    every = [metric for device in plant.devices for metric in device.metrics]
    published = sum(metric.published for metric in every)
    writable = sum(metric.writable for metric in every)
    critical = sum(metric.importance == "critical" for metric in every)
    parts = [f"{published} metrics published"]
    parts += [f"{n} {word}" for n, word in ((writable, "writable"), (critical, "critical")) if n]
    if len(every) > published:
        parts.append(f"{len(every) - published} read for others only")
    console.print(Text(", ".join(parts)))


def _cells(tag: Tag, metric: Metric) -> tuple[str, ...]:
    address = f"{tag.address} {tag.element}".strip()
    wire = tag.wire_type + ("[]" if tag.array else "") + (f" {tag.order}" if tag.order else "")
    limits = "" if metric.low is None else f"{metric.low:g} to {metric.high:g}"
    notes = [
        note
        for note, there in (
            (metric.access, metric.writable),
            ("not published", not metric.published),
            (metric.importance, metric.importance != "routine"),
            (f"± {metric.deadband:g}", bool(metric.deadband)),
            ("|".join(text for _, text in metric.enum), bool(metric.enum)),
        )
        if there
    ]
    return (
        f"  {metric.name}", address, wire, type_name(metric.datatype), metric.unit.text, limits,
        duration_text(tag.scan_ms), ", ".join(notes),
    )  # fmt: skip


def show_requests(plant: Plant, drivers: Mapping[str, Driver], *, as_json: bool) -> None:
    """Print the requests of all links that poll."""
    console = Console(highlight=False)
    for link in plant.links:
        driver = drivers[link.driver]
        if not isinstance(driver, WithRequests):
            if not as_json:
                said = f"{link.name}: {link.driver} is not asked row by row, its server reports"
                console.print(Text(said, style="dim"))
            continue
        devices = [Device(name=d.name, options=d.options, tags=d.tags) for d in link.devices]
        requests = driver.requests(link.endpoint, devices, link.options)
        if as_json:
            for request in requests:
                print(json.dumps(_as_json(link.name, request), ensure_ascii=False))
        else:
            _print_requests(console, link, requests)


def _as_json(link: str, request: PlannedRequest) -> dict[str, object]:
    return {
        "link": link, "device": request.device, "scan_ms": request.scan_ms, "what": request.what,
        "tags": list(request.tags), "why": request.why, "wire_ms": request.wire_ms,
    }  # fmt: skip


def load_of(requests: Iterable[PlannedRequest]) -> float | None:
    """The share of its time that a wire is busy; None where nobody can say."""
    shares = [
        None if request.wire_ms is None else request.wire_ms / request.scan_ms
        for request in requests
    ]
    known = [share for share in shares if share is not None]
    return sum(known) if known and len(known) == len(shares) else None


def _print_requests(console: Console, link: LinkDefinition, requests: list[PlannedRequest]) -> None:
    table = Table(
        title=f"{link.name}  {link.endpoint}", title_justify="left", box=None, pad_edge=False,
        padding=(0, 2, 0, 0), header_style="dim",
    )  # fmt: skip
    for column in ("device", "every", "request", "rows", "on the wire", "why"):
        justify = "right" if column in {"every", "rows", "on the wire"} else "left"
        table.add_column(column, overflow="fold", justify=justify)  # type: ignore[arg-type]
    for request in requests:
        wire = "" if request.wire_ms is None else f"{request.wire_ms:.1f} ms"
        cells = (
            request.device, duration_text(request.scan_ms), request.what, str(len(request.tags)),
            wire, request.why,
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    per_second = sum(1000 / request.scan_ms for request in requests)
    said = Text(f"{len(requests)} requests, {per_second:.1f} a second")
    load = load_of(requests)
    if load is not None:
        style = "bold red" if load > _FULL else "yellow" if load > _BUSY else "green"
        said.append(f", the wire is {load:.0%} busy", style=style)
        if load > _FULL:
            said.append(": more than it has; slow down a scan, or use a second wire", style=style)
    console.print(said, soft_wrap=True)
