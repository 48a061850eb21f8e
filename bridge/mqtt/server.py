"""Where a broker is, as all of the product reads it, and what it keeps as the will."""

from dataclasses import dataclass

from drivers.mqtt.server import DEFAULT_PORT, Server

__all__ = ["DEFAULT_PORT", "Server", "Will"]


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when the connection ends without DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
