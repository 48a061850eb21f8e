"""One connection's life on the air: births, the live lane, the backlog behind it, deaths.

There is one sender for each connection and one coroutine in it that publishes, so the order of
what a host sees is the order of the lines in `Sender.run`: births, births of devices that came,
live values, deaths of devices that went, and then, as far as the window allows, backlog. Between
an `await` and the next, nothing else publishes; sequence numbers cannot overtake each other.

Nothing is confirmed on hope: `bridge.sparkplug.proof` says when the broker has read what went out.
"""

import asyncio
import contextlib
from collections.abc import Callable, Container, Sequence

import structlog

from bridge.clock import SystemClock
from bridge.mqtt import Connection, ConnectionLost
from bridge.outbox.outbox import Entry, Outbox
from bridge.sparkplug.division import Piece, divide
from bridge.sparkplug.image import NODE, NodeImage
from bridge.sparkplug.inbound import CommandTaker, Inbound
from bridge.sparkplug.pacing import Allowance, Window
from bridge.sparkplug.payload import (
    encode_device_death,
    encode_node_death,
)
from bridge.sparkplug.proof import BirthTooLargeError, Proof
from bridge.sparkplug.session import Event, RebirthRequests, Session, State
from bridge.sparkplug.topics import Verb

_MOST_SAMPLES = 5_000  # taken from a lane at once
_MOST_AWAITED = 100  # births that have not come back
_AROUND = 16  # bytes that MQTT puts around topic and payload
_LEAST_BYTES = 1 << 10
_MOST_BYTES = 96 << 10  # of a message; brokers in the field take 128 KiB and more


