"""A simulated OPC UA server: the devices of a plant file, with nodes where their rows say.

It reads the rows with the driver's grammar and nothing else of the driver. Values come
from `simulators.signals` on the grid of each tag's scan, with the grid's time as SourceTimestamp;
everything served is in `truth`. What clients write into rows that may be written stands from then
on. With ``counting`` every tag counts 1, 2, 3 ... instead, one number
a scan, so that a test can tell whether one is missing. For trouble on purpose: `stop`, `start`
with other namespaces, `load`, `hold`, `set_status`, `delete`, `restore`, `hush`.

With ``policies`` it offers protected endpoints, and shows ``certificate``; it takes any client.

It is asyncua's server, inside the caller's event loop (about 60 us a value; a thousand changes a
second are no load). It starts in a good second.
"""

import asyncio
import logging
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, cast

from asyncua import ua

from drivers.opcua.addresses import UA_NAMESPACE, NodeAddress, PathAddress, parse
from mappings.batch import Value
from mappings.errors import Fault
from mappings.plant.definitions import DeviceDefinition
from simulators.clock import wall_clock_ms
from simulators.opcua_nodes import Place, Point, moment
from simulators.opcua_server import INSECURE, Front
from simulators.opcua_values import Shape
from simulators.truth import Truth

logging.getLogger("asyncua.server").setLevel(logging.CRITICAL)


