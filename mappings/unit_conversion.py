"""Conversion of units by pint: the authority on factors and dimensions.

Its registry computes in fractions, so that 1 l/min is 3/5 hl/h and not 0.6000000000000001. It is
made when the first conversion is asked for; a plant without conversions never imports it.
"""

from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import Any

from mappings.unit_table import OWN_QUANTITIES, QUANTITIES


@lru_cache(maxsize=1)
def registry() -> Any:
    """The units of pint with those of the table that it lacks, in fractions."""
    # Loading it takes 0.4 s, and most plants convert nothing.
    import pint  # noqa: PLC0415

    made: Any = pint.UnitRegistry(None, non_int_type=Fraction, on_redefinition="ignore")
    made.load_definitions(str(resources.files("pint") / "default_en.txt"))
    made.load_definitions(OWN_QUANTITIES.strip().splitlines())
    return made


@lru_cache(maxsize=4096)
def line_between(source: str, target: str) -> tuple[Fraction, Fraction] | None:
    """Factor and offset from one of pint's expressions to another; None if nothing leads there."""
    units = registry()
    if dimension_of(source) != dimension_of(target):
        return None
    ends = [
        units.Quantity(Fraction(value), source).to(target or "dimensionless").magnitude
        for value in (0, 1)
    ]
    zero, one = (Fraction(end) for end in ends)
    return one - zero, zero


@lru_cache(maxsize=4096)
def dimension_of(unit: str) -> frozenset[tuple[str, Fraction]]:
    """The powers of the base quantities in an expression of pint's."""
    powers = registry().Unit(unit or "dimensionless").dimensionality
    return frozenset((name, Fraction(power)) for name, power in powers.items())


@lru_cache(maxsize=1)
def _quantities() -> dict[frozenset[tuple[str, Fraction]], str]:
    named: dict[frozenset[tuple[str, Fraction]], str] = {}
    for name, unit in QUANTITIES:
        named.setdefault(dimension_of(unit), name)
    return named


def quantity_of(unit: str) -> str:
    """The name of what is measured in an expression of pint's, ``power``; empty without one."""
    return _quantities().get(dimension_of(unit), "")
