"""Links: where a connection goes, which driver makes it, and with which keys.

The endpoint's scheme names the driver. A link under ``links:`` is shared by the devices that name
it; a device whose block has an endpoint has a link of its own, with the link's keys in its block.
Both are read here.
"""

import re
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import BaseModel

from mappings.errors import nearest
from mappings.plant.access import credentials
from mappings.plant.blocks import entries, keys_of, read_block, unknown_keys, wrong_shape
from mappings.plant.broker_schema import LinkLoginBlock
from mappings.plant.definitions import Certificate, Login
from mappings.plant.grammar import Grammar, takes_login
from mappings.plant.names import folded
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Report, Spot
from mappings.plant.schema import LinkBlock

Grammars = Pairs[str, Grammar]


@dataclass(slots=True, kw_only=True)
class LinkDraft:
    """A link as far as it could be read; ``driver`` and ``options`` are None where they could not.

    ``users`` counts the devices that name it, right or wrong.
    """

    name: str
    spot: Spot
    endpoint_spot: Spot
    driver: Grammar | None = None
    options: BaseModel | None = None
    endpoint: str = ""
    login: Login | None = None
    certificate: Certificate | None = None
    down_after_ms: int = 5_000
    own: bool = False
    users: int = field(default=0)


def read_links(node: Node | None, drivers: Grammars, report: Report) -> dict[str, LinkDraft]:
    """The ``links:`` section."""
    links: dict[str, LinkDraft] = {}
    seen: dict[str, str] = {}
    for name, (key, value) in entries(node, "links", "{ NAME: { endpoint: … } }", report).items():
        draft = LinkDraft(name=name, spot=key.spot, endpoint_spot=key.spot)
        twin = seen.setdefault(folded(name), name)
        if twin != name:
            remedy = "names that differ only in case are taken for one; rename one"
            report.add("E610", key.spot, f"links: {name!r} and {twin!r}", remedy)
        links[name] = draft
        _read_link(draft, value, drivers, report)
    return links


def link_keys(driver: Grammar) -> list[str]:
    """All keys of a link of this driver."""
    common = keys_of(LinkBlock) + (keys_of(LinkLoginBlock) if takes_login(driver) else [])
    return [*common, *keys_of(driver.link_model)]


def _read_link(draft: LinkDraft, value: Node, drivers: Grammars, report: Report) -> None:
    path = f"links.{draft.name}"
    if not isinstance(value, Mapping):
        report.add(*wrong_shape(path, value, "model", "{ endpoint: … }"))
        return
    endpoint = value.get("endpoint")
    if endpoint is None:
        known = dict.fromkeys(key for driver in drivers.values() for key in link_keys(driver))
        if "endpoint" not in unknown_keys(value, known or keys_of(LinkBlock), path, report):
            remedy = f"add endpoint: {_begins(drivers)}…"
            report.add("E104", draft.spot, f"{path}: key 'endpoint' is missing", remedy)
        return
    driver = driver_of(endpoint, f"{path}.endpoint", drivers, report)
    if driver is None:
        return
    draft.driver = driver
    meant = unknown_keys(value, link_keys(driver), path, report)
    read_connection(draft, value, path, driver, meant, report)


def read_connection(
    draft: LinkDraft,
    block: Mapping,
    path: str,
    driver: Grammar,
    meant: set[str],
    report: Report,
) -> None:
    """Read the keys of a link out of a block that may have others as well.

    ``meant`` are keys whose misspelling has been told already. The driver fits the endpoint.
    """
    endpoint = block.get("endpoint")
    assert isinstance(endpoint, Scalar)
    draft.endpoint, draft.endpoint_spot = endpoint.text, endpoint.spot
    before = len(report)
    common = read_block(LinkBlock, block.only(keys_of(LinkBlock)), path, report)
    if common is not None:
        draft.down_after_ms = common.down_after
    if takes_login(driver):
        part = block.only(keys_of(LinkLoginBlock))
        login = read_block(LinkLoginBlock, part, path, report)
        if login is not None and (node := part.get("login")) is not None:
            draft.login, draft.certificate = credentials(login.login, node.spot.file, report.file)
    own = block.only(keys_of(driver.link_model))
    options = read_block(driver.link_model, own, path, report, key_spot=draft.spot, meant=meant)
    if len(report) == before:
        draft.options = options


def driver_of(endpoint: Node, path: str, drivers: Grammars, report: Report) -> Grammar | None:
    """The driver of an endpoint; None with a problem in the report."""
    if not isinstance(endpoint, Scalar) or endpoint.empty:
        report.add(*wrong_shape(path, endpoint, "str", f"an endpoint {_begins(drivers)}…"))
        return None
    text, spot = endpoint.text, endpoint.spot
    schemes = {scheme: driver for driver in drivers.values() for scheme in driver.schemes}
    scheme, separator, rest = text.partition("://")
    if not separator:
        seen = f"{path}: {text!r} does not say how the device is reached"
        report.add("E204", spot, seen, f"endpoints begin with {_begins(drivers)}")
        return None
    if scheme not in schemes:
        meant = nearest(scheme, schemes)
        hint = f"did you mean {meant}://? " if meant else ""
        remedy = f"{hint}endpoints begin with {_begins(drivers)}"
        report.add("E204", spot, f"{path}: no driver for {scheme}://", remedy)
        return None
    if "@" in rest.split("/", 1)[0]:
        seen = f"{path}: user names and passwords do not belong into an address"
        report.add("E701", spot, seen, "write login: {user: …, password: …} beside endpoint")
        return None
    if not _well_formed(text):
        remedy = f"write {scheme}://HOST or {scheme}://HOST:PORT; a port is 1 to 65535"
        report.add("E204", spot, f"{path}: {text!r} is not an address", remedy)
        return None
    return schemes[scheme]


def endpoint_key(endpoint: str) -> str:
    """What two endpoints share that lead to one place."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.casefold()}{parts.path.rstrip('/')}"


def _well_formed(endpoint: str) -> bool:
    if re.search(r"\s", endpoint):
        return False
    try:
        parts = urlsplit(endpoint)
        return (
            parts.port != 0
            and not parts.netloc.endswith(":")
            and bool(parts.hostname or (not parts.netloc and parts.path.strip("/")))
        )
    except ValueError:
        return False


def _begins(drivers: Grammars) -> str:
    schemes = sorted(scheme for driver in drivers.values() for scheme in driver.schemes)
    return ", ".join(f"{scheme}://" for scheme in schemes) or "nothing: no driver is installed"
