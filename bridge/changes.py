"""What an edit of the plant means: two plants compared, before anything is touched; pure.

`compare` is what ``tagbridge plan`` shows and what a reload carries out, so that the two cannot
disagree. A metric is the same as before if its ``id`` is, whatever its name; a point is read from
the same source if its tag is the same but for its name and pace.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace

from bridge.commands.permits import takes_writes
from bridge.diagnostics import node_rows
from bridge.sparkplug.image import tell_alike
from bridge.sparkplug.machines import machines_of
from bridge.sparkplug.naming import named
from mappings.plant.definitions import (
    DestinationDefinition,
    DeviceDefinition,
    LinkDefinition,
    Plant,
)
from mappings.tags import Metric, Tag

# What is said otherwise.
_OF_TAGS = frozenset({"name", "access"})
_OF_METRICS = frozenset({"id", "name", "datatype", "raw", "scale_point", "part"})
_NOT_LIVE = {
    "folder": "outbox: folder", "max_size": "outbox: max_size", "strict": "outbox: strict",
    "commit_interval_ms": "outbox: commit_interval",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is other than before.

    ``what`` is ``metric``, ``device``, ``link`` or ``destination``, ``name`` its name (of a metric
    ``DEVICE/METRIC``). ``kind`` is ``added``, ``removed`` or ``changed``; of a metric also
    ``renamed`` and ``retyped``, of a device ``reborn``, of a link ``reopened``, of a destination
    ``reconnected``. ``why`` says more, for people.
    """

    what: str
    name: str
    kind: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that is other than before. ``restart`` names what only a restart can change."""

    links: tuple[Change, ...] = ()
    devices: tuple[Change, ...] = ()
    metrics: tuple[Change, ...] = ()
    destinations: tuple[Change, ...] = ()
    restart: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter((*self.links, *self.devices, *self.metrics, *self.destinations))

    def __bool__(self) -> bool:
        return any(True for _ in self) or bool(self.restart)


def compare(before: Plant, after: Plant) -> Changes:
    """What ``after`` changes."""
    return Changes(
        links=tuple(_links(before, after)),
        devices=tuple(_devices(before, after)),
        metrics=tuple(_metrics(before, after)),
        destinations=tuple(_destinations(before, after)),
        restart=tuple(
            f"{word}: {_text(old)} → {_text(new)}"
            for key, word in _NOT_LIVE.items()
            if (old := getattr(before.outbox, key)) != (new := getattr(after.outbox, key))
        ),
    )


# --- sources --------------------------------------------------------------------------------------


def source(tag: Tag) -> Tag:
    """A tag as far as it says what is read, not how often or for which name."""
    return replace(tag, name="", scan_ms=0)


def same_sources(before: Sequence[Tag], after: Sequence[Tag]) -> Mapping[int, int]:
    """The points of now, by those of before, that are read from the same source."""
    if before == after:
        return {point: point for point in range(len(before))}
    free: dict[Tag, list[int]] = {}
    for point, tag in enumerate(after):
        free.setdefault(source(tag), []).append(point)
    same: dict[int, int] = {}
    for was, tag in enumerate(before):
        points = free.get(source(tag))
        if points:
            # Rows that read one source twice stay in their places.
            point = was if was in points else points[0]
            points.remove(point)
            same[was] = point
    return same


# --- links ----------------------------------------------------------------------------------------


def _links(before: Plant, after: Plant) -> Iterator[Change]:
    old = {link.name: link for link in before.links}
    pki = before.pki_folder != after.pki_folder
    for link in after.links:
        was = old.pop(link.name, None)
        if was is None:
            yield Change(what="link", name=link.name, kind="added", why=link.endpoint)
        elif reasons := [*_reopens(was, link), *(["pki_folder"] if pki else [])]:
            yield Change(what="link", name=link.name, kind="reopened", why=", ".join(reasons))
    for name, link in old.items():
        yield Change(what="link", name=name, kind="removed", why=link.endpoint)


def _reopens(before: LinkDefinition, after: LinkDefinition) -> Iterator[str]:
    for key in ("driver", "endpoint", "options", "login", "certificate", "down_after_ms"):
        old, new = getattr(before, key), getattr(after, key)
        if old != new:
            word = key.removesuffix("_ms")
            yield f"{word}: {old} → {new}" if isinstance(old, str) else word
    devices = {device.name: device for device in after.devices}
    for device in before.devices:
        now = devices.pop(device.name, None)
        if now is None:
            yield f"{device.name} is gone"
        elif now.options != device.options:
            yield f"{device.name}: other options"
        elif now.tags != device.tags and _nameless(now.tags) != _nameless(device.tags):
            yield f"{device.name}: other rows to read"
    yield from (f"{name} is new" for name in devices)


def _nameless(tags: Iterable[Tag]) -> list[Tag]:
    return [replace(tag, name="") for tag in tags]


# --- devices and metrics --------------------------------------------------------------------------


def _devices(before: Plant, after: Plant) -> Iterator[Change]:
    old = {device.name for device in before.devices}
    for device in after.devices:
        if device.name not in old:
            yield Change(
                what="device", name=device.name, kind="added", why=f"{len(device.metrics)} metrics"
            )
    for name in sorted(reborn(before, after)):
        yield Change(what="device", name=name, kind="reborn", why="its birth tells something else")
    new = {device.name for device in after.devices}
    for device in before.devices:
        if device.name not in new:
            yield Change(what="device", name=device.name, kind="removed", why="DDEATH")


def reborn(before: Plant, after: Plant) -> frozenset[str]:
    """Devices of both whose birth tells something else, at any destination of both."""
    found: set[str] = set()
    destinations = {destination.name: destination for destination in before.destinations}
    for destination in after.destinations:
        was = destinations.get(destination.name)
        if was is None:
            continue
        shown_before, shown_after = _shown(before, was), _shown(after, destination)
        udt = destination.templates == "udt"
        found.update(
            name
            for name, rows in shown_after.items()
            if name in shown_before and not tell_alike(shown_before[name], rows, templates=udt)
        )
    return frozenset(found)


def _shown(plant: Plant, destination: DestinationDefinition) -> Mapping[str, Sequence[Metric]]:
    """The metrics of all devices as a destination names them."""
    metrics = {device.name: device.metrics for device in plant.devices}
    return named(destination.metric_names, metrics, plant.devices)


def _metrics(before: Plant, after: Plant) -> Iterator[Change]:
    links = {device.name: link for link in before.links for device in link.devices}
    old = {device.name: device for device in before.devices}
    for link in after.links:
        for device in link.devices:
            if device.name in old:
                # By default a link's patience decides when a metric is stale: said there.
                derived = link.options != links[device.name].options
                passed = _OF_METRICS | ({"stale_after_ms"} if derived else set())
                yield from _rows(old[device.name], device, passed)


def _rows(
    before: DeviceDefinition, after: DeviceDefinition, passed: AbstractSet[str]
) -> Iterator[Change]:
    added: dict[Tag, str] = {}
    rows = zip(before.tags, before.metrics, strict=True)
    old = {metric.id: (tag, metric) for tag, metric in rows}
    for tag, metric in zip(after.tags, after.metrics, strict=True):
        if (tag, metric) == old.get(metric.id) and metric.scale_point is None:
            del old[metric.id]
            continue
        name = f"{after.name}/{metric.name}"
        if metric.id not in old:
            added[source(tag)] = metric.name
            address = f"{tag.address} {tag.element}".strip()
            yield Change(what="metric", name=name, kind="added", why=address)
            continue
        old_tag, old_metric = old.pop(metric.id)
        kind, said = _kind(old_metric, metric)
        said += _differs(old_tag, tag, _OF_TAGS)
        said += _differs(old_metric, metric, passed)
        factors = _factor(before, old_metric), _factor(after, metric)
        if factors[0] != factors[1]:
            said.append("scale by {} → {}".format(*map(_text, factors)))
        if said:
            why = ", ".join(said)
            yield Change(what="metric", name=name, kind=kind, why=why)
    for tag, metric in old.values():
        why = "what is buffered of it is discarded"
        if now := added.get(source(tag)):
            why += f"; if {now!r} is its new name, write there id: {metric.id}"
        name = f"{before.name}/{metric.name}"
        yield Change(what="metric", name=name, kind="removed", why=why)


def _kind(old: Metric, metric: Metric) -> tuple[str, list[str]]:
    """What kind of change it is, should there be any, and the words for it."""
    kind, said = "changed", []
    if old.name != metric.name:
        kind = "renamed"
        said.append(f"was {old.name}")
    if old.datatype != metric.datatype:
        kind = "retyped"
        said.append(f"{old.datatype.name} → {metric.datatype.name}")
    return kind, said


def _differs(old: Tag | Metric, new: Tag | Metric, passed: AbstractSet[str]) -> list[str]:
    names = [field.name for field in fields(new) if field.name not in passed]
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in names]
    return [
        f"{name.removesuffix('_ms')} {_text(was)} → {_text(now)}"
        for name, was, now in pairs
        if was != now
    ]


def _factor(device: DeviceDefinition, metric: Metric) -> str | None:
    """The id of the row that scales a metric; its place is moved by other rows."""
    return None if metric.scale_point is None else device.metrics[metric.scale_point].id


def _text(value: object) -> str:
    if isinstance(value, tuple | dict | frozenset):
        return "…"
    text = getattr(value, "text", value)
    return "none" if text in (None, "") else str(text)


# --- destinations ---------------------------------------------------------------------------------


def _destinations(before: Plant, after: Plant) -> Iterator[Change]:
    old = {destination.name: destination for destination in before.destinations}
    told_else = node_rows(before) != node_rows(after)
    for destination in after.destinations:
        was = old.pop(destination.name, None)
        servers = ", ".join(destination.servers)
        if was is None:
            yield Change(what="destination", name=destination.name, kind="added", why=servers)
            continue
        words = [
            field.name
            for field in fields(DestinationDefinition)
            if field.name != "metric_names"
            and getattr(was, field.name) != getattr(destination, field.name)
        ]
        if takes_writes(before, was.name) != takes_writes(after, destination.name):
            words.append("commands")
        if destination.templates == was.templates == "udt":
            old_definitions, _ = machines_of(_shown(before, was))
            if old_definitions != machines_of(_shown(after, destination))[0]:
                words.append("definitions of templates")
        if words or told_else:
            why = ", ".join(words) or "the node's own metrics"
            yield Change(what="destination", name=destination.name, kind="reconnected", why=why)
    for name in old:
        yield Change(
            what="destination", name=name, kind="removed", why="its outbox stays on the disk"
        )
