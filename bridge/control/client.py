"""The control socket's client: asks the gateway that runs over an outbox folder; blocking."""

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from bridge.control.socket_path import SOCKET, reached
from bridge.control.words import RefusedError

T = TypeVar("T")


class NotRunningError(Exception):
    """No gateway answers at this folder: none runs."""


class UnreachableError(Exception):
    """There is a gateway, or there may be, and it cannot be asked; says why and what to do."""

    def __init__(self, seen: str, remedy: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy


def ask(folder: Path, do: str, answer: type[T], *, timeout_s: float = 10.0, **more: Any) -> T:
    """What the gateway over ``folder`` answers, as ``answer``.

    Raises `NotRunningError`, `UnreachableError`, or `RefusedError` with what it said.
    """
    line = _exchange(folder, json.dumps({"do": do, **more}).encode() + b"\n", timeout_s)
    try:
        said = json.loads(line)
        if said["ok"]:
            return TypeAdapter(answer).validate_python(said["answer"], strict=False)
        rest = {key: said[key] for key in said if key not in {"ok", "seen", "remedy"}}
        refused = RefusedError(str(said["seen"]), str(said["remedy"]), rest)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise UnreachableError(
            "the gateway's answer is not understood: it runs another version of tagbridge",
            "restart it, so that it runs the version that is installed",
        ) from error
    raise refused


def _exchange(folder: Path, request: bytes, timeout_s: float) -> bytes:
    shown = folder / SOCKET
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            with reached(folder) as path:
                connection.connect(path)
            with suppress(BrokenPipeError):  # it was refused before it was sent, and is told why
                connection.sendall(request)
            with connection.makefile("rb") as answer:
                line = answer.readline()
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NotRunningError(f"no gateway answers at {shown}") from error
        except PermissionError as error:
            raise UnreachableError(
                f"no right to talk to the gateway at {shown}",
                "be the user that runs it, or in its group, or root",
            ) from error
        except TimeoutError as error:
            raise UnreachableError(
                f"the gateway at {shown} does not answer within {timeout_s:.0f} s",
                "is it stopped, or its disk stuck? see its log",
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"the gateway at {shown} cannot be asked: {error.strerror or error}",
                "see its log",
            ) from error
    if not line.endswith(b"\n"):
        raise UnreachableError(f"the gateway at {shown} ended before it answered", "see its log")
    return line
