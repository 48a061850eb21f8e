"""Addresses: the text in the ``address`` column, and the bits or registers that it means.

::

    address   = ( wire | numbered ) [ "." bit [ "-" bit ] | "[" count "]" ]
              | reference [ "[" count "]" ]
    wire      = ( "coil" | "discrete" | "input" | "holding" ) ":" ( decimal | "0x" hex )
    numbered  = ( "C" | "DI" | "IR" | "HR" | "1x" | "3x" | "4x" ) decimal
    reference = ( "1" | "3" | "4" ) digit digit digit digit [ digit ]

A wire address counts from 0, as sent; numbers and references count from 1, as printed in manuals.
``holding:100``, ``holding:0x64``, ``HR101``, ``4x101``, ``40101`` and ``400101`` are one register.
The notation carries the base, so there is no switch that shifts a table by one; whatever could be
read in two ways is refused, in the words of `drivers.modbus.refusals`. ``.3`` is bit 3 of a
register, 0 the least significant; ``.4-7`` are four of them as one number; ``[10]`` is an array.
"""

import re
from dataclasses import dataclass
from enum import Enum

from drivers.modbus import refusals
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

    @property
    def letters(self) -> str:
        """What stands before a number that counts from 1: ``HR``."""
        return _LETTERS[self]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value begins: ``first`` counts from 0.

    ``bit`` is set for bits of one register: a single one, or those up to ``last_bit`` (included)
    as a number. ``count`` is set for an array of so many values.
    """

    area: Area
    first: int
    bit: int | None = None
    last_bit: int | None = None
    count: int | None = None

    def __str__(self) -> str:
        return f"{self.area.value}:{self.first}{self._more}"

    @property
    def numbered(self) -> str:
        """The form that counts from 1, without bits and count: ``HR101``."""
        return f"{self.area.letters}{self.first + 1}"

    @property
    def bits(self) -> int | None:
        """How many bits of a register it names; None for whole registers, and for coils."""
        if self.bit is None:
            return None
        return 1 if self.last_bit is None else self.last_bit - self.bit + 1

    @property
    def _more(self) -> str:
        if self.count is not None:
            return f"[{self.count}]"
        if self.bit is None:
            return ""
        return f".{self.bit}" + ("" if self.last_bit is None else f"-{self.last_bit}")


_WORDS = {area.value: area for area in Area}
_NUMBERED = {
    "C": Area.COIL, "DI": Area.DISCRETE, "IR": Area.INPUT, "HR": Area.HOLDING,
    "1X": Area.DISCRETE, "3X": Area.INPUT, "4X": Area.HOLDING,
}  # fmt: skip
_LETTERS = {Area.COIL: "C", Area.DISCRETE: "DI", Area.INPUT: "IR", Area.HOLDING: "HR"}
_REFERENCES = {"1": Area.DISCRETE, "3": Area.INPUT, "4": Area.HOLDING}
_DIGITS = {area: digit for digit, area in _REFERENCES.items()}

_DIGITS_MORE = re.compile(r"([0-9]{1,12})(\.[0-9]{1,3}(?:-[0-9]{1,3})?|\[[0-9]{1,5}\])?")
_FORM = re.compile(
    r"(?:(?P<word>[a-z]+):(?P<number>0x[0-9a-f]{1,8}|[0-9]{1,12})"
    r"|(?P<letters>c|di|ir|hr|[134]x)(?P<counted>[0-9]{1,12}))"
    r"(?P<more>\.[0-9]{1,3}(?:-[0-9]{1,3})?|\[[0-9]{1,5}\])?",
    re.IGNORECASE,
)


def parse(text: str) -> Address | Fault:
    """The address that ``text`` means, or what is wrong with it."""
    text = text.strip()
    if digits := _DIGITS_MORE.fullmatch(text):
        return _reference(text, digits[1], digits[2] or "")
    form = _FORM.fullmatch(text)
    if form is None:
        return refusals.unreadable(text)
    if form["word"] is not None:
        area = _WORDS.get(form["word"].lower())
        if area is None:
            return refusals.unknown_area(text, form["word"], nearest(form["word"], _WORDS), _WORDS)
        is_hex = form["number"].lower().startswith("0x")
        number = first = int(form["number"], 16 if is_hex else 10)
    else:
        area, is_hex = _NUMBERED[form["letters"].upper()], False
        number = int(form["counted"])
        first = number - 1
    more = form["more"] or ""
    if not is_hex and (meant := reference_number(area, number)) is not None:
        in_hex = f"{area.value}:0x{first:X}" if 0 <= first <= LAST else ""
        return refusals.two_ways(text, Address(area, meant), number, first, in_hex, more)
    if not 0 <= first <= LAST:
        return refusals.outside(text, area.value, "" if form["word"] else area.letters, LAST)
    return _with_more(text, area, first, more)


def reference_number(area: Area, number: int) -> int | None:
    """The wire address that ``number`` means if it is a reference of its own area, or None."""
    digit = _DIGITS.get(area)
    text = str(number)
    if digit is None or len(text) not in {5, 6} or not text.startswith(digit):
        return None
    first = int(text[1:]) - 1
    return first if 0 <= first <= LAST else None


def _reference(text: str, digits: str, more: str) -> Address | Fault:
    """What a number without letters means: a reference of the manual, or nothing."""
    area = _REFERENCES.get(digits[0])
    if len(digits) not in {5, 6} or area is None:
        return refusals.no_area(text, digits, LAST)
    first = int(digits[1:]) - 1
    if not 0 <= first <= LAST:
        return refusals.outside(text, area.value, area.letters, LAST)
    if not more.startswith("."):
        return _with_more(text, area, first, more)
    plain = Address(area, first)
    if area.is_bits:
        return refusals.bit_of_bit(text, plain.numbered)
    return refusals.reference_with_bit(text, digits, plain.numbered + more)


def _with_more(text: str, area: Area, first: int, more: str) -> Address | Fault:
    """An address with what stands behind it: bits or a count."""
    if not more:
        return Address(area, first)
    if more.startswith("["):
        count = int(more[1:-1])
        if count == 0:
            return refusals.empty_array(text)
        if first + count - 1 > LAST:
            letters = "" if ":" in text else area.letters
            return refusals.outside(text, area.value, letters, LAST)
        return Address(area, first, count=count)
    if area.is_bits:
        return refusals.bit_of_bit(text, text[: -len(more)])
    lowest, _, highest = more[1:].partition("-")
    bit, last_bit = int(lowest), int(highest) if highest else None
    if max(bit, last_bit or 0) > 15:
        return refusals.no_such_bit(text, max(bit, last_bit or 0))
    if last_bit is not None and last_bit <= bit:
        return refusals.bits_turned(text, text[: -len(more)], bit, last_bit)
    return Address(area, first, bit, last_bit)
