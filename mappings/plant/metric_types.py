"""Published types: does one hold every value that a row can produce?

Whole numbers are followed exactly through the row's line, so that a uint16 x 10 may be a UInt32 and
not an Int16. What is scaled by a fraction is rounded once, to Double, or to Float where its range
allows it.
"""

from dataclasses import dataclass
from fractions import Fraction

from mappings.datatypes import FLOATS, INTEGERS, TEXTS, DataType, WireType, integer_range

# Whole numbers up to two to this power are floats without rounding.
_EXACT_BITS = {DataType.FLOAT: 24, DataType.DOUBLE: 53}
LARGEST_FLOAT = Fraction((2**24 - 1) * 2**104)  # IEEE 754 binary32
_BCD_ENDS = {"bcd16": (0, 9_999), "bcd32": (0, 99_999_999)}

EPOCHS = frozenset({"epoch_s", "epoch_ms"})
_TIMES = EPOCHS | {"datetime"}


@dataclass(frozen=True, slots=True)
class Line:
    """Engineering value = raw x ``scale`` + ``offset``, exactly.

    With ``power`` the raw value is multiplied by ten to the value of the row of that name first.
    """

    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    power: str = ""

    @property
    def same(self) -> bool:
        """Whether values pass as they are."""
        return self.scale == 1 and self.offset == 0 and not self.power

    def of(self, raw: Fraction | int) -> Fraction:
        """The engineering value; of a line without power."""
        return raw * self.scale + self.offset

    def back(self, value: Fraction) -> Fraction:
        """The raw value that an engineering value comes from."""
        return (value - self.offset) / self.scale

    def then(self, factor: Fraction, offset: Fraction) -> "Line":
        """This line and another one after it."""
        return Line(self.scale * factor, self.offset * factor + offset, self.power)


IDENTITY = Line()


@dataclass(frozen=True, slots=True)
class Produced:
    """What a row can produce: its wire type, its line, and the ends of its values if known.

    ``ends`` are engineering values, ``whole`` says that all values are integers, ``texts`` that an
    enum has texts for them.
    """

    wire: WireType
    line: Line = IDENTITY
    ends: tuple[Fraction, Fraction] | None = None
    whole: bool = False
    texts: bool = False

    def default(self) -> DataType:
        """What is published if the row does not say."""
        if self.wire.kind in _TIMES:
            return DataType.DATETIME
        return self.wire.datatype if self.line.same else DataType.DOUBLE

    def fits(self, wanted: DataType) -> bool:
        """Whether a type holds every value."""
        wire, given = self.wire, self.wire.datatype
        if self.texts and wanted in {DataType.STRING, DataType.TEXT}:
            return True
        if wire.kind in _TIMES and wanted is DataType.DATETIME:
            return wire.kind == "datetime" or self.whole
        if given in INTEGERS:
            return self._fits_integer(wanted)
        if given in FLOATS:
            return self._fits_float(wanted)
        if given in TEXTS:
            return wanted in TEXTS
        return wanted is given

    def _fits_integer(self, wanted: DataType) -> bool:
        if self.ends is None:  # its scale is the value of another row
            return wanted is DataType.DOUBLE
        low, high = self.ends
        if wanted in INTEGERS:
            first, last = integer_range(wanted)
            return self.whole and first <= low and high <= last
        if wanted not in FLOATS:
            return False
        if self.whole and (self.line.same or wanted is DataType.FLOAT):
            return max(-low, high) <= 1 << _EXACT_BITS[wanted]
        return wanted is DataType.DOUBLE or max(-low, high) <= LARGEST_FLOAT

    def _fits_float(self, wanted: DataType) -> bool:
        if wanted is DataType.DOUBLE:
            return True
        if wanted is not DataType.FLOAT or self.wire.kind == "float64" or self.line.power:
            return False
        if self.line.same:
            return True
        reach = 65_504 if self.wire.kind == "float16" else LARGEST_FLOAT
        return abs(self.line.scale) * reach + abs(self.line.offset) <= LARGEST_FLOAT


def raw_ends(wire: WireType) -> tuple[int, int] | None:
    """The smallest and the largest raw value of a type of integers, inclusive; else None."""
    if wire.kind in _BCD_ENDS:
        return _BCD_ENDS[wire.kind]
    return integer_range(wire.datatype) if wire.datatype in INTEGERS else None


def is_time(wire: WireType) -> bool:
    """Whether raw values are times."""
    return wire.kind in _TIMES
