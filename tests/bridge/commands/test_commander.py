"""What becomes of a command that was let through, and what is told of every one."""

import asyncio
import errno
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bridge.commands.audit import FOLDER, files_of, verify_folder
from bridge.sparkplug.payload import CommandMetric, CommandRequest
from drivers.driver import DeviceRefusedError, LinkError, UnansweredError
from mappings.batch import Batch
from mappings.quality import BAD
from tests.bridge.commands.rig import PLANT, START_MS, Rig, plant_of


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def send(rig: Rig, name: str, field: str, value: Any, **options: Any) -> None:
    command = rig.command(name, field, value, **options)
    rig.commander.take(
        command.source,
        command.device,
        CommandRequest(
            metrics=(command.metric,), timestamp_ms=command.sent_ms, correlation="order 7"
        ),
        lambda _: command.point,
        retained=command.retained,
    )


async def done(rig: Rig) -> None:
    async with asyncio.timeout(5):
        while rig.commander.gate.under_way:
            await asyncio.sleep(0.001)


def result(rig: Rig, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(rig.told[f"Commands/Pump/{name}"]))
    return found


def records(rig: Rig) -> list[dict[str, Any]]:
    folder = Path(rig.plant.outbox.folder) / FOLDER
    assert verify_folder(folder).faults == []
    return [
        json.loads(line) for _, path in files_of(folder) for line in path.read_text().splitlines()
    ]


async def test_a_command_is_audited_written_read_back_and_told(rig: Rig) -> None:
    order: list[str] = []
    write = rig.devices.write

    async def noted(*args: Any) -> None:
        order.append("written" if not records(rig)[-1:] else records(rig)[-1]["what"])
        await write(*args)

    rig.devices.write = noted  # type: ignore[method-assign]
    send(rig, "Setpoint/Speed", "double_value", 42.04)
    await done(rig)
    assert order == ["accepted"]  # on the disk before the machine is told
    assert rig.devices.writes == [("Pump", rig.point("Setpoint/Speed"), 420)]
    at = rig.clock.now_ms()
    assert result(rig, "Setpoint/Speed") == {
        "accepted": True, "outcome": "confirmed", "value": 42.04, "read": 42.0, "id": "order 7",
        "from": "scada", "sent": at, "at": at,
    }  # fmt: skip
    await rig.commander.close()
    said = [record for record in records(rig) if record["what"] in {"accepted", "result"}]
    assert [record["what"] for record in said] == ["accepted", "result"]
    assert said[0]["raw"] == 420
    assert said[1]["outcome"] == "confirmed"
    assert rig.faults == []


@pytest.mark.parametrize(
    ("error", "outcome", "why"),
    [
        (DeviceRefusedError("code 3", "see there"), "refused by the device", "code 3 see there"),
        (UnansweredError("no answer in 1 s"), "unanswered", "no answer in 1 s"),
        (LinkError("reset by peer"), "unanswered", "reset by peer"),
        (ValueError("odd"), "failed", "ValueError: odd"),
    ],
)  # fmt: skip
async def test_what_a_device_does_not_do_is_told(rig: Rig, error, outcome, why) -> None:
    rig.devices.error = error
    send(rig, "On", "boolean_value", True)
    await done(rig)
    told = result(rig, "On")
    assert (told["accepted"], told["outcome"], told["why"]) == (True, outcome, why)
    assert "read" not in told
    assert rig.devices.writes == []
    rig.devices.error = None
    rig.clock.pass_ms(1)
    send(rig, "On", "boolean_value", True)
    await done(rig)
    assert result(rig, "On")["outcome"] == "confirmed"


async def test_what_reads_back_as_something_else_is_told(rig: Rig) -> None:
    async def read(device: str, point: int) -> Batch:
        return Batch(device, (point,), [100], [START_MS])

    rig.devices.read = read  # type: ignore[method-assign]
    send(rig, "Setpoint/Speed", "double_value", 42.0)
    await done(rig)
    told = result(rig, "Setpoint/Speed")
    assert (told["outcome"], told["read"]) == ("unconfirmed", 10.0)


async def test_what_cannot_be_read_back_is_told(rig: Rig) -> None:
    async def bad(device: str, point: int) -> Batch:
        return Batch(device, (point,), [None], [START_MS], [BAD])

    async def silent(device: str, point: int) -> Batch:
        raise UnansweredError("no answer")

    for read, why in ((bad, "the device says it is BAD"), (silent, "no answer")):
        rig.devices.read = read  # type: ignore[method-assign]
        rig.clock.pass_ms(1_000)
        send(rig, "On", "boolean_value", True)
        await done(rig)
        told = result(rig, "On")
        assert told["outcome"] == "unconfirmed"
        assert why in told["why"]


async def test_a_row_of_its_own_shows_the_result(tmp_path: Path) -> None:
    text = PLANT.replace(
        "low: 0, high: 60, access: rw", "low: 0, high: 60, access: rw, readback: Actual"
    )
    rig = Rig(tmp_path, text)
    rig.devices.held["Pump", rig.point("Actual")] = 420
    send(rig, "Setpoint/Speed", "double_value", 42.0)
    await done(rig)
    assert result(rig, "Setpoint/Speed")["outcome"] == "confirmed"
    rig.devices.held["Pump", rig.point("Actual")] = 419
    rig.clock.pass_ms(1_000)
    send(rig, "Setpoint/Speed", "double_value", 42.0)
    await done(rig)
    assert result(rig, "Setpoint/Speed")["read"] == 41.9


