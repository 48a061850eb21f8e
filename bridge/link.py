"""Supervision of one link: open it, hand on what it says, and open it again when it ends.

This is the one place that reconnects to devices, and the one place where a link's failures are
caught, whatever they are: `drivers.driver.LinkError`, an exception that nobody named, a batch
that breaks the contract. Each ends this link alone. What a lost link means is decided here too:
a device that has been silent for ``down_after_ms`` is down, and its receiver is told so once.
"""

import asyncio
from collections.abc import Callable, Container
from typing import Protocol

import structlog

from bridge.backoff import Backoff
from bridge.border import Border, ContractError
from bridge.clock import SystemClock
from drivers.driver import (
    Clock,
    Device,
    DeviceDown,
    DeviceRefusedError,
    DeviceUp,
    Driver,
    Endpoint,
    Event,
    Fresh,
    Link,
    LinkError,
    WritableLink,
)
from mappings.batch import Batch, Value
from mappings.quality import BAD, GOOD

_FIRST_DELAY_S = 0.5
_MOST_DELAY_S = 10.0
_BIRTH_PATIENCE_S = 5.0
_TAGS_NAMED = 5


class Receiver(Protocol):
    """Who takes what the links say: the gateway.

    Its methods never raise: a fault behind them is the shared core's, which stops the process and
    must not be mistaken for a link's.
    """

    def accept(self, batch: Batch) -> None:
        """Values arrived."""
        ...

    def fresh(self, event: Fresh) -> None:
        """Points were read and have not changed."""
        ...

    def device_up(self, device: str) -> None:
        """The device's values are complete, or it has answered for long enough to be born."""
        ...

    def device_down(self, device: str) -> None:
        """The device has not answered for ``down_after_ms``."""
        ...


