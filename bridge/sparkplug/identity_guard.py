"""The identity guard: signs that somebody else publishes as this node; pure.

Two programs with one identity would answer each other's births with births for ever, and hosts
would see values jump. So who is sure that there is a twin leaves, says what it saw, and comes back
less and less often. Its values wait in the outbox.

A birth that is not ours may be our own of an earlier connection, which a slow broker delivers late;
so one is a sign, and a second one, or one that was written after we connected, is proof.
"""

from bridge.sparkplug.proof import UndeliverableError

_REMEDY = (
    "give each edge node a group and name of its own: edge_node in the plant; is an old gateway, a "
    "copy of this plant or a test still running? what is measured meanwhile is kept"
)
_WILLS = 2
_BIRTHS = 2
_SHORT_LIVES = 3  # connections in a row that the broker closed right away


class IdentityTakenError(UndeliverableError):
    """Somebody else publishes as this node."""

    def __init__(self, seen: str) -> None:
        super().__init__(f"somebody else publishes as this node: {seen}", _REMEDY)


class IdentityGuard:
    """The signs within one connection, which was accepted at ``connected_ms`` (UTC)."""

    def __init__(self, connected_ms: int) -> None:
        self._connected_ms = connected_ms
        self._births = 0
        self._wills = 0

    def foreign_birth(self, topic: str, written_ms: int | None) -> IdentityTakenError | None:
        """A birth that is not ours, written at ``written_ms``; why it is a twin's, if it is."""
        self._births += 1
        if self._births >= _BIRTHS or (written_ms or 0) > self._connected_ms:
            return IdentityTakenError(f"{topic} is not ours")
        return None

    def own_will(self) -> IdentityTakenError | None:
        """Our will was delivered, though we are here; why it is a twin's doing, if it is."""
        self._wills += 1
        if self._wills >= _WILLS:
            return IdentityTakenError("our death was published again while we are here")
        return None


class ShortLives:
    """Connections that were closed right after their births: by a bad line, or by a twin."""

    def __init__(self) -> None:
        self._count = 0

    def ended(self, *, healthy: bool, closed: bool) -> bool:
        """A connection has ended; whether there were several such in a row."""
        self._count = self._count + 1 if closed and not healthy else 0
        return self._count >= _SHORT_LIVES
