"""Certificates made for a test: an authority, and what it issues, good and bad."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drivers.driver import Identity

_DAY = dt.timedelta(days=1)


def _key_text(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


class Authority:
    """A certificate authority of its own; ``file`` is its certificate."""

    def __init__(self, folder: Path, name: str = "plant CA") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 365 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        hosts: Sequence[str] = ("127.0.0.1", "localhost"),
        *,
        from_days: float = -1,
        to_days: float = 30,
        password: bytes | None = None,
    ) -> Identity:
        """A certificate for a name and its hosts, valid from and to so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        names: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            for host in hosts
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + from_days * _DAY)
            .not_valid_after(now + to_days * _DAY)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Identity(
            certificate=certificate.public_bytes(serialization.Encoding.PEM),
            key=_key_text(key, password),
        )

    def listener(
        self, identity: Identity | None = None, *, clients: "Authority | None" = None
    ) -> tuple[str, ...]:
        """Lines for a mosquitto that shows this certificate, and asks clients for one of theirs."""
        identity = identity or self.issue("broker")
        certificate, key = self.folder / "broker.pem", self.folder / "broker.key"
        certificate.write_bytes(identity.certificate)
        key.write_bytes(identity.key)
        lines = [f"certfile {certificate}", f"keyfile {key}"]
        if clients is not None:
            lines += [f"cafile {clients.file}", "require_certificate true"]
        return tuple(lines)
