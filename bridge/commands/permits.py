"""Permits: who may write which points of a plant, looked up at once; pure."""

from collections.abc import Mapping

from mappings.plant.definitions import Plant
from mappings.plant.metric_names import expression_of
from mappings.plant.permissions import Condition
from mappings.tags import Metric


class Permits:
    """The writable points of a plant and the permissions for them, by their numbers."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.metrics: Mapping[str, tuple[Metric, ...]] = {
            device.name: device.metrics for device in plant.devices
        }
        self._expressions = [
            [expression_of(pattern) for pattern in permission.write]
            for permission in plant.commands.allow
        ]
        self._points = {
            device.name: {metric.name: point for point, metric in enumerate(device.metrics)}
            for device in plant.devices
        }

    def numbers(self, source: str, device: str, metric: Metric) -> list[int]:
        """The permissions of a destination for a metric, in the order of the plant file."""
        path = f"{device}/{metric.name}"
        allow = self.plant.commands.allow
        return [
            number
            for number, expressions in enumerate(self._expressions)
            if allow[number].destination == source
            and any(expression.fullmatch(path) for expression in expressions)
        ]

    def point_of(self, condition: Condition) -> int:
        """The point that a condition is about; conditions name points of their plant."""
        return self._points[condition.device][condition.metric]

    def named_for(self, *sources: str) -> list[tuple[str, Metric]]:
        """What these destinations may write, with the devices, in the order of the plant file."""
        return [
            (device, metric)
            for device, metrics in self.metrics.items()
            for metric in metrics
            if metric.writable and any(self.numbers(source, device, metric) for source in sources)
        ]


def takes_writes(plant: Plant, destination: str) -> bool:
    """Whether a destination may write anything: else commands to devices are not subscribed."""
    commands = plant.commands
    return commands.is_open and any(p.destination == destination for p in commands.allow)
