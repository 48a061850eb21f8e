"""Examination of a broker: what an edge node and its hosts rely on, tried out one by one.

Everything happens below a topic made for the occasion, and in a group that no host knows; retained
messages are taken back. Each trial is told by a name, how it went, what was seen and what to set.
A trial that breaks off is a bad one; the others go on.
"""

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import aiomqtt

from bridge.mqtt.connection import Connection, Version
from bridge.mqtt.errors import ConnectionLost
from bridge.mqtt.server import Server, Will
from drivers.tls import Tls, context_of

_PATIENCE_S = 5.0
_SILENCE_S = 1.0  # after which nothing more is expected
_BURST = 2_000
_FENCED = 300
_SIZES = (64 << 10, 128 << 10, 256 << 10, 1 << 20, 4 << 20)
_NAMES = ("Plant.Area.1", "Line 3 (new)", "Träger/Größe", "日本/ライン", "a&b=c;d,e'\"")


class Mark(StrEnum):
    """How a trial went."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One trial: its name, how it went, what was seen, what to set (empty: nothing)."""

    name: str
    mark: Mark
    seen: str
    advice: str = ""


Said = tuple[Mark, str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """The broker, and who asks."""

    server: Server
    login: tuple[str, str] | None = None
    tls: Tls | None = None


class _Inbox:
    """What one subscriber has received: topic, payload, QoS, retained."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, int, bool]] = []
        self._news = asyncio.Event()

    def put(self, message: aiomqtt.Message) -> None:
        payload = message.payload if isinstance(message.payload, bytes) else b""
        self.messages.append((str(message.topic), payload, message.qos, message.retain))
        self._news.set()

    async def until(self, count: int, within_s: float = _PATIENCE_S) -> bool:
        """Wait for so many; whether they came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while len(self.messages) < count:
                    self._news.clear()
                    await self._news.wait()
        return len(self.messages) >= count

    async def settled(self) -> None:
        """Wait until nothing more comes."""
        count = -1
        while count != len(self.messages):
            count = len(self.messages)
            await asyncio.sleep(_SILENCE_S)


async def examine(subject: Subject) -> AsyncIterator[Finding]:
    """Try everything out, finding after finding; what stops all ends it early."""
    bench = _Bench(subject)
    for name, trial in bench.trials:
        try:
            async with asyncio.timeout(60):
                mark, seen, advice = await trial()
        except ConnectionLost as error:
            mark, seen, advice = Mark.BAD, error.seen, error.remedy
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            mark, seen, advice = Mark.BAD, str(error) or type(error).__name__, ""
        yield Finding(name, mark, seen, advice)
        if name == _FIRST and mark is Mark.BAD:
            return


_FIRST = "MQTT 3.1.1"


class _Bench:
    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._root = f"tagbridge-check/{uuid.uuid4().hex[:12]}"
        self._context: ssl.SSLContext | None = None
        self._speaks_5 = False
        self.trials: tuple[tuple[str, Callable[[], Awaitable[Said]]], ...] = (
            (_FIRST, self.version_3),
            ("MQTT 5", self.version_5),
            ("Sparkplug topics", self.rights),
            ("names in topics", self.names),
            ("QoS 1", self.quality_of_service),
            ("QoS 0 stays 0", self.quality_of_service_0),
            ("retained, by its topic", self.retained),
            ("retained, by a wildcard", self.retained_wildcard),
            ("will at a lost connection", self.will),
            ("will that is retained", self.will_retained),
            ("will at a takeover", self.takeover),
            ("no will after DISCONNECT", self.no_will),
            ("will after DISCONNECT 0x04", self.will_by_wish),
            ("order of the fence", self.fence),
            ("largest message", self.largest),
            ("a burst for one host", self.burst),
        )

    # --- connecting -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[tuple[aiomqtt.Client, _Inbox]]:
        """A client of 3.1.1, and what it receives."""
        server, login = self._subject.server, self._subject.login
        if server.tls and self._context is None:
            self._context = await asyncio.to_thread(context_of, self._subject.tls or Tls())
        async with aiomqtt.Client(
            server.host, server.port, identifier=f"check-{uuid.uuid4().hex[:12]}",
            username=login[0] if login else None, password=login[1] if login else None,
            protocol=aiomqtt.ProtocolVersion.V311, clean_session=True,
            tls_context=self._context, timeout=_PATIENCE_S,
        ) as client:  # fmt: skip
            inbox = _Inbox()

            async def take() -> None:
                async for message in client.messages:
                    inbox.put(message)

            taking = asyncio.create_task(take())
            try:
                yield client, inbox
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)

    async def _connection(
        self,
        *,
        client_id: str = "",
        will: Will | None = None,
        version: Version = "mqtt-3.1.1",
    ) -> Connection:
        return await Connection.open(
            self._subject.server,
            client_id=client_id or f"check-{uuid.uuid4().hex[:12]}",
            will=will,
            keep_alive_s=10,
            login=self._subject.login,
            tls=self._subject.tls,
            on_message=lambda *_: None,
            timeout_s=_PATIENCE_S,
            version=version,
        )

    def _topic(self, name: str) -> str:
        return f"{self._root}/{name}"

    async def version_3(self) -> Said:
        async with await self._connection() as connection:
            await connection.fence()
        return Mark.GOOD, "connected, and answers", ""

    async def version_5(self) -> Said:
        try:
            async with await self._connection(version="mqtt-5") as connection:
                await connection.fence()
                largest = connection.largest_packet
        except ConnectionLost:
            advice = "leave protocol: mqtt-3.1.1, which is the default"
            return Mark.DOUBTFUL, "not spoken", advice
        self._speaks_5 = True
        said = f"; takes packets of {largest:,} bytes" if largest else ""
        return Mark.GOOD, f"connected, and answers{said}", ""

    # --- topics -----------------------------------------------------------------------------------

    async def rights(self) -> Said:
        """An access list may drop without a word: only what comes back was delivered."""
        topic = f"spBv1.0/{uuid.uuid4().hex[:12]}/NCMD/check"
        async with self._client() as (client, inbox):
            await client.subscribe(topic, 1)
            await client.publish(topic, b"", 0)
            if await inbox.until(1, 2.0):
                return Mark.GOOD, "published and delivered", ""
        return (
            Mark.BAD,
            "accepted, and not delivered: the broker drops without a word",
            "give this user the right to write and read spBv1.0/GROUP/+/NODE/# in the access list",
        )

    async def names(self) -> Said:
        odd = []
        for name in _NAMES:
            topic = self._topic(name)
            try:
                async with self._client() as (client, inbox):
                    await client.subscribe(self._topic("#"), 0)
                    await client.publish(topic, b"x", 0)
                    came = await inbox.until(1, 2.0)
                    if not came or inbox.messages[0][0] != topic:
                        odd.append(name)
            except aiomqtt.MqttError:
                odd.append(name)
        if odd:
            said = ", ".join(map(repr, odd))
            return Mark.DOUBTFUL, f"not delivered as they are: {said}", "avoid such marks in ids"
        return Mark.GOOD, "dots, blanks, UTF-8 and marks are delivered as they are", ""

    # --- quality of service, retained -------------------------------------------------------------

    async def _delivered(self, name: str, qos: int) -> list[tuple[str, bytes, int, bool]]:
        async with self._client() as (client, inbox):
            await client.subscribe(self._topic(name), 1)
            await client.publish(self._topic(name), b"x", qos)
            await inbox.until(1)
            return inbox.messages

    async def quality_of_service(self) -> Said:
        found = await self._delivered("qos-1", 1)
        if found and found[0][2] == 1:
            return Mark.GOOD, "acknowledged and delivered with QoS 1", ""
        return Mark.BAD, f"delivered as {found}", "STATE and Wills need QoS 1"

    async def quality_of_service_0(self) -> Said:
        found = await self._delivered("qos-0", 0)
        if found and found[0][2] == 0:
            return Mark.GOOD, "delivered with QoS 0 to a subscription of QoS 1", ""
        if found:
            advice = "harmless; tagbridge watch --check cannot judge the QoS of nodes here"
            return Mark.DOUBTFUL, f"raised to QoS {found[0][2]}", advice
        return Mark.BAD, "not delivered", ""

    async def _kept(self, name: str, filter_: str) -> Said:
        topic = self._topic(name)
        async with self._client() as (writer, _):
            await writer.publish(topic, b"kept", 1, retain=True)
            async with self._client() as (reader, inbox):
                await reader.subscribe(self._topic(filter_), 1)
                came = await inbox.until(1)
            await writer.publish(topic, b"", 1, retain=True)
        if came and inbox.messages[0][1] == b"kept" and inbox.messages[0][3]:
            return Mark.GOOD, "kept, and given to who comes later", ""
        seen = "given without its mark" if came else "not given to who comes later"
        return Mark.BAD, seen, "STATE of hosts is retained: without it a node waits for ever"

    async def retained(self) -> Said:
        return await self._kept("retained", "retained")

    async def retained_wildcard(self) -> Said:
        return await self._kept("wild/retained", "+/retained")

    # --- wills ------------------------------------------------------------------------------------

    async def _willed(
        self, end: Callable[[Connection], Awaitable[object]], *, version: Version = "mqtt-3.1.1"
    ) -> list[tuple[str, bytes, int, bool]]:
        """What comes of a Will when its client's connection ends in some way."""
        topic = self._topic(f"will-{uuid.uuid4().hex[:6]}")
        async with self._client() as (client, inbox):
            await client.subscribe(topic, 1)
            dying = await self._connection(will=Will(topic, b"dead", qos=1), version=version)
            await end(dying)
            await inbox.until(1, 3.0)
            dying.abort()
            return inbox.messages

    async def will(self) -> Said:
        async def cut(connection: Connection) -> None:
            connection.abort()

        found = await self._willed(cut)
        if found and found[0][2] == 1:
            return Mark.GOOD, "published with QoS 1", ""
        if found:
            return Mark.DOUBTFUL, f"published with QoS {found[0][2]}", ""
        return Mark.BAD, "not published", "hosts do not see that a node has died: another broker"

    async def will_retained(self) -> Said:
        topic = self._topic("will-kept")
        dying = await self._connection(will=Will(topic, b"dead", qos=1, retain=True))
        async with self._client() as (client, inbox):
            await client.subscribe(topic, 1)
            dying.abort()
            await inbox.until(1, 3.0)
        async with self._client() as (client, inbox):
            await client.subscribe(topic, 1)
            came = await inbox.until(1, 3.0)
            await client.publish(topic, b"", 1, retain=True)
        if came:
            return Mark.GOOD, "kept, as hosts need it for their STATE", ""
        advice = (
            "nodes may take a host that has died for online; the node's own Will is not retained"
        )
        return Mark.BAD, "not kept", advice

    async def takeover(self) -> Said:
        closed = True

        async def again(connection: Connection) -> None:
            nonlocal closed
            other = await self._connection(client_id=connection.client_id)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await connection.closed()
            except TimeoutError:
                closed = False
            other.abort()

        found = await self._willed(again)
        if not closed:
            advice = "two programs with one identity would both go on: give each its own"
            return Mark.DOUBTFUL, "the first stays connected beside the second", advice
        if found:
            return Mark.GOOD, "the first is closed, and its Will published", ""
        advice = "after a takeover hosts see a node's old session as alive until its next birth"
        return Mark.DOUBTFUL, "the first is closed, its Will not published", advice

    async def no_will(self) -> Said:
        found = await self._willed(lambda connection: connection.disconnect(_PATIENCE_S))
        if not found:
            return Mark.GOOD, "discarded", ""
        return Mark.DOUBTFUL, "published all the same", "hosts see two deaths, which is harmless"

    async def will_by_wish(self) -> Said:
        if not self._speaks_5:
            return Mark.DOUBTFUL, "no MQTT 5, so no such wish", ""
        found = await self._willed(
            lambda connection: connection.disconnect(_PATIENCE_S), version="mqtt-5"
        )
        if found:
            return Mark.GOOD, "published", ""
        return Mark.DOUBTFUL, "not published", "the node's own NDEATH does it"

    # --- order, size, load ------------------------------------------------------------------------

    async def fence(self) -> Said:
        """What was published before an answer has been read, though the sender be cut off then."""
        async with self._client() as (client, inbox):
            await client.subscribe(self._topic("fence"), 0)
            sender = await self._connection()
            for number in range(_FENCED):
                sender.publish(self._topic("fence"), b"%d" % number)
            await sender.fence()
            sender.abort()
            await inbox.until(_FENCED)
            numbers = [int(payload) for _, payload, _, _ in inbox.messages]
        if numbers == list(range(_FENCED)):
            return Mark.GOOD, f"{_FENCED} of {_FENCED} messages arrived before the answer", ""
        advice = (
            "an answer proves nothing here: values can be lost. Another broker, or delivery by QoS"
        )
        return Mark.BAD, f"{len(numbers)} of {_FENCED} messages, or out of order", advice

    async def largest(self) -> Said:
        most = 0
        why = ""
        for size in _SIZES:
            async with self._client() as (client, inbox):
                await client.subscribe(self._topic("size"), 0)
                try:
                    sender = await self._connection()
                    sender.publish(self._topic("size"), bytes(size))
                    await sender.fence()
                    sender.abort()
                    came = await inbox.until(1, 3.0)
                    why = "" if came else "larger ones are dropped without a word"
                except ConnectionLost as error:
                    came, why = False, error.seen
            if not came:
                break
            most = size
        said = f"{most >> 10} KiB" + (f"; {why}" if why else " or more")
        if most >= 1 << 20:
            return Mark.GOOD, said, ""
        return (
            Mark.DOUBTFUL,
            said,
            f"write largest_packet: {most >> 10} KiB, so that check foresees it",
        )

    async def burst(self) -> Said:
        """A host that is behind for a moment: what the broker keeps for it."""
        async with self._client() as (client, inbox):
            await client.subscribe(self._topic("burst"), 0)
            sender = await self._connection()
            for _ in range(_BURST):
                sender.publish(self._topic("burst"), bytes(200))
            await sender.fence()
            await inbox.settled()
            sender.abort()
            count = len(inbox.messages)
        if count >= _BURST:
            return Mark.GOOD, f"{count:,} of {_BURST:,} messages arrived", ""
        advice = "raise what the broker queues for a client (mosquitto: max_queued_messages)"
        return Mark.DOUBTFUL, f"{count:,} of {_BURST:,} messages arrived", advice
