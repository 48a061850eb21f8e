"""What is known about a set of points that comes again and again, worked out once.

Where the set has no gaps, whole columns are copied; transforms, deadbands and checks of all its
points are one call each.
"""

from collections.abc import Sequence
from math import isfinite
from operator import itemgetter
from typing import Any

from mappings.batch import Batch
from mappings.catalog import DeviceCatalog
from mappings.conversion import Conversion
from mappings.datatypes import FLOATS
from mappings.deadband import changed_of
from mappings.pacing import Pacing
from mappings.powers import Powers
from mappings.tags import Metric
from mappings.transforms import transform_of


class SetPlan:
    """What is known about the points of ``batch``, and others of the same set.

    The other arguments are those of the points' device.
    """

    __slots__ = (
        "changed", "floats", "gather", "is_fast", "members", "paced", "points", "span", "special",
        "transform",
    )  # fmt: skip

    def __init__(
        self,
        batch: Batch,
        metrics: Sequence[Metric],
        conversions: Sequence[Conversion],
        catalog: DeviceCatalog,
        powers: Powers,
        pacing: Pacing,
    ) -> None:
        points = batch.points
        chosen = [metrics[p] for p in points]
        self.points = points
        self.members = frozenset(points)
        self.is_fast = len(self.members) == len(points) and not powers.concern(points)
        self.span = catalog.know(points)
        # One index makes itemgetter give a bare value, so a single point is gathered by its span.
        self.gather = itemgetter(*points) if len(points) > 1 else None
        # A tag's values are always of its one Python type, so the first batch speaks for all.
        floats = all(type(value) is float for value in batch.values)
        steps = [conversions[p] for p in points]
        self.transform = transform_of(
            [c.line if c.is_plain else None for c in steps], floats=floats
        )
        self.special = [(i, c) for i, c in enumerate(steps) if not c.is_plain]
        self.changed = changed_of([m.deadband for m in chosen])
        checked = [i for i, m in enumerate(chosen) if m.datatype in FLOATS]
        self.floats = None if len(checked) == len(chosen) else checked
        self.paced = [i for i, p in enumerate(points) if p in pacing.paced]

    def convert(self, raw: Sequence[Any]) -> Sequence[Any] | None:
        """The published column; None where something is to be said about a value."""
        column = self.transform(raw) if self.transform else raw
        if self.special:
            column = list(column)
            for i, conversion in self.special:
                value, reason = conversion(raw[i])
                if reason:
                    return None
                column[i] = value
        return column if self.finite(column) else None

    def column_of(self, values: list[Any]) -> Sequence[Any]:
        """These points' entries of a device's column; a single point is a span always."""
        if self.span is not None:
            return values[self.span]
        assert self.gather is not None
        return self.gather(values)  # type: ignore[no-any-return]  # several indexes give a tuple

    def finite(self, column: Sequence[Any]) -> bool:
        """Whether no float is NaN or infinite: a sum that is finite has finite terms."""
        if self.floats is None:
            return isfinite(sum(column))
        return isfinite(sum([column[i] for i in self.floats]))
