"""``tagbridge check``: read a plant file and say everything that is wrong with it.

This is where the plant is a file: it is found, read and decoded here, the drivers are looked up,
and the pure reader in `mappings.plant` does the rest; a part of a plant may be checked by itself.
Nothing is ever connected. Problems go to standard error, in the order of the file, as editors and
terminals link them; the summary goes to standard output.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.listing import show_metrics, show_requests
from bridge.cli.plant_files import OnDisk
from bridge.cli.secrets import SecretError, resolve
from bridge.diagnostics import rows_of
from bridge.sparkplug.naming import named
from bridge.sparkplug.sizes import birth_sizes
from drivers.driver import Driver
from drivers.registry import DriverWarning, load_drivers
from mappings.plant.definitions import Login, Plant, Secret
from mappings.plant.files import Files, decoded
from mappings.plant.problems import Place, Problem, Report
from mappings.plant.reader import read_plant

PLANT_FILE = "plant.yaml"
"""What a folder's plant file is called."""


PART = "{}: a part of a plant, right as far as it can be checked by itself"


_USUAL_PACKET = 128 << 10  # of brokers in a cloud; those of plants take more


def check(
    path: Path, *, strict: bool, as_json: bool, metrics: bool = False, requests: bool = False
) -> int:
    """Say what is wrong, or what the plant is; the exit code.

    1 if an error was found, with ``strict`` a warning as well. ``metrics`` and ``requests`` list
    what will run instead of summing it up. ``as_json`` gives one JSON object for each problem and
    for each line of these lists on standard output, and nothing else there.
    """
    plant, problems = read(path)
    if as_json:
        for problem in problems:
            print(json.dumps(_as_json(problem), ensure_ascii=False))
    else:
        show(problems)
    if plant is not None:
        if metrics:
            show_metrics(plant, as_json=as_json)
        if requests:
            show_requests(plant, load_drivers(), as_json=as_json)
        if not (as_json or metrics or requests):
            _summary(plant)
    stopped = any(problem.stops for problem in problems)
    if plant is None and not stopped and not as_json:
        print(PART.format(path))
    return 1 if stopped or (strict and problems) else 0


def _as_json(problem: Problem) -> dict[str, object]:
    place = problem.place
    return {
        "file": place.file, "line": place.line, "column": place.column, "header": place.header,
        "code": problem.code, "seen": problem.seen, "remedy": problem.remedy,
        "next": problem.next, "stops": problem.stops,
    }  # fmt: skip


def load_plant(path: Path) -> Plant:
    """The plant of a file or folder; shows its problems, and exits if one is an error."""
    return right(path, *read(path))


def right(path: Path, plant: Plant | None, problems: Iterable[Problem]) -> Plant:
    """The plant that was read from a path; shows its problems, and exits if there is none."""
    problems = list(problems)
    show(problems)
    if plant is None:
        if not problems:
            Console(stderr=True, soft_wrap=True).print(Text(PART.format(path)))
        raise typer.Exit(1)
    return plant


def plant_file(path: Path) -> Path:
    """The file that a path means: itself, or the plant file of a folder."""
    return path / PLANT_FILE if path.is_dir() else path


def read(path: Path, files: Files | None = None) -> tuple[Plant | None, list[Problem]]:
    """The plant of a file or folder, and its problems; a file that cannot be read is one.

    ``files`` is what it is read from, if not the disk.
    """
    files = files or OnDisk()
    drivers = _drivers()
    file = plant_file(path)
    report = Report(str(file), str(path))
    text = _text(file, path, files, report)
    if text is None:
        return None, report.problems
    folder = file.parent

    def secret_is_there(secret: Secret) -> bool:
        try:
            resolve(Login(user="", password=secret), folder)
        except SecretError:
            return False
        return True

    plant, problems = read_plant(
        text,
        str(file),
        drivers,
        files=files,
        called=str(path),
        secret_is_there=secret_is_there,
    )
    if plant is None:
        return None, problems
    large = [*_large_births(plant)]
    stops = any(problem.stops for problem in large)
    return None if stops else plant, [*problems, *large]