class Watch:
    """One device's presence."""

    def __init__(
        self,
        device: Device,
        receiver: Receiver,
        down_after_s: float,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.device = device
        self._receiver = receiver
        self._down_after_s = down_after_s
        self._log = log.bind(device=device.name)
        self._border = Border(device)
        self.is_up = False
        self.heard_ms = 0
        """When it said something last, by the clock of intervals; 0 for never."""
        self.silence = ("", "")
        """Why it is silent, and what to check; empty while it answers."""
        self._answering = False
        self._told_bad: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None  # until down, or until born without a scan

    def heard(self, batch: Batch) -> None:
        """A batch: hand it on; the first one starts the patience for a full scan."""
        self._border.check(batch)
        self.heard_ms = SystemClock.monotonic_ms()
        self._receiver.accept(batch)
        if batch.qualities is not None:
            self._tell_bad(batch)
        if not self._answering and any(quality == GOOD for quality in batch.qualities or (GOOD,)):
            self._answering = True
            self.silence = ("", "")
            if not self.is_up:
                self._arm(_BIRTH_PATIENCE_S, self.up)

    def fresh(self, event: Fresh) -> None:
        """Points that were read and did not change."""
        self._border.check_points(event.points)
        self.heard_ms = SystemClock.monotonic_ms()
        self._receiver.fresh(event)

    def up(self) -> None:
        """Every tag was reported, or patience ended."""
        self._answering = True
        self.silence = ("", "")
        self._disarm()
        if not self.is_up:
            self.is_up = True
            self._log.info("device up")
            self._receiver.device_up(self.device.name)

    def silent(self, reason: str, remedy: str) -> None:
        """It alone does not answer any more; down unless it comes back in time."""
        if reason != self.silence[0]:
            self._log.warning("device silent", reason=reason, remedy=remedy)
        self.silence = (reason, remedy)
        self.cut_off()

    def cut_off(self) -> None:
        """Nothing is heard of it, for a reason that was told; down unless it comes back in time."""
        self._answering = False
        if self.is_up:
            if self._timer is None:
                self._arm(self._down_after_s, self._down)
        else:
            self._disarm()

    def stop(self) -> None:
        """No more words about this device."""
        self._disarm()

    def _down(self) -> None:
        self._timer = None
        self.is_up = False
        self._told_bad.clear()
        # One that answers in part, and never in full, is born again when patience ends.
        self._answering = False
        self._log.warning("device down", after_s=self._down_after_s)
        self._receiver.device_down(self.device.name)

    def _tell_bad(self, batch: Batch) -> None:
        """Name the tags that are BAD: each once in a life of the device, however it flickers."""
        natives = batch.natives or (0,) * len(batch.points)
        fresh = {
            point: native
            for point, quality, native in zip(
                batch.points, batch.qualities or (), natives, strict=True
            )
            if quality == BAD and point not in self._told_bad
        }
        if not fresh:
            return
        self._told_bad.update(fresh)
        tags = self.device.tags
        self._log.warning(
            "tags bad",
            count=len(fresh),
            tags=[
                f"{tags[point].name} at {tags[point].address}: {_code_text(native)}"
                for point, native in list(fresh.items())[:_TAGS_NAMED]
            ],
            remedy="compare address and type with the device; a sensor's own fault looks the same",
        )

    def _arm(self, delay_s: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(delay_s, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Supervision:
    """One link, kept open until `run` is cancelled, and what is known of it.

    ``was_up`` are devices that were up before, on a link that this one takes the place of: they
    are not up anew, and down if they do not come back in time.
    """

    def __init__(
        self,
        driver: Driver,
        endpoint: Endpoint,
        receiver: Receiver,
        *,
        now_ms: Clock,
        down_after_ms: int,
        backoff: Backoff | None = None,
        was_up: Container[str] = (),
    ) -> None:
        self.endpoint = endpoint
        self.is_open = False
        """Whether something was said on the present connection."""
        self.failure = ("", "")
        """Why the last connection ended, and what to check; empty while one is open."""
        self._ended = False
        self._link: Link | None = None  # that says something
        self._driver = driver
        self._now_ms = now_ms
        self._was_up = was_up
        self._log = structlog.stdlib.get_logger("link").bind(
            link=endpoint.name, endpoint=endpoint.url
        )
        self._backoff = backoff or Backoff(first_s=_FIRST_DELAY_S, most_s=_MOST_DELAY_S)
        self.watches = {
            device.name: Watch(device, receiver, down_after_ms / 1000, self._log)
            for device in endpoint.devices
        }

    async def run(self) -> None:
        """One log line for each change of the link's state.

        A failure that repeats is logged when it first happens and when it changes, not each time.
        """
        told = ""
        for watch in self.watches.values():
            if watch.device.name in self._was_up:
                watch.is_up = True
                watch.cut_off()
        try:
            while True:
                failure = await self._one_connection()
                self.is_open = False
                # A link that proved itself is news again when it fails, even in the same words.
                told = "" if self._backoff.fresh else told
                self.failure = seen, remedy = _words(failure)
                if seen != told:
                    if isinstance(failure, LinkError):
                        self._log.warning("link lost", reason=seen, remedy=remedy)
                    else:
                        self._log.error("link failed", reason=seen, remedy=remedy, exc_info=failure)
                    told = seen
                for watch in self.watches.values():
                    watch.cut_off()
                delay_s = self._backoff.next_s()
                self._log.debug("link waits", delay_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)
        finally:
            for watch in self.watches.values():
                watch.stop()

    def end(self) -> None:
        """Say nothing more, whatever the driver still says; `run` is about to be cancelled.

        The points of a batch may be others' by now.
        """
        self._ended = True
        for watch in self.watches.values():
            watch.stop()

    def rename(self, endpoint: Endpoint) -> None:
        """The same tags have other names."""
        self.endpoint = endpoint
        for device in endpoint.devices:
            self.watches[device.name].device = device

    # --- commands ---------------------------------------------------------------------------------

    def unreachable(self, device: str) -> str:
        """Why a device cannot be written to now; empty if it can."""
        watch = self.watches[device]
        if self._link is None or not watch.is_up or watch.silence[0]:
            why = watch.silence[0] or self.failure[0]
            return f"{device} does not answer" + (f": {why}" if why else "")
        if not isinstance(self._link, WritableLink):
            return f"the driver of {device} does not write"
        return ""

    async def write(self, device: str, point: int, raw: Value) -> None:
        """Write once to a device that answers; raises as `drivers.driver.WritableLink`."""
        await self._writable(device).write(device, point, raw)

    async def read(self, device: str, point: int) -> Batch:
        """Ask a device that answers for a point; what it says is handed on like everything else."""
        batch = await self._writable(device).read(device, point)
        self._take(batch)
        return batch

    def _writable(self, device: str) -> WritableLink:
        why = self.unreachable(device)
        if why:
            raise DeviceRefusedError(why)
        assert isinstance(self._link, WritableLink)
        return self._link

    async def _one_connection(self) -> Exception:
        """Open, hand on until the link ends, close; returns why it ended."""
        try:
            async with self._driver.open(self.endpoint, self._now_ms) as link:
                async for event in link.events():
                    if not self.is_open:  # a connection proves nothing until it says something
                        self.is_open = True
                        self.failure = ("", "")
                        self._log.info("link up", devices=len(self.watches))
                        self._link = link
                    self._take(event)
            return LinkError("the link ended without saying why", "this is a fault of the driver")
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled us: a future inside the driver was, and its driver let that out.
            return LinkError(f"the link broke off ({error!r})", "this is a fault of the driver")
        except Exception as error:  # noqa: BLE001  # the one place where a link's failures are caught
            return error
        finally:
            self._link = None

    def _take(self, event: Event) -> None:
        if self._ended:
            return
        watch = self.watches[event.device]
        if isinstance(event, Batch):
            watch.heard(event)
        elif isinstance(event, Fresh):
            watch.fresh(event)
        elif isinstance(event, DeviceUp):
            self._backoff.reset()
            watch.up()
        elif isinstance(event, DeviceDown):
            watch.silent(event.reason, event.remedy)
        else:
            raise ContractError(f"no event of the contract: {event!r:.100}")


def _code_text(native: int) -> str:
    """A driver's own code as its manuals write it: Modbus exceptions in decimal, OPC UA in hex."""
    return f"code {native}" if native < 0x100 else f"code 0x{native:08X}"


def _words(failure: Exception) -> tuple[str, str]:
    if isinstance(failure, LinkError):
        return failure.seen, failure.remedy
    return (
        f"{type(failure).__name__}: {failure}",
        "a fault of the driver or a peer that breaks its protocol; the other links run on",
    )
