"""Grammar: what the plant reader needs to know of a driver, and it is never connected for it.

The keys of its block, the schemes of its endpoints, and its judgement on addresses: pure, so that
a whole plant can be checked at a desk. `drivers.driver.Driver` is this and a way to open a link;
the reader takes its drivers as an argument, because this floor may not import that one.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

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

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        """What is wrong with this row's address, type and order, offline.

        ``Fault.field`` is ``address``, ``type`` or ``order``.
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
