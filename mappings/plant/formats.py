"""Formats: how the text of an older plant file becomes one of the format that is read today.

``tagbridge: N`` counts breaking formats. A release reads N and N-1; a step from one to the next is
a function that edits texts, one file at a time, so that comments and order stay; the number itself
is changed here. There has been one format so far, and so there is no step yet.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Pairs
from dataclasses import dataclass

from mappings.plant.edits import Edit, applied
from mappings.plant.nodes import Mapping, Scalar, parse
from mappings.plant.problems import Report
from mappings.plant.schema import FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one format to the next: the edits of each file, and one line that says what they do."""

    source: int
    says: str
    edits: Callable[[str, str], list[Edit]]
    """Of a file's name and text."""


STEPS: tuple[Step, ...] = ()
"""All steps, the oldest first."""


def written_format(text: str, file: str) -> tuple[int, int, int] | None:
    """The format that a plant file says it has, and where the number begins and ends; else None."""
    mark = int(text.startswith("\ufeff"))
    root = parse(text[mark:], file, Report(file))
    written = root.get("tagbridge") if isinstance(root, Mapping) else None
    if not isinstance(written, Scalar) or written.quoted:
        return None
    digits = written.text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 6):
        return None
    lines = text[mark:].splitlines(keepends=True)
    start = mark + sum(map(len, lines[: written.spot.line - 1])) + written.spot.column - 1
    return int(digits), start, start + len(digits)


def steps_from(source: int, steps: Sequence[Step] = STEPS, to: int = FORMAT) -> list[Step] | None:
    """The steps from a format to today's, in order; None where there is no way."""
    by_source = {step.source: step for step in steps}
    way = [by_source.get(number) for number in range(source, to)]
    return [step for step in way if step is not None] if None not in way else None


def migrated(texts: Pairs[str, str], plant_file: str, steps: Sequence[Step]) -> dict[str, str]:
    """The texts of a plant, by file, after these steps."""
    found = dict(texts)
    for step in steps:
        for file, text in found.items():
            found[file] = applied(text, step.edits(file, text))
        written = written_format(found[plant_file], plant_file)
        assert written is not None, "a step may not touch the format"
        _, start, end = written
        number = Edit(start, end, str(step.source + 1), "format")
        found[plant_file] = applied(found[plant_file], [number])
    return found
