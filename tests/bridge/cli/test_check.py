"""The check command: files as they lie about on disks, exit codes, and what is printed where."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bridge.cli import check as command
from bridge.cli.check import check, load_plant
from tests.support.grammars import GRAMMARS

RIGHT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"]}}
devices:
  Pump:
    modbus: {endpoint: "tcp://h", unit: 1}
    tags: [{name: A, address: "holding:1", type: bool}]
"""
WARNED = RIGHT.replace("Pump:", "Pump.1:")
WRONG = RIGHT.replace("type: bool", "type: boole").replace("unit: 1", "unit: 0x1")


@pytest.fixture(autouse=True)
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_drivers", lambda: GRAMMARS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plant.yaml"


def test_a_right_plant_is_summed_up(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(RIGHT)
    assert check(file, strict=True, as_json=False) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "tcp://h" in said.out
    assert "scada: edge node G/n at mqtt://a" in said.out
    assert "1 link, 1 device, 1 metric\n" in said.out


def test_a_folder_means_its_plant_file(file: Path) -> None:
    file.write_text(RIGHT)
    assert check(file.parent, strict=True, as_json=False) == 0
    assert load_plant(file.parent).file == str(file)


def test_problems_go_to_standard_error_in_the_order_of_the_file(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WRONG)
    assert check(file, strict=False, as_json=False) == 1
    said = capsys.readouterr()
    assert said.out == ""
    first, _, second, _, count = said.err.splitlines()
    assert first.startswith(f"{file}:6:41: E113 devices.Pump.modbus.unit: '0x1'")
    assert second == f"{file}:7:50: E510 unknown type 'boole'"
    assert count == "2 errors"
    assert "\x1b" not in said.err, "no colours where nobody looks"


def test_a_warning_fails_only_if_one_is_strict(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WARNED)
    assert check(file, strict=False, as_json=False) == 0
    assert check(file, strict=True, as_json=False) == 1
    assert "1 warning\n" in capsys.readouterr().err
    assert load_plant(file).devices


def test_json_is_one_object_for_each_problem(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WRONG)
    assert check(file, strict=False, as_json=True) == 1
    said = capsys.readouterr()
    assert said.err == ""
    objects = [json.loads(line) for line in said.out.splitlines()]
    assert [(o["line"], o["column"], o["code"], o["stops"]) for o in objects] == [
        (6, 41, "E113", True),
        (7, 50, "E510", True),
    ]


def test_a_secret_that_is_not_there_is_a_warning(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    login = 'servers: ["mqtt://a"], login: {user: u, password: "${file:secrets/scada}"}'
    file.write_text(RIGHT.replace('servers: ["mqtt://a"]', login))
    assert check(file, strict=False, as_json=False) == 0
    assert "W705 destinations.scada.login.password" in capsys.readouterr().err
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets" / "scada").write_text("word\n")
    assert check(file, strict=True, as_json=False) == 0


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"tagbridge: 1\nedge_node: {name: B\xf6ller}\n", "E111", "2:20"),
        (b"\xff\xfet\x00a\x00", "E111", "1:1"),
        (b"", "E104", "1:1"),
        (b"\xef\xbb\xbf", "E104", "1:1"),
    ],
)
def test_files_that_are_no_text(
    file: Path, content: bytes, code: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)
    assert check(file, strict=False, as_json=False) == 1
    assert f"{file}:{place}: {code} " in capsys.readouterr().err


def test_a_byte_order_mark_is_skipped(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
    assert check(file, strict=True, as_json=False) == 0


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "none.yaml", strict=False, as_json=False) == 1
    assert "E202 no such file" in capsys.readouterr().err
    assert check(tmp_path, strict=False, as_json=False) == 1
    assert "E202 no plant.yaml in this folder" in capsys.readouterr().err
    (tmp_path / "demo.yaml").write_text(RIGHT)
    assert check(tmp_path, strict=False, as_json=False) == 1
    assert "there are demo.yaml: name the one you mean" in capsys.readouterr().err
    (tmp_path / "plant.yaml").mkdir()
    assert check(tmp_path, strict=False, as_json=False) == 1
    assert "E110 cannot be read: Is a directory" in capsys.readouterr().err


def test_loading_a_wrong_plant_ends_the_command(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WRONG)
    with pytest.raises(typer.Exit) as caught:
        load_plant(file)
    assert caught.value.exit_code == 1
    assert "E510" in capsys.readouterr().err


def test_on_the_command_line(tmp_path: Path) -> None:
    """The whole way, with the drivers that an installation announces."""
    root = Path(__file__).parents[3]
    announced = tmp_path / "tagbridge-0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: tagbridge\nVersion: 0\n")
    (announced / "entry_points.txt").write_text(
        "[tagbridge.drivers]\n"
        "modbus = drivers.modbus.driver:MODBUS\nopcua = drivers.opcua.driver:OPCUA\n"
    )

    def tagbridge(*words: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bridge.cli.main", *words],
            cwd=root,
            env=os.environ
            | {"PYTHONPATH": f"{tmp_path}:{root}", "COLUMNS": "100", "PYTHONIOENCODING": encoding},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    right = tagbridge("check", "--strict", "mappings/examples/two-protocols.yaml")
    assert right.returncode == 0, right.stderr
    assert "2 links, 4 devices, 26 metrics" in right.stdout
    plain = tagbridge("check", "mappings/examples/two-protocols.yaml", encoding="ascii")
    assert plain.returncode == 0, "a terminal that knows few characters"
    assert tagbridge("--version").stdout == "tagbridge 0\n"
    (tmp_path / "plant.yaml").write_text(WRONG)
    wrong = tagbridge("check", str(tmp_path))
    assert wrong.returncode == 1
    assert "2 errors" in wrong.stderr
    assert "Traceback" not in wrong.stderr + wrong.stdout
