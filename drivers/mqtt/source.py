"""Source: one device behind a broker, from its messages to batches, up and down. Pure.

MQTT has no poll: a device that says nothing may be well or dead. So it is up when it has spoken
since the link was opened: a value, or the right word on its ``alive`` topic. What was not heard
within a second after that is reported as having no value, and the device is up, complete. It is
down when its ``alive`` topic says another word, or after ``silence``; then it has to speak again.

What a device says while its ``alive`` topic calls it gone (the broker's retained messages, for
one) is kept back, and told when it is there again.
"""

from collections import deque
from collections.abc import Sequence

from drivers.driver import Device, DeviceDown, DeviceUp, Event
from drivers.mqtt.config import DeviceOptions
from drivers.mqtt.documents import MalformedError
from drivers.mqtt.times import TopicTimes
from drivers.mqtt.values import Reading, TopicRows, topics_of
from mappings.batch import Batch
from mappings.quality import BAD, GOOD, Reason

SETTLE_S = 1.0
"""How long a device that has begun to speak may take until all its topics were heard."""
UNHEARD_S = 30.0
"""After so long without a word it is told that a device was never heard."""
SEQUENCES_KEPT = 64

_DEVICE_ERROR = int(Reason.DEVICE_ERROR)
_NO_VALUE = int(Reason.NO_VALUE)
_WRONG_TYPE = int(Reason.WRONG_TYPE)


class _Topic:
    """One topic: its rows, its times, the numbers of its last messages, its last batch."""

    def __init__(self, rows: TopicRows) -> None:
        self.rows = rows
        self.times = TopicTimes(own=rows.timed)
        self.numbers: deque[int | str] = deque(maxlen=SEQUENCES_KEPT)
        self.last: Batch | None = None
        self.heard = False  # since the device began to speak
        self.reported = False  # likewise
        self.malformed = False


