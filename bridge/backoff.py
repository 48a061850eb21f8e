"""Backoff: how long to wait before the next try, for links and brokers alike.

Delays double from ``first_s`` to ``most_s``, each drawn between half of it and the whole, so that
fifty gateways that lost one broker do not come back in step.
"""

from random import Random


class Backoff:
    """The delays of one peer. `reset` after a connection that proved itself."""

    def __init__(self, *, first_s: float, most_s: float, random: Random | None = None) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._random = random or Random()  # noqa: S311  # spreads load, guards nothing
        self._tries = 0

    def reset(self) -> None:
        """The peer answered: the next delay is the first again."""
        self._tries = 0

    @property
    def fresh(self) -> bool:
        """Whether the peer answered since the last delay."""
        return self._tries == 0

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        whole = min(self._most_s, self._first_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return self._random.uniform(whole / 2, whole)
