"""Session: asyncua's client, opened with clear errors and closed quickly.

Everything private of asyncua 2.1 that this driver touches is in this file:

* `Session.ensure_publish_loop` does nothing: asyncua keeps one Publish request outstanding, which
  loses values as soon as the round trip is longer than the publishing interval. The link sends
  its own.
* asyncua's `Subscription` class is not used at all. Its ``recreate()`` forgets its items when the
  connection drops in the middle of it, and from then on an empty subscription looks healthy. The
  link uses the session's services and keeps the items itself.
* What is used of its automatic reconnection is the reactivation of the same session (OPC 10000-4,
  6.7) on a new connection. `token` tells whether it still is the same one.

asyncua's loggers are set to ERROR: what it warns of ends in a `LinkError`, which says it better.
"""

import asyncio
import contextlib
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

from asyncua import Client, ua
from asyncua.client.ua_session import UaSession
from asyncua.common.shortcuts import Shortcuts

from drivers.driver import LinkError

DEFAULT_PORT = 4840
SESSION_TIMEOUT_MS = 60_000  # how long a server keeps what a killed gateway left behind
_CLOSE_WITHIN_S = 1.0
_LONGEST_FAULT = 200  # characters of a foreign error text

logging.getLogger("asyncua").setLevel(logging.ERROR)

_BAD_LOGIN = (
    ua.uaerrors.BadUserAccessDenied,
    ua.uaerrors.BadIdentityTokenRejected,
    ua.uaerrors.BadIdentityTokenInvalid,
    ua.uaerrors.BadUserSignatureInvalid,
)
_BAD_SECURITY = (
    ua.uaerrors.BadSecurityPolicyRejected,
    ua.uaerrors.BadSecurityModeRejected,
    ua.uaerrors.BadSecurityChecksFailed,
    ua.uaerrors.BadSecurityModeInsufficient,
)
_FULL = (
    ua.uaerrors.BadTooManySessions,
    ua.uaerrors.BadMaxConnectionsReached,
    ua.uaerrors.BadTcpNotEnoughResources,
)


class Session(UaSession):  # type: ignore[misc]  # asyncua's classes are Any here
    """A session that sends no Publish requests by itself."""

    def ensure_publish_loop(self) -> None:
        """The link publishes."""


def make_client(url: str, login: tuple[str, str] | None, timeout_ms: int) -> Any:
    """An asyncua client that is not connected yet.

    The server is asked for its state every ``timeout_ms``; one that does not answer within it is
    taken as lost, and for as long again the session may be reactivated (the link watches that).
    """
    parts = urlsplit(url)
    if parts.hostname and parts.port is None:
        url = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{DEFAULT_PORT}").geturl()
    timeout_s = timeout_ms / 1000
    client = Client(
        url,
        timeout=timeout_s,
        watchdog_intervall=timeout_s,
        auto_reconnect=True,
        reconnect_max_delay=1.0,
        reconnect_request_timeout=timeout_s,
    )
    client.name = client.description = "tagbridge"
    client.application_uri = "urn:tagbridge:gateway"
    client.product_uri = "urn:tagbridge"
    client.session_timeout = SESSION_TIMEOUT_MS
    client.uaclient.session = Session(client.uaclient)
    client.nodes = Shortcuts(client.uaclient.session)
    if login is not None:
        client.set_user(login[0])
        client.set_password(login[1])
    return client


async def connect(client: Any, url: str, login: tuple[str, str] | None, timeout_ms: int) -> None:
    """Open connection, channel and session; whatever goes wrong becomes a `LinkError`."""
    try:
        await client.connect()
    except (OSError, TimeoutError, ua.UaError) as error:
        await close(client)
        raise await _explained(error, url, login, timeout_ms) from error


def token(client: Any) -> str:
    """Names the session; another one after a reconnection means that the server forgot ours."""
    return str(client.uaclient.session.authentication_token)


