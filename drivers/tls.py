"""TLS: how a client makes sure of its server, proves itself, and says what failed.

One way for all protocols: the server's certificate must be vouched for, by the system's
authorities or by given ones, must be valid now, and must be for the host that was asked for. TLS
1.2 at least. There is no switch that leaves one of these out.
"""

import contextlib
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drivers.driver import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whom a client believes, and who it says it is.

    ``ca`` is a PEM file of authorities, None for the system's; it is read for each connection,
    so that a new one takes effect without a restart. ``identity`` is the client's own
    certificate, for servers that ask for one.
    """

    ca: Path | None = None
    identity: Identity | None = field(default=None, repr=False)


class TlsError(Exception):
    """TLS cannot be begun as configured; ``seen`` and ``remedy`` are for people."""

    def __init__(self, seen: str, remedy: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy


def context_of(tls: Tls) -> ssl.SSLContext:
    """What a connection is made with. Raises `TlsError`. Reads files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authorities(context, tls.ca)
    if tls.identity is not None:
        _load_identity(context, tls.identity)
    return context


def words_of(error: ssl.SSLError | str, host: str) -> tuple[str, str]:
    """What was seen and what to check, of a failed handshake or of OpenSSL's text about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, host)
    text = str(error)
    found = re.search(r"\[SSL: (\w+)\]", text)
    reason = (found[1] if found else text).upper()
    for word, seen, remedy in _ALERTS:
        if word in reason:
            return seen, remedy
    return (
        f"TLS failed ({reason.replace('_', ' ').lower()})",
        "does the server speak TLS 1.2 or newer at this port? its log says more",
    )


_OWN_REMEDY = (
    "give the certificate and key that the server's owner issued: "
    'login: {certificate: …, key: "${file:…}"}'
)
_ALERTS: tuple[tuple[str, str, str], ...] = (
    ("CERTIFICATE_REQUIRED", "the server asks for a certificate, and there is none", _OWN_REMEDY),
    (
        "UNKNOWN_CA",
        "the server does not know who issued our certificate",
        "the server's list of authorities must have the issuer of login: {certificate: …}",
    ),
    ("CERTIFICATE_EXPIRED", "the server says that our certificate has expired", "renew it"),
    ("CERTIFICATE_REVOKED", "the server says that our certificate is revoked", "get a new one"),
    ("BAD_CERTIFICATE", "the server refuses our certificate", _OWN_REMEDY),
    ("CERTIFICATE_UNKNOWN", "the server refuses our certificate", _OWN_REMEDY),
    (
        "HANDSHAKE_FAILURE",
        "the server broke the handshake off",
        "does it ask for a certificate? " + _OWN_REMEDY,
    ),
    (
        "PROTOCOL_VERSION",
        "the server speaks only versions of TLS that are not safe any more",
        "it needs TLS 1.2 or newer",
    ),
    (
        "UNSUPPORTED_PROTOCOL",
        "the server speaks only versions of TLS that are not safe any more",
        "it needs TLS 1.2 or newer",
    ),
    (
        "WRONG_VERSION_NUMBER",
        "what answers there does not speak TLS",
        "is this the server's port for TLS? the other one has no s in its scheme",
    ),
    (
        "EOF",
        "the server closed the connection during the handshake",
        "is this the server's port for TLS?",
    ),
)

# Codes of X509_verify_cert (OpenSSL, x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_SELF_SIGNED_IN_CHAIN, _NO_ISSUER, _NO_ISSUER_OF_LEAF, _UNVERIFIED_LEAF = 19, 2, 20, 21
_HOST_MISMATCH, _ADDRESS_MISMATCH = 62, 64
_UNKNOWN = frozenset({
    _SELF_SIGNED, _SELF_SIGNED_IN_CHAIN, _NO_ISSUER, _NO_ISSUER_OF_LEAF, _UNVERIFIED_LEAF,
})  # fmt: skip


def _distrust(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    code = error.verify_code
    if code in {_HOST_MISMATCH, _ADDRESS_MISMATCH}:
        return (
            f"the server's certificate is not for {host!r}",
            "use the name that the certificate has; or does another machine answer?",
        )
    if code == _EXPIRED:
        return (
            "the server's certificate has expired",
            "renew it there, or set this machine's clock right",
        )
    if code == _NOT_YET_VALID:
        return (
            "the server's certificate is not valid yet",
            "is this machine's clock right?",
        )
    if code in _UNKNOWN:
        return (
            "nobody whom we trust has issued the server's certificate",
            "name its authority: tls: {ca: pki/ca.pem}; or does another machine answer?",
        )
    return (
        f"the server's certificate is not believed: {error.verify_message}",
        "look at it with: openssl s_client -connect HOST:PORT",
    )


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    remedy = "tls: {ca: …} names a PEM file, relative to the plant file"
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError as error:
        raise TlsError(f"{file} has no certificates of authorities in it", remedy) from error
    except OSError as error:
        raise TlsError(f"cannot read {file}: {error.strerror}", remedy) from error
    if not context.get_ca_certs() and not context.cert_store_stats()["x509"]:
        raise TlsError(f"{file} has no certificates of authorities in it", remedy)


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    remedy = "login: {certificate: …, key: …} are PEM texts, the key without a password"
    with _file_of(identity.certificate) as certificate, _file_of(identity.key) as key:
        try:
            # A password that is asked for would be asked for at the terminal.
            context.load_cert_chain(certificate, key, password=lambda: b"")
        except ssl.SSLError as error:
            if "KEY_VALUES_MISMATCH" in str(error):
                raise TlsError(
                    "our certificate and our key do not belong together", remedy
                ) from error
            raise TlsError("our certificate or its key cannot be read", remedy) from error


@contextlib.contextmanager
def _file_of(text: bytes) -> Iterator[str]:
    """A file of memory alone, since OpenSSL takes nothing else, and keys belong on no disk."""
    number = os.memfd_create("tagbridge")
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(text)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
