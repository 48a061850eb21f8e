"""One destination of a running plant: its outbox, and the edge node that empties it.

The outbox is opened once and stays, whatever happens to the edge node: a destination with another
server or another login gets another node over the same outbox.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bridge.clock import SystemClock
from bridge.commands.commander import Commander
from bridge.commands.desk import Desk
from bridge.commands.permits import takes_writes
from bridge.diagnostics import rows_of
from bridge.outbox.outbox import Incident, Limits, Outbox, PointKey
from bridge.sparkplug.edge_node import EdgeNode
from bridge.sparkplug.image import NodeImage
from bridge.sparkplug.naming import named
from bridge.state import StateFile
from drivers.tls import Tls
from mappings.catalog import Catalog
from mappings.plant.definitions import DestinationDefinition, Plant
from mappings.tags import Metric

LEAVE_S = 2.0
"""For deaths and DISCONNECT; with what follows it stays below five seconds."""

Broker = tuple[tuple[str, str] | None, Tls]
"""Login and TLS of a destination's brokers, as `bridge.access` resolves them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commons:
    """What all destinations share. ``failed`` takes a fault of the core."""

    state: StateFile
    catalog: Catalog
    clock: SystemClock
    failed: Callable[[BaseException], None]
    commander: Commander


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one destination shows of a plant: metrics by device, their aliases, their keys.

    ``takes_writes`` says that its hosts may write something.
    """

    metrics: Mapping[str, Sequence[Metric]]
    aliases: Mapping[str, Sequence[int]] | None
    keys: Mapping[str, Sequence[PointKey]]
    takes_writes: bool = False


class Destination:
    """A destination; made by `open`, speaks from `start` to `leave`, which may be repeated."""

    def __init__(
        self, definition: DestinationDefinition, outbox: Outbox, shown: Shown, commons: Commons
    ) -> None:
        self.definition = definition
        self.outbox = outbox
        self._shown = shown
        self._commons = commons
        self.broker: Broker = (None, Tls())
        self._image: NodeImage | None = None
        self.node: EdgeNode | None = None
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, definition: DestinationDefinition, plant: Plant, commons: Commons
    ) -> "Destination":
        """Open its outbox.

        Raises `bridge.outbox.outbox.OutboxLocked`, `bridge.state.StateError` or OSError.
        """
        shown = shown_of(definition, plant, commons.state)
        log = structlog.stdlib.get_logger("gateway").bind(destination=definition.name)

        def report(incident: Incident) -> None:
            log.error(
                "outbox", code=incident.code, what=incident.what, where=incident.where,
                remedy=incident.remedy,
            )  # fmt: skip

        outbox = Outbox(
            Path(plant.outbox.folder) / definition.name,
            shown.keys,
            max_size=plant.outbox.max_size,
            limits=Limits(commit_interval_ms=plant.outbox.commit_interval_ms),
            strict=plant.outbox.strict,
            monotonic_ms=commons.clock.monotonic_ms,
            report=report,
        )
        recovery = await outbox.open()
        log.info("outbox open", buffered=recovery.buffered)
        return cls(definition, outbox, shown, commons)

    def start(self, broker: Broker, up: Iterable[str]) -> None:
        """Let an edge node speak; ``up`` are the devices that are."""
        definition, commons = self.definition, self._commons
        node = definition.edge_node
        self._image = NodeImage(
            node.group,
            node.name,
            self._shown.metrics,
            self._shown.aliases,
            commons.catalog,
            null_if_bad=definition.bad_values == "null",
            walks=len(definition.servers) > 1,
            templates=definition.templates == "udt",
        )
        self.broker = broker
        login, tls = broker
        self.node = EdgeNode(
            definition, self._image, self.outbox, commons.state, commons.clock, login, tls,
            commands=Desk(definition.name, self._image, commons.commander),
            takes_writes=self._shown.takes_writes,
        )  # fmt: skip
        for device in up:
            self.node.device_up(device)
        self._task = asyncio.create_task(self.node.run(), name=f"destination {definition.name}")
        self._task.add_done_callback(self._ended)

    def renew(self, shown: Shown) -> None:
        """Take over what a changed plant shows, in the same step as mapper and catalog."""
        self._shown = shown
        self.outbox.rekey(shown.keys)
        if self._image is not None and self.node is not None:
            self.node.renewed(self._image.renew(shown.metrics, shown.aliases))

    def device_up(self, device: str) -> None:
        """The device is to be born."""
        if self.node is not None:
            self.node.device_up(device)

    def device_down(self, device: str) -> None:
        """The device is to be buried, after what it has said so far."""
        if self.node is not None:
            self.node.device_down(device)

    async def leave(self) -> None:
        """Deaths and DISCONNECT, within a bounded time whatever the broker does."""
        if self.node is None or self._task is None:
            return
        self.node.leave(LEAVE_S)
        await asyncio.wait([self._task], timeout=LEAVE_S + 0.2)
        self._task.cancel()
        await asyncio.wait([self._task], timeout=0.5)
        self.node = self._image = self._task = None

    async def close(self) -> None:
        """Close the outbox."""
        await self.outbox.close()
        structlog.stdlib.get_logger("gateway").info(
            "outbox closed",
            destination=self.definition.name,
            buffered=self.outbox.ledger.buffered,
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._commons.failed(error)


def shown_of(definition: DestinationDefinition, plant: Plant, state: StateFile) -> Shown:
    """What a destination shows of a plant; new aliases are on disk when this returns.

    Raises `bridge.state.StateError` if they cannot be.
    """
    rows = rows_of(plant)
    metrics = named(definition.metric_names, rows, plant.devices)
    node = definition.edge_node
    aliases = None
    if definition.aliases:
        points = [(device, metric.id) for device in rows for metric in rows[device]]
        given = iter(state.aliases(f"{node.group}/{node.name}", points))
        aliases = {device: [next(given) for _ in rows[device]] for device in rows}
    keys = {
        device: [PointKey(id=metric.id, datatype=metric.datatype) for metric in rows[device]]
        for device in rows
    }
    writes = takes_writes(plant, definition.name)
    return Shown(metrics=metrics, aliases=aliases, keys=keys, takes_writes=writes)