async def close(client: Any) -> None:
    """End session, channel and connection within about a second, whatever the peer does."""
    protocol = client.uaclient.protocol
    # asyncua's tasks first, also those that its own close would not wait for any more
    tasks = [
        task
        for task in (
            client._stale_watchdog_task,  # noqa: SLF001  see the file's first paragraph
            client._supervisor_task,  # noqa: SLF001
            client._renew_channel_task,  # noqa: SLF001
        )
        if task is not None
    ]
    client.uaclient.request_disconnect()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await client.close_session()
    with contextlib.suppress(Exception):
        await client.close_secure_channel()  # sends without waiting
    transport = protocol.transport if protocol is not None else None
    with contextlib.suppress(Exception):
        client.disconnect_socket()
    if transport is not None:
        await asyncio.sleep(0)  # let what fits leave
        transport.abort()  # a dead peer would keep an unsent close for minutes


def fault_text(error: BaseException) -> str:
    """One line that names an error: the StatusCode's name where there is one."""
    if isinstance(error, ua.UaStatusCodeError):
        return str(ua.StatusCode(error.code).name)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split())[:_LONGEST_FAULT]
    return text or type(error).__name__


async def _explained(
    error: BaseException, url: str, login: tuple[str, str] | None, timeout_ms: int
) -> LinkError:
    who = f"user {login[0]!r}" if login else "an anonymous user"
    if isinstance(error, ConnectionRefusedError):
        return LinkError(
            f"{url}: connection refused",
            "the device answers, but no OPC UA server listens there: is it switched on in the "
            "PLC, and is the port right?",
        )
    if isinstance(error, TimeoutError):
        return LinkError(
            f"{url}: no answer within {timeout_ms} ms",
            "is the address right, the device on, the port open in the firewall?",
        )
    if isinstance(error, socket.gaierror):
        return LinkError(f"{url}: host name not known", "check the name, or write the IP address")
    if isinstance(error, _BAD_LOGIN):
        remedy = (
            "check user and password, and that this user may log in at the OPC UA server"
            if login
            else "the server may not allow anonymous users: write login: {user, password}"
        )
        return LinkError(f"{url}: the server refused {who} ({fault_text(error)})", remedy)
    if isinstance(error, _BAD_SECURITY) or "No matching endpoints" in str(error):
        offered = await _offered(url, timeout_ms)
        listed = f"; it offers {offered}" if offered else ""
        return LinkError(
            f"{url}: the server offers no endpoint without security{listed}",
            "protected sessions are not built in this version: allow security policy None at "
            "the server, on a network that may be trusted",
        )
    if isinstance(error, _FULL):
        return LinkError(
            f"{url}: the server accepts no further session ({fault_text(error)})",
            "close other clients; sessions of a client that was killed end by themselves, "
            f"ours after {SESSION_TIMEOUT_MS // 1000} s",
        )
    if isinstance(error, ConnectionError):
        return LinkError(
            f"{url}: the connection was closed while the session was opened ({fault_text(error)})",
            "is it an OPC UA server that listens there?",
        )
    if isinstance(error, ua.UaStatusCodeError):
        return LinkError(
            f"{url}: the server refused the session ({fault_text(error)})",
            "look into the server's log: it knows why",
        )
    return LinkError(f"{url}: {fault_text(error)}", "check the address and the network")


async def _offered(url: str, timeout_ms: int) -> str:
    """The security policies and modes that the server offers, or nothing if it will not say."""
    client = Client(url, timeout=timeout_ms / 1000)
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            endpoints = await client.connect_and_get_server_endpoints()
    except Exception:  # noqa: BLE001  only decorates a message
        return ""
    finally:
        client.disconnect_socket()
    kinds = sorted(
        {
            f"{(endpoint.SecurityPolicyUri or '').rpartition('#')[2]} "
            f"({endpoint.SecurityMode.name.rstrip('_')})"
            for endpoint in endpoints
        }
    )
    return ", ".join(kinds)
