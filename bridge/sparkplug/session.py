"""The edge node's session: who may say what, when, with which number; pure.

Two rules. Everything that decides whether a message may go out, and which sequence number it
gets, is in this file. This file knows no payload, no clock and no connection: its caller says what
happened and asks for numbers.

Theory of operation. A session lives from one CONNECT to the end of that connection. `Session.on`
moves it along `TRANSITIONS`; anything that the table does not name is a mistake of the caller.
Births are allowed when the SUBACK is there and the primary host, if the node has one, is online
(tck-id-message-flow-edge-node-birth-publish-phid-wait); data only when the broker has shown that it
read the births (`Event.VERIFIED`: fence answered, own births heard). A sequence number is given
when a message is handed over and never before; one counter serves the node and all devices
(tck-id-payloads-sequence-num-always-included), 0 with each NBIRTH.
"""

from enum import Enum

_SEQ_COUNT = 256


class State(Enum):
    """Where a session is."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    WAITING = "waiting for the host"
    BIRTHING = "birthing"
    ONLINE = "online"
    LEAVING = "leaving"


class Event(Enum):
    """What can happen to it."""

    CONNECT = "CONNECT sent"
    ACCEPTED = "CONNACK"
    SUBSCRIBED = "SUBACK"
    AWAITED = "host online, or none awaited"
    VERIFIED = "births read and heard"
    REBIRTH = "rebirth"
    LEAVE = "leave"
    LOST = "connection lost"
    GONE = "DISCONNECT sent"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.OFFLINE, Event.CONNECT): State.CONNECTING,
    (State.CONNECTING, Event.ACCEPTED): State.SUBSCRIBING,
    (State.SUBSCRIBING, Event.SUBSCRIBED): State.WAITING,
    (State.WAITING, Event.AWAITED): State.BIRTHING,
    (State.BIRTHING, Event.VERIFIED): State.ONLINE,
    (State.BIRTHING, Event.REBIRTH): State.BIRTHING,
    (State.ONLINE, Event.REBIRTH): State.BIRTHING,
    (State.CONNECTING, Event.LEAVE): State.LEAVING,
    (State.SUBSCRIBING, Event.LEAVE): State.LEAVING,
    (State.WAITING, Event.LEAVE): State.LEAVING,
    (State.BIRTHING, Event.LEAVE): State.LEAVING,
    (State.ONLINE, Event.LEAVE): State.LEAVING,
    (State.CONNECTING, Event.LOST): State.OFFLINE,
    (State.SUBSCRIBING, Event.LOST): State.OFFLINE,
    (State.WAITING, Event.LOST): State.OFFLINE,
    (State.BIRTHING, Event.LOST): State.OFFLINE,
    (State.ONLINE, Event.LOST): State.OFFLINE,
    (State.LEAVING, Event.LOST): State.OFFLINE,
    (State.LEAVING, Event.GONE): State.OFFLINE,
}


class SessionError(Exception):
    """The caller asked for what the session's state forbids: a bug, never a peer's fault."""


class Session:
    """One edge node's session, from connection to connection.

    ``bd_seq`` is the number of the current connection's will; ``born`` the devices whose DBIRTH
    was sent on it and whose DDEATH was not; ``node_born`` whether an NBIRTH was.
    """

    __slots__ = ("_next_seq", "bd_seq", "born", "node_born", "state")

    def __init__(self) -> None:
        self.state = State.OFFLINE
        self.bd_seq = 0
        self.born: set[str] = set()
        self.node_born = False
        self._next_seq = 0

    def on(self, event: Event) -> None:
        """Something happened."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            raise SessionError(f"{event.value!r} cannot happen while {self.state.value}")
        self.state = after
        if after is State.OFFLINE:
            self.born.clear()
            self.node_born = False

    def connect(self, bd_seq: int) -> None:
        """A CONNECT with a new will goes out; both carry this bdSeq."""
        self.on(Event.CONNECT)
        self.bd_seq = bd_seq

    def node_birth(self) -> int:
        """The number of an NBIRTH: 0 (tck-id-topics-nbirth-seq-num). All devices are unborn."""
        self._need(State.BIRTHING)
        self.node_born = True
        self.born.clear()
        self._next_seq = 1
        return 0

    def device_birth(self, device: str) -> int:
        """The number of a DBIRTH (tck-id-payloads-dbirth-order: after the NBIRTH)."""
        self._need(State.BIRTHING, State.ONLINE)
        if not self.node_born:
            raise SessionError("a DBIRTH needs an NBIRTH before it")
        if device in self.born:
            raise SessionError(f"{device!r} is born already: DDEATH first")
        self.born.add(device)
        return self._number()

    def device_death(self, device: str) -> int:
        """The number of a DDEATH."""
        self._need(State.BIRTHING, State.ONLINE, State.LEAVING)
        if device not in self.born:
            raise SessionError(f"{device!r} is not born")
        self.born.remove(device)
        return self._number()

    def data(self, device: str) -> int:
        """The number of a DDATA, or of an NDATA for device ``""``."""
        self._need(State.ONLINE)
        if device and device not in self.born:
            raise SessionError(f"{device!r} is not born: it may not send DDATA")
        return self._number()

    def _number(self) -> int:
        seq = self._next_seq
        self._next_seq = (seq + 1) % _SEQ_COUNT
        return seq

    def _need(self, *states: State) -> None:
        if self.state not in states:
            raise SessionError(f"not allowed while {self.state.value}")


class RebirthRequests:
    """When to answer requests for a rebirth: the first at once, a flood with one more.

    ``pause_ms`` is the least time between two rebirths; requests within it are answered together
    when it ends, because a host that subscribed in between needs that birth. The births of a new
    connection are none: who asks right after them has missed them.
    """

    __slots__ = ("_last_ms", "_pause_ms", "due_ms")

    def __init__(self, pause_ms: int = 2_000) -> None:
        self._pause_ms = pause_ms
        self._last_ms: int | None = None
        self.due_ms: int | None = None

    def request(self, now_ms: int) -> None:
        """A host asked."""
        if self.due_ms is None:
            last = self._last_ms
            self.due_ms = now_ms if last is None else max(now_ms, last + self._pause_ms)

    def answered(self, now_ms: int) -> None:
        """The births went out."""
        if self.due_ms is not None:
            self._last_ms = now_ms
        self.due_ms = None


def diagram() -> str:
    """The README's state diagram, drawn from `TRANSITIONS`."""
    lines = ["stateDiagram-v2", "    [*] --> offline"]
    lines += [
        f"    {before.value} --> {after.value}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
    ]
    return "\n".join(lines)
