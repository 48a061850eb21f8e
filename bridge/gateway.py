"""The gateway: the core, links and destinations of one plant, opened, changed and closed.

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
from bridge.changes import Change, Changes, compare
from bridge.clock import SystemClock
from bridge.commands.commander import Commander
from bridge.core import Core
from bridge.destination import Broker, Commons, Destination, shown_of
from bridge.links import Links
from bridge.state import StateFile
from drivers.driver import Driver, Endpoint
from mappings.plant.definitions import Plant

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
        self._access = access
        self._clock = clock or SystemClock()
        self._log = structlog.stdlib.get_logger("gateway")
        self._fault: asyncio.Future[None] | None = None
        self._commons: Commons | None = None
        self._reloading = asyncio.Lock()
        self._reload: asyncio.Task[Changes] | None = None  # held, or it would be collected
        self.started_ms = self.reloaded_ms = 0
        """When it began to run, and when its plant was taken over last; milliseconds since 1970."""
        self.core = Core(plant, self._clock, self._failed)
        self.links = Links(drivers, self.core, self._clock, self._failed)
        self.commander = Commander(
            plant, self.core.catalog, self.links, self._clock, self.core.tell, self._failed
        )

    @property
    def plant(self) -> Plant:
        """The plant that runs."""
        return self.core.plant

    @property
    def destinations(self) -> list[Destination]:
        """Where metrics go."""
        return self.core.destinations

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
        Order at the end: commands, links, deaths and DISCONNECT at every destination, outboxes.
        """
        self._fault = asyncio.get_running_loop().create_future()
        self.started_ms = self.reloaded_ms = self._clock.now_ms()
        endpoints, brokers = self._resolved(self.plant)
        self._commons = Commons(
            state=self._state(), catalog=self.core.catalog, clock=self._clock, failed=self._failed,
            commander=self.commander,
        )  # fmt: skip
        try:
            for definition in self.plant.destinations:
                opened = await Destination.open(definition, self.plant, self._commons)
                self.destinations.append(opened)
            for destination in self.destinations:
                destination.start(brokers[destination.definition.name], self.core.up)
            for link in self.plant.links:
                self.links.open(link, endpoints[link.name])
            await self.commander.begin()
            async with beside():
                await self._until(stop)
        finally:
            async with self._reloading:  # one that is under way, carried through
                pass
            await self.commander.close()
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
        while True:
            await asyncio.sleep(_DUE_S)
            self.core.tick()
            self.commander.tick()

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
            reborn = {change.name for change in changes.devices}
            waiting = {d.name for link in plant.links if link.name in opening for d in link.devices}
            self.core.switch(plant, shown, added, reborn & waiting)
            self.commander.renew(plant)
            self.reloaded_ms = self._clock.now_ms()
            for link in plant.links:
                if link.name in opening:
                    self.links.open(link, endpoints[link.name], was_up=frozenset(self.core.up))
                else:
                    self.links.rename(endpoints[link.name])
            for destination in self.destinations:
                if destination.node is None:
                    destination.start(brokers[destination.definition.name], self.core.up)
        except Exception as error:
            self._failed(error)
            raise
        for destination in resting:
            if destination not in self.destinations:
                await destination.close()


def _same_secrets(before: Endpoint, after: Endpoint) -> bool:
    return (before.login, before.identity) == (after.login, after.identity)
