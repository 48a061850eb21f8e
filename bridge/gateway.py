"""The gateway: links, mapping, catalog, outboxes and edge nodes of one plant, wired together.

Values take one way: a link hands a batch to `Gateway.accept`, the mapper decides what of it is to
be published, and in the same synchronous step the catalog and every destination's outbox take it.
Nothing waits in between and nothing is queued, so a birth can never see half a step.

Two kinds of failure end here. A link's own failures never get this far (`bridge.link`). A fault in
what all share (mapper, catalog, outbox, session) stops the process: systemd starts it again, and
the outbox makes that harmless.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from bridge.clock import SystemClock
from bridge.diagnostics import Diagnostics
from bridge.link import supervise
from bridge.outbox.outbox import Incident, Limits, Outbox, PointKey
from bridge.sparkplug.edge_node import EdgeNode
from bridge.sparkplug.image import NODE, NodeImage
from bridge.sparkplug.naming import named
from bridge.state import StateFile
from drivers.driver import Device, Driver, Endpoint, Fresh, Identity
from drivers.tls import Tls
from mappings.batch import Batch
from mappings.catalog import Catalog
from mappings.mapper import Mapper
from mappings.plant.definitions import (
    Certificate,
    DestinationDefinition,
    LinkDefinition,
    Login,
    Plant,
)

_DUE_S = 0.25
_LEAVE_S = 2.0  # for deaths and DISCONNECT; with what follows it stays below five seconds

Secrets = Callable[[Login], tuple[str, str]]
"""Resolves a login's password reference."""

Identities = Callable[[Certificate], Identity]
"""Reads a client's certificate and resolves the reference of its key."""


class Destination:
    """One destination: its outbox and its edge node."""

    def __init__(self, definition: DestinationDefinition, outbox: Outbox, node: EdgeNode) -> None:
        self.definition = definition
        self.outbox = outbox
        self.node = node


