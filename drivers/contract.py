"""The suite that every driver must pass, shipped so that third parties can run it too.

Give it a harness (a device with known tags that can be started, changed and killed) and inherit::

    class TestMine(DriverContract):
        @pytest.fixture
        async def harness(self):
            async with MyHarness() as harness:
                yield harness

It holds a driver to the promises written in `drivers.driver`: what `events` reports and when, what
`LinkError` says, how fast a link is left, what a batch may contain. A device that falls silent
must not silence the others; only a protocol whose devices are parts of one server, and silent
together, may inherit `OneServerContract`, which is the same without that promise. Needs pytest
and pytest-asyncio.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

import pytest

from drivers.driver import Driver, Endpoint, Event, LinkError
from drivers.heard import Heard
from mappings.batch import Value
from mappings.quality import GOOD

FIRST_REPORT_S = 10.0
"""How long a healthy device may take until it is up."""
LOSS_S = 10.0
"""How long a driver may take to notice that its connection is gone."""
LEAVE_S = 2.0
"""How long leaving a link may take, with a dead peer too."""
SETTLE_S = 20.0
"""How long a device may take to be noticed as down, or as up again."""


class Harness(Protocol):
    """A device under test. Every method returns when what it says has happened."""

    driver: Driver
    endpoint: Endpoint
    """Two devices at least, each with two tags at least, answering now."""
    nowhere: Endpoint
    """The same, but nobody listens there."""

    async def change(self) -> dict[tuple[str, int], Value]:
        """Give every tag a new value; what each (device, point index) holds now."""
        ...

    async def kill(self) -> None:
        """End the server, and with it each connection."""
        ...

    async def restore(self) -> None:
        """Start the server again, where it was, with the same values."""
        ...

    async def freeze(self) -> None:
        """Let the peer answer nothing any more, on connections that stay open.

        `kill` and the end of the test must work afterwards.
        """
        ...


class HarnessOfMany(Harness, Protocol):
    """Devices under test that can fall silent one by one."""

    async def silence(self, device: str) -> None:
        """Let one device stop answering, not the others."""
        ...

    async def wake(self, device: str) -> None:
        """Let a silenced device answer again."""
        ...


def wall_clock_ms() -> int:
    """The clock that links are opened with."""
    return time.time_ns() // 1_000_000


async def listen(
    events: AsyncIterator[Event], heard: Heard, until: Callable[[], bool], within_s: float
) -> None:
    """Take events until the condition holds; fail after ``within_s``."""
    try:
        async with asyncio.timeout(within_s):
            while not until():
                heard.take(await anext(events))
    except TimeoutError:
        pytest.fail(f"not within {within_s} s; the last events: {heard.events[-3:]}")


async def ended(events: AsyncIterator[Event], heard: Heard, within_s: float) -> LinkError:
    """Take events until they end; the error that they ended with."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                heard.take(await anext(events))
    except LinkError as error:
        return error
    except StopAsyncIteration:
        pytest.fail("events ended without LinkError")
    except TimeoutError:
        pytest.fail(f"the link did not end within {within_s} s")


