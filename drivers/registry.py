"""Registry: which drivers there are, by the entry point group ``tagbridge.drivers``.

A driver that cannot be loaded must not take the others with it: a plant without its devices still
runs, and one with them is told why by `check`.
"""

from importlib.metadata import EntryPoint, entry_points
from warnings import warn

from drivers.driver import Driver

GROUP = "tagbridge.drivers"

_OWN = ("modbus", "opcua", "mqtt")


class DriverWarning(UserWarning):
    """A driver is announced by an installed distribution, but cannot be used."""


def load_drivers() -> dict[str, Driver]:
    """All drivers that can be imported, by name: our own, then others' in the order of their names.

    For each other one a `DriverWarning` that names the distribution, the cause and the remedy.
    """
    drivers: dict[str, Driver] = {}
    for entry in sorted(entry_points(group=GROUP), key=_place):
        try:
            driver: Driver = entry.load()
            name = driver.name
            complete = bool(driver.schemes) and driver.device_model and driver.link_model
        except Exception as error:  # noqa: BLE001  whatever foreign code raises at import
            _warn(entry, f"{type(error).__name__}: {error}")
            continue
        if not complete or name != entry.name:
            _warn(entry, f"the object {entry.value} is no driver named {entry.name!r}")
        elif name in drivers:
            _warn(entry, "another distribution has a driver of this name")
        else:
            drivers[name] = driver
    return drivers


def _place(entry: EntryPoint) -> tuple[int, str]:
    name = entry.name
    return (_OWN.index(name) if name in _OWN else len(_OWN), name)


def _warn(entry: EntryPoint, cause: str) -> None:
    distribution = entry.dist.name if entry.dist else "an unknown distribution"
    message = f"driver {entry.name!r} of {distribution} is left out: {cause}; reinstall it"
    warn(message, DriverWarning, stacklevel=3)
