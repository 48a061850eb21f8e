"""The state as people see it: a light for each part, and beside trouble what to do about it."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bridge.cli.gateway_at import folder_of
from bridge.cli.lights import Light, ago, bar, size
from bridge.cli.status import light_of_device, show_status
from bridge.control.words import (
    CommandsStatus,
    DestinationStatus,
    DeviceStatus,
    LinkStatus,
    OutboxStatus,
    Status,
)
from bridge.outbox.words import Ledger

NOW = 1_795_768_643_220
BOX = OutboxStatus(
    folder="/outbox/scada", max_size=1 << 30, ledger=Ledger(accepted=10, confirmed=10), bytes=100
)
SCADA = DestinationStatus(
    name="scada", node="G/N", server="10.0.0.5:1883", state="online", born=1, outbox=BOX
)
WELL = DeviceStatus(name="Filler", is_up=True, metrics=12, heard_ms=250)
SILENT = DeviceStatus(
    name="Capper", is_up=False, metrics=3, bad=3, heard_ms=90_000, trouble="no answer",
    remedy="is it powered?",
)  # fmt: skip
LINE = LinkStatus(name="line", endpoint="tcp://10.0.0.1", is_open=True, devices=(WELL, SILENT))
GONE = LinkStatus(
    name="far", endpoint="tcp://10.0.0.2", is_open=False, devices=(), trouble="cut off",
    remedy="the cable?",
)  # fmt: skip
STATUS = Status(
    plant="plant.yaml", version="1.2.3", pid=812, now_ms=NOW, started_ms=NOW - 7_500_000,
    reloaded_ms=NOW - 7_500_000, links=(LINE, GONE), destinations=(SCADA,),
)  # fmt: skip


def shown(status: Status, *, width: int = 80, everything: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_status(status, console, everything=everything)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("commands", "line"),
    [
        (CommandsStatus(gate="open", accepted=3), "● commands  open  3 carried out"),
        (
            CommandsStatus(gate="by-hand", open_ms=240_000, denied=1, last_denial="Pump/On: type"),
            "● commands  open for 4 min  0 carried out  1 refused",
        ),
        (CommandsStatus(gate="by-hand", shut="it is not"), "◐ commands  it is not"),
        (CommandsStatus(gate="open", trouble="disk full"), "○ commands  none is carried out"),
    ],
)
def test_the_gate_for_commands(commands: CommandsStatus, line: str) -> None:
    lines = shown(replace(STATUS, commands=commands)).splitlines()
    place = next(n for n, text in enumerate(lines) if "commands" in text)
    assert lines[place].startswith(line)
    assert ("last refused: Pump/On: type" in lines[place + 1]) == bool(commands.denied)


def test_a_closed_gate_takes_no_line() -> None:
    assert "commands" not in shown(STATUS)


def test_every_part_has_its_light_and_trouble_its_remedy() -> None:
    lines = shown(STATUS).splitlines()
    assert lines[1] == "up 2 h 5 min, process 812"
    assert "● scada  online  G/N at 10.0.0.5:1883  1 of 1 devices born" in lines
    assert "● line  tcp://10.0.0.1" in lines
    filler, capper = (next(x for x in lines if name in x) for name in ("Filler", "Capper"))
    assert filler.split() == ["●", "Filler", "12", "0.2", "s", "ago"]
    assert capper.split() == ["○", "Capper", "3", "3", "1", "min", "ago", "down"]
    at = lines.index(capper)
    assert [line.strip() for line in lines[at + 1 : at + 3]] == ["no answer", "is it powered?"]
    assert lines[at + 3 : at + 6] == ["○ far  tcp://10.0.0.2", "    cut off", "    the cable?"]
    assert lines[-1] == "1 of 2 devices up, 15 metrics, 3 bad"


def test_a_broker_that_is_away_says_why_and_how_much_waits() -> None:
    ledger = Ledger(accepted=5000, confirmed=1000, buffered=3988, evicted=12)
    box = replace(BOX, ledger=ledger, backlog=3900, oldest_ms=NOW - 8_100_000)
    away = replace(
        SCADA, state="offline", born=0, outbox=box, trouble="nothing listens there",
        remedy="is the broker running?",
    )  # fmt: skip
    text = shown(replace(STATUS, destinations=(away,)), width=120)
    assert "○ scada  offline" in text
    assert "    nothing listens there\n    is the broker running?\n" in text
    waits = "3,988 samples wait, the oldest for 2 h 15 min (3,900 of them backlog)"
    assert f"{waits}  1,000 confirmed  12 evicted" in text
    assert text.splitlines()[-1].endswith("; behind: scada")


def test_a_disk_that_hangs_and_a_destination_without_proof_are_said() -> None:
    hung = replace(SCADA, outbox=replace(BOX, extent_known=False), delivery_check=False)
    text = shown(replace(STATUS, destinations=(hung,)))
    assert "disk    does not answer" in text
    assert "nothing proves that the broker delivers" in text
    assert "◐ scada" in text


def test_of_many_devices_only_those_in_trouble_are_shown() -> None:
    devices = [replace(WELL, name=f"Pump {n}") for n in range(200)]
    devices[150] = replace(devices[150], bad=1)
    status = replace(STATUS, links=(replace(LINE, devices=tuple(devices)),))
    text = shown(status)
    assert "Pump 150" in text
    assert "Pump 151" not in text
    assert "… and 199 more devices, all well (--all shows them)" in text
    assert "Pump 151" in shown(status, everything=True)


def test_the_light_of_a_device() -> None:
    assert light_of_device(WELL) is Light.GOOD
    assert light_of_device(replace(WELL, stale=1)) is Light.DOUBTFUL
    assert light_of_device(replace(WELL, trouble="no answer")) is Light.DOUBTFUL
    assert light_of_device(SILENT) is Light.BAD


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(None, "never"), (-5, "0.0 s"), (260, "0.3 s"), (9_949, "9.9 s"), (12_000, "12 s"),
     (60_000, "1 min"), (3_599_999, "59 min"), (7_800_000, "2 h 10 min"), (273_600_000, "3 d 4 h")],
)  # fmt: skip
def test_ages(milliseconds: int | None, words: str) -> None:
    assert ago(milliseconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (12_000, "12 KiB"), (5 << 30, "5.0 GiB"),
     (3 << 40, "3.0 TiB")],
)  # fmt: skip
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


def test_bars() -> None:
    drawn = [bar(share).plain for share in (0, 1e-6, 0.5, 0.99, 1, 7)]
    assert drawn == ["░" * 10, "▏" + "░" * 9, "█" * 5 + "░" * 5, "█" * 9 + "░", "█" * 10, "█" * 10]


def test_the_outbox_is_found_though_the_plant_is_full_of_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text("outbox: {folder: data}\ndevices: [broken\n")
    broken = folder_of(tmp_path, None)
    file.write_text("outbox: {folder: data}\ndevices: {x: {bogus: 1}}\n")
    assert folder_of(tmp_path, None) == folder_of(file, None) == tmp_path / "data"
    assert broken is not None
    file.write_text("")
    assert folder_of(file, None) == Path("/var/lib/tagbridge/outbox")
    assert folder_of(file, "elsewhere") == Path("elsewhere")
