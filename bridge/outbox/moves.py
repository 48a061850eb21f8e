"""Moves: what a changed plant makes of the points of records that are buffered already. Pure.

A point is known by its key, never by its index: renamed it stays itself, and one that is gone or
has another data type is nobody else. So a record of before tells the same today, with the indexes
of today, and without the points that nobody wants any more.
"""

from collections.abc import Mapping, Sequence

from bridge.outbox.words import PointKey
from mappings.batch import Batch

Indexes = Sequence[int]
"""The index of today for each index of before; -1 for a point that is gone."""


def indexes_of(before: Sequence[PointKey], today: Sequence[PointKey]) -> Indexes | None:
    """Where the points of a device are today; None if every one is where it was."""
    index_of = {key: index for index, key in enumerate(today)}
    indexes = [index_of.get(key, -1) for key in before]
    return None if indexes == list(range(len(indexes))) else indexes


def moved(batch: Batch, indexes: Indexes | None) -> Batch:
    """The batch with the indexes of today; it may have no points left."""
    if indexes is None:
        return batch
    points = [indexes[point] for point in batch.points]
    kept = [i for i, point in enumerate(points) if point >= 0]

    def of(column: Sequence[int] | None) -> list[int] | None:
        return None if column is None else [column[i] for i in kept]

    return Batch(
        batch.device,
        tuple(points[i] for i in kept),
        [batch.values[i] for i in kept],
        [batch.times_ms[i] for i in kept],
        of(batch.qualities),
        of(batch.natives),
        batch.late,
        of(batch.reasons),
    )


class Moves:
    """All devices whose points are not where they were."""

    def __init__(
        self, before: Mapping[str, Sequence[PointKey]], today: Mapping[str, Sequence[PointKey]]
    ) -> None:
        found = {device: indexes_of(keys, today.get(device, ())) for device, keys in before.items()}
        self._indexes = {
            device: indexes for device, indexes in found.items() if indexes is not None
        }

    @property
    def devices(self) -> frozenset[str]:
        """Those devices."""
        return frozenset(self._indexes)

    def of(self, batch: Batch) -> Batch:
        """A batch of before as one of today; it may have no points left."""
        return moved(batch, self._indexes.get(batch.device))
