"""What a plant file says, once it is known to be right: frozen definitions, all names resolved.

Made by `mappings.plant.reader`; everything below the command line works from these and never sees
YAML. Durations are milliseconds, sizes bytes. Secrets stay references (`Secret`) until the
command line resolves them, because this package reads no files.
"""

from dataclasses import dataclass

from pydantic import BaseModel

from mappings.tags import Metric, Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A reference to a secret: ``kind`` is ``file``, ``env`` or ``credential``."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User name and password reference of a broker or an OPC UA server."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeNodeDefinition:
    """The Sparkplug identity; ``diagnostics`` is ``none`` or ``full``."""

    group: str
    name: str
    diagnostics: str = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationDefinition:
    """Where metrics go: brokers walked in order, one at a time, and an edge node identity."""

    name: str
    servers: tuple[str, ...]
    edge_node: EdgeNodeDefinition
    login: Login | None = None
    keep_alive_ms: int = 10_000
    client_id: str = ""
    backlog_rate: float | None = None
    aliases: bool = True
    delivery_check: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDefinition:
    """Where and how much is buffered, for each destination."""

    folder: str
    max_size: int
    commit_interval_ms: int = 50
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDefinition:
    """A device with its rows; ``tags[i]`` and ``metrics[i]`` are the two halves of row i."""

    name: str
    description: str
    options: BaseModel
    tags: tuple[Tag, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDefinition:
    """A connection and the devices behind it; ``driver`` is the driver's name.

    A device with an endpoint of its own has a link of its own, named like the device.
    After ``down_after_ms`` without the link its devices are BAD and dead.
    """

    name: str
    driver: str
    endpoint: str
    options: BaseModel
    devices: tuple[DeviceDefinition, ...]
    login: Login | None = None
    down_after_ms: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """The whole plant file.

    ``pki_folder`` is where own and trusted certificates lie; relative to the plant file.
    """

    file: str
    destinations: tuple[DestinationDefinition, ...]
    outbox: OutboxDefinition
    links: tuple[LinkDefinition, ...]
    pki_folder: str = "/var/lib/tagbridge/pki"
    log_level: str = "info"
    log_format: str = "console"

    @property
    def devices(self) -> tuple[DeviceDefinition, ...]:
        """All devices, in the order of the file's links."""
        return tuple(device for link in self.links for device in link.devices)
