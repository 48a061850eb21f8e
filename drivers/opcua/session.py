"""Session: asyncua's client, opened with clear errors and closed quickly.

Everything private of asyncua 2.1 that this driver touches is in this file:

* `Session.ensure_publish_loop` does nothing: asyncua keeps one Publish request outstanding, which
  loses values as soon as the round trip is longer than the publishing interval. The link sends
  its own.
* asyncua's `Subscription` class is not used at all. Its ``recreate()`` forgets its items when the
  connection drops in the middle of it, and from then on an empty subscription looks healthy. The
  link uses the session's services and keeps the items itself.
* `GuardedClient` holds each new session against what was said before the channel was protected, and
  lets no password leave readably from a channel that is only signed.
* What is used of its automatic reconnection is the reactivation of the same session (OPC 10000-4,
  6.7) on a new connection. `token` tells whether it still is the same one.

asyncua's loggers are set to ERROR: what it warns of ends in a `LinkError`, which says it better.
"""

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import urlsplit

from asyncua import Client, ua
from asyncua.client.ua_session import UaSession
from asyncua.common.shortcuts import Shortcuts
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from drivers.driver import Endpoint, LinkError
from drivers.opcua.config import LinkOptions
from drivers.opcua.failures import explained
from drivers.opcua.security import check_session, protect

DEFAULT_PORT = 4840
SESSION_TIMEOUT_MS = 60_000  # how long a server keeps what a killed gateway left behind
_CLOSE_WITHIN_S = 1.0

logging.getLogger("asyncua").setLevel(logging.ERROR)


class Session(UaSession):  # type: ignore[misc]  # asyncua's classes are Any here
    """A session that sends no Publish requests by itself."""

    def ensure_publish_loop(self) -> None:
        """The link publishes."""


class GuardedClient(Client):  # type: ignore[misc]  # asyncua's classes are Any here
    """A client whose sessions are held against what was said unprotected (`security`).

    ``server_expected`` is set by `security.protect`, None without security.
    """

    server_expected: Any = None

    async def create_session(self) -> Any:
        """See asyncua; also after a reconnection, where no session could be reactivated."""
        result = await super().create_session()
        if self.server_expected is not None:
            check_session(self.server_expected, result, self.server_url.geturl())
        return result

    def _add_user_auth(self, params: Any, username: Any, password: Any) -> None:
        super()._add_user_auth(params, username, password)
        readable = params.UserIdentityToken.EncryptionAlgorithm is None
        if readable and self.security_policy.Mode == ua.MessageSecurityMode.Sign:
            raise LinkError(
                f"{self.server_url.geturl()}: with mode: sign this server would have the password "
                "sent readably",
                "take mode: sign away, or let the server encrypt passwords",
            )


def make_client(endpoint: Endpoint) -> Any:
    """An asyncua client that is not connected yet.

    The server is asked for its state every ``timeout``; one that does not answer within it is
    taken as lost, and for as long again the session may be reactivated (the link watches that).
    """
    options = endpoint.options
    assert isinstance(options, LinkOptions)
    url = endpoint.url
    parts = urlsplit(url)
    if parts.hostname and parts.port is None:
        url = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{DEFAULT_PORT}").geturl()
    timeout_s = options.timeout / 1000
    client = GuardedClient(
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
    if endpoint.identity is not None:
        client.user_certificate, client.user_private_key = _identity(endpoint)
    elif endpoint.login is not None:
        client.set_user(endpoint.login[0])
        client.set_password(endpoint.login[1])
    return client


def _identity(endpoint: Endpoint) -> tuple[Any, Any]:
    identity = endpoint.identity
    assert identity is not None
    try:
        if identity.certificate.lstrip().startswith(b"-----BEGIN"):
            certificate = x509.load_pem_x509_certificate(identity.certificate)
        else:
            certificate = x509.load_der_x509_certificate(identity.certificate)
        if identity.key.lstrip().startswith(b"-----BEGIN"):
            return certificate, serialization.load_pem_private_key(identity.key, None)
        return certificate, serialization.load_der_private_key(identity.key, None)
    except (ValueError, TypeError) as error:
        raise LinkError(
            f"{endpoint.url}: certificate and key of the login cannot be read",
            "both are PEM files, the key without a password",
        ) from error


async def connect(client: Any, endpoint: Endpoint) -> None:
    """Open connection, channel and session; whatever goes wrong becomes a `LinkError`."""
    try:
        await protect(client, endpoint)
        await client.connect()
    except (OSError, TimeoutError, ua.UaError) as error:
        await close(client)
        raise await explained(error, endpoint, SESSION_TIMEOUT_MS) from error
    except LinkError:
        await close(client)
        raise


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
