"""A simulated OPC UA server: the devices of a plant file, with nodes where their rows say.

It reads the rows with the driver's address grammar and nothing else of the driver. Values come
from `simulators.signals` on the grid of each tag's scan, with the grid's time as SourceTimestamp;
everything served is in `truth`. With ``counting`` every tag counts 1, 2, 3 ... instead, one number
a scan, so that a test can tell whether one is missing. For trouble on purpose: `stop`, `start`
with other namespaces, `load`, `hold`, `set_status`, `delete`, `restore`, `hush`.

It is asyncua's server, inside the caller's event loop (about 60 us a value; a thousand changes a
second are no load). It starts in a good second.
"""

import asyncio
import logging
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, cast

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from drivers.opcua.addresses import UA_NAMESPACE, NodeAddress, parse
from mappings.batch import Value
from mappings.plant.definitions import DeviceDefinition
from simulators.clock import wall_clock_ms
from simulators.opcua_nodes import Point, moment
from simulators.signals import signal_for
from simulators.truth import Truth

logging.getLogger("asyncua.server").setLevel(logging.CRITICAL)

_OWN_URI = "urn:tagbridge:simulator"


class DeviceOptions(Protocol):
    """What the simulator needs of a device's block."""

    namespaces: Mapping[str, str]


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class _Users:
    """Who may log in: the given users with their passwords, and anonymous if allowed."""

    def __init__(self, passwords: Mapping[str, str], *, anonymous: bool) -> None:
        self._passwords = passwords
        self._anonymous = anonymous

    def get_user(
        self,
        _server: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> Any:
        """The user, or None to refuse (the interface of asyncua's user managers)."""
        del certificate
        if username is None:
            return User(role=UserRole.User) if self._anonymous else None
        known = username in self._passwords and self._passwords[username] == password
        return User(role=UserRole.User, name=username) if known else None


class OpcUaSimulator:
    """A server for some devices, from entering to leaving.

    ``users`` maps names to passwords; ``anonymous`` says who may come without (default: everybody,
    unless there are users). ``port`` 0 takes a free one.
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
        counting: bool = False,
        truth: Truth | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.host = host
        self.port = port or _free_port(host)
        self.truth = truth if truth is not None else Truth()
        self.served: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._users = dict(users or {})
        self._anonymous = not self._users if anonymous is None else anonymous
        self._counting = counting
        self._now_ms = now_ms
        self._server: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._points: dict[tuple[str, str], Point] = {}
        self._taken: set[NodeAddress] = set()
        for device in devices:
            self._add_device(device, seed)

    @property
    def endpoint(self) -> str:
        """The endpoint to connect to."""
        return f"opc.tcp://{self.host}:{self.port}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The URIs that the rows need, in the order of their first row."""
        return tuple(dict.fromkeys(p.uri for p in self._points.values() if p.uri != UA_NAMESPACE))

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
        users = _Users(self._users, anonymous=self._anonymous)
        server = Server(user_manager=users)
        server._application_uri = _OWN_URI  # noqa: SLF001  set_application_uri needs init
        await server.init()
        server.set_endpoint(self.endpoint)
        server.set_server_name("tagbridge simulator")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        tokens = [ua.AnonymousIdentityToken] if self._anonymous else []
        server.set_identity_tokens(tokens + [ua.UserNameIdentityToken] * bool(self._users))
        index = {UA_NAMESPACE: 0}
        for uri in uris:
            index[uri] = await server.register_namespace(uri)
        self._server = server
        now_ms = self._now_ms()
        for point in self._points.values():
            place = index.get(point.uri)
            point.node = None if place is None else point.node_id(place)
            point.there, point.status = point.node is not None, 0
            if not point.held:
                point.value = point.sample(now_ms, 0 if self._counting else None)
            if point.there:
                await self._add_node(point)
                await self._write(point, now_ms)
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
            await self._write(point, self._now_ms())

    async def set_status(self, device: str, tag: str, status: int) -> None:
        """Give a tag this StatusCode, with its last value, until `set_status` says 0 (Good)."""
        point = self._points[device, tag]
        point.status = status
        await self._write(point, self._now_ms())

    async def delete(self, device: str, tag: str) -> None:
        """Delete a tag's node; who watches it is told BadNodeIdUnknown (OPC 10000-4, 5.13.1)."""
        point = self._points[device, tag]
        await self.set_status(device, tag, int(ua.StatusCodes.BadNodeIdUnknown))
        await asyncio.sleep(0)
        point.there = False
        attribute = self._server.iserver.aspace[point.node].attributes[ua.AttributeIds.Value]
        attribute.datachange_callbacks.clear()  # asyncua would call them without awaiting them
        await self._server.delete_nodes([self._server.get_node(point.node)])

    async def restore(self, device: str, tag: str) -> None:
        """Bring a deleted tag's node back."""
        point = self._points[device, tag]
        point.there, point.status = True, 0
        await self._add_node(point)
        await self._write(point, self._now_ms())

    async def load(self, uri: str) -> None:
        """Add a namespace and the nodes of its rows while running: a PLC has loaded its program."""
        place = await self._server.register_namespace(uri)
        for key, point in self._points.items():
            if point.uri == uri and not point.there:
                point.node = point.node_id(place)
                await self.restore(*key)

    def hush(self) -> None:
        """Let all subscriptions die without a word, while the server goes on answering."""
        for subscription in self._server.iserver.subscription_service.subscriptions.values():
            subscription._task.cancel()  # noqa: SLF001  no public way to break a server

    def _add_device(self, device: DeviceDefinition, seed: int) -> None:
        options = cast("DeviceOptions", device.options)
        for tag, metric in zip(device.tags, device.metrics, strict=True):
            address = parse(tag.address, options.namespaces)
            assert isinstance(address, NodeAddress), address
            if address.namespace == UA_NAMESPACE or address in self._taken:
                continue  # every server has it, or another row has made it
            key = (device.name, tag.name)
            signal = signal_for(
                seed, device.name, metric.name, metric.datatype, metric.low, metric.high
            )
            self._points[key] = Point(device.name, tag, metric, signal, address)
            self._taken.add(address)

    async def _add_node(self, point: Point) -> None:
        objects = self._server.get_objects_node()
        name = ua.QualifiedName(f"{point.device}/{point.tag.name}", point.node.NamespaceIndex)
        await objects.add_variable(point.node, name, point.variant())

    async def _write(self, point: Point, t_ms: int) -> None:
        if self._server is None or not point.there:
            return
        at = moment(t_ms)
        await self._server.write_attribute_value(
            point.node,
            ua.DataValue(
                Value=point.variant(),
                StatusCode=ua.StatusCode(point.status),
                SourceTimestamp=at,
                ServerTimestamp=at,
            ),
        )
        if not point.status & 0x8000_0000:
            key = (point.device, point.tag.name)
            self.served[key] += 1
            self.truth.serve(*key, point.value, t_ms)

    async def _drive(self, scan_ms: int, points: Sequence[Point]) -> None:
        """Sample on the grid: multiples of the scan. A late tick is made up for, never left out."""
        t_ms = self._now_ms() // scan_ms * scan_ms + scan_ms
        number = 0
        while True:
            await asyncio.sleep(max(0, t_ms - self._now_ms()) / 1000)
            number += 1
            for point in points:
                if point.held:
                    continue
                if point.there and not point.status & 0x8000_0000:
                    # What it held was true until this moment.
                    self.truth.serve(point.device, point.tag.name, point.value, t_ms)
                point.value = point.sample(t_ms, number if self._counting else None)
                await self._write(point, t_ms)
            t_ms += scan_ms