class Sender:
    """Publishes for one edge node on one open, subscribed connection.

    ``up`` is the set of devices that are up, owned and changed by the edge node, which sets the
    outbox's ``wake`` with every change. ``on_proven`` is called whenever births have arrived,
    ``on_next_server`` when a host sends the node to another server (None if there is none);
    ``commands`` takes what hosts want written. ``largest_packet`` is what the brokers are said to
    take, beside what this one says itself.
    """

    def __init__(
        self,
        *,
        session: Session,
        connection: Connection,
        image: NodeImage,
        outbox: Outbox,
        up: set[str],
        clock: SystemClock,
        keep_alive_ms: int,
        backlog_rate: float | None,
        delivery_check: bool,
        on_proven: Callable[[], None],
        on_next_server: Callable[[], None] | None = None,
        commands: CommandTaker,
        largest_packet: int | None = None,
    ) -> None:
        limits = [most for most in (largest_packet, connection.largest_packet) if most]
        self._largest = min(limits) if limits else None
        self._on_proven = on_proven
        self._session = session
        self._connection = connection
        self._image = image
        self._outbox = outbox
        self._up = up
        self._clock = clock
        self._delivery_check = delivery_check
        self._window = Window(keep_alive_ms)
        self._allowance = Allowance(backlog_rate, clock.monotonic_ms())
        self._rebirths = RebirthRequests()
        self._leaving = False
        self._proof = Proof(connection, outbox, self._window, clock)
        self._overdue: dict[str, set[int]] = {}
        self._born_bad: set[str] = set()  # born at BAD only so that their backlog can be sent
        self._born_from: dict[str, int] = {}  # device -> first record that its birth did not show
        self._log = structlog.stdlib.get_logger("edge_node").bind(
            node=f"{image.group}/{image.node}"
        )
        self.inbound = Inbound(
            session, self._proof, self._rebirths, clock, outbox.wake, self._log, on_next_server,
            commands,
        )  # fmt: skip
        """Takes what the connection receives."""

    # --- the one coroutine that publishes --------------------------------------------------------

    async def run(self) -> None:
        """Births, then data, until `leave` was asked for; raises when the connection ends.

        `bridge.mqtt.ConnectionLost` and `UndeliverableError` are the two ways to end early.
        """
        try:
            await self._birth()
            while not self._leaving:
                await self._turn()
        finally:
            self._proof.cancel()

    def leave(self) -> None:
        """End `run` at the next turn."""
        self._leaving = self.inbound.leaving = True
        self._outbox.wake.set()

    def renewed(self, devices: Container[str]) -> None:
        """These devices have other metrics now, or are gone: what hosts know of them ends here.

        At once, for whatever is sent next has the new metrics. Besides `run` this alone publishes;
        it does not wait, so that no message comes between a number and its use.
        """
        for known in (self._born_from, self._overdue, self._born_bad):
            for device in [device for device in known if device in devices]:
                known.pop(device) if isinstance(known, dict) else known.discard(device)
        with contextlib.suppress(ConnectionLost):  # said to `run`, too
            for device in sorted(self._session.born):
                if device in devices:
                    self._device_death(device)
                    self._log.info("device dead", device=device, reason="its metrics changed")

    async def _turn(self) -> None:
        wake = self._outbox.wake
        wake.clear()
        self._proof.raise_failed()
        if self.inbound.twin is not None:
            raise self.inbound.twin
        now_ms = self._clock.monotonic_ms()
        due_ms = self._rebirths.due_ms
        if due_ms is not None and due_ms <= now_ms:
            self._session.on(Event.REBIRTH)
            await self._birth()
        await self._bear()
        self._send_live()
        self._send_overdue()
        if not self._outbox.live_samples:
            self._bury(owing=self._outbox.backlog_samples > 0)
        sent = await self._send_backlog()
        self._proof.soon()
        if not sent:
            await self._wait(now_ms)

    async def _bear(self) -> None:
        """DBIRTH of devices that came up; of one that was born at BAD for its backlog, anew.

        Hosts hold the values of the latter for BAD, and some may never change again.
        """
        while waiting := (self._up - self._session.born) | (self._up & self._born_bad):
            device = min(waiting)
            if device in self._session.born:
                self._device_death(device)
            self._device_birth(device)
            self._log.info("device born", device=device)
            await self._breathe()  # when anything may happen to any of them

    async def _wait(self, now_ms: int) -> None:
        waits_ms = [1_000]
        if self._rebirths.due_ms is not None:
            waits_ms.append(max(0, self._rebirths.due_ms - now_ms))
        if self._outbox.backlog_samples and self._window.is_open:
            waits_ms.append(max(5, self._allowance.wait_ms()))
        try:
            async with asyncio.timeout(min(waits_ms) / 1000):
                await self._outbox.wake.wait()
        except TimeoutError:
            pass

    async def _birth(self) -> None:
        """NBIRTH and all DBIRTHs, and proof that they arrived.

        The outbox is split in the same step in which the catalog is read: what was captured before
        the births is older than what they tell, and goes as history.
        """
        self._outbox.split()
        self._born_from.clear()
        self._overdue.clear()
        reborn = [d for d in self._image.devices if d in self._session.born or d in self._up]
        seq = self._session.node_birth()
        self._publish_birth(
            self._image.topic(Verb.NBIRTH),
            self._image.node_birth(
                self._session.bd_seq, timestamp_ms=self._clock.now_ms(), seq=seq
            ),
        )
        # From here on a request is a new one: its host may have missed what went out already.
        self._rebirths.answered(self._clock.monotonic_ms())
        for device in reborn:
            if device in self._image.encoders:  # the plant may change while it breathes
                self._device_birth(device, as_bad=device not in self._up)
                await self._breathe()
        await self._proof.now()
        self._session.on(Event.VERIFIED)
        self._on_proven()
        self._log.info("born", devices=len(self._session.born), bd_seq=self._session.bd_seq)

    def _device_birth(self, device: str, *, as_bad: bool = False) -> None:
        seq = self._session.device_birth(device)
        self._born_from[device] = self._outbox.next_number
        self._overdue.pop(device, None)
        (self._born_bad.add if as_bad else self._born_bad.discard)(device)
        self._publish_birth(
            self._image.topic(Verb.DBIRTH, device),
            self._image.device_birth(
                device, timestamp_ms=self._clock.now_ms(), seq=seq, as_bad=as_bad
            ),
            device,
        )

    async def _breathe(self) -> None:
        """Between births: wait for the broker, and hear what comes back, before more go out.

        Who publishes thousands without reading gets some of its own births dropped (mosquitto
        keeps 1,000 packets for a client), and the check of delivery would see missing rights.
        What is measured meanwhile is older than the births still to come, and goes as history.
        """
        if not self._window.is_open or self._proof.awaited >= _MOST_AWAITED:
            await self._proof.now()

    def _publish_birth(self, topic: str, payload: bytes, device: str = NODE) -> None:
        size = len(topic.encode()) + len(payload) + _AROUND
        if self._largest is not None and size > self._largest:
            raise BirthTooLargeError(device, size, self._largest)
        if self._delivery_check:
            self._proof.expect(topic, payload)
        self._publish(topic, payload)

    def _publish(self, topic: str, payload: bytes) -> None:
        self._connection.publish(topic, payload)
        self._proof.published(len(topic) + len(payload))

    def _bury(self, *, owing: bool) -> None:
        """DDEATH for devices that are down; who may still owe backlog is kept until it is sent."""
        if owing:
            return
        for device in sorted(self._session.born - self._up):
            self._device_death(device)
            self._log.info("device dead", device=device)

    def _device_death(self, device: str) -> None:
        seq = self._session.device_death(device)
        payload = encode_device_death(timestamp_ms=self._clock.now_ms(), seq=seq)
        self._publish(self._image.topic(Verb.DDEATH, device), payload)

    # --- the two lanes ----------------------------------------------------------------------------

    def _send_live(self) -> None:
        sendable = self._session.born | {NODE}
        while self._window.is_open:
            entries = self._outbox.take_live(sendable, _MOST_SAMPLES)
            if not entries:
                return
            self._send(entries)

    def _send_overdue(self) -> None:
        """The present of points whose live values waited too long and are backlog now.

        Without it a host would show old values until the backlog is sent. These are no records:
        each value is in the backlog too.
        """
        for device, points in self._outbox.take_overdue().items():
            self._overdue.setdefault(device, set()).update(points)
        if not self._overdue or not self._window.is_open:
            return
        for device in [d for d in self._overdue if d == NODE or d in self._session.born]:
            present = self._image.present(device, self._overdue.pop(device))
            self._publish_data(device, [(present, False)])

    async def _send_backlog(self) -> bool:
        """Send one helping of backlog; whether there may be more at once."""
        if not self._outbox.backlog_samples or not self._window.is_open:
            return False
        most = min(_MOST_SAMPLES, max(1, self._window.room // 24))
        most = self._allowance.take_up_to(most, self._clock.monotonic_ms())
        if not most:
            return False
        entries = await self._outbox.take_backlog(most)
        if not entries:
            return False
        # Whatever happened while the disk was read: a rebirth or a device's coming is for the next
        # turn; who is not born now is born for its backlog, with its values at BAD if it is down.
        while unborn := self._unborn(entries):
            self._device_birth(unborn, as_bad=unborn not in self._up)
            await self._breathe()
        self._allowance.used(sum(map(len, entries)))
        self._send(entries)
        return True

    def _unborn(self, entries: list[Entry]) -> str | None:
        """The first device that would have to be born before these are sent."""
        born = self._session.born
        return next(
            (e.batch.device for e in entries if e and e.batch.device not in {*born, NODE}), None
        )

    def _send(self, entries: list[Entry]) -> None:
        """Publish records, as few messages for each device as their size allows; in order."""
        by_device: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry:  # its points may be gone since it was taken
                by_device.setdefault(entry.batch.device, []).append(entry)
        for device, records in by_device.items():
            born_from = self._born_from.get(device, 0)
            pieces = [
                (entry.batch, entry.historical or entry.batch.late or entry.number < born_from)
                for entry in records
            ]
            self._publish_data(device, pieces)
        self._proof.carries(entries)

    def _publish_data(self, device: str, pieces: Sequence[Piece]) -> None:
        most_bytes = _MOST_BYTES
        if self._largest is not None:
            topic = self._image.data_topics[device]
            most_bytes = max(_LEAST_BYTES, min(most_bytes, self._largest - 2 * len(topic) - 64))
        if self._delivery_check:
            most_bytes = min(most_bytes, self._proof.proven_bytes)
        encoder = self._image.encoders[device]
        for message in divide(pieces, most_bytes, encoder.weight):
            payload = encoder.encode_all(
                message, timestamp_ms=self._clock.now_ms(), seq=self._session.data(device)
            )
            self._publish(self._image.data_topics[device], payload)

    # --- leaving ----------------------------------------------------------------------------------

    async def farewell(self, timeout_s: float) -> bool:
        """The last live values, DDEATH for each device, NDEATH, DISCONNECT; whether the broker has
        read it all. tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath.
        """
        if self._session.state is State.ONLINE:
            self._send_live()
        self._session.on(Event.LEAVE)
        for device in sorted(self._session.born):
            self._device_death(device)
        if self._session.node_born:
            self._publish(self._image.topic(Verb.NDEATH), encode_node_death(self._session.bd_seq))
        delivered = await self._connection.disconnect(timeout_s)
        if delivered:
            self._proof.delivered()
        if self._session.state is State.LEAVING:
            self._session.on(Event.GONE)
        return delivered
