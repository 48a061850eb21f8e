"""The gateway: links, mapping, catalog, outboxes and edge nodes of one plant, wired together.

Values take one way: a link hands a batch to `Gateway.accept`, the mapper decides what of it is to
be published, and in the same synchronous step the catalog and every destination's outbox take it.
Nothing waits in between and nothing is queued, so a birth can never see half a step. A changed
plant is taken over in such a step, too: no batch is ever seen with the points of another plant.

Two kinds of failure end here. A link's own failures never get this far (`bridge.link`). A fault in
what all share (mapper, catalog, outbox, session) stops the process: systemd starts it again, and
the outbox makes that harmless.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from bridge.access import Access
from bridge.changes import Change, Changes, compare, rows_of, same_sources
from bridge.clock import SystemClock
from bridge.destination import Broker, Commons, Destination, Shown, shown_of
from bridge.diagnostics import Diagnostics
from bridge.links import Links
from bridge.sparkplug.image import NODE
from bridge.state import StateFile
from drivers.driver import Driver, Endpoint, Fresh
from mappings.batch import Batch
from mappings.catalog import Catalog
from mappings.mapper import Mapper
from mappings.plant.definitions import DeviceDefinition, Plant

_DUE_S = 0.25


class RestartNeededError(Exception):
    """A changed plant cannot be taken over while the gateway runs; ``changes`` says why."""

    def __init__(self, changes: Changes) -> None:
        super().__init__("; ".join(changes.restart))
        self.changes = changes


@asynccontextmanager
async def _nothing_beside() -> AsyncIterator[None]:
    yield


class Gateway:
    """One running plant.

    ``run`` opens everything and returns after ``stop`` was set and all is closed, within five
    seconds whatever brokers and devices do. `reload` takes over a changed plant meanwhile.
    """

    def __init__(
        self,
        plant: Plant,
        drivers: Mapping[str, Driver],
        access: Access,
        *,
        clock: SystemClock | None = None,
    ) -> None:
        self.plant = plant
        self._access = access
        self._clock = clock or SystemClock()
        self._log = structlog.stdlib.get_logger("gateway")
        self._diagnostics = Diagnostics(plant)
        rows = rows_of(plant)
        self.catalog = Catalog((name, len(metrics)) for name, metrics in rows.items())
        self._mapper = Mapper(rows, self.catalog)
        self._fault: asyncio.Future[None] | None = None
        self._commons: Commons | None = None
        self._reloading = asyncio.Lock()
        self._reload: asyncio.Task[Changes] | None = None  # held, or it would be collected
        self.started_ms = self.reloaded_ms = 0
        """When it began to run, and when its plant was taken over last; milliseconds since 1970."""
        self.up: set[str] = set()
        """Devices that are up."""
        self.links = Links(drivers, self, self._clock, self._failed)
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
        self.up.add(device)
        self._diagnostics.devices_up = len(self.up)
        for destination in self.destinations:
            destination.device_up(device)

    def device_down(self, device: str) -> None:
        """A device is lost: one BAD record for all its points, then its death."""
        self.up.discard(device)
        self._diagnostics.devices_up = len(self.up)
        try:
            lost = self._mapper.lost(device, self._clock.now_ms())
            if lost is not None:
                self._emit(lost)
        except Exception as error:  # noqa: BLE001  # as in accept
            self._failed(error)
        for destination in self.destinations:
            destination.device_down(device)

    def _emit(self, batch: Batch) -> None:
        """The one synchronous step: catalog and outboxes take a batch together."""
        if not batch.late:
            self.catalog.update(batch)
        shown = self._mapper.shown(batch)
        if shown is None:
            return
        for destination in self.destinations:
            destination.outbox.append(shown)

    def _failed(self, error: BaseException) -> None:
        if self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)

    # --- life -------------------------------------------------------------------------------------

    async def run(
        self,
        stop: asyncio.Event,
        beside: Callable[[], AbstractAsyncContextManager[None]] = _nothing_beside,
    ) -> None:
        """Open outboxes, nodes and links; run until ``stop`` or a fault of the core, which raises.

        ``beside`` is entered when the outboxes are open, and so nobody else has this plant.
        Order at the end: links, then deaths and DISCONNECT at every destination, then the outboxes.
        """
        self._fault = asyncio.get_running_loop().create_future()
        self.started_ms = self.reloaded_ms = self._clock.now_ms()
        endpoints, brokers = self._resolved(self.plant)
        self._commons = Commons(
            state=self._state(), catalog=self.catalog, clock=self._clock, failed=self._failed
        )
        try:
            for definition in self.plant.destinations:
                opened = await Destination.open(definition, self.plant, self._commons)
                self.destinations.append(opened)
            for destination in self.destinations:
                destination.start(brokers[destination.definition.name], self.up)
            for link in self.plant.links:
                self.links.open(link, endpoints[link.name])
            async with beside():
                await self._until(stop)
        finally:
            async with self._reloading:  # one that is under way, carried through
                pass
            await self.links.close()
            await asyncio.gather(*(destination.leave() for destination in self.destinations))
            for destination in self.destinations:
                await destination.close()

    def _state(self) -> StateFile:
        state = StateFile(Path(self.plant.outbox.folder) / "state.json")
        if state.set_aside is not None:
            self._log.error(
                "state file damaged",
                set_aside=str(state.set_aside),
                effect="bdSeq begins at 0 and aliases are given anew; births tell both",
            )
        return state

    async def _until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``; a fault of the core raises."""
        assert self._fault is not None
        stopped = asyncio.create_task(stop.wait())
        tick = asyncio.create_task(self._tick())
        waited: set[asyncio.Future[Any]] = {stopped, tick, self._fault}
        try:
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            stopped.cancel()
            tick.cancel()

    async def _tick(self) -> None:
        """What time alone owes: maximum silence, and the node's own health."""
        while True:
            await asyncio.sleep(_DUE_S)
            now_ms = self._clock.now_ms()
            for batch in self._mapper.due(self.up, now_ms):
                self._emit(batch)
            outboxes = [destination.outbox for destination in self.destinations]
            health = self._diagnostics.sample(outboxes, now_ms)
            if health is not None:
                self.accept(health)

    # --- a changed plant --------------------------------------------------------------------------

    def _resolved(self, plant: Plant) -> tuple[dict[str, Endpoint], dict[str, Broker]]:
        """Endpoints of links and logins of destinations, by name; raises what `Access` does."""
        endpoints = {link.name: self._access.to_link(link, plant) for link in plant.links}
        brokers = {d.name: self._access.to_broker(d, plant) for d in plant.destinations}
        return endpoints, brokers

    async def reload(self, plant: Plant) -> Changes:
        """Take over a changed plant: what it leaves alone does not notice.

        Links and destinations that are as before keep their connections, outboxes what they hold;
        devices whose births tell the same are not born again. Raises before anything is touched:
        `RestartNeededError`, what `Access` raises, and as `Destination.open` does. Once begun it
        is carried through, whoever stops waiting for it.
        """
        self._reload = asyncio.create_task(self._reload_now(plant))
        return await asyncio.shield(self._reload)

    async def _reload_now(self, plant: Plant) -> Changes:
        async with self._reloading:
            changes = compare(self.plant, plant)
            if changes.restart:
                raise RestartNeededError(changes)
            endpoints, brokers = self._resolved(plant)
            changes = self._with_secrets(changes, endpoints, brokers)
            await self._take_over(plant, changes, endpoints, brokers)
            return changes

    def _with_secrets(
        self, changes: Changes, endpoints: Mapping[str, Endpoint], brokers: Mapping[str, Broker]
    ) -> Changes:
        """The changes, and what has another password or certificate under the same reference."""
        known = {change.name for change in changes.links}
        links = [
            Change(what="link", name=old.name, kind="reopened", why="another login")
            for old in (supervision.endpoint for supervision in self.links)
            if old.name not in known and not _same_secrets(old, endpoints[old.name])
        ]
        known = {change.name for change in changes.destinations}
        destinations = [
            Change(what="destination", name=name, kind="reconnected", why="another login")
            for name, broker in ((d.definition.name, d.broker) for d in self.destinations)
            if name not in known and broker != brokers[name]
        ]
        return replace(
            changes,
            links=(*changes.links, *links),
            destinations=(*changes.destinations, *destinations),
        )

    async def _take_over(
        self,
        plant: Plant,
        changes: Changes,
        endpoints: Mapping[str, Endpoint],
        brokers: Mapping[str, Broker],
    ) -> None:
        commons = self._commons
        assert commons is not None, "reload while it runs"
        # All that may fail comes first.
        shown = {d.name: shown_of(d, plant, commons.state) for d in plant.destinations}
        running = {destination.definition.name: destination for destination in self.destinations}
        added: list[Destination] = []
        async with AsyncExitStack() as undo:
            for definition in plant.destinations:
                if definition.name not in running:
                    opened = await Destination.open(definition, plant, commons)
                    undo.push_async_callback(opened.close)
                    added.append(opened)
            undo.pop_all()
        resting = [
            running[c.name] for c in changes.destinations if c.kind in {"removed", "reconnected"}
        ]
        await asyncio.gather(*(destination.leave() for destination in resting))
        await self.links.close(c.name for c in changes.links if c.kind in {"removed", "reopened"})
        opening = {c.name for c in changes.links if c.kind in {"added", "reopened"}}
        try:
            self._switch(plant, shown, added, opening)
            for link in plant.links:
                if link.name in opening:
                    self.links.open(link, endpoints[link.name], was_up=self.up)
                else:
                    self.links.rename(endpoints[link.name])
            for destination in self.destinations:
                if destination.node is None:
                    destination.start(brokers[destination.definition.name], self.up)
        except Exception as error:
            self._failed(error)
            raise
        for destination in resting:
            if destination not in self.destinations:
                await destination.close()

    def _switch(
        self,
        plant: Plant,
        shown: Mapping[str, Shown],
        added: list[Destination],
        opening: set[str],
    ) -> None:
        """From one plant to the other, in one step that nothing comes between.

        ``opening`` are the links that are about to be opened.
        """
        now_ms = self._clock.now_ms()
        before = {device.name: device for device in self.plant.devices}
        emitted: list[Batch] = []
        for device in plant.devices:
            was = before.pop(device.name, None)
            if was is None or not _maps_alike(was, device):
                same = {} if was is None else same_sources(was.tags, device.tags)
                emitted += self._mapper.put(device.name, device.metrics, same, now_ms)
        for name in before:
            self._mapper.remove(name)
            self.up.discard(name)
        diagnostics = Diagnostics(plant)
        if diagnostics.metrics != self._diagnostics.metrics:
            emitted += self._mapper.put(NODE, diagnostics.metrics, {}, now_ms)
        self._diagnostics = diagnostics
        self.plant = plant
        self.reloaded_ms = now_ms
        definitions = {definition.name: definition for definition in plant.destinations}
        self.destinations = [d for d in self.destinations if d.definition.name in definitions]
        changed: set[str] = set()
        for destination in self.destinations:
            name = destination.definition.name
            destination.definition = definitions[name]
            changed |= destination.renew(shown[name])
        self.destinations += added
        # A device with other metrics whose link is opened is born when all of it was read.
        unread = {d.name for link in plant.links if link.name in opening for d in link.devices}
        self.up -= changed & unread
        self._diagnostics.devices_up = len(self.up)
        for destination in self.destinations:
            for name in self.up:
                destination.device_up(name)
        for batch in emitted:
            self._emit(batch)


def _maps_alike(before: DeviceDefinition, after: DeviceDefinition) -> bool:
    """Whether rows are mapped and read as before."""
    if before.metrics != after.metrics:
        return False
    same = same_sources(before.tags, after.tags)
    return all(same.get(point) == point for point in range(len(before.tags)))


def _same_secrets(before: Endpoint, after: Endpoint) -> bool:
    return (before.login, before.identity) == (after.login, after.identity)
