"""Problems: what is wrong in a plant file, where, what was expected, and what to type next.

A wrong configuration is a list, never an exception: all problems are told at once, each cause
once. Codes that begin with E stop, with W warn; `CODES` is their only list, and a code that once
meant something never means anything else.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import NamedTuple


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


CODES: dict[str, str] = {
    # E1xx: the text, its structure, its words
    "E101": "not YAML",
    "E102": "a key twice in one mapping",
    "E103": "unknown key",
    "E104": "a required key is missing",
    "E105": "a list, a mapping or one value where another of these is expected",
    "E106": "a key without a value",
    "E107": "an anchor or alias",
    "E108": "a YAML tag",
    "E109": "a second document",
    "E110": "the file cannot be read",
    "E111": "the file is not UTF-8",
    "E112": "not one of the words that this key knows",
    "E113": "not a number",
    "E114": "not a duration, or one without unit",
    "E115": "a value out of its range",
    "E116": "not a size, or one without unit",
    "E117": "not a rate",
    "E118": "neither yes nor no",
    "E119": "a value that its block refuses",
    "E120": "not a format number",
    "E121": "a plant file of a newer format",
    "E122": "a file that includes itself",
    "E123": "an include that matches nothing",
    "E124": "a section that belongs into the plant file",
    "E125": "a name in two files",
    "E127": "a pattern of names that cannot work",
    "E151": "a device or row that the plant does not have",
    "E152": "a raw value that its row cannot have",
    # E2xx: how the parts hang together
    "E202": "no such file",
    "E203": "not the address of a broker",
    "E204": "not an endpoint of any driver",
    "E205": "no such link",
    "E206": "a unit id twice on one link",
    "E207": "an endpoint or a link of another driver",
    "E209": "a device needs exactly one driver block",
    "E210": "a device needs an endpoint or a link, and not both",
    "E211": "two connections to one endpoint",
    "W212": "a link that no device uses",
    "E213": "no device",
    "E214": "no destination",
    "W215": "no device is in service",
    "E216": "a key of the link at a device that shares one",
    "E218": "no driver is installed",
    "E217": "a link and a device with an endpoint of its own have one name",
    # E3xx: tables and rows
    "E301": "a table without rows",
    "E302": "a column twice in one table",
    "E303": "unknown column",
    "E304": "a cell without a header",
    "E305": "a date where a number or a text was meant",
    "E306": "a quote that does not end where the cell ends",
    "E307": "two styles of numbers in one table",
    "E308": "a cell that is too long, or with characters that nobody sees",
    "E309": "not a workbook that can be read",
    "E310": "no such sheet, or not said which",
    "E311": "an error where a value was meant",
    "E312": "merged cells",
    "E313": "a formula without a stored value",
    "E314": "a table that is too large",
    "W315": "hidden rows, columns or sheets",
    # E4xx: addresses, told by the drivers
    # E5xx: what a row means
    "E501": "no such scan",
    "E502": "scaling of something that is no number",
    "E503": "a deadband of something that is no number",
    "E504": "a deadband in % without range",
    "E505": "a column of an instance table that is used nowhere",
    "E506": "one of low and high without the other",
    "E507": "low is not below high",
    "E508": "a range of something that is no number",
    "E509": "a published type that cannot hold every value",
    "E510": "unknown type",
    "E511": "a property that the product publishes itself",
    "W514": "a limit that can never be reached",
    "E541": "unknown placeholder",
    "E542": "a placeholder that cannot be filled",
    "E543": "a parameter that no instance says",
    "E544": "a value that its parameter refuses",
    "E545": "no such template",
    "E546": "a template that contains itself",
    "E547": "instances that are none, or too many",
    "E548": "two instances of one name",
    "E549": "a parameter that cannot stand in braces",
    # E6xx: identity
    "E602": "a name that cannot be published",
    "E603": "a reserved name",
    "E604": "a metric twice in one device",
    "E605": "a metric that is a folder too",
    "E606": "an id twice in one device",
    "E607": "one edge node at two destinations",
    "E608": "not a Sparkplug id",
    "W609": "a dot in a Sparkplug id",
    "E610": "names that differ only in case",
    "E611": "a destination whose name is no folder name",
    # E7xx: security
    "E701": "a secret in plain text",
    "W705": "a secret that is not there",
}
"""The codes of the reader itself; a driver's own are listed with its grammar."""


_PAGES = {
    "addresses": ("E401", "E404", "E405", "E406", "E407", "E410", "E411"),
    "columns": ("E303",),
    "commands": ("E702", "E703", "E704"),
    "conditions": ("E208", "E221"),
    "identity": ("E602", "E603", "E605", "E606", "E607", "E608", "W609", "E610", "E611"),
    "instances": ("E505", "E541", "E542", "E543", "E544", "E546", "E547", "E548", "E549"),
    "order": ("E409",),
    "types": ("E510",),
    "units": ("E521", "E522"),
}
_NEXT = {
    "E101": "tagbridge check {file}",
    "E202": "tagbridge check {plant}",
    "E205": "tagbridge schema links",
    "E545": "tagbridge schema templates",
    "E604": "tagbridge check {plant} --metrics",
} | {code: f"tagbridge explain {page}" for page, codes in _PAGES.items() for code in codes}


def next_of(code: str) -> str:
    """The command to type next after a problem; ``{plant}``, ``{file}`` and ``{code}`` in it."""
    return _NEXT.get(code, "tagbridge explain {code}")


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
        return any(problem.stops for problem in self._problems)

    def __len__(self) -> int:
        """How many have been found, repetitions included: whether it grew tells if all was well."""
        return len(self._problems) + self._repeats.total()

    def add(self, code: str, place: Place, seen: str, remedy: str, next: str = "") -> None:  # noqa: A002
        """One more problem; texts are cut and cleaned to one line each.

        ``next`` is a command with ``{plant}`` and ``{file}`` to be filled in; left out, it is the
        one of the code.
        """
        if place in self.closed:
            return
        if place.header == "":  # a column is named once, whatever number of rows it has
            if (code, place, 0) in self._known:
                return
            self._known[code, place, 0] = len(self._problems)
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
