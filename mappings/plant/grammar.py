"""Grammar: what the plant reader needs to know of a driver, and it is never connected for it.

The keys of its block, the schemes of its endpoints, and its judgement on addresses: pure, so that
a whole plant can be checked at a desk. `drivers.driver.Driver` is this and a way to open a link;
the reader takes its drivers as an argument, because this floor may not import that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from mappings.batch import Batch
from mappings.errors import Fault
from mappings.tags import Device, Tag


class Grammar(Protocol):
    """The part of a driver that needs no device."""

    @property
    def name(self) -> str:
        """The key of the block in the plant file: ``modbus``."""
        ...

    @property
    def schemes(self) -> frozenset[str]:
        """Endpoint schemes of this driver: ``tcp``."""
        ...

    @property
    def device_model(self) -> type[BaseModel]:
        """Keys of the block in a device, without ``endpoint`` and ``link``."""
        ...

    @property
    def link_model(self) -> type[BaseModel]:
        """Keys of a link besides ``endpoint`` and what every link has.

        A device with an endpoint of its own has these keys in its block too.
        """
        ...

    def is_array(self, tag: Tag) -> bool:
        """Whether address and element name several values, as ``HR101[10]`` does.

        Asked before `check_tag`; False for what cannot be read.
        """
        ...

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:
        """After how long without a fresh value a tag is STALE if its row does not say; 0: never.

        ``link`` are the options of the link.
        """
        ...

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        """What is wrong with this row's address, type and order, offline.

        ``Fault.field`` is ``address``, ``type``, ``element`` or ``order``.
        """
        ...

    def check_device(self, device: Device) -> list[tuple[int, Fault]]:
        """What is wrong between rows (overlaps), each with the tag's index in ``device.tags``.

        Only rows that `check_tag` passed are in ``device``.
        """
        ...

    def check_link(self, devices: Sequence[Device]) -> list[tuple[int, Fault]]:
        """What is wrong between devices of one link, with the device's index.

        A unit id that occurs twice, say; ``Fault.field`` is a key of the driver block.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """One request that a link will send again and again, as ``check --requests`` shows it.

    ``what`` is the request in the words of the protocol, ``tags`` the names of the rows that it
    reads, ``why`` one line on its size and cut. ``wire_ms`` is how long request and answer occupy
    the connection, None where nobody can say (a network).
    """

    device: str
    scan_ms: int
    what: str
    tags: tuple[str, ...]
    why: str = ""
    wire_ms: float | None = None


@runtime_checkable
class WithRequests(Protocol):
    """A driver that polls has this too, so that its requests can be seen before they are sent."""

    def requests(
        self, endpoint: str, devices: Sequence[Device], link: BaseModel
    ) -> list[PlannedRequest]:
        """All requests of a link, for checked devices; ``link`` are the options of the link."""
        ...


@runtime_checkable
class WithRaw(Protocol):
    """A driver whose raw material can be written down, for tests of a mapping."""

    def read_raw(
        self, device: Device, given: Mapping[str, str], now_ms: int
    ) -> list[Batch | Fault]:
        """What a checked device says when it holds what is given, or what is wrong with that.

        Keys are places in the driver's own words (a register, a topic), values what is there (words
        as numbers, a payload). ``Fault.field`` is the key. Rows that the material does not cover
        say nothing.
        """
        ...


@runtime_checkable
class WithLogin(Protocol):
    """A driver whose links may log in has this too; of the others ``login`` is an unknown key."""

    @property
    def takes_login(self) -> bool:
        """Whether a link of this driver may have a ``login``."""
        ...


def takes_login(driver: Grammar) -> bool:
    """Whether links of a driver may have a ``login``."""
    return isinstance(driver, WithLogin) and driver.takes_login


@runtime_checkable
class WithScans(Protocol):
    """A driver whose rows may not say how often they are read has this."""

    @property
    def takes_scans(self) -> bool:
        """Whether a row may have a ``scan``."""
        ...


@runtime_checkable
class WithWires(Protocol):
    """A driver of several kinds of connections, which not every device fits, has this."""

    def check_endpoint(
        self, endpoint: str, link: BaseModel, devices: Sequence[Device]
    ) -> list[tuple[int | None, Fault]]:
        """What is wrong between an endpoint and what is behind it.

        With the device's index, ``Fault.field`` a key of its driver block; or None, of the link.
        """
        ...


@runtime_checkable
class WithArrays(Protocol):
    """A driver that knows of addresses which can never be arrays has this."""

    def may_be_array(self, tag: Tag) -> bool:
        """Whether several values may be read there, although the address names none of them."""
        ...


@runtime_checkable
class WithWrites(Protocol):
    """A driver that cannot write everywhere has this."""

    def is_writable(self, tag: Tag) -> bool:
        """Whether a command may be meant for this address."""
        ...


@runtime_checkable
class WithProbe(Protocol):
    """A driver whose addresses can be looked at one by one has this."""

    def probe(self, tag: Tag) -> str:
        """The command that shows what is there, with ``{plant}`` and ``{device}`` in it."""
        ...


def takes_scans(driver: Grammar) -> bool:
    """Whether rows of a driver may say how often they are read."""
    return not isinstance(driver, WithScans) or driver.takes_scans


def may_be_array(driver: Grammar, tag: Tag) -> bool:
    """Whether a tag may be an array, although its address does not say so."""
    return isinstance(driver, WithArrays) and driver.may_be_array(tag)


def is_writable(driver: Grammar | None, tag: Tag) -> bool:
    """Whether a command may be meant for a tag."""
    return not isinstance(driver, WithWrites) or driver.is_writable(tag)


def probe_command(driver: Grammar | None, tag: Tag) -> str:
    """The command that shows what is at a tag's address, empty where there is none."""
    return driver.probe(tag) if isinstance(driver, WithProbe) else ""
