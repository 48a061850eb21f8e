"""aedes, a broker in JavaScript that shares nothing with the others, on a free port."""

import asyncio
import subprocess
from pathlib import Path
from typing import Self

_BIN = Path(__file__).parents[2] / ".venv-witness" / "bin"


class Aedes:
    """From entering to leaving; `make test` installs it beside the independent decoders."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    async def __aenter__(self) -> Self:
        folder = _BIN.parent / "node"
        assert (folder / "node_modules").exists(), f"{folder} is not there; `make test` makes it"
        process = self._process = subprocess.Popen(
            [str(_BIN / "node"), str(folder / "aedes_broker.js")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        self.port = int(await asyncio.to_thread(process.stdout.readline))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        assert self._process.stdout is not None
        self._process.stdout.close()