class Gateway:
    """One running plant.

    ``run`` opens everything and returns after ``stop`` was set and all is closed, within five
    seconds whatever brokers and devices do.
    """

    def __init__(
        self,
        plant: Plant,
        drivers: Mapping[str, Driver],
        *,
        secrets: Secrets,
        identities: Identities | None = None,
        clock: SystemClock | None = None,
    ) -> None:
        self._plant = plant
        self._drivers = drivers
        self._secrets = secrets
        self._identities = identities
        self._clock = clock or SystemClock()
        self._log = structlog.stdlib.get_logger("gateway")
        self._diagnostics = Diagnostics(plant)
        metrics = {device.name: device.metrics for device in plant.devices}
        metrics[NODE] = self._diagnostics.metrics
        self._metrics = metrics
        self.catalog = Catalog((name, len(rows)) for name, rows in metrics.items())
        self._mapper = Mapper(metrics, self.catalog)
        self._up: set[str] = set()
        self._fault: asyncio.Future[None] | None = None
        self.destinations: list[Destination] = []

    # --- what links say ---------------------------------------------------------------------------

    def accept(self, batch: Batch) -> None:
        """Values arrived from a link."""
        try:
            for emitted in self._mapper.apply(batch, self._clock.now_ms()):
                self._emit(emitted)
        except Exception as error:  # noqa: BLE001  # the core's fault: ends `run`, not the link
            self._failed(error)

    def fresh(self, event: Fresh) -> None:
        """Points were read and have not changed."""
        try:
            back = self._mapper.fresh(event.device, event.points, self._clock.now_ms())
            if back is not None:
                self._emit(back)
        except Exception as error:  # noqa: BLE001  # as in accept
            self._failed(error)

    def device_up(self, device: str) -> None:
        """A device is complete: it may be born."""
        self._up.add(device)
        self._diagnostics.devices_up = len(self._up)
        for destination in self.destinations:
            destination.node.device_up(device)

    def device_down(self, device: str) -> None:
        """A device is lost: one BAD record for all its points, then its death."""
        self._up.discard(device)
        self._diagnostics.devices_up = len(self._up)
        try:
            lost = self._mapper.lost(device, self._clock.now_ms())
            if lost is not None:
                self._emit(lost)
        except Exception as error:  # noqa: BLE001  # as in accept
            self._failed(error)
        for destination in self.destinations:
            destination.node.device_down(device)

    def _emit(self, batch: Batch) -> None:
        """The one synchronous step: catalog and outboxes take a batch together."""
        if not batch.late:
            self.catalog.update(batch)
        shown = self._mapper.shown(batch)
        if shown is None:
            return
        for destination in self.destinations:
            destination.outbox.append(shown)

    def _failed(self, error: Exception) -> None:
        if self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)

    # --- life -------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Open outboxes, nodes and links; run until ``stop`` or a fault of the core, which raises.

        Order at the end: links, then deaths and DISCONNECT at every destination, then the outboxes.
        """
        self._fault = asyncio.get_running_loop().create_future()
        folder = Path(self._plant.outbox.folder)
        state = StateFile(folder / "state.json")
        if state.set_aside is not None:
            self._log.error(
                "state file damaged",
                set_aside=str(state.set_aside),
                effect="bdSeq begins at 0 and aliases are given anew; births tell both",
            )
        try:
            for definition in self._plant.destinations:
                await self._open(definition, folder, state)
            await self._serve(stop)
        finally:
            for destination in self.destinations:
                await destination.outbox.close()
                self._log.info(
                    "outbox closed",
                    destination=destination.definition.name,
                    buffered=destination.outbox.ledger.buffered,
                )

    async def _open(
        self, definition: DestinationDefinition, folder: Path, state: StateFile
    ) -> None:
        keys = {
            device: [PointKey(id=metric.id, datatype=metric.datatype) for metric in rows]
            for device, rows in self._metrics.items()
        }
        outbox = Outbox(
            folder / definition.name,
            keys,
            max_size=self._plant.outbox.max_size,
            limits=Limits(commit_interval_ms=self._plant.outbox.commit_interval_ms),
            strict=self._plant.outbox.strict,
            monotonic_ms=self._clock.monotonic_ms,
            report=self._report,
        )
        recovery = await outbox.open()
        self._log.info("outbox open", destination=definition.name, buffered=recovery.buffered)
        node = definition.edge_node
        aliases = None
        if definition.aliases:
            points = [(device, m.id) for device, rows in self._metrics.items() for m in rows]
            given = iter(state.aliases(f"{node.group}/{node.name}", points))
            aliases = {d: [next(given) for _ in rows] for d, rows in self._metrics.items()}
        image = NodeImage(
            node.group,
            node.name,
            named(definition.metric_names, self._metrics, self._plant.devices),
            aliases,
            self.catalog,
            null_if_bad=definition.bad_values == "null",
        )
        login = self._secrets(definition.login) if definition.login else None
        ca = definition.tls.ca
        tls = Tls(
            ca=Path(self._plant.file).parent / ca if ca else None,
            identity=self._identity(definition.certificate),
        )
        edge_node = EdgeNode(definition, image, outbox, state, self._clock, login, tls)
        self.destinations.append(Destination(definition, outbox, edge_node))

    def _identity(self, certificate: Certificate | None) -> Identity | None:
        if certificate is None:
            return None
        assert self._identities is not None, "a plant with certificates needs who reads them"
        return self._identities(certificate)

    async def _serve(self, stop: asyncio.Event) -> None:
        assert self._fault is not None
        nodes = [asyncio.create_task(d.node.run()) for d in self.destinations]
        links = [asyncio.create_task(self._link(link)) for link in self._plant.links]
        links += [asyncio.create_task(self._tick())]
        stopped = asyncio.create_task(stop.wait())
        everything: set[asyncio.Future[None] | asyncio.Task[bool]] = {
            *nodes, *links, stopped, self._fault,
        }  # fmt: skip
        try:
            done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()  # a fault of the core raises here
        finally:
            stopped.cancel()
            await _cancel(links, timeout_s=1.0)
            for destination in self.destinations:
                destination.node.leave(_LEAVE_S)
            await asyncio.wait(nodes, timeout=_LEAVE_S + 0.2)
            await _cancel(nodes, timeout_s=0.5)

    async def _link(self, definition: LinkDefinition) -> None:
        login = self._secrets(definition.login) if definition.login else None
        endpoint = Endpoint(
            name=definition.name,
            url=definition.endpoint,
            options=definition.options,
            devices=tuple(
                Device(name=device.name, options=device.options, tags=device.tags)
                for device in definition.devices
            ),
            login=login,
            identity=self._identity(definition.certificate),
            pki_folder=Path(self._plant.file).parent / self._plant.pki_folder,
            plant=self._plant.file,
        )
        await supervise(
            self._drivers[definition.driver],
            endpoint,
            self,
            now_ms=self._clock.now_ms,
            down_after_ms=definition.down_after_ms,
        )

    async def _tick(self) -> None:
        """What time alone owes: maximum silence, and the node's own health."""
        while True:
            await asyncio.sleep(_DUE_S)
            now_ms = self._clock.now_ms()
            for batch in self._mapper.due(self._up, now_ms):
                self._emit(batch)
            outboxes = [destination.outbox for destination in self.destinations]
            health = self._diagnostics.sample(outboxes, now_ms)
            if health is not None:
                self.accept(health)

    def _report(self, incident: Incident) -> None:
        self._log.error(
            "outbox", code=incident.code, what=incident.what, where=incident.where,
            remedy=incident.remedy,
        )  # fmt: skip


async def _cancel(tasks: list[asyncio.Task[None]], *, timeout_s: float) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_s)
