"""Hostile commands without end: nothing is written that the plant file does not allow.

A judge that shares no code with the gate looks at everything that was let through, knowing the
plant by heart. That the judge is awake is shown by gates with one step taken out: it must object to
each of them.
"""

import asyncio
import json
import math
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import gate as gate_module
from bridge.commands.audit import FOLDER, files_of, verify_folder
from bridge.commands.gate import Gate
from bridge.commands.permits import Permits
from bridge.commands.words import Approved, Command, Denied, Refusal
from bridge.sparkplug.payload import CommandRequest, PayloadError, decode_command
from mappings.quality import BAD, GOOD
from tests.bridge.commands.rig import START_MS, Rig

NAMES = [
    "Ready", "On", "Setpoint/Speed", "Setpoint/Level", "Setpoint/Count", "Setpoint/Mode",
    "Setpoint/Code", "Actual", "Service/Key", "Nothing", "on", "Setpoint/*", "", "Pump/On",
]  # fmt: skip
RANGES = {
    "Setpoint/Speed": (0, 60), "Setpoint/Level": (-10, 10), "Setpoint/Count": (-5, 99),
}  # fmt: skip
CODES = {"Off": 0, "Auto": 2, "Hand": 7}
MAX_AGE_MS = 2_000


def expected(name: str, value: Any) -> Any:
    """What may be given to the device for a value of a metric; None for nothing."""
    if name == "On":
        return value if isinstance(value, bool) else None
    if name == "Setpoint/Mode":
        return CODES.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if name == "Setpoint/Code":
        return value if value in CODES.values() else None
    low, high = RANGES.get(name, (1, 0))
    if not low <= value <= high:
        return None
    return round(value * 10) if name == "Setpoint/Speed" else value


class Judge:
    """Objects to what was let through against the rules of the plant."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.objections: list[str] = []
        self.let_through: dict[str, tuple[int, int]] = {}  # sent, and when by the steady clock
        self.rated: dict[str, int] = {}
        self.seen: Counter[str] = Counter()

    def look(self, command: Command, steady_ms: int, found: Approved | Denied) -> None:
        if isinstance(found, Denied):
            self.seen[found.refusal.value] += 1
            return
        self.seen["accepted"] += 1
        name = command.metric.name or ""
        why = self._objection(command, name, steady_ms, found)
        if why:
            self.objections.append(f"{why}: {command}")
        assert command.sent_ms is not None
        self.let_through[name] = (command.sent_ms, steady_ms)

    def _objection(self, command: Command, name: str, steady_ms: int, found: Approved) -> str:
        rig = self.rig
        if command.retained or command.metric.is_historical:
            return "an old one"
        if command.device != "Pump" or name not in RANGES.keys() | {
            "On",
            "Setpoint/Mode",
            "Setpoint/Code",
        }:
            return "a metric that nobody may write"
        setpoint = name.startswith("Setpoint/")
        if command.source == "mes":
            if name != "Setpoint/Level":
                return "not for mes"
        elif command.source != "scada":
            return "not for a stranger"
        elif setpoint and rig.ready != (True, GOOD):
            return "not while it is not ready"
        age_ms = rig.clock.utc_ms - (command.sent_ms if command.sent_ms is not None else -1)
        if abs(age_ms) > MAX_AGE_MS or age_ms > rig.clock.steady_ms - 50_000:
            return "not of this age"
        sent_ms, then_ms = self.let_through.get(name, (-1, -(10**9)))
        if command.sent_ms <= sent_ms and steady_ms - then_ms <= MAX_AGE_MS:
            return "a replay"
        if setpoint and command.source == "scada" and steady_ms - self.rated.get(name, -200) < 200:
            return "too often"
        if setpoint and command.source == "scada":
            self.rated[name] = steady_ms
        if rig.devices.down:
            return "to a device that is down"
        if command.metric.value is None:
            return "no value"
        raw = expected(name, found.value)
        if raw is None or raw != found.raw or (type(raw) is not type(found.raw) and name == "On"):
            return f"{found.value!r} as {found.raw!r}"
        if not isinstance(found.value, str) and not math.isfinite(found.value):
            return "no number"
        return ""


class HostileRig(Rig):
    """A rig whose world changes, and commands out of a random source."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder)
        self.random = random.Random(seed)
        self.ready: tuple[bool, int] = (True, GOOD)
        self.last: Command | None = None

    def change(self) -> None:
        """Time passes, mostly little; conditions and devices come and go; a clock is set."""
        chance = self.random.random()
        self.clock.pass_ms(self.random.choice((0, 0, 1, 3, 50, 210)))
        if chance < 0.02:
            self.ready = (self.random.random() < 0.7, GOOD if self.random.random() < 0.8 else BAD)
            self.show("Ready", *self.ready)
        elif chance < 0.03:
            self.devices.down = self.random.choice(("", "", "gone"))
        elif chance < 0.031:
            self.clock.utc_ms += self.random.choice((-5_000, 5_000, 3_600_000, -3_600_000))

    def hostile(self) -> Command:
        """One command: half of them but for one thing right."""
        pick = self.random
        if self.last is not None and pick.random() < 0.05:
            return self.last
        field, value = pick.choice(
            [
                ("boolean_value", pick.random() < 0.5), ("int_value", pick.choice((0, 2, 7, 42))),
                ("int_value", pick.getrandbits(32)), ("long_value", pick.getrandbits(64)),
                ("double_value", pick.uniform(-70, 70)), ("float_value", pick.uniform(-11, 11)),
                ("double_value", pick.choice((math.nan, math.inf, -math.inf, 1e308, 60.0, -0.0))),
                ("string_value", pick.choice(("Auto", "Hand", "auto", "", "\0", "2", "x" * 999))),
                ("bytes_value", pick.randbytes(4)), (None, None), ("template_value", None),
            ]
        )  # fmt: skip
        options: dict[str, Any] = {}
        if pick.random() < 0.5:
            options["datatype"] = pick.choice((0, 2, 3, 6, 7, 9, 10, 11, 12, 99))
        for key, odd in (
            ("source", ("mes", "nobody", "")), ("device", ("", "Pmp", "pump")),
            ("retained", (True,)), ("is_historical", (True,)),
            ("sent_ms", (
                None, 0, START_MS - 1, -5, 2**63, self.clock.utc_ms - 2_001,
                self.clock.utc_ms + 2_001, self.clock.utc_ms - pick.randrange(4_000),
            )),
        ):  # fmt: skip
            if pick.random() < 0.06:
                options[key] = pick.choice(odd)
        self.last = self.command(pick.choice(NAMES), field, value, **options)
        return self.last


