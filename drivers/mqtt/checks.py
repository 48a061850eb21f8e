"""Checks: what is wrong with the rows of an MQTT source, offline.

Codes: E440 topic, E441 wildcard, E442 no selector, E443 a selector where there is no document,
E444 selector (all of these in `drivers.mqtt.addresses`), E445 type, E446 order or element, E448
access; E447 a format that is not built, E449 keys that need each other (in `drivers.mqtt.config`).
"""

from drivers.mqtt.addresses import TopicAddress, parse
from drivers.mqtt.config import DeviceOptions
from mappings.datatypes import wire_type
from mappings.errors import Fault
from mappings.tags import Tag

NUMBERS = frozenset({
    "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
})  # fmt: skip
WIRE_TYPES = NUMBERS | {"bool", "string", "datetime"}
"""What a document or a text can carry; payloads of format bytes are ``bytes(N)``."""


def check_tag(tag: Tag, options: DeviceOptions) -> list[Fault]:
    """What is wrong with one row."""
    faults = []
    address = parse(tag.address)
    if isinstance(address, Fault):
        faults.append(address)
    else:
        of_format = options.format_of(address.topic)
        faults += _check_selector(tag, address, of_format)
        faults += _check_type(tag, of_format)
    if tag.order:
        seen = f"order {tag.order!r}: MQTT payloads have no byte order"
        faults.append(Fault(code="E446", field="order", seen=seen, remedy="leave the cell empty"))
    if tag.element:
        seen = f"element {tag.element!r}: the place in a document is said by the address"
        remedy = "leave the cell empty, and write topic $.list[0]"
        faults.append(Fault(code="E446", field="element", seen=seen, remedy=remedy))
    if tag.access != "r":
        seen = f"{tag.name}: access {tag.access!r}, but nothing is written to MQTT sources"
        faults.append(Fault(code="E448", field="access", seen=seen, remedy="leave the cell empty"))
    return faults


def _check_selector(tag: Tag, address: TopicAddress, of_format: str) -> list[Fault]:
    if of_format == "json" and address.selector is None:
        seen = f"{tag.address!r} says no place in the JSON document"
        remedy = f"write {tag.address} $.name; if the payload is a bare text: format: text"
        return [Fault(code="E442", field="address", seen=seen, remedy=remedy)]
    if of_format != "json" and address.selector is not None:
        seen = f"{tag.address!r}: a payload of format {of_format} has no places to select"
        remedy = f"write {address.topic}; if the payload is JSON: format: json"
        return [Fault(code="E443", field="address", seen=seen, remedy=remedy)]
    return []


def _check_type(tag: Tag, of_format: str) -> list[Fault]:
    wire = wire_type(tag.wire_type)
    is_bytes = wire is not None and wire.kind == "bytes"
    if of_format == "bytes":
        if is_bytes:
            return []
        remedy = "a payload of format bytes is of type bytes(N), N bytes at most"
    elif tag.wire_type in WIRE_TYPES:
        return []
    elif is_bytes:
        remedy = "bytes need format: bytes"
    elif wire is not None and wire.kind == "string":
        remedy = "write string: a text of MQTT has the length that it has"
    else:
        remedy = f"types here: {', '.join(sorted(WIRE_TYPES))}"
    seen = f"{tag.wire_type!r} is no type of a payload of format {of_format}"
    return [Fault(code="E445", field="type", seen=seen, remedy=remedy)]
