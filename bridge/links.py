"""The links of a plant: a supervised task for each; opened, closed, opened anew on a change."""

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from bridge.clock import SystemClock
from bridge.link import Receiver, Supervision
from drivers.driver import DeviceRefusedError, Driver, Endpoint
from mappings.batch import Batch, Value
from mappings.plant.definitions import LinkDefinition

_CLOSE_S = 1.0


class Links:
    """All links; ``failed`` is told when one's supervision, not the link, fails: a fault of ours.

    A link that runs is kept for as long as it is not closed here, socket and all.
    """

    def __init__(
        self,
        drivers: Mapping[str, Driver],
        receiver: Receiver,
        clock: SystemClock,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._drivers = drivers
        self._receiver = receiver
        self._clock = clock
        self._failed = failed
        self._running: dict[str, tuple[Supervision, asyncio.Task[None]]] = {}

    def __iter__(self) -> Iterator[Supervision]:
        return (supervision for supervision, _ in self._running.values())

    def endpoint(self, name: str) -> Endpoint:
        """Where a link goes, with its secrets."""
        return self._running[name][0].endpoint

    def rename(self, endpoint: Endpoint) -> None:
        """A link that stays open has tags with other names."""
        self._running[endpoint.name][0].rename(endpoint)

    def open(
        self, definition: LinkDefinition, endpoint: Endpoint, *, was_up: Container[str] = ()
    ) -> None:
        """Begin with a link, whose devices ``was_up`` are up already, through one before it."""
        supervision = Supervision(
            self._drivers[definition.driver],
            endpoint,
            self._receiver,
            now_ms=self._clock.now_ms,
            down_after_ms=definition.down_after_ms,
            was_up=was_up,
        )
        task = asyncio.create_task(supervision.run(), name=f"link {definition.name}")
        task.add_done_callback(self._ended)
        self._running[definition.name] = (supervision, task)

    # --- commands ---------------------------------------------------------------------------------

    def unreachable(self, device: str) -> str:
        """Why a device cannot be written to now; empty if it can."""
        supervision = self._to(device)
        return f"no link to {device!r}" if supervision is None else supervision.unreachable(device)

    async def write(self, device: str, point: int, raw: Value) -> None:
        """Write once, if the device can be reached; raises as `drivers.driver.WritableLink`."""
        await self._reached(device).write(device, point, raw)

    async def read(self, device: str, point: int) -> Batch:
        """Ask the device now; what it says is handed on like everything else."""
        return await self._reached(device).read(device, point)

    def _to(self, device: str) -> Supervision | None:
        return next((link for link in self if device in link.watches), None)

    def _reached(self, device: str) -> Supervision:
        supervision = self._to(device)
        if supervision is None:
            raise DeviceRefusedError(f"no link to {device!r}")
        return supervision

    async def close(self, names: Iterable[str] | None = None) -> None:
        """End some links, or all; they say nothing more."""
        ending = [self._running.pop(n) for n in list(self._running if names is None else names)]
        for supervision, task in ending:
            supervision.end()
            task.cancel()
        if ending:
            await asyncio.wait([task for _, task in ending], timeout=_CLOSE_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
