"""Independent decoders, run in environments of their own so that they share nothing with us."""

import base64
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bridge.sparkplug.rules import Packet

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv-witness" / "bin" / "python"
_DECODER = _ROOT / "tests" / "witness" / "pysparkplug_decode.py"


def pysparkplug_decode(packets: Iterable[Packet]) -> list[dict[str, Any]]:
    """What pysparkplug reads in the packets, one answer a packet; see the decoder's docstring."""
    assert _PYTHON.exists(), (
        f"the witness decoder's environment {_PYTHON.parent.parent} is not there; `make test` "
        "makes it (a virtual environment with tests/witness/requirements.txt)"
    )
    lines = [json.dumps({"topic": p.topic, "payload": p.payload.hex()}) for p in packets]
    return _answers([str(_PYTHON), "-I", str(_DECODER)], lines)


def sparkplug_payload_decode(payloads: Iterable[bytes]) -> list[dict[str, Any]]:
    """What npm's sparkplug-payload reads in payloads: ``{"payload": …}`` or ``{"error": …}`` each.

    64-bit integers are texts, bytes are hexadecimal.
    """
    folder = _PYTHON.parent.parent / "node"
    assert (folder / "node_modules").exists(), f"{folder} is not there; `make test` makes it"
    lines = [base64.b64encode(payload).decode() for payload in payloads]
    return _answers([str(_PYTHON.parent / "node"), str(folder / "sparkplug_decode.js")], lines)


def _answers(command: list[str], lines: list[str]) -> list[dict[str, Any]]:
    """What a decoder answers, a line of JSON for each of ours."""
    ended = subprocess.run(
        command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(answers) == len(lines), ended.stderr
    return answers
