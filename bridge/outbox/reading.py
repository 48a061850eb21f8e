"""Reading: from ranges of record numbers to the records, segment after segment, frame by frame.

One segment is open for it at a time. What is damaged is told to the store and passed over, so
that the rest is delivered; a read that failed is tried once more before its segment is given up.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bridge.outbox.files import Files
from bridge.outbox.segments import (
    DECODE_ERRORS,
    Active,
    Reader,
    Segment,
    Survey,
    survey_content,
    survey_footer,
)
from bridge.outbox.words import PointKey
from mappings.batch import Batch


@dataclass(slots=True, kw_only=True)
class Search:
    """Where to look, how many samples may come, and what came so far.

    ``active`` is the one of ``segments`` that is being written; ``records`` and ``missing`` are
    what `bridge.outbox.commits.Found` tells.
    """

    segments: Sequence[Segment]
    active: Active | None
    room: int
    """Samples that may still come; 0 ends the search."""
    records: list[tuple[int, Batch | None, int]] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)

    def segment_at(self, number: int) -> tuple[Segment | None, int]:
        """The segment that a number belongs to, and the number behind its last."""
        found: Segment | None = None
        for segment in self.segments:
            if segment.first > number:
                return found, segment.first
            found = segment
        return found, 1 << 64

    def miss(self, start: int, end: int) -> int:
        """Nothing is there; the number to go on from."""
        self.missing.append((start, end))
        return end


class Reading:
    """Reads back what the store wrote.

    ``give_up`` is called when a segment cannot be read, ``damaged`` with the offset and the bytes
    of a frame that makes no sense.
    """

    def __init__(
        self,
        folder: Path,
        keys: Mapping[str, Sequence[PointKey]],
        files: Files,
        *,
        give_up: Callable[[Segment, OSError], None],
        damaged: Callable[[Segment, int, bytes], None],
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._files = files
        self._give_up = give_up
        self._damaged = damaged
        self._reader: Reader | None = None
        self._shared = False
        """The reader uses the file that is being written, which is not its own to close."""

    def read(self, ranges: Sequence[tuple[int, int]], search: Search) -> None:
        """The records of ``ranges`` in order, until there is no more room; at least one."""
        for start, end in ranges:
            at = start
            while at < end and search.room > 0:
                at = self._read_on(at, end, search)
            if search.room <= 0:
                break

    def _read_on(self, at: int, end: int, search: Search) -> int:
        """Read on within one frame; the number to go on from."""
        segment, limit = search.segment_at(at)
        end = min(end, limit)
        try:
            reader = self._reader_of(segment, search.active) if segment else None
            frame = reader.frame_from(at) if reader else None
            if reader is None or frame is None:
                return search.miss(at, end)
            low, high = reader.frame_range(frame)
            if at < low:
                return search.miss(at, min(low, end))
            end = min(end, high)
            places = reader.load(frame)
        except OSError as error:
            assert segment
            self.close()
            segment.read_errors += 1
            if segment.read_errors == 1:
                return at  # try again
            self._give_up(segment, error)
            return search.miss(at, end)
        if places is None:
            self._tell_damaged(reader, frame)
            return search.miss(at, end)
        for place in places:
            if place.number < at:
                continue
            if place.number >= end:
                break
            if search.room <= 0 or (search.records and place.samples > search.room):
                search.room = 0
                return at
            if place.number > at:
                search.miss(at, place.number)
            at = place.number + 1
            try:
                search.records.append((place.number, reader.batch(place), place.samples))
                search.room -= place.samples
            except DECODE_ERRORS:
                self._tell_damaged(reader, frame)
                search.miss(place.number, at)
        if search.room > 0 and at < end:
            at = search.miss(at, end)
        return at

    def _tell_damaged(self, reader: Reader, frame: int) -> None:
        with suppress(OSError):
            self._damaged(reader.segment, reader.index.starts[frame], reader.raw(frame))

    def samples_of(self, survey: Survey, frame: int) -> list[tuple[int, int]]:
        """Number and samples of each record of a frame; empty if it cannot be read."""
        segment = survey.segment
        try:
            if self._reader is None or self._reader.segment is not segment:
                self.close()
                file = self._files.open(self._folder / segment.name)
                self._reader = Reader(segment, file, survey.index, self._keys)
            return [(place.number, place.samples) for place in self._reader.load(frame) or ()]
        except OSError:
            return []

    def _reader_of(self, segment: Segment, active: Active | None) -> Reader:
        if self._reader is None or self._reader.segment is not segment:
            self.close()
            if active and active.segment is segment:
                self._reader = Reader(segment, active.file, active.index, self._keys)
                self._shared = True
            else:
                file = self._files.open(self._folder / segment.name)
                survey = survey_footer(segment, file) or survey_content(
                    segment, file.read(0, segment.size)
                )
                self._reader = Reader(segment, file, survey.index, self._keys)
        return self._reader

    def rekey(self, keys: Mapping[str, Sequence[PointKey]]) -> None:
        """Points are known by these from now on."""
        self._keys = keys
        self.close()

    def leave(self, segment: Segment) -> None:
        """The file of a segment is about to be closed or removed."""
        if self._reader and self._reader.segment is segment:
            self.close()

    def close(self) -> None:
        """Let go of the file that is open, if any."""
        reader, self._reader = self._reader, None
        shared, self._shared = self._shared, False
        if reader and not shared:
            with suppress(OSError):
                reader.close()
