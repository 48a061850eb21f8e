"""One MQTT connection (3.1.1 or 5), from CONNECT to its end, and never a second one.

A new connection is a new object with a new client inside, so that nothing of an old one can be
sent again: neither its will nor its messages. Whoever wants to be connected again opens again.

Publishing is QoS 0, as Sparkplug asks, and therefore says nothing about arrival. The *fence* does:
an UNSUBSCRIBE from a filter that was never subscribed, which the broker must answer, and answers in
order on the same connection. Its answer says that the broker has read everything published before
(not that anybody received it).

aiomqtt connects and subscribes; paho underneath publishes and carries the fence, because aiomqtt
waits per message, warns above ten calls in flight, and lets each hang for its full timeout when
the broker has gone. Here everything that waits ends with `ConnectionLost` as the connection ends.
"""

import asyncio
import fcntl
import logging
import math
import ssl
import struct
import termios
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from bridge.mqtt.errors import (
    ConnectionLost,
    ConnectionRefused,
    SubscriptionRefused,
)
from bridge.mqtt.reasons import closed_words
from bridge.mqtt.server import Server, Will
from drivers.mqtt.failures import TlsComplaint, connect_words
from drivers.mqtt.wire import Wire
from drivers.tls import Tls, TlsError, context_of

OnMessage = Callable[[str, bytes, bool], None]
"""Topic, payload, retained: called in the event loop, in the order of arrival."""

FENCE_FILTER = "tagbridge/fence"
"""Never subscribed, so that unsubscribing changes nothing."""

Version = Literal["mqtt-3.1.1", "mqtt-5"]

# tck-id-principles-persistence-clean-session-311, -50: with every CONNECT, and nothing kept after
# it (a session expiry that is left out is 0).
_CLEAN: Mapping[Version, Mapping[str, Any]] = {
    "mqtt-3.1.1": {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": True},
    "mqtt-5": {"protocol": aiomqtt.ProtocolVersion.V5, "clean_start": True},
}
_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, identifier=4)

T = TypeVar("T")

# What the libraries would log is either said by the exceptions here, or noise.
_SILENT = logging.Logger("bridge.mqtt.silent", logging.CRITICAL + 1)  # noqa: LOG001  (outside the tree)


