"""Refusals: why a text is no address, and what to write instead.

Each names the text as it was typed, and gives addresses that can be copied. Codes: E401 names no
area, E402 can be read in two ways, E403 a coil in digits, E404 a reference with bits, E405 outside
of its area, E406 no such bits, E407 an array of nothing.
"""

from collections.abc import Iterable
from typing import Protocol

from mappings.errors import Fault

_FORMS = "write holding:100 (counted from 0), HR101 (from 1) or 40101 (as in the manual)"


class Place(Protocol):
    """An address, as far as a refusal names it."""

    @property
    def numbered(self) -> str:
        """The form that counts from 1."""
        ...


def no_area(text: str, digits: str, last: int) -> Fault:
    """A number that is no reference: it says neither area nor base."""
    if digits[0] == "0" and len(digits) > 1:
        coil = f"; write C{int(digits)}" if 1 <= int(digits) <= last + 1 else ": write C17"
        return _fault(
            "E403",
            f"{text!r}: coils have no all-digit form",
            f"a spreadsheet drops the zeros of {text}{coil}",
        )
    number = int(digits)
    zero = f"counted from 0: holding:{number} or input:{number}" if number <= last else ""
    one = f"counted from 1: HR{number} or IR{number}" if 1 <= number <= last + 1 else ""
    coils = [f"coil:{number}"] if zero else []
    coils += [f"C{number}"] if one else []
    ways = [way for way in (zero, one, "coils: " + " or ".join(coils)) if way]
    return _fault("E401", f"{text!r} names no area", "; ".join(ways) if coils else _FORMS)


def reference_with_bit(text: str, digits: str, meant: str) -> Fault:
    """``40101.10``, which a spreadsheet changes unseen."""
    return _fault(
        "E404",
        f"{text!r}: an all-digit reference cannot carry a bit",
        f"spreadsheets turn {digits}.10 into {digits}.1 unseen; write {meant}",
    )


def two_ways(text: str, meant: Place, number: int, first: int, in_hex: str, more: str) -> Fault:
    """A number that is a reference of its own area too.

    ``in_hex`` is the address that it would be on the wire, empty where there is none.
    """
    numbered = number if not more.startswith(".") else meant.numbered  # digits carry no bit
    remedy = (
        f"reference {number} of the manual is {meant} on the wire: "
        f"write {numbered}{more} or {meant}{more}"
    )
    if in_hex:
        remedy += f". If the wire address really is {first}, write it in hex: {in_hex}{more}"
    return _fault(
        "E402",
        f"{text!r} can be read in two ways",
        remedy,
        f"tagbridge probe {{plant}} {{device}} {number}",
    )


def outside(text: str, area: str, letters: str, last: int) -> Fault:
    """Beyond the addresses of its area; ``letters`` (``HR``) for those that count from 1."""
    if letters:
        remedy = f"counted from 1 it has {letters}1 to {letters}{last + 1}"
    else:
        remedy = f"counted from 0 it has {area}:0 to {area}:{last}"
    return _fault("E405", f"{text!r} is outside of the {area} area", remedy)


def no_such_bit(text: str, bit: int) -> Fault:
    """A bit that no register has."""
    return _fault(
        "E406",
        f"{text!r}: a register has no bit {bit}",
        "bits are 0 (least significant) to 15",
    )


def bits_turned(text: str, plain: str, bit: int, last_bit: int) -> Fault:
    """``.7-4``, or ``.4-4``."""
    meant = f"{plain}.{last_bit}" + (f"-{bit}" if last_bit != bit else "")
    return _fault("E406", f"{text!r}: bits are written lowest first", f"write {meant}")


def bit_of_bit(text: str, plain: str) -> Fault:
    """A bit of what is a bit."""
    seen = f"{text!r}: coils and discrete inputs are single bits already"
    return _fault("E406", seen, f"write {plain}")


def empty_array(text: str) -> Fault:
    """An array of 0 values."""
    return _fault("E407", f"{text!r}: an array of nothing", "write how many values it has: [10]")


def unknown_area(text: str, word: str, meant: str | None, known: Iterable[str]) -> Fault:
    """A word before the colon that is no area."""
    hint = f"did you mean {meant!r}? " if meant else ""
    seen = f"{text!r}: {word!r} is no area"
    return _fault("E401", seen, f"{hint}areas are {', '.join(known)}")


def unreadable(text: str) -> Fault:
    """Nothing that looks like an address."""
    return _fault("E401", f"{text!r} is no Modbus address" if text else "no address", _FORMS)


def _fault(code: str, seen: str, remedy: str, ahead: str = "") -> Fault:
    return Fault(code=code, field="address", seen=seen, remedy=remedy, next=ahead)
