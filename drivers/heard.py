"""What a link said, each event held against the contract as it is taken.

The ear of the contract suite (`drivers.contract`); tests of a single driver may use it too. What
breaks a promise of `drivers.driver` fails at the event that breaks it, by an assertion.
"""

from collections import defaultdict

from drivers.driver import DeviceDown, DeviceUp, Endpoint, Event, Fresh
from mappings.batch import Batch, Value
from mappings.datatypes import INTEGERS, TEXTS, DataType, integer_range
from mappings.datatypes import wire_type as wire_type_of
from mappings.quality import BAD, GOOD, STALE


class Heard:
    """All that a link said: last value, quality and time of each point, and the events."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._devices = {device.name: device for device in endpoint.devices}
        self.events: list[Event] = []
        self.values: dict[tuple[str, int], Value] = {}
        self.qualities: dict[tuple[str, int], int] = {}
        self.times_ms: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.up: set[str] = set()

    def take(self, event: Event) -> None:
        """Check one event against the contract, and remember it."""
        self.events.append(event)
        if isinstance(event, DeviceUp):
            self._take_up(event.device)
        elif isinstance(event, DeviceDown):
            assert event.device in self._devices
            assert event.reason, "a device that is down needs a reason for people"
            self.up.discard(event.device)
        elif isinstance(event, Fresh):
            assert event.points, "a Fresh without points says nothing"
            assert {(event.device, p) for p in event.points} <= self.values.keys()
        else:
            self._take_batch(event)

    def _take_up(self, name: str) -> None:
        assert name in self._devices
        missing = [
            tag.name
            for point, tag in enumerate(self._devices[name].tags)
            if tag.is_read and (name, point) not in self.values
        ]
        assert not missing, f"{name} is up, but nothing was said about {missing}"
        self.up.add(name)

    def _take_batch(self, batch: Batch) -> None:
        tags = self._devices[batch.device].tags
        size = len(batch.points)
        assert isinstance(batch.points, tuple)
        assert size > 0, "an empty batch says nothing"
        assert len(batch.values) == len(batch.times_ms) == size
        qualities = [GOOD] * size if batch.qualities is None else batch.qualities
        assert len(qualities) == size
        assert batch.natives is None or len(batch.natives) == size
        columns = zip(batch.points, batch.values, batch.times_ms, qualities, strict=True)
        for point, value, time_ms, quality in columns:
            assert 0 <= point < len(tags), f"{batch.device} has no point {point}"
            assert quality in {GOOD, STALE, BAD}
            key = (batch.device, point)
            assert time_ms >= self.times_ms[key], f"time of {tags[point].name} runs backwards"
            if quality == GOOD:
                assert_fits(value, tags[point].wire_type)
            self.values[key], self.qualities[key] = value, quality
            self.times_ms[key] = time_ms


def assert_fits(value: Value, wire_type: str) -> None:
    """Fail unless ``value`` is of the Python type, and in the range, of the wire type."""
    wire = wire_type_of(wire_type)
    assert wire is not None, wire_type
    datatype = wire.datatype
    assert value is not None, "a GOOD value is never None"
    if datatype is DataType.BOOLEAN:
        assert type(value) is bool
    elif datatype in TEXTS:
        assert type(value) is str
    elif datatype in INTEGERS:
        assert type(value) is int
        least, most = integer_range(datatype)
        assert least <= value <= most
    elif datatype is DataType.DATETIME:
        assert type(value) is int
    else:
        assert type(value) is float
