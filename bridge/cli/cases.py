"""``tagbridge test``: the cases that users keep beside their plant, run without any device."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.check import load_plant, show
from drivers.registry import load_drivers
from mappings.plant.cases import Outcome, run_cases
from mappings.plant.problems import Report, in_order

PATTERN = "*.cases.yaml"
"""What the files of cases beside a plant are called."""


def test(path: Path, files: Sequence[Path], *, as_json: bool) -> int:
    """Run the cases of a plant; the exit code: 1 if one fails or cannot be read, or there is none.

    ``files`` left out are all files of cases in the plant's folder.
    """
    plant = load_plant(path)
    drivers = load_drivers()
    folder = Path(plant.file).parent
    found = list(files) or sorted(folder.glob(PATTERN))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not found:
        console.print(f"no cases: there is no {PATTERN} in {folder}")
        console.print("    write one as the example does   next: tagbridge explain cases")
        return 1
    report = Report(plant.file)
    outcomes: list[Outcome] = []
    for file in found:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            console.print(f"{file}: cannot be read: {reason}")
            return 1
        outcomes += run_cases(text, str(file), plant, drivers, report)
    show(in_order(report.problems))
    if as_json:
        for outcome in outcomes:
            print(json.dumps(_as_json(outcome), ensure_ascii=False))
    else:
        _table(outcomes)
    return 0 if outcomes and not report.stops and all(o.passed for o in outcomes) else 1


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "case": outcome.case, "device": outcome.device, "file": outcome.place.file,
        "line": outcome.place.line, "passed": outcome.passed,
        "differences": list(outcome.differences),
    }  # fmt: skip


def _table(outcomes: Sequence[Outcome]) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "case", "device", "what differs"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        light = Text("●", style="green" if outcome.passed else "bold red")
        told = Text("\n".join(outcome.differences), style="red")
        table.add_row(light, Text(outcome.case), Text(outcome.device), told)
    console.print(table)
    failed = sum(not outcome.passed for outcome in outcomes)
    console.print(f"{len(outcomes) - failed} passed, {failed} failed")
