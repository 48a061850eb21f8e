"""Waiting for the primary host: the shell around `bridge.sparkplug.primary_host`.

A node with a primary host says nothing until that is online at the server where the node is, and
leaves when it goes. With one server it waits there, connected; with several for a while, and then
looks for the host at the next.
"""

import asyncio
from typing import Any

from bridge.mqtt import ConnectionLost, Server
from bridge.sparkplug.primary_host import PrimaryHost


class HostAwayError(Exception):
    """The primary host is not online at a server."""

    def __init__(self, host_id: str, server: Server) -> None:
        self.seen = f"primary host {host_id!r} is not online at {server}"
        self.remedy = "is the host running, and is that its id? Values are kept until it is there"
        super().__init__(self.seen)


class HostWait:
    """One node's waiting. ``dwell_s`` is how long at a server, None for ever."""

    def __init__(self, host: PrimaryHost, dwell_s: float | None) -> None:
        self.host = host
        self._dwell_s = dwell_s
        self._spoke = asyncio.Event()

    def take(self, server: Server, topic: str, payload: bytes, now_ms: int) -> bool:
        """Take in a message; whether the host came or went by it."""
        turned = self.host.take(str(server), topic, payload, now_ms)
        if turned:
            self._spoke.set()
        return turned

    def away(self, server: Server) -> HostAwayError:
        """That it is not there, in words."""
        return HostAwayError(self.host.host_id, server)

    async def online(
        self, server: Server, leaving: asyncio.Event, ended: asyncio.Task[ConnectionLost]
    ) -> None:
        """Wait until the host is online, or ``leaving`` is set.

        Raises `HostAwayError` after the dwell time, and what ``ended`` says when the connection
        ends. tck-id-message-flow-edge-node-birth-publish-phid-wait, -wait-online.
        """
        left = asyncio.create_task(leaving.wait())
        try:
            async with asyncio.timeout(self._dwell_s):
                while not (self.host.is_online or leaving.is_set()):
                    self._spoke.clear()
                    spoke = asyncio.create_task(self._spoke.wait())
                    waited: set[asyncio.Future[Any]] = {spoke, left, ended}
                    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                    spoke.cancel()
                    if ended.done():
                        raise ended.result()
        except TimeoutError:
            raise self.away(server) from None
        finally:
            left.cancel()
