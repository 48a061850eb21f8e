"""What commands and rules may do, once it is known to be right: frozen, all names resolved.

A point is named by its device and its metric. Durations are milliseconds, rates times per second,
0 where there is none.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A comparison of one metric with one value; false while the metric is not GOOD.

    ``comparison`` is ``is``, ``is_not``, ``above``, ``below``, ``at_least``, ``at_most``, or
    ``becomes`` for the change to a value. ``value`` is in the metric's unit; of an enum it is the
    text, and ``code`` its number.
    """

    device: str
    metric: str
    comparison: str
    value: bool | float | str
    code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Who may write what: one of ``destination`` and ``rule`` is empty.

    ``write`` are patterns over ``DEVICE/METRIC``.
    """

    destination: str = ""
    rule: str = ""
    write: tuple[str, ...]
    only_if: tuple[Condition, ...] = ()
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The gate that every write goes through, closed unless somebody wrote otherwise.

    ``gate`` is ``open``, ``closed``, or ``by-hand``: open only for ``arming_ms`` after a person has
    said so.
    """

    gate: str = "closed"
    max_age_ms: int = 5_000
    readback_ms: int = 2_000
    arming_ms: int = 600_000
    allow: tuple[Permission, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether anything ever passes."""
        return self.gate != "closed"

    @property
    def by_hand(self) -> bool:
        """Whether a person must open it first."""
        return self.gate == "by-hand"


CLOSED = Commands()


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a rule writes to one point: a value, a pulse of so many milliseconds, or a copy."""

    device: str
    metric: str
    value: bool | float | str | None = None
    pulse_ms: int = 0
    copy: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When something is so, something is written; ``max_age_ms`` is of the value that fires it."""

    name: str
    when: Condition
    then: Action
    only_if: tuple[Condition, ...] = ()
    max_age_ms: int = 0
    rate: float = 0.0
