"""``tagbridge probe``: what a Modbus device holds at an address and beside it; which units answer.

For the two hours in which a table is off by one or its words stand the other way round. It opens a
connection of its own and only reads. A serial port belongs to one program: stop the gateway first.
"""

import asyncio
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.check import load_plant
from bridge.cli.failing import failed, known
from drivers.driver import LinkError
from drivers.modbus.addresses import Address, Area, parse
from drivers.modbus.config import DeviceOptions, LinkOptions
from drivers.modbus.connection import NoAnswerError
from drivers.modbus.probing import Seen, answers, as_types, connected, look
from mappings.errors import Fault
from mappings.plant.definitions import DeviceDefinition, LinkDefinition, Plant

_MOST_UNIT = 247


def probe(path: Path, name: str, address: str, *, units: bool) -> int:
    """Show what is there; 1 if it cannot be looked at."""
    plant = load_plant(path)
    if units:
        link = _link(plant, name)
        return 1 if link is None else asyncio.run(_units(link))
    found = _device(plant, name)
    if found is None:
        return 1
    place = parse(address) if address else None
    if place is None:
        return failed("no address", f"write one: tagbridge probe {path} {name!r} HR101")
    if isinstance(place, Fault):
        return failed(place.seen, place.remedy)
    return asyncio.run(_address(*found, place))


async def _address(link: LinkDefinition, device: DeviceDefinition, place: Address) -> int:
    options = device.options
    assert isinstance(options, DeviceOptions)
    assert isinstance(link.options, LinkOptions)
    try:
        async with connected(link.endpoint, link.options) as connection:
            seen = await look(connection, options.unit, place.area, place.first)
    except (LinkError, NoAnswerError) as error:
        return failed(str(error), getattr(error, "remedy", "") or "is it the right unit, and on?")
    console = Console(highlight=False)
    console.print(Text(f"{device.name}: unit {options.unit} at {link.endpoint}"))
    console.print(_table(place.area, place.first, seen))
    return 0 if any(each.words for each in seen) else 1


def _table(area: Area, asked: int, seen: list[Seen]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows = [{} if area.is_bits else as_types(each.words) if each.words else {} for each in seen]
    columns = ["value"] if area.is_bits else max((list(row) for row in rows), key=len)
    for column in ("", "address", "counted from 1", *columns):
        table.add_column(column, justify="right" if column in columns else "left")
    for each, types in zip(seen, rows, strict=True):
        here = Address(area, each.first)
        mark = "→" if each.first == asked else ""
        if each.failure:
            cells = [each.failure]
        elif area.is_bits:
            cells = [str(each.words[0])]
        else:
            cells = [types.get(column, "") for column in columns]
        style = "bold" if mark else "red" if each.failure else ""
        table.add_row(mark, str(here), here.numbered, *cells, style=style)
    return table


async def _units(link: LinkDefinition) -> int:
    assert isinstance(link.options, LinkOptions)
    owners = {
        device.options.unit: device.name
        for device in link.devices
        if isinstance(device.options, DeviceOptions)
    }
    console = Console(highlight=False)
    found = 0
    try:
        async with connected(link.endpoint, link.options) as connection:
            with console.status(Text(f"asking units 1 to {_MOST_UNIT} of {link.endpoint}")) as now:
                for unit in range(1, _MOST_UNIT + 1):
                    now.update(Text(f"unit {unit} of {_MOST_UNIT}, {found} found"))
                    how = await answers(connection, unit)
                    if how or unit in owners:
                        found += bool(how)
                        light = Text("● ", style="green" if how else "red")
                        said = how or "does not answer"
                        whose = owners.get(unit, "in no device of the plant")
                        console.print(light + Text(f"unit {unit:>3}  {said}  {whose}"))
    except LinkError as error:
        return failed(error.seen, error.remedy)
    console.print(Text(f"{found} of {_MOST_UNIT} units answer at {link.endpoint}"))
    return 0 if found else 1


def _link(plant: Plant, name: str) -> LinkDefinition | None:
    links = {link.name: link for link in plant.links if link.driver == "modbus"}
    links |= {device.name: link for link in links.values() for device in link.devices}
    return known(name, links, "Modbus link")


def _device(plant: Plant, name: str) -> tuple[LinkDefinition, DeviceDefinition] | None:
    devices = {
        device.name: (link, device)
        for link in plant.links
        if link.driver == "modbus"
        for device in link.devices
    }
    return known(name, devices, "Modbus device")
