"""The edge node's shell: connect, let the sender speak, connect again; one for each destination.

This is the one place that reconnects to brokers. Each try is a new connection with a new will;
the will's bdSeq is on disk before the CONNECT that carries it leaves. Servers are walked in order,
one at a time. Whatever ends a connection, everything that the broker has not proven to have read
is owed again (`Outbox.rewind`).
"""

import asyncio
import contextlib
from collections.abc import Container

import structlog

from bridge.backoff import Backoff
from bridge.clock import SystemClock
from bridge.mqtt import TAKEN_OVER, Connection, ConnectionLost, Server, Will
from bridge.outbox.outbox import Outbox
from bridge.sparkplug.host_wait import HostAwayError, HostWait
from bridge.sparkplug.identity_guard import IdentityTakenError, ShortLives
from bridge.sparkplug.image import NodeImage
from bridge.sparkplug.inbound import CommandTaker
from bridge.sparkplug.payload import encode_node_death
from bridge.sparkplug.primary_host import PrimaryHost
from bridge.sparkplug.proof import UndeliverableError
from bridge.sparkplug.sender import Sender
from bridge.sparkplug.session import Event, Session, State
from bridge.sparkplug.topics import Verb
from bridge.state import StateFile
from drivers.tls import Tls
from mappings.plant.definitions import DestinationDefinition

_FIRST_DELAY_S = 0.25
_MOST_DELAY_S = 2.5
_REFUSED_DELAY_S = 10.0  # a broker that drops by rights is not mended within seconds
_TWIN_DELAY_S = 10.0
_MOST_TWIN_DELAY_S = 300.0
_TWINLESS_MS = 60_000  # of speaking, after which a twin is believed to be gone
_HEALTHY_MS = 5_000  # of speaking, after which a connection was a good one
_CONNECT_TIMEOUT_S = 5.0


