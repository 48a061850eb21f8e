"""Orders: how many registers a value takes, and in which order its bytes may come.

As in the plant file: A is the most significant byte, letters stand in the order of arrival.
16 bit ``AB BA``; 32 bit ``ABCD CDAB BADC DCBA``; 64 bit the same four patterns, or any order of
whole registers. Texts and bytes come two to a register, ``AB`` or ``BA``, or one to a register, in
its high (``A-``) or low (``-A``) byte. A value of one byte has no order.
"""

from functools import lru_cache

from mappings.datatypes import WireType, wire_type

CHARACTERS = ("AB", "BA", "A-", "-A")
"""The orders of texts and bytes."""

_IN_64_BIT = {"ABCD": "ABCDEFGH", "CDAB": "GHEFCDAB", "BADC": "BADCFEHG", "DCBA": "HGFEDCBA"}
_NUMBERS = {8: (), 16: ("AB", "BA"), 32: tuple(_IN_64_BIT), 64: tuple(_IN_64_BIT.values())}


@lru_cache(maxsize=4096)
def known(name: str) -> WireType:
    """The wire type of a checked row."""
    found = wire_type(name)
    assert found is not None, name
    return found


def is_text(wire: WireType) -> bool:
    """Whether it is a text or bytes, not a number."""
    return wire.kind in {"string", "bytes"}


def registers_of(wire: WireType, order: str = "") -> int | None:
    """How many registers one value of this type takes, or None if registers do not carry it."""
    if is_text(wire):
        if not wire.length:
            return None
        return wire.length if "-" in order else (wire.length + 1) // 2
    return max(1, wire.bits // 16) if wire.bits in _NUMBERS else None


def orders(wire: WireType) -> tuple[str, ...]:
    """The usual byte orders of a type; the first is the usual one; none for a single byte."""
    return CHARACTERS if is_text(wire) else _NUMBERS[wire.bits]


def is_order(order: str, wire: WireType) -> bool:
    """Whether ``order`` is one; 64 bit values may have their whole registers in any order."""
    if order in orders(wire):
        return True
    pairs = [order[i : i + 2] for i in range(0, len(order), 2)]
    return wire.bits == 64 and not is_text(wire) and sorted(pairs) == ["AB", "CD", "EF", "GH"]


def order_in(wire: WireType, own: str, of_device: str) -> str:
    """The order of a value: the row's own, else the device's pattern for 32 and 64 bit."""
    if own:
        return own
    if is_text(wire) or wire.bits < 32:
        return "AB"
    return of_device if wire.bits == 32 else _IN_64_BIT[of_device]
