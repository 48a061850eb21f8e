"""Products of units: ``W/(m²·K)`` read into parts, and written for people, for UCUM, for pint.

Parts stand from left to right, as in UCUM; a product after a slash needs brackets, because people
mean both things by ``W/m²·K``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from mappings.unit_table import ATOMS, PREFIXED_ONLY, PREFIXES, Atom

ABSOLUTE = frozenset({"degree_Celsius", "degree_Fahrenheit"})
"""What pint calls the scales of temperature whose zero is not that of the kelvin."""

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SIGNS = "/·*.()"
_TOKEN = re.compile(
    r"\s*(?:([/·*.()])|([0-9]+(?:\*[0-9]+)?)(?![\w%°\[])|((?:\[[^\]]*\]|[^\s/·*.()])+))"
)
_EXPONENT = re.compile(r"(.*?[^0-9^+-])\^?([+-]?[1-9])")
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")


@dataclass(frozen=True, slots=True)
class Part:
    """An atom with its prefix, or a number."""

    text: str
    ucum: str
    pint: str
    factor: Fraction = Fraction(1)


def _all_parts() -> dict[str, Part]:
    """Every atom with every prefix that it is used with, by all spellings."""
    found: dict[str, Part] = {}
    for atom in ATOMS:
        for spelling in (atom.text, *atom.also):
            found.setdefault(spelling, Part(atom.text, atom.ucum, atom.pint))
    for atom in (*ATOMS, *PREFIXED_ONLY):
        for prefix in atom.prefixes:
            for written in {prefix, "u"} if prefix == "µ" else {prefix}:
                for spelling in (atom.text, *atom.also):
                    found.setdefault(written + spelling, _prefixed(prefix, atom))
    return found


def _prefixed(prefix: str, atom: Atom) -> Part:
    letter, name = PREFIXES[prefix]
    ucum = f"{letter}{atom.ucum}" if atom.ucum else ""
    first, rest = re.fullmatch(r"(\w+)(.*)", atom.pint, re.DOTALL).groups()  # type: ignore[union-attr]  # each has a name
    return Part(prefix + atom.text, ucum, f"{name}{first}{rest}")


PARTS: Mapping[str, Part] = MappingProxyType(_all_parts())


class UnknownPartError(Exception):
    """A part that nothing is known of; the argument is that part."""


class AmbiguousProductError(Exception):
    """A product after a slash, without brackets; the argument is what could be written."""


@dataclass(frozen=True, slots=True)
class Product:
    """Some parts multiplied and divided."""

    text: str
    ucum: str
    pint: str
    factor: Fraction = Fraction(1)

    @staticmethod
    def of(part: Part, exponent: int = 1) -> "Product":
        """A part to a power."""
        if exponent == 1:
            pint = part.pint
            if pint in ABSOLUTE:
                pint = f"delta_{pint}"  # in a product a degree is a difference
            return Product(part.text, part.ucum, _group(pint), part.factor)
        shown = str(exponent).translate(_SUPERSCRIPTS)
        ucum = f"{part.ucum}{exponent}" if part.ucum else ""
        if not re.fullmatch(r"[\w\[\]']*|\{.*\}", part.ucum):
            ucum = f"({part.ucum}){exponent}"
        pint = f"({part.pint})**{exponent}" if part.pint else ""
        return Product(part.text + shown, ucum, pint, part.factor**exponent)

    def times(self, other: "Product") -> "Product":
        """The product of two, as it is shown."""
        return Product(
            f"{self.text}·{other.text}",
            _joined(self.ucum, ".", other.ucum),
            "*".join(p for p in (self.pint, other.pint) if p),
            self.factor * other.factor,
        )

    def over(self, other: "Product") -> "Product":
        """One divided by another."""
        pint = f"{self.pint or 1}/{_group(other.pint)}" if other.pint else self.pint
        ucum = f"/{other.ucum}" if self.ucum == "1" and other.ucum else ""
        return Product(
            f"{self.text}/{other.text}",
            ucum or _joined(self.ucum, "/", other.ucum),
            pint,
            self.factor / other.factor,
        )

    def grouped(self) -> "Product":
        """The same in brackets."""
        ucum = f"({self.ucum})" if self.ucum else ""
        return Product(f"({self.text})", ucum, _group(self.pint), self.factor)


def _group(pint: str) -> str:
    return f"({pint})" if pint and not pint.isidentifier() else pint


def _joined(left: str, sign: str, right: str) -> str:
    """A UCUM code of two, if both have one."""
    if not left or not right:
        return ""
    if sign == "/" and "/" in right and not right.startswith("("):
        right = f"({right})"
    return left + sign + right


class Parser:
    """Reads ``W/(m²·K)``: parts, from left to right, and brackets."""

    def __init__(self, text: str, find: Callable[[str], Part | None]) -> None:
        self.find = find
        self.text = text
        self.tokens = list(self._split(text))
        self.at = 0

    def _split(self, text: str) -> Iterator[str]:
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.end() == at:
                raise UnknownPartError(text[at:])
            at = match.end()
            yield match[1] or match[2] or match[3]

    def read(self) -> Product:
        """The whole text; raises what nothing is known of."""
        product = self._product(top=True)
        if self.at < len(self.tokens):
            raise UnknownPartError(self.tokens[self.at])
        return product

    def _product(self, *, top: bool) -> Product:
        whole = Product("1", "1", "") if self._next() == "/" else self._term()  # UCUM: /min
        divided = False
        while (sign := self._next()) is not None and sign != ")":
            if sign in "/·*.":
                self.at += 1
            divide = sign == "/"
            term = self._term()
            if divided and not divide:
                raise AmbiguousProductError(self._suggestion())
            divided |= divide
            whole = whole.over(term) if divide else whole.times(term)
        if not top and self._next() != ")":
            raise UnknownPartError(self.text)
        return whole

    def _term(self) -> Product:
        word = self._next()
        if word is None or (word in _SIGNS and word != "("):
            raise UnknownPartError(self.text)
        self.at += 1
        if word == "(":
            inner = self._product(top=False)
            self.at += 1
            return inner.grouped()
        if word[0].isdigit() and word.replace("*", "").isdigit():
            base, _, power = word.partition("*")
            if int(power or 1) > 12 or int(base) == 0:
                raise UnknownPartError(word)
            shown = base if not power else base + power.translate(_SUPERSCRIPTS)
            return Product(shown, word, "", Fraction(int(base) ** int(power or 1)))
        return self._part(word)

    def _part(self, word: str) -> Product:
        part = self.find(word)
        if part is not None:
            return Product.of(part)
        match = _EXPONENT.fullmatch(word)
        if match is not None:
            part = self.find(match[1])
            if part is not None:
                return Product.of(part, int(match[2]))
        if _ANNOTATION.fullmatch(word):
            return Product(word, word, "")
        raise UnknownPartError(word if match is None else match[1])

    def _next(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _suggestion(self) -> str:
        """The text with brackets after its slash."""
        before, _, after = self.text.partition("/")
        below = re.sub(r"(?<=[^\W\d])\^?(-?[1-9])", lambda m: m[1].translate(_SUPERSCRIPTS), after)
        return f"{before}/({re.sub('[/.* ]+', '·', below)})"
