"""The reference (mappings/README.md) tells the truth: blocks, columns, types and results."""

import re
from pathlib import Path

import pytest
import yaml

from bridge.cli.check import read
from drivers.registry import load_drivers
from mappings.datatypes import IEC_NAMES, WIRE_TYPES, wire_type
from mappings.plant.columns import COLUMNS
from mappings.plant.editor_schema import editor_schema

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "mappings" / "examples"
REFERENCE = (ROOT / "mappings" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:yaml|csv) (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = dict(BLOCK.findall(REFERENCE))


def section(begin: str, end: str) -> str:
    return REFERENCE[REFERENCE.index(begin) : REFERENCE.index(end)]


def test_there_are_blocks() -> None:
    assert len(BLOCKS) == 7


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_the_file_of_its_name(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    if name == "cellar/pumps.csv":  # the first of its pumps
        assert text.startswith(BLOCKS[name])
    else:
        assert text == BLOCKS[name]


@pytest.mark.parametrize("plant", ["brewery", "cellar", "filling", "full"])
def test_a_plant_has_no_problem_but_secrets_and_what_this_release_leaves_out(plant: str) -> None:
    found, problems = read(EXAMPLES / plant)
    assert found is not None
    others = [str(p) for p in problems if p.code != "W705" and not p.code.startswith("W8")]
    assert others == []


def metrics(plant: str):
    found, _ = read(EXAMPLES / plant)
    assert found is not None
    return [metric for device in found.devices for metric in device.metrics], found.devices


def test_the_result_of_the_brewery() -> None:
    every, devices = metrics("brewery")
    assert (len(devices), len(every)) == (4, 20)
    assert [m.name for m in every if m.writable] == ["Frequency setpoint"]


def test_the_result_of_the_cellar() -> None:
    every, devices = metrics("cellar")
    assert (len(devices), len(every)) == (1, 241)
    assert sum(m.importance == "critical" for m in every) == 40
    writable = [m for m in every if m.writable]
    assert len(writable) == 40
    assert {m.high for m in writable} == {1480.0, 2950.0}


def test_the_result_of_the_filling_line() -> None:
    every, devices = metrics("filling")
    assert (len(devices), len(every)) == (2, 7)
    assert [m.name for m in every if m.writable] == ["Reject"]


def test_the_columns_are_those_of_the_table() -> None:
    table = section("### 3. The tag table", "**Types:**")
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {word for cell in first_cells for word in re.findall(r"`([^`]+)`", cell)}
    assert named - {"property:X", "# X"} == set(COLUMNS)


def test_the_types_are_those_of_the_list() -> None:
    line = next(line for line in REFERENCE.splitlines() if line.startswith("**Types:**"))
    types, _, rest = line.partition("OPC UA and MQTT also")
    words = [word for part in re.findall(r"`([^`]+)`", types) for word in part.split(" ")]
    kinds = {found.kind for word in words if (found := wire_type(word)) is not None}
    assert len(words) == len(kinds) + 1  # string is there with and without a code page
    assert kinds | {"datetime"} == {known.kind for known in WIRE_TYPES.values()} | {"bytes"}
    iec = next(part for part in re.findall(r"`([^`]+)`", rest) if part.startswith("BOOL"))
    assert set(iec.split(" ")) == set(IEC_NAMES)
    for vague in ("int", "float", "word"):
        assert wire_type(vague) is None


def test_every_section_of_the_full_plant_is_in_the_schema_and_the_other_way_round() -> None:
    sections = editor_schema(load_drivers())["properties"]
    full = yaml.compose((EXAMPLES / "full" / "plant.yaml").read_text(encoding="utf-8"))
    written = {key.value for key, _ in full.value}
    assert written | {"templates"} == set(sections)
