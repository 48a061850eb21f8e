"""Schema: the keys of each section of the plant file, and how their values are read.

Only what is built stands here; everything else is an unknown key. Links and devices have keys of
their driver besides (`mappings.plant.grammar.Grammar`), rows are in `mappings.plant.rows`.
"""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mappings.plant.scalars import (
    Duration,
    Rate,
    Size,
    Text,
    YesNo,
    duration_text,
    lasting,
    refusal,
)
from mappings.plant.secrets import SecretReference

FORMAT = 1
"""The newest format of a plant file that this release reads."""

SECTIONS = (
    "tagbridge",
    "edge_node",
    "destinations",
    "outbox",
    "scans",
    "defaults",
    "links",
    "devices",
    "logging",
)


def _broker(value: str) -> str:
    remedy = "write mqtt://HOST or mqtt://HOST:PORT"
    if "@" in value:
        seen = "user names and passwords do not belong into an address"
        raise refusal("E701", seen, "write login: {user: …, password: …} beside servers")
    scheme, separator, _ = value.partition("://")
    if separator and scheme.casefold() == "mqtts":
        raise refusal("E203", f"{value!r}: only mqtt:// is built in this release", remedy)
    if scheme != "mqtt" or not separator:
        raise refusal("E203", f"{value!r} is not the address of a broker", remedy)
    try:
        parts = urlsplit(value)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise refusal("E203", f"{value!r} is not the address of a broker", remedy) from None
    if not parts.hostname or re.search(r"\s", value):
        raise refusal("E203", f"{value!r} names no host", remedy)
    if not port_is_right or parts.netloc.endswith(":"):
        raise refusal("E203", f"{value!r}: no such port", "a port is a number from 1 to 65535")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise refusal("E203", f"{value!r}: an MQTT broker has no path", remedy)
    return value


def _whole_seconds(value_ms: int) -> int:
    if value_ms % 1000:
        seen = f"{duration_text(value_ms)} is no whole number of seconds"
        raise refusal("E115", seen, "MQTT counts the keep alive in seconds: write 10s")
    return value_ms


Broker = Annotated[Text, AfterValidator(_broker)]
KeepAlive = Annotated[Duration, lasting("1s", "18h"), AfterValidator(_whole_seconds)]
ScanTime = Annotated[Duration, lasting("10ms", "30d")]


class Block(BaseModel):
    """A mapping of the plant file: its keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LoginBlock(Block):
    """User and password at a broker or an OPC UA server."""

    user: Text
    password: SecretReference


class EdgeNodeBlock(Block):
    """The Sparkplug identity; a destination's own block says only what differs."""

    group: str | None = None
    name: str | None = None
    diagnostics: Literal["none", "full"] | None = None


class BacklogBlock(Block):
    """How what was buffered is sent."""

    rate: Rate | None = None


class SparkplugBlock(Block):
    """How metrics are shown to Sparkplug hosts."""

    aliases: Literal["stable", "none"] = "stable"


class DestinationBlock(Block):
    """One destination: its brokers, walked in order, and how they are used."""

    servers: Annotated[tuple[Broker, ...], Field(min_length=1, description="[mqtt://HOST]")]
    login: LoginBlock | None = None
    keep_alive: KeepAlive = 10_000
    client_id: Text = ""
    backlog: BacklogBlock = BacklogBlock()
    delivery_check: Literal["birth", "none"] = "birth"
    sparkplug: SparkplugBlock = SparkplugBlock()
    edge_node: EdgeNodeBlock = EdgeNodeBlock()


class OutboxBlock(Block):
    """Where and how much is buffered for each destination."""

    folder: Text = "/var/lib/tagbridge/outbox"
    max_size: Annotated[Size, Field(ge=1 << 20)] = 4 << 30
    commit_interval: Annotated[Duration, lasting("1ms", "1min")] = 50
    durability: Literal["normal", "strict"] = "normal"


class LoggingBlock(Block):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class LinkBlock(Block):
    """What every link has, whatever its driver."""

    endpoint: Text
    down_after: Annotated[Duration, lasting("100ms", "1h")] = 5_000


class LinkLoginBlock(Block):
    """The login of a link, for drivers that have one."""

    login: LoginBlock | None = None


class DeviceBlock(Block):
    """What every device has besides its driver block, its defaults and its rows."""

    in_service: YesNo = True
    description: str = ""
