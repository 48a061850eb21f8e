"""The keys of ``commands:`` and ``rules:``; what they name is checked against the devices."""

from typing import Annotated, Literal

from pydantic import Field

from mappings.plant.scalars import Duration, Rate, Text, lasting
from mappings.plant.schema import Block

COMPARISONS = ("is", "is_not", "above", "below", "at_least", "at_most", "becomes")

Age = Annotated[Duration, lasting("1ms", "1h")]


class CommandsBlock(Block):
    """The gate; ``allow`` is read by `mappings.plant.commands`."""

    gate: Literal["open", "by-hand", "closed"] = "closed"
    max_age: Age = 5_000
    readback: Annotated[Duration, lasting("10ms", "10min")] = 2_000
    arming: Annotated[Duration, lasting("1s", "1d")] = 600_000


class AllowBlock(Block):
    """One permission, without its conditions."""

    destination: Text | None = None
    rule: Text | None = None
    write: Annotated[tuple[Text, ...], Field(min_length=1, description="[DEVICE/METRIC]")]
    rate: Rate | None = None


class RuleBlock(Block):
    """A rule, without its conditions and its action."""

    max_age: Age | None = None
    rate: Rate | None = None


class ActionBlock(Block):
    """What a rule writes, without the value."""

    pulse: Annotated[Duration, lasting("1ms", "1min")] | None = None
