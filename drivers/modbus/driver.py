"""The Modbus driver: checks at the desk, and the way to open a link.

Found by the entry point ``tagbridge.drivers`` as `MODBUS`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from pydantic import BaseModel

from drivers.driver import Clock, Device, Driver, Endpoint, Link, LinkError
from drivers.modbus import checks
from drivers.modbus.config import DeviceOptions, LinkOptions
from drivers.modbus.connection import Connection
from drivers.modbus.link import ModbusLink
from mappings.errors import Fault
from mappings.tags import Tag

PORT = 502
"""What an endpoint without a port means."""


class ModbusDriver:
    """See `drivers.driver.Driver`."""

    name = "modbus"
    schemes = frozenset({"tcp"})
    device_model = DeviceOptions
    link_model = LinkOptions

    def is_array(self, tag: Tag) -> bool:  # noqa: ARG002
        """Whether an address names several values."""
        return False

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

    def open(self, endpoint: Endpoint, now_ms: Clock) -> AbstractAsyncContextManager[Link]:
        """Connect; entering raises `LinkError` if that fails."""
        return _opened(endpoint, now_ms)


@asynccontextmanager
async def _opened(endpoint: Endpoint, now_ms: Clock) -> AsyncIterator[Link]:
    assert isinstance(endpoint.options, LinkOptions)
    host, port = host_and_port(endpoint.url)
    connection = Connection(host, port, endpoint.options.timeout / 1000)
    await connection.open()
    try:
        yield ModbusLink(connection, endpoint.devices, now_ms)
    finally:
        connection.close()


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
