"""Problems: what is wrong in a plant file, where, what was expected, and what to type next.

A wrong configuration is a list, never an exception: all problems are told at once, each cause
once. Codes that begin with E stop, with W warn; `CODES` is their only list, and a code that once
meant something never means anything else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from shlex import quote

Spot = tuple[int, int]
"""Line and column in a file, both counted from 1."""

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
    "E303": "unknown column",
    # E4xx: addresses, told by the drivers
    # E5xx: what a row means
    "E501": "no such scan",
    "E502": "scaling of something that is no number",
    "E503": "a deadband of something that is no number",
    "E504": "a deadband in % without range",
    "E506": "one of low and high without the other",
    "E507": "low is not below high",
    "E508": "a range of something that is no number",
    "E509": "a published type that cannot hold every value",
    "E510": "unknown type",
    "E511": "a property that the product publishes itself",
    "W514": "a limit that can never be reached",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong at one place.

    ``line`` and ``column`` count from 1, as editors do; the column counts characters. ``seen`` and
    ``remedy`` are one line each, ``next`` a command to type or empty.
    """

    file: str
    line: int
    column: int
    code: str
    seen: str
    remedy: str
    next: str = ""

    @property
    def stops(self) -> bool:
        """True for an error, False for a warning."""
        return self.code.startswith("E")

    @property
    def place(self) -> str:
        """``file:line:column``, as editors and terminals link it."""
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        ahead = f"   next: {self.next}" if self.next else ""
        return f"{self.place}: {self.code} {self.seen}\n    {self.remedy}{ahead}"


@dataclass(slots=True)
class Report:
    """The problems of one file, as they are found."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    closed: set[Spot] = field(default_factory=set)
    """Places of values that are no values at all: what else is said there follows from that."""

    def add(self, code: str, spot: Spot, seen: str, remedy: str) -> None:
        """One more problem; texts are cut and cleaned to one line each."""
        if spot in self.closed:
            return
        self.problems.append(
            Problem(
                file=self.file,
                line=spot[0],
                column=spot[1],
                code=code,
                seen=one_line(seen),
                remedy=one_line(remedy, 300),
                next=f"tagbridge check {quote(self.file)}",
            )
        )

    @property
    def stops(self) -> bool:
        """Whether there is an error among them."""
        return any(problem.stops for problem in self.problems)


def spot_text(spot: Spot) -> str:
    """A place in the same file, as messages name it: ``20:62``."""
    return f"{spot[0]}:{spot[1]}"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sorted by place, each text once: the order in which a reader of the file meets them."""
    return sorted(set(problems), key=lambda p: (p.file, p.line, p.column, p.code, p.seen, p.remedy))


def one_line(text: str, most: int = 160) -> str:
    """A text that fits a message: without control characters, its middle left out if long."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(shown) <= most:
        return shown
    half = (most - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}"