def _large_births(plant: Plant) -> Iterator[Problem]:
    """Births that brokers do not take: a message cannot be divided, a device can."""
    rows = rows_of(plant)
    places = {device.name: device.places for device in plant.devices}
    for destination in plant.destinations:
        most = destination.largest_packet or _USUAL_PACKET
        shown = named(destination.metric_names, rows, plant.devices)
        for device, size in birth_sizes(destination, plant, shown).items():
            if size <= most:
                continue
            what = f"birth of {device!r}" if device else "birth of the node itself"
            parts = -(-size // most)
            place = next(iter(places.get(device, ())), Place(plant.file, 1, 1))
            said = "largest_packet is" if destination.largest_packet else "some brokers take"
            yield Problem(
                place=place,
                code="E231" if destination.largest_packet else "W232",
                seen=f"{destination.name}: the {what} takes up to {size >> 10} KiB, "
                f"{said} {most >> 10} KiB",
                remedy=f"divide it into {parts} devices, or publish fewer metrics; if the broker "
                f"takes more, write largest_packet: {_round_up(size)} KiB into {destination.name}",
                next="tagbridge explain E231",
            )


def _round_up(size: int) -> int:
    """The next power of two, in KiB."""
    return max(1, 1 << (size - 1).bit_length() >> 10)


def show(problems: Iterable[Problem]) -> None:
    """Print problems to standard error, then how many there are."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    problems = list(problems)
    for problem in problems:
        colour = "bold red" if problem.stops else "bold yellow"
        line = Text(f"{problem.place}: ")
        line.append(problem.code, style=colour)
        line.append(f" {problem.seen}\n    {problem.remedy}")
        if problem.next:
            line.append(f"   next: {problem.next}", style="dim")
        console.print(line)
    if problems:
        console.print(Text(_count(problems)))


def _count(problems: list[Problem]) -> str:
    errors = sum(problem.stops for problem in problems)
    parts = ((errors, "error"), (len(problems) - errors, "warning"))
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in parts if n)


def _drivers() -> Mapping[str, Driver]:
    """The installed drivers; one that cannot be loaded is a line on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DriverWarning)
        drivers = load_drivers()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for warning in caught:
        console.print(Text(f"warning: {warning.message}", style="yellow"))
    return drivers


def _text(file: Path, given: Path, files: Files, report: Report) -> str | None:
    """The text of a plant file; None with a problem in the report."""
    try:
        raw = files.read(str(file))
    except FileNotFoundError:
        if given.is_dir():
            there = ", ".join(sorted(found.name for found in given.glob("*.y*ml"))[:5])
            hint = (
                f"there are {there}: name the one you mean" if there else f"put {PLANT_FILE} there"
            )
            report.add("E202", report.top, f"no {PLANT_FILE} in this folder", hint)
        else:
            hint = "name a plant file, or the folder of a plant.yaml"
            report.add("E202", report.top, "no such file", hint)
        return None
    except OSError as error:
        hint = "check its rights, and that it is a plain file"
        report.add("E110", report.top, f"cannot be read: {error.strerror or error}", hint)
        return None
    return decoded(raw, str(file), report)


def _summary(plant: Plant) -> None:
    """What the plant is, in one table."""
    console = Console(highlight=False)
    table = Table(title=str(plant.file), title_justify="left")
    for column in ("link", "driver", "endpoint", "device"):
        table.add_column(column, overflow="fold")
    table.add_column("metrics", justify="right")
    for link in plant.links:
        for number, device in enumerate(link.devices):
            head = (link.name, link.driver, link.endpoint) if not number else ("", "", "")
            cells = [Text(cell) for cell in (*head, device.name)]
            table.add_row(*cells, str(len(device.metrics)))
    console.print(table)
    for destination in plant.destinations:
        node = destination.edge_node
        servers = ", ".join(destination.servers)
        line = f"{destination.name}: edge node {node.group}/{node.name} at {servers}"
        console.print(Text(line), soft_wrap=True)
    metrics = sum(len(device.metrics) for device in plant.devices)
    counts = (
        (len(plant.links), "link"), (len(plant.devices), "device"), (metrics, "metric"),
    )  # fmt: skip
    said = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts)
    console.print(Text(said))
