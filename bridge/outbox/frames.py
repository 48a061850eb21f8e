"""Frames: how a segment file is divided, and how its good parts are found again after damage.

Every frame carries a mark, its length, the number of samples in it and two checksums: one of the
header, so that a damaged body can still be skipped and counted, one of the body. Both are seeded
with the segment's name: a frame in the wrong file is no frame. Pure.
"""

import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class in spite of its name

MAGIC = b"TBOUTBOX\x02\x00"
"""Beginning of each segment: name and version of the format."""
MARK = b"\xf5TB\n"

_HEADER = Struct("<4sBIII")  # mark, kind, body length, samples, CRC-32 of the body
_CHECK = Struct("<H")  # low half of the CRC-32 of the header
HEADER_SIZE = _HEADER.size + _CHECK.size
_TRAILER = Struct("<4sQI")  # mark, offset of the footer frame, CRC-32 of the two
TRAILER_SIZE = _TRAILER.size
_TRAILER_MARK = b"\xf5TBF"


class Kind(IntEnum):
    """What a frame holds."""

    DEFINITION = 1
    RECORDS = 2
    CURSOR = 3
    FOOTER = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame found in a segment; ``body`` is empty when ``good`` is false.

    A frame that is not good has a valid header and a damaged body.
    """

    kind: Kind
    start: int
    end: int
    samples: int
    body: bytes
    good: bool = True


@dataclass(frozen=True, slots=True)
class Rubbish:
    """Bytes between ``start`` and ``end`` that are no frames."""

    start: int
    end: int


def seed_of(name: str) -> int:
    """The seed of a segment's checksums."""
    return zlib.crc32(name.encode())


def pack_frame(kind: Kind, body: bytes, samples: int, seed: int) -> bytes:
    """A frame; ``samples`` is what people are told is lost if its body is damaged."""
    header = _HEADER.pack(MARK, kind, len(body), samples, zlib.crc32(body, seed))
    return b"".join((header, _CHECK.pack(zlib.crc32(header, seed) & 0xFFFF), body))


def read_frame(content: bytes, at: int, seed: int) -> Frame | None:
    """The frame at ``at``; None if there is no valid header or the body is cut off."""
    if at + HEADER_SIZE > len(content):
        return None
    header = content[at : at + _HEADER.size]
    (check,) = _CHECK.unpack_from(content, at + _HEADER.size)
    if zlib.crc32(header, seed) & 0xFFFF != check:
        return None
    mark, kind, length, samples, crc = _HEADER.unpack(header)
    start, end = at + HEADER_SIZE, at + HEADER_SIZE + length
    if mark != MARK or kind not in Kind.__members__.values() or end > len(content):
        return None
    body = content[start:end]
    good = zlib.crc32(body, seed) == crc
    return Frame(Kind(kind), at, end, samples, body if good else b"", good)


def scan(content: bytes, seed: int, at: int = len(MAGIC)) -> Iterator[Frame | Rubbish]:
    """Everything from offset ``at`` on, in order, without gaps.

    Behind rubbish the search for the next mark goes on byte by byte, so that one damaged header
    costs one frame.
    """
    while at < len(content):
        frame = read_frame(content, at, seed)
        if frame is None:
            start = at
            while frame is None:
                at = content.find(MARK, at + 1)
                if at < 0:
                    yield Rubbish(start, len(content))
                    return
                frame = read_frame(content, at, seed)
            yield Rubbish(start, at)
        yield frame
        at = frame.end


@dataclass(slots=True)
class Index:
    """Where a segment's frames of records are: parallel columns, relative to its first number.

    ``lows`` and ``highs`` are the first and last number of each frame; ``definitions`` the
    offsets of the definition frames.
    """

    starts: "array[int]" = field(default_factory=lambda: array("I"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    lows: "array[int]" = field(default_factory=lambda: array("I"))
    highs: "array[int]" = field(default_factory=lambda: array("I"))
    samples: "array[int]" = field(default_factory=lambda: array("I"))
    definitions: "array[int]" = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, start: int, length: int, low: int, high: int, samples: int) -> None:
        """A frame of records was written or found."""
        self.starts.append(start)
        self.lengths.append(length)
        self.lows.append(low)
        self.highs.append(high)
        self.samples.append(samples)


_FOOTER = Struct("<III")  # frames of records, definitions, length of the cursor's body
_COLUMNS = ("starts", "lengths", "lows", "highs", "samples")


def pack_footer(index: Index, cursor: bytes, at: int, seed: int) -> bytes:
    """The end of a sealed segment, to be written at offset ``at``: index and last cursor."""
    parts = [_FOOTER.pack(len(index), len(index.definitions), len(cursor)), cursor]
    columns = [*(getattr(index, name) for name in _COLUMNS), index.definitions]
    parts += [Struct(f"<{len(column)}I").pack(*column) for column in columns]
    body = b"".join(parts)
    place = _TRAILER.pack(_TRAILER_MARK, at, 0)[:-4]
    return b"".join(
        (
            pack_frame(Kind.FOOTER, body, 0, seed),
            place,
            zlib.crc32(place, seed).to_bytes(4, "little"),
        )
    )


def footer_start(trailer: bytes, seed: int) -> int | None:
    """Where the footer begins, told by the file's last `TRAILER_SIZE` bytes; None if unsealed."""
    if len(trailer) != TRAILER_SIZE:
        return None
    mark, start, check = _TRAILER.unpack(trailer)
    if mark != _TRAILER_MARK or zlib.crc32(trailer[:-4], seed) != check:
        return None
    return int(start)


def unpack_footer(body: bytes) -> tuple[Index, bytes] | None:
    """Index and the last cursor's body, or None if the sizes do not fit."""
    try:
        frames, definitions, cursor_length = _FOOTER.unpack_from(body)
        at = _FOOTER.size + cursor_length
        cursor = body[_FOOTER.size : at]
        index = Index()
        for name in _COLUMNS:
            getattr(index, name).extend(Struct(f"<{frames}I").unpack_from(body, at))
            at += 4 * frames
        index.definitions.extend(Struct(f"<{definitions}I").unpack_from(body, at))
    except StructError:
        return None
    return index, cursor