async def test_a_row_that_is_not_read_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PLANT.replace("C2, type: bool, access: rw", "C2, type: bool, access: w"))
    send(rig, "On", "boolean_value", True)
    await done(rig)
    assert result(rig, "On")["outcome"] == "written"
    assert rig.devices.held == {("Pump", rig.point("On")): True}


async def test_nothing_is_written_that_cannot_be_audited(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(rig, "On", "boolean_value", True)
    await done(rig)
    sync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(3):
        rig.clock.pass_ms(1_000)
        send(rig, "On", "boolean_value", False)
        await done(rig)
        rig.commander.tick()
    assert rig.devices.writes == [("Pump", rig.point("On"), True)]
    told = result(rig, "On")
    assert (told["accepted"], told["refused"]) == (False, "audit")
    assert "No space left" in told["why"]
    monkeypatch.setattr(os, "fsync", sync)
    rig.clock.pass_ms(1_000)
    send(rig, "On", "boolean_value", False)
    await done(rig)
    assert rig.devices.writes[1:] == [("Pump", rig.point("On"), False)]
    await rig.commander.close()
    kinds = [record["what"] for record in records(rig)]
    assert kinds.count("accepted") == 2
    assert rig.faults == []


async def test_what_changes_between_audit_and_write_stops_it(rig: Rig, tmp_path: Path) -> None:
    send(rig, "Setpoint/Speed", "double_value", 42.0)
    await asyncio.sleep(0)
    rig.show("Ready", False)
    await done(rig)
    assert rig.devices.writes == []
    assert result(rig, "Setpoint/Speed")["refused"] == "condition"
    rig.show("Ready", True)
    rig.clock.pass_ms(1_000)
    rig.told.clear()
    send(rig, "Setpoint/Speed", "double_value", 42.0)
    await asyncio.sleep(0)
    rig.commander.renew(plant_of(PLANT, tmp_path))
    await done(rig)
    assert rig.devices.writes == []
    assert rig.told == {}  # its point may be another metric's by now
    await rig.commander.close()
    assert [r["refused"] for r in records(rig) if r["what"] == "not written"] == [
        "condition", "plant changed",
    ]  # fmt: skip


async def test_a_flood_of_refusals_is_counted_and_told_once_a_second(rig: Rig) -> None:
    for second in range(3):
        for number in range(1_000):
            send(rig, "Setpoint/Speed", "double_value", 99.0 + number)
            send(rig, f"Nothing {number}", "double_value", 1.0)
            rig.commander.tick()
        rig.clock.pass_ms(1_000)
        rig.commander.tick()
        await asyncio.sleep(0.05)
        assert rig.commander.denied == 2_000 * (second + 1)
    assert rig.told["Commands/Denied"] == 6_000
    assert rig.tellings <= 12
    assert result(rig, "Setpoint/Speed")["value"] == 1098.0  # the last one
    await rig.commander.close()
    denied = [record for record in records(rig) if record["what"] == "denied"]
    assert sum(record["count"] for record in denied) == 6_000
    assert len(denied) <= 4
    assert denied[0]["refused"] == {"limits": 1_000, "unknown": 1_000}
    assert len(denied[0]["first"]) == 5
    size = sum(path.stat().st_size for _, path in files_of(Path(rig.plant.outbox.folder) / FOLDER))
    assert size < 10_000


async def test_a_message_of_many_metrics(rig: Rig) -> None:
    at = rig.clock.now_ms()
    metrics = tuple(
        CommandMetric(name="On", alias=None, field="boolean_value", value=True, timestamp_ms=at + n)
        for n in range(5_000)
    )
    request = CommandRequest(metrics=metrics, timestamp_ms=at)
    rig.commander.take("scada", "Pump", request, lambda _: rig.point("On"), retained=False)
    await done(rig)
    assert len(rig.devices.writes) == 1  # the others came while it was under way
    assert rig.commander.denied == 100
    assert rig.commander.last_denial["refused"] == "unreadable"


async def test_after_the_end_nothing_is_taken(rig: Rig) -> None:
    await rig.commander.close()
    send(rig, "On", "boolean_value", True)
    assert rig.commander.last_denial["why"] == "the gateway is being stopped"
    assert rig.devices.writes == []


async def test_what_a_sender_chose_is_cut_short(rig: Rig) -> None:
    send(rig, "N" * 5_000, "string_value", "v" * 5_000)
    rig.commander.tick()
    assert len(str(rig.told["Commands/Last denied"])) < 1_000


async def test_who_opens_and_shuts_the_gate_is_noted(rig: Rig) -> None:
    await rig.commander.begin()
    await rig.commander.disarm("ada")
    rig.clock.pass_ms(1_000)
    rig.commander.tick()
    assert "shut by hand" in str(rig.told["Commands/Gate"])
    await rig.commander.arm("bob")
    rig.clock.pass_ms(1_000)
    rig.commander.tick()
    assert rig.told["Commands/Gate"] == "open"
    await rig.commander.close()
    kinds = [(record["what"], record.get("who")) for record in records(rig)]
    assert kinds == [("began", None), ("gate", None), ("disarmed", "ada"), ("armed", "bob")]


async def test_a_disk_that_hangs_does_not_keep_the_gateway_from_ending(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: hung.wait(30))
    send(rig, "On", "boolean_value", True)
    send(rig, "Nothing", "boolean_value", True)
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await rig.commander.close()
    assert time.monotonic() - began < 4
    assert rig.devices.writes == []
    hung.set()
