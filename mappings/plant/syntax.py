"""Syntax: what YAML's own complaints mean to somebody who does not think in YAML.

Its parser says what it expected next; people want to know which character misled it. The few
slips behind nearly all complaints are told by their remedy: an unquoted ``[`` or ``: `` in a
value, a tab, a quote or bracket that is never closed, a line that stands too far left or right.
"""

import re

import yaml

Spot = tuple[int, int]
"""Line and column in the text, both from 1."""

_Problem = tuple[str, Spot, str, str]  # code, place, what was seen, remedy

# What YAML does not allow anywhere (YAML 1.2, section 5.1), surrogates included.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
UNSHOWN = ("password", "key")
"""The keys whose values no message may repeat, not even where they are no YAML."""

_SHOWN = 20  # characters of a value in a remedy


def unreadable(text: str) -> _Problem | None:
    """The first character that no YAML may contain."""
    found = _UNREADABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()].splitlines(keepends=True) or [""]
    new_line = before[-1].endswith(("\n", "\r", "\x85", "\u2028", "\u2029"))
    spot = (len(before) + 1, 1) if new_line else (len(before), len(before[-1]) + 1)
    seen = f"the control character U+{ord(found[0]):04X}"
    return "E101", spot, seen, "remove it; was the file saved as UTF-8 text?"


def explain(
    error: yaml.MarkedYAMLError, text: str, last_key: str | None, last_value: Spot | None
) -> _Problem:
    """A parser's error as a problem.

    ``last_key`` and ``last_value`` are the key and the place of the value that the parser had read
    just before, if it had.
    """
    lines = text.splitlines() or [""]
    where = _spot(error.problem_mark, lines)
    began = _spot(error.context_mark, lines) if error.context_mark else where
    line = lines[where[0] - 1]
    char = line[where[1] - 1 : where[1]]
    complaint = (error.problem or "").replace("expected ", "")
    context = error.context or ""

    if "quoted scalar" in context and "end of stream" in complaint:
        return "E101", began, "not YAML: this quote is never closed", "add the closing quote"
    if "flow" in context and char and char in "[]{}" and last_key and last_value:
        value_line = lines[last_value[0] - 1]
        value = value_line[last_value[1] - 1 :]
        shown = value[:_SHOWN].replace("'", "''") + ("…" if len(value) > _SHOWN else "")
        if last_key in UNSHOWN:
            shown = "…"
        seen = f"not YAML here: [ ] {{ }} inside {{ }} end the value of {last_key!r}"
        return "E101", last_value, seen, f"put it in quotes: {last_key}: '{shown}'"
    inside = where[0] == began[0] or _indent(line) > _indent(lines[began[0] - 1])
    if "flow" in context and char and inside:
        bracket = "}" if "mapping" in context else "]"
        seen = f"not YAML: between the bracket of {began[0]}:{began[1]} and here a comma or "
        remedy = f"separate by commas, close with {bracket}, put values with , or : in quotes"
        return "E101", where, f"{seen}{bracket} is missing", remedy
    if "flow" in context:
        bracket = "}" if "mapping" in context else "]" if "sequence" in context else "} or ]"
        end = f"before {where[0]}:{where[1]}" if char else "at all"
        seen = f"not YAML: what is opened here is not closed {end}"
        return "E101", began, seen, f"add the missing {bracket}"
    if char == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        return "E101", where, "not YAML: a tab", "indent with blanks only"
    if "cannot start any token" in complaint or "alias" in context or "anchor" in context:
        seen = f"not YAML: a value cannot begin with {char!r}"
        return "E101", where, seen, "put the value in quotes"
    if "escape" in complaint:
        seen = "not YAML: in double quotes a backslash begins an escape"
        return "E101", where, seen, "use single quotes: '…'"
    if "mapping values" in complaint:
        if line[: where[1] - 1].count(": ") or line[: where[1] - 1].count(":\t"):
            seen = "not YAML: a second ': ' in one value"
            return "E101", where, seen, "put the value in quotes"
        seen = "not YAML: a key with a value cannot stand here"
        remedy = "does it stand too far right, or does the line above lack its ':'?"
        return "E101", where, seen, remedy
    if "':'" in complaint:
        return "E101", began, "not YAML: a key without ':'", "write KEY: VALUE"
    seen = "not YAML: this does not go on with what stands above"
    remedy = (
        "keys of one mapping begin in one column; after a closing quote only a comment may come"
    )
    return "E101", where, seen, remedy


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _spot(mark: yaml.Mark | None, lines: list[str]) -> Spot:
    """A mark as a place inside the text: the parser's end of the stream lies after the last."""
    if mark is None:
        return 1, 1
    if mark.line >= len(lines):
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, min(mark.column, len(lines[mark.line])) + 1
