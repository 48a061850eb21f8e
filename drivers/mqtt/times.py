"""Times: when a message's values were true, told by its sender, its arrival, and what came before.

The sender's own time is believed, also an old one: a gateway in the field hands on late what it has
kept. Three of its times are not:

* none, or one that cannot be read: the arrival counts instead, with the reason `ARRIVAL_TIME`;
* one more than a minute ahead of our clock: likewise;
* one before that of the message before. It is a repetition, or came on a longer way, and what is
  newer was said already: the message is dropped and counted. Only a sender that says nothing else
  for ten seconds has set its clock back: then the arrivals count, until it is right again.

So a point's times never run backwards. Pure.
"""

from mappings.quality import Reason

AHEAD_MS = 60_000
BACK_MS = 10_000

_ARRIVAL = int(Reason.ARRIVAL_TIME)


class TopicTimes:
    """The times of one topic's messages; ``dropped`` counts those that came too late."""

    def __init__(self, *, own: bool) -> None:
        self._own = own  # whether its messages should carry a time
        self._own_ms = 0
        self._latest_ms = 0
        self._back_since_ms: int | None = None
        self.dropped = 0

    def arrival_ms(self, now_ms: int) -> int:
        """The time of what has no time of its own."""
        self._latest_ms = max(self._latest_ms, now_ms)
        return self._latest_ms

    def judge(self, own_ms: int | None, now_ms: int) -> tuple[int, int] | None:
        """The time of a message and the reason beside it; None if it is to be dropped."""
        if not self._own:
            return self.arrival_ms(now_ms), 0
        if own_ms is None or own_ms > now_ms + AHEAD_MS:
            return self.arrival_ms(now_ms), _ARRIVAL
        if own_ms < self._own_ms:
            if self._back_since_ms is None or now_ms < self._back_since_ms:
                self._back_since_ms = now_ms
            if now_ms - self._back_since_ms < BACK_MS:
                self.dropped += 1
                return None
            return self.arrival_ms(now_ms), _ARRIVAL
        self._back_since_ms = None
        self._own_ms = own_ms
        # Our own clock has spoken of this topic meanwhile, of something that had no time.
        self._latest_ms = max(self._latest_ms, own_ms)
        return self._latest_ms, 0
