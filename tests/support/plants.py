"""Plant files for tests, written as a user would write them, with free ports."""

from pathlib import Path

from drivers.registry import load_drivers
from mappings.plant.definitions import Plant
from mappings.plant.reader import read_plant
from tests.support.wait import free_port


def read(path: Path) -> Plant:
    """The plant of a file that has no problems."""
    plant, problems = read_plant(path.read_text(), str(path), load_drivers())
    assert not problems, [str(problem) for problem in problems]
    assert plant is not None
    return plant


def counting_plant(folder: Path, broker_port: int, *, scan: str = "50ms", devices: int = 3) -> Path:
    """Units on one Modbus connection whose registers count their own reads."""
    port = free_port()
    lines = f"""\
tagbridge: 1
edge_node: {{group: Test, name: counter}}
destinations:
  scada: {{servers: ["mqtt://127.0.0.1:{broker_port}"], keep_alive: 2s, sparkplug: {{}}}}
outbox: {{folder: "{folder / "outbox"}", max_size: 256 MiB}}
links: {{line: {{endpoint: "tcp://127.0.0.1:{port}", timeout: 1s}}}}
devices:
""".splitlines()
    for unit in range(1, devices + 1):
        lines += [
            f"  Unit {unit}:",
            f"    modbus: {{link: line, unit: {unit}}}",
            f"    defaults: {{scan: {scan}}}",
            "    tags:",
            '      - {name: Count/A, address: "holding:100", type: uint32}',
            '      - {name: Count/B, address: "holding:102", type: uint32}',
            '      - {name: Count/C, address: "input:7", type: uint32}',
        ]
    path = folder / "plant.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path
