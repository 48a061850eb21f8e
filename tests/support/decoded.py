"""From captured packets to samples: what a host makes of them, in forty lines and without mercy.

Aliases are resolved by the births alone; an alias, a device or a node that no birth announced is
an AssertionError, since a host could only guess.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.sparkplug.messages import Payload
from bridge.sparkplug.rules import Packet
from bridge.sparkplug.topics import Verb, parse

_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value at the host; ``verb`` is the message that brought it, ``packet`` its place."""

    verb: str
    device: str
    name: str
    value: object
    time_ms: int
    historical: bool
    quality: int | None
    packet: int


def samples(packets: Iterable[Packet]) -> list[Sample]:
    """Every value in births and data of one edge node, in the order of arrival."""
    known: dict[str, dict[int, tuple[str, int]]] = defaultdict(dict)  # device -> alias -> metric
    out = []
    for place, packet in enumerate(packets):
        topic = parse(packet.topic)
        if topic is None or topic.verb in {Verb.NCMD, Verb.DCMD, Verb.NDEATH, Verb.DDEATH}:
            continue
        device = topic.device or ""
        birth = topic.verb in {Verb.NBIRTH, Verb.DBIRTH}
        if birth:
            known[device].clear()
        for metric in Payload.FromString(packet.payload).metrics:
            if birth:
                name, datatype = metric.name, metric.datatype
                if metric.HasField("alias"):
                    known[device][metric.alias] = (name, datatype)
            else:
                name, datatype = known[device][metric.alias]
            out.append(
                Sample(
                    topic.verb.value, device, name, _value(metric, datatype), metric.timestamp,
                    metric.is_historical, _quality(metric), place,
                )
            )  # fmt: skip
    return out


def _value(metric, datatype: int) -> object:
    field = metric.WhichOneof("value")
    if field is None:
        assert metric.is_null, "neither a value nor null"
        return None
    value = getattr(metric, field)
    bits = _SIGNED_BITS.get(datatype)
    if bits is not None:
        value &= (1 << bits) - 1
        value -= (value >> bits - 1) << bits
    return value


def _quality(metric) -> int | None:
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=True):
        if key == "Quality":
            return value.int_value
    return None
