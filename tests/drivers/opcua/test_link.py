"""A link against a real server: opening, values, rejected items, losses, silence, leaving."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time

import pytest
from asyncua import Server, ua

from drivers.driver import DeviceDown, DeviceUp, LinkError
from drivers.opcua import link as link_module
from drivers.opcua import nodes as nodes_module
from drivers.opcua import subscription as subscription_module
from drivers.opcua.driver import OPCUA, WIRE_TYPES
from drivers.opcua.variants import BAD_TYPE_MISMATCH
from mappings.quality import BAD, GOOD
from simulators.opcua import OpcUaSimulator
from simulators.signals import counted
from tests.support.forwarder import Forwarder
from tests.support.opcua import (
    NAMESPACES,
    OTHER_URI,
    URI,
    Log,
    definition,
    endpoint,
    following,
    now_ms,
    row,
)
from tests.support.wait import free_port, until

BAD_NODE_ID_UNKNOWN = int(ua.StatusCodes.BadNodeIdUnknown)


@contextlib.contextmanager
def quiet_loop():
    """Fail when a task's exception was never retrieved, or a coroutine never awaited."""
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    yield
    gc.collect()
    loop.set_exception_handler(None)
    assert complaints == []


async def up(log: Log, *devices: str) -> None:
    await until(lambda: log.end or set(devices) <= set(log.up), what=f"{devices} up", timeout_s=10)
    assert log.end is None, repr(log.end)


# --- opening ---


async def cannot_open(target) -> LinkError:
    with pytest.raises(LinkError) as caught, quiet_loop():
        async with OPCUA.open(target, now_ms):
            pytest.fail("opened")
    assert caught.value.seen
    assert caught.value.remedy
    return caught.value


async def test_refused_says_so():
    error = await cannot_open(endpoint(f"opc.tcp://127.0.0.1:{free_port()}", []))
    assert "connection refused" in error.seen


async def test_unknown_host_says_so():
    error = await cannot_open(endpoint("opc.tcp://no-such-host.invalid:4840", []))
    assert "not known" in error.seen


async def test_a_mute_server_times_out():
    async with await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        began = time.monotonic()
        error = await cannot_open(endpoint(f"opc.tcp://127.0.0.1:{port}", [], timeout_ms=300))
        assert "no answer within 300 ms" in error.seen
        assert time.monotonic() - began < 3


async def test_something_else_that_listens_is_named():
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as web:
        port = web.sockets[0].getsockname()[1]
        await cannot_open(endpoint(f"opc.tcp://127.0.0.1:{port}", []))


async def test_login():
    device = definition("Press", [row("Count", "int32")])
    simulator = OpcUaSimulator([device], users={"gateway": "geheim"})
    async with simulator:
        right = endpoint(simulator.endpoint, [device], login=("gateway", "geheim"))
        async with following(right) as (log, _):
            await up(log, "Press")
        wrong = await cannot_open(
            endpoint(simulator.endpoint, [device], login=("gateway", "falsch"))
        )
        assert "refused user 'gateway'" in wrong.seen
        assert "geheim" not in wrong.seen + wrong.remedy
        assert "falsch" not in wrong.seen + wrong.remedy
        anonymous = await cannot_open(endpoint(simulator.endpoint, [device]))
        assert "anonymous" in anonymous.seen
        assert "login" in anonymous.remedy


async def test_no_insecure_endpoint_lists_what_is_offered(tmp_path):
    from asyncua.crypto.cert_gen import setup_self_signed_certificate
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.der"
    await setup_self_signed_certificate(
        key, certificate, "urn:tests", "localhost", [ExtendedKeyUsageOID.SERVER_AUTH], {}
    )
    server = Server()
    await server.init()
    server._application_uri = "urn:tests"
    port = free_port()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    async with server:
        error = await cannot_open(endpoint(f"opc.tcp://127.0.0.1:{port}", []))
    assert "no endpoint without security" in error.seen


async def test_a_url_without_port_is_4840():
    from drivers.opcua.session import make_client

    assert make_client(endpoint("opc.tcp://plc", [])).server_url.netloc == "plc:4840"
    assert make_client(endpoint("opc.tcp://plc:99/x", [])).server_url.geturl().endswith("plc:99/x")


# --- values ---


async def test_every_type_arrives_as_it_was_served():
    device = definition("All", [row(word, word) for word in sorted(WIRE_TYPES - {"bytes"})])
    async with OpcUaSimulator([device]) as simulator:
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "All")
            await asyncio.sleep(1)  # let the signals move
        for point, tag in enumerate(device.tags):
            heard = log.values["All", point]
            assert heard
            for value, time_ms, quality, native in heard:
                assert (quality, native) == (GOOD, 0)
                assert simulator.truth.was("All", tag.name, value, time_ms), (tag.name, value)


