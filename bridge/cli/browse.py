"""``tagbridge browse``: what an OPC UA server has, as a table or as rows to paste.

With ``--namespaces`` only its namespaces, to be pinned in the plant file.
"""

import asyncio
import csv
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.check import load_plant
from bridge.cli.failing import failed, known
from bridge.cli.secrets import SecretError, identify, resolve
from drivers.driver import Endpoint, LinkError
from drivers.opcua.browsing import Variable, connected, namespaces, variables
from drivers.opcua.config import DeviceOptions
from mappings.plant.definitions import DeviceDefinition, LinkDefinition, Plant


def browse(
    path: Path, name: str, *, only_namespaces: bool, as_csv: bool, depth: int, most: int
) -> int:
    """Show a device's server; 1 if it cannot be reached."""
    plant = load_plant(path)
    found = _device(plant, name)
    if found is None:
        return 1
    link, device = found
    try:
        endpoint = _endpoint(plant, link)
        return asyncio.run(
            _browse(endpoint, device, only_namespaces=only_namespaces, as_csv=as_csv,
                    depth=depth, most=most)
        )  # fmt: skip
    except (LinkError, SecretError) as error:
        return failed(str(error), getattr(error, "remedy", ""))


async def _browse(
    endpoint: Endpoint,
    device: DeviceDefinition,
    *,
    only_namespaces: bool,
    as_csv: bool,
    depth: int,
    most: int,
) -> int:
    assert isinstance(device.options, DeviceOptions)
    console = Console(highlight=False)
    async with connected(endpoint) as client:
        uris = await namespaces(client)
        aliases = {uri: alias for alias, uri in device.options.namespaces.items()}
        if only_namespaces:
            console.print(_namespace_table(uris, aliases))
            return 0
        found, more = await variables(client, depth=depth, most=most)
    if as_csv:
        _write(found, uris, aliases)
    else:
        console.print(_table(found, uris, aliases))
    if more:
        said = f"there is more: {len(found)} shown; see --depth and --most"
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(said, style="yellow"))
    return 0


def _namespace_table(uris: list[str], aliases: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("index", "URI", "in the plant file"):
        table.add_column(column, overflow="fold")
    for index, uri in enumerate(uris):
        said = aliases.get(uri, f'namespaces: {{"ns={index}": …}}') if index else "OPC UA itself"
        style = "" if uri in aliases else "dim"
        table.add_row(Text(str(index)), Text(uri), Text(said, style=style))
    return table


def _address(variable: Variable, uris: list[str], aliases: dict[str, str]) -> str:
    if variable.namespace == 0:
        return variable.identifier
    uri = uris[variable.namespace] if variable.namespace < len(uris) else ""
    space = aliases.get(uri, f"nsu={uri}")
    return f"{space};{variable.identifier}"


def _table(found: list[Variable], uris: list[str], aliases: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("variable", "address", "type", "access", "value"):
        table.add_column(column, overflow="fold")
    for each in found:
        kind = each.wire_type or "of another kind"
        table.add_row(*(
            Text(cell)
            for cell in (
                "/".join(each.path), _address(each, uris, aliases),
                f"array of {kind}" if each.array else kind, "rw" if each.writable else "r",
                each.value,
            )
        ))  # fmt: skip
    return table


def _write(found: list[Variable], uris: list[str], aliases: dict[str, str]) -> None:
    """Rows that `check` accepts; what no type of ours fits is left out and counted."""
    out = csv.writer(sys.stdout, delimiter=";", lineterminator="\n")
    out.writerow(["name", "address", "type", "element"])
    fitting = [each for each in found if each.wire_type]
    for each in fitting:
        name = "/".join(part.replace("/", "_") for part in each.path)
        element = "[:]" if each.array else ""
        out.writerow([name, _address(each, uris, aliases), each.wire_type, element])
    if len(fitting) < len(found):
        left = len(found) - len(fitting)
        said = f"{left} variables of other kinds (structures, for one) are left out"
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(said, style="yellow"))


def _endpoint(plant: Plant, link: LinkDefinition) -> Endpoint:
    folder = Path(plant.file).parent
    return Endpoint(
        name=link.name,
        url=link.endpoint,
        options=link.options,
        devices=(),
        login=resolve(link.login, folder) if link.login else None,
        identity=identify(link.certificate, folder) if link.certificate else None,
        pki_folder=folder / plant.pki_folder,
        plant=plant.file,
    )


def _device(plant: Plant, name: str) -> tuple[LinkDefinition, DeviceDefinition] | None:
    devices = {
        device.name: (link, device)
        for link in plant.links
        if link.driver == "opcua"
        for device in link.devices
    }
    return known(name, devices, "OPC UA device")
