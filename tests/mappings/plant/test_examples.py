"""The examples are right, to the last warning, with the real drivers."""

from pathlib import Path

import pytest

from drivers.modbus.driver import MODBUS
from drivers.opcua.driver import OPCUA
from mappings.plant.reader import read_plant

EXAMPLES = Path(__file__).parents[3] / "mappings" / "examples"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_an_example_has_no_problem(file: Path) -> None:
    drivers = {"modbus": MODBUS, "opcua": OPCUA}
    plant, problems = read_plant(file.read_text(encoding="utf-8"), file.name, drivers)
    assert [str(problem) for problem in problems] == []
    assert plant is not None
    assert plant.devices
    for link in plant.links:
        assert "//127.0.0.1:" in link.endpoint, "examples run on this machine"
