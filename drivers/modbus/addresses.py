"""Addresses: the text in the ``address`` column, and the bit or register that it means.

::

    address   = ( wire | numbered ) [ "." bit ]  |  reference
    wire      = ( "coil" | "discrete" | "input" | "holding" ) ":" ( decimal | "0x" hex )
    numbered  = ( "C" | "DI" | "IR" | "HR" | "1x" | "3x" | "4x" ) decimal
    reference = ( "1" | "3" | "4" ) digit digit digit digit [ digit ]

A wire address counts from 0, as sent; numbers and references count from 1, as printed in manuals.
``holding:100``, ``holding:0x64``, ``HR101``, ``4x101``, ``40101`` and ``400101`` are one register.
The notation carries the base, so there is no switch that shifts a table by one; whatever could be
read in two ways is refused. ``.3`` is bit 3 of a register, 0 the least significant.
"""

import re
from dataclasses import dataclass
from enum import Enum

from mappings.errors import Fault, nearest

LAST = 0xFFFF
"""The highest address that a request can carry."""


class Area(Enum):
    """The four tables of the Modbus data model; the value is the word in a wire address."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """Whether an address of the area is a single bit, not a register of 16."""
        return self in {Area.COIL, Area.DISCRETE}


@dataclass(frozen=True, slots=True)
class Address:
    """A bit or register: ``first`` counts from 0, ``bit`` is set for one bit of a register."""

    area: Area
    first: int
    bit: int | None = None

    def __str__(self) -> str:
        return f"{self.area.value}:{self.first}" + ("" if self.bit is None else f".{self.bit}")

    @property
    def numbered(self) -> str:
        """The form that counts from 1, without the bit: ``HR101``."""
        return f"{_LETTERS[self.area]}{self.first + 1}"


_WORDS = {area.value: area for area in Area}
_NUMBERED = {
    "C": Area.COIL, "DI": Area.DISCRETE, "IR": Area.INPUT, "HR": Area.HOLDING,
    "1X": Area.DISCRETE, "3X": Area.INPUT, "4X": Area.HOLDING,
}  # fmt: skip
_LETTERS = {Area.COIL: "C", Area.DISCRETE: "DI", Area.INPUT: "IR", Area.HOLDING: "HR"}
_REFERENCES = {"1": Area.DISCRETE, "3": Area.INPUT, "4": Area.HOLDING}
_DIGITS = {area: digit for digit, area in _REFERENCES.items()}

_DIGITS_ONLY = re.compile(r"[0-9]{1,12}")
_DIGITS_BIT = re.compile(r"([0-9]{1,12})\.([0-9]{1,3})")
_FORM = re.compile(
    r"(?:(?P<word>[a-z]+):(?P<number>0x[0-9a-f]{1,8}|[0-9]{1,12})"
    r"|(?P<letters>c|di|ir|hr|[134]x)(?P<counted>[0-9]{1,12}))"
    r"(?P<more>\.[0-9]{1,3}(?:-[0-9]{1,3})?|\[[0-9]{1,5}\])?",
    re.IGNORECASE,
)
_FORMS = "write holding:100 (counted from 0), HR101 (from 1) or 40101 (as in the manual)"


def parse(text: str) -> Address | Fault:
    """The address that ``text`` means, or what is wrong with it."""
    text = text.strip()
    if _DIGITS_ONLY.fullmatch(text):
        return _reference(text)
    if digits_bit := _DIGITS_BIT.fullmatch(text):
        return _reference_with_bit(text, *digits_bit.groups())
    form = _FORM.fullmatch(text)
    if form is None:
        return _unreadable(text)
    if form["word"] is not None:
        area = _WORDS.get(form["word"].lower())
        if area is None:
            return _unknown_area(text, form["word"])
        is_hex = form["number"].lower().startswith("0x")
        number = first = int(form["number"], 16 if is_hex else 10)
    else:
        area, is_hex = _NUMBERED[form["letters"].upper()], False
        number = int(form["counted"])
        first = number - 1
    more = form["more"] or ""
    if not is_hex and (meant := reference_number(area, number)) is not None:
        return _two_ways(text, area, number, first, meant, more)
    if not 0 <= first <= LAST:
        return _outside(text, area, from_one=form["word"] is None)
    return _with_more(text, area, first, more)


def reference_number(area: Area, number: int) -> int | None:
    """The wire address that ``number`` means if it is a reference of its own area, or None."""
    digit = _DIGITS.get(area)
    text = str(number)
    if digit is None or len(text) not in {5, 6} or not text.startswith(digit):
        return None
    first = int(text[1:]) - 1
    return first if 0 <= first <= LAST else None


def _reference(text: str) -> Address | Fault:
    area = _REFERENCES.get(text[0])
    if len(text) in {5, 6} and area is not None:
        first = int(text[1:]) - 1
        if 0 <= first <= LAST:
            return Address(area, first)
        return _outside(text, area, from_one=True)
    if text[0] == "0" and len(text) > 1:
        return _fault(
            "E403",
            f"{text!r}: coils have no all-digit form",
            f"a spreadsheet drops the zeros of {text}; write C{max(1, int(text))}",
        )
    n = text.lstrip("0") or "0"
    counted = "" if n == "0" else f"; counted from 1: HR{n} or IR{n}"
    coils = "coil:0" if n == "0" else f"coil:{n} or C{n}"
    return _fault(
        "E401",
        f"{text!r} names no area",
        f"counted from 0: holding:{n} or input:{n}{counted}; coils: {coils}",
    )


def _reference_with_bit(text: str, digits: str, bit: str) -> Fault:
    plain = _reference(digits)
    if isinstance(plain, Fault):
        return _fault(plain.code, plain.seen.replace(repr(digits), repr(text)), plain.remedy)
    if plain.area.is_bits:
        return _no_bit_of_bit(text, plain.numbered)
    return _fault(
        "E404",
        f"{text!r}: an all-digit reference cannot carry a bit",
        f"spreadsheets turn {digits}.10 into {digits}.1 unseen; write {plain.numbered}.{bit}",
    )


def _with_more(text: str, area: Area, first: int, more: str) -> Address | Fault:
    if not more:
        return Address(area, first)
    plain = text[: -len(more)]
    if more.startswith("["):
        return _fault(
            "E407",
            f"{text!r}: arrays cannot be read yet",
            f"write a row for each element, beginning with {plain}",
        )
    if area.is_bits:
        return _no_bit_of_bit(text, plain)
    if "-" in more:
        lowest = more[1:].partition("-")[0]
        return _fault(
            "E407",
            f"{text!r}: several bits as a number cannot be read yet",
            f"read {plain} as uint16, or single bits such as {plain}.{lowest}",
        )
    bit = int(more[1:])
    if bit > 15:
        return _fault(
            "E406",
            f"{text!r}: a register has no bit {bit}",
            "bits are 0 (least significant) to 15",
        )
    return Address(area, first, bit)


def _two_ways(text: str, area: Area, number: int, first: int, meant: int, more: str) -> Fault:
    if more:  # an all-digit reference carries no bit
        ways = f"{_LETTERS[area]}{meant + 1}{more} or {area.value}:{meant}{more}"
    else:
        ways = f"{number} or {area.value}:{meant}"
    remedy = f"reference {number} of the manual is {area.value}:{meant} on the wire: write {ways}"
    if 0 <= first <= LAST:
        remedy += (
            f". If the wire address really is {first}, write it in hex: "
            f"{area.value}:0x{first:X}{more}"
        )
    return _fault("E402", f"{text!r} can be read in two ways", remedy)


def _outside(text: str, area: Area, *, from_one: bool) -> Fault:
    word = area.value
    if from_one:
        return _fault(
            "E405",
            f"{text!r} is outside of the {word} area",
            f"counted from 1 it has {_LETTERS[area]}1 to {_LETTERS[area]}{LAST + 1}",
        )
    return _fault(
        "E405",
        f"{text!r} is outside of the {word} area",
        f"counted from 0 it has {word}:0 to {word}:{LAST}",
    )


def _no_bit_of_bit(text: str, plain: str) -> Fault:
    return _fault(
        "E406",
        f"{text!r}: coils and discrete inputs are single bits already",
        f"write {plain}",
    )


def _unknown_area(text: str, word: str) -> Fault:
    known = nearest(word, _WORDS)
    hint = f"did you mean {known!r}? " if known else ""
    return _fault(
        "E401",
        f"{text!r}: {word!r} is no area",
        f"{hint}areas are coil, discrete, input, holding",
    )


def _unreadable(text: str) -> Fault:
    if not text:
        return _fault("E401", "no address", _FORMS)
    return _fault("E401", f"{text!r} is no Modbus address", _FORMS)


def _fault(code: str, seen: str, remedy: str) -> Fault:
    return Fault(code=code, field="address", seen=seen, remedy=remedy)
