"""Captures: packets in a file, as a subscriber received them, to be judged again elsewhere.

A text file of JSON lines, one for each packet: time (ms since 1970), topic, QoS, retain, and the
payload in base64; ``{"gap": true}`` where packets may be missing because the subscriber was away.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from bridge.sparkplug.rules import Packet

GAP = None
"""Stands in a capture where packets may be missing."""


class CaptureError(ValueError):
    """A file is no capture; says in which line and what was seen."""


def write(file: TextIO, packet: Packet | None) -> None:
    """One packet, or `GAP`."""
    line: dict[str, Any] = {"gap": True}
    if packet is not None:
        line = {
            "t": packet.time_ms, "topic": packet.topic, "qos": packet.qos, "retain": packet.retain,
            "payload": base64.b64encode(packet.payload).decode(),
        }  # fmt: skip
    file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(lines: Iterable[str]) -> Iterator[Packet | None]:
    """The packets of a capture, and `GAP`; raises `CaptureError`."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            yield GAP if said.get("gap") is True else _packet(said)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CaptureError(
                f"line {number}: {line.strip()[:60]!r} is no packet of a capture"
            ) from error


def _packet(said: dict[str, Any]) -> Packet:
    topic, qos, retain, time_ms = said["topic"], said["qos"], said["retain"], said["t"]
    wanted = ((topic, str), (qos, int), (retain, bool), (time_ms, int))
    if any(type(value) is not kind for value, kind in wanted):
        raise TypeError("another kind of value")
    try:
        payload = base64.b64decode(said["payload"], validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    return Packet(topic, payload, qos, retain, time_ms)