async def attack(rig: HostileRig, count: int) -> Judge:
    judge = Judge(rig)
    for number in range(count):
        rig.change()
        command = rig.hostile()
        rig.commander.take(
            command.source,
            command.device,
            CommandRequest(
                metrics=(command.metric,),
                timestamp_ms=command.sent_ms,
                correlation=command.correlation,
            ),
            lambda _, point=command.point: point,
            retained=command.retained,
        )
        [(said, steady_ms, found)] = rig.judged
        rig.judged.clear()
        judge.look(said, steady_ms, found)
        if number % 50 == 0:
            rig.commander.tick()
        if isinstance(found, Approved):
            while rig.commander.gate.under_way:
                await asyncio.sleep(0)
    rig.commander.tick()
    await rig.commander.close()
    return judge


async def assault(folder: Path, seed: int, count: int) -> tuple[HostileRig, Judge]:
    """An attack, and that all of it is in the audit log, whole."""
    rig = HostileRig(folder, seed)
    judge = await attack(rig, count)
    assert rig.faults == []
    verdict = verify_folder(folder / "outbox" / FOLDER)
    assert verdict.faults == []
    assert verdict.head == rig.commander.audit.head
    return rig, judge


def audited(folder: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, path in files_of(folder / "outbox" / FOLDER):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            counts[record["what"]] += record.get("count", 1)
    return counts


async def hold(folder: Path, seed: int, count: int) -> None:
    rig, judge = await assault(folder, seed, count)
    counts = audited(folder)
    print(
        f"seed {seed}: {count} commands, {judge.seen['accepted']} let through, {dict(judge.seen)}"
    )
    assert judge.objections == []
    # It was no attack on a wall: some are let through, and every reason was given.
    assert judge.seen["accepted"] > count / 500
    never = {Refusal.UNREADABLE, Refusal.BUSY, Refusal.AUDIT, Refusal.CHANGED, Refusal.GATE}
    assert judge.seen.keys() >= {refusal.value for refusal in set(Refusal) - never}
    assert counts["accepted"] == judge.seen["accepted"]
    assert counts["accepted"] == len(rig.devices.writes) + counts["not written"]
    assert counts["denied"] == rig.commander.denied == count - judge.seen["accepted"]


async def test_twenty_thousand_hostile_commands_write_nothing_they_may_not(tmp_path: Path) -> None:
    await hold(tmp_path, 1, 20_000)


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_a_million_hostile_commands_write_nothing_they_may_not(tmp_path: Path) -> None:
    seed = time.time_ns() % 1_000_000
    # The audit log is bounded, and this is more than it keeps: in parts.
    for part in range(20):
        folder = tmp_path / str(part)
        folder.mkdir()
        await hold(folder, seed + part, 50_000)


def _nothing(*_: Any) -> None:
    return None


HOLES = {
    "retained and gate": (Gate, "_of_message", _nothing),
    "age": (Gate, "_of_age", _nothing),
    "time": (Gate, "_of_time", _nothing),
    "limits": (gate_module, "_of_limits", _nothing),
    "conditions": (Gate, "_of_conditions", _nothing),
    "rate": (Gate, "_of_rate", _nothing),
    "who": (Permits, "numbers", lambda *_: [1]),
}


@pytest.mark.parametrize("hole", HOLES)
async def test_the_judge_objects_to_a_gate_with_a_hole(
    hole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, instead = HOLES[hole]
    monkeypatch.setattr(owner, name, instead)
    rig = HostileRig(tmp_path, 3)
    # A gate with a hole may fall over commands that never came so far.
    judge = await attack(rig, 4_000)
    assert judge.objections


@pytest.mark.parametrize("seed", range(3))
def test_bytes_that_are_no_command_are_refused_as_such(seed: int) -> None:
    pick = random.Random(seed)
    good = bytes.fromhex("0880b1cfe88f33120b0a024f6e200b7801")
    read = 0
    for _ in range(3_000):
        data = bytearray(good)
        for _ in range(pick.randrange(1, 6)):
            data[pick.randrange(len(data))] = pick.randrange(256)
        try:
            decode_command(bytes(data[: pick.randrange(len(data) + 1)]))
            read += 1
        except PayloadError:
            pass
    assert 0 < read < 3_000
