"""Certificates: our own, those we trust, those we have refused; a folder of files.

::

    own/certificate.der  own/key.pem     made at the first start; the key is readable by us alone
    trusted/                             certificates of servers that somebody has looked at
    rejected/                            what servers have shown us and nobody has trusted yet

Trust is given to single certificates, byte by byte: a new certificate of a server is looked at
anew, whoever signed it. ``tagbridge trust`` is the way to look and to accept; copying a file from
``rejected`` to ``trusted`` does the same. A thumbprint is the SHA-1 of a certificate, as all
tools for OPC UA show it; it names a certificate and decides nothing.
"""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from drivers.opcua.own_certificate import self_signed

_LARGEST = 64 << 10  # bytes of a certificate's file
_MOST_REJECTED = 50
_making = threading.Lock()


class PkiError(Exception):
    """The folder cannot be used; ``str(error)`` says what was seen, ``remedy`` what to do."""

    def __init__(self, seen: str, remedy: str) -> None:
        super().__init__(seen)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A certificate as people compare it."""

    thumbprint: str
    subject: str
    uris: tuple[str, ...]
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """Our application's certificate: both as bytes, DER and PEM; ``uri`` is its ApplicationUri."""

    certificate: bytes
    key: bytes
    uri: str


def thumbprint(der: bytes) -> str:
    """The name of a certificate: 40 hexadecimal digits."""
    digest = hashes.Hash(hashes.SHA1())  # noqa: S303  a name, as OPC UA gives it
    digest.update(der)
    return digest.finalize().hex().upper()


def shown(der: bytes) -> Shown:
    """What a certificate says of itself; ValueError if it is none."""
    certificate = x509.load_der_x509_certificate(der)
    uris: tuple[str, ...] = ()
    with contextlib.suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
    return Shown(
        thumbprint=thumbprint(der),
        subject=certificate.subject.rfc4514_string(),
        uris=uris,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


class Pki:
    """One folder of certificates; made when something is to be kept in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def own(self) -> Own:
        """Our certificate and key, made at the first call; blocks for a moment then."""
        folder = self.folder / "own"
        try:
            with _making:
                if not folder.exists():
                    self._make(folder)
            certificate = (folder / "certificate.der").read_bytes()
            key = (folder / "key.pem").read_bytes()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            parsed = x509.load_der_x509_certificate(certificate)
            private = serialization.load_pem_private_key(key, None)
            fits = parsed.public_key() == private.public_key()
            uri = shown(certificate).uris[0]
        except (ValueError, TypeError, IndexError) as error:
            raise self._damaged(folder) from error
        if not fits:
            raise self._damaged(folder)
        return Own(certificate=certificate, key=key, uri=uri)

    def is_trusted(self, der: bytes) -> bool:
        """Whether this very certificate lies in ``trusted``."""
        return any(known == der for known in self._certificates("trusted"))

    def trusted(self) -> list[Shown]:
        """All that are trusted."""
        return [shown(der) for der in self._certificates("trusted")]

    def rejected(self) -> list[Shown]:
        """All that servers have shown and nobody has trusted."""
        return [shown(der) for der in self._certificates("rejected")]

    def reject(self, der: bytes) -> None:
        """Keep a refused certificate, so that it can be looked at; the oldest of many go."""
        try:
            path = self._kept("rejected", der)
            others = sorted(path.parent.glob("*.der"), key=lambda file: file.stat().st_mtime)
            for file in others[:-_MOST_REJECTED]:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def accept(self, name: str) -> Shown:
        """Trust the rejected certificate of this thumbprint; KeyError if there is none."""
        wanted = "".join(c for c in name.upper() if c.isalnum())
        for der in self._certificates("rejected"):
            if thumbprint(der) == wanted:
                try:
                    self._kept("trusted", der)
                    (self.folder / "rejected" / f"{wanted}.der").unlink(missing_ok=True)
                except OSError as error:
                    raise self._unusable(error) from error
                return shown(der)
        raise KeyError(name)

    def _kept(self, where: str, der: bytes) -> Path:
        folder = self.folder / where
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{thumbprint(der)}.der"
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".tmp", delete=False) as file:
            file.write(der)
        Path(file.name).replace(path)
        return path

    def _certificates(self, where: str) -> Iterator[bytes]:
        """The certificates of a folder, DER; what is none is passed over."""
        try:
            files = sorted((self.folder / where).iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error
        for file in files:
            if file.suffix.lower() not in {".der", ".pem", ".crt", ".cer"}:
                continue
            with contextlib.suppress(OSError, ValueError), file.open("rb") as opened:
                yield _der(opened.read(_LARGEST))

    def _make(self, folder: Path) -> None:
        """Both files at once, by renaming their folder: another process may be doing the same."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificate, key = self_signed(socket.gethostname())
        made = Path(tempfile.mkdtemp(dir=self.folder, prefix="own-"))  # readable by us alone
        (made / "certificate.der").write_bytes(certificate)
        (made / "key.pem").touch(0o600, exist_ok=False)
        (made / "key.pem").write_bytes(key)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            for file_made in made.iterdir():  # the other process was first
                file_made.unlink()
            made.rmdir()

    def _unusable(self, error: OSError) -> PkiError:
        return PkiError(
            f"certificates cannot be kept in {self.folder}: {error.strerror or error}",
            "set pki: {folder: …} in the plant file to a folder this user may write",
        )

    def _damaged(self, folder: Path) -> PkiError:
        return PkiError(
            f"certificate.der and key.pem in {folder} are no certificate and its key",
            "bring them back from a backup, or move the folder away: a new pair is made, which "
            "the servers must trust anew",
        )


def _der(text: bytes) -> bytes:
    if text.lstrip().startswith(b"-----BEGIN"):
        parsed = x509.load_pem_x509_certificate(text)
    else:
        parsed = x509.load_der_x509_certificate(text)
    return parsed.public_bytes(serialization.Encoding.DER)
