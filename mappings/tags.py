"""Tag and metric: the two halves of one row.

A row of a tag table joins a tag (where the value is, what it is on the wire) and a metric (what
it is called and published as). The n-th tag and the n-th metric of a device belong together, and
n, the *point index*, names both in every `Batch` of that device.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from pydantic import BaseModel

from mappings.datatypes import DataType, element_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A named point at an address in a device: the half that drivers see.

    ``address``, ``element`` and ``order`` are as the user wrote them; each driver reads its own
    grammar (`drivers.driver.Driver.check_tag` checks it offline). ``wire_type`` is a canonical name
    that `mappings.datatypes.wire_type` knows, of one value; with ``array`` a raw value is a tuple
    of such values. ``order`` is empty where the row left it to the device. ``access`` is ``r``,
    ``rw`` or ``w``; what is ``w`` is never read.
    """

    name: str
    address: str
    wire_type: str
    order: str = ""
    scan_ms: int = 1000
    element: str = ""
    array: bool = False
    access: str = "r"

    @property
    def is_read(self) -> bool:
        """Whether a driver reads it."""
        return self.access != "w"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A named set of tags behind a link; ``options`` is the driver's own block, validated."""

    name: str
    options: BaseModel
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as hosts may want it; ``text`` is what people read (``m³/h``).

    ``ucum`` is its UCUM code and ``code`` its UN/ECE Recommendation 20 code, empty where there is
    none.
    """

    text: str
    ucum: str = ""
    code: str = ""


NO_UNIT = Unit(text="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """Raw values that say "no value".

    Those in ``values``, those below ``below`` and above ``above``, and by choice NaN and the
    infinities. What is not finite is never published, chosen or not.
    """

    values: frozenset[int | float] = frozenset()
    below: int | float | None = None
    above: int | float | None = None


NOTHING_INVALID = Invalid()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a metric is of a machine that a template describes: its ``member`` of that name.

    ``parameters`` are those of the machine: name, kind (``integer``, ``number`` or ``text``) and
    value, as the plant file has them.
    """

    template: str
    member: str
    parameters: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named, typed, united quantity published north: the half that mapper and edge node see.

    ``id`` is the identity that alias and buffered values follow (default: the name).
    ``datatype`` is what is published, ``raw`` what the driver hands over (None: the same; of an
    array the type of its elements in both cases is that of `mappings.datatypes.element_of`).

    A value takes these steps: ``invalid``; raw x ``scale`` + ``offset``, exactly (a scale of 1/10
    divides by ten; a raw range and a conversion of units are folded into the two), with
    ``scale_point`` times ten to the raw value of that point of the device; ``invert``; ``clamp``
    (``none low high both``) to ``low`` and ``high``; ``enum``, whose texts are published if
    ``datatype`` is a text. A command takes them backwards.

    ``deadband`` is in ``unit``: a value is published when it differs from the last published one
    by more than it; 0 publishes any change. Of ``max_silence_ms``, ``min_interval_ms`` and
    ``stale_after_ms`` 0 means never, at once and never. ``published`` False is read for others
    only (a name with a leading ``_``). ``part`` says which member of which machine it is, if it
    came out of a template of equipment.
    """

    id: str
    name: str
    datatype: DataType
    raw: DataType | None = None
    unit: Unit = NO_UNIT
    description: str = ""
    invalid: Invalid = NOTHING_INVALID
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    scale_point: int | None = None
    invert: bool = False
    clamp: str = "none"
    enum: tuple[tuple[int, str], ...] = ()
    low: float | None = None
    high: float | None = None
    deadband: float = 0.0
    max_silence_ms: int = 0
    min_interval_ms: int = 0
    stale_after_ms: int = 0
    importance: str = "routine"
    access: str = "r"
    write_low: float | None = None
    write_high: float | None = None
    readback: str = "same"
    published: bool = True
    properties: dict[str, str] = field(default_factory=dict)
    part: Part | None = None

    @property
    def raw_type(self) -> DataType:
        """The type of raw values; of an array that of its elements."""
        return element_of(self.datatype if self.raw is None else self.raw)

    @property
    def is_read(self) -> bool:
        """Whether it ever has a value of its own."""
        return self.access != "w"

    @property
    def writable(self) -> bool:
        """Whether commands may be meant for it."""
        return self.access != "r"
