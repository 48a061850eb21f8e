"""The driver contract: how the bridge talks to any device.

A *driver* knows one protocol; it is data and pure functions until a *link* is opened. A link is
one physical connection (a TCP endpoint, an OPC UA session) that serves one or more devices. A
driver never reconnects, never backs off, never logs per value and never decides what a lost
connection means for hosts: `bridge/link.py` does, once, for all of them.

Drivers are found by the entry point group ``tagbridge.drivers``; one of another distribution
imports only ``drivers`` and ``mappings``. Every driver must pass `drivers/contract.py`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from mappings.batch import Batch, Value
from mappings.plant.grammar import Grammar
from mappings.tags import Device

__all__ = [
    "Clock",
    "Device",
    "DeviceDown",
    "DeviceRefusedError",
    "DeviceUp",
    "Driver",
    "Endpoint",
    "Event",
    "Fresh",
    "Grammar",
    "Identity",
    "Link",
    "LinkError",
    "UnansweredError",
    "WritableLink",
]

Clock = Callable[[], int]
"""Milliseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate and its private key, the texts of their files (PEM or DER)."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One link to open: where, how, and the devices behind it.

    ``url`` is the endpoint as written; ``options`` is the driver's link model, validated.
    ``login`` holds the user name and password with secrets resolved, or None; ``identity`` a
    certificate that logs in instead. ``pki_folder`` is where own and trusted certificates lie,
    None where there is none; ``plant`` is the plant file, for commands in messages.
    """

    name: str
    url: str
    options: BaseModel
    devices: tuple[Device, ...]
    login: tuple[str, str] | None = None
    identity: Identity | None = None
    pki_folder: Path | None = None
    plant: str = "PLANT"


@dataclass(frozen=True, slots=True)
class DeviceUp:
    """The device answers, and every tag of it has been reported since the link was opened.

    Reported means: a value or a BAD quality went out in a `Batch` before this event.
    """

    device: str


@dataclass(frozen=True, slots=True)
class DeviceDown:
    """The device stopped answering while its link lives; the link goes on trying by itself.

    ``reason`` is one line for people, ``remedy`` what to check.
    """

    device: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Fresh:
    """These points were read, or vouched for by their server, and have not changed.

    So that a value which does not change can be told from one that nobody has read for long.
    ``points`` is the same tuple object each time, as in a `Batch`; said once a second at most for
    each such tuple. A batch says it of its own points.
    """

    device: str
    points: tuple[int, ...]


Event = Batch | DeviceUp | DeviceDown | Fresh


class LinkError(Exception):
    """The link cannot be opened, or has ended; says what was seen and what to check.

    ``str(error)`` is one line for people. Anything else that a link raises is a bug of the driver
    or a hostile peer: it ends that link too, and is logged with its traceback.
    """

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy


class DeviceRefusedError(Exception):
    """The device said no, or cannot be asked this: nothing has happened there."""

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy


class UnansweredError(Exception):
    """The device did not say whether it has done what it was told: it may have."""


class Link(Protocol):
    """One open connection."""

    def events(self) -> AsyncIterator[Event]:
        """What the devices say, until the link ends with `LinkError`.

        Called once. After each (re)open every tag is reported once at least, changed or not;
        afterwards a tag may be left out as long as it did not change. Times never run backwards
        for a point. A device that does not answer does not delay the others for longer than
        one timeout each time it is tried.
        """
        ...


@runtime_checkable
class WritableLink(Link, Protocol):
    """A link whose devices take values, for the tags that `Grammar.is_writable` says may.

    Both methods are called while `Link.events` goes on, one at a time for each point. They end by
    themselves, in a few timeouts at most, and are never cancelled but by the link's end; both may
    raise `LinkError`.
    """

    async def write(self, device: str, point: int, value: Value) -> None:
        """Write a raw value, once: what was not acknowledged is never sent again.

        Before reads that wait. Returns when the device has acknowledged it; raises
        `DeviceRefusedError` or `UnansweredError`.
        """
        ...

    async def read(self, device: str, point: int) -> Batch:
        """Ask the device for a point now; the batch is to be handed on like any other.

        What it refuses is a BAD value. Raises `UnansweredError`.
        """
        ...


class Driver(Grammar, Protocol):
    """One protocol. Everything but `open` is pure.

    Its name, schemes, models and checks, which need no device, are its `Grammar`.
    """

    def open(self, endpoint: Endpoint, now_ms: Clock) -> AbstractAsyncContextManager[Link]:
        """Connect; entering raises `LinkError` if that fails; leaving disconnects quickly."""
        ...
