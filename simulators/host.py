"""A Sparkplug host: subscribes, decodes, and asks nodes for the births that it missed.

The shell around `simulators.host_view.HostView`, with an MQTT connection of its own that shares
nothing with the gateway's. It keeps trying when the broker cannot be reached or goes away;
``connected`` and ``problem`` say how things stand. By choice it is a primary host, and says with
STATE that it is there (Sparkplug 3.0, section 5.3).
"""

import asyncio
import contextlib
import json
import logging
import re
import uuid
from collections.abc import Callable
from typing import Self

import aiomqtt

from bridge.sparkplug.messages import Payload
from bridge.sparkplug.rules import Packet
from bridge.sparkplug.topics import NAMESPACE, REBIRTH, STATE, Verb, build
from simulators.clock import wall_clock_ms
from simulators.host_view import (
    DeviceView,
    HostView,
    MetricView,
    NodeView,
    Sample,
)
from simulators.tasks import ended

__all__ = [
    "DeviceView",
    "HostView",
    "MetricView",
    "NodeView",
    "Sample",
    "SparkplugHost",
]

REBIRTH_PAUSE_MS = 5_000  # as Tahu's host waits before it asks a node again
_CONNECT_TIMEOUT_S = 5.0
_PROBE_TIMEOUT_S = 0.5
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.2, 2.0
_BOOLEAN = 11
_quiet = logging.getLogger("simulators.host.mqtt")
_quiet.setLevel(logging.CRITICAL)  # aiomqtt logs what `problem` says anyway


