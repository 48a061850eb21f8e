"""What the transport's tests share: an inbox, and a connection in one line."""

from contextvars import ContextVar

from bridge.mqtt import Connection, OnMessage, Server, Version, Will
from tests.support.broker import Mosquitto

VERSION: ContextVar[Version] = ContextVar("version", default="mqtt-3.1.1")


class Inbox(list[tuple[str, bytes, bool]]):
    """Every message received: topic, payload, retained. Call it as ``on_message``."""

    def __call__(self, topic: str, payload: bytes, retain: bool) -> None:
        self.append((topic, payload, retain))


async def connect(
    broker: Mosquitto,
    client_id: str,
    on_message: OnMessage = lambda *_: None,
    *,
    will: Will | None = None,
    login: tuple[str, str] | None = None,
    keep_alive_s: int = 20,
    timeout_s: float = 5,
    version: Version | None = None,
) -> Connection:
    """``version`` left out: the one that this run of the tests is for."""
    return await Connection.open(
        Server(broker.host, broker.port),
        client_id=client_id,
        will=will,
        keep_alive_s=keep_alive_s,
        login=login,
        on_message=on_message,
        timeout_s=timeout_s,
        version=version or VERSION.get(),
    )
