"""Logs: one line for each change of state, for people (console) or machines (JSON).

structlog writes; the libraries' own loggers are held at ERROR and come out in the same form, so
that nothing of theirs (a line for every value, at INFO) reaches the disk of a gateway.
"""

import logging
import sys
from typing import Any, TextIO

import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LIBRARIES = ("asyncua", "paho", "mqtt", "amqtt", "transitions")
_HEX_DUMPERS = ("pymodbus", "pymodbus.logging")
"""They print the last packets at ERROR when a peer speaks no Modbus; the link says that itself."""


def configure(*, level: str, form: str, stream: TextIO | None = None) -> None:
    """Set the process's logging: ``level`` is a word of the plant file, ``form`` console | json."""
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            pad_event_to=20,
            exception_formatter=structlog.dev.plain_traceback,
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    output = logging.StreamHandler(stream)
    output.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(_LEVELS[level])
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in _HEX_DUMPERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
