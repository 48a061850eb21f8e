"""The worker: one thread that does what the event loop must not wait for, in order.

Answers reach the loop in the order of the requests. A daemon thread, because a disk that hangs
must not keep the process from ending.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """One thread and the way to it; made and used on a running event loop."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def submit(self, call: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        """Run ``call`` on the thread, then ``done`` on the loop with its result or exception."""

        def work() -> None:
            result: T | BaseException
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it goes on in the loop
                result = error
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(done, result)

        self._work.put(work)

    async def run(self, call: Callable[[], T]) -> T:
        """Run ``call`` on the thread and wait for its result."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def done(result: T | BaseException) -> None:
            if answer.done():  # nobody waits any more
                return
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        self.submit(call, done)
        return await answer

    def stop(self) -> None:
        """End the thread after what was submitted."""
        self._work.put(None)