class EdgeNode:
    """One Sparkplug edge node at one destination.

    `run` never ends by itself; `leave` ends it gracefully within a bounded time. ``commands`` takes
    what hosts want written; with ``takes_writes`` those to devices are subscribed at all.
    """

    def __init__(
        self,
        destination: DestinationDefinition,
        image: NodeImage,
        outbox: Outbox,
        state: StateFile,
        clock: SystemClock,
        login: tuple[str, str] | None,
        tls: Tls | None = None,
        *,
        commands: CommandTaker,
        takes_writes: bool = False,
    ) -> None:
        self._commands = commands
        self._takes_writes = takes_writes
        self._destination = destination
        self._image = image
        self._outbox = outbox
        self._state = state
        self._clock = clock
        self._login = login
        self._tls = tls
        self._servers = [Server.parse(url) for url in destination.servers]
        self._session = Session()
        self._host = _awaited(destination)
        self._walking = ""  # why it leaves this server for the next
        self._up: set[str] = set()
        self._sender: Sender | None = None
        self._leaving = asyncio.Event()
        self._farewell_s = 1.0
        self._unused_bd_seq: int | None = None
        self._backoff = Backoff(first_s=_FIRST_DELAY_S, most_s=_MOST_DELAY_S)
        self._twin_backoff = Backoff(first_s=_TWIN_DELAY_S, most_s=_MOST_TWIN_DELAY_S)
        self._short_lives = ShortLives()
        self._proven_ms: int | None = None
        self.server = ""
        """Where it is connected, or tried last."""
        self.trouble = ("", "")
        """Why it is not connected, and what to check; empty while births arrive."""
        self._told = ""
        self._told_unwritten = ""
        self._log = structlog.stdlib.get_logger("edge_node").bind(
            destination=destination.name, node=f"{image.group}/{image.node}"
        )

    @property
    def state(self) -> State:
        """Where the session is."""
        return self._session.state

    @property
    def name(self) -> str:
        """``GROUP/NODE``."""
        return f"{self._image.group}/{self._image.node}"

    @property
    def born(self) -> frozenset[str]:
        """The devices that hosts know as alive."""
        return frozenset(self._session.born)

    def device_up(self, device: str) -> None:
        """The device is to be born."""
        self._up.add(device)
        self._outbox.wake.set()

    def device_down(self, device: str) -> None:
        """The device is to be buried, after what it has said so far."""
        self._up.discard(device)
        self._outbox.wake.set()

    def renewed(self, devices: Container[str]) -> None:
        """The births of these devices tell something else from now on, or they are gone.

        Those that were born die at once; they are born again when they are said to be up.
        """
        self._up.difference_update([device for device in self._up if device in devices])
        if self._sender is not None:
            self._sender.renewed(devices)
        self._outbox.wake.set()

    async def run(self) -> None:
        """Connect and speak until `leave`. Only faults of the core raise."""
        turn = 0
        while not self._leaving.is_set():
            server = self._servers[turn % len(self._servers)]
            turn += 1
            self.server = str(server)
            try:
                await self._one_connection(server)
            except HostAwayError as error:
                self._say(server, error)  # it has waited long enough: the next server, at once
            except (ConnectionLost, UndeliverableError) as error:
                self._say(server, error)
                delay_s = self._delay_s(error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await self._leaving.wait()

    def _delay_s(self, error: ConnectionLost | UndeliverableError) -> float:
        """Seconds until the next try. A connection that spoke for a while makes its end news and
        the delay short; one that ended right after its births does not.
        """
        proven_ms, self._proven_ms = self._proven_ms, None
        lived_ms = self._clock.monotonic_ms() - proven_ms if proven_ms is not None else 0
        healthy = lived_ms >= _HEALTHY_MS
        if healthy:
            self._backoff.reset()
            self._told = ""
        if lived_ms >= _TWINLESS_MS:
            self._twin_backoff.reset()
        code = error.closed if isinstance(error, ConnectionLost) else None
        if isinstance(error, IdentityTakenError) or code == TAKEN_OVER:
            return self._twin_backoff.next_s()
        delay_s = self._backoff.next_s()
        closed = code is not None and proven_ms is not None
        if self._short_lives.ended(healthy=healthy, closed=closed):
            return max(delay_s, _REFUSED_DELAY_S)
        return max(delay_s, _REFUSED_DELAY_S) if isinstance(error, UndeliverableError) else delay_s

    def leave(self, timeout_s: float) -> None:
        """Ask `run` to end: DDEATHs, NDEATH, DISCONNECT within ``timeout_s``.

        A connection that is just being made may take longer; the caller cancels `run` then.
        """
        self._farewell_s = timeout_s
        self._leaving.set()
        if self._sender is not None:
            self._sender.leave()

    async def _one_connection(self, server: Server) -> None:
        bd_seq = self._unused_bd_seq
        if bd_seq is None:
            bd_seq = self._next_bd_seq()
        self._unused_bd_seq = None
        self._walking = ""
        if self._host is not None:
            self._host.host.connected()
        early: list[tuple[str, bytes, bool]] = []  # a retained message can come with the SUBACK
        try:
            self._session.connect(bd_seq)
            connection = await self._open(server, bd_seq, early)
        except ConnectionLost as error:
            self._session.on(Event.LOST)
            if not error.connect_sent:
                self._unused_bd_seq = bd_seq  # no broker saw a CONNECT with it
            raise
        async with connection:
            delivered = False
            try:
                delivered = await self._speak(connection, server, early)
            finally:
                self._sender = None
                if self._session.state is not State.OFFLINE:
                    self._session.on(Event.LOST)
                # What a host that has gone had read last, it may not have kept.
                if not delivered or (self._host is not None and self._host.host.is_offline):
                    self._outbox.rewind()

    def _next_bd_seq(self) -> int:
        bd_seq = self._state.next_bd_seq(f"{self._image.group}/{self._image.node}")
        unwritten = str(self._state.unwritten or "")
        if unwritten and unwritten != self._told_unwritten:
            self._log.error(
                "bdSeq not on disk",
                reason=unwritten,
                effect="a crash now may repeat a bdSeq; nothing else",
            )
        self._told_unwritten = unwritten
        return bd_seq

    async def _open(
        self, server: Server, bd_seq: int, early: list[tuple[str, bytes, bool]]
    ) -> Connection:
        def received(topic: str, payload: bytes, retained: bool) -> None:
            now_ms = self._clock.now_ms()
            if self._host is not None and self._host.take(server, topic, payload, now_ms):
                self._host_turned(self._host.host)
            if self._sender is not None:
                self._sender.inbound.received(topic, payload, retained)
            else:
                early.append((topic, payload, retained))

        return await Connection.open(
            server,
            client_id=self._destination.client_id or f"{self._image.group}/{self._image.node}",
            will=Will(self._image.topic(Verb.NDEATH), encode_node_death(bd_seq), qos=1),
            keep_alive_s=max(1, self._destination.keep_alive_ms // 1000),
            login=self._login,
            tls=self._tls,
            on_message=received,
            timeout_s=_CONNECT_TIMEOUT_S,
            version=self._destination.protocol,
        )

    async def _speak(
        self, connection: Connection, server: Server, early: list[tuple[str, bytes, bool]]
    ) -> bool:
        """Subscribe, and let a sender speak until it leaves: whether the broker read its last."""
        self._session.on(Event.ACCEPTED)
        await connection.subscribe(self._filters())
        self._session.on(Event.SUBSCRIBED)
        sender = Sender(
            session=self._session,
            connection=connection,
            image=self._image,
            outbox=self._outbox,
            up=self._up,
            clock=self._clock,
            keep_alive_ms=self._destination.keep_alive_ms,
            backlog_rate=self._destination.backlog_rate,
            delivery_check=self._destination.delivery_check,
            on_proven=self._proven,
            on_next_server=self._next_server if len(self._servers) > 1 else None,
            commands=self._commands,
            largest_packet=self._destination.largest_packet,
        )
        self._sender = sender
        for message in early:
            sender.inbound.received(*message)
        self._log.info("connected", server=str(server), bd_seq=self._session.bd_seq)
        ended = asyncio.create_task(connection.closed())
        try:
            if self._host is not None and not self._host.host.is_online:
                self._say(server, self._host.away(server))
                await self._host.online(server, self._leaving, ended)
            if not (self._leaving.is_set() or self._walking):
                self._session.on(Event.AWAITED)
                await self._until_left(sender, ended)
        except HostAwayError:
            await sender.farewell(self._farewell_s)
            raise
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
        delivered = await sender.farewell(self._farewell_s)
        self._log.info("left", delivered=delivered, why=self._walking or "told to")
        return delivered

    async def _until_left(self, sender: Sender, ended: asyncio.Task[ConnectionLost]) -> None:
        """Let the sender speak until it leaves; raises why the connection ended, if it did."""
        speaking = asyncio.create_task(sender.run())
        try:
            await asyncio.wait({speaking, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not speaking.done():
                raise ended.result()
            speaking.result()
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)

    def _host_turned(self, host: PrimaryHost) -> None:
        """The primary host came or went.

        tck-id-message-flow-edge-node-birth-publish-phid-offline.
        """
        if host.is_offline and self._session.state in {State.BIRTHING, State.ONLINE}:
            self._walk(f"primary host {host.host_id!r} is offline")

    def _next_server(self) -> None:
        """A host wants the node at the next server."""
        self._walk("a host sends it to the next server")

    def _walk(self, why: str) -> None:
        self._walking = why
        if self._sender is not None:
            self._sender.leave()

    def _proven(self) -> None:
        """Births arrived on this connection."""
        self.trouble = ("", "")
        if self._proven_ms is None:
            self._proven_ms = self._clock.monotonic_ms()

    def _filters(self) -> list[tuple[str, int]]:
        """Commands (tck-id-message-flow-edge-node-ncmd-subscribe; -dcmd-subscribe if devices take
        any), the primary host's STATE and, for the check of delivery, our own births and death.
        """
        topic = self._image.topic
        filters = [(topic(Verb.NCMD), 1), (topic(Verb.NDEATH), 1)]
        if self._takes_writes:
            filters.append((topic(Verb.DCMD, "+"), 1))
        if self._host is not None:
            filters += self._host.host.filters
        if self._destination.delivery_check:
            filters += [(topic(Verb.NBIRTH), 0), (topic(Verb.DBIRTH, "+"), 0)]
        return filters

    def _say(
        self, server: Server, error: ConnectionLost | UndeliverableError | HostAwayError
    ) -> None:
        """One line for each change: a failure that repeats is not news."""
        self.trouble = (error.seen, error.remedy)
        if error.seen != self._told:
            self._told = error.seen
            self._log.warning(
                "not connected",
                server=str(server),
                reason=error.seen,
                remedy=error.remedy,
                buffered=self._outbox.ledger.buffered,
            )


def _awaited(destination: DestinationDefinition) -> HostWait | None:
    """The host that a destination waits for, if there is one."""
    if not destination.primary_host:
        return None
    legacy = destination.host_state == "2.2-and-3.0"
    dwell_s = destination.server_dwell_ms / 1000 if len(destination.servers) > 1 else None
    return HostWait(PrimaryHost(destination.primary_host, legacy=legacy), dwell_s)
