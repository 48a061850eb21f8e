"""Secrets: from the references in a plant file to the words themselves.

``${env:NAME}`` is an environment variable, ``${file:PATH}`` a file beside the plant file,
``${credential:NAME}`` a systemd credential. A secret never appears in a message.
"""

import os
from pathlib import Path

from drivers.driver import Identity
from mappings.plant.definitions import Certificate, Login, Secret


class SecretError(Exception):
    """A secret is not there; ``str(error)`` says where it was looked for."""


def resolve(login: Login, folder: Path) -> tuple[str, str]:
    """User name and password; ``folder`` is where the plant file is."""
    return login.user, _word(login.password, folder)


def identify(certificate: Certificate, folder: Path) -> Identity:
    """A client's certificate and its key."""
    path = folder / certificate.file
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SecretError(f"cannot read the certificate {path}: {error.strerror}") from error
    return Identity(certificate=text, key=_word(certificate.key, folder).encode())


def _word(secret: Secret, folder: Path) -> str:
    if secret.kind == "env":
        word = os.environ.get(secret.name)
        if word is None:
            raise SecretError(
                f"the environment has no variable {secret.name}; set it before starting"
            )
        return word
    if secret.kind == "credential":
        where = os.environ.get("CREDENTIALS_DIRECTORY")
        if where is None:
            raise SecretError(
                f"${{credential:{secret.name}}} needs systemd (LoadCredential=); "
                "on the command line use ${file:…} or ${env:…}"
            )
        path = Path(where) / secret.name
    else:
        path = folder / secret.name
    try:
        # Editors end files with a newline; no password does.
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SecretError(f"cannot read the secret in {path}: {reason}") from error
