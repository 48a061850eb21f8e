"""The messages of the reference (mappings/README.md): each answers one edit of its three plants."""

import re
import shutil
from pathlib import Path

import pytest

from bridge.cli.check import read

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "mappings" / "examples"
MESSAGE = re.compile(r"^((\w+)/\S+?:\d+:\S+.*\n    .*)$", re.MULTILINE)

ROW_20 = "unit: A, low: 0, high: 25"
PUMP = 's7;s="Pumps"."P"[{n}].'
UNS = 'uns: {topic: "{enterprise}/{site}/{area}/{line}/{device}/{metric}"}'

EDITS = (
    ("plant.yaml", '"${file:secrets/scada}"', "secret1"),
    ("plant.yaml", "baud:", "buad:"),
    ("plant.yaml", "timeout: 300ms", "timeout: 300"),
    ("plant.yaml", "tags: sdm630.csv", "tags: sdm360.csv"),
    ("plant.yaml", "modbus: {link: mcc, unit: 21}", "modbuss: {link: mcc, unit: 21}"),
    ("plant.yaml", "unit: 21", "unit: 12"),
    ("plant.yaml", '"holding:3201.2"', "403202.2"),
    ("plant.yaml", '"holding:3204"', "3204"),
    ("plant.yaml", '"holding:3204", type: uint16', '"holding:3204", type: unit16'),
    ("plant.yaml", f"scale: 0.1, {ROW_20}", f"scale: 0.001, {ROW_20.replace('25', '125')}"),
    ("plant.yaml", "low: 0, high: 50, access: rw", "access: rw"),
    ("sdm630.csv", "name;address", "name;adress"),
    ("sdm630.csv", "Voltage/L2", "Voltage/l1"),
    ("sdm630.csv", "30003", "30002"),
    ("sdm630.csv", "30003;float32;;V;0;300", "30003;float32;;V;0;03. Jan"),
    ("sdm630.csv", "30053", "input:30053"),
    ("sdm630.csv", ";W;kW;", ";W;kWh;"),
    ("plant.yaml", "is: Auto", "is: Automatic"),
    ("templates/pump.yaml", f'{PUMP}"Fault', f'{PUMP}"Fault'.replace("s7;", "ns=3;")),
    ("templates/pump.yaml", f"'{PUMP}\"Speed\"'", f'{PUMP}"Speed"'),
    ("templates/pump.yaml", "unit: °C", "unit: C"),
    ("pumps.csv", "max_flow", "max_folw"),
    ("plant.yaml", "uint32, unit: bottles", "uint32, order: BA, unit: bottles"),
    ("plant.yaml", UNS, "sparkplug: {}"),
    ("plant.yaml", "[{rule: reject-defect, write: [Filler PLC/Reject]}]", "[]"),
)


def messages() -> list[tuple[str, str]]:
    """The messages of the reference with the folder of their plant, in its order."""
    text = (ROOT / "mappings" / "README.md").read_text(encoding="utf-8")
    section = text[text.index("### 5. What it says") : text.index("### 6.")]
    return [(found[2], found[1]) for found in MESSAGE.finditer(section)]


def test_every_message_has_an_edit() -> None:
    assert len(messages()) == len(EDITS) == 25


@pytest.mark.parametrize(
    ("plant", "message", "edit"),
    [(*message, edit) for message, edit in zip(messages(), EDITS, strict=True)],
    ids=lambda part: part.split(" ")[0] if isinstance(part, str) else "",
)
def test_an_edit_gets_its_message_and_nothing_else(
    plant: str, message: str, edit: tuple[str, str, str], tmp_path: Path, monkeypatch
) -> None:
    shutil.copytree(EXAMPLES / plant, tmp_path / plant)
    monkeypatch.chdir(tmp_path)
    file, old, new = edit
    path = tmp_path / plant / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    _, problems = read(Path(plant))
    told = [str(p) for p in problems if p.code != "W705" and not p.code.startswith("W8")]
    assert told == [message]
