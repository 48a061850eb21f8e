"""Simulated MQTT sources: devices of a plant file that publish to a broker by themselves.

Each device publishes all of its topics at once, once in a period, as a camera publishes a verdict:
one document for each topic, put together out of the rows' selectors, with the time and the number
that the device's block says it carries. Documents are written by code of their own; of the driver
only the grammar of addresses is used. What was published is in `truth`.

Where nobody listens at the place, the simulator brings a broker of its own (`simulators.broker`);
where one does, it is used, and come back to when it was away.
"""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Protocol, Self, cast

import aiomqtt

from drivers.mqtt.addresses import Selector, TopicAddress, parse, parse_selector
from mappings.batch import Value
from mappings.datatypes import DataType, wire_type
from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Metric, Tag
from simulators.clock import wall_clock_ms
from simulators.signals import Signal, counted, raw_of, signal_for
from simulators.tasks import ended
from simulators.truth import Truth

PERIOD_MS = 1000
GONE = "offline"
_RETRY_S = 0.2
_WORD_QOS = 1


class _Time(Protocol):
    at: str
    format: str


class _Alive(Protocol):
    topic: str
    says: str


class DeviceOptions(Protocol):
    """What the simulator needs of a device's block."""

    retained: str
    sequence: str
    time: _Time | None
    alive: _Alive | None

    def topic(self, written: str) -> str:
        """A topic of the broker."""
        ...

    def format_of(self, written: str) -> str:
        """The format of its payloads."""
        ...


class _Row:
    """One row: where its value stands in the document, and what it is."""

    def __init__(self, tag: Tag, metric: Metric, selector: Selector, signal: Signal) -> None:
        self.tag = tag
        self.selector = selector
        self.value: Value = None
        self.held = False
        self._metric = metric
        self._signal = signal
        wire = wire_type(tag.wire_type)
        assert wire is not None
        self._bytes = wire.length if wire.datatype is DataType.BYTES else 0
        self.is_time = wire.datatype is DataType.DATETIME

    def move(self, t_ms: int, number: int | None) -> None:
        """Take the value of this moment, or of this count."""
        if self.held:
            return
        if self._bytes:
            self.value = t_ms.to_bytes(8)[-self._bytes :]
        elif number is not None:
            self.value = counted(number, self.tag.wire_type)
        else:
            self.value = raw_of(self._signal.at(t_ms), self.tag, self._metric)


class _Source:
    """One device: its topics with their rows, and how often it has spoken."""

    def __init__(self, device: DeviceDefinition, seed: int) -> None:
        self.name = device.name
        self.options = cast("DeviceOptions", device.options)
        self.topics: dict[str, tuple[str, list[_Row]]] = {}
        self.number = 0
        self.silent = False
        for tag, metric in zip(device.tags, device.metrics, strict=True):
            address = parse(tag.address)
            assert isinstance(address, TopicAddress), address
            signal = signal_for(
                seed, device.name, metric.name, metric.datatype, metric.low, metric.high
            )
            full, form = self.options.topic(address.topic), self.options.format_of(address.topic)
            rows = self.topics.setdefault(full, (form, []))[1]
            rows.append(_Row(tag, metric, address.selector or (), signal))

    def rows(self) -> list[_Row]:
        """All rows."""
        return [row for _, rows in self.topics.values() for row in rows]

    def payload(self, form: str, rows: Sequence[_Row], t_ms: int) -> bytes:
        """What is published to one topic."""
        time = self.options.time
        time_form = time.format if time else "iso8601"
        if form == "bytes":
            assert isinstance(rows[0].value, bytes)
            return rows[0].value
        if form == "text":
            return _text(_shown(rows[0], time_form)).encode()
        document: Any = None
        if time is not None:
            document = _put(document, _steps(time.at), _moment(t_ms, time_form))
        if self.options.sequence:
            document = _put(document, _steps(self.options.sequence), self.number)
        for row in rows:
            document = _put(document, row.selector, _shown(row, time_form))
        return json.dumps(document, ensure_ascii=False).encode()


