"""``tagbridge commands``: what people see of the gate and the audit log, without a gateway."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.commands.audit import FOLDER, Audit, files_of

PLANT = 'tagbridge: 1\noutbox: {folder: "%s"}\n'
DENIED = {
    "at": "2026-11-28T04:00:02.000Z", "what": "denied", "from": "scada", "count": 12,
    "refused": {"limits": 11, "type": 1},
    "first": [{"metric": "Pump/Speed", "value": 99.0, "why": "99.0 is not within 0 to 60"}],
}  # fmt: skip
RECORDS = [
    {"at": "2026-11-28T04:00:00.000Z", "what": "gate", "gate": "by-hand", "allow": 1},
    {"at": "2026-11-28T04:00:00.500Z", "what": "armed", "who": "ada"},
    {"at": "2026-11-28T04:00:01.000Z", "what": "accepted", "from": "scada", "metric": "Pump/Speed",
     "value": 42.0, "raw": 420},
    {"at": "2026-11-28T04:00:01.020Z", "what": "result", "from": "scada", "metric": "Pump/Speed",
     "value": 42.0, "outcome": "unconfirmed", "read": 41.0, "why": "read back as something else"},
    DENIED,
]  # fmt: skip


@pytest.fixture
async def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT % (tmp_path / "outbox"))
    return path


async def write(plant: Path) -> Path:
    audit = Audit(plant.parent / "outbox" / FOLDER)
    await audit.write(RECORDS, sure=True)
    await audit.close()
    [(_, file)] = files_of(plant.parent / "outbox" / FOLDER)
    return file


def tagbridge(*words: str | Path, width: str = "160") -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": width})
    return done.exit_code, done.output


async def test_the_log_is_a_table(plant: Path) -> None:
    await write(plant)
    code, text = tagbridge("commands", "log", plant)
    assert code == 0
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "time (UTC) what from metric value outcome"
    assert "2026-11-28 04:00:00.500 armed ada" in lines
    assert (
        "2026-11-28 04:00:01.020 result scada Pump/Speed 42.0 unconfirmed: read back as something "
        "else, read 41.0"
    ) in lines
    why = "11 limits, 1 type (Pump/Speed: 99.0 is not within 0 to 60)"
    assert f"2026-11-28 04:00:02.000 denied scada {why}" in lines
    assert len(tagbridge("commands", "log", plant, "--last", "2")[1].splitlines()) == 3
    code, text = tagbridge("commands", "log", plant, "--json", "--last", "1")
    assert json.loads(text)["count"] == 12


async def test_a_log_that_is_as_it_was_written(plant: Path) -> None:
    file = await write(plant)
    head = json.loads(file.read_text().splitlines()[-1])["hash"]
    code, text = tagbridge("commands", "verify", plant)
    assert (code, "● 6 records, unbroken" in text, f"head {head}" in text) == (0, True, True)
    assert tagbridge("commands", "verify", plant, "--head", f"6 {head}")[0] == 0
    code, text = tagbridge("commands", "verify", plant, "--head", "f" * 64)
    assert code == 1
    assert "no record has the hash ffff" in text
    assert "cut off or written anew" in text


async def test_a_log_that_is_not(plant: Path) -> None:
    file = await write(plant)
    file.write_text(file.read_text().replace("42.0", "24.0"))
    code, text = tagbridge("commands", "verify", plant)
    assert code == 1
    assert f"{file.name}:4: changed, or no record at all" in text
    assert f"{file.name}:5: changed" in text
    file.write_text("\n".join(file.read_text().splitlines()[:2]) + "\nrubbish\n")
    code, text = tagbridge("commands", "log", plant)
    assert (code, "not a record" in text) == (0, True)


def test_no_log_and_no_gateway(plant: Path) -> None:
    code, text = tagbridge("commands", "log", plant)
    assert code == 1
    assert "no commands in" in text
    assert tagbridge("commands", "verify", plant)[0] == 0
    code, text = tagbridge("commands", "arm", plant)
    assert code == 1
    assert "start it with tagbridge run" in text
