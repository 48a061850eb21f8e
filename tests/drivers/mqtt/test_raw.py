"""Payloads that somebody wrote down, read as messages are."""

import pytest

from drivers.mqtt.config import DeviceOptions
from drivers.mqtt.driver import MQTT
from mappings.batch import Batch
from mappings.errors import Fault
from mappings.plant.grammar import WithRaw
from mappings.quality import BAD, GOOD
from mappings.tags import Device, Tag

CAMERA = Device(
    name="Camera",
    options=DeviceOptions.model_validate(
        {
            "base": "line/vision",
            "topics": {"raw": {"format": "bytes"}, "state": {"format": "text"}},
            "time": {"at": "$.t", "format": "unix-ms"},
        }
    ),
    tags=(
        Tag(name="Width", address="part $.width", wire_type="float32"),
        Tag(name="Count", address="part $.count", wire_type="uint16"),
        Tag(name="State", address="state", wire_type="string(20)"),
        Tag(name="Frame", address="raw", wire_type="bytes(8)"),
    ),
)


def said(given: dict[str, str]) -> list[Batch | Fault]:
    assert isinstance(MQTT, WithRaw)
    return MQTT.read_raw(CAMERA, given, 1000)


def test_a_document_says_all_its_rows() -> None:
    [batch] = said({"part": '{"width": 21.5, "count": 7}'})
    assert isinstance(batch, Batch)
    assert (batch.points, list(batch.values), list(batch.times_ms)) == (
        (0, 1),
        [21.5, 7],
        [1000] * 2,
    )


@pytest.mark.parametrize("topic", ["part", "line/vision/part"])
def test_its_own_time_counts_and_what_is_missing_has_a_reason(topic: str) -> None:
    [batch] = said({topic: '{"t": 5, "width": "wide"}'})
    assert isinstance(batch, Batch)
    assert list(batch.times_ms) == [5, 5]
    assert (list(batch.values), batch.qualities) == ([None, None], [BAD, BAD])


def test_text_and_bytes_are_what_they_are() -> None:
    text, frame = said({"state": "running", "raw": "01 f4"})
    assert isinstance(text, Batch)
    assert isinstance(frame, Batch)
    assert (list(text.values), list(frame.values)) == (["running"], [b"\x01\xf4"])
    assert text.qualities in (None, [GOOD])


@pytest.mark.parametrize(
    ("given", "code", "seen", "remedy"),
    [
        ({"prat": "{}"}, "E151", "no topic 'prat'", "line/vision/part"),
        ({"part": "{width: 1}"}, "E152", "part: no JSON", "as it arrives"),
        ({"raw": "xyz"}, "E152", "'xyz' is not hexadecimal", "01 F4"),
    ],
)
def test_what_cannot_be_is_said(given: dict[str, str], code: str, seen: str, remedy: str) -> None:
    [fault] = said(given)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field) == (code, *given)
    assert seen in fault.seen
    assert remedy in fault.remedy
