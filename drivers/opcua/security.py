"""Security: which protected endpoint of a server is used, and whether its certificate is believed.

asyncua takes any certificate of any server. So the server is asked for its endpoints first, on a
channel that carries nothing else; the best one that the plant file allows is chosen, and its
certificate must be valid, belong to the application that the server says it is, and be trusted
(`pki`). Only then a channel is opened, which nobody can answer without that certificate's private
key: no password is sent and no value is read before. Inside of it the server must show the same
certificate again, and it may not offer anything better than what the first, unprotected answer
offered: otherwise somebody has shortened that.
"""

import asyncio
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.crypto import security_policies, uacrypto

from drivers.driver import Endpoint, LinkError
from drivers.opcua.config import LinkOptions
from drivers.opcua.pki import Pki, PkiError, Shown, shown

POLICIES: dict[str, Any] = {
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
}
"""Policies by the names of the plant file, the best first."""

_MODES = {
    "sign_and_encrypt": ua.MessageSecurityMode.SignAndEncrypt,
    "sign": ua.MessageSecurityMode.Sign,
}


async def protect(client: Any, endpoint: Endpoint) -> None:
    """Let a client that is not connected yet use the best endpoint that it may.

    Raises `LinkError`, and whatever asking the server for its endpoints raises.
    """
    options = endpoint.options
    assert isinstance(options, LinkOptions)
    if options.security == "insecure":
        return
    if endpoint.pki_folder is None:
        raise LinkError(f"{endpoint.url}: no folder for certificates", "name one: pki: {folder: …}")
    pki = Pki(endpoint.pki_folder)
    offered = await client.connect_and_get_server_endpoints()
    name, chosen = _choose(offered, options, endpoint.url)
    der = _first(chosen.ServerCertificate or b"")
    try:
        own = await asyncio.to_thread(pki.own)
        _believe(der, chosen.Server.ApplicationUri, pki, endpoint)
    except PkiError as error:
        raise LinkError(f"{endpoint.url}: {error}", error.remedy) from error
    client.application_uri = own.uri
    await client.set_security(
        POLICIES[name],
        uacrypto.CertProperties(own.certificate, "der"),
        uacrypto.CertProperties(own.key, "pem"),
        server_certificate=uacrypto.CertProperties(der, "der"),
        mode=_MODES[options.mode],
    )
    client.server_expected = (der, name if options.security == "best" else None, options)


def check_session(expected: Any, result: Any, url: str) -> None:
    """Hold the answer to CreateSession, which is signed, against what was said unprotected."""
    der, best, options = expected
    if _first(result.ServerCertificate or b"") != der:
        raise LinkError(
            f"{url}: the session's certificate is not the endpoint's",
            "somebody may stand between the gateway and the server: look at the network",
        )
    if best is not None and _choose(result.ServerEndpoints or (), options, url)[0] != best:
        raise LinkError(
            f"{url}: the server offers better security than its unprotected answer said",
            "somebody may stand between the gateway and the server: look at the network, and "
            "write the policy: security: …",
        )


def kinds_of(endpoints: Iterable[Any]) -> str:
    """Policies and modes of some endpoints, for people."""
    kinds = {
        f"{_policy(endpoint)} ({endpoint.SecurityMode.name.rstrip('_')})" for endpoint in endpoints
    }
    return ", ".join(sorted(kinds)) or "nothing"


def _choose(offered: Sequence[Any], options: LinkOptions, url: str) -> tuple[str, Any]:
    """The name of the best policy that is offered and allowed, and its endpoint."""
    allowed = list(POLICIES) if options.security == "best" else [options.security]
    mode = _MODES[options.mode]
    for name in allowed:
        for endpoint in offered:
            over_tcp = str(endpoint.EndpointUrl or "").startswith("opc.tcp:")
            if endpoint.SecurityMode == mode and _policy(endpoint) == name and over_tcp:
                return name, endpoint
    wanted = "protected" if options.security == "best" else options.security
    words = options.mode.replace("_", " ")
    if all(endpoint.SecurityMode == ua.MessageSecurityMode.None_ for endpoint in offered):
        raise LinkError(
            f"{url}: the server offers no protected endpoint, only {kinds_of(offered)}",
            "switch on a security policy at the server; or write security: insecure, if this "
            "network may be trusted with readable values and passwords",
        )
    raise LinkError(
        f"{url}: the server offers no {wanted} endpoint with mode {words}; "
        f"it offers {kinds_of(offered)}",
        "write security: and mode: as one of these, or switch the wanted one on at the server",
    )


def _believe(der: bytes, uri: str | None, pki: Pki, endpoint: Endpoint) -> None:
    """Raise `LinkError` unless the certificate is right and trusted; keep one that is not."""
    try:
        certificate = shown(der)
    except ValueError as error:
        raise LinkError(
            f"{endpoint.url}: the server shows no certificate that can be read",
            "make a new certificate at the server",
        ) from error
    if not pki.is_trusted(der):
        pki.reject(der)
        fault = _fault(certificate, uri)
        remedy = (
            f"it would not be used as it is: {fault}; make a new one at the server"
            if fault
            else "compare the thumbprint with the server's own, then: "
            f"tagbridge trust accept {shlex.quote(endpoint.plant)} {certificate.thumbprint}"
        )
        raise LinkError(
            f"{endpoint.url}: the server's certificate is not trusted: {certificate.subject}, "
            f"thumbprint {certificate.thumbprint}",
            remedy,
        )
    fault = _fault(certificate, uri)
    if fault:
        raise LinkError(
            f"{endpoint.url}: the server's certificate is refused: {fault}",
            "make a new certificate at the server; if dates are wrong, look at both clocks",
        )


def _fault(certificate: Shown, uri: str | None) -> str:
    """What is wrong with a certificate, trusted or not."""
    now = datetime.now(UTC)
    if not certificate.not_before <= now <= certificate.not_after:
        return (
            f"it is valid from {certificate.not_before:%Y-%m-%d} to "
            f"{certificate.not_after:%Y-%m-%d}, and today is {now:%Y-%m-%d}"
        )
    if uri not in certificate.uris:
        named = ", ".join(certificate.uris) or "no application"
        return f"it was made for {named}, and the server says it is {uri}"
    return ""


def _policy(endpoint: Any) -> str:
    return str(endpoint.SecurityPolicyUri or "").rpartition("#")[2]


def _first(chain: bytes) -> bytes:
    """The server's own certificate, of a chain."""
    if len(chain) < 4:
        return chain
    return chain[: 4 + int.from_bytes(chain[2:4], "big")]
