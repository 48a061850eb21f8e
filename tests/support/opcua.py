"""Devices for the tests of OPC UA: rows, definitions, endpoints, and a log of what a link says."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from drivers.driver import Device, DeviceUp, Endpoint, Event, Fresh, Link, LinkError
from drivers.opcua.config import DeviceOptions, LinkOptions
from drivers.opcua.driver import OPCUA
from mappings.batch import Batch, Value
from mappings.datatypes import WIRE_TYPES
from mappings.plant.definitions import DeviceDefinition
from mappings.quality import GOOD
from mappings.tags import Metric, Tag
from tests.support.wait import until

URI = "urn:tests:line"
OTHER_URI = "urn:tests:types"
NAMESPACES = {"line": URI, "types": OTHER_URI}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def row(name: str, wire_type: str, address: str = "", scan_ms: int = 100) -> Tag:
    return Tag(name=name, address=address or f"line;s={name}", wire_type=wire_type, scan_ms=scan_ms)


def definition(
    name: str,
    tags: Iterable[Tag],
    namespaces: dict[str, str] | None = None,
    **options: Any,
) -> DeviceDefinition:
    options.setdefault("publish_interval", 100)
    tags = tuple(tags)
    return DeviceDefinition(
        name=name,
        description="",
        options=DeviceOptions(namespaces=namespaces or NAMESPACES, **options),
        tags=tags,
        metrics=tuple(
            Metric(id=t.name, name=t.name, datatype=WIRE_TYPES[t.wire_type].datatype) for t in tags
        ),
    )


def endpoint(
    url: str,
    devices: Sequence[DeviceDefinition],
    *,
    login: tuple[str, str] | None = None,
    timeout_ms: int = 1_000,
    pki_folder: Path | None = None,
    **options: Any,
) -> Endpoint:
    return Endpoint(
        name="line",
        url=url,
        options=LinkOptions.model_validate(
            {"security": "insecure", "timeout": timeout_ms, **options}
        ),
        devices=tuple(Device(name=d.name, options=d.options, tags=d.tags) for d in devices),
        login=login,
        pki_folder=pki_folder,
    )


class Log:
    """Follows a link in a task of its own: all events, all values of each point, the end."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.values: dict[tuple[str, int], list[tuple[Value, int, int, int]]] = {}
        self.up: list[str] = []
        self.fresh: list[Fresh] = []
        self.end: BaseException | None = None

    def take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, DeviceUp):
            self.up.append(event.device)
        if isinstance(event, Fresh):
            self.fresh.append(event)
        if not isinstance(event, Batch):
            return
        size = len(event)
        columns = zip(
            event.points,
            event.values,
            event.times_ms,
            event.qualities or [GOOD] * size,
            event.natives or [0] * size,
            strict=True,
        )
        for point, *rest in columns:
            self.values.setdefault((event.device, point), []).append(tuple(rest))

    def last(self, device: str, point: int) -> tuple[Value, int, int, int]:
        """Value, time, quality, native code; zeros if nothing was said yet."""
        return self.values.get((device, point), [(None, 0, -1, -1)])[-1]

    async def ended(self, within_s: float) -> LinkError:
        await until(lambda: self.end, what="the link ends", timeout_s=within_s)
        assert isinstance(self.end, LinkError), repr(self.end)
        return self.end


@contextlib.asynccontextmanager
async def following(target: Endpoint) -> AsyncIterator[tuple[Log, Link]]:
    """Open a link and follow it."""
    log = Log()

    async def follow(link: Link) -> None:
        try:
            async for event in link.events():
                log.take(event)
        except Exception as error:  # noqa: BLE001  kept for the test to look at
            log.end = error

    async with OPCUA.open(target, now_ms) as link:
        task = asyncio.create_task(follow(link))
        try:
            yield log, link
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
