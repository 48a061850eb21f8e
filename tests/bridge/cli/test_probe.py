"""``tagbridge probe`` against a simulated device: an address, its neighbours, a link's units."""

import asyncio
import subprocess
import sys
from pathlib import Path

from bridge.cli.check import read
from simulators.modbus import ModbusSimulator
from tests.support.wait import free_port

PLANT = """\
tagbridge: 1
edge_node: {{group: G, name: n}}
destinations: {{scada: {{servers: ["mqtt://127.0.0.1"]}}}}
links: {{line: {{endpoint: "tcp://127.0.0.1:{port}", timeout: 20ms}}}}
devices:
  Pump:
    modbus: {{link: line, unit: 7}}
    tags:
      - {{name: Speed, address: HR100, type: uint16}}
      - {{name: Level, address: HR101, type: float32}}
      - {{name: On, address: C5, type: bool}}
  Other:
    modbus: {{link: line, unit: 9}}
    tags: [{{name: A, address: HR1, type: uint16}}]
"""


def plant_at(folder: Path) -> tuple[Path, int]:
    port = free_port()
    path = folder / "plant.yaml"
    path.write_text(PLANT.format(port=port))
    return path, port


async def run(*words: object) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.cli.main", "probe", *map(str, words),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"COLUMNS": "160", "PATH": ""},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_an_address_is_shown_with_its_neighbours_in_the_usual_types(tmp_path: Path) -> None:
    path, port = plant_at(tmp_path)
    plant, _ = read(path)
    async with ModbusSimulator(plant.devices, port=port) as simulator:
        simulator.hold("Pump", {"Speed": 65535, "Level": 1.5, "On": True})
        code, said = await run(path, "Pump", "HR101")
        assert code == 0, said
        lines = {line.split("holding:")[1].split()[0]: line for line in said.splitlines()[2:]}
        assert list(lines) == ["99", "100", "101"]
        assert lines["100"].startswith("→")
        assert "3FC0" in lines["100"]
        assert "1.5" in lines["100"].split()
        assert "-1" in lines["99"].split()
        code, said = await run(path, "Pump", "C5")
        assert (code, "coil:4" in said, "C5" in said) == (0, True, True)


async def test_the_units_that_answer_are_found(tmp_path: Path) -> None:
    path, port = plant_at(tmp_path)
    plant, _ = read(path)
    async with ModbusSimulator(plant.devices[:1], port=port):
        code, said = await run(path, "line", "--units")
    assert code == 0
    assert "unit   7  answers" in said
    assert "unit   9  does not answer  Other" in said
    assert "1 of 247 units answer" in said


async def test_what_cannot_be_probed_says_why(tmp_path: Path) -> None:
    path, _ = plant_at(tmp_path)
    for words, told in (
        (("Pmup", "HR1"), "did you mean 'Pump'?"),
        (("Pump",), "no address"),
        (("Pump", "101"), "names no area"),
        (("Pump", "HR1"), "refuses connections"),
        (("nothing", "--units"), "no Modbus link 'nothing'"),
    ):
        code, said = await run(path, *words)
        assert (code, told in said) == (1, True), said
