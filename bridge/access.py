"""Access: how references to secrets become the secrets themselves.

The plant holds references only. Who runs a gateway says how they are resolved; what cannot be
raises an exception of the resolver's own, before anything is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.driver import Device, Endpoint, Identity
from drivers.tls import Tls
from mappings.plant.definitions import (
    Certificate,
    DestinationDefinition,
    LinkDefinition,
    Login,
    Plant,
)


def _no_identity(certificate: Certificate) -> Identity:
    raise NotImplementedError("a plant with certificates needs who reads them")


@dataclass(frozen=True, slots=True)
class Access:
    """``login`` gives user name and password, ``identity`` a client's certificate and key."""

    login: Callable[[Login], tuple[str, str]]
    identity: Callable[[Certificate], Identity] = _no_identity

    def to_link(self, link: LinkDefinition, plant: Plant) -> Endpoint:
        """All that a driver needs to open a link."""
        return Endpoint(
            name=link.name,
            url=link.endpoint,
            options=link.options,
            devices=tuple(
                Device(name=device.name, options=device.options, tags=device.tags)
                for device in link.devices
            ),
            login=self.login(link.login) if link.login else None,
            identity=self.identity(link.certificate) if link.certificate else None,
            pki_folder=Path(plant.file).parent / plant.pki_folder,
            plant=plant.file,
        )

    def to_broker(
        self, destination: DestinationDefinition, plant: Plant
    ) -> tuple[tuple[str, str] | None, Tls]:
        """Login and TLS of a destination's brokers."""
        ca = destination.tls.ca
        certificate = destination.certificate
        tls = Tls(
            ca=Path(plant.file).parent / ca if ca else None,
            identity=self.identity(certificate) if certificate else None,
        )
        return self.login(destination.login) if destination.login else None, tls
