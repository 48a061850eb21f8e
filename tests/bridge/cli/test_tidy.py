"""tidy and migrate: what they print, what they write, and what they leave alone."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from bridge.cli import check as command
from bridge.cli import editing
from bridge.cli import migrate as migrate_command
from bridge.cli import tidy as tidy_command
from bridge.cli.migrate import migrate
from bridge.cli.tidy import tidy
from mappings.plant.edits import Edit
from mappings.plant.formats import Step
from tests.support.grammars import GRAMMARS
from tests.support.workbooks import workbook

PLANT = """\
tagbridge: 1  # keep\r
edge_node: {group: G, name: n}  \r
destinations: {scada: {servers: ["mqtt://a"]}}\r
include: [parts/*.yaml]\r
devices:\r
  Pump:\r
    modbus: {endpoint: "tcp://h", unit: 1}\r
    tags: [t.csv, "io.xlsx#Tags"]\r
"""
PART = "scans: {fast: 200ms}\t\n\n\n"
TABLE = "\ufeffName;Address ;Type;# Mine\r\n A;holding:1;int16; x \r\n# c ;\r\nB;holding:2;int16;"
BOOK = workbook({"Tags": [["Name ", "address", "type"], ["C", "holding:3", "int16"]]})

TIDY_PLANT = PLANT.replace("}  \r", "}\r")
TIDY_PART = "scans: {fast: 200ms}\n"
TIDY_TABLE = (
    "\ufeffname;address;type;# Mine\r\nA;holding:1;int16; x \r\n# c ;\r\nB;holding:2;int16;\r\n"
)


@pytest.fixture(autouse=True)
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_drivers", lambda: GRAMMARS)


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("p")
    (folder / "parts").mkdir(parents=True)
    (folder / "plant.yaml").write_bytes(PLANT.encode())
    (folder / "parts" / "scans.yaml").write_bytes(PART.encode())
    (folder / "t.csv").write_bytes(TABLE.encode())
    (folder / "io.xlsx").write_bytes(BOOK)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_untidy_is_shown_and_nothing_is_written(
    plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(plant)
    assert tidy(plant, write=False, check=False) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "p/io.xlsx: workbooks are not edited",
        "p/plant.yaml: blanks at the end of a line",
        "p/parts/scans.yaml: blanks at the end of a line, empty lines at the end",
        "p/t.csv: spelling of a column (3), blanks round a cell (2), no line end at the end",
        "nothing is written; next: tagbridge tidy p --write",
    ]
    assert tidy(plant, write=False, check=True) == 1
    assert contents(plant) == before


def test_the_diff_is_a_patch(plant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tidy(plant, write=False, check=False)
    diff = capsys.readouterr().out
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "apply", "-p0", "-"], input=diff.encode(), check=True)
    assert (plant / "plant.yaml").read_bytes() == TIDY_PLANT.encode()
    assert (plant / "parts" / "scans.yaml").read_bytes() == TIDY_PART.encode()
    assert (plant / "t.csv").read_bytes() == TIDY_TABLE.encode()


def test_tidied_files_keep_what_is_the_users_own_and_their_previous_text(
    plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (plant / "t.csv").chmod(0o640)
    (plant / "plant.yaml.before").write_text("older")
    meant, _ = command.read(plant)
    assert meant is not None
    assert tidy(plant, write=True, check=False) == 0
    assert contents(plant) == {
        "plant.yaml": TIDY_PLANT.encode(), "plant.yaml.before": PLANT.encode(),
        "parts/scans.yaml": TIDY_PART.encode(), "parts/scans.yaml.before": PART.encode(),
        "t.csv": TIDY_TABLE.encode(), "t.csv.before": TABLE.encode(), "io.xlsx": BOOK,
    }  # fmt: skip
    assert stat.S_IMODE((plant / "t.csv").stat().st_mode) == 0o640
    assert stat.S_IMODE((plant / "t.csv.before").stat().st_mode) == 0o640
    assert command.read(plant)[0] == meant
    assert "the previous text is p/t.csv.before\n" in capsys.readouterr().err
    assert tidy(plant, write=True, check=True) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "p: tidy already"
    assert (plant / "t.csv.before").read_bytes() == TABLE.encode()


def test_a_plant_with_errors_is_not_tidied(plant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plant / "t.csv").write_text("name;address;type\nA ;holding:1;int17\n")
    before = contents(plant)
    assert tidy(plant, write=True, check=False) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "p/t.csv:2:C (type): E510 unknown type 'int17'" in said.err
    assert said.err.endswith("p: not tidied; mend the errors first\n")
    assert contents(plant) == before


def test_a_plant_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tidy(tmp_path / "no.yaml", write=True, check=False) == 1
    assert migrate(tmp_path / "no.yaml", write=True) == 1
    assert capsys.readouterr().err.count("E202 no such file") == 2


def test_a_part_of_a_plant_can_be_tidied_alone(plant: Path) -> None:
    assert tidy(plant / "parts" / "scans.yaml", write=True, check=False) == 0
    assert (plant / "parts" / "scans.yaml").read_bytes() == TIDY_PART.encode()


def changing(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Let tidy make one more edit, a wrong one."""

    def tidied(_file: str, text: str) -> list[Edit]:
        at = text.find(old)
        return [Edit(at, at + len(old), new, "wrong")] if at >= 0 else []

    monkeypatch.setattr(tidy_command, "tidied", tidied)


def test_an_edit_that_would_change_a_text_is_not_made(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(plant)
    changing(monkeypatch, "holding:2", "holding:9")
    assert tidy(plant, write=True, check=True) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == [
        "p/t.csv: left as it is; an edit would change what it means", "p: tidy already",
    ]  # fmt: skip
    assert contents(plant) == before


def test_an_edit_that_would_change_the_plant_is_not_made(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(plant)
    changing(monkeypatch, "holding:2", "holding:9")
    monkeypatch.setattr(tidy_command, "means_the_same", lambda *_: True)
    assert tidy(plant, write=True, check=False) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "p: not tidied; the plant would not be the same afterwards"
    assert contents(plant) == before


def test_a_link_stays_a_link(plant: Path) -> None:
    (plant / "t.csv").rename("elsewhere.csv")
    (plant / "t.csv").symlink_to(Path("elsewhere.csv").resolve())
    assert tidy(plant, write=True, check=False) == 0
    assert (plant / "t.csv").is_symlink()
    assert Path("elsewhere.csv").read_bytes() == TIDY_TABLE.encode()
    assert Path("elsewhere.csv.before").read_bytes() == TABLE.encode()


def test_all_files_are_written_or_none(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = os.fsync
    written = []

    def full(file: int) -> None:
        written.append(file)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(editing.os, "fsync", full)
    assert tidy(plant, write=True, check=False) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "p: nothing is written: No space left on device"
    )
    left = {name: raw for name, raw in contents(plant).items() if not name.endswith(".before")}
    assert left == {
        "plant.yaml": PLANT.encode(), "parts/scans.yaml": PART.encode(), "t.csv": TABLE.encode(),
        "io.xlsx": BOOK,
    }  # fmt: skip


def test_a_file_that_somebody_edits_meanwhile_is_left_to_them(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(_: object) -> None:
        (plant / "t.csv").write_text("name;address;type\nZ;holding:1;int16\n")

    monkeypatch.setattr(tidy_command, "show_changes", edit)
    assert tidy(plant, write=True, check=False) == 1
    assert "p/t.csv has been edited meanwhile" in capsys.readouterr().err
    assert (plant / "t.csv").read_text().startswith("name;address;type\nZ")
    assert (plant / "plant.yaml").read_bytes() == PLANT.encode()


def test_format_one_is_the_latest(plant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(plant)
    assert migrate(plant, write=True) == 0
    assert capsys.readouterr().err == "p/plant.yaml: already format 1, nothing to do\n"
    assert contents(plant) == before


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "E104 key 'tagbridge' is missing"),
        ("tagbridge: one", "E120 tagbridge: 'one' is no format"),
        ("tagbridge: 2", "E121 tagbridge: 2: this release reads format 1 only"),
        ("tagbridge: 0", "no way from format 0 to 1; known older formats: none so far"),
    ],
)
def test_formats_from_which_there_is_no_way(
    plant: Path, capsys: pytest.CaptureFixture[str], written: str, said: str
) -> None:
    text = PLANT.replace("tagbridge: 1", written)
    (plant / "plant.yaml").write_bytes(text.encode())
    assert migrate(plant, write=True) == 1
    assert said in capsys.readouterr().err
    assert (plant / "plant.yaml").read_bytes() == text.encode()


def step(source: int, old: str, new: str) -> Step:
    def edits(_file: str, text: str) -> list[Edit]:
        at = text.find(old)
        return [Edit(at, at + len(old), new, "")] if at >= 0 else []

    return Step(source=source, says=f"{old} is called {new}", edits=edits)


OLD = PLANT.replace("tagbridge: 1", "tagbridge: 0")


def test_a_step_leads_to_a_plant_of_today(plant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plant / "plant.yaml").write_bytes(OLD.replace("devices:", "machines:").encode())
    (plant / "parts" / "scans.yaml").write_bytes(b"scanns: {fast: 200ms}\n")
    before = contents(plant)
    steps = [step(0, "machines:", "devices:")]
    both = [
        Step(
            source=0, says="machines are devices",
            edits=lambda file, text: [
                *steps[0].edits(file, text), *step(0, "scanns", "scans").edits(file, text),
            ],
        )
    ]  # fmt: skip
    assert migrate(plant, write=False, steps=both) == 0
    said = capsys.readouterr()
    assert "-tagbridge: 0  # keep\r\n+tagbridge: 1  # keep\r\n" in said.out
    assert said.err.splitlines() == [
        "format 0 to 1: machines are devices",
        "nothing is written; next: tagbridge migrate p --write",
    ]
    assert contents(plant) == before
    assert migrate(plant, write=True, steps=both) == 0
    after = contents(plant)
    assert after["plant.yaml"] == PLANT.encode(), "untidiness is the user's"
    assert after["parts/scans.yaml"] == b"scans: {fast: 200ms}\n"
    assert after["plant.yaml.before"] == before["plant.yaml"]
    assert after["t.csv"] == before["t.csv"]
    assert "t.csv.before" not in after
    assert command.read(plant)[0] is not None


def test_a_step_that_leads_to_errors_writes_nothing(
    plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (plant / "plant.yaml").write_bytes(OLD.encode())
    before = contents(plant)
    assert migrate(plant, write=True, steps=[step(0, "unit: 1", "unit: x")]) == 1
    said = capsys.readouterr().err
    assert "p/plant.yaml:7:41: E113" in said
    assert said.endswith("p: nothing is written; the plant would have these errors afterwards\n")
    assert contents(plant) == before


def test_a_step_that_leads_to_another_plant_writes_nothing(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(plant)
    # A format that can be read, as N-1 will be once there is a second one.
    monkeypatch.setattr(migrate_command, "written_format", lambda *_: (0, 11, 12))
    assert migrate(plant, write=True, steps=[step(0, "holding:2", "holding:9")]) == 1
    assert capsys.readouterr().err == (
        "p: nothing is written; the plant would not be the same afterwards\n"
    )
    assert contents(plant) == before
