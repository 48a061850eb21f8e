"""The clock: time stamps that do not run backwards for a jitter of the system's clock.

Values are stamped with UTC. A step back of up to two seconds (NTP stepping) is ridden out by
standing still; a larger one is a correction that must be followed, or every stamp would be wrong
until the clock caught up.
"""

import time

_RIDE_OUT_MS = 2_000


class SystemClock:
    """Milliseconds since 1970, UTC, floored; and a monotonic count for durations."""

    def __init__(self) -> None:
        self._last_ms = 0

    def now_ms(self) -> int:
        """The time for a stamp."""
        wall_ms = time.time_ns() // 1_000_000
        if self._last_ms - _RIDE_OUT_MS <= wall_ms < self._last_ms:
            return self._last_ms
        self._last_ms = wall_ms
        return wall_ms

    @staticmethod
    def monotonic_ms() -> int:
        """Milliseconds of a clock that nobody sets."""
        return time.monotonic_ns() // 1_000_000
