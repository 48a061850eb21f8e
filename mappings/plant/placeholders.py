"""Placeholders: ``{n}``, ``{n:03}`` and ``{n*20+400}`` in texts that stand for many instances.

That is all the arithmetic of a plant file: whole numbers, ``+ - *``, nothing is ever executed.
``{{`` and ``}}`` are the braces themselves, wherever placeholders are looked for; the brace of
``${file:…}`` is none either.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Pairs
from dataclasses import dataclass
from functools import lru_cache

from mappings.errors import nearest
from mappings.plant.scalars import refusal

NAME = re.compile(r"[^\W\d]\w*")
"""What a parameter may be called."""

_TOKEN = re.compile(r"\s*(?:([^\W\d]\w*)|([0-9]{1,15})|([+*-]))")
_FORMAT = re.compile(r"0?[1-9][0-9]?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_LARGEST = 10**30  # more digits than anything in a plant has


LOST = "\0"
"""Stands for a value that was told to be wrong: what it would fill is lost, without a word."""


class Doubtful(dict[str, str]):
    """Values of which some could not be read: whatever is not there is lost, not unknown."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return LOST


class WrongPlaceholderError(Exception):
    """A placeholder that cannot be filled: code, what was seen, and the remedy.

    The code is empty if the reason has been told already.
    """

    def __init__(self, code: str, seen: str, remedy: str) -> None:
        super().__init__(seen)
        self.code, self.seen, self.remedy = code, seen, remedy


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One pair of braces: a sum of products of names and numbers, and a format or none.

    ``terms`` are signs with factors. ``text`` is how it was written.
    """

    text: str
    terms: tuple[tuple[int, tuple[str | int, ...]], ...]
    form: str = ""

    @property
    def names(self) -> set[str]:
        """The parameters in it."""
        return {f for _, factors in self.terms for f in factors if isinstance(f, str)}

    @property
    def plain(self) -> str | None:
        """The parameter's name if it stands there alone, without arithmetic and format."""
        if self.form or len(self.terms) > 1 or self.terms[0][0] < 0:
            return None
        first, *more = self.terms[0][1]
        return first if isinstance(first, str) and not more else None


Pieces = tuple[str | Placeholder, ...]


@lru_cache(maxsize=4096)
def pieces_of(text: str) -> Pieces:
    """A text cut at its placeholders; raises `WrongPlaceholderError`."""
    pieces: list[str | Placeholder] = []
    plain, at = "", 0
    while (brace := text.find("{", at)) >= 0:
        plain += text[at:brace].replace("}}", "}")
        if text.startswith("$", brace - 1) and brace:  # of a reference to a secret
            plain, at = plain + "{", brace + 1
            continue
        if text.startswith("{{", brace):
            plain, at = plain + "{", brace + 2
            continue
        end = text.find("}", brace)
        if end < 0:
            seen = f"{text!r}: a {{ without its }}"
            raise WrongPlaceholderError("E542", seen, "close it, or write {{ for a brace itself")
        pieces += [plain, _placeholder(text[brace + 1 : end])]
        plain, at = "", end + 1
    return (*pieces, plain + text[at:].replace("}}", "}"))


def _placeholder(inner: str) -> Placeholder:
    shown = f"{{{inner}}}"
    body, colon, form = inner.partition(":")
    if colon and not _FORMAT.fullmatch(form.strip()):
        seen = f"{shown}: {form!r} is no format"
        raise WrongPlaceholderError("E542", seen, "write {n:03} for three digits with zeros")
    terms: list[tuple[int, tuple[str | int, ...]]] = []
    sign, factors = 1, list[str | int]()
    wanted, at = True, 0  # whether a name or number has to come now
    while at < len(body.rstrip()):
        token = _TOKEN.match(body, at)
        if token is None:
            break
        name, digits, operator = token.groups()
        if wanted and operator == "-" and not factors:
            sign = -sign
        elif wanted == bool(operator):
            break
        elif operator is None:
            factors.append(name or int(digits))
            wanted = False
        else:
            wanted = True
            if operator != "*":
                terms.append((sign, tuple(factors)))
                sign, factors = (-1 if operator == "-" else 1), []
        at = token.end()
    if wanted or body[at:].strip():
        seen = f"{shown} cannot be read"
        remedy = "write {n}, {n:03} or {n*20+400}; {{ is a brace itself"
        raise WrongPlaceholderError("E542", seen, remedy)
    terms.append((sign, tuple(factors)))
    return Placeholder(shown, tuple(terms), form.strip())


def names_in(text: str) -> set[str]:
    """The parameters that a text names; of a text that cannot be read none."""
    if "{" not in text:
        return set()
    try:
        return {n for p in pieces_of(text) if isinstance(p, Placeholder) for n in p.names}
    except WrongPlaceholderError:
        return set()


def fill(text: str, values: Pairs[str, str]) -> str:
    """The text with its placeholders filled; raises `WrongPlaceholderError`."""
    if "{" not in text:
        return text
    return "".join(p if isinstance(p, str) else _value(p, values) for p in pieces_of(text))


def _value(placeholder: Placeholder, values: Pairs[str, str]) -> str:
    for name in sorted(placeholder.names):
        if name not in values:
            raise unknown(name, values)
        if values[name] == LOST:
            raise WrongPlaceholderError("", f"{name} is wrong", "")
    plain = placeholder.plain
    if plain is not None:
        return values[plain]
    total = 0
    for sign, factors in placeholder.terms:
        product = sign
        for factor in factors:
            product *= factor if isinstance(factor, int) else _whole(factor, placeholder, values)
        total += product
        if abs(total) > _LARGEST:
            seen = f"{placeholder.text} is larger than any number in a plant"
            raise WrongPlaceholderError("E542", seen, "is it meant as arithmetic?")
    return format(total, f"{placeholder.form}d") if placeholder.form else str(total)


def _whole(name: str, placeholder: Placeholder, values: Pairs[str, str]) -> int:
    text = values[name].strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    seen = f"{placeholder.text}: {name} is {text!r}, no whole number"
    raise WrongPlaceholderError("E542", seen, f"write {{{name}}} for the text as it is")


def unknown(name: str, known: Iterable[str]) -> WrongPlaceholderError:
    """The complaint about a name that nobody declared."""
    known = list(known)
    meant = nearest(name, known)
    hint = f"did you mean {{{meant}}}? " if meant else ""
    listed = ", ".join(known) or "none; {{ is a brace itself"
    return WrongPlaceholderError(
        "E541", f"unknown placeholder {{{name}}}", f"{hint}known here: {listed}"
    )


def check_pattern(text: str, known: Iterable[str], needed: Iterable[str]) -> str:
    """A text with plain placeholders out of ``known``, all of ``needed`` among them.

    For validators of keys such as ``metric_names``: raises their refusal.
    """
    known = list(known)
    try:
        found = _plain_names(text, known)
    except WrongPlaceholderError as wrong:
        raise refusal(wrong.code, wrong.seen, wrong.remedy) from None
    for name in needed:
        if name not in found:
            seen = f"{text!r} has no {{{name}}}"
            raise refusal("E127", seen, f"add {{{name}}}: without it they would all be one")
    return text


def _plain_names(text: str, known: list[str]) -> set[str]:
    found = set()
    for piece in pieces_of(text):
        if isinstance(piece, str):
            continue
        if piece.plain is None:
            seen = f"{piece.text} is no single name"
            raise WrongPlaceholderError("E542", seen, f"known here: {', '.join(known)}")
        if piece.plain not in known:
            raise unknown(piece.plain, known)
        found.add(piece.plain)
    return found
