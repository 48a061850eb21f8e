"""Session: one MQTT 3.1.1 connection that listens, from CONNECT to its end, never a second one.

Clean session: what was said while nobody listened is gone, but for what the broker retained. The
client is paho's, driven by the event loop through the callbacks that it documents for that
(`drivers.mqtt.wire`); messages are QoS 1 or as asked for, acknowledged as they are taken.
"""

import asyncio
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from drivers.driver import LinkError
from drivers.mqtt.failures import TlsComplaint, connect_words, refusal_words
from drivers.mqtt.server import Server
from drivers.mqtt.wire import Wire

OnMessage = Callable[[str, bytes, bool], None]
"""Topic, payload, retained: called in the event loop, in the order of arrival."""

PROBE_FILTER = "tagbridge/probe"
"""Never subscribed: to unsubscribe it changes nothing, and the broker has to answer."""

_FILTERS_PER_PACKET = 50
_LEAVE_S = 0.5


class Session:
    """`connect` and `subscribe` in this order; ``on_end`` is called once, when it is over.

    ``context`` is that of TLS, None for a server of ``mqtt://``.
    """

    def __init__(
        self,
        server: Server,
        *,
        client_id: str,
        keep_alive_s: int,
        login: tuple[str, str] | None,
        context: ssl.SSLContext | None,
        on_message: OnMessage,
        on_end: Callable[[], None],
    ) -> None:
        assert server.tls is (context is not None), "never plain where TLS is meant"
        self.failure: LinkError | None = None
        self._server = server
        self._client_id = client_id or f"tagbridge-{secrets.token_hex(6)}"
        self._keep_alive_s = keep_alive_s
        self._on_message = on_message
        self._on_end = on_end
        self._accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[list[Any]]] = {}
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=True,
            reconnect_on_failure=False,
        )
        if login is not None:
            client.username_pw_set(*login)
        if context is not None:
            client.tls_set_context(context)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        client.on_disconnect = self._disconnected
        self._client = client
        self._complaint = TlsComplaint(client, server)
        self._wire = Wire(client, keep_alive_s, on_end=self._fail, probe=self._probe)

    async def connect(self, timeout_s: float) -> None:
        """Return when the broker has accepted; raises `LinkError`."""
        loop = asyncio.get_running_loop()
        self._client.connect_timeout = timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await loop.run_in_executor(
                    None,  # it resolves names, connects and shakes hands, and blocks meanwhile
                    self._client.connect,
                    self._server.host,
                    self._server.port,
                    self._keep_alive_s,
                )
                await self._accepted
        except TimeoutError:
            self._fail(
                f"{self._server}: no answer within {timeout_s:g} s",
                "is it an MQTT broker, and is the way to it free (firewall)?",
            )
        except OSError as error:
            self._fail(*connect_words(error, self._server))
        finally:
            self._complaint.stop()
        if self.failure is not None:
            raise self.failure

    async def subscribe(self, topics: Sequence[tuple[str, int]], timeout_s: float) -> list[str]:
        """Subscribe to topics with their QoS; those that the broker refuses. Raises `LinkError`."""
        refused: list[str] = []
        for start in range(0, len(topics), _FILTERS_PER_PACKET):
            part = list(topics[start : start + _FILTERS_PER_PACKET])
            answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
            code, number = self._client.subscribe(part)
            if code or number is None:
                self._fail("the connection ended")
                break
            self._answers[number] = answer
            try:
                async with asyncio.timeout(timeout_s):
                    codes = await answer
            except TimeoutError:
                self._fail(
                    f"{self._server}: no answer to a subscription within {timeout_s:g} s",
                    "a busy broker may need a longer timeout",
                )
                break
            finally:
                self._answers.pop(number, None)
            if self.failure is not None:
                break
            refused += [
                topic for (topic, _), code in zip(part, codes, strict=False) if code.is_failure
            ]
        if self.failure is not None:
            raise self.failure
        return refused

    def pause(self) -> None:
        """Take no more messages until `resume`."""
        self._wire.pause()

    def resume(self) -> None:
        """Take messages again."""
        self._wire.resume()

    async def close(self) -> None:
        """Leave: DISCONNECT if the broker takes it soon, and close in any case."""
        if self.failure is None and self._accepted.done():
            ended = asyncio.Event()
            self._on_end = ended.set
            self._wire.linger()
            self._wire.resume()
            self._client.disconnect()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    await ended.wait()
        self._fail("closed by this side")

    def _probe(self) -> int:
        self._client.unsubscribe(PROBE_FILTER)
        return 0

    def _connected(
        self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if code.is_failure:
            seen, remedy = refusal_words(code.value, str(code), self._client_id)
            self._fail(f"{self._server}: {seen}", remedy)
        elif not self._accepted.done():
            self._accepted.set_result(None)

    def _subscribed(
        self, _client: Any, _userdata: Any, number: int, codes: list[Any], _properties: Any
    ) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _received(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        if self.failure is not None:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._fail("the broker sent a topic that is no UTF-8")
            return
        self._on_message(topic, bytes(message.payload), message.retain)

    def _disconnected(
        self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if self._complaint.words is not None:
            self._fail(*self._complaint.words)
        else:
            self._fail("the broker closed the connection" if code.is_failure else "left")

    def _fail(self, seen: str, remedy: str = "") -> None:
        if self.failure is not None:
            return
        remedy = remedy or (
            "look into the broker's log; if it repeats every few seconds, another program uses "
            "the same client id"
        )
        if not seen.startswith(str(self._server)):
            seen = f"{self._server}: {seen}"
        self.failure = LinkError(seen, remedy)
        self._wire.end()
        if not self._accepted.done():
            self._accepted.set_result(None)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result([])
        self._on_end()
