"""The gate: what is written to a machine, and what is not; pure, and closed by default.

Every command takes the same steps, and the first that it fails is its answer. Nothing is tried
later: what is refused now stays refused, and its sender is told why. Times of messages are UTC of
the gateway's clock; how long ago something happened here is told by a clock that nobody sets.

A replay is known by its time: a command of a metric must be newer than the last one that was let
through, none may be older than ``max_age`` or than the gateway's own run, and those times are
forgotten only when ``max_age`` keeps them out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from bridge.commands.conditions import holds, said
from bridge.commands.permits import Permits
from bridge.commands.values import WrongType, value_of
from bridge.commands.words import Approved, Command, Denied, Refusal
from mappings.batch import Value
from mappings.catalog import Catalog
from mappings.datatypes import NUMBERS
from mappings.inverse import Refused, raw_of
from mappings.plant.definitions import Plant
from mappings.plant.permissions import Permission
from mappings.tags import Metric

_MOST_AT_ONCE = 64

Key = tuple[str, str]
"""A point for longer than one plant: its device and the id of its metric."""


@dataclass(frozen=True, slots=True)
class Now:
    """One moment: UTC and the clock of intervals, milliseconds."""

    utc_ms: int
    steady_ms: int


@dataclass(slots=True)
class Arming:
    """What a person has said about the gate, beside the plant file.

    Of a gate that is opened by hand, ``until_ms`` is when it closes by itself. ``held`` is the
    gate that somebody has shut, whatever the file says.
    """

    until_ms: int | None = None
    held: bool = False


class Gate:
    """Judges commands and remembers what it let through.

    ``unreachable`` says why a device cannot be written to now, empty if it can.
    """

    def __init__(
        self, plant: Plant, catalog: Catalog, unreachable: Callable[[str], str], now: Now
    ) -> None:
        self.permits = Permits(plant)
        self.arming = Arming()
        self._catalog = catalog
        self._unreachable = unreachable
        self._started = now
        self._let_through: dict[Key, tuple[int, int]] = {}  # its own time, and when that was
        self._used: dict[tuple[Key, Permission], int] = {}
        self._under_way: set[Key] = set()

    # --- open or not ------------------------------------------------------------------------------

    def arm(self, now: Now) -> None:
        """A person opens the gate: for a while, if the plant wants it opened by hand."""
        self.arming.held = False
        if self.permits.plant.commands.by_hand:
            self.arming.until_ms = now.steady_ms + self.permits.plant.commands.arming_ms

    def disarm(self) -> None:
        """A person shuts the gate, until a person opens it."""
        self.arming = Arming(held=True)

    def shut(self, now: Now) -> str:
        """Why the gate is shut; empty if it is open."""
        commands = self.permits.plant.commands
        if not commands.is_open:
            return "the gate is closed: the plant file has no commands: gate: open"
        if self.arming.held:
            return "the gate was shut by hand: tagbridge commands arm opens it"
        until_ms = self.arming.until_ms
        if commands.by_hand and (until_ms is None or now.steady_ms >= until_ms):
            return "the gate is opened by hand, and is not: tagbridge commands arm"
        return ""

    def renew(self, plant: Plant) -> None:
        """Another plant; what was let through is remembered, by ids."""
        self.permits = Permits(plant)

    # --- one command ------------------------------------------------------------------------------

    def judge(self, command: Command, now: Now) -> Approved | Denied:
        """Let a command through or not. What is let through is under way until `done`."""
        denied = self._of_message(command, now) or self._of_metric(command)
        if denied is not None:
            return denied
        metric, point = self._meant(command)
        key = (command.device, metric.id)
        numbers = self.permits.numbers(command.source, command.device, metric)
        if not numbers:
            why = f"no commands: allow: of {command.source} writes it"
            return Denied(refusal=Refusal.NOT_ALLOWED, why=why)
        denied = self._of_time(command, key, now)
        if denied is not None:
            return denied
        value = value_of(command.metric, metric.datatype)
        if isinstance(value, WrongType):
            return Denied(refusal=Refusal.TYPE, why=value.reason)
        denied = _of_limits(metric, value)
        if denied is not None:
            return denied
        number = self._permission(numbers, key, now)
        if isinstance(number, Denied):
            return number
        if key in self._under_way or len(self._under_way) >= _MOST_AT_ONCE:
            why = "another command is under way"
            return Denied(refusal=Refusal.BUSY, why=why)
        raw = raw_of(metric, value)
        if isinstance(raw, Refused):
            return Denied(refusal=Refusal.LIMITS, why=raw.reason)
        why = self._unreachable(command.device)
        if why:
            return Denied(refusal=Refusal.DOWN, why=why)
        assert command.sent_ms is not None
        self._let_through[key] = (command.sent_ms, now.steady_ms)
        self._used[key, self.permits.plant.commands.allow[number]] = now.steady_ms
        self._under_way.add(key)
        return Approved(
            command=command, plant=self.permits.plant, metric=metric, point=point,
            permission=number, value=value, raw=raw,
        )  # fmt: skip

    def still(self, approved: Approved, now: Now) -> Denied | None:
        """Why something that was let through a moment ago is not to be written after all."""
        if approved.plant is not self.permits.plant:
            why = "the plant has changed meanwhile"
            return Denied(refusal=Refusal.CHANGED, why=why)
        if why := self.shut(now):
            return Denied(refusal=Refusal.GATE, why=why)
        command = approved.command
        assert command.sent_ms is not None
        denied = self._of_age(command.sent_ms, now)
        if denied is None:
            permission = self.permits.plant.commands.allow[approved.permission]
            denied = self._of_conditions(permission)
        if denied is None and (why := self._unreachable(command.device)):
            denied = Denied(refusal=Refusal.DOWN, why=why)
        return denied

    def done(self, approved: Approved) -> None:
        """A command that was let through has come to its end, whatever that was."""
        self._under_way.discard((approved.device, approved.metric.id))

    @property
    def under_way(self) -> int:
        """How many commands are being carried out."""
        return len(self._under_way)

    # --- the steps --------------------------------------------------------------------------------

    def _of_message(self, command: Command, now: Now) -> Denied | None:
        if command.retained:
            why = "the broker kept it: a command is never retained"
            return Denied(refusal=Refusal.RETAINED, why=why)
        if command.metric.is_historical:
            return Denied(refusal=Refusal.HISTORICAL, why="it is marked as historical")
        why = self.shut(now)
        return Denied(refusal=Refusal.GATE, why=why) if why else None

    def _of_metric(self, command: Command) -> Denied | None:
        metrics = self.permits.metrics.get(command.device)
        if metrics is None or command.point is None:
            why = f"there is no {command.called!r} to write"
            return Denied(refusal=Refusal.UNKNOWN, why=why)
        if not metrics[command.point].writable:
            why = "its row is read only: write access: rw into it"
            return Denied(refusal=Refusal.READ_ONLY, why=why)
        return None

    def _meant(self, command: Command) -> tuple[Metric, int]:
        assert command.point is not None
        return self.permits.metrics[command.device][command.point], command.point

    def _of_time(self, command: Command, key: Key, now: Now) -> Denied | None:
        if command.sent_ms is None:
            why = "it has no timestamp, so nobody knows how old it is"
            return Denied(refusal=Refusal.UNDATED, why=why)
        denied = self._of_age(command.sent_ms, now)
        if denied is not None:
            return denied
        last = self._let_through.get(key)
        if last is not None:
            last_ms, then_ms = last
            # After twice max_age a clock was set back: its age says enough.
            remembered = now.steady_ms - then_ms <= 2 * self.permits.plant.commands.max_age_ms
            if remembered and command.sent_ms <= last_ms:
                why = "it is not newer than the last command of this metric"
                return Denied(refusal=Refusal.REPLAYED, why=why)
        return None

    def _of_age(self, sent_ms: int, now: Now) -> Denied | None:
        max_age_ms = self.permits.plant.commands.max_age_ms
        age_ms = now.utc_ms - sent_ms
        if age_ms > max_age_ms:
            why = (
                f"sent {_span(age_ms)} ago, max_age is {_span(max_age_ms)}: are both clocks right?"
            )
            return Denied(refusal=Refusal.TOO_OLD, why=why)
        if age_ms > now.steady_ms - self._started.steady_ms:
            why = "sent before this gateway was started"
            return Denied(refusal=Refusal.TOO_OLD, why=why)
        if age_ms < -max_age_ms:
            why = f"sent {_span(-age_ms)} from now: are both clocks right?"
            return Denied(refusal=Refusal.FUTURE, why=why)
        return None

    def _permission(self, numbers: list[int], key: Key, now: Now) -> int | Denied:
        """The first permission that holds now; the reason of the last one, if none does."""
        denied: Denied | None = None
        for number in numbers:
            permission = self.permits.plant.commands.allow[number]
            denied = self._of_conditions(permission) or self._of_rate(permission, key, now)
            if denied is None:
                return number
        assert denied is not None
        return denied

    def _of_conditions(self, permission: Permission) -> Denied | None:
        for condition in permission.only_if:
            point = self.permits.point_of(condition)
            metric = self.permits.metrics[condition.device][point]
            columns = self._catalog.devices[condition.device]
            if not holds(condition, metric, columns.values[point], columns.qualities[point]):
                why = f"only if {said(condition)}"
                return Denied(refusal=Refusal.CONDITION, why=why)
        return None

    def _of_rate(self, permission: Permission, key: Key, now: Now) -> Denied | None:
        if not permission.rate:
            return None
        last_ms = self._used.get((key, permission))
        pause_ms = 1000 / permission.rate
        if last_ms is not None and now.steady_ms - last_ms < pause_ms:
            why = f"one in {_span(pause_ms)} is allowed"
            return Denied(refusal=Refusal.RATE, why=why)
        return None


def _of_limits(metric: Metric, value: Value) -> Denied | None:
    if metric.enum and isinstance(value, int):
        code = int(value)
        if code not in {known for known, _ in metric.enum}:
            states = ", ".join(f"{known} {text}" for known, text in metric.enum)
            return Denied(refusal=Refusal.LIMITS, why=f"{value} is no state of it: {states}")
        return None
    if metric.datatype not in NUMBERS or not isinstance(value, int | float):
        return None
    low = metric.low if metric.write_low is None else metric.write_low
    high = metric.high if metric.write_high is None else metric.write_high
    if low is None or high is None:
        return Denied(refusal=Refusal.LIMITS, why="it has no limits")
    if not isfinite(value) or not low <= value <= high:
        why = f"{value} is not within {low:.10g} to {high:.10g}"
        return Denied(refusal=Refusal.LIMITS, why=why)
    return None


def _span(ms: float) -> str:
    """A time for people: 350 ms, 5 s, 12 min."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    for unit_ms, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if ms >= 2 * unit_ms:
            return f"{ms / unit_ms:.0f} {unit}"
    return f"{ms / 1000:.3g} s"
