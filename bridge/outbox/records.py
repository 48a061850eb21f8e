"""Records: batches, definitions of devices and cursors as bytes, and back.

The bodies of frames (`bridge.outbox.frames`). A record names its device by a small number that a
definition earlier in the same segment explains: device name, and id and data type of each point.
Reading resolves them against the keys of today, so that an edited configuration never puts a
buffered value on another point. Pure.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from bridge.outbox.columns import (
    ColumnError,
    pack_integers,
    pack_unsigned,
    pack_values,
    unpack_integers,
    unpack_values,
)
from bridge.outbox.moves import Indexes, indexes_of, moved
from bridge.outbox.words import PointKey
from mappings.batch import Batch

_BASE = Struct("<Q")
_CURSOR = Struct("<6Q")
_HAS_QUALITIES, _HAS_NATIVES, _HAS_REASONS = 1, 2, 4


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


# --- records ------------------------------------------------------------------------------------


def pack_base(number: int) -> bytes:
    """The beginning of a frame of records: the number that the first record counts from."""
    return _BASE.pack(number)


def pack_record(step: int, device: int, batch: Batch) -> bytes:
    """One batch; ``step`` is its number minus that of the record before, ``device`` its reference.

    Layout: varints step, device, samples, length of the rest; then flags and the columns points,
    times, values and, as flagged, qualities, natives and reasons.
    """
    flags = 0
    columns = [
        pack_unsigned(batch.points),
        pack_integers(batch.times_ms),
        pack_values(batch.values),
    ]
    if batch.qualities is not None:
        flags |= _HAS_QUALITIES
        columns.append(pack_integers(batch.qualities))
    if batch.natives is not None and any(batch.natives):
        flags |= _HAS_NATIVES
        columns.append(pack_integers(batch.natives))
    if batch.reasons is not None and any(batch.reasons):
        flags |= _HAS_REASONS
        columns.append(pack_integers(batch.reasons))
    rest = b"".join((bytes((flags,)), *columns))
    return b"".join(
        (_varint(step), _varint(device), _varint(len(batch.points)), _varint(len(rest)), rest)
    )


class Place(NamedTuple):
    """Where a record is within a frame's body; ``samples`` is how many it holds."""

    number: int
    device: int
    samples: int
    start: int


def places(body: bytes) -> Iterator[Place]:
    """The records of a frame's body, their columns unread."""
    (number,) = _BASE.unpack_from(body)
    at = _BASE.size
    while at < len(body):
        step, at = _read_varint(body, at)
        device, at = _read_varint(body, at)
        samples, at = _read_varint(body, at)
        length, at = _read_varint(body, at)
        number += step
        yield Place(number, device, samples, at)
        at += length


# --- definitions --------------------------------------------------------------------------------


def pack_definition(device: int, name: str, keys: Sequence[PointKey]) -> bytes:
    """What the reference ``device`` means in this segment: compressed JSON, for any reader."""
    told = {"ref": device, "device": name, "points": [[k.id, int(k.datatype)] for k in keys]}
    return zlib.compress(json.dumps(told, separators=(",", ":")).encode(), 1)


@dataclass(slots=True)
class Dictionary:
    """The definitions of one segment, resolved against the keys of today."""

    keys: Mapping[str, Sequence[PointKey]]
    _devices: dict[int, tuple[str, Indexes | None]] = field(default_factory=dict)
    """Name and where its points are today."""

    def define(self, body: bytes) -> None:
        """Read a definition."""
        told = json.loads(zlib.decompress(body))
        name = told["device"]
        # A type that only a later version knows is a number that equals none of ours.
        stored = [PointKey(str(point_id), datatype) for point_id, datatype in told["points"]]
        self._devices[told["ref"]] = (name, indexes_of(stored, self.keys.get(name, ())))

    def read(self, body: bytes, place: Place) -> Batch | None:
        """The batch at ``place``, without points that are gone or retyped; None if none is left."""
        if place.device not in self._devices:
            raise ColumnError(f"device reference {place.device} is not defined")
        name, indexes = self._devices[place.device]
        count, at = place.samples, place.start
        flags = body[at]
        points, at = unpack_integers(body, at + 1, count)
        times, at = unpack_integers(body, at, count)
        values, at = unpack_values(body, at, count)
        qualities: list[int] | None = None
        natives: list[int] | None = None
        reasons: list[int] | None = None
        if flags & _HAS_QUALITIES:
            qualities, at = unpack_integers(body, at, count)
        if flags & _HAS_NATIVES:
            natives, at = unpack_integers(body, at, count)
        if flags & _HAS_REASONS:
            reasons, at = unpack_integers(body, at, count)
        stored = Batch(name, tuple(points), values, times, qualities, natives, reasons=reasons)
        batch = moved(stored, indexes)
        return batch if batch.points else None


# --- cursors ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What is owed, and the totals, at one moment.

    Of the records below ``next`` those in ``owed`` are owed; everything found at or above it is.
    Totals are samples (`bridge.outbox.words.Ledger`).
    """

    next: int = 0
    owed: tuple[tuple[int, int], ...] = ()
    accepted: int = 0
    confirmed: int = 0
    evicted: int = 0
    discarded: int = 0
    quarantined: int = 0

    @property
    def buffered(self) -> int:
        """Samples owed at that moment."""
        return self.accepted - self.confirmed - self.evicted - self.discarded - self.quarantined


def pack_cursor(cursor: Cursor) -> bytes:
    """Six u64, then varints: the gap before and the length of each range."""
    parts = [
        _CURSOR.pack(
            cursor.next,
            cursor.accepted,
            cursor.confirmed,
            cursor.evicted,
            cursor.discarded,
            cursor.quarantined,
        )
    ]
    position = 0
    for start, end in cursor.owed:
        parts += (_varint(start - position), _varint(end - start))
        position = end
    return b"".join(parts)


def unpack_cursor(body: bytes) -> Cursor:
    """The cursor; IndexError or struct.error for bytes that are none."""
    number, accepted, confirmed, evicted, discarded, quarantined = _CURSOR.unpack_from(body)
    owed: list[tuple[int, int]] = []
    position, at = 0, _CURSOR.size
    while at < len(body):
        gap, at = _read_varint(body, at)
        length, at = _read_varint(body, at)
        owed.append((position + gap, position + gap + length))
        position += gap + length
    return Cursor(
        next=number,
        owed=tuple(owed),
        accepted=accepted,
        confirmed=confirmed,
        evicted=evicted,
        discarded=discarded,
        quarantined=quarantined,
    )
