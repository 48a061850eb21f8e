"""The desk of one destination: where its hosts' commands get the names of the plant."""

from bridge.commands.commander import Commander
from bridge.sparkplug.image import NodeImage
from bridge.sparkplug.payload import CommandRequest


class Desk:
    """The `bridge.sparkplug.inbound.CommandTaker` of a destination, before the one commander.

    ``image`` knows by which names and aliases this destination's hosts know the metrics.
    """

    def __init__(self, destination: str, image: NodeImage, commander: Commander) -> None:
        self._destination = destination
        self._image = image
        self._commander = commander

    def take(self, device: str, request: CommandRequest, *, retained: bool) -> None:
        """A command for a device, ``""`` for the node."""
        self._commander.take(
            self._destination,
            device,
            request,
            lambda metric: self._image.point_of(device, metric.name, metric.alias),
            retained=retained,
        )

    def unreadable(self, device: str, why: str) -> None:
        """What came was no command."""
        self._commander.unreadable(self._destination, device, why)
