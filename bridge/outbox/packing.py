"""Packing: the records of a commit as frames, in the order in which a segment gets them. Pure.

A frame is kept small, since damage costs a whole one; so is a write, since the segment is ended
behind it. The definition of a device goes ahead of its first record in each segment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.outbox.commits import Commit
from bridge.outbox.frames import Kind, pack_frame
from bridge.outbox.records import pack_base, pack_cursor, pack_definition, pack_record
from bridge.outbox.segments import Active
from bridge.outbox.words import PointKey
from mappings.batch import Batch

_FRAME_SAMPLES = 8192
_FRAME_BYTES = 128 * 1024


@dataclass(slots=True)
class Chunk:
    """What one write appends, and what it means once it is durable."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    """Bytes of all parts."""
    numbers: list[int] = field(default_factory=list)
    """Of the records in it."""
    frames: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """Its frames of records, as `bridge.outbox.frames.Index.add` takes them."""
    definitions: list[int] = field(default_factory=list)
    """Offsets of its definitions in the segment."""
    devices: dict[str, int] = field(default_factory=dict)
    """Device references that it defines."""
    cursor: bytes = b""

    def add(self, frame: bytes) -> None:
        """One frame more."""
        self.parts.append(frame)
        self.size += len(frame)


class Packer:
    """Packs for segments that are ended at ``segment_size`` bytes."""

    def __init__(self, keys: Mapping[str, Sequence[PointKey]], segment_size: int) -> None:
        self._keys = keys
        self._segment_size = segment_size
        self._frame_bytes = min(_FRAME_BYTES, segment_size // 4)

    def rekey(self, keys: Mapping[str, Sequence[PointKey]]) -> None:
        """Points are known by these from now on."""
        self._keys = keys

    def pack(
        self, active: Active, commit: Commit, position: int, *, only_one_frame: bool = False
    ) -> tuple[Chunk, int]:
        """As many records as the segment takes, at least one frame; the cursor if all are in.

        From the record at ``position`` on; with it comes the position behind what is packed, one
        more than the number of records if the cursor is in.
        """
        segment, records = active.segment, commit.records
        chunk = Chunk()
        while position < len(records):
            at = segment.size + chunk.size
            if chunk.frames and (only_one_frame or at >= self._segment_size):
                return chunk, position
            position = self._pack_frame(active, records, position, chunk)
        chunk.cursor = pack_cursor(commit.cursor)
        chunk.add(pack_frame(Kind.CURSOR, chunk.cursor, 0, segment.seed))
        return chunk, position + 1

    def _pack_frame(
        self, active: Active, records: Sequence[tuple[int, Batch]], position: int, chunk: Chunk
    ) -> int:
        segment = active.segment
        low = high = records[position][0]
        parts = [pack_base(low)]
        size = samples = 0
        while position < len(records):
            number, batch = records[position]
            reference = active.devices.get(batch.device, chunk.devices.get(batch.device))
            if reference is None:
                reference = self._define(active, batch.device, chunk)
            record = pack_record(number - high, reference, batch)
            if samples and size + len(record) > self._frame_bytes:
                break
            parts.append(record)
            size += len(record)
            samples += len(batch.points)
            chunk.numbers.append(number)
            high = number
            position += 1
            if samples >= _FRAME_SAMPLES:
                break
        frame = pack_frame(Kind.RECORDS, b"".join(parts), samples, segment.seed)
        start = segment.size + chunk.size
        chunk.frames.append((start, len(frame), low - segment.first, high - segment.first, samples))
        chunk.add(frame)
        return position

    def _define(self, active: Active, device: str, chunk: Chunk) -> int:
        """Define a device in this segment: twice, since all its records depend on it."""
        reference = active.references + len(chunk.devices)
        chunk.devices[device] = reference
        body = pack_definition(reference, device, self._keys[device])
        frame = pack_frame(Kind.DEFINITION, body, 0, active.segment.seed)
        for _ in range(2 if len(frame) < self._segment_size // 16 else 1):
            chunk.definitions.append(active.segment.size + chunk.size)
            chunk.add(frame)
        return reference
