"""Decodes Sparkplug packets with pysparkplug, a decoder that others wrote.

Run with the Python of an environment of its own (pysparkplug needs paho-mqtt 1.x). Reads one JSON
object a line, ``{"topic": ..., "payload": hex}``, in the order of capture, and writes one a line:
``{"verb", "seq", "timestamp_ms", "bd_seq", "metrics": [...]}``, or ``{"error": ...}`` where
pysparkplug cannot read a packet. Imports nothing of the product.
"""

import datetime as dt
import json
import sys
from typing import Any

import pysparkplug

BIRTHS = (pysparkplug.NBirth, pysparkplug.DBirth)


def plain(value: Any) -> Any:
    """A value as JSON has it: times as milliseconds, bytes in hex, arrays as lists."""
    if isinstance(value, tuple):
        return [plain(element) for element in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime):
        return round(value.timestamp() * 1000)
    return value


def decoded(line: dict[str, str], births: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """One packet; births are remembered for the DATA that follows."""
    topic = pysparkplug.Topic.from_str(line["topic"])
    owner = (topic.group_id, topic.edge_node_id, topic.device_id or "")
    kind = topic.message_type.payload
    payload = kind.decode(bytes.fromhex(line["payload"]), birth=births.get(owner))
    if isinstance(payload, BIRTHS):
        births[owner] = payload
    return {
        "verb": topic.message_type.name,
        "seq": getattr(payload, "seq", None),
        "timestamp_ms": getattr(payload, "timestamp", None),
        "bd_seq": getattr(getattr(payload, "bd_seq_metric", None), "value", None),
        "metrics": [
            {
                "name": metric.name,
                "alias": metric.alias,
                "datatype": int(metric.datatype),
                "value": plain(metric.value),
                "timestamp_ms": metric.timestamp,
                "historical": metric.is_historical,
                "null": metric.is_null,
            }
            for metric in getattr(payload, "metrics", ())
        ],
    }


def main() -> None:
    """Filter standard input to standard output."""
    births: dict[tuple[str, ...], Any] = {}
    for text in sys.stdin:
        try:
            answer = decoded(json.loads(text), births)
        except Exception as error:  # noqa: BLE001 - whatever the witness raises is its testimony
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
