"""What comes from the broker: commands, and the echo of the node's own births and deaths.

Everything here happens inside the connection's callback: it notes and wakes, and leaves the doing
to the sender's next turn.
"""

import asyncio
from collections.abc import Callable

import structlog

from bridge.clock import SystemClock
from bridge.sparkplug.payload import PayloadError, decode_command, encode_node_death
from bridge.sparkplug.proof import Proof
from bridge.sparkplug.session import RebirthRequests, Session
from bridge.sparkplug.topics import NEXT_SERVER, REBIRTH, Verb, parse


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
    ) -> None:
        self._on_next_server = on_next_server
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
            # tck-id-payloads-ncmd-retain: a command is never retained; an old one is no command.
            if not retained:
                self._command(topic, payload)
        elif parsed.verb in {Verb.NBIRTH, Verb.DBIRTH}:
            self._own_birth(topic, payload, retained=retained)
        elif parsed.verb is Verb.NDEATH and not self.leaving:
            self._own_death(payload)

    def _command(self, topic: str, payload: bytes) -> None:
        try:
            metrics = decode_command(payload)
        except PayloadError as error:
            self._log.warning("command refused", topic=topic, reason=str(error))
            return
        for metric in metrics:
            if metric.name == REBIRTH and metric.value is True:
                self._ask_rebirth()
            elif metric.name == NEXT_SERVER and self._on_next_server is not None:
                if metric.value is True:
                    self._on_next_server()
            elif metric.name != REBIRTH:
                self._log.warning(
                    "command refused",
                    topic=topic,
                    metric=metric.name or metric.alias,
                    reason="this node takes no writes",
                )

    def _own_birth(self, topic: str, payload: bytes, *, retained: bool) -> None:
        if not self._proof.heard(topic, payload) and not retained:
            self._log.error(
                "somebody else publishes as this node",
                topic=topic,
                remedy="give each edge node a group and name of its own: edge_node in the plant",
            )

    def _own_death(self, payload: bytes) -> None:
        if self._session.node_born and payload == encode_node_death(self._session.bd_seq):
            # Our will, though we are here: the broker gave up a connection that it thought ours.
            self._log.warning("own death heard while online: births are sent again")
            self._ask_rebirth()

    def _ask_rebirth(self) -> None:
        self._rebirths.request(self._clock.monotonic_ms())
        self._wake.set()
