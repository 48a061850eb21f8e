"""Polling: a device with ``read: poll`` is asked for its values, each at its scan.

For servers whose subscriptions are not to be relied on, or that allow none. What changes between
two scans is not seen, and every scan costs the server a read of everything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Clock, Device, Event, LinkError
from drivers.opcua.failures import fault_text
from drivers.opcua.nodes import in_blocks
from drivers.opcua.presence import Answered, Presence
from drivers.opcua.reading import Reading
from drivers.scanning import Timetable
from mappings.batch import Batch

_PAUSE_S = 0.25
_MOST_FAILURES = 3


class DevicePolling:
    """One polled device in one session."""

    def __init__(self, device: Device, session: Any, now_ms: Clock) -> None:
        self.device = device.name
        self._tags = device.tags
        self._session = session
        self._reading = Reading(device, session)
        self._presence = Presence(device, self._reading, now_ms)
        self._nodes: dict[int, Any] = {}

    @property
    def incomplete(self) -> bool:
        """Whether the server does not know some rows, so that `retry` has something to do."""
        return bool(self._reading.refused)

    @property
    def overflows(self) -> int:
        """Values that came marked with a loss: none, since nothing is queued."""
        return self._presence.overflows

    def answered(self, point: int, value: Any) -> Batch:
        """What a value means that was asked for: the DataValue of a point's node."""
        return self._presence.answered(self._reading.leader_of(point), value)

    async def create(self, namespaces: Sequence[str]) -> list[Event]:
        """Look all rows up; what is wrong with them is in the events."""
        return await self._look_up(tuple(self._reading.leaders), namespaces)

    async def retry(self, namespaces: Sequence[str]) -> list[Event]:
        """Look those up again that the server did not know."""
        return await self._look_up(self._reading.refused_leaders, namespaces)

    async def _look_up(self, leaders: Sequence[int], namespaces: Sequence[str]) -> list[Event]:
        nodes, lost = await self._reading.look_up(leaders, namespaces)
        self._nodes |= nodes
        for leader in lost:
            self._nodes.pop(leader, None)
        return self._presence.refused(self._reading.judge(leaders, lost), namespaces)

    async def run(
        self, connected: asyncio.Event, hand_over: Callable[[list[Event]], Awaitable[None]]
    ) -> None:
        """Read for ever; whoever takes the events sets the pace where that is slower."""
        clock = asyncio.get_running_loop().time
        scans = {self._tags[leader].scan_ms for leader in self._reading.leaders}
        timetable = Timetable({scan_ms: scan_ms for scan_ms in scans}, int(clock() * 1000))
        failures = 0
        while (due := timetable.next()) is not None:
            scan_ms, due_ms = due
            await asyncio.sleep(max(0.0, due_ms / 1000 - clock()))
            await connected.wait()
            events: list[Event] = []
            try:
                self._presence.take(await self._read(scan_ms), events)
            except (ConnectionError, TimeoutError) as error:
                # A lost connection is the link's to judge; a read that never succeeds is ours.
                failures += 1
                if failures == _MOST_FAILURES:
                    raise LinkError(
                        f"{self.device}: {_MOST_FAILURES} reads in a row failed "
                        f"({fault_text(error)})",
                        "a busy server may need a longer timeout or slower scans",
                    ) from error
                await asyncio.sleep(_PAUSE_S)
                continue
            failures = 0
            timetable.done(scan_ms, int(clock() * 1000))
            if events:
                await hand_over(events)

    async def _read(self, scan_ms: int) -> list[Answered]:
        due = [
            (leader, node)
            for leader, node in self._nodes.items()
            if self._tags[leader].scan_ms == scan_ms
        ]

        async def ask(part: Sequence[tuple[int, Any]]) -> Sequence[Any]:
            answer: Sequence[Any] = await self._session.read(
                ua.ReadParameters(
                    MaxAge=0,
                    TimestampsToReturn=ua.TimestampsToReturn.Both,
                    NodesToRead=[
                        ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
                        for _, node in part
                    ],
                )
            )
            return answer

        values = await in_blocks(due, ask, self.device)
        return [Answered(leader + 1, value) for (leader, _), value in zip(due, values, strict=True)]
