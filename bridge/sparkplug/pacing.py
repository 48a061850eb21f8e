"""Pacing: how much may be unfenced at once, and how fast a backlog may go; pure.

What is on its way is bounded in time, not in bytes: on a slow line, 400 kB in flight delay the
keep-alive until the broker gives a healthy connection up. The window therefore grows while fences
come back well within the target and shrinks when they do not.
"""

_LEAST_BYTES = 8 << 10
_FIRST_BYTES = 64 << 10
_MOST_BYTES = 4 << 20


class Window:
    """Bytes published and not yet fenced. The target is 500 ms, at most a quarter keep-alive."""

    __slots__ = ("_limit", "_target_ms", "_was_full", "unfenced")

    def __init__(self, keep_alive_ms: int) -> None:
        self._target_ms = min(500, keep_alive_ms // 4)
        self._limit = _FIRST_BYTES
        self._was_full = False
        self.unfenced = 0

    @property
    def is_open(self) -> bool:
        """Whether more may be published."""
        if self.unfenced >= self._limit:
            self._was_full = True
            return False
        return True

    @property
    def room(self) -> int:
        """Bytes that fit."""
        return max(0, self._limit - self.unfenced)

    def published(self, size: int) -> None:
        """A message was handed to the connection."""
        self.unfenced += size

    def fenced(self, size: int, took_ms: int) -> None:
        """The broker has read ``size`` bytes, ``took_ms`` after the last of them was published."""
        self.unfenced -= size
        if took_ms > self._target_ms:
            self._limit = max(_LEAST_BYTES, self._limit // 2)
        elif self._was_full and took_ms * 2 < self._target_ms:
            self._limit = min(_MOST_BYTES, self._limit * 2)
        self._was_full = False


class Allowance:
    """How many samples of backlog may go now, for a rate in samples per second (None: any).

    It is given out in helpings of 50 ms and more, because a message for each sample would cost
    more than the rate is meant to save; what was not used is kept for a quarter of a second.
    """

    __slots__ = ("_burst", "_filled_ms", "_helping", "_level", "_rate")

    def __init__(self, rate: float | None, now_ms: int) -> None:
        self._rate = rate
        self._helping = max(1.0, (rate or 0) / 20)
        self._burst = max(1.0, (rate or 0) / 4)
        self._level = self._helping
        self._filled_ms = now_ms

    def take_up_to(self, most: int, now_ms: int) -> int:
        """The number of samples that may be taken now."""
        if self._rate is None:
            return most
        grown = self._level + self._rate * (now_ms - self._filled_ms) / 1000
        self._level = min(self._burst, grown)
        self._filled_ms = now_ms
        return min(most, int(self._level)) if self._level >= self._helping else 0

    def used(self, samples: int) -> None:
        """So many were sent; may overdraw, a record is not divided."""
        if self._rate is not None:
            self._level -= samples

    def wait_ms(self) -> int:
        """How long until the next helping."""
        if self._rate is None or self._level >= self._helping:
            return 0
        return int(1000 * (self._helping - self._level) / self._rate) + 1
