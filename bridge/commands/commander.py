"""Commands: from what a host wants written to a device's answer, and what is told of it.

Judged at once, while the message is being received (`bridge.commands.gate`); then, in a task of
its own: noted for sure in the audit log, judged once more, written, read back, told. Nothing waits
for a device that is down, and nothing is tried again. What the metric shows afterwards comes from
the device alone.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from bridge.clock import SystemClock
from bridge.commands import node_metrics
from bridge.commands.audit import FOLDER, Audit, AuditError, time_text
from bridge.commands.denials import LONGEST, Denials, denial_of
from bridge.commands.gate import Gate, Now
from bridge.commands.words import Approved, Command, Denied, Outcome, Refusal, plain
from bridge.commands.writing import Devices, Writing
from bridge.sparkplug.payload import CommandMetric, CommandRequest
from mappings.batch import Value
from mappings.catalog import Catalog
from mappings.plant.definitions import Plant

_CLOSE_S = 1.0
_QUIET_MS = 60_000  # until the same refusal is worth a line in the log again
_RESULT_MS = 1_000  # between two results of refusals of one metric
_MOST_METRICS = 100


class Commander:
    """Takes the commands of all destinations, and carries out what the gate lets through.

    ``tell`` publishes values of the node's own metrics, by their ids. ``folder`` holds the audit
    log.
    """

    def __init__(
        self,
        plant: Plant,
        catalog: Catalog,
        devices: Devices,
        clock: SystemClock,
        tell: Callable[[Mapping[str, Value]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._writing = Writing(devices, catalog)
        self._clock = clock
        self._tell = tell
        self._failed = failed
        self.gate = Gate(plant, catalog, devices.unreachable, self._now())
        self.audit = Audit(Path(plant.outbox.folder) / FOLDER)
        self._denials = Denials()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unwritten = ""  # why the audit log takes nothing
        self.accepted = 0
        self.denied = 0
        self.last_denial: Mapping[str, Any] = {}
        self._told: dict[str, Value] = {}  # of the node's own metrics, what was told last
        self._results: dict[str, tuple[int, str | None]] = {}  # when, and what waits to be told
        self._logged: dict[tuple[str, Refusal], int] = {}
        self._told_ms = self._clock.monotonic_ms() - _RESULT_MS
        self._noting: asyncio.Task[None] | None = None
        self._closing = False
        self._log = structlog.stdlib.get_logger("commands")

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._clock.monotonic_ms())

    # --- what comes in ----------------------------------------------------------------------------

    def take(
        self,
        source: str,
        device: str,
        request: CommandRequest,
        find: Callable[[CommandMetric], int | None],
        *,
        retained: bool,
    ) -> None:
        """Judge the metrics of a command message, each by itself, in their order.

        ``device`` is that of the topic, ``""`` for the node. ``find`` says which of its points a
        metric means.
        """
        for number, metric in enumerate(request.metrics):
            sent_ms = metric.timestamp_ms
            command = Command(
                source=source,
                device=device,
                metric=metric,
                point=find(metric),
                sent_ms=request.timestamp_ms if sent_ms is None else sent_ms,
                correlation=request.correlation,
                retained=retained,
            )
            if number >= _MOST_METRICS:
                why = f"more than {_MOST_METRICS} metrics in one message: the others are not read"
                self._deny(command, Denied(refusal=Refusal.UNREADABLE, why=why))
                return
            self._judge(command)

    def unreadable(self, source: str, device: str, why: str) -> None:
        """A command message that is none."""
        metric = CommandMetric(name=None, alias=None, field=None, value=None)
        command = Command(source=source, device=device, metric=metric, point=None, sent_ms=None)
        self._deny(command, Denied(refusal=Refusal.UNREADABLE, why=why))

    def _judge(self, command: Command) -> None:
        if self._closing:
            denied = Denied(refusal=Refusal.GATE, why="the gateway is being stopped")
            self._deny(command, denied)
            return
        try:
            judged = self.gate.judge(command, self._now())
        except Exception as error:  # noqa: BLE001  # a fault of the gate ends the process
            self._failed(error)
            return
        if isinstance(judged, Denied):
            self._deny(command, judged)
            return
        self._task(self._carry_out(judged))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _deny(self, command: Command, denied: Denied) -> None:
        now = self._now()
        denial = denial_of(command, denied)
        self.denied += 1
        self.last_denial = {"from": command.source, **denial, "at": now.utc_ms}
        self._denials.add(command.source, denial, now.steady_ms)
        kind = (command.source, denied.refusal)
        if now.steady_ms - self._logged.get(kind, -_QUIET_MS) >= _QUIET_MS:
            self._logged[kind] = now.steady_ms
            self._log.warning("command refused", source=command.source, **denial)
        name = self._result_id(command)
        # The result of one that is under way comes by itself; after a change the point is another.
        if name is not None and denied.refusal not in {Refusal.BUSY, Refusal.CHANGED}:
            told = {"accepted": False, **denial, "from": command.source, "at": now.utc_ms}
            self._tell_slowly(name, _json(told), now.steady_ms)

    # --- carrying out -----------------------------------------------------------------------------

    async def _carry_out(self, approved: Approved) -> None:
        command = approved.command
        try:
            record = _record("accepted", approved)
            denied = await self._assure(record)
            denied = denied or self.gate.still(approved, self._now())
            if denied is not None:
                await self._note({**record, "what": "not written", "refused": denied.refusal.value})
                self._deny(command, denied)
                return
            self.accepted += 1
            result = await self._writing.carry_out(approved)
        finally:
            self.gate.done(approved)
        said = {
            "accepted": True, "outcome": result.outcome.value, "value": plain(approved.value),
            "read": plain(result.read), "id": command.correlation, "why": result.why,
            "from": command.source, "sent": command.sent_ms, "at": self._clock.now_ms(),
        }  # fmt: skip
        said = {key: value for key, value in said.items() if value not in (None, "")}
        name = self._result_id(command)
        if name is not None and approved.plant is self.gate.permits.plant:
            self._tell({name: _json(said)})
        done = result.outcome in {Outcome.CONFIRMED, Outcome.WRITTEN}
        tell = self._log.info if done else self._log.warning
        tell("command carried out", metric=approved.path, **said)
        more = {"outcome": result.outcome.value, "read": plain(result.read), "why": result.why}
        await self._note({**_record("result", approved), **more})

    async def _assure(self, record: Mapping[str, Any]) -> Denied | None:
        """Have it on the disk for sure; why not, if it is not."""
        try:
            await self.audit.write([record], sure=True)
        except AuditError as error:
            self._say_unwritten(error)
            why = f"the audit log cannot be written: {error}"
            return Denied(refusal=Refusal.AUDIT, why=why)
        self._unwritten = ""
        return None

    async def _note(self, *records: Mapping[str, Any]) -> None:
        """Into the audit log, as well as it goes."""
        try:
            await self.audit.write(records, sure=False)
        except AuditError as error:
            self._say_unwritten(error)

    def _say_unwritten(self, error: AuditError) -> None:
        if str(error) != self._unwritten:
            self._unwritten = str(error)
            self._log.error(
                "audit log not written",
                reason=str(error),
                effect="no command is carried out",
                remedy="make room on the disk, or see whose the folder is",
            )

    # --- what is told -----------------------------------------------------------------------------

    def _result_id(self, command: Command) -> str | None:
        """The node's metric for the results of this command's metric."""
        metrics = self.gate.permits.metrics.get(command.device)
        if metrics is None or command.point is None or command.point >= len(metrics):
            return None
        return node_metrics.result_id(command.device, metrics[command.point])

    def _tell_slowly(self, name: str, text: str, steady_ms: int) -> None:
        """Tell a refusal, or keep it for the next tick: the last one of a second is told."""
        told_ms, _ = self._results.get(name, (steady_ms - _RESULT_MS, None))
        if steady_ms - told_ms >= _RESULT_MS:
            self._results[name] = (steady_ms, None)
            self._tell({name: text})
        else:
            self._results[name] = (told_ms, text)

    def tick(self) -> None:
        """What is due: results that wait, denials of a second that is over, the node's metrics."""
        now = self._now()
        for name, (told_ms, text) in list(self._results.items()):
            if now.steady_ms - told_ms >= _RESULT_MS:
                del self._results[name]
                if text is not None:
                    self._tell({name: text})
        if self._noting is None or self._noting.done():  # a slow disk is not asked twice
            records = self._denials.due(now.steady_ms)
            self._noting = self._task(self._note(*map(_dated, records))) if records else None
        values: dict[str, Value] = {
            node_metrics.GATE: self.shut or "open",
            node_metrics.ACCEPTED: self.accepted,
            node_metrics.DENIED: self.denied,
            node_metrics.LAST_DENIED: _json(self.last_denial) if self.last_denial else "",
            node_metrics.AUDIT_HEAD: f"{self.audit.number} {self.audit.head}".strip(),
        }
        changed = {k: v for k, v in values.items() if k not in self._told or self._told[k] != v}
        if changed and now.steady_ms - self._told_ms >= _RESULT_MS:
            self._told_ms = now.steady_ms
            self._told.update(changed)
            self._tell(changed)

    @property
    def shut(self) -> str:
        """Why the gate is shut; empty if it is open."""
        return self.gate.shut(self._now())

    @property
    def trouble(self) -> str:
        """Why the audit log takes nothing, and so no command is carried out; empty if it does."""
        return self._unwritten

    @property
    def open_ms(self) -> int | None:
        """For how long a gate that was opened by hand stays open; None if it is not so."""
        until_ms = self.gate.arming.until_ms
        return None if until_ms is None else max(0, until_ms - self._clock.monotonic_ms())

    # --- the gate and its plant -------------------------------------------------------------------

    def renew(self, plant: Plant) -> None:
        """Another plant, in the same step in which everything goes over to it."""
        before = self.gate.permits.plant.commands
        self.gate.renew(plant)
        self._results.clear()
        self._told.clear()
        if plant.commands != before:
            self._task(self._note(self._gate_record()))

    async def begin(self) -> None:
        """Note in the audit log that a gateway runs whose gate is not closed."""
        if self.gate.permits.plant.commands.is_open:
            await self._note(self._gate_record())

    async def arm(self, who: str) -> None:
        """A person opens the gate, or lets it be open again."""
        self.gate.arm(self._now())
        self._log.warning("gate opened by hand", who=who)
        await self._note(_dated({"what": "armed", "who": who}))

    async def disarm(self, who: str) -> None:
        """A person shuts the gate."""
        self.gate.disarm()
        self._log.warning("gate shut by hand", who=who)
        await self._note(_dated({"what": "disarmed", "who": who}))

    async def close(self) -> None:
        """Refuse everything from now on, let what is under way end, and note the rest."""
        self._closing = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        records = self._denials.due(None)
        if records:
            with suppress(TimeoutError):  # a disk that hangs does not keep the gateway from ending
                async with asyncio.timeout(_CLOSE_S):
                    await self._note(*map(_dated, records))
        await self.audit.close()

    def _gate_record(self) -> dict[str, Any]:
        plant = self.gate.permits.plant
        record = {"what": "gate", "gate": plant.commands.gate, "plant": plant.file}
        return _dated({**record, "allow": len(plant.commands.allow)})

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task


def _record(what: str, approved: Approved) -> dict[str, Any]:
    command = approved.command
    return _dated(
        {
            "what": what, "from": command.source, "metric": approved.path,
            "value": plain(approved.value), "raw": plain(approved.raw),
            "id": command.correlation[:LONGEST], "sent": command.sent_ms,
        }
    )  # fmt: skip


def _dated(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": time_text(None), **record}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