class Source:
    """One device. ``at_s`` is any clock that never jumps, ``now_ms`` ours since 1970.

    ``notes`` are lines for the log, one for each change of a state; whoever logs them empties it.
    """

    def __init__(self, device: Device, at_s: float) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.name = device.name
        self.notes: list[str] = []
        self.duplicates = self.malformed = self.ignored = 0
        self._options = options
        self._topics = {
            topic: _Topic(rows) for topic, rows in topics_of(options, device.tags).items()
        }
        alive = options.alive
        self._alive_topic = options.topic(alive.topic) if alive and alive.topic else None
        self._alive_word = alive.says if alive else ""
        self._silence_s = alive.silence / 1000 if alive else 0.0
        self._called: str | None = None  # what the alive topic said last
        self._up = False
        self._spoke_s: float | None = None  # when it began to speak, since it was down
        self._heard_s = at_s
        self._opened_s = at_s
        self._told_unheard = False
        self._refused: set[str] = set()

    @property
    def topics(self) -> list[str]:
        """What to subscribe to."""
        return list(dict.fromkeys([*self._topics, *filter(None, [self._alive_topic])]))

    @property
    def qos(self) -> int:
        """Of its subscriptions."""
        return self._options.qos

    @property
    def late(self) -> int:
        """Messages that came after newer ones, and were dropped."""
        return sum(topic.times.dropped for topic in self._topics.values())

    def take(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int, at_s: float
    ) -> list[Event]:
        """What a message means."""
        events: list[Event] = []
        if topic == self._alive_topic:
            self._take_word(payload, at_s, events)
        known = self._topics.get(topic)
        if known is not None:
            if retained and self._options.retained == "ignore":
                self.ignored += 1
            else:
                self._take_values(topic, known, payload, now_ms, at_s, events)
        self._settle(now_ms, at_s, events)
        return events

    def tick(self, now_ms: int, at_s: float) -> list[Event]:
        """What time alone means; to be asked several times a second."""
        events: list[Event] = []
        self._settle(now_ms, at_s, events)
        if self._up and self._silence_s and at_s - self._heard_s > self._silence_s:
            self._down(
                f"nothing heard on {self._where} for {self._silence_s:g} s",
                "is the device on? alive: {silence: …} says how long it may be silent",
                events,
            )
        elif (
            not self._told_unheard
            and self._spoke_s is None
            and at_s - self._opened_s > max(UNHEARD_S, self._silence_s)
        ):
            self._down(
                f"nothing heard on {self._where} since the connection was made",
                "is the device on, and is base right? topics tell capitals from small letters",
                events,
            )
        return events

    def refused(self, topics: Sequence[str], now_ms: int, at_s: float) -> list[Event]:
        """The broker refuses these subscriptions: their points have no value.

        May be said again and again; only what is new becomes an event.
        """
        events: list[Event] = []
        if set(topics) == self._refused:
            return events
        fresh = set(topics) - self._refused
        self._refused = set(topics)
        for name in fresh:
            known = self._topics.get(name)
            if known is not None:
                known.heard = True
                batch = self._bad(known, _DEVICE_ERROR, known.times.arrival_ms(now_ms))
                self._report(known, batch, events)
        if fresh and self._refused >= self._topics.keys():
            self._down(
                f"the broker refuses to let us read {self._where}",
                "give this user the right to read these topics in the broker's access list",
                events,
            )
        self._settle(now_ms, at_s, events)
        return events

    @property
    def _where(self) -> str:
        base = self._options.base
        return f"{base}/#" if base else next(iter(self._topics), "any topic")

    @property
    def _gone(self) -> bool:
        return self._called is not None and self._called != self._alive_word

    def _take_word(self, payload: bytes, at_s: float, events: list[Event]) -> None:
        word = payload[:200].decode(errors="replace").strip()
        before, self._called = self._called, word
        if not self._gone:
            self._spoken(at_s)
        elif word != before:
            for topic in self._topics.values():
                topic.numbers.clear()  # it may count anew, if it starts anew
            self._down(
                f"{self._alive_topic} says {word[:40]!r}",
                f"the device is off, or has lost its broker; it is there at {self._alive_word!r}",
                events,
            )

    def _take_values(
        self,
        name: str,
        topic: _Topic,
        payload: bytes,
        now_ms: int,
        at_s: float,
        events: list[Event],
    ) -> None:
        try:
            reading = topic.rows.read(payload)
        except MalformedError as error:
            self.malformed += 1
            if not topic.malformed:
                topic.malformed = True
                self.notes.append(f"{name}: {error}; its points are BAD until it is readable")
            batch = self._bad(topic, _WRONG_TYPE, topic.times.arrival_ms(now_ms))
        else:
            if reading.number is not None and reading.number in topic.numbers:
                self.duplicates += 1
                return
            judged = topic.times.judge(reading.own_ms, now_ms)
            if judged is None:
                return  # counted there
            if reading.number is not None:
                topic.numbers.append(reading.number)
            if topic.malformed:
                topic.malformed = False
                self.notes.append(f"{name}: readable again")
            batch = self._batch(topic, reading, *judged)
        topic.last, topic.heard = batch, True
        if not self._gone:
            self._spoken(at_s)
            self._report(topic, batch, events)

    def _report(self, topic: _Topic, batch: Batch, events: list[Event]) -> None:
        topic.reported = True
        events.append(batch)

    def _spoken(self, at_s: float) -> None:
        self._heard_s = at_s
        if self._spoke_s is None:
            self._spoke_s = at_s

    def _settle(self, now_ms: int, at_s: float, events: list[Event]) -> None:
        """Up, as soon as all was heard, or long enough after something was."""
        if self._up or self._gone or self._spoke_s is None:
            return
        topics = self._topics.values()
        complete = all(topic.heard for topic in topics) and (
            self._alive_topic is None or self._called is not None
        )
        if not complete and at_s - self._spoke_s < SETTLE_S:
            return
        for topic in topics:
            if topic.reported:
                continue
            if topic.last is not None and (topic.heard or self._options.retained == "last-known"):
                self._report(topic, topic.last, events)
            else:
                time_ms = topic.times.arrival_ms(now_ms)
                self._report(topic, self._bad(topic, _NO_VALUE, time_ms), events)
        self._up = True
        events.append(DeviceUp(self.name))

    def _batch(self, topic: _Topic, reading: Reading, time_ms: int, about_time: int) -> Batch:
        points, values, reasons = topic.rows.points, reading.values, reading.reasons
        qualities = None
        if reasons is not None:
            qualities = [GOOD if reason == 0 else BAD for reason in reasons]
            reasons = [reason or about_time for reason in reasons]
        elif about_time:
            reasons = [about_time] * len(points)
        times_ms = [time_ms] * len(points)
        return Batch(self.name, points, values, times_ms, qualities, None, reasons=reasons)

    def _bad(self, topic: _Topic, reason: int, time_ms: int) -> Batch:
        points = topic.rows.points
        size = len(points)
        return Batch(
            self.name, points, [None] * size, [time_ms] * size, [BAD] * size, None,
            reasons=[reason] * size,
        )  # fmt: skip

    def _down(self, reason: str, remedy: str, events: list[Event]) -> None:
        self._up = False
        self._spoke_s = None
        self._told_unheard = True
        for topic in self._topics.values():
            topic.heard = topic.reported = False
        events.append(DeviceDown(self.name, reason, remedy))
