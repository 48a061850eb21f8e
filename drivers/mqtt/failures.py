"""Failures: why a connection to a broker was not made, in words for who has to mend it.

paho keeps to itself what TLS says after the handshake, where TLS 1.3 brokers refuse a client's
certificate; only its log has it. `TlsComplaint` listens there while a connection is made.
"""

import ssl
from typing import Any

from paho.mqtt.client import Client

from drivers.mqtt.server import Server
from drivers.tls import TlsError, words_of

# MQTT 3.1.1 table 3.1, by the MQTT 5 reason code to which paho translates the return code.
_REFUSALS: dict[int, tuple[str, str]] = {
    132: ("the broker does not speak MQTT 3.1.1", "use a broker that accepts MQTT 3.1.1 clients"),
    133: ("the broker refuses the client id {client_id!r}", "choose another client id"),
    134: ("the broker refuses user name or password", "check both against the broker's users"),
    135: (
        "the broker says: not authorised",
        "check user name and password, and whether the broker allows this client at all",
    ),
    136: ("the broker says: server unavailable", "wait, or look into the broker's log"),
}


def refusal_words(code: int, text: str, client_id: str) -> tuple[str, str]:
    """Of a refusing CONNACK: what was seen, what to check."""
    seen, remedy = _REFUSALS.get(
        code, (f"the broker refuses the connection: {text}", "look into the broker's log")
    )
    return seen.format(client_id=client_id), remedy


def connect_words(error: Exception | None, server: Server) -> tuple[str, str]:
    """Of what connecting raised: what was seen, what to check."""
    if isinstance(error, TlsError):
        return error.seen, error.remedy
    if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
        seen, remedy = words_of(error, server.host)
        return f"{server}: {seen}", remedy
    remedy = "is the broker running, and host and port right?"
    if isinstance(error, ConnectionRefusedError):
        return f"{server}: nothing listens there", remedy
    if isinstance(error, TimeoutError):
        return f"{server}: no answer", remedy
    if isinstance(error, ConnectionResetError) and server.tls:
        return f"{server}: {words_of('EOF', server.host)[0]}", words_of("EOF", server.host)[1]
    if isinstance(error, OSError):
        return f"{server}: {error.strerror or error}", remedy
    return f"{server}: {error}", remedy


class TlsComplaint:
    """What TLS says of one client's connection until `stop`; ``words`` once it has said it."""

    def __init__(self, client: Client, server: Server) -> None:
        self.words: tuple[str, str] | None = None
        self._client = client
        self._server = server
        if server.tls:
            client.on_log = self._listen

    def stop(self) -> None:
        """Listen no more: each message that paho sends or gets would be written out for it."""
        self._client.on_log = None

    def _listen(self, _client: Any, _userdata: Any, _level: int, line: str) -> None:
        if "[SSL: " in line:
            seen, remedy = words_of(line, self._server.host)
            self.words = f"{self._server}: {seen}", remedy