async def test_devices_of_one_session_do_not_mix():
    one = definition("One", [row("A", "int32"), row("B", "int32")])
    two = definition("Two", [row("B", "string", "types;i=7"), row("A", "int32", "types;s=A")])
    async with OpcUaSimulator([one, two]) as simulator:
        await simulator.hold("One", {"A": 11})
        await simulator.hold("One", {"B": 12})
        await simulator.hold("Two", {"B": "21"})
        await simulator.hold("Two", {"A": 22})
        async with following(endpoint(simulator.endpoint, [one, two])) as (log, _):
            await up(log, "One", "Two")
        assert [log.last("One", 0)[0], log.last("One", 1)[0]] == [11, 12]
        assert [log.last("Two", 0)[0], log.last("Two", 1)[0]] == ["21", 22]


async def test_status_codes_become_qualities():
    device = definition("Press", [row("Count", "int32"), row("Other", "int32")])
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", {"Count": 7})
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            for status, expected in [
                (0x80050000, (None, BAD)),
                (0x40900000, (7, GOOD)),
                (0x00300000, (7, GOOD)),
                (0, (7, GOOD)),
            ]:
                await simulator.set_status("Press", "Count", status)
                await until(
                    lambda status=status: log.last("Press", 0)[3] == status, what=f"{status:#x}"
                )
                value, _, quality, _ = log.last("Press", 0)
                assert (value, quality) == expected


async def test_another_type_on_the_server_is_bad_and_said_once(caplog):
    served = definition("Press", [row("Count", "int16"), row("Other", "int32")])
    believed = definition("Press", [row("Count", "int32"), row("Other", "int32")])
    async with OpcUaSimulator([served]) as simulator:
        with caplog.at_level(logging.WARNING, "drivers.opcua"):
            async with following(endpoint(simulator.endpoint, [believed])) as (log, _):
                await up(log, "Press")
                await until(lambda: len(log.values["Press", 0]) > 2, what="more values")
    assert {entry[2:] for entry in log.values["Press", 0]} == {(BAD, BAD_TYPE_MISMATCH)}
    assert log.last("Press", 1)[2] == GOOD
    said = [r.getMessage() for r in caplog.records if "Int16" in r.getMessage()]
    assert len(said) == 1
    assert "Count" in said[0]


async def test_counting_loses_and_alters_nothing():
    tags = [row(f"N{n}", "int32", scan_ms=50) for n in range(50)]
    device = definition("Fast", tags)
    async with OpcUaSimulator([device], counting=True) as simulator:
        async with following(endpoint(simulator.endpoint, [device])) as (log, link):
            await up(log, "Fast")
            await asyncio.sleep(5)
        assert link.overflows == 0
        for point, tag in enumerate(tags):
            heard = log.values["Fast", point]
            numbers = [value for value, *_ in heard]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), tag.name
            assert len(numbers) >= 90
            for value, time_ms, quality, native in heard:
                assert (quality, native) == (GOOD, 0)
                assert simulator.truth.was("Fast", tag.name, value, time_ms)


async def test_a_queue_that_is_too_short_is_marked():
    """asyncua's server drops the oldest without the Overflow bit, so the bit is set by hand."""
    device = definition("Press", [row("Count", "int32")])
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", {"Count": 7})
        async with following(endpoint(simulator.endpoint, [device])) as (log, link):
            await up(log, "Press")
            await simulator.set_status("Press", "Count", 0x0480)
            await until(lambda: log.last("Press", 0)[3] == 0x0480, what="the marked value")
            assert log.last("Press", 0)[0] == 7
            assert link.overflows == 1


# --- namespaces and rejected items ---


async def test_a_namespace_is_found_wherever_it_moved():
    device = definition(
        "Press", [row("Count", "int32", "line;i=5"), row("Type", "int32", "types;i=5")]
    )
    simulator = OpcUaSimulator([device])
    async with simulator:
        await simulator.hold("Press", {"Count": 1})
        await simulator.hold("Press", {"Type": 2})
        for order in [(URI, OTHER_URI), (OTHER_URI, URI), ("urn:new", OTHER_URI, "urn:x", URI)]:
            await simulator.stop()
            await simulator.start(order)
            async with following(endpoint(simulator.endpoint, [device])) as (log, _):
                await up(log, "Press")
            assert [log.last("Press", 0)[0], log.last("Press", 1)[0]] == [1, 2]


