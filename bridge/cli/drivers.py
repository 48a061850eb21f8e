"""``tagbridge drivers``: which drivers there are, and what the endpoints of each look like."""

import warnings
from importlib.metadata import entry_points

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drivers.registry import GROUP, DriverWarning, load_drivers


def drivers() -> int:
    """Print the installed drivers; 1 if one of them cannot be loaded."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DriverWarning)
        found = load_drivers()
    packages = {entry.name: entry.dist.name for entry in entry_points(group=GROUP) if entry.dist}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("driver", "endpoints", "keys of a device", "from"):
        table.add_column(column, overflow="fold")
    for name, driver in found.items():
        schemes = ", ".join(f"{scheme}://" for scheme in sorted(driver.schemes))
        keys = ", ".join(driver.device_model.model_fields)
        table.add_row(*(Text(cell) for cell in (name, schemes, keys, packages.get(name, ""))))
    Console(highlight=False).print(table)
    for warning in caught:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(warning.message)))
    return 1 if caught else 0
