"""An MQTT broker inside the process, so that the demo needs no system package.

It is amqtt, anonymous and quiet: no ``$SYS`` topics, no log lines. It keeps the order that the
gateway's proof of delivery rests on (tests/simulators/test_broker.py), but handles a few thousand
messages per second at most and forgets messages in flight when a client comes back. So it is
neither for a plant nor for tests of faults.
"""

import asyncio
import contextlib
import logging
import socket
from typing import Any, Self

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError

_SHUTDOWN_S = 3.0


class EmbeddedBroker:
    """A broker on ``host:port`` for as long as the context lasts; port 0 takes a free one.

    Entering raises OSError when the port is taken.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._broker: Any = None

    @property
    def url(self) -> str:
        """The address as a plant file writes it."""
        return f"mqtt://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        # amqtt logs a traceback for every client that leaves or port scan that looks in.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL + 1)
        logging.getLogger("transitions").setLevel(logging.CRITICAL + 1)
        self.port = _checked_port(self.host, self.port)
        self._broker = Broker(
            BrokerConfig(
                listeners={"default": ListenerConfig(bind=f"{self.host}:{self.port}")},
                plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
            )
        )
        try:
            await self._broker.start()
        except BrokerError as error:
            raise OSError(f"no broker on {self.host}:{self.port}: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_S):
                await self._broker.shutdown()


def _checked_port(host: str, port: int) -> int:
    # amqtt takes no port 0 and tells a taken port from others by a traceback in the log only.
    with socket.create_server((host, port)) as probe:
        return int(probe.getsockname()[1])
