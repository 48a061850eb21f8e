"""Presence: what a device's values and refusals mean as events.

The same for a device that is subscribed and one that is polled: it is up when all its rows have
been reported, down when nothing of it is there, and its server vouches for what does not change.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from drivers.driver import Clock, Device, DeviceDown, DeviceUp, Event, Fresh
from drivers.opcua.config import DeviceOptions
from drivers.opcua.reading import Reading
from drivers.opcua.values import Columns
from mappings.batch import Batch

_VOUCHED_EVERY_MS = 1_000

_log = logging.getLogger(__name__)


class Answered(NamedTuple):
    """A value that was asked for, in the shape of a MonitoredItemNotification."""

    ClientHandle: int
    Value: Any


class Presence:
    """One device in one session; ``overflows`` as in `Columns`."""

    def __init__(self, device: Device, reading: Reading, now_ms: Clock) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.device = device.name
        self._tags = device.tags
        self._reading = reading
        self._now_ms = now_ms
        self._columns = Columns(
            device.name,
            device.tags,
            clock=options.time,
            max_skew_ms=options.max_skew,
            uncertain_is_bad=options.uncertain == "bad",
            layouts=reading.structures.layouts,
        )
        self._unreported = {point for members in reading.leaders.values() for point in members}
        self._up = False
        self._reason = ""
        self._vouched_ms = 0

    @property
    def overflows(self) -> int:
        """Values that came marked with a loss in the server's queue."""
        return self._columns.overflows

    def take(self, items: Iterable[Any], events: list[Event]) -> None:
        """Values: handle and DataValue of each, as in a DataChangeNotification."""
        batch = self._columns.batch(items, self._now_ms())
        if batch is not None:
            events.append(batch)
            if not self._up:
                self._unreported.difference_update(batch.points)
            if batch.natives is not None:
                self._reading.note(batch.points, batch.natives)
        if self._columns.mismatches:
            self._say_mismatches()
        self._come_up(events)

    def answered(self, leader: int, value: Any) -> Batch:
        """What one value means that was asked for: the DataValue of a leader's node."""
        batch = self._columns.batch([Answered(leader + 1, value)], self._now_ms())
        assert batch is not None
        return batch

    def vouch(self, events: list[Event]) -> None:
        """The server has just said that it lives, and with it all rows that it has."""
        now_ms = self._now_ms()
        if not self._up or 0 <= now_ms - self._vouched_ms < _VOUCHED_EVERY_MS:
            return
        self._vouched_ms = now_ms
        refused = self._reading.refused
        points = tuple(
            point
            for members in self._reading.leaders.values()
            for point in members
            if point not in refused
        )
        if points:
            events.append(Fresh(self.device, self._columns.all_of(points)))

    def refused(self, refused: dict[int, int], namespaces: Sequence[str]) -> list[Event]:
        """What it means that rows were asked for and some, newly, are refused."""
        events: list[Event] = []
        if refused:
            events.append(self._columns.bad(refused, self._now_ms()))
        # Down as a whole: the rows are not written for what runs there now.
        nothing_there = self._reading.all_refused and bool(self._reading.missing)
        if self._reading.missing:
            self._say_missing(namespaces, events, down=nothing_there and not self._up)
        if not nothing_there:
            self._unreported.difference_update(self._reading.refused)
            self._come_up(events)
        return events

    def _come_up(self, events: list[Event]) -> None:
        if not self._up and not self._unreported:
            self._up = True
            events.append(DeviceUp(self.device))

    def _say_missing(self, namespaces: Sequence[str], events: list[Event], *, down: bool) -> None:
        reason = (
            f"the server has no namespace {' or '.join(self._reading.missing)}; "
            f"it has {', '.join(namespaces)}"
        )
        if reason == self._reason:
            return
        self._reason = reason
        remedy = (
            "compare with namespaces: in the plant file; after a restart a PLC may still be "
            "loading its program, so this is asked again"
        )
        if down:
            events.append(DeviceDown(self.device, reason, remedy))
        else:
            _log.warning("%s: %s; %s", self.device, reason, remedy)

    def _say_mismatches(self) -> None:
        """Once per point and session, so that a changed PLC program does not look like silence."""
        for point, sent in self._columns.mismatches.items():
            tag = self._tags[point]
            _log.warning(
                "%s: %s at %s%s is %s on the server, the row says %s%s; it is BAD until the row is "
                "mended",
                self.device,
                tag.name,
                tag.address,
                f" {tag.element}" if tag.element else "",
                sent,
                "array of " if tag.array else "",
                tag.wire_type,
            )
        self._columns.mismatches.clear()
