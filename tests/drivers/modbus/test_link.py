"""Several units behind one connection: who is read when, what is said, and what is said of it."""

import asyncio
import itertools
import time
from collections import defaultdict
from contextlib import asynccontextmanager

import pytest

from drivers.contract import listen, wall_clock_ms
from drivers.driver import DeviceDown, DeviceUp, LinkError
from drivers.heard import Heard
from drivers.modbus import link as link_module
from drivers.modbus import polls
from drivers.modbus.addresses import Area
from drivers.modbus.driver import MODBUS, host_and_port
from mappings.batch import Batch
from mappings.quality import BAD, GOOD
from simulators.modbus import ModbusSimulator
from tests.support.modbus import definition, device, endpoint, tag
from tests.support.modbus_peer import HostilePeer
from tests.support.wait import until


def registers(count, scan_ms=50, wire_type="uint16"):
    width = 1 if wire_type == "uint16" else 2
    return [tag(f"R{n}", f"holding:{n * width}", wire_type, scan_ms=scan_ms) for n in range(count)]


def simulated(*devices, **options):
    return ModbusSimulator([definition(d) for d in devices], **options)


async def collect(events, heard, seconds):
    """Take events for a while; afterwards they are over."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                heard.take(await anext(events))
    except TimeoutError:
        pass


@asynccontextmanager
async def followed(link, heard):
    """Take events all the time, in the background."""

    async def follow():
        async for event in link.events():
            heard.take(event)

    following = asyncio.ensure_future(follow())
    try:
        yield following
        assert not following.done(), following.exception()
    finally:
        following.cancel()
        await asyncio.wait([following])


async def some_polls(simulator, count):
    """Wait until the simulator has answered so many more requests."""
    before = len(simulator.requests)
    await until(lambda: len(simulator.requests) >= before + count, what="requests")


def batches(heard, name=None):
    return [e for e in heard.events if isinstance(e, Batch) and name in {None, e.device}]


async def test_three_units_each_at_its_own_pace():
    fast, slow = device("Fast", 1, registers(3, 50)), device("Slow", 2, registers(3, 400))
    mixed = device("Mixed", 3, [tag("a", "HR1", scan_ms=50), tag("b", "HR2", scan_ms=400)])
    async with simulated(fast, slow, mixed, counting=True) as simulator:
        target = endpoint(simulator.endpoint, (fast, slow, mixed))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            await collect(link.events(), heard, 2.0)
            assert link.skipped < 10
    assert heard.up == {"Fast", "Slow", "Mixed"}
    reads = defaultdict(int)
    for unit, _area, first, count in simulator.requests:
        reads[unit, first, count] += 1
    assert set(reads) == {(1, 0, 3), (2, 0, 3), (3, 0, 1), (3, 1, 1)}
    for place in ((1, 0, 3), (3, 0, 1)):
        assert 25 <= reads[place] <= 41, reads
    for place in ((2, 0, 3), (3, 1, 1)):
        assert 4 <= reads[place] <= 6, reads


async def test_not_one_sample_is_missing():
    """In counting mode each read sees the next number; all of them arrive, in order, once."""
    plant = (
        device("A", 1, [*registers(200, 20), tag("coil", "C1", "bool", scan_ms=20)]),
        device("B", 2, registers(70, 30, "float32"), word_order="CDAB"),
    )
    numbers = defaultdict(list)
    async with simulated(*plant, counting=True) as simulator:
        target = endpoint(simulator.endpoint, plant)
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            await collect(link.events(), heard, 1.5)
    for batch in batches(heard):
        for point, value in zip(batch.points, batch.values, strict=True):
            numbers[batch.device, point].append(value)
    for (name, point), seen in numbers.items():
        row = next(d for d in plant if d.name == name).tags[point]
        assert len(seen) > 10
        if row.wire_type == "bool":
            assert seen == [n % 2 == 0 for n in range(len(seen))]
        else:
            assert seen == list(range(1, len(seen) + 1))
        # the last answer may have been cut off by leaving
        assert simulator.counting.served(name, row.name) - len(seen) <= 1
    assert len(numbers) == 271


async def test_values_are_what_the_device_held_at_that_time():
    rows = [
        tag("Temperature", "HR1", "float32", scan_ms=50),
        tag("Energy", "HR3", "uint64", "CDABGHEF", scan_ms=50),
        tag("Running", "C5", "bool", scan_ms=50),
        tag("Alarm", "HR7.9", "bool", scan_ms=50),
        tag("Flow", "30001", "int16", scan_ms=50),
    ]
    unit = device("Pump", 9, rows, word_order="BADC")
    async with simulated(unit, step_ms=20) as simulator:
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            await collect(link.events(), heard, 1.0)
    compared = 0
    for batch in batches(heard):
        for point, value, t in zip(batch.points, batch.values, batch.times_ms, strict=True):
            assert simulator.truth.was("Pump", rows[point].name, value, t, 250)
            compared += 1
    assert compared > 20


async def test_what_did_not_change_is_not_repeated():
    unit = device("Pump", 1, [*registers(3), tag("on", "C1", "bool", scan_ms=50)])
    async with simulated(unit) as simulator:
        simulator.hold("Pump", {"R0": 1, "R1": 2, "R2": 3, "on": True})
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link, followed(link, heard):
            await some_polls(simulator, 12)
            assert len(batches(heard)) == 1
            simulator.hold("Pump", {"R1": 7})
            await until(lambda: len(batches(heard)) == 2, what="the new value")
            await some_polls(simulator, 12)
    assert sorted(batches(heard)[1].points) == [0, 1, 2]  # its block, and not the coil
    assert len(batches(heard)) == 2


async def test_the_same_set_of_points_is_the_same_object():
    unit = device("Pump", 1, [*registers(3), tag("on", "C1", "bool", scan_ms=50)])
    async with simulated(unit, counting=True) as simulator:
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            await collect(link.events(), heard, 0.5)
    seen = {id(batch.points) for batch in batches(heard)}
    assert len(batches(heard)) > 5
    assert len(seen) == 1
    assert sorted(batches(heard)[0].points) == [0, 1, 2, 3]
    assert batches(heard)[0].qualities is None


async def test_a_refused_row_does_not_poison_its_neighbours():
    unit = device("Pump", 1, registers(125))
    async with simulated(unit) as simulator:
        simulator.hold("Pump", {f"R{n}": n for n in range(125)})
        simulator.refuse("Pump", Area.HOLDING, 77, 77)
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link, followed(link, heard):
            await until(lambda: heard.up == {"Pump"}, what="up")
            assert len(simulator.requests) <= 1 + 2 * link_module.CUTS_PER_POLL
            assert [p for p in range(125) if heard.qualities["Pump", p] == BAD] == [77]
            (bad,) = [b for b in batches(heard) if b.qualities is not None]
            assert (bad.points, list(bad.values), list(bad.natives)) == ((77,), [None], [2])
            assert all(heard.values["Pump", p] == p for p in range(125) if p != 77)
            simulator.requests.clear()
            await some_polls(simulator, 50)
            places = {(first, count) for _, _, first, count in simulator.requests}
            assert (0, 125) not in places  # the cuts are remembered
            assert (77, 1) in places
            assert len(places) <= 8
            assert len([b for b in batches(heard) if b.qualities is not None]) == 1
            simulator.allow("Pump")
            await until(lambda: heard.values["Pump", 77] == 77, what="the row is good")
            assert heard.qualities["Pump", 77] == GOOD


async def test_several_refused_rows_are_found():
    unit = device("Pump", 1, registers(120))
    async with simulated(unit) as simulator:
        for place in (3, 50, 51, 119):
            simulator.refuse("Pump", Area.HOLDING, place, place, code=3)
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            await listen(
                link.events(),
                heard,
                lambda: (
                    "Pump" in heard.up
                    and [p for p in range(120) if heard.qualities["Pump", p] == BAD]
                    == [3, 50, 51, 119]
                ),
                5,
            )


async def test_a_block_without_one_readable_row_stays_one_request(monkeypatch):
    monkeypatch.setattr(polls, "UNCUT_POLLS", 5)
    unit = device("Pump", 1, registers(6))
    async with simulated(unit) as simulator:
        simulator.hold("Pump", {f"R{n}": n for n in range(6)})
        simulator.refuse("Pump", Area.HOLDING, 0, 5)
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link, followed(link, heard):
            await until(lambda: heard.up == {"Pump"}, what="up")
            assert {heard.qualities["Pump", p] for p in range(6)} == {BAD}
            simulator.requests.clear()
            await some_polls(simulator, 3)
            assert set(simulator.requests) == {(1, "holding", 0, 6)}
            simulator.allow("Pump")
            simulator.refuse("Pump", Area.HOLDING, 5, 5)  # later one row alone is to blame
            await until(
                lambda: [heard.qualities["Pump", p] for p in range(6)] == [GOOD] * 5 + [BAD],
                what="five good rows",
            )


@pytest.mark.parametrize("code", [1, 6])
async def test_exceptions_that_blame_no_row_cut_nothing(code):
    unit = device("Pump", 1, registers(6))
    async with simulated(unit) as simulator:
        simulator.refuse("Pump", Area.HOLDING, 2, 2, code=code)
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link, followed(link, heard):
            await some_polls(simulator, 5)
            assert set(simulator.requests) == {(1, "holding", 0, 6)}
            (bad,) = batches(heard)
            assert list(bad.natives) == [code] * 6
            simulator.allow("Pump")
            await until(lambda: heard.qualities["Pump", 0] == GOOD, what="good")


async def test_what_was_bad_is_said_again_though_its_bytes_are_the_old_ones():
    unit = device("Pump", 1, registers(3))
    async with simulated(unit) as simulator:
        simulator.hold("Pump", {"R0": 1, "R1": 2, "R2": 3})
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link, followed(link, heard):
            await until(lambda: heard.up == {"Pump"}, what="up")
            simulator.refuse("Pump", Area.HOLDING, 0, 2, code=6)
            await until(lambda: set(heard.qualities.values()) == {BAD}, what="bad")
            simulator.allow("Pump")
            await until(lambda: set(heard.qualities.values()) == {GOOD}, what="good again")
            assert [heard.values["Pump", point] for point in range(3)] == [1, 2, 3]


async def test_a_silent_unit_costs_one_timeout_for_each_try():
    silent, lively = device("Silent", 1, registers(300)), device("Lively", 2, registers(3))
    async with simulated(silent, lively, counting=True) as simulator:
        simulator.silence("Silent")
        target = endpoint(simulator.endpoint, (silent, lively), timeout_ms=300)
        heard = Heard(target)
        times = []
        async with MODBUS.open(target, wall_clock_ms) as link:
            events = link.events()
            end = time.monotonic() + 3
            while time.monotonic() < end:
                event = await anext(events)
                heard.take(event)
                if isinstance(event, Batch):
                    times.append(time.monotonic())
            downs = [e for e in heard.events if isinstance(e, DeviceDown)]
            assert [d.device for d in downs] == ["Silent"]
            assert "unit 1 at 127.0.0.1" in downs[0].reason
            assert "did not answer within 0.3 s" in downs[0].reason
            assert not batches(heard, "Silent")
            gaps = [b - a for a, b in itertools.pairwise(times)]
            assert sum(gap > 0.25 for gap in gaps) <= 2  # tries after 1 s and 2 s more
            assert max(gaps) < 0.3 + 0.25
            assert len(times) > 30
            simulator.wake("Silent")
            await listen(events, heard, lambda: "Silent" in heard.up, 6)
    assert len(batches(heard, "Silent")[0]) == 300


async def test_a_gateway_that_cannot_reach_a_unit():
    far, near = device("Far", 1, registers(3)), device("Near", 2, registers(3))
    async with simulated(far, near) as simulator:
        simulator.refuse("Far", Area.HOLDING, 0, 2, code=0x0B)
        target = endpoint(simulator.endpoint, (far, near))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            events = link.events()
            await listen(events, heard, lambda: heard.up == {"Near"} and len(heard.events) > 5, 5)
            (down,) = [e for e in heard.events if isinstance(e, DeviceDown)]
            assert (down.device, down.reason) == (
                "Far",
                "the gateway says that unit 1 does not answer",
            )
            assert heard.up == {"Near"}
            simulator.allow("Far")
            await listen(events, heard, lambda: heard.up == {"Near", "Far"}, 5)


async def test_a_unit_that_comes_back_says_everything_again():
    unit, other = device("Pump", 1, registers(3)), device("Fan", 2, registers(1))
    async with simulated(unit, other) as simulator:
        simulator.hold("Pump", {"R0": 1, "R1": 2, "R2": 3})
        target = endpoint(simulator.endpoint, (unit, other), timeout_ms=100)
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            events = link.events()
            await listen(events, heard, lambda: len(heard.up) == 2, 5)
            simulator.silence("Pump")
            await listen(events, heard, lambda: heard.up == {"Fan"}, 5)
            simulator.wake("Pump")
            already = len(heard.events)
            await listen(events, heard, lambda: len(heard.up) == 2, 5)
    said = [e for e in heard.events[already:] if getattr(e, "device", "") == "Pump"]
    assert [type(e) for e in said] == [Batch, DeviceUp]
    assert sorted(said[0].points) == [0, 1, 2]


async def test_silence_of_all_units_ends_the_link(monkeypatch):
    monkeypatch.setattr(link_module, "SILENCE_S", 1.0)
    unit = device("Pump", 7, registers(3))
    async with simulated(unit) as simulator:
        simulator.freeze()
        target = endpoint(simulator.endpoint, (unit,), timeout_ms=100)
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            with pytest.raises(LinkError, match="no unit has answered") as caught:
                await collect(link.events(), heard, 10)
    assert "unit 7" in caught.value.remedy
    assert [type(e) for e in heard.events] == [DeviceDown]


async def test_a_gateway_that_answers_for_silent_units_keeps_its_link(monkeypatch):
    monkeypatch.setattr(link_module, "SILENCE_S", 0.1)
    monkeypatch.setattr(link_module, "FIRST_RETRY_S", 0.2)
    monkeypatch.setattr(link_module, "LAST_RETRY_S", 0.2)
    unit = device("Far", 1, registers(3))
    async with simulated(unit) as simulator:
        simulator.refuse("Far", Area.HOLDING, 0, 2, code=0x0B)
        target = endpoint(simulator.endpoint, (unit,), timeout_ms=30)
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link, followed(link, heard):
            await some_polls(simulator, 5)
        assert [type(e) for e in heard.events] == [DeviceDown]


async def test_wrong_answers_are_bad_and_then_end_the_link():
    async def answer(asked, send):
        send(asked.frame(asked.body(count=asked.count + 1)))

    unit = device("Pump", 7, registers(3))
    async with HostilePeer(answer) as peer:
        target = endpoint(f"tcp://127.0.0.1:{peer.port}", (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            with pytest.raises(LinkError, match="wrong answers: 8 bytes of data for 6"):
                await collect(link.events(), heard, 10)
    bad, up = heard.events
    assert (list(bad.qualities), list(bad.natives)) == ([BAD] * 3, [0] * 3)
    assert up == DeviceUp("Pump")


async def test_a_clock_set_back_does_not_turn_time_round():
    unit = device("Pump", 1, registers(3))
    clock = iter([5_000, 1_000, 900])
    last = [0]

    def now_ms():
        last[0] = next(clock, last[0] + 1)
        return last[0]

    async with simulated(unit, counting=True) as simulator:
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, now_ms) as link:
            await collect(link.events(), heard, 0.4)
    assert [b.times_ms[0] for b in batches(heard)][:3] == [5_000, 5_000, 5_000]


async def test_a_slow_device_skips_polls_and_says_so():
    unit = device("Pump", 1, registers(3, 20))
    async with simulated(unit, counting=True) as simulator:
        simulator.delay_s = 0.05
        target = endpoint(simulator.endpoint, (unit,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            await collect(link.events(), heard, 0.6)
            assert link.skipped >= 8
    values = [b.values[0] for b in batches(heard)]
    assert values == list(range(1, len(values) + 1))


async def test_a_device_without_rows_is_up():
    empty = device("Empty", 1, ())
    async with simulated(empty) as simulator:
        target = endpoint(simulator.endpoint, (empty,))
        heard = Heard(target)
        async with MODBUS.open(target, wall_clock_ms) as link:
            events = link.events()
            heard.take(await anext(events))
            simulator.drop_connections()
            with pytest.raises(LinkError):
                await collect(events, heard, 5)
    assert heard.up == {"Empty"}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tcp://10.0.4.11", ("10.0.4.11", 502)),
        ("tcp://plc.example:1502", ("plc.example", 1502)),
        ("tcp://[::1]:1502", ("::1", 1502)),
    ],
)
def test_endpoints(url, place):
    assert host_and_port(url) == place


@pytest.mark.parametrize("url", ["tcp://", "tcp://host:port", "tcp://host:99999", "10.0.4.11"])
def test_endpoints_that_are_none(url):
    with pytest.raises(LinkError, match="is no endpoint"):
        host_and_port(url)
