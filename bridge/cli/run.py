"""``tagbridge run``: the gateway itself, until SIGTERM or Ctrl-C; SIGHUP reads the plant again."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from bridge import logs
from bridge.access import Access
from bridge.cli.running import Running, Source
from bridge.cli.secrets import SecretError, identify, resolve
from bridge.cli.stopping import stop_on_signals
from bridge.clock import SystemClock
from bridge.control.server import serving
from bridge.gateway import Gateway
from bridge.outbox.outbox import OutboxLocked
from bridge.state import StateError
from mappings.plant.definitions import Plant


def run(plant: Plant, source: Source, *, log_form: str | None) -> int:
    """Run a plant, which was read from ``source``, until told to stop; the exit code."""

    def configure_logs(plant: Plant) -> None:
        logs.configure(level=plant.log_level, form=log_form or plant.log_format)

    configure_logs(plant)
    # Whoever asks for a reload before there is anything to reload must not end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log = structlog.stdlib.get_logger("gateway")
    folder = Path(plant.file).parent
    access = Access(
        login=lambda login: resolve(login, folder),
        identity=lambda certificate: identify(certificate, folder),
    )
    clock = SystemClock()
    try:
        gateway = Gateway(plant, source.drivers, access, clock=clock)
        log.info(
            "start", plant=plant.file, links=len(plant.links), devices=len(plant.devices),
            metrics=sum(len(device.metrics) for device in plant.devices),
        )  # fmt: skip
        running = Running(gateway, source, clock, configure_logs)
        _new_loop(lambda: _until_signal(gateway, running))
    except (SecretError, OutboxLocked, StateError) as error:
        log.error("cannot start", reason=str(error))  # noqa: TRY400  # a cause for people
        return 1
    except OSError as error:
        log.error(  # noqa: TRY400  # a cause for people, not a traceback
            "cannot start",
            reason=f"{error.strerror}: {error.filename or plant.outbox.folder}",
            remedy="set outbox: {folder: …} in the plant file to a folder this user may write",
        )
        return 1
    except Exception:
        log.exception("stopped by a fault of its own", remedy="please report this")
        return 70
    log.info("stopped")
    return 0


async def _until_signal(gateway: Gateway, running: Running) -> None:
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if len(reloads) > 1:
            return  # one is under way, and one waits that will read what is there then
        task = asyncio.create_task(running.reload_on_signal())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        await running.keep()
        async with serving(Path(gateway.plant.outbox.folder), running.answers):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
            try:
                yield
            finally:
                asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                for task in reloads:
                    task.cancel()

    await gateway.run(stop_on_signals(), beside)


def _new_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on uvloop where the ``fast`` extra is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop  # noqa: PLC0415  # optional

        factory = new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
