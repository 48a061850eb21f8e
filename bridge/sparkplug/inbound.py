"""What comes from the broker: commands, and the echo of the node's own births and deaths.

Everything here happens inside the connection's callback: it notes and wakes, and leaves the doing
to the sender's next turn.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import structlog

from bridge.clock import SystemClock
from bridge.sparkplug.identity_guard import IdentityGuard, IdentityTakenError
from bridge.sparkplug.messages import read_payload
from bridge.sparkplug.payload import (
    CommandRequest,
    PayloadError,
    decode_command,
    encode_node_death,
)
from bridge.sparkplug.proof import Proof
from bridge.sparkplug.session import RebirthRequests, Session
from bridge.sparkplug.topics import DEVICE_REBIRTH, NEXT_SERVER, REBIRTH, Verb, parse

_MOST_BYTES = 64 << 10  # of a command


class CommandTaker(Protocol):
    """Who takes what is to be written; it may refuse, and never raises."""

    def take(self, device: str, request: CommandRequest, *, retained: bool) -> None:
        """Take a command for a device, ``""`` for the node."""
        ...

    def unreadable(self, device: str, why: str) -> None:
        """What came was no command."""
        ...


class Inbound:
    """The messages of one connection's subscriptions. ``leaving`` ends the care for own deaths.

    ``on_next_server`` is called when a host sends the node to another server; None if it has one.
    """

    def __init__(
        self,
        session: Session,
        proof: Proof,
        rebirths: RebirthRequests,
        clock: SystemClock,
        wake: asyncio.Event,
        log: structlog.stdlib.BoundLogger,
        on_next_server: Callable[[], None] | None,
        commands: CommandTaker,
    ) -> None:
        self._guard = IdentityGuard(clock.now_ms())
        self.twin: IdentityTakenError | None = None
        """Why this connection is to be given up: somebody else is this node."""
        self._on_next_server = on_next_server
        self._commands = commands
        self._session = session
        self._proof = proof
        self._rebirths = rebirths
        self._clock = clock
        self._wake = wake
        self._log = log
        self.leaving = False

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take in one message."""
        parsed = parse(topic)
        if parsed is None:
            return
        if parsed.verb in {Verb.NCMD, Verb.DCMD}:
            self._command(parsed.device or "", payload, retained=retained)
        elif parsed.verb in {Verb.NBIRTH, Verb.DBIRTH}:
            self._own_birth(topic, payload, retained=retained)
        elif parsed.verb is Verb.NDEATH and not self.leaving:
            self._own_death(payload)

    def _command(self, device: str, payload: bytes, *, retained: bool) -> None:
        """What concerns the session is done here, what is to be written goes to the gate.

        tck-id-payloads-ncmd-retain: a command is never retained; one that is may be years old.
        """
        if len(payload) > _MOST_BYTES:
            self._commands.unreadable(device, f"{len(payload)} bytes are no command")
            return
        try:
            request = decode_command(payload)
        except PayloadError as error:
            self._commands.unreadable(device, str(error))
            return
        rebirth = DEVICE_REBIRTH if device else REBIRTH
        rest = []
        for metric in request.metrics:
            if metric.name == rebirth and not retained:
                if metric.value is True:
                    self._ask_rebirth()
            elif metric.name == NEXT_SERVER and not (device or retained) and self._on_next_server:
                if metric.value is True:
                    self._on_next_server()
            else:
                rest.append(metric)
        if rest:
            self._commands.take(device, replace(request, metrics=tuple(rest)), retained=retained)

    def _own_birth(self, topic: str, payload: bytes, *, retained: bool) -> None:
        if self._proof.heard(topic, payload) or retained:
            return
        self._log.warning("a birth that is not ours", topic=topic)
        message = read_payload(payload)
        self._give_up(self._guard.foreign_birth(topic, message.timestamp if message else None))

    def _own_death(self, payload: bytes) -> None:
        if self._session.node_born and payload == encode_node_death(self._session.bd_seq):
            # Our will, though we are here: the broker gave up a connection that it thought ours.
            self._log.warning("own death heard while online: births are sent again")
            self._ask_rebirth()
            self._give_up(self._guard.own_will())

    def _give_up(self, twin: IdentityTakenError | None) -> None:
        if twin is not None:
            self.twin = twin
            self._wake.set()

    def _ask_rebirth(self) -> None:
        self._rebirths.request(self._clock.monotonic_ms())
        self._wake.set()