async def test_a_missing_namespace_takes_its_device_down_and_brings_it_back(monkeypatch):
    monkeypatch.setattr(link_module, "RETRY_REJECTED_S", 0.2)
    here = definition("Here", [row("A", "int32")])
    gone = definition("Gone", [row("B", "int32", "types;s=B")])
    simulator = OpcUaSimulator([here, gone])
    await simulator.start([URI])
    try:
        async with following(endpoint(simulator.endpoint, [here, gone])) as (log, _):
            await up(log, "Here")
            (down,) = [event for event in log.events if isinstance(event, DeviceDown)]
            assert down.device == "Gone"
            assert OTHER_URI in down.reason
            assert URI in down.reason
            assert down.remedy
            assert log.last("Gone", 0)[2:] == (BAD, BAD_NODE_ID_UNKNOWN)
            await asyncio.sleep(0.6)
            assert sum(isinstance(event, DeviceDown) for event in log.events) == 1
            await simulator.load("urn:tests:types")
            await up(log, "Gone")
            assert log.last("Gone", 0)[2] == GOOD
    finally:
        await simulator.stop()


async def test_one_missing_namespace_of_two_makes_its_points_bad_only():
    device = definition("Press", [row("A", "int32"), row("B", "int32", "types;s=B")])
    simulator = OpcUaSimulator([device])
    await simulator.start([URI])
    try:
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            assert log.last("Press", 0)[2] == GOOD
            assert log.last("Press", 1)[2:] == (BAD, BAD_NODE_ID_UNKNOWN)
    finally:
        await simulator.stop()


async def test_a_rejected_node_is_bad_at_once_and_found_later(monkeypatch):
    monkeypatch.setattr(link_module, "RETRY_REJECTED_S", 0.2)
    device = definition("Press", [row("A", "int32"), row("B", "int32")])
    async with OpcUaSimulator([device]) as simulator:
        await simulator.delete("Press", "B")
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            assert log.last("Press", 1)[2:] == (BAD, BAD_NODE_ID_UNKNOWN)
            await asyncio.sleep(0.6)
            assert len(log.values["Press", 1]) == 1, "said once"
            await simulator.restore("Press", "B")
            await until(lambda: log.last("Press", 1)[2] == GOOD, what="B is found")
            assert log.up == ["Press"]


async def test_a_node_that_is_deleted_and_comes_back_is_found_again(monkeypatch):
    monkeypatch.setattr(link_module, "RETRY_REJECTED_S", 0.2)
    device = definition("Press", [row("A", "int32"), row("B", "int32")])
    async with (
        OpcUaSimulator([device]) as simulator,
        following(endpoint(simulator.endpoint, [device])) as (log, _),
    ):
        await up(log, "Press")
        await simulator.delete("Press", "B")
        await until(lambda: log.last("Press", 1)[2] == BAD, what="B is BAD")
        await simulator.restore("Press", "B")
        await until(lambda: log.last("Press", 1)[2] == GOOD, what="B is back")
        assert log.end is None


async def test_many_items_are_asked_for_in_blocks_that_the_server_takes(monkeypatch):
    monkeypatch.setattr(nodes_module, "PER_CALL", 40)
    device = definition("Big", [row(f"T{n}", "int16", scan_ms=10_000) for n in range(101)])
    async with OpcUaSimulator([device]) as simulator:
        service = simulator._server.iserver.subscription_service
        create, sizes = service.create_monitored_items, []

        async def limited(params):
            sizes.append(len(params.ItemsToCreate))
            if sizes[-1] > 15:
                raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
            return await create(params)

        monkeypatch.setattr(service, "create_monitored_items", limited)
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Big")
        assert len(log.values) == 101
        assert sizes[:3] == [40, 20, 10]


# --- losses ---


