"""What a plant file says, once it is known to be right: frozen definitions, all names resolved.

Made by `mappings.plant.reader`; everything below the command line works from these and never sees
YAML. Durations are milliseconds, sizes bytes, rates times per second. Secrets stay references
(`Secret`) until the command line resolves them, because this package reads no files; paths are
relative to the folder of the plant file. What commands and rules may do stands in
`mappings.plant.permissions`.
"""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from mappings.plant.permissions import CLOSED, Commands, Rule
from mappings.plant.problems import Place
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
class Certificate:
    """A client's certificate, a PEM file, and the reference to its private key."""

    file: str
    key: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a server proves who it is: ``ca`` is a PEM file, empty for the system's own."""

    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDefinition:
    """Where something stands, by the levels of ISA-95; empty what nobody said.

    For topics of a unified namespace, and by choice for metric names; never the identity.
    """

    enterprise: str = ""
    site: str = ""
    area: str = ""
    line: str = ""
    cell: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeNodeDefinition:
    """The Sparkplug identity; ``diagnostics`` is ``none``, ``basic`` or ``full``."""

    group: str
    name: str
    diagnostics: str = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a destination gets: metrics by pattern and class, at most so often.

    ``metrics`` are patterns over ``DEVICE/METRIC``; ``classes`` empty means all.
    """

    metrics: tuple[str, ...] = ("**",)
    classes: tuple[str, ...] = ()
    min_interval_ms: int = 0


Protocol = Literal["mqtt-3.1.1", "mqtt-5"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationDefinition:
    """Where metrics go: brokers walked in order, one at a time, and an edge node identity.

    ``bad_values`` is ``last`` or ``null``. ``metric_names`` is a pattern with ``{metric}`` and
    levels of `PlaceDefinition`. ``host_state`` is ``3.0`` or ``2.2-and-3.0``, ``backlog_order``
    ``live-first`` or ``oldest-first``, ``templates`` ``flat`` or ``udt``, ``protocol``
    ``mqtt-3.1.1`` or ``mqtt-5``, ``largest_packet`` the bytes that its brokers take, None where
    nobody has said.
    """

    name: str
    servers: tuple[str, ...]
    edge_node: EdgeNodeDefinition
    login: Login | None = None
    certificate: Certificate | None = None
    tls: Tls = Tls()
    protocol: Protocol = "mqtt-3.1.1"
    keep_alive_ms: int = 10_000
    client_id: str = ""
    backlog_rate: float | None = None
    backlog_order: str = "live-first"
    primary_host: str = ""
    server_dwell_ms: int = 30_000
    host_state: str = "3.0"
    aliases: bool = True
    templates: str = "flat"
    bad_values: str = "last"
    metric_names: str = "{metric}"
    select: Selection = Selection()
    delivery_check: bool = True
    largest_packet: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsDefinition:
    """A destination that publishes plain JSON into a unified namespace.

    ``topic`` and ``command_topic`` are patterns with ``{device}``, ``{metric}`` and levels of
    `PlaceDefinition`; ``command_topic`` empty takes no commands. ``qos`` is that of routine,
    important and critical metrics; ``retain`` is ``last-good`` or ``none``; ``expiry_ms`` 0 means
    never.
    """

    name: str
    servers: tuple[str, ...]
    topic: str
    login: Login | None = None
    certificate: Certificate | None = None
    tls: Tls = Tls()
    protocol: Protocol = "mqtt-3.1.1"
    keep_alive_ms: int = 10_000
    client_id: str = ""
    qos: tuple[int, int, int] = (0, 1, 2)
    retain: str = "last-good"
    expiry_ms: int = 0
    command_topic: str = ""
    select: Selection = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDefinition:
    """Where and how much is buffered, for each destination.

    ``when_full`` is ``evict-oldest`` or ``stop-storing``.
    """

    folder: str
    max_size: int
    commit_interval_ms: int = 50
    strict: bool = False
    max_age_ms: int = 30 * 86_400_000
    when_full: str = "evict-oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDefinition:
    """A device with its rows; ``tags[i]`` and ``metrics[i]`` are the two halves of row i.

    ``places[i]`` is where row i stands; devices that no file describes have none.
    """

    name: str
    description: str
    options: BaseModel
    tags: tuple[Tag, ...]
    metrics: tuple[Metric, ...]
    place: PlaceDefinition = PlaceDefinition()
    places: tuple[Place, ...] = ()


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
    certificate: Certificate | None = None
    down_after_ms: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDefinition:
    """The status page: where it listens, what it shows, and who may see it.

    ``users`` are references to passwords by name.
    """

    host: str
    port: int
    pages: tuple[str, ...]
    certificate: Certificate | None = None
    users: dict[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayBroker:
    """A broker that the relay reads from or sends to."""

    name: str
    servers: tuple[str, ...]
    login: Login | None = None
    certificate: Certificate | None = None
    tls: Tls = Tls()
    primary_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDefinition:
    """What passes from the site's broker to others.

    ``nodes`` are patterns ``GROUP/NODE``, ``rename`` such patterns with what they become;
    ``topics`` are filter, direction (``up`` or ``down``) and most hops. ``births_rate`` limits
    births, ``commands`` lets those of hosts pass.
    """

    source: RelayBroker
    targets: tuple[RelayBroker, ...]
    nodes: tuple[str, ...]
    rename: dict[str, str] = field(default_factory=dict)
    host_proxy: str = ""
    topics: tuple[tuple[str, str, int], ...] = ()
    births_rate: float = 20.0
    commands: bool = False


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
    place: PlaceDefinition = PlaceDefinition()
    uns: tuple[UnsDefinition, ...] = ()
    commands: Commands = CLOSED
    rules: tuple[Rule, ...] = ()
    web: WebDefinition | None = None
    relay: RelayDefinition | None = None
    log_level: str = "info"
    log_format: str = "console"

    @property
    def devices(self) -> tuple[DeviceDefinition, ...]:
        """All devices, in the order of the file's links."""
        return tuple(device for link in self.links for device in link.devices)
