"""Problems: what is wrong in a plant file, where, what was expected, and what to type next.

A wrong configuration is a list, never an exception: all problems are told at once, each cause
once. Codes are listed in `mappings.plant.codes`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import NamedTuple

from mappings.plant.codes import next_of


class Place(NamedTuple):
    """Where something stands: line and column count from 1, the column characters.

    In a table ``column`` counts cells and is shown as a letter; ``header`` is the name of that
    column, empty for the header row itself, and None where the file is no table. A sheet of a
    workbook has the file ``io.xlsx!Tags``.
    """

    file: str
    line: int
    column: int
    header: str | None = None

    def __str__(self) -> str:
        if self.header is None:
            return f"{self.file}:{self.line}:{self.column}"
        named = f" ({self.header})" if self.header else ""
        return f"{self.file}:{self.line}:{column_letter(self.column)}{named}"


Spot = Place


def column_letter(number: int) -> str:
    """What a spreadsheet calls its column of a number from 1: A, Z, AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def shell_word(text: str) -> str:
    """A word as it is typed in a shell, in double quotes where they will do."""
    if quote(text) == text or not text:
        return quote(text)
    return quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong at one place.

    ``seen`` and ``remedy`` are one line each, ``next`` a command to type or empty.
    """

    place: Place
    code: str
    seen: str
    remedy: str
    next: str = ""

    @property
    def stops(self) -> bool:
        """True for an error, False for a warning."""
        return self.code.startswith("E")

    def __str__(self) -> str:
        ahead = f"   next: {self.next}" if self.next else ""
        return f"{self.place}: {self.code} {self.seen}\n    {self.remedy}{ahead}"


@dataclass(slots=True)
class Report:
    """The problems of a plant, as they are found; ``file`` is its first file.

    What is written once may stand for many instances: inside of `instance`, a problem that an
    earlier one had at the same place is counted there instead of being told again.
    """

    file: str
    plant: str = ""
    """What the user called the plant: the folder or the file; empty: the file."""
    closed: set[Place] = field(default_factory=set)
    """Places of values that are no values at all: what else is said there follows from that."""
    errors: int = 0
    """How many errors have been found, repetitions included."""
    _problems: list[Problem] = field(default_factory=list)
    _repeats: Counter[int] = field(default_factory=Counter)
    _known: dict[tuple[str, Place, int], int] = field(default_factory=dict)
    _here: Counter[tuple[str, Place]] | None = None

    @property
    def top(self) -> Place:
        """Where the plant begins: for what is missing altogether."""
        return Place(self.file, 1, 1)

    @property
    def problems(self) -> list[Problem]:
        """All so far, each with the number of further instances that have it."""
        return [
            replace(problem, seen=f"{problem.seen} (and {n} more instance{'s' if n > 1 else ''})")
            if (n := self._repeats[index])
            else problem
            for index, problem in enumerate(self._problems)
        ]

    @property
    def stops(self) -> bool:
        """Whether there is an error among them."""
        return self.errors > 0

    def __len__(self) -> int:
        """How many have been found, repetitions included: whether it grew tells if all was well."""
        return len(self._problems) + self._repeats.total()

    def add(self, code: str, place: Place, seen: str, remedy: str, next: str = "") -> None:  # noqa: A002
        """One more problem; texts are cut and cleaned to one line each.

        ``next`` is a command with ``{plant}`` and ``{file}`` to be filled in; left out, it is the
        one of the code.
        """
        if place in self.closed:
            first = self._known.get((code, place, 1))
            if first is not None and self._here is not None:
                self._repeats[first] += 1
            return
        if place.header == "":  # a column is named once, whatever number of rows it has
            if (code, place, 0) in self._known:
                return
            self._known[code, place, 0] = len(self._problems)
        self.errors += code.startswith("E")
        if self._here is not None:
            self._here[code, place] += 1
            key = (code, place, self._here[code, place])
            first = self._known.setdefault(key, len(self._problems))
            if first < len(self._problems):
                self._repeats[first] += 1
                return
        self._problems.append(
            Problem(
                place=place,
                code=code,
                seen=one_line(seen),
                remedy=one_line(remedy, 300),
                next=self._command(next or next_of(code), code, place),
            )
        )

    def _command(self, template: str, code: str, place: Place) -> str:
        plant = self.plant or self.file
        file = plant if place.file == self.file else place.file
        words = {"{plant}": shell_word(plant), "{file}": shell_word(file), "{code}": code}
        for mark, word in words.items():
            template = template.replace(mark, word)
        return template

    @contextmanager
    def instance(self) -> Iterator[None]:
        """What is found inside is of one instance of what is written once."""
        outer, self._here = self._here, Counter()
        try:
            yield
        finally:
            self._here = outer


def beside(place: Place, other: Place) -> str:
    """A place as a message about ``other`` names it: ``20:62`` in the same plant file."""
    if place.header is None and place.file == other.file:
        return f"{place.line}:{place.column}"
    return str(place)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sorted by place, each text once: the order in which a reader of the files meets them."""
    return sorted(set(problems), key=lambda p: (*p.place[:3], p.code, p.seen, p.remedy))


def one_line(text: str, most: int = 160) -> str:
    """A text that fits a message: without control characters, its middle left out if long."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(shown) <= most:
        return shown
    half = (most - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}"
