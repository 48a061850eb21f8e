"""``tagbridge run``: the gateway itself, until SIGTERM or Ctrl-C."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import structlog

from bridge import logs
from bridge.cli.secrets import SecretError, identify, resolve
from bridge.cli.stopping import stop_on_signals
from bridge.gateway import Gateway
from bridge.outbox.outbox import OutboxLocked
from bridge.state import StateError
from drivers.driver import Driver
from mappings.plant.definitions import Plant


def run(plant: Plant, drivers: Mapping[str, Driver], *, log_form: str | None) -> int:
    """Run a plant until told to stop; the exit code."""
    logs.configure(level=plant.log_level, form=log_form or plant.log_format)
    log = structlog.stdlib.get_logger("gateway")
    folder = Path(plant.file).parent
    try:
        ours = [(d.login, d.certificate) for d in plant.destinations]
        for login, certificate in ours + [(k.login, k.certificate) for k in plant.links]:
            if login is not None:  # what is missing is said before anything is opened
                resolve(login, folder)
            if certificate is not None:
                identify(certificate, folder)
        gateway = Gateway(
            plant,
            drivers,
            secrets=lambda login: resolve(login, folder),
            identities=lambda certificate: identify(certificate, folder),
        )
        log.info(
            "start", plant=plant.file, links=len(plant.links), devices=len(plant.devices),
            metrics=sum(len(device.metrics) for device in plant.devices),
        )  # fmt: skip
        _new_loop(lambda: _until_signal(gateway))
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


async def _until_signal(gateway: Gateway) -> None:
    await gateway.run(stop_on_signals())


def _new_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on uvloop where the ``fast`` extra is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop  # noqa: PLC0415  # optional

        factory = new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
