"""The mapping engine: batches of raw values in, batches of metric values out; pure.

`Mapper.apply` converts, judges (a number that is not finite is no value) and reports by exception
against the catalog, that is against what was last emitted. `Mapper.due` says what time alone makes
worth saying: maximum silence, the end of a minimum interval, staleness. Nothing here knows a clock
or a protocol.
"""

from collections.abc import Iterable, Mapping, Sequence

from mappings.batch import Batch
from mappings.catalog import Catalog, DeviceCatalog
from mappings.device_map import DeviceMap
from mappings.tags import Metric


class Mapper:
    """All devices' mappings over one catalog.

    The caller hands what `apply`, `fresh`, `due` and `lost` return to `Catalog.update` (but for
    late batches) before it calls again.
    """

    def __init__(self, devices: Mapping[str, Sequence[Metric]], catalog: Catalog) -> None:
        self._catalog = catalog
        self._devices = {
            name: DeviceMap(name, metrics, catalog.devices[name])
            for name, metrics in devices.items()
        }

    def apply(self, batch: Batch, now_ms: int) -> list[Batch]:
        """What of a raw batch is to be published: nothing, a batch, rarely a late one beside it.

        Emitted values are final: a value that is not GOOD because there is none carries the last
        value (None if there never was one). The result has the same ``points`` object when every
        value passed. A value older than the last emitted one of its point comes in a batch marked
        ``late``: it belongs into the history, not into the catalog.
        """
        return self._devices[batch.device].apply(batch, now_ms)

    def fresh(self, device: str, points: tuple[int, ...], now_ms: int) -> Batch | None:
        """These points were read and are as before: those that were STALE are as they were."""
        return self._devices[device].fresh(points, now_ms)

    def due(self, devices: Iterable[str], now_ms: int) -> list[Batch]:
        """What time alone makes worth publishing, for these devices: those that are up.

        Of maximum silence the value is the last one received, with its time when it is newer than
        the last published one, else with ``now_ms``: the device is up and did not report a change.
        Of a minimum interval it is the last one that waited. What nobody has read for longer than
        ``stale_after_ms`` is STALE, with its last value.
        """
        batches = (self._devices[name].due(now_ms) for name in devices)
        return [batch for batch in batches if batch is not None]

    def lost(self, device: str, now_ms: int) -> Batch | None:
        """One record that makes every point of a lost device BAD; None if all are already."""
        return self._devices[device].lose(now_ms)

    def shown(self, batch: Batch) -> Batch | None:
        """What of an emitted batch hosts may see: all, but for points that are not published."""
        return self._devices[batch.device].shown(batch)

    def put(
        self, device: str, metrics: Sequence[Metric], same: Mapping[int, int], now_ms: int
    ) -> list[Batch]:
        """Add a device, or give it other metrics, in the catalog too; what is to be published.

        ``same`` are the points of now, by those of before, that are read from the same source of
        the device. Of these a metric with the ``id`` of before whose values mean the same keeps
        its last value and the time when it was published last; what was read last is mapped anew.
        Every other point is as if never read.
        """
        columns = DeviceCatalog(len(metrics))
        mapped = DeviceMap(device, metrics, columns)
        before = self._devices.get(device)
        self._catalog.devices[device] = columns
        self._devices[device] = mapped
        return [] if before is None else mapped.carry(before, same, now_ms)

    def remove(self, device: str) -> None:
        """Forget a device, in the catalog too."""
        del self._devices[device]
        del self._catalog.devices[device]
