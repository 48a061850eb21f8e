"""Words on the command line that mean more than themselves: durations, and other places.

``--at NAME=URL`` puts a link or a destination of the plant file somewhere else for one run, so
that a plant can be commissioned against simulators without an edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import typer
from pydantic import TypeAdapter, ValidationError

from mappings.plant.definitions import DestinationDefinition, LinkDefinition, Plant
from mappings.plant.grammar import Grammar
from mappings.plant.scalars import Duration


def seconds(text: str | None) -> float | None:
    """A duration with its unit, as in plant files; None stays None."""
    if text is None:
        return None
    try:
        return float(TypeAdapter(Duration).validate_python(text)) / 1000
    except ValidationError:
        raise typer.BadParameter(
            f"{text!r} is no duration: write 20s or 5min; units are ms, s, min, h, d"
        ) from None


def placed(
    plant: Plant, places: Sequence[str], drivers: Mapping[str, Grammar], outbox: str | None = None
) -> Plant:
    """The plant with some links or destinations elsewhere, and its outbox in another folder.

    A link stays with its driver, whatever the way: a serial line may be simulated over TCP.
    """
    links = {link.name: link for link in plant.links}
    destinations = {destination.name: destination for destination in plant.destinations}
    for place in places:
        name, _, url = place.partition("=")
        if not _is_address(url):
            raise typer.BadParameter(
                f"--at {place!r}: write NAME=URL, as in --at plc=tcp://10.0.4.11 or "
                "--at plc=tcp://10.0.4.11:502; a port is 1 to 65535"
            )
        if name in links:
            links[name] = _moved_link(links[name], url, drivers)
        elif name in destinations:
            destinations[name] = _moved_destination(destinations[name], url)
        else:
            known = ", ".join([*links, *destinations])
            raise typer.BadParameter(
                f"--at {place!r}: no link or destination {name!r}; there are {known}"
            )
    return replace(
        plant,
        links=tuple(links.values()),
        destinations=tuple(destinations.values()),
        outbox=replace(plant.outbox, folder=outbox) if outbox else plant.outbox,
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        there = bool(parts.hostname) or (not parts.netloc and bool(parts.path.strip("/")))
        return bool(parts.scheme) and there and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        return False


def _moved_link(link: LinkDefinition, url: str, drivers: Mapping[str, Grammar]) -> LinkDefinition:
    schemes = sorted(drivers[link.driver].schemes)
    if urlsplit(url).scheme not in schemes:
        expected = ", ".join(f"{scheme}://" for scheme in schemes)
        raise typer.BadParameter(
            f"--at {link.name}: {url!r} is no endpoint of {link.driver}: {expected}"
        )
    # Certificates stay with TLS: who tries a plant without it need not have them.
    certificate = None if urlsplit(url).scheme == "mqtt" else link.certificate
    return replace(link, endpoint=url, certificate=certificate)


def _moved_destination(destination: DestinationDefinition, url: str) -> DestinationDefinition:
    if urlsplit(url).scheme not in {"mqtt", "mqtts"} or not urlsplit(url).hostname:
        raise typer.BadParameter(f"--at {destination.name}: {url!r} is not mqtt:// or mqtts://")
    certificate = None if urlsplit(url).scheme == "mqtt" else destination.certificate
    return replace(destination, servers=(url,), certificate=certificate)
