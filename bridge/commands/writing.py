"""Writing: one value to its device, once, and read back until it is there or time is over."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from bridge.commands.words import Approved, Outcome
from drivers.driver import DeviceRefusedError, LinkError, UnansweredError
from mappings.batch import Batch, Value
from mappings.catalog import Catalog
from mappings.conversion import Conversion
from mappings.quality import GOOD
from mappings.tags import Metric

_FIRST_PAUSE_S = 0.05
_MOST_PAUSE_S = 0.5


class Devices(Protocol):
    """Where commands go: the links."""

    def unreachable(self, device: str) -> str:
        """Why a device cannot be written to now, empty if it can."""
        ...

    async def write(self, device: str, point: int, raw: Value) -> None:
        """As `drivers.driver.WritableLink.write`."""
        ...

    async def read(self, device: str, point: int) -> Batch:
        """As `drivers.driver.WritableLink.read`; what was read is handed on as well."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command that was let through; ``read`` is the value read back."""

    outcome: Outcome
    why: str = ""
    read: Value = None


class Writing:
    """Carries out what the gate let through; ``catalog`` has what rows show."""

    def __init__(self, devices: Devices, catalog: Catalog) -> None:
        self._devices = devices
        self._catalog = catalog
        self._log = structlog.stdlib.get_logger("commands")

    async def carry_out(self, approved: Approved) -> Result:
        """Write once, and read back as its row says."""
        device, point, raw = approved.device, approved.point, approved.raw
        try:
            await self._devices.write(device, point, raw)
        except DeviceRefusedError as error:
            return Result(Outcome.REFUSED, f"{error.seen} {error.remedy}".strip())
        except (UnansweredError, LinkError) as error:
            return Result(Outcome.UNANSWERED, str(error))
        except Exception as error:  # noqa: BLE001  # a driver's fault hurts its command only
            self._log.exception("a driver failed to write", metric=approved.path)
            return Result(Outcome.FAILED, f"{type(error).__name__}: {error}")
        if approved.metric.readback == "none":
            return Result(Outcome.WRITTEN)
        return await self._read_back(approved)

    async def _read_back(self, approved: Approved) -> Result:
        """Read until it is as it was written, or until ``readback`` is over."""
        metrics = approved.metrics
        point = approved.point
        if approved.metric.readback != "same":
            point = next(p for p, m in enumerate(metrics) if m.name == approved.metric.readback)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + approved.plant.commands.readback_ms / 1000
        pause_s = _FIRST_PAUSE_S
        while True:
            seen = await self._read(approved, point, metrics[point])
            if seen.outcome is not Outcome.UNCONFIRMED or loop.time() + pause_s > until_s:
                return seen
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _MOST_PAUSE_S)

    async def _read(self, approved: Approved, point: int, metric: Metric) -> Result:
        try:
            batch = await self._devices.read(approved.device, point)
        except (UnansweredError, DeviceRefusedError, LinkError) as error:
            return Result(Outcome.UNCONFIRMED, f"not read back: {error}")
        except Exception as error:  # noqa: BLE001  # as in _write
            self._log.exception("a driver failed to read back", metric=approved.path)
            return Result(Outcome.UNCONFIRMED, f"not read back: {type(error).__name__}: {error}")
        raw = _only_value(batch, point)
        if raw is None:
            return Result(Outcome.UNCONFIRMED, "not read back: the device says it is BAD")
        shown, _ = Conversion(metric)(raw)
        if metric.scale_point is not None:  # known to the mapper only, which has it by now
            shown = self._catalog.devices[approved.device].values[point]
        if point == approved.point:
            right = raw == approved.raw or shown == approved.value
        else:
            right = _near(shown, approved.value, metric.deadband)
        if right:
            return Result(Outcome.CONFIRMED, read=shown)
        return Result(Outcome.UNCONFIRMED, "read back as something else", shown)


def _only_value(batch: Batch, point: int) -> Value:
    """The value of a point in a batch; None if it is not GOOD."""
    place = batch.points.index(point)
    if batch.qualities is not None and batch.qualities[place] != GOOD:
        return None
    return batch.values[place]


def _near(shown: Value, wanted: Value, deadband: float) -> bool:
    """Whether another row shows what was written, as well as it tells values apart."""
    if isinstance(shown, int | float) and isinstance(wanted, int | float):
        return abs(shown - wanted) <= deadband
    return shown == wanted
