"""Sources for the tests of MQTT: rows, definitions, endpoints, and a publisher."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from drivers.driver import Device, Endpoint, Event, Identity
from drivers.heard import Heard
from drivers.mqtt.config import DeviceOptions, LinkOptions
from drivers.mqtt.driver import MQTT
from drivers.mqtt.link import MqttLink
from mappings.datatypes import wire_type
from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Metric, Tag
from tests.support.broker import Mosquitto


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def row(name: str, word: str = "float64", address: str = "") -> Tag:
    return Tag(name=name, address=address or f"t $.{name}", wire_type=word)


def definition(name: str, tags: Iterable[Tag], **options: Any) -> DeviceDefinition:
    tags = tuple(tags)
    metrics = []
    for tag in tags:
        wire = wire_type(tag.wire_type)
        assert wire is not None
        metrics.append(Metric(id=tag.name, name=tag.name, datatype=wire.datatype))
    return DeviceDefinition(
        name=name,
        description="",
        options=DeviceOptions.model_validate(options),
        tags=tags,
        metrics=tuple(metrics),
    )


def endpoint(
    url: str,
    devices: Sequence[DeviceDefinition],
    *,
    login: tuple[str, str] | None = None,
    identity: Identity | None = None,
    **options: Any,
) -> Endpoint:
    return Endpoint(
        name="line",
        url=url,
        options=LinkOptions.model_validate(options),
        devices=tuple(Device(name=d.name, options=d.options, tags=d.tags) for d in devices),
        login=login,
        identity=identity,
    )


@asynccontextmanager
async def publisher(broker: Mosquitto, **options: Any) -> AsyncIterator[aiomqtt.Client]:
    """Someone who publishes; QoS 1 unless asked otherwise."""
    async with aiomqtt.Client(broker.host, broker.port, **options) as client:
        yield client


class Listening:
    """What an open link has said so far, as it is said."""

    def __init__(self, link: MqttLink, heard: Heard) -> None:
        self.link = link
        self.heard = heard

    @property
    def events(self) -> list[Event]:
        return self.heard.events

    async def until(self, condition: Callable[[], object], within_s: float = 5.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"the last events: {self.events[-4:]}"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(to: Endpoint) -> AsyncIterator[Listening]:
    """An open link whose events are taken, and held against the contract."""
    async with MQTT.open(to, now_ms) as link:
        assert isinstance(link, MqttLink)
        heard = Heard(to)

        async def take() -> None:
            async for event in link.events():
                heard.take(event)

        taking = asyncio.create_task(take())
        try:
            yield Listening(link, heard)
        finally:
            taking.cancel()
            (outcome,) = await asyncio.gather(taking, return_exceptions=True)
            if isinstance(outcome, AssertionError):
                raise outcome
