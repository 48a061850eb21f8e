"""The certificate of a simulated OPC UA server, self-signed.

Kept in a folder, so that a simulator that is started again is the one that was trusted.
"""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID_DAYS = 365


def new_certificate(uri: str, days: int = _VALID_DAYS) -> tuple[bytes, bytes]:
    """A certificate (DER) and its key (PEM) of the application ``uri``; negative days are past."""
    key = generate_private_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tagbridge simulator")])
    now = datetime.now(UTC)
    begin, end = sorted((now - timedelta(hours=1), now + timedelta(days=days)))
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName(socket.gethostname())]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True,
        data_encipherment=True, key_agreement=False, key_cert_sign=True, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.DER), dump_private_key_as_pem(key)


def kept_certificate(folder: Path | None, uri: str) -> tuple[bytes, bytes]:
    """The one that is in the folder; a new one where there is none, or no folder to write to."""
    if folder is None:
        return new_certificate(uri)
    certificate, key = folder / "certificate.der", folder / "key.pem"
    now = datetime.now(UTC)
    try:
        known = certificate.read_bytes()
        if x509.load_der_x509_certificate(known).not_valid_after_utc > now:
            return known, key.read_bytes()
    except (OSError, ValueError):
        pass
    made = new_certificate(uri)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key.touch(0o600)
        key.write_bytes(made[1])
        certificate.write_bytes(made[0])
    except OSError:
        pass  # it lives as long as this process
    return made
