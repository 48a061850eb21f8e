"""Proof: what was published and is not yet known to have been read; fences and echoes.

QoS 0 says nothing about arrival, so nothing is confirmed on hope. After publishing, a fence asks
whether the broker has read it. That is not enough: a broker that takes messages and drops them by
its access list answers every fence. So the node subscribes to its own births, and each must come
back; until then, what was sent behind it stays unconfirmed.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence

from bridge.clock import SystemClock
from bridge.mqtt import Connection
from bridge.outbox.outbox import Entry, Outbox
from bridge.sparkplug.pacing import Window

_PAUSE_S = 0.02  # one fence covers what was published within it
_MOST_FENCES = 8
_ECHO_GRACE_S = 3.0


class UndeliverableError(Exception):
    """What is published at this broker does not arrive, and trying again soon does not help."""

    def __init__(self, seen: str, remedy: str) -> None:
        self.seen = seen
        self.remedy = remedy
        super().__init__(seen)


class DeliveryRefusedError(UndeliverableError):
    """The broker acknowledges what we publish and does not deliver it."""

    def __init__(self, topics: Sequence[str]) -> None:
        shown = ", ".join(sorted(set(topics))[:3])
        super().__init__(
            f"the broker drops our messages: rights? Not delivered: {shown}",
            "give this user the right to write and to read spBv1.0/GROUP/+/NODE/# in the broker's "
            "access list; what is measured meanwhile is kept",
        )


class BirthTooLargeError(UndeliverableError):
    """A birth is larger than the broker takes; there is no way to divide a birth."""

    def __init__(self, device: str, size: int, most: int) -> None:
        """``device`` is empty for the node itself."""
        whose = repr(device) if device else "the node itself"
        how = "write edge_node: {diagnostics: none}, allow fewer commands"
        if device:
            how = f"divide {whose} into {-(-size // most)} devices"
        super().__init__(
            f"the birth of {whose} has {size:,} bytes, the broker takes {most:,}",
            f"{how}, or raise the broker's limit of a packet; what is measured meanwhile is kept",
        )


class _Echo:
    """A birth of ours that must come back."""

    __slots__ = ("heard", "payload", "topic")

    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic = topic
        self.payload = payload
        self.heard = asyncio.Event()


class _Covered:
    """What one fence covers."""

    __slots__ = ("echoes", "entries", "size")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.echoes: list[_Echo] = []
        self.size = 0


class Proof:
    """The fences of one connection. ``window`` is told what is published and what is fenced."""

    def __init__(
        self, connection: Connection, outbox: Outbox, window: Window, clock: SystemClock
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._window = window
        self._clock = clock
        self._open = _Covered()  # published since the last fence
        self._fenced: deque[_Covered] = deque()  # behind fences that are not answered
        self._fences: set[asyncio.Task[None]] = set()
        self._pausing = False  # one fence is about to be sent
        self._echoes: dict[str, deque[_Echo]] = defaultdict(deque)
        self.awaited = 0
        """How many births have not come back yet."""
        self.proven_bytes = 0
        """The largest payload that has come back."""

    def published(self, size: int) -> None:
        """A message of ``size`` bytes went out."""
        self._open.size += size
        self._window.published(size)

    def carries(self, entries: Sequence[Entry]) -> None:
        """What went out since the last fence carried these records, as a whole."""
        self._open.entries += entries

    def expect(self, topic: str, payload: bytes) -> None:
        """A birth went out; it must come back."""
        echo = _Echo(topic, payload)
        self._echoes[topic].append(echo)
        self._open.echoes.append(echo)
        self.awaited += 1

    def heard(self, topic: str, payload: bytes) -> bool:
        """A birth came back; False if it is none of ours."""
        waiting = self._echoes.get(topic)
        if not waiting or waiting[0].payload != payload:
            return False
        waiting.popleft().heard.set()
        self.awaited -= 1
        self.proven_bytes = max(self.proven_bytes, len(payload))
        return True

    def soon(self) -> None:
        """See to it that what was published is fenced: together with what follows shortly, or at
        once when the window waits for it.
        """
        if not self._open.size or self._pausing or len(self._fences) >= _MOST_FENCES:
            return
        self._pausing = True
        task = asyncio.create_task(self._after(_PAUSE_S if self._window.is_open else 0))
        self._fences.add(task)
        task.add_done_callback(lambda _: self._outbox.wake.set())

    async def _after(self, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        self._pausing = False
        await self.now()

    async def now(self) -> None:
        """Have the broker prove that it read what was published so far; then it is confirmed.

        Raises `bridge.mqtt.ConnectionLost` or `DeliveryRefusedError`.
        """
        covered, self._open = self._open, _Covered()
        self._fenced.append(covered)
        sent_ms = self._clock.monotonic_ms()
        await self._connection.fence()
        self._window.fenced(covered.size, self._clock.monotonic_ms() - sent_ms)
        missing = await _not_heard(covered.echoes)
        if missing:
            raise DeliveryRefusedError(missing)
        # Usually the first; what waited for an echo lets later ones pass.
        self._fenced.remove(covered)
        self._outbox.confirm(covered.entries)

    def raise_failed(self) -> None:
        """Raise what a fence that was sent by `soon` ended with, if it failed."""
        for task in [task for task in self._fences if task.done()]:
            self._fences.remove(task)
            task.result()

    def delivered(self) -> None:
        """The broker has read everything: confirm what needs no echo any more."""
        for covered in [*self._fenced, self._open]:
            if all(echo.heard.is_set() for echo in covered.echoes):
                self._outbox.confirm(covered.entries)
        self._fenced.clear()
        self._open = _Covered()

    def cancel(self) -> None:
        """No more fences."""
        for task in self._fences:
            task.cancel()


async def _not_heard(echoes: Sequence[_Echo]) -> list[str]:
    """The topics of births that do not come back, after some grace: brokers deliver in order, but
    nothing says that the echo is written before the fence's answer.
    """
    try:
        async with asyncio.timeout(_ECHO_GRACE_S):
            for echo in echoes:
                await echo.heard.wait()
    except TimeoutError:
        pass
    return [echo.topic for echo in echoes if not echo.heard.is_set()]
