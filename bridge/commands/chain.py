"""The chain of the audit log: lines of JSON, each with the hash of the one before it; pure.

A line ends with ``"hash"``: SHA-256 over the line without it, in which ``"prev"`` is the hash of
the line before. Whoever changes, inserts or takes out a line breaks the chain there. Who writes
the rest of it anew, or cuts off its end, is found out by a head (the last hash) that is kept
elsewhere: the gateway publishes it, so the historian has it.

Files follow each other by number, each beginning with a line that says ``began``. Of a line that
the disk did not take for sure, the next file's first line says so (``unsure``), and goes on from
the line before it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST = "0" * 64
"""What is before the first line of all."""

_REMEMBERED = 10_000  # records, when the next file begins
_TAIL = len(',"hash":""}') + 64


def line_of(record: Mapping[str, Any], number: int, prev: str) -> tuple[str, str]:
    """A record as a line without its end, and the line's hash."""
    body = json.dumps(
        {"n": number, **record, "prev": prev}, ensure_ascii=False, separators=(",", ":")
    ).encode("utf-8", "replace")
    digest = hashlib.sha256(body).hexdigest()
    return f'{body[:-1].decode()},"hash":"{digest}"}}', digest


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the chain is broken: file, line counted from 1, what is wrong."""

    file: str
    line: int
    what: str


@dataclass(slots=True)
class Verdict:
    """What a chain is worth. ``head`` is its last hash; ``first`` the number of its first record,
    more than 1 when older files were given up.
    """

    records: int = 0
    first: int = 0
    head: str = FIRST
    faults: list[Fault] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)


def read_line(text: str) -> dict[str, Any] | None:
    """A line's record, if its own hash is right."""
    body = text[:-_TAIL] + "}"
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    if not isinstance(record, dict) or not text.endswith(f',"hash":"{digest}"}}'):
        return None
    return record


def verify(files: Iterable[tuple[int, str, str]]) -> Verdict:
    """Judge files, oldest first: each its number, its name and its text."""
    reading = _Reading()
    for number, name, text in files:
        reading.file(number, name, text)
    return reading.verdict


class _Reading:
    def __init__(self) -> None:
        self.verdict = Verdict()
        self._file = 0
        self._records: list[tuple[int, str]] = []  # number and hash

    def file(self, number: int, name: str, text: str) -> None:
        if self._file and number != self._file + 1:
            self._fault(name, 1, f"file {self._file + 1} is gone")
        self._file = number
        del self._records[:-_REMEMBERED]
        *lines, rest = text.split("\n")
        for place, line in enumerate(lines, start=1):
            record = read_line(line)
            if record is None:
                self._fault(name, place, "changed, or no record at all")
            else:
                self._record(name, place, record)
        if rest:
            self._fault(name, len(lines) + 1, "a line without its end")

    def _record(self, name: str, place: int, record: Mapping[str, Any]) -> None:
        verdict = self.verdict
        number, prev = record.get("n"), record.get("prev")
        if not isinstance(number, int):
            self._fault(name, place, "a record without a number")
            return
        if not self._records:
            verdict.first = number
            if number == 1 and prev != FIRST:
                self._fault(name, place, "not what a first record is")
        elif (number - 1, prev) not in self._may_precede(record):
            last, _ = self._records[-1]
            self._fault(name, place, f"record {number} does not follow record {last}")
        verdict.records += 1
        verdict.head = str(record["hash"])
        verdict.hashes.add(verdict.head)
        self._records.append((number, verdict.head))

    def _may_precede(self, record: Mapping[str, Any]) -> list[tuple[int, str]]:
        """The last record; or one that few of which the disk was not sure have followed."""
        unsure = record.get("unsure")
        if record.get("what") != "began" or type(unsure) is not int or unsure < 0:
            unsure = 0
        return self._records[-unsure - 1 :]

    def _fault(self, name: str, place: int, what: str) -> None:
        self.verdict.faults.append(Fault(name, place, what))
