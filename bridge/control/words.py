"""What is said over the control socket; plain data, JSON both ways.

A request is one line, ``{"do": "status"}``, with more keys where a request has them; its answer is
one line, ``{"ok": true, "answer": …}`` or ``{"ok": false, "seen": …, "remedy": …}``. What a later
version adds, an older one passes over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.changes import Changes
from bridge.outbox.words import Ledger

LONGEST = 64 << 10
"""Bytes of a request."""


class RefusedError(Exception):
    """What was asked for is not done; ``more`` goes into the answer beside the reason."""

    def __init__(self, seen: str, remedy: str = "", more: Mapping[str, Any] | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy
        self.more = more or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """A device; ``heard_ms`` is how long ago it said something, None for never.

    ``bad`` and ``stale`` count its metrics that are. ``trouble`` is why it is silent.
    """

    name: str
    is_up: bool
    metrics: int
    bad: int = 0
    stale: int = 0
    heard_ms: int | None = None
    trouble: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """A link; ``trouble`` is why its last connection ended."""

    name: str
    endpoint: str
    is_open: bool
    devices: tuple[DeviceStatus, ...]
    trouble: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """An outbox; sizes in bytes. ``extent_known`` False: its disk does not answer.

    ``oldest_ms`` is the time of the oldest sample that waits.
    """

    folder: str
    max_size: int
    ledger: Ledger
    live: int = 0
    backlog: int = 0
    bytes: int = 0
    segments: int = 0
    oldest_ms: int | None = None
    extent_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """A destination; ``state`` is one of `bridge.sparkplug.session.State`, ``born`` counts devices.

    ``trouble`` is why it is not connected. ``delivery_check`` False: nothing proves delivery.
    """

    name: str
    node: str
    server: str
    state: str
    born: int
    outbox: OutboxStatus
    trouble: str = ""
    remedy: str = ""
    delivery_check: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsStatus:
    """The gate. ``gate`` is the word of the plant file, ``shut`` why nothing passes, if so.

    ``open_ms`` is for how long a gate that was opened by hand stays open. ``audit_head`` is the
    hash of the audit log's last record. ``trouble`` is why the log cannot be written.
    """

    gate: str
    shut: str = ""
    open_ms: int | None = None
    accepted: int = 0
    denied: int = 0
    last_denial: str = ""
    audit_records: int = 0
    audit_head: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A running gateway. Times are milliseconds since 1970, UTC.

    ``reloaded_ms`` is when its plant was read last.
    """

    plant: str
    version: str
    pid: int
    now_ms: int
    started_ms: int
    reloaded_ms: int
    links: tuple[LinkStatus, ...]
    destinations: tuple[DestinationStatus, ...]
    commands: CommandsStatus = CommandsStatus(gate="closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """The answer to ``reload``."""

    changes: Changes
    warnings: int = 0
