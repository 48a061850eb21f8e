"""A running gateway's answers: what commands and signals ask of it.

A reload reads the plant again as it was read at the start, in a thread, so that a large one does
not stop the values; a plant with mistakes is refused, and what runs is left alone.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import typer

from bridge.cli.applied import Options, Remembering, keep
from bridge.cli.check import read, right
from bridge.cli.secrets import SecretError
from bridge.cli.words import placed
from bridge.clock import SystemClock
from bridge.control.server import Answer
from bridge.control.words import RefusedError, Reloaded
from bridge.gateway import Gateway, RestartNeededError
from bridge.outbox.outbox import OutboxLocked
from bridge.state import StateError
from bridge.status import commands_of, outbox_of, status_of
from drivers.driver import Driver
from mappings.plant.definitions import Plant
from mappings.plant.problems import Problem

_SHOWN = 20  # problems in an answer
_SHARE_S = 0.0005  # of the interpreter, for a thread at a time


class Source:
    """Where the plant comes from, to be read again: a path and what ``run`` was told besides."""

    def __init__(self, path: Path, options: Options, drivers: Mapping[str, Driver]) -> None:
        self.path = path
        self.options = options
        self.drivers = drivers
        self._files = Remembering()

    def read(self) -> tuple[Plant | None, list[Problem]]:
        """The plant as its files are now, and what is wrong with it."""
        files = Remembering()
        plant, problems = read(self.path, files)
        if plant is None:
            return None, problems
        self._files = files
        return placed(plant, self.options.at, self.drivers, self.options.outbox), problems

    def load(self) -> Plant:
        """The plant; shows its problems, and exits if one is an error."""
        plant, problems = self.read()
        return right(self.path, plant, problems)

    def keep(self, plant: Plant, now_ms: int) -> None:
        """Write down what was read last: it is what runs now. Raises OSError."""
        keep(Path(plant.outbox.folder), plant.file, self.options, self._files, now_ms)


class Running:
    """A gateway that runs, and the source of its plant.

    ``on_applied`` is told of a plant that was taken over.
    """

    def __init__(
        self,
        gateway: Gateway,
        source: Source,
        clock: SystemClock,
        on_applied: Callable[[Plant], None],
    ) -> None:
        self._on_applied = on_applied
        self._gateway = gateway
        self._source = source
        self._clock = clock
        self._log = structlog.stdlib.get_logger("gateway")
        self._reloading = asyncio.Lock()
        self._file = str(Path(gateway.plant.file).resolve())

    @property
    def answers(self) -> Mapping[str, Answer]:
        """What may be asked over the control socket."""
        return {
            "status": self.status, "outbox": self.outbox, "reload": self.reload,
            "arm": self.arm, "disarm": self.disarm,
        }  # fmt: skip

    async def status(self, _request: Mapping[str, Any]) -> object:
        """Everything that runs."""
        return await status_of(self._gateway, self._clock)

    async def outbox(self, _request: Mapping[str, Any]) -> object:
        """All outboxes, by the names of their destinations."""
        return {d.definition.name: await outbox_of(d) for d in self._gateway.destinations}

    async def reload(self, request: Mapping[str, Any]) -> object:
        """Take over the plant as its files are now; ``plant`` is the file that is meant."""
        meant = request.get("plant")
        if meant is not None and meant != self._file:
            raise RefusedError(
                f"the gateway at this outbox runs {self._file}, not {meant}",
                f"next: tagbridge reload {self._file}",
            )
        return await self._reload()

    async def arm(self, request: Mapping[str, Any]) -> object:
        """A person opens the gate for commands; what it is then."""
        if not self._gateway.plant.commands.is_open:
            raise RefusedError(
                "the gate is closed by the plant file",
                f"write commands: {{gate: by-hand}} into it, then tagbridge reload {self._file}",
            )
        await self._gateway.commander.arm(request["by"])
        return commands_of(self._gateway)

    async def disarm(self, request: Mapping[str, Any]) -> object:
        """A person shuts the gate for commands; what it is then."""
        await self._gateway.commander.disarm(request["by"])
        return commands_of(self._gateway)

    async def reload_on_signal(self) -> None:
        """SIGHUP: the outcome goes to the log."""
        try:
            await self._reload()
        except RefusedError as refused:
            self._log.error(  # a cause for people
                "reload refused", reason=refused.seen, remedy=refused.remedy, **refused.more
            )
        except Exception:  # noqa: BLE001  # if it was a fault of the core, that ends the process
            self._log.exception("reload failed", effect="see the line before")

    async def keep(self) -> None:
        """Note that the plant runs; a disk that does not take it is said, and no more."""
        try:
            await asyncio.to_thread(self._source.keep, self._gateway.plant, self._clock.now_ms())
        except OSError as error:
            self._log.warning(
                "applied plant not kept",
                reason=error.strerror or str(error),
                effect="tagbridge plan compares with an older one",
            )

    async def _reload(self) -> Reloaded:
        async with self._reloading:
            try:
                with _giving_way():
                    plant, problems = await asyncio.to_thread(self._source.read)
            except typer.BadParameter as error:
                raise RefusedError(
                    f"{error.message}; the plant that runs is as it was",
                    "restart the gateway with other options",
                ) from error
            if plant is None:
                raise RefusedError(
                    f"{self._source.path} has mistakes; the plant that runs is as it was",
                    f"tagbridge check {self._source.path}",
                    {"problems": _texts([p for p in problems if p.stops])},
                )
            try:
                changes = await self._gateway.reload(plant)
            except RestartNeededError as error:
                raise RefusedError(
                    f"only a restart changes {error}; the plant that runs is as it was",
                    "restart the gateway: it keeps what is buffered, if the folder is the same",
                ) from error
            except (SecretError, OutboxLocked, StateError) as error:
                raise RefusedError(f"{error}; the plant that runs is as it was") from error
            except OSError as error:
                raise RefusedError(
                    f"{error.filename}: {error.strerror}; the plant that runs is as it was",
                    "see what is there and whose it is, then reload once more",
                ) from error
            self._on_applied(plant)
            await self.keep()
            self._log.info(
                "reloaded",
                links=[f"{c.name} {c.kind}" for c in changes.links],
                devices=[f"{c.name} {c.kind}" for c in changes.devices],
                metrics=len(changes.metrics),
                destinations=[f"{c.name} {c.kind}" for c in changes.destinations],
            )
            return Reloaded(changes=changes, warnings=len(problems))


@contextmanager
def _giving_way() -> Iterator[None]:
    """Values wait for the thread that reads a plant half a millisecond at a time, not five."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SHARE_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _texts(problems: Sequence[Problem]) -> list[str]:
    texts = [str(problem) for problem in problems[:_SHOWN]]
    rest = len(problems) - len(texts)
    return [*texts, f"… and {rest} more"] if rest else texts
