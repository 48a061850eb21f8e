"""What counting simulators make decidable: which numbers are missing, and whether any came back.

Every sample is a number that counts the reads of its register, so a missing, repeated, altered or
misplaced one can be told from its value alone.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bridge.sparkplug import captures
from simulators.plant import PlantSimulator
from tests.support.capture import Capture
from tests.support.decoded import Sample, samples
from tests.support.gateway import ROOT

Key = tuple[str, str]


def counts(received: list[Sample]) -> dict[Key, list[Sample]]:
    """The samples of each counter, in the order of arrival; node metrics and nulls left out."""
    by_metric: dict[Key, list[Sample]] = defaultdict(list)
    for sample in received:
        if sample.device and sample.value is not None:
            by_metric[sample.device, sample.name].append(sample)
    return by_metric


def assert_current_values_only_rise(by_metric: dict[Key, list[Sample]]) -> None:
    """Per-metric order of what is not historical, births included."""
    for key, series in by_metric.items():
        current = [sample.value for sample in series if not sample.historical]
        assert current == sorted(current), f"{key} went back"


def missing(series: list[Sample], upto: int) -> list[int]:
    seen = {sample.value for sample in series}
    return [number for number in range(1, upto + 1) if number not in seen]


def read_so_far(simulator: PlantSimulator) -> dict[Key, int]:
    """The last number that each counter has served."""
    truth = simulator.truth
    return {key: int(truth.stretches(*key)[-1].value) for key in truth.tags()}


def delivered(capture: Capture, read_by_now: dict[Key, int]) -> bool:
    """Whether every counter has every number up to what had been read."""
    by_metric = counts(samples(list(capture.packets)))
    return all(not missing(by_metric[key], upto) for key, upto in read_by_now.items())


def reached(capture: Capture, read_by_now: dict[Key, int]) -> bool:
    """Whether the last numbers are there, whatever is missing before them."""
    by_metric = counts(samples(list(capture.packets)))
    return all(
        key in by_metric and max(s.value for s in by_metric[key]) >= upto
        for key, upto in read_by_now.items()
    )


def assert_no_violation(capture: Capture, *, but: str = "") -> None:
    """``tagbridge watch --from`` has nothing against a node, as far as the capture could see.

    ``but`` is an id that is passed over.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "capture"
        with file.open("w", encoding="utf-8") as lines:
            for place, packet in enumerate(list(capture.packets)):
                if place in capture.gaps:
                    captures.write(lines, captures.GAP)
                captures.write(lines, packet)
        done = subprocess.run(
            [sys.executable, "-m", "bridge.cli.main", "watch", "--from", str(file), "--json"],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
    nodes = [json.loads(line) for line in done.stdout.splitlines()]
    assert nodes, (done.stdout, done.stderr)
    broken = [one for node in nodes for one in node["broken"] if one["id"] != but]
    assert broken == []
