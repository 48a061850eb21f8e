"""The MQTT driver as the rest of the gateway sees it: `MQTT`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from pydantic import BaseModel

from drivers.driver import Clock, Device, Driver, Endpoint, Link, LinkError
from drivers.mqtt import checks
from drivers.mqtt.config import DeviceOptions, LinkOptions
from mappings.errors import Fault
from mappings.tags import Tag


class MqttDriver:
    """Devices that publish to a broker; MQTT 3.1.1, with or without TLS."""

    name = "mqtt"
    schemes = frozenset({"mqtt", "mqtts"})
    takes_login = True
    device_model: type[BaseModel] = DeviceOptions
    link_model: type[BaseModel] = LinkOptions

    def is_array(self, tag: Tag) -> bool:  # noqa: ARG002
        """Never: an address names one place of a document."""
        return False

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:  # noqa: ARG002
        """Never: the sender decides when to speak."""
        return 0

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        """What is wrong with a row's address and type."""
        assert isinstance(options, DeviceOptions)
        return checks.check_tag(tag, options)

    def check_device(self, device: Device) -> list[tuple[int, Fault]]:  # noqa: ARG002
        """Nothing: two rows with one address are one value, published twice."""
        return []

    def check_link(self, devices: Sequence[Device]) -> list[tuple[int, Fault]]:  # noqa: ARG002
        """Nothing: two devices may listen to one topic."""
        return []

    def open(self, endpoint: Endpoint, now_ms: Clock) -> AbstractAsyncContextManager[Link]:
        """Connect; entering raises `LinkError` if that fails; leaving disconnects quickly."""
        del now_ms
        return _not_yet(endpoint)


@asynccontextmanager
async def _not_yet(endpoint: Endpoint) -> AsyncIterator[Link]:
    raise LinkError(
        f"{endpoint.url}: MQTT sources are checked, not read yet", "use the next release"
    )
    yield


MQTT: Driver = MqttDriver()
"""The entry point."""
