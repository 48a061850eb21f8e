"""Sizes: how large births can become, before any is sent; pure.

A birth is one MQTT message, and there is no way to divide it: a device whose birth is larger than
its broker takes is never seen.
"""

from collections.abc import Mapping, Sequence

from bridge.sparkplug.image import NODE, NodeImage
from bridge.sparkplug.topics import Verb
from mappings.catalog import Catalog
from mappings.datatypes import ARRAYS, TEXTS, DataType, wire_type
from mappings.plant.definitions import DestinationDefinition, Plant
from mappings.tags import Metric, Tag

_NUMBER = 12  # bytes of a value with its key, the largest
_TEXT = 80  # of one whose length nobody has written
_REASON = 160  # of a reason and a native code beside a value
_PACKET = 16  # of MQTT's own around topic and payload


def birth_sizes(
    destination: DestinationDefinition, plant: Plant, metrics: Mapping[str, Sequence[Metric]]
) -> dict[str, int]:
    """Bytes of the largest packet of each device's birth (``""``: the node's), by its name.

    An upper bound, but for texts whose length nobody has written. ``metrics`` are the rows as the
    destination names them.
    """
    node = destination.edge_node
    aliases = {device: [1 << 40] * len(rows) for device, rows in metrics.items()}
    catalog = Catalog((device, len(rows)) for device, rows in metrics.items())
    image = NodeImage(
        node.group, node.name, metrics, aliases if destination.aliases else None, catalog,
        walks=len(destination.servers) > 1, templates=destination.templates == "udt",
    )  # fmt: skip
    tags: dict[str, tuple[Tag, ...]] = {device.name: device.tags for device in plant.devices}
    sizes = {}
    for device, rows in metrics.items():
        if device == NODE:
            payload = image.node_birth(255, timestamp_ms=1 << 42, seq=0)
        else:
            payload = image.device_birth(device, timestamp_ms=1 << 42, seq=255)
        topic = image.topic(Verb.DBIRTH, device) if device else image.topic(Verb.NBIRTH)
        own = tags.get(device, ())
        values = sum(
            _value(metric, own[point] if own else None)
            for point, metric in enumerate(rows)
            if metric.published
        )
        # One row in ten may have a reason beside its value.
        reasons = _REASON * (len(rows) // 10 + 1)
        sizes[device] = len(payload) + len(topic.encode()) + values + reasons + _PACKET
    return sizes


def _value(metric: Metric, tag: Tag | None) -> int:
    wire = wire_type(tag.wire_type) if tag is not None else None
    length = wire.length if wire is not None and wire.length else 0
    if metric.datatype in ARRAYS:
        return 256  # whose number of elements is told by the address
    if metric.datatype in TEXTS or metric.datatype is DataType.BYTES:
        states = [len(text.encode()) for _, text in metric.enum]
        return 4 + (max([length, *states]) or _TEXT)
    return _NUMBER
