"""``tagbridge browse`` at a simulated server: namespaces, a table, rows that `check` accepts."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from bridge.cli.check import read
from simulators.opcua import OpcUaSimulator
from tests.support.wait import free_port

PLANT = """\
tagbridge: 1
edge_node: {{group: G, name: n}}
destinations: {{scada: {{servers: ["mqtt://127.0.0.1"]}}}}
devices:
  PLC:
    opcua:
      endpoint: "opc.tcp://127.0.0.1:{port}"
      security: insecure
      namespaces: {{s7: "urn:tests:s7"}}
    tags: {tags}
"""
TAGS = """\
[{name: Speed, address: 's7;s="Line"."Speed"', type: REAL},
           {name: Count, address: 's7;s="Line"."Count"', type: DINT}]"""


def plant_at(folder: Path, tags: str = TAGS, port: int = 0) -> Path:
    path = folder / "plant.yaml"
    path.write_text(PLANT.format(port=port or free_port(), tags=tags))
    return path


async def run(*words: object) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.cli.main", "browse", *map(str, words),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    said, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode(), told.decode()


async def test_what_a_server_has_is_shown_and_can_be_pasted(tmp_path: Path) -> None:
    path = plant_at(tmp_path)
    plant, _ = read(path)
    assert plant is not None
    port = int(plant.links[0].endpoint.rpartition(":")[2])
    async with OpcUaSimulator(plant.devices, port=port) as simulator:
        await simulator.hold("PLC", {"Speed": 1.5, "Count": 7})
        code, said, told = await run(path, "PLC", "--namespaces")
        assert code == 0, told
        line = next(line for line in said.splitlines() if "urn:tests:s7" in line)
        assert line.split()[-1] == "s7"
        code, said, told = await run(path, "PLC")
        assert code == 0, told
        speed = next(line for line in said.splitlines() if 's7;s="Line"."Speed"' in line)
        assert {"float32", "1.5"} <= set(speed.split())
        code, said, told = await run(path, "PLC", "--csv")
        assert code == 0, told
        code, _, told = await run(path, "PLC", "--most", "1")
        assert (code, "there is more: 1 shown" in told) == (0, True)
    (tmp_path / "all.csv").write_text(said)
    again, problems = read(plant_at(tmp_path, "all.csv", port))
    assert [str(problem) for problem in problems] == []
    assert again is not None
    rows = {tag.address: tag.wire_type for tag in again.devices[0].tags}
    assert rows['s7;s="Line"."Speed"'] == "float32"
    assert rows['s7;s="Line"."Count"'] == "int32"


async def test_what_cannot_be_browsed_says_why(tmp_path: Path) -> None:
    path = plant_at(tmp_path)
    for words, told in (
        (("PCL",), "did you mean 'PLC'?"),
        (("PLC",), "connection refused"),
    ):
        code, _, said = await run(path, *words)
        assert (code, told in said) == (1, True), said