class Connection:
    """An open connection; `open` makes it, `disconnect` or `abort` ends it.

    As an async context manager it aborts what is still open at the end of the block.
    """

    def __init__(
        self,
        server: Server,
        *,
        client_id: str,
        will: Will | None,
        keep_alive_s: int,
        login: tuple[str, str] | None,
        tls: ssl.SSLContext | None,
        on_message: OnMessage,
        version: Version,
    ) -> None:
        """Prepare; use `open`."""
        assert server.tls is (tls is not None), "never plain where TLS is meant"
        self.server = server
        self.client_id = client_id
        self._on_message = on_message
        self._client = aiomqtt.Client(
            server.host,
            server.port,
            identifier=client_id,
            username=login[0] if login else None,
            password=login[1] if login else None,
            will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain) if will else None,
            keepalive=keep_alive_s,
            **_CLEAN[version],
            tls_context=tls,
            timeout=math.inf,  # the wire's silence rule bounds every wait
            logger=_SILENT,
        )
        client: paho.Client = self._client._client  # noqa: SLF001  (the door to paho; see README)
        client.disable_logger()  # else each publish formats a debug line
        client.on_publish = None  # else each publish builds a reason code and properties
        client.on_message = self._received
        client.on_unsubscribe = self._fence_answered
        client.on_disconnect = self._disconnected
        self._version = version
        self.largest_packet: int | None = None
        """Bytes of the largest packet that the broker takes, if it has said so (MQTT 5)."""
        self._paho = client
        self._publish = client.publish
        self._fences: deque[tuple[int, asyncio.Future[None] | None]] = deque()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reason: ConnectionLost | None = None
        self._crash: Exception | None = None
        self._complaint = TlsComplaint(client, server)
        self._wire = Wire(client, keep_alive_s, on_end=self._lost, probe=self._probe)

    @classmethod
    async def open(
        cls,
        server: Server,
        *,
        client_id: str,
        will: Will | None,
        keep_alive_s: int,
        login: tuple[str, str] | None = None,
        tls: Tls | None = None,
        on_message: OnMessage,
        timeout_s: float,
        version: Version = "mqtt-3.1.1",
    ) -> Self:
        """Connect with a clean session; return when the broker has accepted.

        ``tls`` says whom to believe at a server of ``mqtts://``; left out, the system's
        authorities. Raises `ConnectionRefused` for a refusing CONNACK and `ConnectionLost` for
        everything that prevents one within ``timeout_s``. Nothing is left open then, nor when
        cancelled.
        """
        try:
            # It reads files, the system's hundred authorities among them.
            context = await asyncio.to_thread(context_of, tls or Tls()) if server.tls else None
        except TlsError as error:
            seen = f"{server}: {error.seen}"
            raise ConnectionLost(seen, error.remedy, connect_sent=False) from error
        connection = cls(
            server,
            client_id=client_id,
            will=will,
            keep_alive_s=keep_alive_s,
            login=login,
            tls=context,
            on_message=on_message,
            version=version,
        )
        try:
            async with asyncio.timeout(timeout_s):
                await connection._connect(timeout_s)
        except TimeoutError:
            connection._lost(
                f"no answer from {server} within {timeout_s:g} s",
                "is it an MQTT broker, and is the way to it free (firewall)?",
            )
            raise connection._error() from None
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _connect(self, timeout_s: float) -> None:
        self._paho.connect_timeout = timeout_s
        refusal: list[Any] = []
        forward = self._paho.on_connect

        def on_connect(client: Any, userdata: Any, flags: Any, code: Any, *rest: Any) -> None:
            if code.is_failure:
                # Not for aiomqtt: it would keep the refusal in a future that nobody may look at.
                refusal.append(code)
                self._lost("refused")
            elif forward is not None:
                self._agreed(rest[0] if rest else None)
                forward(client, userdata, flags, code, *rest)

        self._paho.on_connect = on_connect
        try:
            await self._unless_closed(self._client.__aenter__())
        except aiomqtt.MqttError as error:
            cause = error.__context__
            known = cause if isinstance(cause, OSError) else error
            self._lost(*connect_words(known, self.server))
        except ConnectionLost:
            pass
        self._complaint.stop()
        if refusal:
            raise ConnectionRefused(refusal[0].value, str(refusal[0]), self.client_id)
        if self._closed.done():
            raise self._error()

    def _agreed(self, properties: Any) -> None:
        """What a broker of MQTT 5 has said of itself in its CONNACK."""
        self.largest_packet = getattr(properties, "MaximumPacketSize", None)
        keep_alive_s = getattr(properties, "ServerKeepAlive", None)
        if keep_alive_s:
            self._wire.keep_alive(keep_alive_s)

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe to filters with their QoS, in one packet; return when the broker granted all.

        Raises `SubscriptionRefused` naming those with SUBACK 0x80; the connection stays open.
        """
        self._check_open()
        try:
            codes = await self._unless_closed(self._client.subscribe(list(filters)))
        except aiomqtt.MqttError as error:
            self._lost(str(error))
            raise self._error() from None
        refused = [
            topic for (topic, _), code in zip(filters, codes, strict=True) if _is_failure(code)
        ]
        if refused:
            raise SubscriptionRefused(refused)

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand one message to the connection, QoS 0, not retained; order is kept.

        Raises `ConnectionLost` when the connection has ended; nothing was queued then.
        """
        if self._closed.done():
            raise self._error()
        # paho drops a QoS 0 message without a socket, and says so in rc alone.
        if self._publish(topic, payload).rc:
            self._lost("paho had no socket any more")
            raise self._error()

    def send_fence(self) -> asyncio.Future[None]:
        """Send a fence behind all that was published; the future ends with the broker's answer.

        Several may be outstanding. The future fails with `ConnectionLost` when the connection
        ends first; it need not be awaited.
        """
        self._check_open()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsubscribe(answer)
        return answer

    async def fence(self) -> None:
        """Return when the broker has read everything published before; see `send_fence`."""
        await self.send_fence()

    @property
    def unsent_bytes(self) -> int:
        """What the broker's machine has not acknowledged yet: paho's queue and the kernel's."""
        file = self._wire.fileno()
        if file < 0:
            return 0
        held = struct.unpack("i", fcntl.ioctl(file, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        queued = sum(packet["to_process"] for packet in self._paho._out_packet)  # noqa: SLF001
        return int(held + queued)

    @property
    def is_open(self) -> bool:
        """Whether the connection lives, as far as known."""
        return not self._closed.done()

    async def closed(self) -> ConnectionLost:
        """Wait for the end; return its reason, or raise what ``on_message`` raised."""
        await asyncio.shield(self._closed)
        error = self._error()
        if isinstance(error, ConnectionLost):
            return error
        raise error

    async def disconnect(self, timeout_s: float) -> bool:
        """Leave in order: deliver what was published, DISCONNECT, close.

        Returns whether the broker has read everything; if so, it discards the will, but for MQTT 5,
        where it publishes it as Sparkplug wants it. Takes ``timeout_s`` at most, even when the
        broker is frozen.
        """
        delivered = False
        try:
            async with asyncio.timeout(timeout_s):
                # Not DISCONNECT at once: closing with unread bytes in the socket (the echo of our
                # own death) resets the connection, and the broker might never see it.
                await self.fence()
                delivered = True
                self._wire.linger()
                # tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50
                self._paho.disconnect(_WITH_WILL if self._version == "mqtt-5" else None)
                await asyncio.shield(self._closed)
        except (TimeoutError, ConnectionLost):
            pass
        finally:
            self.abort()
        return delivered

    def abort(self) -> None:
        """Close the socket at once, without DISCONNECT: the broker publishes the will."""
        self._lost("closed by this side")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()

    def _check_open(self) -> None:
        if self._closed.done():
            raise self._error()

    def _error(self) -> Exception:
        if self._crash is not None:
            return self._crash
        assert self._reason is not None
        return self._reason.again()

    async def _unless_closed(self, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work``, or raise the reason as soon as the connection ends."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(_take_exception)
        futures: tuple[asyncio.Future[Any], ...] = (task, self._closed)
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise self._error()
        finally:
            task.cancel()

    def _unsubscribe(self, answer: asyncio.Future[None] | None) -> None:
        code, number = self._paho.unsubscribe(FENCE_FILTER)
        self._fences.append((number or 0, answer))
        if code:
            self._lost("paho had no socket any more")

    def _probe(self) -> int:
        self._unsubscribe(None)
        return self.unsent_bytes

    def _fence_answered(self, _client: Any, _userdata: Any, number: int, *_rest: Any) -> None:
        if not self._fences or self._fences[0][0] != number:
            self._lost(
                "the broker left a fence unanswered, so that its answers prove no delivery",
                "use a broker that works through each connection in order",
            )
            return
        _, answer = self._fences.popleft()
        if answer is not None and not answer.done():
            answer.set_result(None)

    def _received(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        if self._closed.done():
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._lost("the broker sent a topic that is no UTF-8")
            return
        try:
            self._on_message(topic, bytes(message.payload), message.retain)
        except Exception as error:  # noqa: BLE001  (ours, not the broker's: raised at every waiter)
            self._crash = error
            self._lost("on_message failed")

    def _disconnected(
        self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any = None
    ) -> None:
        if code.is_failure:
            seen, remedy = self._complaint.words or closed_words(code)
            self._lost(seen, remedy, closed=code.value)
        else:
            self._lost("disconnected by this side")

    def _lost(self, seen: str, remedy: str = "", *, closed: int | None = None) -> None:
        """End the connection, once, for everybody who waits."""
        if self._closed.done():
            return
        self._reason = ConnectionLost(seen, remedy, connect_sent=self._wire.written, closed=closed)
        self._wire.end()
        self._closed.set_result(None)
        for _, answer in self._fences:
            if answer is not None and not answer.done():
                answer.set_exception(self._error())
                answer.exception()  # a fence that nobody awaits is no error
        self._fences.clear()


def _take_exception(task: asyncio.Future[Any]) -> None:
    # The task may fail after its waiter has gone; asyncio would log that nobody looked.
    if not task.cancelled():
        task.exception()


def _is_failure(code: Any) -> bool:
    return bool(code.is_failure)
