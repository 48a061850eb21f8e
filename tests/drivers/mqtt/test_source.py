"""One device's story: its messages, its silence, its repetitions, on a clock of the test's own."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.driver import Device, DeviceDown, DeviceUp, Event
from drivers.heard import Heard
from drivers.mqtt.source import SETTLE_S, UNHEARD_S, Source
from mappings.batch import Batch
from mappings.quality import BAD, GOOD, Reason
from tests.support.mqtt import definition, endpoint, row

T0 = 1_795_000_000_000
ROWS = (
    row("Defect", "bool", "result $.defect"),
    row("Class", "string", "result $.boxes[0].class"),
    row("Count", "uint32", "stats $.count"),
)


class Story:
    """A source, its clock, and all that it said, held against the contract."""

    def __init__(self, tags=ROWS, **options: Any) -> None:
        options.setdefault("base", "line/7")
        camera = definition("Camera", tags, **options)
        self.heard = Heard(endpoint("mqtt://nowhere", [camera]))
        self.at_s = 1000.0
        self.source = Source(
            Device(name=camera.name, options=camera.options, tags=camera.tags), self.at_s
        )

    @property
    def now_ms(self) -> int:
        return T0 + round((self.at_s - 1000) * 1000)

    def wait(self, seconds: float) -> list[Event]:
        events = []
        until_s = self.at_s + seconds
        while self.at_s < until_s:
            self.at_s = min(until_s, self.at_s + 0.25)
            events += self._taken(self.source.tick(self.now_ms, self.at_s))
        return events

    def say(self, topic: str, payload: Any, *, retained: bool = False) -> list[Event]:
        if not isinstance(payload, bytes):
            payload = json.dumps(payload).encode()
        return self._taken(
            self.source.take(
                f"line/7/{topic}", payload, retained=retained, now_ms=self.now_ms, at_s=self.at_s
            )
        )

    def result(self, *, retained: bool = False, **more: Any) -> list[Event]:
        document = {"defect": True, "boxes": [{"class": "scratch"}], **more}
        return self.say("result", document, retained=retained)

    def stats(self, count: int = 1, *, retained: bool = False) -> list[Event]:
        return self.say("stats", {"count": count}, retained=retained)

    @property
    def up(self) -> bool:
        return "Camera" in self.heard.up

    def value(self, point: int):
        return self.heard.values["Camera", point]

    def reason(self, point: int) -> Reason:
        """What was said last about a point."""
        for event in reversed(self.heard.events):
            if isinstance(event, Batch) and point in event.points:
                at = event.points.index(point)
                return Reason(event.reasons[at] if event.reasons else 0)
        raise AssertionError("never reported")

    def _taken(self, events: list[Event]) -> list[Event]:
        for event in events:
            self.heard.take(event)
        return events


ALIVE = {"topic": "status", "is": "online", "silence": "10s"}


def test_it_subscribes_to_its_topics_and_to_the_one_that_says_it_lives():
    assert Story(alive=ALIVE).source.topics == ["line/7/result", "line/7/stats", "line/7/status"]


def test_up_as_soon_as_all_its_topics_were_heard():
    story = Story()
    assert [type(event) for event in story.result()] == [Batch]
    assert [type(event) for event in story.stats()] == [Batch, DeviceUp]
    assert (story.value(0), story.value(1), story.value(2)) == (True, "scratch", 1)
    assert set(story.heard.qualities.values()) == {GOOD}


def test_batches_are_plain_and_of_the_same_points_each_time():
    story = Story()
    (first,) = story.result()
    (second,) = story.result()
    assert isinstance(first, Batch)
    assert isinstance(second, Batch)
    assert first.plain
    assert first.points is second.points
    assert list(first.times_ms) == [T0, T0]


def test_what_is_not_heard_soon_has_no_value_and_the_device_is_up():
    story = Story()
    story.result()
    assert story.wait(SETTLE_S - 0.1) == []
    assert story.wait(0.3)
    assert story.up
    assert (story.heard.qualities["Camera", 2], story.reason(2)) == (BAD, Reason.NO_VALUE)
    assert story.value(0) is True
    story.stats()
    assert story.heard.qualities["Camera", 2] == GOOD


def test_a_device_that_says_nothing_is_told_once_and_never_up():
    story = Story()
    events = story.wait(3 * UNHEARD_S)
    (down,) = events
    assert isinstance(down, DeviceDown)
    assert "line/7/#" in down.reason
    assert "base" in down.remedy
    story.result()
    story.stats()
    assert story.up


def test_retained_messages_may_be_ignored():
    story = Story(retained="ignore")
    assert story.result(retained=True) == []
    assert story.stats(retained=True) == []
    assert story.source.ignored == 2
    assert not story.up
    assert story.result()


def test_or_count_as_what_was_known_last():
    story = Story()
    story.result(retained=True)
    story.stats(retained=True)
    assert story.up


def test_another_word_on_the_alive_topic_takes_it_down_and_the_right_one_up_again():
    story = Story(alive=ALIVE)
    story.say("status", b"online", retained=True)
    story.result()
    story.stats()
    assert story.up
    (down,) = story.say("status", b"offline")
    assert isinstance(down, DeviceDown)
    assert "line/7/status says 'offline'" in down.reason
    assert story.say("status", b"offline") == []
    assert story.say("status", b"online\n") == []
    assert story.wait(SETTLE_S + 0.3)  # what it knew last
    assert story.up
    assert story.value(2) == 1


def test_back_again_without_last_known_values_there_are_none():
    story = Story(alive=ALIVE, retained="ignore")
    story.say("status", b"online", retained=True)
    story.result()
    story.stats()
    story.say("status", b"offline")
    story.say("status", b"online")
    story.result()
    story.wait(SETTLE_S + 0.3)
    assert story.up
    assert story.heard.qualities["Camera", 0] == GOOD
    assert story.reason(2) is Reason.NO_VALUE


def test_what_is_said_while_it_is_called_gone_is_kept_until_it_is_back():
    story = Story(alive=ALIVE)
    story.say("status", b"offline", retained=True)
    assert story.result(retained=True) == []
    assert story.stats(7, retained=True) == []
    assert story.wait(UNHEARD_S * 2) == []
    assert not story.up
    events = story.say("status", b"online")
    assert [type(event) for event in events] == [Batch, Batch, DeviceUp]
    assert story.value(2) == 7


def test_the_alive_topic_alone_proves_life_but_no_values():
    story = Story(alive=ALIVE)
    story.say("status", b"online")
    story.wait(SETTLE_S + 0.3)
    assert story.up
    assert {story.reason(point) for point in range(3)} == {Reason.NO_VALUE}


def test_a_row_may_read_the_alive_topic_itself():
    tags = (row("Status", "string", "status"),)
    story = Story(tags, format="text", alive={"topic": "status", "is": "online"})
    assert [type(e) for e in story.say("status", b"online")] == [Batch, DeviceUp]
    assert story.value(0) == "online"


def test_silence_takes_it_down_and_any_word_up_again():
    story = Story(alive={"silence": "10s"})
    story.result()
    story.stats()
    assert story.wait(9.9) == []
    (down,) = story.wait(0.5)
    assert isinstance(down, DeviceDown)
    assert "10 s" in down.reason
    assert story.wait(60) == []
    story.result()
    assert not story.up
    story.stats()
    assert story.up


def test_words_on_the_alive_topic_end_silence():
    story = Story(alive=ALIVE)
    story.say("status", b"online")
    story.wait(SETTLE_S + 0.3)
    for _ in range(10):
        assert story.wait(8) == []
        story.say("status", b"online")
    assert story.up


def test_a_number_that_was_seen_is_dropped_and_counted():
    story = Story(sequence="$.frame")
    assert story.result(frame=88211)
    assert story.result(frame=88211, defect=False) == []
    assert story.value(0) is True
    assert story.source.duplicates == 1
    assert story.result(frame=88210)  # on another way, but not said before
    assert story.result(frame=88212)
    assert story.result(frame=88211) == []
    assert story.result()  # without a number nothing can be said
    assert story.result()


def test_numbers_are_those_of_one_topic_and_of_one_life():
    story = Story(sequence="$.frame", alive=ALIVE)
    story.say("status", b"online")
    assert story.result(frame=1)
    assert story.say("stats", {"count": 1, "frame": 1})
    story.say("status", b"offline")
    story.say("status", b"online")
    assert story.result(frame=1)


def test_repetitions_are_no_sign_of_life():
    story = Story(sequence="$.frame", alive={"silence": "10s"})
    story.result(frame=1)
    story.stats()
    for _ in range(20):
        story.result(frame=1)
        story.wait(0.75)
    assert not story.up


def test_a_malformed_payload_is_bad_and_told_once():
    story = Story()
    story.result()
    story.stats()
    story.say("result", b"{")
    story.say("result", b"{{")
    assert [story.reason(p) for p in (0, 1, 2)] == [
        Reason.WRONG_TYPE, Reason.WRONG_TYPE, Reason.NONE,
    ]  # fmt: skip
    assert story.heard.qualities["Camera", 0] == BAD
    assert story.source.malformed == 2
    assert len(story.source.notes) == 1
    assert "line/7/result: no JSON" in story.source.notes[0]
    story.result()
    assert story.source.notes[1:] == ["line/7/result: readable again"]
    assert story.heard.qualities["Camera", 0] == GOOD


def test_one_wrong_value_does_not_spoil_the_others():
    story = Story()
    (batch,) = story.result(boxes=[])
    assert isinstance(batch, Batch)
    assert list(batch.values) == [True, None]
    assert list(batch.qualities or ()) == [GOOD, BAD]
    assert list(batch.reasons or ()) == [Reason.NONE, Reason.NO_VALUE]


def test_a_message_without_its_time_is_good_with_a_reason():
    story = Story(time={"at": "$.ts", "format": "unix-ms"})
    (batch,) = story.result(ts=T0 - 300)
    assert isinstance(batch, Batch)
    assert (list(batch.times_ms), batch.reasons) == ([T0 - 300] * 2, None)
    story.wait(0.25)
    (batch,) = story.result()
    assert isinstance(batch, Batch)
    assert batch.qualities is None
    assert list(batch.reasons or ()) == [Reason.ARRIVAL_TIME] * 2
    assert list(batch.times_ms) == [story.now_ms] * 2


def test_a_replayed_message_is_dropped_and_counted():
    story = Story(time={"at": "$.ts", "format": "unix-ms"})
    story.result(ts=T0)
    assert story.result(ts=T0 - 5_000, defect=False) == []
    assert story.value(0) is True
    assert story.source.late == 1


def test_a_value_that_was_missing_a_moment_ago_may_be_a_little_older():
    story = Story(time={"at": "$.ts", "format": "unix-ms"})
    story.say("result", {})
    story.wait(SETTLE_S + 0.3)  # stats has no value now, by our clock
    story.say("stats", {"count": 5, "ts": story.now_ms - 900})
    assert (story.value(2), story.heard.qualities["Camera", 2]) == (5, GOOD)


def test_refused_subscriptions_are_bad_points_and_all_of_them_a_device_that_is_down():
    story = Story()
    events = story.source.refused(["line/7/stats"], story.now_ms, story.at_s)
    story._taken(events)
    assert story.reason(2) is Reason.DEVICE_ERROR
    assert story.source.refused(["line/7/stats"], story.now_ms, story.at_s) == []
    story.result()
    assert story.up
    both = ["line/7/stats", "line/7/result"]
    *_, down = story._taken(story.source.refused(both, story.now_ms, story.at_s))
    assert isinstance(down, DeviceDown)
    assert "refuses" in down.reason


WORDS = st.sampled_from(
    [b"online", b"offline", b"", b"{", b'{"defect":true,"ts":1795000000000}', b'{"count":3}',
     b'{"count":-1,"frame":7}', b'{"defect":1,"frame":7,"ts":1795000001000}'],
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.sampled_from(["result", "stats", "status"]), WORDS, st.booleans()),
    st.floats(0.1, 15),
)


@pytest.mark.parametrize("retained", ["ignore", "last-known"])
@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_and_when_the_contract_is_kept(retained, steps):
    story = Story(
        alive=ALIVE, retained=retained, sequence="$.frame",
        time={"at": "$.ts", "format": "unix-ms"},
    )  # fmt: skip
    for step in steps:
        if isinstance(step, float):
            story.wait(step)
        else:
            story.say(step[0], step[1], retained=step[2])
    for _ in range(2):
        story.say("status", b"online")
        story.wait(SETTLE_S + 0.5)
    assert story.up
