"""Edits: what a program changes in a text that somebody else wrote.

An edit touches the characters concerned and no others, so that comments, order, line ends and the
user's own columns stay what they were; it says why, and can be looked at before it is applied.
"""

import difflib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    """The characters from ``start`` to ``end`` become ``new``; ``why`` is a few words."""

    start: int
    end: int
    new: str
    why: str


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with its edits, which may not overlap."""
    parts = []
    at = 0
    for edit in sorted(edits):
        if edit.start < at:
            raise ValueError(f"edits overlap at {edit.start}: {edit.why}")
        parts += [text[at : edit.start], edit.new]
        at = edit.end
    return "".join([*parts, text[at:]])


def reasons(edits: Iterable[Edit]) -> str:
    """Why a text is changed, each reason with its number."""
    counted = Counter(edit.why for edit in edits)
    return ", ".join(f"{why} ({n})" if n > 1 else why for why, n in counted.items())


def difference(file: str, before: str, after: str) -> str:
    """What changes, as ``diff -u`` and ``patch`` have it; empty if nothing does."""
    lines = difflib.unified_diff(_lines(before), _lines(after), file, file, n=1, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    """The lines; that the last one has no end is a line of its own, as diff says it."""
    lines = text.split("\n")
    if not lines[-1]:
        return lines[:-1]
    lines[-1] += "\n\\ No newline at end of file"
    return lines
