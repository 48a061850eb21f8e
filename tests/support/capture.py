"""What a broker delivers, as it is: every packet with its time, from a plain MQTT subscriber.

The subscriber is a thread of paho's own, so that a busy test loop cannot delay or drop packets.
"""

import threading
import time
from typing import Self

import paho.mqtt.client as paho

from bridge.sparkplug.rules import Packet
from tests.support.wait import until


class Capture:
    """Records the packets of ``filters`` in order; reconnects when the broker comes back."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        filters: tuple[str, ...] = ("spBv1.0/#",),
        login: tuple[str, str] | None = None,
    ) -> None:
        self.packets: list[Packet] = []
        self.gaps: set[int] = set()
        """Before which packets the broker may have had others, for nobody."""
        self._host, self._port = host, port
        self._filters = filters
        self._subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, clean_session=True)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.reconnect_delay_set(0.1, 0.2)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(name, 1) for name in self._filters])

    def _disconnected(self, *_: object) -> None:
        self._subscribed.clear()
        self.gaps.add(len(self.packets))

    def _received(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        self.packets.append(
            Packet(
                topic=message.topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retain=message.retain,
                time_ms=time.time_ns() // 1_000_000,
            )
        )

    async def subscribed_again(self) -> None:
        """Wait until a broker that came back has granted the subscription."""
        await until(self._subscribed.is_set, what="subscription granted again")

    def publish(self, topic: str, payload: bytes, *, qos: int = 0) -> None:
        self._client.publish(topic, payload, qos)

    def start(self) -> None:
        self._client.connect(self._host, self._port, keepalive=5)
        self._client.loop_start()
        assert self._subscribed.wait(5), "the broker granted no subscription"

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
