"""The keys of ``web:`` and ``relay:``, and what they become."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mappings.plant.broker_schema import LoginBlock, Servers, TlsBlock
from mappings.plant.scalars import Rate, Text, WholeNumber, refusal
from mappings.plant.schema import Block
from mappings.plant.secrets import SecretReference

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})")
_HERE = ("127.0.0.1", "localhost", "[::1]")
_NODE = re.compile(r"[^/#+]+/[^/#+]+")


def _listen(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or not 0 < int(match[2]) < 1 << 16:
        raise refusal("E119", f"{value!r} is no address and port", "write 127.0.0.1:8440")
    return value


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        remedy = "write GROUP/NODE, with * for any of them"
        raise refusal("E127", f"{value!r} names no edge nodes", remedy)
    return value


def _filter(value: str) -> str:
    levels = value.split("/")
    wild = [level for level in levels if "#" in level or "+" in level]
    if any(len(level) > 1 for level in wild) or "#" in levels[:-1]:
        remedy = "+ stands for one level, # for all below it, and nothing else beside them"
        raise refusal("E127", f"{value!r} is no MQTT filter", remedy)
    return value


NodePattern = Annotated[Text, AfterValidator(_node)]


class WebTlsBlock(Block):
    """The certificate that the web server shows."""

    certificate: Text
    key: SecretReference


class WebBlock(Block):
    """The status page; wider than this machine it needs TLS and users."""

    listen: Annotated[Text, AfterValidator(_listen)] = "127.0.0.1:8440"
    pages: Annotated[tuple[Literal["status", "metrics", "health"], ...], Field(min_length=1)] = (
        "status", "metrics", "health",
    )  # fmt: skip
    tls: WebTlsBlock | None = None
    users: dict[str, SecretReference] = Field(default_factory=dict)

    @model_validator(mode="after")
    def safe_or_local(self) -> Self:
        """Nobody else's machine sees it without TLS and a login."""
        if self.listen.rpartition(":")[0] not in _HERE and not (self.tls and self.users):
            seen = f"{self.listen!r} can be seen from other machines"
            remedy = "add tls: {certificate: …, key: …} and users: {NAME: …}, or listen: "
            raise refusal("E706", seen, f"{remedy}127.0.0.1:8440")
        return self


class RelaySourceBlock(Block):
    """The broker of the site."""

    servers: Servers
    login: LoginBlock | None = None
    tls: TlsBlock = TlsBlock()


class RelayTargetBlock(RelaySourceBlock):
    """A broker beyond the site."""

    primary_host: Text = ""


class RelayTopicBlock(Block):
    """Plain topics that pass."""

    filter: Annotated[Text, AfterValidator(_filter)]
    direction: Literal["up", "down"]
    max_hops: Annotated[WholeNumber, Field(ge=1, le=16)] = 1


class RelayCommandsBlock(Block):
    """Whether commands of hosts beyond the site pass."""

    gate: Literal["open", "closed"] = "closed"


class RelayBlock(Block):
    """What ``tagbridge relay`` passes on, from the site to others."""

    source: RelaySourceBlock = Field(alias="from")
    to: Annotated[dict[str, RelayTargetBlock], Field(min_length=1)]
    nodes: Annotated[tuple[NodePattern, ...], Field(min_length=1)]
    rename: dict[NodePattern, NodePattern] = Field(default_factory=dict)
    host_proxy: Text = ""
    topics: tuple[RelayTopicBlock, ...] = ()
    births: Rate = 20.0
    commands: RelayCommandsBlock = RelayCommandsBlock()
