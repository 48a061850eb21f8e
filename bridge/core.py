"""The core: one synchronous step from what links say to what destinations owe.

Values take one way: a link hands a batch to `Core.accept`, the mapper decides what of it is to be
published, and in the same step the catalog and every destination's outbox take it. Nothing waits in
between and nothing is queued, so a birth can never see half a step. A changed plant is taken over
in such a step, too: no batch is ever seen with the points of another plant.

A fault in here concerns all; it is told to whoever runs the core, which ends the process.
"""

from collections.abc import Callable, Mapping, Sequence

from bridge.changes import same_sources
from bridge.clock import SystemClock
from bridge.destination import Destination, Shown
from bridge.diagnostics import Diagnostics, node_rows, rows_of
from bridge.sparkplug.image import NODE
from drivers.driver import Fresh
from mappings.batch import Batch, Value
from mappings.catalog import Catalog
from mappings.mapper import Mapper
from mappings.plant.definitions import DeviceDefinition, Plant


class Core:
    """Mapper, catalog and outboxes of one plant; the `bridge.link.Receiver` of all its links.

    ``failed`` takes a fault. ``destinations`` are those that take values, ``up`` the devices that
    are up.
    """

    def __init__(
        self, plant: Plant, clock: SystemClock, failed: Callable[[BaseException], None]
    ) -> None:
        self.plant = plant
        self._clock = clock
        self._failed = failed
        self._diagnostics = Diagnostics(plant)
        self._node_rows = node_rows(plant)
        rows = rows_of(plant)
        self.catalog = Catalog((name, len(metrics)) for name, metrics in rows.items())
        self._mapper = Mapper(rows, self.catalog)
        self.up: set[str] = set()
        self.destinations: list[Destination] = []

    # --- what links say ---------------------------------------------------------------------------

    def accept(self, batch: Batch) -> None:
        """Values arrived from a link."""
        try:
            for emitted in self._mapper.apply(batch, self._clock.now_ms()):
                self._emit(emitted)
        except Exception as error:  # noqa: BLE001  # the core's fault: ends the process, not the link
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

    def tick(self) -> None:
        """What time alone owes: maximum silence, and the node's own health."""
        now_ms = self._clock.now_ms()
        for batch in self._mapper.due(self.up, now_ms):
            self._emit(batch)
        outboxes = [destination.outbox for destination in self.destinations]
        health = self._diagnostics.sample(outboxes, now_ms)
        if health is not None:
            self.accept(health)

    def tell(self, values: Mapping[str, Value]) -> None:
        """Publish values of the node's own metrics, by their ids; those it does not have pass."""
        points = {metric.id: point for point, metric in enumerate(self._node_rows)}
        told = sorted((points[name], value) for name, value in values.items() if name in points)
        if told:
            now_ms = self._clock.now_ms()
            at, texts = zip(*told, strict=True)
            self.accept(Batch(NODE, at, list(texts), [now_ms] * len(at)))

    # --- a changed plant --------------------------------------------------------------------------

    def switch(
        self,
        plant: Plant,
        shown: Mapping[str, Shown],
        added: Sequence[Destination],
        unread: set[str],
    ) -> None:
        """From one plant to the other, in one step that nothing comes between.

        ``shown`` is what each destination shows of it, ``added`` those that are new. ``unread`` are
        devices whose births tell something else and whose links are about to be opened: each is
        born when all of it was read.
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
        rows = node_rows(plant)
        if rows != self._node_rows:
            places = {metric.id: point for point, metric in enumerate(rows)}
            same = {
                point: places[metric.id]
                for point, metric in enumerate(self._node_rows)
                if metric.id in places
            }
            emitted += self._mapper.put(NODE, rows, same, now_ms)
        self._diagnostics = Diagnostics(plant)
        self._node_rows = rows
        self.plant = plant
        definitions = {definition.name: definition for definition in plant.destinations}
        self.destinations = [d for d in self.destinations if d.definition.name in definitions]
        for destination in self.destinations:
            name = destination.definition.name
            destination.definition = definitions[name]
            destination.renew(shown[name])
        self.destinations += added
        self.up -= unread
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
