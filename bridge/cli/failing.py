"""Failing: how a command tells people that it cannot do what they want: what, and what to do."""

from collections.abc import Mapping
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from mappings.errors import nearest

T = TypeVar("T")


def failed(seen: str, remedy: str = "") -> int:
    """Say it on standard error; the exit code 1."""
    said = f"{seen}\n    {remedy}" if remedy else seen
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(said))
    return 1


def known(name: str, choices: Mapping[str, T], what: str) -> T | None:
    """What has this name; None after saying that nothing has, with the nearest that does."""
    if name not in choices:
        meant = nearest(name, choices)
        there = ", ".join(choices) or "none"
        failed(
            f"no {what} {name!r} in this plant",
            f"did you mean {meant!r}?" if meant else f"there are: {there}",
        )
    return choices.get(name)
