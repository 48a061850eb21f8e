"""Signals: what a simulated device measures.

A `Signal` is a pure function of time: the same seed, device and metric name give the same curve
in every process, so that a demo looks alive and a test can be repeated. Simulators sample signals
on a grid of time and put the samples on the wire by code of their own. `Counting` replaces the
curves where a test must prove that not one sample is missing.

Values of a signal are in engineering units; `raw_of` takes them back through the row's scale and
offset to what a device of that wire type would hold. Both are written down here a second time on
purpose: the gateway's own mapping must not vouch for itself.
"""

import hashlib
import math
import struct
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from mappings.batch import Value
from mappings.datatypes import FLOATS, INTEGERS, TEXTS, WIRE_TYPES, DataType, integer_range
from mappings.tags import Metric, Tag

ORIGIN_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: counters count from here."""


class Shape(Enum):
    """How a signal moves."""

    SINE = "sine"
    TRIANGLE = "triangle"
    STEPS = "steps"
    WALK = "walk"
    COUNTER = "counter"
    TOGGLE = "toggle"
    TEXT = "text"
    CLOCK = "clock"


# Words in a metric's name, and how such a thing moves: shape, period in seconds, usual range.
_BY_WORD: tuple[tuple[frozenset[str], Shape, float, tuple[float, float]], ...] = (
    (
        frozenset({"total", "energy", "count", "counter", "produced", "rejects", "import"}),
        Shape.COUNTER, 1.0, (0.0, 1e9),
    ),
    (frozenset({"temperature", "temp", "bearing"}), Shape.SINE, 600.0, (15.0, 85.0)),
    (frozenset({"level", "position"}), Shape.TRIANGLE, 120.0, (0.0, 100.0)),
    (frozenset({"setpoint", "sp", "limit", "mode", "state"}), Shape.STEPS, 30.0, (0.0, 3.0)),
    (frozenset({"voltage"}), Shape.WALK, 5.0, (220.0, 240.0)),
    (frozenset({"frequency"}), Shape.WALK, 5.0, (49.9, 50.1)),
    (frozenset({"speed", "rpm"}), Shape.WALK, 10.0, (0.0, 1500.0)),
)  # fmt: skip
_OTHERWISE = (Shape.SINE, Shape.TRIANGLE, Shape.WALK)
_WORDS = ("Idle", "Starting", "Running", "Stopping", "Cleaning", "Lot 4711")


def _fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but ``parts``."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / (1 << 56)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A curve: `at` says its value at any time. Made by `signal_for`."""

    key: str
    shape: Shape
    datatype: DataType
    low: float
    high: float
    period_ms: int
    phase: float

    def at(self, t_ms: int) -> Value:
        """The value at ``t_ms`` (milliseconds since 1970), in engineering units, in the type."""
        cycles = t_ms / self.period_ms + self.phase
        match self.shape:
            case Shape.TOGGLE:
                return int(cycles * 2) % 2 == 0
            case Shape.TEXT:
                return _WORDS[int(_fraction(self.key, int(cycles)) * len(_WORDS))]
            case Shape.CLOCK:
                return t_ms - t_ms % 1000
            case Shape.COUNTER:
                return self._counted(t_ms)
            case Shape.SINE:
                part = (1 + math.sin(2 * math.pi * (cycles % 1))) / 2
            case Shape.TRIANGLE:
                part = 1 - abs(2 * (cycles % 1) - 1)
            case Shape.STEPS:
                part = int(_fraction(self.key, int(cycles)) * 4) / 3
            case Shape.WALK:
                step = math.floor(cycles)
                here, there = _fraction(self.key, step), _fraction(self.key, step + 1)
                part = here + (there - here) * (cycles - step)
        return self._in_type(self.low + part * (self.high - self.low))

    def _counted(self, t_ms: int) -> Value:
        # Rises by one step a period; at the end of the range it begins again, as registers do.
        steps = max(0, t_ms - ORIGIN_MS) // self.period_ms
        span = math.floor(self.high) - math.ceil(self.low)
        return self._in_type(math.ceil(self.low) + steps % (span + 1) if span > 0 else self.low)

    def _in_type(self, value: float) -> Value:
        if self.datatype in INTEGERS:
            return max(math.ceil(self.low), min(math.floor(self.high), round(value)))
        if self.datatype is DataType.FLOAT:
            # The neighbour in 32 bits may lie a hair outside of a limit that 32 bits cannot say.
            nearest = single(value)
            return (
                nearest if self.low <= nearest <= self.high else single((self.low + self.high) / 2)
            )
        return min(self.high, max(self.low, float(value)))


