"""An event loop whose time passes only when nothing else is to be done: hours in seconds.

Nothing may run in other threads, for whose answers no clock could be stopped: the outbox's thread
is replaced by calls on the loop (`InlineWorker`).
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bridge.clock import SystemClock

T = TypeVar("T")

START_MS = 1_795_000_000_000


class _Selector(selectors.SelectSelector):
    """Waits by moving the clock on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is `now_s`, from 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual.now_s


class VirtualClock(SystemClock):
    """The clocks of everything that lives on such a loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def now_ms(self) -> int:
        return START_MS + self.monotonic_ms()

    def monotonic_ms(self) -> int:  # type: ignore[override]
        return int(self._loop.time() * 1000)


class InlineWorker:
    """The outbox's worker, on the loop itself; in the same order."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()

    def submit(self, call: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        result: T | BaseException
        try:
            result = call()
        except Exception as error:  # noqa: BLE001  it goes on in the loop
            result = error
        self._loop.call_soon(done, result)

    async def run(self, call: Callable[[], T]) -> T:
        await asyncio.sleep(0)
        return call()

    def stop(self) -> None:
        """There is no thread."""


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine from the beginning of time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.close()
