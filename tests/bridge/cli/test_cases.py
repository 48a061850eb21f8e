"""``tagbridge test`` and the lists of ``check``, as a user starts them."""

import json
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "mappings" / "examples" / "two-protocols.yaml"
CASES = """\
cases:
  half speed:
    device: Well 1
    raw: {Pump/Frequency: 250}
    expect: {Pump/Frequency: 25 Hz}
"""


def tagbridge(*words, folder):
    return subprocess.run(
        [sys.executable, "-m", "bridge.cli.main", *words],
        capture_output=True, text=True, timeout=60, check=False,
        cwd=EXAMPLE.parents[2], env={"PATH": str(folder), "COLUMNS": "200"},
    )  # fmt: skip


def test_cases_beside_a_plant_are_found_and_run(tmp_path):
    (tmp_path / "plant.yaml").write_text(EXAMPLE.read_text())
    (tmp_path / "wells.cases.yaml").write_text(CASES)
    ended = tagbridge("test", str(tmp_path), folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "half speed" in ended.stdout
    assert "1 passed, 0 failed" in ended.stdout
    (tmp_path / "wells.cases.yaml").write_text(CASES.replace("25 Hz", "2.5 Hz"))
    ended = tagbridge("test", str(tmp_path), "--json", folder=tmp_path)
    assert ended.returncode == 1
    told = json.loads(ended.stdout)
    assert told["passed"] is False
    assert told["differences"] == ["Pump/Frequency: 25.0 Hz where 2.5 Hz is expected"]


def test_no_cases_are_no_success(tmp_path):
    (tmp_path / "plant.yaml").write_text(EXAMPLE.read_text())
    ended = tagbridge("test", str(tmp_path), folder=tmp_path)
    assert ended.returncode == 1
    assert "no cases" in ended.stderr


def test_every_metric_is_listed(tmp_path):
    ended = tagbridge("check", str(EXAMPLE), "--metrics", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    [level] = [line for line in ended.stdout.splitlines() if "Reservoir/Level" in line]
    assert level.split()[:6] == [
        "Reservoir/Level", "plc;s=Reservoir.Level", "float64", "Double", "m", "0",
    ]  # fmt: skip
    ended = tagbridge("check", str(EXAMPLE), "--metrics", "--json", folder=tmp_path)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    names = {(line["device"], line["metric"]) for line in lines}
    assert ("Well 1", "Pump/Hours") in names
    [current] = [x for x in lines if (x["device"], x["metric"]) == ("Well 2", "Pump/Current")]
    assert current["scale"] == "1/100"
    assert current["metric_type"] == "Double"


NODES = """\
cases:
  by its node:
    device: Reservoir
    raw: {'plc;s=Reservoir.Level': 2.5}
    expect: {Reservoir/Level: 2.5 m}
"""


def test_a_case_names_a_node_by_its_address(tmp_path):
    text = EXAMPLE.read_text()
    (tmp_path / "plant.yaml").write_text(text)
    [device] = [
        line.strip().removesuffix(":")
        for line in text[: text.index("Reservoir/Level")].splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    ][-1:]
    (tmp_path / "a.cases.yaml").write_text(NODES.replace("device: Reservoir", f"device: {device}"))
    ended = tagbridge("test", str(tmp_path), folder=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


WIRE = """\
tagbridge: 1
edge_node: {group: G, name: N}
destinations: {scada: {servers: ["mqtt://a"]}}
devices:
  Meter:
    modbus: {endpoint: "rtu:///dev/ttyUSB0", unit: 1}
    tags: [{name: P, address: HR1, type: float32, scan: 100ms}]
"""


def test_a_wire_has_a_load_though_its_speed_is_the_usual(tmp_path):
    (tmp_path / "plant.yaml").write_text(WIRE)
    usual = tagbridge("check", str(tmp_path), "--requests", folder=tmp_path).stdout
    assert "the wire is" in usual
    written = WIRE.replace("unit: 1}", "unit: 1, serial: {baud: 19200, format: 8E1}}")
    (tmp_path / "plant.yaml").write_text(written)
    assert tagbridge("check", str(tmp_path), "--requests", folder=tmp_path).stdout == usual
