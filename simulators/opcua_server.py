"""The front of the simulated OPC UA server: who may come in, over which protected endpoints."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from simulators.opcua_certificate import new_certificate

logging.getLogger("asyncua.server").setLevel(logging.CRITICAL)

OWN_URI = "urn:tagbridge:simulator"
"""The server's ApplicationUri, which its certificate must name."""

INSECURE = "insecure"
_POLICIES = {
    INSECURE: ua.SecurityPolicyType.NoSecurity,
    "Basic256Sha256": ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    "Basic256Sha256 sign": ua.SecurityPolicyType.Basic256Sha256_Sign,
    "Aes128_Sha256_RsaOaep": ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    "Aes256_Sha256_RsaPss": ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
}
ALL_POLICIES = tuple(policy for policy in _POLICIES if policy != INSECURE)
"""Every protected endpoint there is."""


class _Users:
    """Who may log in: users with their passwords or certificates, and anonymous if allowed."""

    def __init__(
        self, passwords: Mapping[str, str], certificates: Sequence[bytes], *, anonymous: bool
    ) -> None:
        self._passwords = passwords
        self._certificates = certificates
        self._anonymous = anonymous

    def get_user(
        self,
        _server: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> Any:
        """The user, or None to refuse (the interface of asyncua's user managers)."""
        if certificate is not None and bytes(certificate) in self._certificates:
            return User(role=UserRole.User)
        if username is None:
            return User(role=UserRole.User) if self._anonymous else None
        known = username in self._passwords and self._passwords[username] == password
        return User(role=UserRole.User, name=username) if known else None


class Front:
    """Users, policies and certificate of a server; see `simulators.opcua.OpcUaSimulator`."""

    def __init__(
        self,
        *,
        users: Mapping[str, str],
        user_certificates: Sequence[bytes],
        anonymous: bool | None,
        policies: Sequence[str],
        certificate: tuple[bytes, bytes] | None,
    ) -> None:
        self._users = dict(users)
        self._user_certificates = user_certificates
        self._anonymous = not (users or user_certificates) if anonymous is None else anonymous
        self._policies = policies
        protected = any(policy != INSECURE for policy in policies)
        self.certificate = certificate or (new_certificate(OWN_URI) if protected else None)

    async def server(self, endpoint: str) -> Any:
        """A server that is not started yet."""
        users = _Users(self._users, self._user_certificates, anonymous=self._anonymous)
        server = Server(user_manager=users)
        server._application_uri = OWN_URI  # noqa: SLF001  set_application_uri needs init
        await server.init()
        server.set_endpoint(endpoint)
        server.set_server_name("tagbridge simulator")
        if self.certificate is not None:
            await server.load_certificate(self.certificate[0], "der")
            await server.load_private_key(self.certificate[1], format="pem")
        server.set_security_policy([_POLICIES[policy] for policy in self._policies])
        tokens = [ua.AnonymousIdentityToken] if self._anonymous else []
        tokens += [ua.UserNameIdentityToken] * bool(self._users)
        server.set_identity_tokens(tokens + [ua.X509IdentityToken] * bool(self._user_certificates))
        return server
