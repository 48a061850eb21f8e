"""``tagbridge trust``: what waits is shown, accepted by its thumbprint; ours is where it says."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from drivers.opcua.pki import Pki, thumbprint
from simulators.opcua_certificate import new_certificate

PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://127.0.0.1"]}}
pki: {folder: pki}
devices:
  PLC:
    opcua: {endpoint: "opc.tcp://127.0.0.1"}
    tags: [{name: A, address: i=2258, type: datetime}]
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT)
    return path


def run(*words: object):
    return CliRunner().invoke(app, ["trust", *map(str, words)], env={"COLUMNS": "120"})


def test_a_certificate_that_waits_is_listed_and_accepted(plant: Path) -> None:
    der, _ = new_certificate("urn:plc:cellar")
    name = thumbprint(der)
    assert "none: no server" in run("list", plant).output
    Pki(plant.parent / "pki").reject(der)
    listed = run("list", plant)
    assert listed.exit_code == 0
    assert "○ waits" in listed.output
    assert name in listed.output
    assert "urn:plc:cellar" in listed.output
    spaced = " ".join(name[i : i + 2].lower() for i in range(0, 40, 2))
    accepted = run("accept", plant, spaced)
    assert (accepted.exit_code, name in accepted.output) == (0, True)
    assert Pki(plant.parent / "pki").is_trusted(der)
    assert "● trusted" in run("list", plant).output


def test_what_does_not_wait_is_not_accepted(plant: Path) -> None:
    der, _ = new_certificate("urn:plc:cellar")
    Pki(plant.parent / "pki").reject(der)
    refused = run("accept", plant, "00" * 20)
    assert refused.exit_code == 1
    assert thumbprint(der) in refused.output


def test_our_own_certificate_is_made_and_named(plant: Path) -> None:
    told = run("own", plant)
    assert told.exit_code == 0
    assert (plant.parent / "pki" / "own" / "certificate.der").exists()
    assert "urn:" in told.output
