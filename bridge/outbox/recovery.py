"""Recovery: from what each segment was found to hold to what is owed. Pure.

The newest readable cursor counts; what is found behind it is owed as well. Without any cursor
everything found is owed: that repeats, but loses nothing. What the cursor owes and no file has is
counted: as evicted if it is the oldest end of the log that is gone (an eviction whose cursor the
crash took, or files that somebody removed), else as quarantined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bridge.outbox.numbers import Ranges
from bridge.outbox.records import Cursor
from bridge.outbox.segments import Segment, Survey

SamplesOf = Callable[[Survey, int], Sequence[tuple[int, int]]]
"""Number and samples of each record of a segment's frame; empty if it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """What is owed now; ``segments`` are first number and owed samples."""

    cursor: Cursor
    cursor_found: bool
    segments: tuple[tuple[int, int], ...]
    evicted: int
    quarantined: int


def reckon(surveys: Sequence[Survey], samples_of: SamplesOf, *, damage: bool) -> Reckoning:
    """``surveys`` ascending by number; ``damage`` tells whether any was seen in the folder."""
    latest = next((i for i in reversed(range(len(surveys))) if surveys[i].cursor), 0)
    found_cursor = surveys[latest].cursor if surveys else None
    cursor = found_cursor or Cursor()
    owed = Ranges(cursor.owed)
    late_damage = 0
    top = cursor.next
    for survey in surveys[latest:]:
        late_damage += survey.damaged_late
        first = survey.segment.first
        for low, high in zip(survey.index.lows, survey.index.highs, strict=True):
            owed.add(max(first + low, cursor.next), first + high + 1)
            top = max(top, first + high + 1)

    below = late = 0
    segments: list[tuple[int, int]] = []
    for survey, end in zip(surveys, _ends([s.segment for s in surveys], top), strict=True):
        early_count, late_count = _count(survey, end, owed, cursor.next, samples_of)
        below += early_count
        late += late_count
        segments.append((survey.segment.first, early_count + late_count))

    oldest = surveys[0].segment.first if surveys else top
    beheaded = owed.overlaps(0, oldest)
    owed.remove(0, oldest)
    lost = cursor.buffered - below
    repeated = max(-lost, 0)  # an older cursor owes a record's old copy and its new one
    evicted = lost if lost > 0 and beheaded and not damage else 0
    quarantined = max(lost, 0) - evicted + late_damage
    return Reckoning(
        cursor=replace(
            cursor,
            next=top,
            owed=tuple(owed),
            accepted=cursor.accepted + late + late_damage + repeated,
            evicted=cursor.evicted + evicted,
            quarantined=cursor.quarantined + quarantined,
        ),
        cursor_found=found_cursor is not None,
        segments=tuple(segments),
        evicted=evicted,
        quarantined=quarantined,
    )


def _ends(segments: Sequence[Segment], top: int) -> list[int]:
    """The number behind each segment's last."""
    return [segment.first for segment in segments[1:]] + ([top] if segments else [])


def _count(
    survey: Survey, end: int, owed: Ranges, split: int, samples_of: SamplesOf
) -> tuple[int, int]:
    """Owed samples of a segment with numbers below ``split``, and from there on."""
    early = late = 0
    first, index = survey.segment.first, survey.index
    for frame, samples in enumerate(index.samples):
        low, high = first + index.lows[frame], first + index.highs[frame] + 1
        if not owed.overlaps(low, min(high, end)):
            continue
        if high <= min(end, split) and owed.covers(low, high):
            early += samples
        elif high <= end and low >= split:
            late += samples
        else:
            for number, count in samples_of(survey, frame):
                if number < end and number in owed:
                    if number < split:
                        early += count
                    else:
                        late += count
    return early, late
