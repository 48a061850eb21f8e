"""Segments: one file of the log, its name, and reading it.

A segment begins with `bridge.outbox.frames.MAGIC`, then frames follow: definitions of devices,
records, cursors; a sealed one ends with a footer that indexes its frames of records.
"""

import json
import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.outbox.columns import ColumnError
from bridge.outbox.files import File
from bridge.outbox.frames import (
    HEADER_SIZE,
    TRAILER_SIZE,
    Frame,
    Index,
    Kind,
    footer_start,
    read_frame,
    scan,
    seed_of,
    unpack_footer,
)
from bridge.outbox.records import Cursor, Dictionary, Place, places, unpack_cursor
from bridge.outbox.words import PointKey
from mappings.batch import Batch

DECODE_ERRORS = (
    ColumnError, IndexError, KeyError, ValueError, TypeError, OverflowError,
    struct.error, zlib.error, json.JSONDecodeError,
)  # fmt: skip
"""What the codec raises on bytes that are none of ours, although the checksum was right."""

_NAME = re.compile(r"([0-9a-f]{16})-([0-9]{1,9})\.seg")


@dataclass(slots=True, eq=False)
class Segment:
    """One file. Its records have numbers from ``first`` up to the next segment's first.

    ``attempt`` tells files apart whose first number is the same, because writing failed.
    """

    first: int
    attempt: int
    size: int = 0
    folder_synced: bool = True
    read_errors: int = 0
    """A second one makes it unreadable."""
    unreadable: bool = False

    @property
    def name(self) -> str:
        """File name."""
        return f"{self.first:016x}-{self.attempt}.seg"

    @property
    def seed(self) -> int:
        """Seed of the checksums."""
        return seed_of(self.name)


@dataclass(slots=True)
class Active:
    """The segment that is being written."""

    segment: Segment
    file: File
    index: Index = field(default_factory=Index)
    devices: dict[str, int] = field(default_factory=dict)
    """Device references defined in it, as far as they are of use."""
    references: int = 0
    """How many were defined."""
    cursor: bytes = b""
    """Body of the last one written."""


def segment_of(name: str, size: int) -> Segment | None:
    """The segment that a file name names, or None."""
    match = _NAME.fullmatch(name)
    return Segment(int(match[1], 16), int(match[2]), size) if match else None


@dataclass(slots=True)
class Survey:
    """What a segment was found to hold; offsets in bytes."""

    segment: Segment
    index: Index = field(default_factory=Index)
    cursor: Cursor | None = None
    """The last one that is readable."""
    sealed: bool = False
    damaged: list[tuple[int, int]] = field(default_factory=list)
    damaged_late: int = 0
    """Samples in damaged frames behind the last cursor."""
    torn_bytes: int = 0
    good_frames: int = 0


def survey_footer(segment: Segment, file: File) -> Survey | None:
    """By the footer of a sealed segment; None if it has none, or a damaged one."""
    trailer = file.read(max(segment.size - TRAILER_SIZE, 0), TRAILER_SIZE)
    start = footer_start(trailer, segment.seed)
    if start is None:
        return None
    frame = read_frame(file.read(start, segment.size - start), 0, segment.seed)
    if frame is None or not frame.good or frame.kind is not Kind.FOOTER:
        return None
    unpacked = unpack_footer(frame.body)
    if unpacked is None:
        return None
    index, body = unpacked
    try:
        cursor = unpack_cursor(body) if body else None
    except DECODE_ERRORS:
        return None
    return Survey(segment, index, cursor, sealed=True, good_frames=1 + len(index))


def survey_content(segment: Segment, content: bytes) -> Survey:
    """By reading all of it."""
    survey = Survey(segment)
    previous = -1
    for item in scan(content, segment.seed):
        if not isinstance(item, Frame):
            if item.end == len(content):
                survey.torn_bytes = item.end - item.start
            else:
                survey.damaged.append((item.start, item.end))
            continue
        if not item.good:
            survey.damaged.append((item.start, item.end))
            survey.damaged_late += item.samples
            continue
        try:
            previous = _take_frame(survey, item, previous)
            survey.good_frames += 1
        except DECODE_ERRORS:
            survey.damaged.append((item.start, item.end))
            survey.damaged_late += item.samples
    return survey


def _take_frame(survey: Survey, frame: Frame, previous: int) -> int:
    """Note a good frame; returns the last number so far."""
    if frame.kind is Kind.DEFINITION:
        survey.index.definitions.append(frame.start)
    elif frame.kind is Kind.CURSOR:
        survey.cursor = unpack_cursor(frame.body)
        survey.damaged_late = 0
    elif frame.kind is Kind.RECORDS:
        numbers = [place.number for place in places(frame.body)]
        low, high = numbers[0], numbers[-1]
        if low <= previous:
            raise ColumnError("numbers run backwards")
        first = survey.segment.first
        length = frame.end - frame.start
        survey.index.add(frame.start, length, low - first, high - first, frame.samples)
        return high
    return previous


class Reader:
    """Reads the records of one segment, frame by frame; keeps the last frame decoded so far."""

    def __init__(
        self, segment: Segment, file: File, index: Index, keys: Mapping[str, Sequence[PointKey]]
    ) -> None:
        self.segment = segment
        self.index = index
        self._file = file
        self._dictionary = Dictionary(keys)
        self._definitions_read = 0
        self._frame = -1
        self._body = b""
        self._places: list[Place] = []

    def frame_from(self, number: int) -> int | None:
        """The first frame that ends at or behind ``number``; None if all end before."""
        position = bisect_left(self.index.highs, number - self.segment.first)
        return position if position < len(self.index) else None

    def frame_range(self, frame: int) -> tuple[int, int]:
        """First number of a frame, and the number behind its last."""
        first = self.segment.first
        return first + self.index.lows[frame], first + self.index.highs[frame] + 1

    def load(self, frame: int) -> list[Place] | None:
        """The records of a frame, or None if it is damaged. May raise OSError."""
        if frame != self._frame:
            found = self._read(self.index.starts[frame], self.index.lengths[frame])
            if found is None or found.kind is not Kind.RECORDS:
                return None
            try:
                self._places = list(places(found.body))
            except DECODE_ERRORS:
                return None
            self._body, self._frame = found.body, frame
            while self._definitions_read < len(self.index.definitions):
                start = self.index.definitions[self._definitions_read]
                header_only = self._file.read(start, HEADER_SIZE)
                length = int.from_bytes(header_only[5:9], "little")
                definition = self._read(start, HEADER_SIZE + length)
                self._definitions_read += 1
                if definition:
                    with suppress(*DECODE_ERRORS):
                        self._dictionary.define(definition.body)
        return self._places

    def _read(self, start: int, length: int) -> Frame | None:
        frame = read_frame(self._file.read(start, length), 0, self.segment.seed)
        return frame if frame and frame.good else None

    def raw(self, frame: int) -> bytes:
        """The bytes of a frame, for the quarantine."""
        return self._file.read(self.index.starts[frame], self.index.lengths[frame])

    def batch(self, place: Place) -> Batch | None:
        """A record of the loaded frame; None if none of its points is wanted any more.

        Raises one of `DECODE_ERRORS` if it cannot be read.
        """
        return self._dictionary.read(self._body, place)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
