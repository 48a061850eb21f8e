"""Where a broker is, and the message that it keeps as the will of a connection."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

DEFAULT_PORT = 1883


@dataclass(frozen=True, slots=True)
class Server:
    """A broker's address; ``str()`` gives ``host:port`` for messages."""

    host: str
    port: int = DEFAULT_PORT

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``mqtt://host[:port]``.

        Raises ValueError with a sentence for the user: another scheme, no host, a bad port, or
        anything more than host and port (a login has its own keys in the plant file).
        """
        parts = urlsplit(url)
        if parts.scheme != "mqtt":
            raise ValueError(f"{url!r}: expected mqtt://host or mqtt://host:port")
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"{parts.hostname}: write the login beside the address, not into it")
        if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError(f"{url!r}: expected mqtt://host or mqtt://host:port")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port == 0:
            raise ValueError(f"{url!r}: the port must be a number from 1 to 65535")
        return cls(parts.hostname, DEFAULT_PORT if port is None else port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when the connection ends without DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
