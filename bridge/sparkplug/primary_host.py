"""The primary host's STATE: is the host that this node is there for connected to a server? Pure.

A host says it with a retained message on each server: JSON with ``online`` and ``timestamp``. The
will of an old connection may come after the birth of a new one, so what is older than what was
said last does not count (tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp,
tck-id-operational-behavior-edge-node-termination-host-offline-timestamp). A host has one time for
each server, so times of two servers are never compared. They are kept over connections: a broker
may still have an old "online". They are not kept over a restart, and a time far in the future is
remembered as the present, or a host with a wrong clock would be deaf for ever once it is mended.
"""

import json
from typing import Any

from bridge.sparkplug.topics import LEGACY_STATE, STATE

_AHEAD_MS = 60_000  # how far a host's clock may be ahead of ours and its times still count
_MOST_BYTES = 4096

_LEGACY = {b"ONLINE": True, b"OFFLINE": False}


class PrimaryHost:
    """What is known of one host at all servers.

    ``legacy`` takes the STATE of Sparkplug 2.2 hosts as well: ``STATE/ID``, with the words ONLINE
    and OFFLINE and no time.
    """

    def __init__(self, host_id: str, *, legacy: bool = False) -> None:
        self.host_id = host_id
        self._topic = f"{STATE}/{host_id}"
        self._legacy_topic = f"{LEGACY_STATE}/{host_id}" if legacy else None
        self._last_ms: dict[str, int] = {}
        self._online: bool | None = None

    @property
    def filters(self) -> list[tuple[str, int]]:
        """What to subscribe to, with QoS 1 (tck-id-...-multiple-servers-state-subs)."""
        topics = filter(None, (self._topic, self._legacy_topic))
        return [(topic, 1) for topic in topics]

    @property
    def is_online(self) -> bool:
        """Whether it said so on this connection, and nothing else since."""
        return self._online is True

    @property
    def is_offline(self) -> bool:
        """Whether it said on this connection that it is not there."""
        return self._online is False

    def connected(self) -> None:
        """A connection begins: nothing was said on it yet."""
        self._online = None

    def take(self, server: str, topic: str, payload: bytes, now_ms: int) -> bool:
        """Take in a message; whether something has changed by it.

        What is no STATE of this host, or too old, changes nothing.
        """
        if topic == self._topic:
            said = _state(payload)
            if said is None:
                return False
            online, time_ms = said
            last_ms = self._last_ms.get(server)
            if last_ms is not None and time_ms < last_ms:
                return False
            self._last_ms[server] = min(time_ms, now_ms + _AHEAD_MS)
        elif topic == self._legacy_topic and payload in _LEGACY:
            online = _LEGACY[payload]
        else:
            return False
        before, self._online = self._online, online
        return before is not online


def _state(payload: bytes) -> tuple[bool, int] | None:
    """Online and time of a STATE; None if it is none, as an empty one that takes it back."""
    if len(payload) > _MOST_BYTES:
        return None
    try:
        said: Any = json.loads(payload)
        online, time_ms = said["online"], said["timestamp"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(online) is not bool or type(time_ms) is not int or time_ms < 0:
        return None
    return online, time_ms
