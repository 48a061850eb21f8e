"""Raw: what a device would say if its topics held what somebody wrote down. Pure.

For cases of a mapping: ``line/vision: '{"width": 21.5}'``, a payload by its topic, as rows write it
or in full. Of topics with payloads of bytes it is written in hexadecimal: ``01 F4``.
"""

from collections.abc import Mapping

from drivers.mqtt.config import DeviceOptions
from drivers.mqtt.documents import MalformedError
from drivers.mqtt.values import TopicRows, topics_of
from mappings.batch import Batch
from mappings.errors import Fault, nearest
from mappings.quality import BAD, GOOD
from mappings.tags import Device


def read_raw(device: Device, given: Mapping[str, str], now_ms: int) -> list[Batch | Fault]:
    """See `mappings.plant.grammar.WithRaw`."""
    options = device.options
    assert isinstance(options, DeviceOptions)
    topics = topics_of(options, device.tags)
    found: list[Batch | Fault] = []
    for key, text in given.items():
        rows = topics.get(options.topic(key)) or topics.get(key)
        if rows is None:
            meant = nearest(key, topics)
            remedy = f"did you mean {meant!r}?" if meant else f"its topics: {', '.join(topics)}"
            seen = f"{device.name!r} reads no topic {key!r}"
            found.append(Fault(code="E151", field=key, seen=seen, remedy=remedy))
        else:
            found.append(_said(device.name, key, rows, text, now_ms))
    return found


def _said(device: str, key: str, rows: TopicRows, text: str, now_ms: int) -> Batch | Fault:
    try:
        reading = rows.read(bytes.fromhex(text) if rows.format == "bytes" else text.encode())
    except MalformedError as error:
        return Fault(
            code="E152", field=key, seen=f"{key}: {error}", remedy="write the payload as it arrives"
        )
    except ValueError:
        seen = f"{key}: {text!r} is not hexadecimal"
        return Fault(code="E152", field=key, seen=seen, remedy="write the bytes so: 01 F4")
    reasons = reading.reasons
    time_ms = now_ms if reading.own_ms is None else reading.own_ms
    return Batch(
        device,
        rows.points,
        reading.values,
        [time_ms] * len(rows.points),
        None if reasons is None else [BAD if reason else GOOD for reason in reasons],
        reasons=reasons,
    )
