"""Ten thousand rows are checked while one waits: in less than five seconds.

Machines differ, so the limit is a ratio: to a million look-ups of short texts in the same run.
"""

import time
from pathlib import Path

import pytest

from bridge.cli.check import read
from tests.support.workbooks import workbook

LIMIT = 16.0  # yardsticks: five seconds of a machine that takes 0.3 s for one
DEVICES, ROWS = 10, 1_000
COLUMNS = "name;address;type;scale;unit;low;high;deadband;scan;class;description;property:Loop"
PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"], largest_packet: 1 MiB}}
devices:
"""


def rows(device: int) -> list[list[str]]:
    """A table as a plant has it: numbers, bits, texts for people, all columns in use."""
    made = [COLUMNS.split(";")]
    for n in range(ROWS):
        if n % 5 == 4:
            cells = [f"HR{2 * n + 1}.{n % 16}", "bool", "", "", "", "", "", "fast", "critical"]
        else:
            kind = ("float32", "int32", "uint16", "int16")[n % 4]
            cells = [f"HR{2 * n + 1}", kind, "0.1", "°C", "0", "120", "0.5 %", "", ""]
        made.append([f"Area {n % 20}/Point {n}", *cells, f"Row {n} of {device}", f"TI-{n}"])
    return made


def plant(folder: Path, kind: str) -> Path:
    text = PLANT.replace("devices:", "scans: {fast: 200ms}\ndevices:")
    for device in range(DEVICES):
        name = f"table{device}.{kind}"
        if kind == "csv":
            lines = "\n".join(";".join(row) for row in rows(device))
            (folder / name).write_text(lines + "\n", encoding="utf-8")
        else:
            (folder / name).write_bytes(workbook({"Tags": rows(device)}))
        text += f"  D{device}:\n    modbus: {{endpoint: 'tcp://h{device}', unit: 1}}\n"
        text += f"    tags: {name}\n"
    path = folder / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def yardstick_s() -> float:
    began = time.process_time()
    seen: dict[str, int] = {}
    for n in range(1_000_000):
        seen[f"{n % 5_000}"] = seen.get(f"{n % 977}", 0) + 1
    return time.process_time() - began


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_ten_thousand_rows_take_less_than_five_seconds(kind: str, tmp_path: Path) -> None:
    path = plant(tmp_path, kind)
    began = time.process_time()
    found, problems = read(path)
    took_s = time.process_time() - began
    assert [str(problem) for problem in problems] == []
    assert found is not None
    assert sum(len(device.metrics) for device in found.devices) == DEVICES * ROWS
    ratio = took_s / yardstick_s()
    print(f"{DEVICES * ROWS} rows of {kind}: {took_s:.2f} s of CPU time, {ratio:.1f} yardsticks")
    assert ratio < LIMIT
