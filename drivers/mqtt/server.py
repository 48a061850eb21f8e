"""Where a broker is: ``mqtt://host`` or, protected by TLS, ``mqtts://host``."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883

_FORM = "expected mqtt://host[:port] or mqtts://host[:port]"


@dataclass(frozen=True, slots=True)
class Server:
    """A broker's address; ``str()`` gives ``host:port`` for messages.

    With ``tls`` nothing is sent, and nothing believed, before the broker has proven who it is.
    """

    host: str
    port: int = DEFAULT_PORT
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``mqtt://host[:port]`` or ``mqtts://host[:port]``.

        Raises ValueError with a sentence for the user: another scheme, no host, a bad port, or
        anything more than host and port (a login has its own keys in the plant file).
        """
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"}:
            raise ValueError(f"{url!r}: {_FORM}")
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"{parts.hostname}: write the login beside the address, not into it")
        if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError(f"{url!r}: {_FORM}")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port == 0:
            raise ValueError(f"{url!r}: the port must be a number from 1 to 65535")
        tls = parts.scheme == "mqtts"
        usual = DEFAULT_TLS_PORT if tls else DEFAULT_PORT
        return cls(parts.hostname, usual if port is None else port, tls)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