@pytest.mark.asyncio
class OneServerContract:
    """For devices that are parts of one server: inherit, and give a ``harness`` fixture."""

    @pytest.fixture
    def harness(self) -> Harness:
        """The device under test; each driver's tests give their own."""
        raise NotImplementedError

    async def test_opens_and_reports_every_tag_then_device_up(self, harness: Harness) -> None:
        """Each tag is said once at least before its device is up."""
        heard = Heard(harness.endpoint)
        names = {device.name for device in harness.endpoint.devices}
        assert len(names) >= 2, "the harness needs two devices"
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            await listen(link.events(), heard, lambda: heard.up == names, FIRST_REPORT_S)
        assert set(heard.qualities.values()) == {GOOD}

    async def test_reports_what_changes(self, harness: Harness) -> None:
        """A new value at the device is the last value heard."""
        heard = Heard(harness.endpoint)
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            events = link.events()
            count = len(harness.endpoint.devices)
            await listen(events, heard, lambda: len(heard.up) == count, FIRST_REPORT_S)
            wanted = await harness.change()
            await listen(
                events,
                heard,
                lambda: all(heard.values[key] == value for key, value in wanted.items()),
                FIRST_REPORT_S,
            )

    async def test_times_are_near_now(self, harness: Harness) -> None:
        """A time is in milliseconds since 1970, UTC, and not in the future."""
        heard = Heard(harness.endpoint)
        began_ms = wall_clock_ms()
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            await listen(link.events(), heard, lambda: bool(heard.up), FIRST_REPORT_S)
        for time_ms in heard.times_ms.values():
            assert began_ms - 60_000 <= time_ms <= wall_clock_ms() + 1_000

    async def test_nowhere_raises_link_error(self, harness: Harness) -> None:
        """A link that cannot be opened says what was seen and what to check."""
        began = time.monotonic()
        with pytest.raises(LinkError) as caught:
            async with harness.driver.open(harness.nowhere, wall_clock_ms):
                pytest.fail("opened a link to nowhere")
        assert caught.value.seen.strip()
        assert "\n" not in caught.value.seen
        assert caught.value.remedy.strip()
        assert time.monotonic() - began < LOSS_S

    async def test_lost_connection_ends_the_link(self, harness: Harness) -> None:
        """The death of the server ends `events` with `LinkError`, soon."""
        heard = Heard(harness.endpoint)
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            events = link.events()
            count = len(harness.endpoint.devices)
            await listen(events, heard, lambda: len(heard.up) == count, FIRST_REPORT_S)
            await harness.kill()
            error = await ended(events, heard, LOSS_S)
        assert error.seen.strip()
        assert error.remedy.strip()

    async def test_opens_again_after_a_loss(self, harness: Harness) -> None:
        """A new link after a loss reports every tag again."""
        await harness.kill()
        with suppress(LinkError):
            async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
                await ended(link.events(), Heard(harness.endpoint), LOSS_S)
        await harness.restore()
        heard = Heard(harness.endpoint)
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            count = len(harness.endpoint.devices)
            await listen(link.events(), heard, lambda: len(heard.up) == count, SETTLE_S)

    async def test_leaving_is_quick(self, harness: Harness) -> None:
        """Leaving a healthy link takes no time worth mentioning."""
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            await anext(link.events())
            began = time.monotonic()
        assert time.monotonic() - began < LEAVE_S

    async def test_leaving_a_dead_peer_is_quick(self, harness: Harness) -> None:
        """A peer that answers nothing does not hold whoever wants to leave."""
        heard = Heard(harness.endpoint)

        async def follow(events: AsyncIterator[Event]) -> None:
            while True:
                heard.take(await anext(events))

        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            events = link.events()
            await listen(events, heard, lambda: bool(heard.up), FIRST_REPORT_S)
            await harness.freeze()
            following = asyncio.ensure_future(follow(events))
            await asyncio.wait([following], timeout=0.5)
            began = time.monotonic()
            following.cancel()
            await asyncio.wait([following])
        assert time.monotonic() - began < LEAVE_S

    async def test_checks_are_pure(self, harness: Harness) -> None:
        """The checks of a plant file pass known-good rows, and never connect.

        They are called with nobody listening, inside a loop whose connections are forbidden.
        """
        driver, endpoint = harness.driver, harness.nowhere
        loop = asyncio.get_running_loop()

        def forbidden(*_: object, **__: object) -> None:
            pytest.fail("a check connected")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "create_connection", forbidden)
            patch.setattr("socket.socket.connect", forbidden)
            for device in endpoint.devices:
                for tag in device.tags:
                    assert driver.check_tag(tag, device.options) == []
                assert driver.check_device(device) == []
            assert driver.check_link(endpoint.devices) == []

    async def test_inherits_the_right_suite(self, harness: Harness) -> None:
        """Who can silence a single device owes the promise about the others."""
        assert hasattr(harness, "silence") is isinstance(self, DriverContract)

    async def test_describes_itself(self, harness: Harness) -> None:
        """Name, schemes and option models are what the plant file needs."""
        driver = harness.driver
        assert driver.name.isidentifier()
        assert driver.schemes
        assert harness.endpoint.url.split("://", maxsplit=1)[0] in driver.schemes
        for device in harness.endpoint.devices:
            assert isinstance(device.options, driver.device_model)
        assert isinstance(harness.endpoint.options, driver.link_model)
        for model in (driver.device_model, driver.link_model):
            assert model.model_config.get("extra") == "forbid", "unknown keys are errors"
            assert not {"endpoint", "link"} & set(model.model_fields)


class DriverContract(OneServerContract):
    """What every driver must pass: inherit, and give a ``harness`` fixture."""

    @pytest.fixture
    def harness(self) -> HarnessOfMany:
        """The devices under test; each driver's tests give their own."""
        raise NotImplementedError

    async def test_one_dead_device_does_not_stop_the_others(self, harness: HarnessOfMany) -> None:
        """A device that is silent goes down alone, and comes back with all its tags."""
        heard = Heard(harness.endpoint)
        dead, *others = [device.name for device in harness.endpoint.devices]
        async with harness.driver.open(harness.endpoint, wall_clock_ms) as link:
            events = link.events()
            await listen(events, heard, lambda: len(heard.up) == len(others) + 1, FIRST_REPORT_S)
            await harness.silence(dead)
            await listen(events, heard, lambda: dead not in heard.up, SETTLE_S)
            assert heard.up == set(others)
            wanted = {
                key: value for key, value in (await harness.change()).items() if key[0] != dead
            }
            await listen(
                events,
                heard,
                lambda: all(heard.values[key] == value for key, value in wanted.items()),
                SETTLE_S,
            )
            assert dead not in heard.up
            for key in [key for key in heard.values if key[0] == dead]:
                del heard.values[key]
            await harness.wake(dead)
            await listen(events, heard, lambda: dead in heard.up, SETTLE_S)