class SparkplugHost:
    """A host at one broker, as an async context manager.

    On entry it has tried to connect once: ``connected`` tells whether it is subscribed. ``group``
    narrows the subscription to one group; ``on_sample`` and ``on_packet`` see each value and each
    packet, ``on_gap`` is called where packets may be missing; ``ask`` False never asks for births.
    ``primary`` is the id of a primary host, empty for none. ``complete``: see
    `bridge.sparkplug.rules.Grader`.
    """

    def __init__(
        self,
        host: str,
        port: int = 1883,
        *,
        group: str | None = None,
        username: str | None = None,
        password: str | None = None,
        on_sample: Callable[[Sample], None] | None = None,
        on_packet: Callable[[Packet], None] | None = None,
        on_gap: Callable[[], None] | None = None,
        ask: bool = True,
        primary: str = "",
        complete: bool = False,
    ) -> None:
        self._state_topic = f"{STATE}/{primary}" if primary else ""
        self._since_ms = 0  # of the connection: in its will and its birth
        self.view = HostView(on_sample=on_sample, complete=complete)
        self.connected = False
        self.problem: str | None = None
        self.connections = 0
        self.rebirths_asked = 0
        self._where = (host, port)
        self._login = (username, password)
        self._filter = f"{NAMESPACE}/{group}/#" if group is not None else f"{NAMESPACE}/#"
        self._on_packet = on_packet
        self._on_gap = on_gap
        self._ask = ask
        self._asked_ms: dict[tuple[str, str], int] = {}
        self._tried = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="sparkplug host")
        try:
            await self._tried.wait()
        except BaseException:
            self._task.cancel()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            # tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean
            with contextlib.suppress(aiomqtt.MqttError):
                await self._say_state(self._client, online=False, time_ms=wall_clock_ms())
        if self._task is not None:
            await ended(self._task)

    async def _say_state(self, client: aiomqtt.Client, *, online: bool, time_ms: int) -> None:
        if self._state_topic:
            said = _state(online=online, time_ms=time_ms)
            await client.publish(self._state_topic, said, qos=1, retain=True)

    async def rebirth(self, group: str, node: str) -> None:
        """Ask a node for all its births (tck-id-operational-behavior-data-commands-rebirth-name).

        Raises `ConnectionError` while there is no broker.
        """
        if self._client is None:
            raise ConnectionError(self.problem or "not connected")
        now_ms = wall_clock_ms()
        payload = Payload(timestamp=now_ms)
        payload.metrics.add(name=REBIRTH, timestamp=now_ms, datatype=_BOOLEAN, boolean_value=True)
        self._asked_ms[group, node] = now_ms
        self.rebirths_asked += 1
        topic = build(group, Verb.NCMD, node)
        try:
            await self._client.publish(topic, payload.SerializeToString(), qos=0)
        except aiomqtt.MqttError as error:
            raise ConnectionError(str(error)) from error

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await self._one_connection()
            except (aiomqtt.MqttError, OSError) as error:
                if self.connected:
                    pause_s = _FIRST_PAUSE_S
                    self.view.gap()
                    if self._on_gap is not None:
                        self._on_gap()
                host, port = self._where
                self.problem = f"broker {host}:{port}: {_why(error)}"
            finally:
                self.connected = False
                self._client = None
                self._tried.set()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    async def _one_connection(self) -> None:
        username, password = self._login
        self._since_ms = wall_clock_ms()
        will = None
        if self._state_topic:
            gone = _state(online=False, time_ms=self._since_ms)
            will = aiomqtt.Will(self._state_topic, gone, qos=1, retain=True)
        async with aiomqtt.Client(
            *self._where,
            username=username,
            password=password,
            will=will,
            timeout=_CONNECT_TIMEOUT_S,
            logger=_quiet,
        ) as client:
            raised = await _raises_qos(client)
            await client.subscribe(self._filter, qos=1)
            if self._state_topic:
                await client.subscribe(self._state_topic, qos=1)
            await self._say_state(client, online=True, time_ms=self._since_ms)
            self._client = client
            self.connected = True
            self.connections += 1
            self.problem = None
            self._tried.set()
            async for message in client.messages:
                payload = message.payload
                packet = Packet(
                    message.topic.value,
                    payload if isinstance(payload, bytes) else b"",
                    0 if raised else message.qos,
                    message.retain,
                    wall_clock_ms(),
                )
                if packet.topic == self._state_topic and b"false" in packet.payload:
                    # An old will of ours: tck-id-message-flow-hid-sparkplug-state-message-delivered
                    await self._say_state(client, online=True, time_ms=self._since_ms)
                if self._on_packet is not None:
                    self._on_packet(packet)
                self.view.feed(packet)
                if self.view.wants_rebirth and self._ask:
                    await self._ask_for_births()

    async def _ask_for_births(self) -> None:
        now_ms = wall_clock_ms()
        for key in tuple(self.view.wants_rebirth):
            if now_ms - self._asked_ms.get(key, -REBIRTH_PAUSE_MS) >= REBIRTH_PAUSE_MS:
                with contextlib.suppress(ConnectionError):  # the connection's end is told there
                    await self.rebirth(*key)
            self.view.wants_rebirth.discard(key)


def _state(*, online: bool, time_ms: int) -> bytes:
    return json.dumps({"online": online, "timestamp": time_ms}).encode()


async def _raises_qos(client: aiomqtt.Client) -> bool:
    """Whether the broker delivers with more QoS than was published, as amqtt 0.12 does.

    MQTT forbids it ([MQTT-3.8.4-6]), and it would make every node look like one that publishes
    births with QoS 1. A broker that does not answer is taken for a good one.
    """
    topic = f"tagbridge/host/{uuid.uuid4().hex}"
    await client.subscribe(topic, qos=1)
    await client.publish(topic, b"", qos=0)
    raised = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            message = await anext(client.messages)
        raised = message.qos > 0
    await client.unsubscribe(topic)
    return raised


def _why(error: Exception) -> str:
    """What went wrong, in the words of the operating system or of MQTT."""
    text = str(error).strip() or type(error).__name__
    if "111" in text or isinstance(error, ConnectionRefusedError):
        return "connection refused; does a broker run there?"
    text = re.sub(r"^\[[^\]]*\] *", "", text) or text  # the numbers of errno and paho
    if "ot authori" in text or "user name or password" in text:
        return "it refuses this user and password; write mqtt://USER:PASSWORD@HOST"
    return text[0].lower() + text[1:]
