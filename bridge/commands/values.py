"""Values of commands: from the field that a host chose to a value of the metric's type; pure.

Hosts write numbers in several ways (Sparkplug 3.0, section 6.4.16; negative integers in an unsigned
field are sign-extended by some and cut to their width by others). Every way that has one meaning
is taken; what could mean two numbers is refused, for a machine is going to be given it.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from bridge.sparkplug.payload import CommandMetric
from mappings.batch import Value
from mappings.coercion import coerce_to
from mappings.datatypes import (
    FLOATS,
    INTEGERS,
    SIGNED,
    TEXTS,
    DataType,
    integer_range,
    width,
)

_FIELD_BITS = {"int_value": 32, "long_value": 64}
_REALS = frozenset({"float_value", "double_value"})


@dataclass(frozen=True, slots=True)
class WrongType:
    """Why a command's value is none for its metric; for people."""

    reason: str


def value_of(command: CommandMetric, datatype: DataType) -> Value | WrongType:
    """The value that a command means for a metric of this type."""
    value, field = command.value, command.field
    if field is None or value is None:
        what = "null" if field is None else field.removesuffix("_value")
        return WrongType(f"{what} is no value for {_name(datatype)}")
    wrong = WrongType(f"{field.removesuffix('_value')} is no value for {_name(datatype)}")
    declared = _declared(command)
    if isinstance(declared, WrongType):
        return declared
    if isinstance(value, bool):
        return value if datatype is DataType.BOOLEAN else wrong
    if isinstance(value, str):
        return value if datatype in TEXTS else wrong
    if isinstance(value, bytes):
        return value if datatype is DataType.BYTES else wrong
    if field in _REALS:
        return _real(float(value), datatype, wrong)
    if datatype not in INTEGERS | FLOATS | {DataType.DATETIME}:
        return wrong
    return _whole(int(value), _FIELD_BITS[field], declared, datatype)


def _declared(command: CommandMetric) -> DataType | WrongType | None:
    """The type that the command says, None if it says none (0 is Unknown)."""
    if not command.datatype:
        return None
    try:
        return DataType(command.datatype)
    except ValueError:
        return WrongType(f"data type {command.datatype} is not of a single value")


def _real(value: float, datatype: DataType, wrong: WrongType) -> float | WrongType:
    if datatype not in FLOATS:
        return wrong
    if not isfinite(value):
        return WrongType(f"{value} is no number")
    if datatype is DataType.DOUBLE:
        return value
    found = coerce_to(DataType.FLOAT)(Fraction(value), True)  # to the nearest
    return found if isinstance(found, float) else WrongType(f"{value} does not fit a Float")


def _whole(raw: int, bits: int, declared: DataType | None, datatype: DataType) -> int | WrongType:
    """An integer out of an unsigned field of so many bits."""
    said = next((each for each in (declared, datatype) if each in INTEGERS), None)
    number = raw
    if raw >= 1 << bits - 1:  # a sign, or a large number
        if said is None or width(said) > bits:
            return WrongType(f"{raw} in {bits} bits may be a negative number: say its data type")
        number = raw - (1 << bits) if said in SIGNED else raw
    if said is not None and said is declared and said in SIGNED:
        number = _extended(number, said)
    if datatype in INTEGERS:
        low, high = integer_range(datatype)
        if not low <= number <= high:
            return WrongType(f"{number} does not fit {_name(datatype)}")
    elif datatype in FLOATS and int(float(number)) != number:
        return WrongType(f"{number} has more digits than {_name(datatype)} holds")
    return number


def _extended(number: int, said: DataType) -> int:
    """A negative number that was cut to its own width instead of being extended to the field's."""
    _, high = integer_range(said)
    return number - 2 * (high + 1) if high < number <= 2 * high + 1 else number


def _name(datatype: DataType) -> str:
    return datatype.name.capitalize()
