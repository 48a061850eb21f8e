"""Schema: the keys of the sections of the plant file, and how their values are read.

Brokers are in `mappings.plant.broker_schema`, commands and rules in `mappings.plant.rule_schema`.
Links and devices have keys of their driver besides (`mappings.plant.grammar.Grammar`), rows are
in `mappings.plant.rows`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mappings.plant.scalars import Duration, Size, Text, YesNo, lasting

FORMAT = 1
"""The newest format of a plant file that this release reads."""

INCLUDABLE = ("devices", "templates", "links", "enums", "units", "scans", "rules")
"""The sections that an included file may have: lists of named things."""

SECTIONS = (
    "tagbridge", "include", "place", "edge_node", "destinations", "outbox", "scans", "defaults",
    "enums", "units", "links", "devices", "templates", "commands", "rules", "pki", "web",
    "logging", "relay",
)  # fmt: skip

ScanTime = Annotated[Duration, lasting("10ms", "30d")]


class Block(BaseModel):
    """A mapping of the plant file: its keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlaceBlock(Block):
    """Where something stands, by the levels of ISA-95."""

    enterprise: Text | None = None
    site: Text | None = None
    area: Text | None = None
    line: Text | None = None
    cell: Text | None = None


class OutboxBlock(Block):
    """Where and how much is buffered for each destination."""

    folder: Text = "/var/lib/tagbridge/outbox"
    max_size: Annotated[Size, Field(ge=1 << 20)] = 4 << 30
    commit_interval: Annotated[Duration, lasting("1ms", "1min")] = 50
    durability: Literal["normal", "strict"] = "normal"
    max_age: Annotated[Duration, lasting("1min", "3650d")] = 30 * 86_400_000
    when_full: Literal["evict-oldest", "stop-storing"] = "evict-oldest"


class LoggingBlock(Block):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class LinkBlock(Block):
    """What every link has, whatever its driver."""

    endpoint: Text
    down_after: Annotated[Duration, lasting("100ms", "1h")] = 5_000


class DeviceBlock(Block):
    """What every device has besides its driver block, its defaults and its rows."""

    in_service: YesNo = True
    description: str = ""
    place: PlaceBlock = PlaceBlock()


class UnitBlock(Block):
    """A unit of the plant's own: what it equals, ``"1"`` for what is counted."""

    equals: Text


class PkiBlock(Block):
    """Where certificates are kept: own, trusted, issuer, rejected."""

    folder: Text = "/var/lib/tagbridge/pki"