class DeviceOptions(Protocol):
    """What the simulator needs of a device's block."""

    namespaces: Mapping[str, str]


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class OpcUaSimulator:
    """A server for some devices, from entering to leaving.

    ``users`` maps names to passwords; ``anonymous`` says who may come without (default: everybody,
    unless there are users). ``user_certificates`` log in as well. ``port`` 0 takes a free one.
    ``policies`` are of `ALL_POLICIES` or ``insecure``; ``certificate`` is DER and PEM.
    """

    def __init__(
        self,
        devices: Sequence[DeviceDefinition],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        users: Mapping[str, str] | None = None,
        anonymous: bool | None = None,
        user_certificates: Sequence[bytes] = (),
        policies: Sequence[str] = (INSECURE,),
        certificate: tuple[bytes, bytes] | None = None,
        counting: bool = False,
        truth: Truth | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.host = host
        self.port = port or _free_port(host)
        self.truth = truth if truth is not None else Truth()
        self.served: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._front = Front(
            users=users or {},
            user_certificates=user_certificates,
            anonymous=anonymous,
            policies=policies,
            certificate=certificate,
        )
        self._counting = counting
        self._now_ms = now_ms
        self._server: Any = None
        self._index: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._points: dict[tuple[str, str], Point] = {}
        self._places: dict[NodeAddress | PathAddress, Place] = {}
        self._place_of: dict[tuple[str, str], Place] = {}
        self._folders: set[tuple[tuple[str, str], ...]] = set()
        for device in devices:
            self._add_device(device, seed)

    @property
    def endpoint(self) -> str:
        """The endpoint to connect to."""
        return f"opc.tcp://{self.host}:{self.port}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The URIs that the rows need, in the order of their first row."""
        uris = dict.fromkeys(uri for place in self._places.values() for uri in place.uris)
        return tuple(uri for uri in uris if uri != UA_NAMESPACE)

    @property
    def certificate(self) -> bytes:
        """The certificate that it shows, DER; nothing without protected endpoints."""
        return self._front.certificate[0] if self._front.certificate else b""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, namespaces: Sequence[str] | None = None) -> None:
        """Start a new server process, so to speak: no sessions, all nodes, all statuses Good.

        ``namespaces`` is the order in which URIs get their indexes (default: `namespaces`); rows
        whose URI is not in it have no node.
        """
        uris = self.namespaces if namespaces is None else tuple(namespaces)
        server = await self._front.server(self.endpoint)
        self._index = {UA_NAMESPACE: 0}
        for uri in uris:
            self._index[uri] = await server.register_namespace(uri)
        self._server = server
        self._folders = set()
        now_ms = self._now_ms()
        for place in self._places.values():
            place.there, place.status = all(uri in self._index for uri in place.uris), 0
            place.node = place.node_id(self._index) if place.there else None
            for point in place.points:
                point.move(now_ms, 0 if self._counting else None)
            if place.there:
                await self._add_node(place)
                await self._write(place, now_ms)
        await server.start()
        by_scan = defaultdict(list)
        for point in self._points.values():
            by_scan[point.tag.scan_ms].append(point)
        self._tasks = [
            asyncio.create_task(self._drive(scan_ms, points)) for scan_ms, points in by_scan.items()
        ]

    async def stop(self) -> None:
        """End the server, and with it all connections and sessions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        server, self._server = self._server, None
        if server is None:
            return
        clock = server.iserver.time_task
        if clock is not None:  # its stop would wait a second for it
            clock.cancel()
            await asyncio.gather(clock, return_exceptions=True)
            server.iserver.time_task = None
        await server.stop()

    async def hold(self, device: str, values: Mapping[str, Value]) -> None:
        """Give tags these raw values now, and hold them there: their signals move them no more."""
        for tag, value in values.items():
            point = self._points[device, tag]
            point.value, point.held = value, True
        for place in dict.fromkeys(self._place_of[device, tag] for tag in values):
            await self._write(place, self._now_ms())

    async def set_status(self, device: str, tag: str, status: int) -> None:
        """Give a tag this StatusCode, with its last value, until `set_status` says 0 (Good)."""
        place = self._place_of[device, tag]
        place.status = status
        await self._write(place, self._now_ms())

    async def delete(self, device: str, tag: str) -> None:
        """Delete a tag's node; who watches it is told BadNodeIdUnknown (OPC 10000-4, 5.13.1)."""
        place = self._place_of[device, tag]
        await self.set_status(device, tag, int(ua.StatusCodes.BadNodeIdUnknown))
        await asyncio.sleep(0)
        place.there = False
        attribute = self._server.iserver.aspace[place.node].attributes[ua.AttributeIds.Value]
        attribute.datachange_callbacks.clear()  # asyncua would call them without awaiting them
        await self._server.delete_nodes([self._server.get_node(place.node)])

    async def restore(self, device: str, tag: str) -> None:
        """Bring a deleted tag's node back."""
        await self._restore(self._place_of[device, tag])

    async def load(self, uri: str) -> None:
        """Add a namespace and the nodes of its rows while running: a PLC has loaded its program."""
        self._index[uri] = await self._server.register_namespace(uri)
        for place in self._places.values():
            if not place.there and all(each in self._index for each in place.uris):
                place.node = place.node_id(self._index)
                await self._restore(place)

    async def _restore(self, place: Place) -> None:
        place.there, place.status = True, 0
        await self._add_node(place)
        await self._write(place, self._now_ms())

    def hush(self) -> None:
        """Let all subscriptions die without a word, while the server goes on answering."""
        for subscription in self._server.iserver.subscription_service.subscriptions.values():
            subscription._task.cancel()  # noqa: SLF001  no public way to break a server

    def _add_device(self, device: DeviceDefinition, seed: int) -> None:
        options = cast("DeviceOptions", device.options)
        for tag, metric in zip(device.tags, device.metrics, strict=True):
            address = parse(tag.address, options.namespaces)
            assert not isinstance(address, Fault), address
            point = Point(device.name, tag, metric, seed)
            place = self._places.get(address)
            if _standard(address) or (place is not None and not (place.composed and point.steps)):
                continue  # every server has it, or another row has made it
            if place is None:
                place = self._places[address] = Place(address)
            place.points.append(point)
            self._points[point.key] = point
            self._place_of[point.key] = place

    async def _add_node(self, place: Place) -> None:
        first = place.points[0]
        name = ua.QualifiedName(f"{first.device}/{first.tag.name}", place.node.NamespaceIndex)
        parent = self._server.get_objects_node()
        if isinstance(place.address, PathAddress):
            *way, (uri, word) = place.address.steps
            name = ua.QualifiedName(word, self._index[uri])
            for depth in range(1, len(way) + 1):
                parent = await self._folder(parent, tuple(way[:depth]))
        data_type = None
        if place.composed:
            place.shape = Shape()
            for point in place.points:
                place.shape.add(point.steps, point.typed)
            await place.shape.describe(
                self._server, place.node.NamespaceIndex, f"{first.device}.{first.tag.name}"
            )
            data_type = place.shape.data_type
        node = await parent.add_variable(place.node, name, place.variant(), datatype=data_type)
        if place.writable:
            await node.set_writable()

    async def _folder(self, parent: Any, way: tuple[tuple[str, str], ...]) -> Any:
        uri, word = way[-1]
        index = self._index[uri]
        node = ua.StringNodeId("folder " + "/".join(name for _, name in way), index)
        if way not in self._folders:
            self._folders.add(way)
            await parent.add_object(node, ua.QualifiedName(word, index))
        return self._server.get_node(node)

    async def _write(self, place: Place, t_ms: int) -> None:
        if self._server is None or not place.there:
            return
        at = moment(t_ms)
        place.said = ua.DataValue(
            Value=place.variant(),
            StatusCode=ua.StatusCode(place.status),
            SourceTimestamp=at,
            ServerTimestamp=at,
        )
        await self._server.write_attribute_value(place.node, place.said)
        if not place.is_bad:
            for point in place.points:
                self.served[point.key] += 1
                self.truth.serve(*point.key, point.value, t_ms)

    async def _drive(self, scan_ms: int, points: Sequence[Point]) -> None:
        """Sample on the grid: multiples of the scan. A late tick is made up for, never left out."""
        t_ms = self._now_ms() // scan_ms * scan_ms + scan_ms
        number = 0
        while True:
            await asyncio.sleep(max(0, t_ms - self._now_ms()) / 1000)
            number += 1
            places: dict[Place, None] = {}
            for point in points:
                place = self._place_of[point.key]
                if place.writable and place.there and not place.is_bad:
                    place.heed(self._server)
                if point.held:
                    continue
                if place.there and not place.is_bad:
                    # What it held was true until this moment.
                    self.truth.serve(*point.key, point.value, t_ms)
                point.move(t_ms, number if self._counting else None)
                places[place] = None
            for place in places:
                await self._write(place, t_ms)
            t_ms += scan_ms


def _standard(address: NodeAddress | PathAddress) -> bool:
    """Whether a node is one of OPC UA's own, which every server has."""
    if isinstance(address, NodeAddress):
        return address.namespace == UA_NAMESPACE
    return address.steps[-1][0] == UA_NAMESPACE
