"""The gateway as a user runs it: a process of its own, its log as JSON lines, ended by its pid."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.support.wait import until

ROOT = Path(__file__).parents[2]


class GatewayProcess:
    """``tagbridge run PLANT``, which may be killed and started again over the same outbox."""

    def __init__(
        self,
        plant: Path,
        *options: str,
        log: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.plant = plant
        self.log = log or plant.with_suffix(".log")
        self._options = options
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "bridge.cli.main", "run", str(self.plant),
                    "--log", "json", *self._options,
                ],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self._environment,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL, and wait."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    async def terminate(self, timeout_s: float = 10.0) -> int:
        """SIGTERM; the exit code."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        await until(
            lambda: process.poll() is not None, what="end of the gateway", timeout_s=timeout_s
        )
        return process.returncode

    @property
    def exit_code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def lines(self) -> list[dict[str, Any]]:
        """The log so far; a line that is no JSON is a defect and fails the test."""
        if not self.log.exists():
            return []
        text = self.log.read_text()
        whole = text[: text.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines()]

    async def logged(
        self, event: str, *, timeout_s: float = 15.0, **fields: object
    ) -> dict[str, Any]:
        """Wait for a log line with this event and these fields."""

        def found() -> dict[str, Any] | None:
            assert self.exit_code is None or event == "stopped", self.log.read_text()[-4000:]
            for line in self.lines():
                if line.get("event") == event and fields.items() <= line.items():
                    return line
            return None

        return await until(found, what=f"log line {event!r} {fields}", timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, 10)
