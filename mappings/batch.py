"""Batch: what one poll or one notification said, as parallel columns.

Columns, not an object for each value, because the cost of a gateway is in per-value objects. One
shape serves raw values on the way in and metric values on the way to outbox and encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Value = bool | int | float | str | bytes | tuple[bool | int | float | str, ...] | None
"""One value; a tuple is an array, whose elements are all of one kind."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The values of some points of one device.

    ``points[i]`` is a point index of the device, ``values[i]`` its value, ``times_ms[i]`` when the
    value was true (milliseconds since 1970, UTC). A point may occur several times: its values
    are then in the order in which they were true. Drivers give the same ``points`` object for
    the same set of points, so that per-set plans can be looked up instead of built.

    ``qualities`` None means that every value is GOOD; ``natives`` (the protocol's own code: OPC UA
    StatusCode, Modbus exception, 0 for none) None means that every code is 0, ``reasons`` (numbers
    of `mappings.quality.Reason`) None that nothing is to be said. A value that is not GOOD may be
    None: "no value, the last one stands". A GOOD value is never None.
    ``late`` is the mapper's word for values older than what it emitted of their points before:
    they are history, not the present. Nobody changes a batch after handing it on.
    """

    device: str
    points: tuple[int, ...]
    values: Sequence[Value]
    times_ms: Sequence[int]
    qualities: Sequence[int] | None = None
    natives: Sequence[int] | None = None
    late: bool = False
    reasons: Sequence[int] | None = None

    @property
    def plain(self) -> bool:
        """Whether every value is GOOD and nothing more is said about any."""
        return self.qualities is None and self.natives is None and self.reasons is None

    def __len__(self) -> int:
        return len(self.points)

    def part(self, start: int, stop: int) -> "Batch":
        """The rows from ``start`` to before ``stop``."""
        rows = slice(start, stop)
        return Batch(
            self.device,
            self.points[rows],
            self.values[rows],
            self.times_ms[rows],
            None if self.qualities is None else self.qualities[rows],
            None if self.natives is None else self.natives[rows],
            self.late,
            None if self.reasons is None else self.reasons[rows],
        )
