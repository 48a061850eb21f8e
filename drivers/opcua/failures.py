"""Failures: what went wrong while a session was opened, as one line and a remedy."""

import socket
from typing import Any

from asyncua import Client, ua

from drivers.driver import Endpoint, LinkError
from drivers.opcua.config import LinkOptions
from drivers.opcua.security import kinds_of

_LONGEST_FAULT = 200  # characters of a foreign error text

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
_BAD_CERTIFICATE = (
    ua.uaerrors.BadCertificateUntrusted,
    ua.uaerrors.BadCertificateInvalid,
    ua.uaerrors.BadCertificateUriInvalid,
    ua.uaerrors.BadCertificateUseNotAllowed,
    ua.uaerrors.BadCertificateChainIncomplete,
    ua.uaerrors.BadCertificateTimeInvalid,
)
_FULL = (
    ua.uaerrors.BadTooManySessions,
    ua.uaerrors.BadMaxConnectionsReached,
    ua.uaerrors.BadTcpNotEnoughResources,
)


def fault_text(error: BaseException) -> str:
    """One line that names an error: the StatusCode's name where there is one."""
    if isinstance(error, ua.UaStatusCodeError):
        return str(ua.StatusCode(error.code).name)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split())[:_LONGEST_FAULT]
    return text or type(error).__name__


async def explained(error: BaseException, endpoint: Endpoint, session_timeout_ms: int) -> LinkError:
    """The `LinkError` for a session that could not be opened."""
    options = endpoint.options
    assert isinstance(options, LinkOptions)
    url, login = endpoint.url, endpoint.login
    insecure = options.security == "insecure"
    if isinstance(error, ConnectionRefusedError):
        return LinkError(
            f"{url}: connection refused",
            "the device answers, but no OPC UA server listens there: is it switched on in the "
            "PLC, and is the port right?",
        )
    if isinstance(error, TimeoutError):
        return LinkError(
            f"{url}: no answer within {options.timeout} ms",
            "is the address right, the device on, the port open in the firewall?",
        )
    if isinstance(error, socket.gaierror):
        return LinkError(f"{url}: host name not known", "check the name, or write the IP address")
    if isinstance(error, _BAD_LOGIN):
        who = f"user {login[0]!r}" if login else "an anonymous user"
        remedy = "check user and password, and that this user may log in at the OPC UA server"
        if endpoint.identity is not None:
            who, remedy = "the certificate that logs in", "let the server trust it for a user"
        elif not login:
            remedy = "the server may not allow anonymous users: write login: {user, password}"
        return LinkError(f"{url}: the server refused {who} ({fault_text(error)})", remedy)
    if insecure and (isinstance(error, _BAD_SECURITY) or "No matching endpoints" in str(error)):
        offered = await _offered(url, options.timeout)
        listed = f"; it offers {offered}" if offered else ""
        return LinkError(
            f"{url}: the server offers no endpoint without security{listed}",
            "take security: insecure away: the best that is offered will be used",
        )
    if isinstance(error, (*_BAD_SECURITY, *_BAD_CERTIFICATE)):
        return LinkError(
            f"{url}: the server refused the gateway's certificate ({fault_text(error)})",
            f"let the server trust {endpoint.pki_folder}/own/certificate.der; most servers have "
            "kept it in their list of rejected certificates",
        )
    if isinstance(error, _FULL):
        return LinkError(
            f"{url}: the server accepts no further session ({fault_text(error)})",
            "close other clients; sessions of a client that was killed end by themselves, "
            f"ours after {session_timeout_ms // 1000} s",
        )
    if isinstance(error, ConnectionError):
        hint = "" if insecure else f", and does it trust {endpoint.pki_folder}/own/certificate.der?"
        return LinkError(
            f"{url}: the connection was closed while the session was opened ({fault_text(error)})",
            f"is it an OPC UA server that listens there{hint or '?'}",
        )
    if isinstance(error, ua.UaStatusCodeError):
        return LinkError(
            f"{url}: the server refused the session ({fault_text(error)})",
            "look into the server's log: it knows why",
        )
    return LinkError(f"{url}: {fault_text(error)}", "check the address and the network")


async def _offered(url: str, timeout_ms: int) -> str:
    """The security policies and modes that the server offers, or nothing if it will not say."""
    client: Any = Client(url, timeout=timeout_ms / 1000)
    try:
        return kinds_of(await client.connect_and_get_server_endpoints())
    except Exception:  # noqa: BLE001  only decorates a message
        return ""
    finally:
        client.disconnect_socket()
