"""Tag and metric: the two halves of one row.

A row of a tag table joins a tag (where the value is, what it is on the wire) and a metric (what
it is called and published as). The n-th tag and the n-th metric of a device belong together, and
n, the *point index*, names both in every `Batch` of that device.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from pydantic import BaseModel

from mappings.datatypes import DataType


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A named point at an address in a device: the half that drivers see.

    ``address`` and ``order`` are as the user wrote them; each driver reads its own grammar
    (`drivers.driver.Driver.check_tag` checks it offline). ``wire_type`` is a canonical name out of
    `mappings.datatypes.WIRE_TYPES`; ``order`` is empty where the row left it to the device.
    """

    name: str
    address: str
    wire_type: str
    order: str = ""
    scan_ms: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A named set of tags behind a link; ``options`` is the driver's own block, validated."""

    name: str
    options: BaseModel
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named, typed, united quantity published north: the half that mapper and edge node see.

    ``id`` is the identity that alias and buffered values follow (default: the name). Value = raw x
    ``scale`` + ``offset``, exactly (a scale of 1/10 divides by ten). ``deadband`` is in ``unit``:
    a value is published when it differs from the last published one by more than it;
    0 publishes any change. ``max_silence_ms`` 0 means never published without a change.
    """

    id: str
    name: str
    datatype: DataType
    unit: str = ""
    description: str = ""
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    low: float | None = None
    high: float | None = None
    deadband: float = 0.0
    max_silence_ms: int = 0
    properties: dict[str, str] = field(default_factory=dict)
