"""What is wrong in a text that a user wrote: seen, expected, and the way out.

A bad configuration is not an exception but a list: `Fault` says what is wrong with one field, by
whoever knows (the reader, a driver's address grammar); the reader adds file, line and column and
makes it a `mappings.plant.problems.Problem`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with one field of a row or block.

    ``field`` is the key or column ("address"; "" for the row as a whole), ``seen`` one line that
    names what was seen, ``remedy`` what was expected and how to mend it. Codes that begin with E
    stop, with W warn; a code is never used for anything else again. ``next`` is a command to
    type; ``{plant}``, ``{link}``, ``{device}`` and ``{file}`` in it are filled in by the reader,
    as words of a shell. ``other`` is the index of the other row or device that it is about:
    ``{other}`` in ``remedy`` becomes its place. In faults of a whole link ``{link}`` in ``seen``
    becomes its name.
    """

    code: str
    field: str
    seen: str
    remedy: str
    next: str = ""
    other: int | None = None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that the user most likely meant, ignoring case, or None."""
    by_folded = {k.casefold(): k for k in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None
