"""The Modbus driver: checks at the desk, and the way to open a link.

Found by the entry point ``tagbridge.drivers`` as `MODBUS`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from pydantic import BaseModel

from drivers.driver import Clock, Device, Driver, Endpoint, Link, LinkError
from drivers.modbus import checks, raw, requests
from drivers.modbus.addresses import Address, Area, parse
from drivers.modbus.config import DeviceOptions, LinkOptions, SerialOptions
from drivers.modbus.connection import Connection
from drivers.modbus.line import Line
from drivers.modbus.link import ModbusLink
from drivers.modbus.planning import NETWORK_GAP
from drivers.modbus.serial_port import open_serial
from drivers.modbus.stream import open_stream
from drivers.modbus.tcp import TcpConnection
from drivers.modbus.wire_time import WireTime
from mappings.batch import Batch
from mappings.errors import Fault
from mappings.plant.grammar import PlannedRequest
from mappings.tags import Tag

PORT = 502
"""What an endpoint without a port means."""


class ModbusDriver:
    """See `drivers.driver.Driver`: Modbus TCP, RTU on a serial port, and RTU through TCP."""

    name = "modbus"
    schemes = frozenset({"tcp", "rtu", "rtu+tcp"})
    device_model = DeviceOptions
    link_model = LinkOptions

    def is_array(self, tag: Tag) -> bool:
        """Whether an address names several values: ``HR101[10]``."""
        address = parse(tag.address)
        return isinstance(address, Address) and address.count is not None

    def is_writable(self, tag: Tag) -> bool:
        """Coils and holding registers can be written, the other two areas never."""
        address = parse(tag.address)
        return isinstance(address, Fault) or address.area in {Area.COIL, Area.HOLDING}

    def probe(self, tag: Tag) -> str:
        """The command that shows what is at a row's address."""
        return f"tagbridge probe {{plant}} {{device}} {tag.address}"

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:
        """Three scans and one answer: what a busy or disturbed line may take."""
        assert isinstance(link, LinkOptions)
        return 3 * tag.scan_ms + link.timeout

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        """What is wrong with a row's address, type and order."""
        assert isinstance(options, DeviceOptions)
        return checks.check_tag(tag, options)

    def check_device(self, device: Device) -> list[tuple[int, Fault]]:
        """Rows that overlap."""
        return checks.check_device(device)

    def check_link(self, devices: Sequence[Device]) -> list[tuple[int, Fault]]:
        """Units that occur twice."""
        return checks.check_link(devices)

    def check_endpoint(
        self, endpoint: str, link: BaseModel, devices: Sequence[Device]
    ) -> list[tuple[int | None, Fault]]:
        """Units that no wire has, and a serial port that is none."""
        assert isinstance(link, LinkOptions)
        return checks.check_endpoint(endpoint, link, devices)

    def requests(
        self, endpoint: str, devices: Sequence[Device], link: BaseModel
    ) -> list[PlannedRequest]:
        """All requests of a link."""
        assert isinstance(link, LinkOptions)
        return requests.planned(endpoint, devices, link)

    def read_raw(
        self, device: Device, given: Mapping[str, str], now_ms: int
    ) -> list[Batch | Fault]:
        """What a unit says whose registers hold what is given."""
        return raw.read_raw(device, given, now_ms)

    def open(self, endpoint: Endpoint, now_ms: Clock) -> AbstractAsyncContextManager[Link]:
        """Connect; entering raises `LinkError` if that fails."""
        return _opened(endpoint, now_ms)


@asynccontextmanager
async def _opened(endpoint: Endpoint, now_ms: Clock) -> AsyncIterator[Link]:
    options = endpoint.options
    assert isinstance(options, LinkOptions)
    connection, worth = connection_to(endpoint.url, options)
    await connection.open()
    try:
        link = ModbusLink(
            connection,
            endpoint.devices,
            now_ms,
            dead_share=options.dead_share if connection.is_wire else 1.0,
            request_worth=worth,
        )
        if options.after_connect:
            await connection.wait(options.after_connect / 1000)
        yield link
    finally:
        connection.close()


def connection_to(url: str, options: LinkOptions) -> tuple[Connection, int]:
    """What leads to an endpoint, not open yet, and how many registers are worth a request there."""
    timeout_s, pause_s = options.timeout / 1000, options.pause / 1000
    scheme, _, rest = url.partition("://")
    if scheme == "rtu":
        time = WireTime.of(options)
        serial = options.serial or SerialOptions()
        line = Line(
            rest,
            lambda take, lose: open_serial(rest, serial, take, lose),
            timeout_s=timeout_s, pause_s=pause_s, time=time,
        )  # fmt: skip
        return line, time.request_worth
    host, port = host_and_port(url)
    if scheme == "rtu+tcp":
        described = WireTime.of(options) if options.serial is not None else None
        line = Line(
            f"{host}:{port}",
            lambda take, lose: open_stream(host, port, take, lose),
            timeout_s=timeout_s, pause_s=pause_s, time=described,
        )  # fmt: skip
        return line, described.request_worth if described is not None else NETWORK_GAP
    return TcpConnection(host, port, timeout_s, pause_s), NETWORK_GAP


def host_and_port(url: str) -> tuple[str, int]:
    """Host and port of ``tcp://host[:port]``, or `LinkError`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, PORT
    if host is None:
        raise LinkError(f"{url!r} is no endpoint", "write tcp://10.0.4.11 or tcp://10.0.4.11:502")
    return host, port


MODBUS: Driver = ModbusDriver()