async def test_a_cut_connection_is_resumed_without_a_loss():
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with (
        OpcUaSimulator([device], counting=True) as simulator,
        Forwarder(simulator.port) as wire,
    ):
        target = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [device], timeout_ms=3_000)
        with quiet_loop():
            async with following(target) as (log, _):
                await up(log, "Press")
                for _ in range(3):
                    seen = len(log.values["Press", 0])
                    connections = wire.connections
                    wire.cut()
                    await until(
                        lambda n=connections, s=seen: (
                            wire.connections > n and len(log.values["Press", 0]) > s + 20
                        ),
                        what="values after the cut",
                    )
                    await asyncio.sleep(0.13)  # another phase of the publishing interval
                assert log.end is None
        numbers = [value for value, *_ in log.values["Press", 0]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_notifications_sent_into_the_void_are_fetched_again():
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with (
        OpcUaSimulator([device], counting=True) as simulator,
        Forwarder(simulator.port) as wire,
    ):
        target = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [device], timeout_ms=3_000)
        async with following(target) as (log, link):
            await up(log, "Press")
            for _ in range(2):
                wire.freeze()  # what the server sends from now on ends in the forwarder
                await asyncio.sleep(0.5)
                seen = len(log.values["Press", 0])
                wire.cut()
                wire.thaw()
                await until(
                    lambda s=seen: log.end or len(log.values["Press", 0]) > s + 60,
                    what="values after the cut",
                )
                assert log.end is None
            assert link.fetched_again >= 4
        numbers = [value for value, *_ in log.values["Press", 0]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_what_was_fetched_before_another_loss_is_not_forgotten(monkeypatch):
    """The connection goes again in the middle of fetching: what came so far still counts."""
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with (
        OpcUaSimulator([device], counting=True) as simulator,
        Forwarder(simulator.port) as wire,
    ):
        target = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [device], timeout_ms=3_000)
        async with following(target) as (log, link):
            await up(log, "Press")
            republish, calls = link._session.republish, []

            async def interrupted(subscription, number):
                calls.append(number)
                if len(calls) == 2:
                    wire.cut()
                return await republish(subscription, number)

            monkeypatch.setattr(link._session, "republish", interrupted)
            wire.freeze()
            await asyncio.sleep(0.5)
            wire.cut()
            wire.thaw()
            await until(lambda: log.end or len(calls) > 3, what="fetched after the second cut")
            seen = len(log.values["Press", 0])
            await until(lambda: log.end or len(log.values["Press", 0]) > seen + 60, what="values")
            assert log.end is None
        numbers = [value for value, *_ in log.values["Press", 0]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_what_was_read_is_acknowledged():
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with (
        OpcUaSimulator([device], counting=True) as simulator,
        Forwarder(simulator.port) as wire,
    ):
        target = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [device], timeout_ms=3_000)
        async with following(target) as (log, link):
            await up(log, "Press")
            wire.freeze()
            await asyncio.sleep(0.5)
            wire.cut()
            wire.thaw()
            await until(lambda: link.fetched_again, what="fetched again")
            await until(lambda: len(log.values["Press", 0]) > 100, what="values")
            (there,) = simulator._server.iserver.subscription_service.subscriptions.values()
            await until(
                lambda: len(there._not_acknowledged_results) <= link_module.MOST_REQUESTS,
                what="the server may forget what was read",
            )


async def test_a_short_freeze_loses_nothing():
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with (
        OpcUaSimulator([device], counting=True) as simulator,
        Forwarder(simulator.port) as wire,
    ):
        target = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [device], timeout_ms=2_000)
        async with following(target) as (log, _):
            await up(log, "Press")
            wire.freeze()
            await asyncio.sleep(1.5)
            wire.thaw()
            seen = len(log.values["Press", 0])
            await until(lambda: len(log.values["Press", 0]) > seen + 100, what="values again")
            assert log.end is None
        numbers = [value for value, *_ in log.values["Press", 0]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_server_that_stays_away_ends_the_link():
    device = definition("Press", [row("Count", "int32")])
    simulator = OpcUaSimulator([device])
    async with simulator:
        with quiet_loop():
            target = endpoint(simulator.endpoint, [device], timeout_ms=500)
            async with following(target) as (log, _):
                await up(log, "Press")
                await simulator.stop()
                error = await log.ended(within_s=5)
            assert "connection was lost" in error.seen


async def test_a_restarted_server_ends_the_link_and_a_new_one_reports_everything():
    device = definition("Press", [row("Count", "int32"), row("Still", "int32")])
    simulator = OpcUaSimulator([device])
    async with simulator:
        # Long enough for a server's start on a busy machine: its absence is another test's matter.
        target = endpoint(simulator.endpoint, [device], timeout_ms=30_000)
        async with following(target) as (log, _):
            await up(log, "Press")
            await simulator.stop()
            await simulator.start()
            error = await log.ended(within_s=40)
            assert "forgotten the session" in error.seen
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")


async def test_a_lost_subscription_ends_the_link(monkeypatch):
    monkeypatch.setattr(subscription_module, "KEEP_ALIVE_MS", 400)
    device = definition("Press", [row("Count", "int32")])
    async with (
        OpcUaSimulator([device]) as simulator,
        following(endpoint(simulator.endpoint, [device])) as (log, _),
    ):
        await up(log, "Press")
        service = simulator._server.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))
        await log.ended(within_s=5)