def single(value: float) -> float:
    """The 32 bit float next to ``value``."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def signal_for(
    seed: int,
    device: str,
    metric_name: str,
    datatype: DataType,
    low: float | None = None,
    high: float | None = None,
) -> Signal:
    """The signal of a metric: its type and the words of its name decide how it moves.

    ``low`` and ``high`` are in engineering units; left out, the name suggests a range. Values stay
    inside the range and inside ``datatype``.
    """
    key = f"{seed}/{device}/{metric_name}"
    phase = _fraction(key, "phase")
    words = set("".join(c if c.isalnum() else " " for c in metric_name.casefold()).split())
    shape = _OTHERWISE[int(_fraction(key, "shape") * len(_OTHERWISE))]
    period_s = 5 + 55 * _fraction(key, "period")
    usual = (0.0, 100.0)
    for known, its_shape, its_period_s, its_range in _BY_WORD:
        if words & known:
            shape, usual = its_shape, its_range
            period_s = its_period_s if shape is Shape.COUNTER else its_period_s * (0.5 + phase)
            break
    if datatype is DataType.BOOLEAN:
        shape, period_s = Shape.TOGGLE, 2 + 18 * _fraction(key, "period")
    elif datatype in TEXTS:
        shape, period_s = Shape.TEXT, 20.0
    elif datatype is DataType.DATETIME:
        shape = Shape.CLOCK
    bottom, top = (
        (usual[0] if low is None else low),
        (usual[1] if high is None else high),
    )
    if bottom > top:  # only one limit was given, and the usual range lies beyond it
        bottom, top = (bottom, bottom + 100) if high is None else (top - 100, top)
    if datatype in INTEGERS:
        least, most = integer_range(datatype)
        if max(bottom, least) >= min(top, most):  # 230 V do not fit into an int8
            bottom, top = 0, 100
        bottom, top = max(bottom, least), min(top, most)
    return Signal(
        key=key, shape=shape, datatype=datatype, low=float(bottom), high=float(top),
        period_ms=max(1, round(period_s * 1000)), phase=phase,
    )  # fmt: skip


def raw_of(value: Value, tag: Tag, metric: Metric) -> Value:
    """What a device holds when the engineering value is ``value``: (value - offset) / scale.

    Rounded to the wire type and kept inside it.
    """
    wire = WIRE_TYPES[tag.wire_type].datatype
    if not isinstance(value, int | float) or wire is DataType.BOOLEAN:
        return value
    if wire not in INTEGERS and wire not in FLOATS:
        return value
    exact = (Fraction(value) - metric.offset) / metric.scale
    if wire in INTEGERS:
        least, most = integer_range(wire)
        return max(least, min(most, round(exact)))
    return single(float(exact)) if wire is DataType.FLOAT else float(exact)


def engineering_of(raw: Value, metric: Metric) -> Value:
    """What a host must see when the device holds ``raw``: raw x scale + offset, exactly."""
    if (
        not isinstance(raw, int | float)
        or isinstance(raw, bool)
        or (metric.scale == 1 and not metric.offset)
    ):
        return raw
    exact = Fraction(raw) * metric.scale + metric.offset
    return float(exact) if metric.datatype in FLOATS else int(exact)


def counted(number: int, wire_type: str) -> Value:
    """Reading number ``number`` (1, 2, 3 ...) as a value of the wire type.

    Exact as far as the type counts (2**24 in float32), then from 0 again; a bool alternates.
    """
    datatype = WIRE_TYPES[wire_type].datatype
    if datatype is DataType.BOOLEAN:
        return number % 2 == 1
    if datatype in TEXTS:
        return str(number)
    if datatype in INTEGERS:
        return number % (integer_range(datatype)[1] + 1)
    if datatype is DataType.FLOAT:
        return float(number % (1 << 24))
    return float(number) if datatype is DataType.DOUBLE else number


class Counting:
    """A counter for each tag, moved by each successful read of that tag: no read, no gap."""

    def __init__(self) -> None:
        self._numbers: defaultdict[tuple[str, str], int] = defaultdict(int)

    def next(self, device: str, tag: Tag) -> Value:
        """The value that this read sees."""
        self._numbers[device, tag.name] += 1
        return counted(self._numbers[device, tag.name], tag.wire_type)

    def served(self, device: str, tag: str) -> int:
        """How many reads of this tag were answered."""
        return self._numbers[device, tag]