class MqttSimulator:
    """Devices at ``host:port``, from entering to leaving; ``port`` 0 brings a broker at a free one.

    `hold` fixes values, `silence` and `wake` a device, `publish` speaks at once. ``login`` is for
    a broker that asks for one.
    """

    def __init__(
        self,
        devices: Sequence[DeviceDefinition],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        login: tuple[str, str] | None = None,
        counting: bool = False,
        period_ms: int = PERIOD_MS,
        truth: Truth | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.host = host
        self.port = port
        self.truth = truth if truth is not None else Truth()
        self._login = login
        self._counting = counting
        self._period_ms = period_ms
        self._now_ms = now_ms
        self._sources = {device.name: _Source(device, seed) for device in devices}
        self._stack = AsyncExitStack()
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()

    @property
    def endpoint(self) -> str:
        """The endpoint to connect to."""
        return f"mqtt://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        try:
            if not self.port or not _listens(self.host, self.port):
                from simulators.broker import EmbeddedBroker  # noqa: PLC0415  an extra

                broker = EmbeddedBroker(self.host, self.port)
                self.port = (await self._stack.enter_async_context(broker)).port
            for work in (self._stay_connected(), self._speak()):
                self._stack.push_async_callback(ended, asyncio.create_task(work))
            async with asyncio.timeout(10):
                await self._connected.wait()
        except TimeoutError as error:
            await self._stack.aclose()
            raise OSError(f"the broker at {self.host}:{self.port} takes no publisher") from error
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def hold(self, device: str, values: Mapping[str, Value]) -> None:
        """Give tags these raw values, hold them there, and publish them now unless silenced."""
        source = self._sources[device]
        for row in source.rows():
            if row.tag.name in values:
                row.value, row.held = values[row.tag.name], True
        if not source.silent:
            await self.publish(device)

    async def silence(self, device: str) -> None:
        """Let a device say no more but, where it has a topic for that, that it is gone."""
        source = self._sources[device]
        source.silent = True
        await self._say_word(source, GONE)

    async def wake(self, device: str) -> None:
        """Let a silenced device speak again, at once."""
        self._sources[device].silent = False
        await self.publish(device)

    async def publish(self, device: str) -> None:
        """Speak now; returns when the broker has all of it."""
        source = self._sources[device]
        t_ms = self._now_ms()
        source.number += 1
        alive = source.options.alive
        if alive is not None:
            await self._say_word(source, alive.says)
        retain = source.options.retained == "last-known"
        for topic, (form, rows) in source.topics.items():
            for row in rows:
                row.move(t_ms, source.number if self._counting else None)
            await self._send(topic, source.payload(form, rows, t_ms), retain=retain)
            for row in rows:
                self.truth.serve(device, row.tag.name, row.value, t_ms)

    async def _say_word(self, source: _Source, word: str) -> None:
        alive = source.options.alive
        if alive is not None and alive.topic:
            await self._send(source.options.topic(alive.topic), word.encode(), retain=True)

    async def _send(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish; again on the next connection if this one breaks meanwhile."""
        while True:
            await self._connected.wait()
            client = self._client
            assert client is not None
            try:
                await client.publish(topic, payload, qos=_WORD_QOS, retain=retain, timeout=2)
            except aiomqtt.MqttError:
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _stay_connected(self) -> None:
        user, password = self._login or (None, None)
        while True:
            with suppress(aiomqtt.MqttError):
                # A connection that breaks before its CONNACK is noticed by the timeout alone.
                async with aiomqtt.Client(
                    self.host, self.port, username=user, password=password, keepalive=5, timeout=2
                ) as client:
                    self._client = client
                    self._connected.set()
                    async for _ in client.messages:  # none: it ends as the connection does
                        pass
            self._connected.clear()
            await asyncio.sleep(_RETRY_S)

    async def _speak(self) -> None:
        """All devices on the grid of the period."""
        while True:
            for source in self._sources.values():
                if not source.silent:
                    await self.publish(source.name)
            now_ms = self._now_ms()
            await asyncio.sleep((self._period_ms - now_ms % self._period_ms) / 1000)


def _listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _steps(text: str) -> Selector:
    found = parse_selector(text)
    assert isinstance(found, tuple), found
    return found


def _put(document: Any, steps: Selector, value: Any) -> Any:
    """The document with a value at a place; what is missing on the way there is made."""
    if not steps:
        return value
    step, *rest = steps
    if isinstance(step, str):
        inside = document if isinstance(document, dict) else {}
        return {**inside, step: _put(inside.get(step), tuple(rest), value)}
    listed = list(document) if isinstance(document, list) else []
    listed += [None] * (step + 1 - len(listed))
    listed[step] = _put(listed[step], tuple(rest), value)
    return listed


def _shown(row: _Row, time_form: str) -> Any:
    if row.is_time and isinstance(row.value, int):
        return _moment(row.value, time_form)
    return row.value


def _moment(t_ms: int, form: str) -> int | float | str:
    if form == "unix-ms":
        return t_ms
    if form == "unix-s":
        return t_ms / 1000
    return datetime.fromtimestamp(t_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
