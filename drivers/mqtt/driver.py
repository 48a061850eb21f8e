"""The MQTT driver as the rest of the gateway sees it: `MQTT`.

paho is imported when a link is opened, not before: a plant is checked without it.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel

from drivers.driver import Clock, Device, Driver, Endpoint, Link
from drivers.mqtt import checks, raw
from drivers.mqtt.config import DeviceOptions, LinkOptions
from mappings.batch import Batch
from mappings.errors import Fault
from mappings.tags import Tag


class MqttDriver:
    """Devices that publish to a broker; MQTT 3.1.1, with or without TLS."""

    name = "mqtt"
    schemes = frozenset({"mqtt", "mqtts"})
    takes_login = True
    takes_scans = False
    device_model: type[BaseModel] = DeviceOptions
    link_model: type[BaseModel] = LinkOptions

    def is_array(self, tag: Tag) -> bool:  # noqa: ARG002
        """Never: an address names one place of a document."""
        return False

    def is_writable(self, tag: Tag) -> bool:  # noqa: ARG002
        """Never: what a device publishes is heard, and nothing is said to it."""
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

    def read_raw(
        self, device: Device, given: Mapping[str, str], now_ms: int
    ) -> list[Batch | Fault]:
        """What a device says on whose topics stands what is given."""
        return raw.read_raw(device, given, now_ms)

    def open(self, endpoint: Endpoint, now_ms: Clock) -> AbstractAsyncContextManager[Link]:
        """Connect; entering raises `LinkError` if that fails; leaving disconnects quickly."""
        from drivers.mqtt.link import MqttLink  # noqa: PLC0415  see above

        return MqttLink(endpoint, now_ms)


MQTT: Driver = MqttDriver()
"""The entry point."""
