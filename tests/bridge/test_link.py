"""Supervision: whatever a link does, it ends alone, is opened again, and its devices are judged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
import structlog
from pydantic import BaseModel

from bridge.backoff import Backoff
from bridge.border import Border, ContractError
from bridge.link import Supervision
from drivers.driver import Device, DeviceDown, DeviceUp, Endpoint, LinkError
from mappings.batch import Batch
from mappings.quality import BAD, GOOD
from mappings.tags import Tag
from tests.support.wait import until


class Options(BaseModel):
    pass


@dataclass
class Scripted:
    """A driver whose connections play scripts: async functions that get a `say` callback."""

    scripts: list[Callable]
    opened: int = 0

    @contextlib.asynccontextmanager
    async def open(self, endpoint, now_ms) -> AsyncIterator["Scripted"]:
        script = self.scripts[min(self.opened, len(self.scripts) - 1)]
        self.opened += 1
        self._events: asyncio.Queue = asyncio.Queue()
        if script is None:
            raise LinkError("refused", "is it switched on?")
        self._script = script
        yield self

    async def events(self):
        async for event in self._script():
            yield event


@dataclass
class Recorder:
    heard: list = field(default_factory=list)

    def accept(self, batch):
        self.heard.append(batch)

    def device_up(self, device):
        self.heard.append(("up", device))

    def device_down(self, device):
        self.heard.append(("down", device))


def endpoint(*wire_types: str) -> Endpoint:
    tags = tuple(Tag(name=f"t{i}", address="", wire_type=word) for i, word in enumerate(wire_types))
    device = Device(name="D", options=Options(), tags=tags)
    return Endpoint(name="L", url="x://", options=Options(), devices=(device,))


@contextlib.asynccontextmanager
async def running(driver, receiver, *, down_after_ms=200, types=("float32",)):
    task = asyncio.create_task(
        Supervision(
            driver, endpoint(*types), receiver, now_ms=lambda: 0, down_after_ms=down_after_ms,
            backoff=Backoff(first_s=0.02, most_s=0.05),
        ).run()
    )  # fmt: skip
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


POINTS = (0,)


def good(value: float = 1.0) -> Batch:
    return Batch("D", POINTS, [value], [0])


async def healthy():
    yield good()
    yield DeviceUp("D")
    await asyncio.Event().wait()


async def brief():
    yield good()
    yield DeviceUp("D")
    raise LinkError("cut", "the cable?")


async def test_a_device_is_up_after_its_first_full_scan() -> None:
    receiver = Recorder()
    async with running(Scripted([healthy]), receiver):
        await until(lambda: ("up", "D") in receiver.heard, what="device up")
    assert receiver.heard == [good(), ("up", "D")]


async def test_a_short_loss_is_no_death() -> None:
    receiver = Recorder()
    driver = Scripted([brief, healthy])
    async with running(driver, receiver, down_after_ms=500):
        await until(lambda: driver.opened == 2 and len(receiver.heard) > 2, what="opened again")
        await asyncio.sleep(0.7)
    assert ("down", "D") not in receiver.heard
    assert receiver.heard.count(("up", "D")) == 1


async def test_a_long_loss_is_one_death_and_then_a_new_life() -> None:
    receiver = Recorder()
    driver = Scripted([brief, *[None] * 12, healthy])
    async with running(driver, receiver, down_after_ms=100):
        await until(lambda: receiver.heard.count(("up", "D")) == 2, what="up again")
    marks = [heard for heard in receiver.heard if isinstance(heard, tuple)]
    assert marks == [("up", "D"), ("down", "D"), ("up", "D")]


async def test_a_silent_device_goes_down_while_its_link_lives() -> None:
    async def silent():
        yield good()
        yield DeviceUp("D")
        yield DeviceDown("D", "no answer", "power?")
        await asyncio.Event().wait()

    receiver = Recorder()
    async with running(Scripted([silent]), receiver, down_after_ms=50):
        await until(lambda: ("down", "D") in receiver.heard, what="device down")


@pytest.mark.parametrize(
    "bad",
    [
        Batch("D", (0,), ["text"], [0]),
        Batch("D", (0,), [1.0, 2.0], [0]),
        Batch("D", (0,), [1.0], []),
        Batch("D", (5,), [1.0], [0]),
        Batch("D", (-1,), [1.0], [0]),
        Batch("D", (0,), [None], [0]),
        Batch("D", (0,), ["x"], [0], [BAD]),
        Batch("D", (), [], []),
        Batch("D", (0,), [1e400 * 0], [0], [BAD, BAD]),
        Batch("nobody", (0,), [1.0], [0]),
        "not an event",
    ],
)
async def test_a_batch_that_breaks_the_contract_ends_the_link_and_goes_nowhere(bad) -> None:
    async def broken():
        yield bad

    receiver = Recorder()
    driver = Scripted([broken, healthy])
    async with running(driver, receiver):
        await until(lambda: ("up", "D") in receiver.heard, what="opened again")
    assert receiver.heard == [good(), ("up", "D")]


async def test_an_exception_that_nobody_named_ends_the_link_and_is_tried_again() -> None:
    async def buggy():
        yield good()
        raise KeyError("unit")

    receiver = Recorder()
    driver = Scripted([buggy])
    async with running(driver, receiver):
        await until(lambda: driver.opened >= 4, what="opened again and again")
    assert receiver.heard.count(good()) >= 3


async def test_a_device_that_answers_in_part_after_its_death_is_born_again(monkeypatch) -> None:
    monkeypatch.setattr("bridge.link._BIRTH_PATIENCE_S", 0.1)

    async def partial():
        while True:
            yield good()
            await asyncio.sleep(0.01)

    receiver = Recorder()
    async with running(Scripted([brief, partial]), receiver, down_after_ms=50):
        await until(lambda: receiver.heard.count(("up", "D")) == 2, what="up again")
    assert ("down", "D") in receiver.heard


async def test_a_cancelled_future_inside_a_driver_ends_its_link_alone() -> None:
    async def cancelled():
        yield good()
        broken = asyncio.get_running_loop().create_future()
        broken.cancel()
        await broken

    receiver = Recorder()
    driver = Scripted([cancelled])
    async with running(driver, receiver):
        await until(lambda: driver.opened >= 3, what="opened again and again")


async def test_a_device_that_answers_without_a_full_scan_is_born_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr("bridge.link._BIRTH_PATIENCE_S", 0.05)

    async def partial():
        yield good()
        await asyncio.Event().wait()

    receiver = Recorder()
    async with running(Scripted([partial]), receiver, types=("float32", "float32")):
        await until(lambda: ("up", "D") in receiver.heard, what="patience ends")


@pytest.mark.parametrize(
    ("wire_type", "fits", "breaks"),
    [
        ("uint16", [0, 65535], [-1, 65536, 1.5, "1", None]),
        ("int8", [-128, 127], [128, -129]),
        ("uint64", [2**64 - 1], [2**64, -1]),
        ("int64", [-(2**63)], [2**63]),
        ("float32", [1.5, -0.0], ["1.5", None]),
        ("bool", [True, False], [1, 0.0, "yes", None]),
        ("string", ["", "Öl"], [1, b"x", None]),
    ],
)
@pytest.mark.parametrize("beside", [None, "bool"])
def test_the_border_knows_types_and_ranges(wire_type, fits, breaks, beside) -> None:
    words = [wire_type] if beside is None else [wire_type, beside]
    border = Border(endpoint(*words).devices[0])
    points = tuple(range(len(words)))
    rest = [] if beside is None else [True]
    for value in fits:
        border.check(Batch("D", points, [value, *rest], [0] * len(points)))
        border.check(Batch("D", points, [value, *rest], [0] * len(points), [GOOD] * len(points)))
    for value in breaks:
        for qualities in (None, [GOOD] * len(points)):
            with pytest.raises(ContractError):
                border.check(Batch("D", points, [value, *rest], [0] * len(points), qualities))


async def test_each_reason_of_a_silent_device_is_told_once_also_after_a_lost_link() -> None:
    """A wrong unit id was never told once the link had been lost before."""

    async def wrong_unit():
        yield DeviceDown("D", "no answer from unit 9", "is 9 its unit id?")
        yield DeviceDown("D", "no answer from unit 9", "is 9 its unit id?")
        raise LinkError("no unit has answered", "unit 9?")

    driver = Scripted([None, None, wrong_unit])
    with structlog.testing.capture_logs() as lines:
        async with running(driver, Recorder()):
            await until(lambda: driver.opened >= 5, what="opened again and again")
    told = [(line["event"], line.get("reason")) for line in lines if line["log_level"] == "warning"]
    assert told[:3] == [
        ("link lost", "refused"),
        ("device silent", "no answer from unit 9"),
        ("link lost", "no unit has answered"),
    ]
    assert told.count(("device silent", "no answer from unit 9")) == 1


async def test_a_connection_on_which_nothing_is_said_is_not_called_up() -> None:
    async def no_modbus():
        raise LinkError("closed the connection", "is it a web server?")
        yield

    driver = Scripted([no_modbus])
    with structlog.testing.capture_logs() as lines:
        async with running(driver, Recorder()):
            await until(lambda: driver.opened >= 4, what="opened again and again")
    assert [line["event"] for line in lines if line["log_level"] != "debug"] == ["link lost"]


async def test_tags_that_the_device_refuses_are_named_once() -> None:
    async def refusing():
        for value in (None, 1.0, None):
            quality = GOOD if value else BAD
            yield Batch("D", (0, 1), [1.0, value], [0, 0], [GOOD, quality], [0, 0x80340000])
        yield DeviceUp("D")
        await asyncio.Event().wait()

    receiver = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with running(Scripted([refusing]), receiver, types=("float32", "float32")):
            await until(lambda: ("up", "D") in receiver.heard, what="device up")
    told = [line for line in lines if line["event"] == "tags bad"]
    assert [(line["count"], line["tags"]) for line in told] == [(1, ["t1 at : code 0x80340000"])]
