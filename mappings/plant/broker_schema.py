"""The keys of a destination: brokers, the login there, and how metrics are shown to it."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mappings.plant.placeholders import check_pattern
from mappings.plant.scalars import (
    Duration,
    Rate,
    Size,
    Text,
    WholeNumber,
    duration_text,
    lasting,
    refusal,
)
from mappings.plant.schema import Block
from mappings.plant.secrets import SecretReference

LEVELS = ("enterprise", "site", "area", "line", "cell")
"""The levels of ISA-95 that a place may name."""

_SCHEMES = ("mqtt", "mqtts")
_CLASSES = Literal["routine", "important", "critical"]


def _broker(value: str) -> str:
    remedy = "write mqtt://HOST, mqtts://HOST or mqtt://HOST:PORT"
    if "@" in value:
        seen = "user names and passwords do not belong into an address"
        raise refusal("E701", seen, "write login: {user: …, password: …} beside servers")
    scheme, separator, _ = value.partition("://")
    if scheme not in _SCHEMES or not separator:
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


def _metric_names(value: str) -> str:
    return check_pattern(value, (*LEVELS, "device", "metric"), ("metric",))


def _topic(value: str) -> str:
    for char in "+#":
        if char in value:
            seen = f"{value!r} contains {char!r}"
            raise refusal("E127", seen, "messages are published to one topic: leave out + and #")
    return check_pattern(value, (*LEVELS, "device", "metric"), ("metric",))


Broker = Annotated[Text, AfterValidator(_broker)]
Servers = Annotated[tuple[Broker, ...], Field(min_length=1, description="[mqtt://HOST]")]
KeepAlive = Annotated[Duration, lasting("1s", "18h"), AfterValidator(_whole_seconds)]
Topic = Annotated[Text, AfterValidator(_topic)]
QoS = Annotated[WholeNumber, Field(ge=0, le=2)]


class LoginBlock(Block):
    """User and password, or certificate and key."""

    user: Text | None = None
    password: SecretReference | None = None
    certificate: Text | None = None
    key: SecretReference | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Whether one of the two ways is there as a whole."""
        by_name = self.user is not None or self.password is not None
        by_certificate = self.certificate is not None or self.key is not None
        if by_name and by_certificate:
            seen = "a user and a certificate"
            raise refusal("E119", seen, "one says who we are: user and password, or certificate")
        pairs = ("user", "password") if not by_certificate else ("certificate", "key")
        for key in pairs:
            if getattr(self, key) is None:
                secret = key in {"password", "key"}
                remedy = f'add {key}: "${{file:secrets/NAME}}"' if secret else f"add {key}: …"
                raise refusal("E104", f"key {key!r} is missing", remedy)
        return self


class LinkLoginBlock(Block):
    """The login of a link, for drivers that have one."""

    login: LoginBlock | None = None


class TlsBlock(Block):
    """Whom we believe: ``ca`` is a PEM file; left out, the system's own authorities."""

    ca: Text = ""


class EdgeNodeBlock(Block):
    """The Sparkplug identity; a destination's own block says only what differs."""

    group: str | None = None
    name: str | None = None
    diagnostics: Literal["none", "basic", "full"] | None = None


class BacklogBlock(Block):
    """How what was buffered is sent."""

    order: Literal["live-first", "oldest-first"] = "live-first"
    rate: Rate | None = None


class SparkplugBlock(Block):
    """How metrics are shown to Sparkplug hosts."""

    primary_host: Text = ""
    server_dwell: Annotated[Duration, lasting("1s", "1h")] = 30_000
    host_state: Literal["3.0", "2.2-and-3.0"] = "3.0"
    aliases: Literal["stable", "none"] = "stable"
    templates: Literal["flat", "udt"] = "flat"
    bad_values: Literal["last", "null"] = "last"
    metric_names: Annotated[Text, AfterValidator(_metric_names)] = "{metric}"


class SelectBlock(Block):
    """What a destination gets; left out: everything."""

    metrics: Annotated[tuple[Text, ...], Field(min_length=1)] = ("**",)
    classes: tuple[_CLASSES, ...] = ()
    min_interval: Annotated[Duration, lasting("1ms", "30d")] = 0


class QosBlock(Block):
    """The MQTT quality of service by the class of a metric."""

    routine: QoS = 0
    important: QoS = 1
    critical: QoS = 2


class UnsBlock(Block):
    """How metrics are shown in a unified namespace."""

    topic: Topic
    qos: QosBlock = QosBlock()
    retain: Literal["last-good", "none"] = "last-good"
    expiry: Annotated[Duration, lasting("1s", "365d")] | None = None
    command_topic: Topic = ""


class DestinationBlock(Block):
    """One destination: its brokers, walked in order, and how they are used."""

    servers: Servers
    login: LoginBlock | None = None
    tls: TlsBlock = TlsBlock()
    protocol: Literal["mqtt-3.1.1", "mqtt-5"] = "mqtt-3.1.1"
    keep_alive: KeepAlive = 10_000
    client_id: Text = ""
    largest_packet: Annotated[Size, Field(ge=4 << 10)] | None = None
    backlog: BacklogBlock = BacklogBlock()
    delivery_check: Literal["birth", "none"] = "birth"
    select: SelectBlock = SelectBlock()
    sparkplug: SparkplugBlock | None = None
    uns: UnsBlock | None = None
    edge_node: EdgeNodeBlock = EdgeNodeBlock()

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        """A destination speaks one language."""
        if self.sparkplug is not None and self.uns is not None:
            seen = "sparkplug and uns in one destination"
            raise refusal("E119", seen, "the block names the kind: make two destinations of it")
        return self

    @model_validator(mode="after")
    def certificates_are_used(self) -> Self:
        """Who writes certificates does not mean to be readable."""
        plain = [server for server in self.servers if not server.startswith("mqtts://")]
        if plain and (self.tls.ca or (self.login is not None and self.login.certificate)):
            seen = f"{plain[0]!r} uses no certificates"
            raise refusal("E119", seen, "write mqtts://, or remove tls: and certificate:")
        return self
