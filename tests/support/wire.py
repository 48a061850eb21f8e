"""A reader of protobuf's wire format that knows no schema: field numbers and raw values.

Small enough to be checked by eye, so that it can be a witness against the protobuf runtime too.
"""

import struct

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int | bytes]


def fields(data: bytes) -> list[Field]:
    """The fields of a message in order: numbers for varints, bytes for everything else."""
    found: list[Field] = []
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = varint(data, at)
            found.append((number, value))
            continue
        if kind == LENGTH:
            size, at = varint(data, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}[kind]
        if at + size > len(data):
            raise ValueError(f"field {number} is cut at {len(data)}")
        found.append((number, data[at : at + size]))
        at += size
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at ``at``, and where the next field begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7


def metrics(payload: bytes) -> list[dict[int, int | bytes]]:
    """The metrics of a Sparkplug payload, each as its fields by number."""
    return [dict(fields(value)) for number, value in fields(payload) if number == 2]


def double(raw: bytes) -> float:
    """A fixed64 field as a double."""
    return struct.unpack("<d", raw)[0]


def single(raw: bytes) -> float:
    """A fixed32 field as a float."""
    return struct.unpack("<f", raw)[0]
