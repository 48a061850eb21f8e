"""Reading: what one device's rows mean in this session, and which of them the server refuses.

An address is looked up, a structure's layout is learnt, then whoever reads (`items` by
subscription, `polling` by asking) tells what the server said to it. What is refused on the way is
remembered with its StatusCode and asked for again by `retry`: a PLC that is still booting has not
loaded its program. So is a node that was deleted, because not every server finds one again by
itself when it comes back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asyncua import ua

from drivers.driver import Device, LinkError
from drivers.opcua.addresses import parse
from drivers.opcua.config import DeviceOptions
from drivers.opcua.nodes import BAD_NODE_ID_UNKNOWN, Address, find, indexes, namespaces_of
from drivers.opcua.parts import has_field, sharing
from drivers.opcua.structures import Structures
from mappings.errors import Fault

_GONE = frozenset({BAD_NODE_ID_UNKNOWN, int(ua.StatusCodes.BadNodeIdInvalid)})


class Reading:
    """The rows of one device in one session.

    ``leaders`` maps the first of the points that share a value to all of them. ``nodes`` are the
    NodeIds that were found last, by leader. ``refused`` is {point: StatusCode} of those that the
    server does not have; ``missing`` the namespaces that rows need and the server did not have.
    """

    def __init__(self, device: Device, session: Any) -> None:
        options = device.options
        assert isinstance(options, DeviceOptions)
        self.leaders = sharing(device.tags)
        self.nodes: dict[int, Any] = {}
        self.refused: dict[int, int] = {}
        self.missing: tuple[str, ...] = ()
        self.structures = Structures(session, device.name)
        self._device = device
        self._session = session
        self._addresses = {
            leader: _address(device, device.tags[leader].address, options)
            for leader in self.leaders
        }

    @property
    def all_refused(self) -> bool:
        """Whether the server has not one of them."""
        return len(self.refused) == sum(map(len, self.leaders.values()))

    def leader_of(self, point: int) -> int:
        """The first of the points that share a value with this one."""
        return next(leader for leader, members in self.leaders.items() if point in members)

    @property
    def refused_leaders(self) -> tuple[int, ...]:
        """The first point of each value that is refused."""
        return tuple(leader for leader in self.leaders if leader in self.refused)

    def note(self, points: Iterable[int], natives: Iterable[int]) -> None:
        """Remember the nodes that a notification says are gone."""
        for point, status in zip(points, natives, strict=True):
            if status in _GONE:
                self.refused[point] = status

    async def look_up(
        self, leaders: Iterable[int], namespaces: Sequence[str]
    ) -> tuple[dict[int, Any], dict[int, int]]:
        """The NodeIds of some values, and {leader: StatusCode} of those that are not there.

        ``namespaces`` is the server's array: a URI's place in it is its index in this session.
        """
        addresses = {leader: self._addresses[leader] for leader in leaders}
        found, lost = await find(self._session, addresses, namespaces, self._device.name)
        known = indexes(namespaces)
        wanted = {uri for leader in lost for uri in namespaces_of(addresses[leader])}
        self.missing = tuple(sorted(wanted - known.keys()))
        structured = {
            leader: node
            for leader, node in found.items()
            if any(has_field(self._device.tags[point]) for point in self.leaders[leader])
        }
        if structured:
            lost |= await self.structures.learn(structured)
        self.nodes = {leader: node for leader, node in found.items() if leader not in lost}
        return self.nodes, lost

    def judge(self, asked: Iterable[int], lost: Mapping[int, int]) -> dict[int, int]:
        """Remember what asking came to: {point: StatusCode} of those that have another one now."""
        refused = {
            point: status for leader, status in lost.items() for point in self.leaders[leader]
        }
        news = {
            point: status for point, status in refused.items() if self.refused.get(point) != status
        }
        for leader in asked:
            for point in self.leaders[leader]:
                if point not in refused:
                    self.refused.pop(point, None)
        self.refused |= refused
        return news


def _address(device: Device, text: str, options: DeviceOptions) -> Address:
    address = parse(text, options.namespaces)
    if isinstance(address, Fault):
        raise LinkError(f"{device.name}: {address.seen}", address.remedy)  # check says it earlier
    return address
