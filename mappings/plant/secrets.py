"""Secrets: a plant file refers to them and never contains one.

``${file:PATH}`` is a file beside the plant file, ``${env:NAME}`` an environment variable,
``${credential:NAME}`` a systemd credential. No message of this package repeats what stands under
``password``.
"""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from mappings.plant.definitions import Secret
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Report
from mappings.plant.scalars import refusal

_REFERENCE = re.compile(r"\$\{(file|env|credential):([^{}]+)\}")
_OTHER = re.compile(r"\$\{\w*:[^{}]*\}")

_REMEDIES = {
    "file": "write the password alone into that file, readable for the gateway's user only",
    "env": "set this variable before the gateway starts",
    "credential": "systemd gives it to the service (LoadCredential=), nobody else has it",
}


def reference(text: str) -> Secret | None:
    """The secret that a text refers to."""
    match = _REFERENCE.fullmatch(text.strip())
    return Secret(kind=match[1], name=match[2].strip()) if match else None


def _read(value: object) -> object:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        secret = reference(value)
        if secret is not None:
            return secret
        if _OTHER.fullmatch(value.strip()):
            remedy = 'write "${file:PATH}", "${env:NAME}" or "${credential:NAME}"'
            raise refusal("E701", "not a reference to a secret", remedy)
    remedy = 'put it in a file of its own and write "${file:secrets/NAME}", or use '
    raise refusal("E701", "a secret in plain text", remedy + "${env:…}, ${credential:…}")


SecretReference = Annotated[
    Secret,
    BeforeValidator(_read),
    WithJsonSchema({"type": "string", "pattern": r"^\$\{(file|env|credential):[^{}]+\}$"}),
]


def warn_of_missing(
    block: Node, path: str, is_there: Callable[[Secret], bool], report: Report
) -> None:
    """Warn if the login of a block refers to a secret that is not there: a laptop has none."""
    login = block.get("login") if isinstance(block, Mapping) else None
    password = login.get("password") if isinstance(login, Mapping) else None
    secret = reference(password.text) if isinstance(password, Scalar) else None
    if password is not None and secret is not None and not is_there(secret):
        seen = f"{path}.login.password: no secret at {secret.kind} {secret.name!r}"
        report.add("W705", password.spot, seen, _REMEDIES[secret.kind])
