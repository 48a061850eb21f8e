"""The gate, step by step: what is let through, what is not, and the reason that is given."""

from pathlib import Path

import pytest

from bridge.commands.gate import Gate, Now
from bridge.commands.words import Approved, Command, Denied, Refusal
from mappings.quality import BAD, STALE
from tests.bridge.commands.rig import PLANT, Rig, plant_of


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def judge(rig: Rig, command: Command) -> Approved | Denied:
    return rig.commander.gate.judge(command, now(rig))


def now(rig: Rig) -> Now:
    return Now(rig.clock.now_ms(), rig.clock.monotonic_ms())


def refused(rig: Rig, command: Command, refusal: Refusal, why: str) -> None:
    found = judge(rig, command)
    assert isinstance(found, Denied), found
    assert found.refusal is refusal, found
    assert why in found.why


def passes(rig: Rig, command: Command) -> Approved:
    found = judge(rig, command)
    assert isinstance(found, Approved), found
    rig.commander.gate.done(found)
    return found


@pytest.mark.parametrize(
    ("name", "field", "value", "raw"),
    [
        ("Setpoint/Speed", "double_value", 42.0, 420),
        ("Setpoint/Speed", "int_value", 42, 420),
        ("Setpoint/Speed", "double_value", 0.0, 0),
        ("Setpoint/Speed", "double_value", 60.0, 600),
        ("Setpoint/Level", "float_value", -10.0, -10.0),
        ("Setpoint/Count", "int_value", 2**32 - 5, -5),
        ("Setpoint/Mode", "string_value", "Hand", 7),
        ("Setpoint/Code", "int_value", 2, 2),
        ("On", "boolean_value", True, True),
    ],
)
def test_what_is_allowed_passes(rig: Rig, name: str, field: str, value, raw) -> None:
    found = passes(rig, rig.command(name, field, value))
    assert (found.raw, type(found.raw)) == (raw, type(raw))
    assert found.path == f"Pump/{name}"


@pytest.mark.parametrize(
    ("name", "field", "value", "options", "refusal", "why"),
    [
        ("On", "boolean_value", True, {"retained": True}, Refusal.RETAINED, "broker kept it"),
        ("On", "boolean_value", True, {"is_historical": True}, Refusal.HISTORICAL, "historical"),
        ("Onn", "boolean_value", True, {}, Refusal.UNKNOWN, "no 'Pump/Onn' to write"),
        ("On", "boolean_value", True, {"device": "Pmp"}, Refusal.UNKNOWN, "'Pmp/On'"),
        ("On", "boolean_value", True, {"device": ""}, Refusal.UNKNOWN, "no 'On'"),
        ("On", "boolean_value", True, {"point": None}, Refusal.UNKNOWN, "no 'Pump/On'"),
        ("Actual", "double_value", 1.0, {}, Refusal.READ_ONLY, "access: rw"),
        ("Service/Key", "int_value", 1, {}, Refusal.NOT_ALLOWED, "allow: of scada"),
        ("On", "boolean_value", True, {"source": "mes"}, Refusal.NOT_ALLOWED, "allow: of mes"),
        ("On", "boolean_value", True, {"source": "x"}, Refusal.NOT_ALLOWED, "allow: of x"),
        ("On", "boolean_value", True, {"sent_ms": None}, Refusal.UNDATED, "no timestamp"),
        ("On", "int_value", 1, {}, Refusal.TYPE, "int is no value for Boolean"),
        ("On", None, None, {}, Refusal.TYPE, "null"),
        ("Setpoint/Speed", "double_value", 60.1, {}, Refusal.LIMITS, "60.1 is not within 0 to 60"),
        ("Setpoint/Speed", "double_value", -0.1, {}, Refusal.LIMITS, "not within 0 to 60"),
        ("Setpoint/Count", "int_value", 2**32 - 6, {}, Refusal.LIMITS, "not within -5 to 99"),
        ("Setpoint/Mode", "string_value", "Atuo", {}, Refusal.LIMITS, "none of Off, Auto, Hand"),
        ("Setpoint/Code", "int_value", 3, {}, Refusal.LIMITS, "no state of it: 0 Off, 2 Auto"),
    ],
)  # fmt: skip
def test_what_is_not_allowed(rig: Rig, name, field, value, options, refusal, why) -> None:
    refused(rig, rig.command(name, field, value, **options), refusal, why)


def test_age_is_judged_both_ways(rig: Rig) -> None:
    at = rig.clock.now_ms()
    for sent_ms in (at - 2_000, at + 2_000):
        passes(
            Rig(Path(rig.plant.file).parent),
            rig.command("On", "boolean_value", True, sent_ms=sent_ms),
        )
    old = rig.command("On", "boolean_value", True, sent_ms=at - 2_001)
    refused(rig, old, Refusal.TOO_OLD, "sent 2 s ago, max_age is 2 s")
    young = rig.command("On", "boolean_value", True, sent_ms=at + 2_001)
    refused(rig, young, Refusal.FUTURE, "sent 2 s from now: are both clocks right?")


def test_nothing_from_before_the_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    gate = Gate(rig.plant, rig.catalog, lambda _: "", now(rig))
    rig.clock.pass_ms(500)
    at = rig.clock.now_ms()
    before = rig.command("On", "boolean_value", True, sent_ms=at - 501)
    found = gate.judge(before, now(rig))
    assert isinstance(found, Denied)
    assert found.why == "sent before this gateway was started"
    assert isinstance(gate.judge(rig.command("On", "boolean_value", True), now(rig)), Approved)


