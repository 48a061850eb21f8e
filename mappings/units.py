"""Units: what a text means as a unit, and how values of one become values of another, exactly.

A unit is written as people read it (``m³/h``, ``°C``, ``W/(m²·K)``) or in UCUM (``m3/h``,
``Cel``). It is composed of the atoms of `mappings.unit_table` and of what the plant declares; a
text that nothing is known of is a `Fault`. Reading needs no library. Converting asks pint, which
takes half a second to load and is therefore loaded when the first conversion is asked for.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from mappings.errors import Fault, nearest
from mappings.tags import Unit
from mappings.unit_conversion import line_between, quantity_of
from mappings.unit_products import (
    ABSOLUTE,
    PARTS,
    AmbiguousProductError,
    Parser,
    Part,
    Product,
    UnknownPartError,
)
from mappings.unit_table import CODES, SLIPS

_LONGEST = 60  # characters

# What looks alike: º ˚ and the degree, Greek mu and micro, dots and crosses, minus, slashes.
_LIKE = str.maketrans({
    "\u00ba": "°", "\u02da": "°", "\u03bc": "µ", "\u22c5": "·", "\u2219": "·", "\u2022": "·",
    "\u00d7": "·", "\u2212": "-", "\u2215": "/", "\u2044": "/",
})  # fmt: skip
_REFUSED = {
    "C": ("°C (Celsius)", "Coulomb would be written coulomb"),
    "F": ("°F (Fahrenheit)", "Farad would be written farad"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A unit that is known: what hosts want of it, and how it is computed with.

    One of it is ``factor`` times what pint calls ``pint``, an expression of names, empty for a
    number. ``absolute`` is a temperature on a scale with a zero of its own.
    """

    unit: Unit
    pint: str
    factor: Fraction = Fraction(1)
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Conversion:
    """A value in the new unit is the old one x ``factor`` + ``offset``, both exact."""

    factor: Fraction
    offset: Fraction


SAME = Conversion(Fraction(1), Fraction(0))


class Units:
    """The units that may be written in a plant: those of the table, and its own.

    ``declared`` are units by name: so many of another.
    """

    def __init__(self, declared: Mapping[str, Known] = MappingProxyType({})) -> None:
        self.declared = declared
        self._found: dict[str, Known | Fault] = {}

    def find(self, text: str) -> Known | Fault:
        """What a text means as a unit."""
        found = self._found.get(text)
        if found is None:
            found = self._found[text] = self._read(text)
        return found

    def _read(self, text: str) -> Known | Fault:
        plain = _plain(text)
        if not plain or len(plain) > _LONGEST:
            return self._unknown(text, plain[:_LONGEST])
        if plain == "1":
            return Known(unit=Unit(text="1", ucum="1", code=CODES["1"]), pint="")
        whole = self._part(plain.replace(" ", ""))
        if whole is not None and whole.pint in ABSOLUTE:
            return Known(unit=_unit(whole.text, whole.ucum), pint=whole.pint, absolute=True)
        try:
            product = Parser(plain, self._part).read() if whole is None else Product.of(whole)
        except UnknownPartError as wrong:
            return self._unknown(text, str(wrong))
        except AmbiguousProductError as wrong:
            remedy = f"write {wrong}: what stands after a / is divided by, one part each"
            return Fault(code="E521", field="unit", seen=f"unit {text!r}", remedy=remedy)
        unit = _unit(product.text, product.ucum)
        return Known(unit=unit, pint=product.pint, factor=product.factor)

    def _part(self, word: str) -> Part | None:
        own = self.declared.get(word)
        if own is not None:
            return Part(own.unit.text, own.unit.ucum, own.pint, own.factor)
        return PARTS.get(word)

    def _unknown(self, text: str, word: str) -> Fault:
        seen = f"unit {text!r}"
        if word in _REFUSED:
            meant, spelled = _REFUSED[word]
            return Fault(
                code="E521", field="unit", seen=seen, remedy=f"did you mean {meant}? {spelled}"
            )
        slip = SLIPS.get(word.casefold())
        meant = slip or nearest(word, [*self.declared, *CODES, *PARTS]) or ""
        about = "" if word == _plain(text) or not word else f"{word!r} is no unit: "
        hint = f"did you mean {meant}? " if meant else ""
        remedy = f"{about}{hint}Units of your own stand under units:"
        return Fault(code="E521", field="unit", seen=seen, remedy=remedy)


def conversion(source: Known, target: Known) -> Conversion | None:
    """How values of one unit become values of another; None between different quantities."""
    if (source.pint, source.factor) == (target.pint, target.factor):
        return SAME
    if source.pint == target.pint:
        return Conversion(source.factor / target.factor, Fraction(0))
    line = line_between(source.pint, target.pint)
    if line is None:
        return None
    factor, offset = line
    return Conversion(source.factor / target.factor * factor, offset / target.factor)


def quantity(unit: Known) -> str:
    """What a unit measures, for messages: ``power``; empty where it has no name."""
    return quantity_of(unit.pint)


def _plain(text: str) -> str:
    """A text in one spelling: superscripts as digits, one sign for each meaning."""
    composed = unicodedata.normalize("NFKC", text.translate(_LIKE))
    return composed.translate(_LIKE).strip()


def _unit(text: str, ucum: str) -> Unit:
    return Unit(text=text, ucum=ucum, code=CODES.get(text.replace("L", "l"), CODES.get(text, "")))
