"""Secrets: a plant file refers to them and never contains one.

``${file:PATH}`` is a file beside the plant file, ``${env:NAME}`` an environment variable,
``${credential:NAME}`` a systemd credential. No message of this package repeats what stands under
``password`` or ``key``.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from mappings.plant.definitions import Secret
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Report
from mappings.plant.scalars import refusal
from mappings.plant.syntax import UNSHOWN

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


SecretCheck = Callable[[Secret], bool]
"""Whether a secret is there, by somebody who may look."""


def warn_of_missing(block: Node, path: str, is_there: SecretCheck, report: Report) -> None:
    """Warn if the login of a block refers to a secret that is not there: a laptop has none."""
    login = block.get("login") if isinstance(block, Mapping) else None
    if not isinstance(login, Mapping):
        return
    for key in UNSHOWN:
        word = login.get(key)
        secret = reference(word.text) if isinstance(word, Scalar) else None
        if word is None or secret is None:
            continue
        if not is_there(moved(secret, word.spot.file, report.file)):
            seen = f"{path}.login.{key}: no secret at {secret.kind} {secret.name!r}"
            report.add("W705", word.spot, seen, _REMEDIES[secret.kind])


def moved(secret: Secret, file: str, plant: str) -> Secret:
    """The same secret, named from the plant file's folder and not from that of ``file``."""
    if secret.kind != "file":
        return secret
    return Secret(kind="file", name=path_from(secret.name, file, plant))


def path_from(path: str, file: str, plant: str) -> str:
    """A path as it is named in ``file``, from the folder of the plant file."""
    here, there = PurePosixPath(file).parent.parts, PurePosixPath(plant).parent.parts
    if here == there or PurePosixPath(path).is_absolute():
        return path
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    up = [".."] * (len(there) - shared)
    return str(PurePosixPath(*up, *here[shared:], path))
