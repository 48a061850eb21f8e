"""Engine: mapper and catalog wired as the gateway wires them."""

from mappings.batch import Batch
from mappings.catalog import Catalog
from mappings.datatypes import DataType
from mappings.mapper import Mapper
from mappings.tags import Metric


def metric(name: str = "m", datatype: DataType = DataType.DOUBLE, **more) -> Metric:
    return Metric(id=name, name=name, datatype=datatype, **more)


class Engine:
    """One device, D; what is emitted is taken over as the gateway does."""

    def __init__(self, *metrics: Metric) -> None:
        self.catalog = Catalog([("D", len(metrics))])
        self.mapper = Mapper({"D": metrics}, self.catalog)
        self.points = tuple(range(len(metrics)))

    def apply(self, values, *, t=1000, now=None, points=None, qualities=None, natives=None):
        points = self.points if points is None else points
        times = list(t) if isinstance(t, list) else [t] * len(points)
        batch = Batch("D", points, values, times, qualities, natives)
        emitted = self.mapper.apply(batch, now if now is not None else times[0])
        assert not any(made.late for made in emitted)
        return self.take(emitted[0] if emitted else None)

    def take(self, emitted):
        if emitted is not None:
            self.catalog.update(emitted)
        return emitted

    def fresh(self, now, points=None):
        points = self.points if points is None else points
        return self.take(self.mapper.fresh("D", points, now))

    def lost(self, now):
        return self.take(self.mapper.lost("D", now))

    def due(self, now):
        [*batches] = self.mapper.due(["D"], now)
        return self.take(batches[0]) if batches else None
