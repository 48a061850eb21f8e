"""What is said about a command: what it asks for, why it is refused, what became of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.sparkplug.payload import CommandMetric
from mappings.batch import Value
from mappings.plant.definitions import Plant
from mappings.tags import Metric


class Refusal(StrEnum):
    """Why nothing is written; the word that results, audit log and counters carry."""

    UNREADABLE = "unreadable"
    RETAINED = "retained"
    HISTORICAL = "historical"
    GATE = "gate"
    UNKNOWN = "unknown"
    READ_ONLY = "read-only"
    NOT_ALLOWED = "not allowed"
    UNDATED = "undated"
    TOO_OLD = "too old"
    FUTURE = "from the future"
    REPLAYED = "replayed"
    TYPE = "type"
    LIMITS = "limits"
    CONDITION = "condition"
    RATE = "rate"
    BUSY = "busy"
    DOWN = "down"
    AUDIT = "audit"
    CHANGED = "plant changed"


class Outcome(StrEnum):
    """What became of a command that was let through."""

    CONFIRMED = "confirmed"
    """Written, and read back as it was written."""
    WRITTEN = "written"
    """The device has acknowledged it; its row is not read back."""
    UNCONFIRMED = "unconfirmed"
    """Acknowledged, but what is read back is something else, or nothing."""
    REFUSED = "refused by the device"
    UNANSWERED = "unanswered"
    """The device may or may not have done it."""
    FAILED = "failed"
    """A fault of the driver; the device may or may not have done it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One value that somebody wants written.

    ``source`` is the destination that it came from, ``device`` the device of its topic (``""`` for
    the node), ``point`` the metric that its name or alias means there, None if there is none.
    ``sent_ms`` is its own time, or that of its message; ``correlation`` what the sender called it.
    """

    source: str
    device: str
    metric: CommandMetric
    point: int | None
    sent_ms: int | None
    correlation: str = ""
    retained: bool = False

    @property
    def called(self) -> str:
        """The metric as the sender named it."""
        metric = self.metric
        alias = "" if metric.alias is None else f"alias {metric.alias}"
        name = alias if metric.name is None else metric.name
        return "/".join(part for part in (self.device, name) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A command that is not carried out: the word for it, and one line for people."""

    refusal: Refusal
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A command that may be carried out, in this plant, under permission number ``permission``.

    ``value`` is of the metric's type, ``raw`` what the device is to be given.
    """

    command: Command
    plant: Plant
    metric: Metric
    point: int
    permission: int
    value: Value
    raw: Value

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the device."""
        return next(d.metrics for d in self.plant.devices if d.name == self.device)

    @property
    def device(self) -> str:
        """The device that is written to."""
        return self.command.device

    @property
    def path(self) -> str:
        """``DEVICE/METRIC``, as the plant names it."""
        return f"{self.command.device}/{self.metric.name}"


def plain(value: Value) -> Any:
    """A value as JSON shows it: bytes in hexadecimal."""
    return value.hex() if isinstance(value, bytes) else value