def test_a_replay_is_refused_and_a_newer_one_is_not(rig: Rig) -> None:
    command = rig.command("On", "boolean_value", True)
    passes(rig, command)
    refused(rig, command, Refusal.REPLAYED, "not newer")
    rig.clock.pass_ms(1)
    refused(rig, command, Refusal.REPLAYED, "not newer")
    passes(rig, rig.command("On", "boolean_value", False))
    passes(rig, rig.command("Setpoint/Speed", "double_value", 1.0))


def test_a_clock_that_is_set_back_does_not_shut_the_gate(rig: Rig) -> None:
    passes(rig, rig.command("On", "boolean_value", True))
    rig.clock.utc_ms -= 3_600_000
    refused(rig, rig.command("On", "boolean_value", True), Refusal.REPLAYED, "not newer")
    rig.clock.pass_ms(4_001)
    passes(rig, rig.command("On", "boolean_value", True))


@pytest.mark.parametrize(("value", "quality"), [(False, 192), (True, BAD), (True, STALE)])
def test_a_condition_that_is_not_known_to_be_true(rig: Rig, value, quality) -> None:
    rig.show("Ready", value, quality)
    command = rig.command("Setpoint/Speed", "double_value", 1.0)
    refused(rig, command, Refusal.CONDITION, "only if Pump/Ready is yes")
    passes(rig, rig.command("On", "boolean_value", True))
    passes(rig, rig.command("Setpoint/Level", "float_value", 1.0, source="mes"))


def test_the_rate_is_of_each_metric(rig: Rig) -> None:
    passes(rig, rig.command("Setpoint/Speed", "double_value", 1.0))
    rig.clock.pass_ms(199)
    command = rig.command("Setpoint/Speed", "double_value", 2.0)
    refused(rig, command, Refusal.RATE, "one in 200 ms")
    passes(rig, rig.command("Setpoint/Level", "float_value", 1.0))
    rig.clock.pass_ms(1)
    passes(rig, rig.command("Setpoint/Speed", "double_value", 2.0))


def test_one_at_a_time_for_each_metric(rig: Rig) -> None:
    first = judge(rig, rig.command("On", "boolean_value", True))
    assert isinstance(first, Approved)
    rig.clock.pass_ms(10)
    refused(rig, rig.command("On", "boolean_value", False), Refusal.BUSY, "under way")
    rig.commander.gate.done(first)
    passes(rig, rig.command("On", "boolean_value", False))


def test_a_device_that_is_down_is_refused_now(rig: Rig) -> None:
    rig.devices.down = "Pump does not answer: timeout"
    command = rig.command("On", "boolean_value", True)
    refused(rig, command, Refusal.DOWN, "does not answer")
    rig.devices.down = ""
    passes(rig, command)  # what was refused has used nothing up


def test_a_closed_gate(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PLANT.replace("gate: open", "gate: closed"))
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "closed")
    rig.commander.gate.arm(now(rig))
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "closed")


def test_no_section_is_a_closed_gate(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PLANT[: PLANT.index("commands:")])
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "closed")


def test_a_gate_that_is_opened_by_hand(tmp_path: Path) -> None:
    rig = Rig(tmp_path, PLANT.replace("gate: open", "gate: by-hand\n  arming: 1min"))
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "tagbridge commands arm")
    rig.commander.gate.arm(now(rig))
    passes(rig, rig.command("On", "boolean_value", True))
    rig.clock.pass_ms(59_999)
    passes(rig, rig.command("On", "boolean_value", True))
    rig.clock.pass_ms(1)
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "by hand")
    rig.commander.gate.arm(now(rig))
    rig.commander.gate.disarm()
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "shut by hand")


def test_an_open_gate_is_shut_by_hand(rig: Rig) -> None:
    rig.commander.gate.disarm()
    rig.clock.pass_ms(10_000_000)
    refused(rig, rig.command("On", "boolean_value", True), Refusal.GATE, "shut by hand")
    rig.commander.gate.arm(now(rig))
    passes(rig, rig.command("On", "boolean_value", True))


def test_what_has_changed_meanwhile_stops_what_was_let_through(rig: Rig, tmp_path: Path) -> None:
    gate = rig.commander.gate
    found = judge(rig, rig.command("Setpoint/Speed", "double_value", 1.0))
    assert isinstance(found, Approved)
    assert gate.still(found, now(rig)) is None

    def stopped(refusal: Refusal) -> None:
        denied = gate.still(found, now(rig))
        assert denied is not None
        assert denied.refusal is refusal

    rig.show("Ready", False)
    stopped(Refusal.CONDITION)
    rig.show("Ready", True)
    rig.devices.down = "away"
    stopped(Refusal.DOWN)
    rig.devices.down = ""
    gate.disarm()
    stopped(Refusal.GATE)
    gate.arm(now(rig))
    assert gate.still(found, now(rig)) is None
    rig.clock.pass_ms(2_001)
    stopped(Refusal.TOO_OLD)
    gate.renew(plant_of(PLANT, tmp_path))
    stopped(Refusal.CHANGED)


def test_what_was_let_through_is_remembered_by_another_plant(rig: Rig, tmp_path: Path) -> None:
    command = rig.command("On", "boolean_value", True)
    passes(rig, command)
    text = PLANT.replace("      - {name: Ready, address: C1, type: bool}\n", "")
    text = text.replace(" only_if: [{metric: Pump/Ready, is: yes}],", "")
    moved = text.replace("{name: On,", "{name: Running, id: On,").replace(
        "Pump/On]", "Pump/Running]"
    )
    rig.commander.gate.renew(plant_of(moved, tmp_path))
    again = rig.command("On", "boolean_value", True, point=0, sent_ms=command.sent_ms)
    refused(rig, again, Refusal.REPLAYED, "not newer")
