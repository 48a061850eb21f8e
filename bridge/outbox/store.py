"""The store: segment files in a folder; appended, read back, evicted, recovered.

Synchronous, and used by one thread alone. A commit is one append and one sync. A file that ever
failed is never written again: it is drained, and what memory holds begins the next one. The sum
of all files stays below ``max_size``, for which the oldest segment is unlinked before a write.
"""

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bridge.outbox.commits import Commit, Committed, Found, Opened
from bridge.outbox.files import Files
from bridge.outbox.frames import MAGIC, pack_footer
from bridge.outbox.packing import Chunk, Packer
from bridge.outbox.reading import Reading, Search
from bridge.outbox.recovery import reckon
from bridge.outbox.segments import (
    Active,
    Segment,
    Survey,
    segment_of,
    survey_content,
    survey_footer,
)
from bridge.outbox.words import Extent, Incident, PointKey, Recovery

SMALLEST_SIZE = 64 * 1024
"""Least ``max_size``, in bytes."""
_LOCK_ALLOWANCE = 64  # bytes of the lock file
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_QUARANTINE_SHARE = 16  # the quarantine may have one part in so many of max_size


def segment_size_for(max_size: int) -> int:
    """Bytes after which a new segment is begun: a sixteenth, within 256 KiB and 64 MiB."""
    return min(max(max_size // 16, 256 * 1024), 64 * 1024 * 1024, max_size // 4)


@dataclass(slots=True)
class _Outcome:
    """A `Committed` in the making."""

    opened: list[int] = field(default_factory=list)
    placed: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    evicted: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)


class Store:
    """The files of one outbox."""

    def __init__(
        self,
        folder: Path,
        keys: Mapping[str, Sequence[PointKey]],
        *,
        max_size: int,
        files: Files,
        segment_size: int = 0,
    ) -> None:
        if max_size < SMALLEST_SIZE:
            raise ValueError(f"an outbox needs {SMALLEST_SIZE} bytes at least, not {max_size}")
        self._folder = folder
        self._quarantine = folder / "quarantine"
        self._files = files
        self._max_size = max_size
        self._budget = max_size - _LOCK_ALLOWANCE
        self._segment_size = segment_size or segment_size_for(max_size)
        self._keys = keys
        self._packer = Packer(keys, self._segment_size)
        self._reading = Reading(
            folder, keys, files, give_up=self._give_up, damaged=self._to_quarantine
        )
        self._segments: list[Segment] = []
        self._active: Active | None = None
        self._told: set[int] = set()
        """First numbers of the segments that the event loop knows."""
        self._quarantined: dict[str, int] = {}
        self._failing = False
        self._incidents: list[Incident] = []

    @property
    def total_bytes(self) -> int:
        """Size of all files but the lock."""
        return sum(s.size for s in self._segments) + sum(self._quarantined.values())

    def _report(self, code: str, what: str, remedy: str) -> None:
        self._incidents.append(
            Incident(code=code, what=what, where=str(self._folder), remedy=remedy)
        )

    def _take_incidents(self) -> tuple[Incident, ...]:
        incidents, self._incidents = tuple(self._incidents), []
        return incidents

    def extent(self, ranges: Sequence[tuple[int, int]]) -> Extent:
        """What the files take up; ``ranges`` are owed records, of which the first is looked at."""
        found = self._search(ranges[:1], 1).records
        times = [time_ms for _, batch, _ in found if batch for time_ms in batch.times_ms]
        return Extent(
            bytes=self.total_bytes, segments=len(self._segments), oldest_ms=min(times, default=None)
        )

    # --- opening ----------------------------------------------------------------------------

    def open(self) -> Opened:
        """Look at every segment and reckon what is owed.

        Sealed segments tell by their footers; the others are read through once, and synced, since
        a killed process may have left them in the page cache only.
        """
        self._quarantined = dict(self._files.sizes(self._quarantine))
        before = set(self._quarantined)
        found = (segment_of(n, size) for n, size in self._files.sizes(self._folder).items())
        self._segments = sorted((s for s in found if s), key=lambda s: (s.first, s.attempt))
        surveys: list[Survey] = []
        torn_bytes = 0
        for segment in self._segments.copy():
            survey = self._survey(segment)
            if survey is None:
                continue
            torn_bytes += survey.torn_bytes
            if not survey.good_frames:
                self._retire(segment)  # torn at birth
            elif surveys and surveys[-1].segment.first == segment.first:
                # The earlier attempt failed before any record in it was accepted.
                earlier = surveys.pop()
                survey.cursor = survey.cursor or earlier.cursor
                surveys.append(survey)
            else:
                surveys.append(survey)
        with suppress(OSError):
            self._files.sync_folder(self._folder)
        reckoning = reckon(surveys, self._reading.samples_of, damage=bool(self._incidents))
        self._reading.close()
        self._told = {segment.first for segment in self._segments}
        cursor = reckoning.cursor
        self._report_recovery(reckoning.evicted, reckoning.quarantined)
        return Opened(
            cursor=cursor,
            segments=reckoning.segments,
            recovery=Recovery(
                buffered=cursor.buffered,
                segments=len(self._segments),
                bytes=self.total_bytes,
                torn_bytes=torn_bytes,
                evicted=reckoning.evicted,
                quarantined=reckoning.quarantined,
                quarantined_files=tuple(sorted(set(self._quarantined) - before)),
                cursor_found=reckoning.cursor_found,
            ),
            incidents=self._take_incidents(),
        )

    def _report_recovery(self, evicted: int, quarantined: int) -> None:
        if evicted:
            self._report(
                "outbox-evicted",
                f"{evicted} samples, the oldest, are gone: evicted in the moment of a crash, or "
                "their files were removed",
                "nothing, if no file was removed by hand",
            )
        if quarantined:
            self._report(
                "outbox-damaged",
                f"{quarantined} samples that were buffered cannot be read any more",
                f"what is left of them is in {self._quarantine}; check the disk (smartctl, dmesg)",
            )

    def _survey(self, segment: Segment) -> Survey | None:
        try:
            file = self._files.open(self._folder / segment.name)
            try:
                survey = survey_footer(segment, file)
                if survey:
                    return survey
                content = file.read(0, segment.size)
                with suppress(OSError):
                    file.sync()
            finally:
                file.close()
        except OSError as error:
            segment.read_errors += 1
            if segment.read_errors == 1:
                return self._survey(segment)
            self._give_up(segment, error)
            self._retire(segment)
            return None
        survey = survey_content(segment, content)
        for start, end in survey.damaged:
            self._to_quarantine(segment, start, content[start:end])
        if not survey.good_frames and content[len(MAGIC) :].strip(b"\0"):
            # Nothing readable: torn in its first write, or damaged all over. Kept, to be safe.
            segment.unreadable = True
            if segment is not self._segments[-1]:
                self._damaged(f"{segment.name} holds nothing readable")
        return survey

    # --- damage -----------------------------------------------------------------------------

    def _damaged(self, what: str) -> None:
        self._report(
            "outbox-damaged",
            f"{what}; the rest is delivered",
            f"what was damaged is kept in {self._quarantine}; check the disk (smartctl, dmesg)",
        )

    def _give_up(self, segment: Segment, error: OSError) -> None:
        """A segment cannot be read."""
        if not segment.unreadable:
            self._damaged(f"{segment.name} cannot be read: {error.strerror or error}")
        segment.unreadable = True

    def _to_quarantine(self, segment: Segment, start: int, content: bytes) -> None:
        """Keep a copy of damaged bytes, once, as far as there is room for it."""
        name = f"{segment.name}.{start}"
        if name in self._quarantined:
            return
        self._damaged(f"{segment.name} is damaged at byte {start} ({len(content)} bytes)")
        share = self._max_size // _QUARANTINE_SHARE - sum(self._quarantined.values())
        if len(content) > min(share, self._budget - self.total_bytes):
            return
        with suppress(OSError):
            file = self._files.create(self._quarantine / name)
            try:
                self._quarantined[name] = len(content)
                file.append(content)
            finally:
                file.close()

    def _retire(self, segment: Segment) -> bool:
        """Remove a segment's file, or move it to the quarantine if it could not be read."""
        path = self._folder / segment.name
        self._reading.leave(segment)
        try:
            if segment.unreadable:
                self._files.rename(path, self._quarantine / segment.name)
                self._quarantined[segment.name] = segment.size
            else:
                self._files.remove(path)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        if segment in self._segments:
            self._segments.remove(segment)
        return True

    # --- writing ----------------------------------------------------------------------------

    def commit(self, commit: Commit) -> Committed:
        """Write a commit; never raises for what the disk does."""
        outcome = _Outcome()
        ok = False
        retried = False
        position = 0
        while True:
            try:
                position = self._write_next(commit, position, outcome)
            except OSError as error:
                self._abandon_active()
                if error.errno in _NO_SPACE:
                    self._report_failing("outbox-disk-full", error)
                    if self._evict(outcome):
                        continue
                else:
                    self._report_failing("outbox-write-failed", error)
                    if not retried:
                        retried = True
                        continue
                break
            if position > len(commit.records):
                ok = True
                break
        if ok:
            if self._failing:
                self._failing = False
                self._report("outbox-recovered", "the disk takes writes again", "nothing")
            self._drop(commit.drop, outcome)
        return Committed(
            ok=ok,
            opened=tuple(outcome.opened),
            placed=tuple(outcome.placed),
            refused=tuple(outcome.refused),
            evicted=tuple(outcome.evicted),
            dropped=tuple(outcome.dropped),
            incidents=self._take_incidents(),
        )

    def _report_failing(self, code: str, error: OSError) -> None:
        if self._failing:
            return
        self._failing = True
        if code == "outbox-disk-full":
            remedy = "make room on the disk; meanwhile the oldest buffered samples give way"
        else:
            remedy = "check the disk (dmesg, smartctl); publishing goes on from memory meanwhile"
        self._report(code, f"the outbox cannot be written: {error.strerror or error}", remedy)

    def _write_next(self, commit: Commit, position: int, outcome: _Outcome) -> int:
        """Append one chunk, durable if asked for; the position behind it.

        One more than the number of records says that the cursor is written, too.
        """
        records = commit.records
        if self._active is None:
            first = records[position][0] if position < len(records) else commit.cursor.next
            self._active = self._create(first, outcome)
        active = self._active
        chunk, after = self._packer.pack(active, commit, position)
        if len(MAGIC) + chunk.size > self._budget:
            chunk, after = self._packer.pack(active, commit, position, only_one_frame=True)
        if len(MAGIC) + chunk.size > self._budget:
            # Frames are cut small, so this one is a single record, or its device's definition.
            outcome.refused += chunk.numbers
            self._report(
                "outbox-evicted",
                f"a record of {chunk.size} bytes is larger than the outbox",
                "raise max_size of the outbox, or make the texts shorter",
            )
            return after
        if not self._make_room(chunk.size, outcome):
            raise OSError(errno.ENOSPC, "the outbox's size is used up")
        if self._active is not active:
            return position  # it was the oldest itself, and gave way
        self._append(active, chunk, sync=commit.sync)
        self._note(active, chunk, outcome)
        if active.segment.size >= self._segment_size:
            self._seal()
        return after

    def _create(self, first: int, outcome: _Outcome) -> Active:
        attempts = [s.attempt for s in self._segments if s.first == first]
        segment = Segment(first, max(attempts, default=-1) + 1, folder_synced=False)
        self._make_room(len(MAGIC), outcome)
        file = self._files.create(self._folder / segment.name)
        self._segments.append(segment)
        active = Active(segment, file)
        self._active = active
        file.append(MAGIC)
        segment.size = len(MAGIC)
        return active

    def _append(self, active: Active, chunk: Chunk, *, sync: bool) -> None:
        segment = active.segment
        content = b"".join(chunk.parts)
        # The size counts before it is written: what a failed write leaves behind counts as well.
        segment.size += len(content)
        active.file.append(content)
        if sync:
            active.file.sync()
            if not segment.folder_synced:
                self._files.sync_folder(self._folder)
                segment.folder_synced = True

    def _note(self, active: Active, chunk: Chunk, outcome: _Outcome) -> None:
        """A chunk is durable."""
        first = active.segment.first
        active.index.definitions.extend(chunk.definitions)
        active.devices.update(chunk.devices)
        active.references += len(chunk.devices)
        for frame in chunk.frames:
            active.index.add(*frame)
        active.cursor = chunk.cursor or active.cursor
        if first not in self._told:
            self._told.add(first)
            if first in outcome.evicted:
                outcome.evicted.remove(first)  # it held no record, else this one began later
            else:
                outcome.opened.append(first)
        for segment in [s for s in self._segments if s.first == first and chunk.cursor]:
            if segment is not active.segment:
                self._retire(segment)  # an attempt that failed; its cursor is outdone now
        if chunk.numbers:
            outcome.placed.append((first, tuple(chunk.numbers)))

    def _seal(self) -> None:
        """End the active segment with its footer, if there is room; else it ends without."""
        active, self._active = self._active, None
        assert active
        segment = active.segment
        footer = pack_footer(active.index, active.cursor, segment.size, segment.seed)
        self._reading.leave(segment)
        with suppress(OSError):
            if self.total_bytes + len(footer) <= self._budget:
                segment.size += len(footer)
                active.file.append(footer)
        with suppress(OSError):
            active.file.close()

    def _abandon_active(self) -> None:
        """Writing failed: this file is drained, never written again; or removed if useless."""
        active, self._active = self._active, None
        if active is None:
            return
        self._reading.leave(active.segment)
        with suppress(OSError):
            active.file.close()
        if active.segment.first not in self._told or not self._is_told(active.segment):
            self._retire(active.segment)

    def _is_told(self, segment: Segment) -> bool:
        """Whether this very file, not an earlier attempt, is the one that the event loop knows."""
        return all(s is segment or s.first != segment.first for s in self._segments)

    def rekey(self, keys: Mapping[str, Sequence[PointKey]]) -> None:
        """Points are known by these from now on; what is written next is defined anew."""
        if self._active:
            known = self._active.devices
            self._active.devices = {
                device: reference
                for device, reference in known.items()
                if list(keys.get(device, ())) == list(self._keys[device])
            }
        self._keys = keys
        self._packer.rekey(keys)
        self._reading.rekey(keys)

    # --- making room ------------------------------------------------------------------------

    def _make_room(self, needed: int, outcome: _Outcome) -> bool:
        while self.total_bytes + needed > self._budget:
            if not self._evict(outcome, even_active=True):
                return False
        return True

    def _evict(self, outcome: _Outcome, *, even_active: bool = False) -> bool:
        """Unlink the oldest file, quarantined ones first; false if there is none to unlink."""
        for name in sorted(self._quarantined):
            del self._quarantined[name]
            with suppress(OSError):
                self._files.remove(self._quarantine / name)
                return True
        for segment in self._segments.copy():
            active = self._active is not None and segment is self._active.segment
            if active:
                if not even_active:
                    continue
                assert self._active
                if not len(self._active.index):
                    continue
                with suppress(OSError):
                    self._active.file.close()
                self._active = None
            segment.unreadable = False
            if not self._retire(segment):
                continue
            if segment.first in self._told and not any(
                s.first == segment.first for s in self._segments
            ):
                self._told.discard(segment.first)
                outcome.evicted.append(segment.first)
                self._report(
                    "outbox-evicted",
                    f"the oldest segment, {segment.name} ({segment.size} bytes), gave way to new "
                    "samples; what of it was not delivered is counted as evicted",
                    "mend the connection, raise max_size of the outbox, or make room on the disk",
                )
            return True
        return False

    def _drop(self, firsts: Sequence[int], outcome: _Outcome) -> None:
        for first in firsts:
            if first not in self._told:
                continue  # evicted in this very commit
            gone = [self._retire(s) for s in self._segments.copy() if s.first == first]
            if all(gone):
                self._told.discard(first)
                outcome.dropped.append(first)

    # --- reading ----------------------------------------------------------------------------

    def read(self, ranges: Sequence[tuple[int, int]], max_samples: int) -> Found:
        """The records of ``ranges`` in order, until ``max_samples`` are reached; at least one."""
        search = self._search(ranges, max_samples)
        return Found(
            records=tuple(search.records),
            missing=tuple(search.missing),
            incidents=self._take_incidents(),
        )

    def _search(self, ranges: Sequence[tuple[int, int]], max_samples: int) -> Search:
        search = Search(segments=self._segments, active=self._active, room=max_samples)
        self._reading.read(ranges, search)
        return search

    def close(self) -> None:
        """Seal the active segment; the last commit has synced it."""
        self._reading.close()
        if self._active:
            self._seal()
