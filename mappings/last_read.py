"""The last raw values of a device, whether or not they were worth publishing.

A changed mapping begins with them: drivers do not say again what has not changed. Kept cheaply,
because every batch comes by: a set of points that comes again takes the place of its last batch,
and columns are made only when somebody asks, or when the sets never come again.
"""

from mappings.batch import Batch
from mappings.catalog import DeviceCatalog

_MOST_SETS = 64


class LastRead:
    """What was read last of each point of one device."""

    __slots__ = ("_columns", "_recent")

    def __init__(self, size: int) -> None:
        self._columns = DeviceCatalog(size)
        self._recent: dict[int, Batch] = {}
        """By the identity of their points, which they keep taken; the latest last."""

    def note(self, batch: Batch) -> None:
        """A batch was read."""
        recent, key = self._recent, id(batch.points)
        if key in recent:
            del recent[key]
        recent[key] = batch
        if len(recent) > _MOST_SETS:
            self.columns()

    def columns(self) -> DeviceCatalog:
        """What is known; a point that was never read has the time 0."""
        for batch in self._recent.values():
            self._columns.update(batch)
        self._recent.clear()
        return self._columns
