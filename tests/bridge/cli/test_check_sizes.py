"""Births that a broker would not take, foreseen by ``check``."""

from pathlib import Path

import pytest

from bridge.cli.check import read
from bridge.diagnostics import rows_of
from bridge.sparkplug.image import NodeImage
from bridge.sparkplug.sizes import birth_sizes
from mappings.batch import Batch
from mappings.catalog import Catalog


def plant(folder: Path, rows: int, more: str = "") -> Path:
    tags = "\n".join(
        f"      - {{name: Area {n}/Level, address: HR{2 * n + 1}, type: float32, unit: m}}"
        for n in range(rows)
    )
    path = folder / "plant.yaml"
    path.write_text(
        f"tagbridge: 1\nedge_node: {{group: G, name: n}}\n"
        f'destinations: {{scada: {{servers: ["mqtt://a"]{more}}}}}\n'
        f"devices:\n  Small:\n    modbus: {{endpoint: 'tcp://h', unit: 1}}\n"
        f"    tags: [{{name: A, address: C1, type: bool}}]\n"
        f"  Huge:\n    modbus: {{endpoint: 'tcp://g', unit: 1}}\n    tags:\n{tags}\n",
        encoding="utf-8",
    )
    return path


def test_a_large_birth_is_foreseen(tmp_path: Path) -> None:
    found, problems = read(plant(tmp_path, 1_500))
    assert found is not None
    [problem] = problems
    assert problem.code == "W232"
    assert "the birth of 'Huge' takes up to" in problem.seen
    assert "some brokers take 128 KiB" in problem.seen
    assert "divide it into 2 devices" in problem.remedy
    assert problem.place.line == 11


def test_what_the_broker_takes_can_be_said(tmp_path: Path) -> None:
    found, problems = read(plant(tmp_path, 1_500, ", largest_packet: 1 MiB"))
    assert (found is not None, problems) == (True, [])
    found, problems = read(plant(tmp_path, 1_500, ", largest_packet: 64 KiB"))
    assert found is None
    assert problems[0].code == "E231"
    assert "largest_packet is 64 KiB" in problems[0].seen
    assert "write largest_packet: 256 KiB into scada" in problems[0].remedy


def test_small_births_are_no_matter(tmp_path: Path) -> None:
    assert read(plant(tmp_path, 100))[1] == []


@pytest.mark.parametrize("rows", [1, 100, 3_000])
def test_the_estimate_is_no_less_than_the_birth(tmp_path: Path, rows: int) -> None:
    """And not much more: a birth with a value for each row."""
    found, _ = read(plant(tmp_path, rows))
    assert found is not None
    metrics = rows_of(found)
    [destination] = found.destinations
    catalog = Catalog((name, len(row)) for name, row in metrics.items())
    points = tuple(range(rows))
    catalog.update(Batch("Huge", points, [1e30] * rows, [1_795_000_000_000] * rows))
    aliases = {name: list(range(1, len(row) + 1)) for name, row in metrics.items()}
    image = NodeImage("G", "n", metrics, aliases, catalog)
    birth = image.device_birth("Huge", timestamp_ms=1_795_000_000_000, seq=255)
    size = birth_sizes(destination, found, metrics)["Huge"]
    assert len(birth) < size < 1.5 * len(birth) + 600