async def test_a_subscription_that_dies_in_silence_ends_the_link(monkeypatch):
    monkeypatch.setattr(subscription_module, "KEEP_ALIVE_MS", 400)
    device = definition("Press", [row("Count", "int32")])
    async with (
        OpcUaSimulator([device]) as simulator,
        following(endpoint(simulator.endpoint, [device])) as (log, _),
    ):
        await up(log, "Press")
        simulator.hush()
        began = time.monotonic()
        error = await log.ended(within_s=4)
        assert "nothing heard of Press" in error.seen
        assert time.monotonic() - began >= 0.8


async def test_a_quiet_device_is_no_silent_one(monkeypatch):
    monkeypatch.setattr(subscription_module, "KEEP_ALIVE_MS", 300)
    device = definition("Press", [row("Count", "int32")])
    async with OpcUaSimulator([device]) as simulator:
        await simulator.hold("Press", {"Count": 7})
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
            await asyncio.sleep(2)
            assert log.end is None
            assert len(log.values["Press", 0]) == 1


async def test_a_notification_that_the_server_lost_ends_the_link():
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with (
        OpcUaSimulator([device], counting=True) as simulator,
        following(endpoint(simulator.endpoint, [device])) as (log, _),
    ):
        await up(log, "Press")
        service = simulator._server.iserver.subscription_service
        (subscription,) = service.subscriptions.values()
        subscription._notification_seq += 3
        error = await log.ended(within_s=5)
        assert "was lost" in error.seen
        assert error.remedy


async def test_a_slow_reader_slows_the_server_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(subscription_module, "KEEP_ALIVE_MS", 400)  # silence is 1 s
    device = definition("Press", [row("Count", "int32", scan_ms=20)])
    async with OpcUaSimulator([device], counting=True) as simulator:
        log = Log()
        async with OPCUA.open(endpoint(simulator.endpoint, [device]), now_ms) as link:
            async for event in link.events():
                log.take(event)
                if isinstance(event, DeviceUp):
                    await asyncio.sleep(2)
                assert link._inbox.qsize() <= link_module.MOST_REQUESTS
                if len(log.values.get(("Press", 0), ())) > 150:
                    break
        numbers = [value for value, *_ in log.values["Press", 0]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@contextlib.asynccontextmanager
async def server_process(port):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.opcua_process", str(port),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line == b"ready\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_frozen_process_ends_the_link_and_leaving_is_quick():
    from tests.support.opcua_process import DEVICES

    port = free_port()
    async with server_process(port) as process:
        with quiet_loop():
            target = endpoint(f"opc.tcp://127.0.0.1:{port}", DEVICES, timeout_ms=500)
            async with following(target) as (log, _):
                await up(log, "Press")
                os.kill(process.pid, signal.SIGSTOP)
                error = await log.ended(within_s=4)
                began = time.monotonic()
            assert time.monotonic() - began < 2
        assert error.remedy


async def test_a_killed_process_ends_the_link():
    from tests.support.opcua_process import DEVICES

    port = free_port()
    async with server_process(port) as process:
        with quiet_loop():
            target = endpoint(f"opc.tcp://127.0.0.1:{port}", DEVICES, timeout_ms=500)
            async with following(target) as (log, _):
                await up(log, "Press")
                process.kill()
                await log.ended(within_s=4)


async def test_leaving_a_frozen_server_that_nobody_noticed_yet_is_quick():
    device = definition("Press", [row("Count", "int32")])
    async with (
        OpcUaSimulator([device]) as simulator,
        Forwarder(simulator.port) as wire,
    ):
        with quiet_loop():
            target = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [device], timeout_ms=4_000)
            async with following(target) as (log, _):
                await up(log, "Press")
                wire.freeze()
                began = time.monotonic()
            assert time.monotonic() - began < 2


async def test_leaving_ends_session_and_subscriptions_at_the_server():
    device = definition("Press", [row("Count", "int32")])
    async with OpcUaSimulator([device]) as simulator:
        before = asyncio.all_tasks()
        async with following(endpoint(simulator.endpoint, [device])) as (log, _):
            await up(log, "Press")
        service = simulator._server.iserver.subscription_service
        await until(lambda: not service.subscriptions, what="no subscriptions left")
        await until(lambda: not simulator._server.bserver.clients, what="no connections left")
        ours = [t for t in asyncio.all_tasks() - before if "asyncua/client" in str(t.get_coro())]
        assert ours == []


def test_counted_is_what_the_counting_tests_believe():
    assert [counted(n, "int32") for n in (1, 2, 3)] == [1, 2, 3]
    assert NAMESPACES["line"] == URI
