"""Devices: a driver block, and rows.

The block names the driver; its keys are the driver's, those of its link too where it has an
endpoint of its own. Rows are judged three times: each by itself (`mappings.plant.rows`), by the
driver (does the address exist, does the type fit), and against each other.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pydantic import BaseModel

from mappings.plant.blocks import (
    entries,
    keys_of,
    read_block,
    suggestion,
    unknown_keys,
    wrong_shape,
)
from mappings.plant.columns import DefaultCells
from mappings.plant.faults import tell_fault
from mappings.plant.grammar import Grammar
from mappings.plant.links import (
    Grammars,
    LinkDraft,
    driver_of,
    endpoint_key,
    link_keys,
    read_connection,
)
from mappings.plant.names import check_dots, check_sparkplug_id, folded
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.points import Rows
from mappings.plant.problems import Report, Spot, beside
from mappings.plant.rows import Defaults
from mappings.plant.scans import ScanTimes, scan_time
from mappings.plant.schema import DeviceBlock
from mappings.tags import Device, Metric, Tag

_KEYS = (*keys_of(DeviceBlock), "defaults", "tags")


@dataclass(slots=True, kw_only=True)
class DeviceDraft:
    """A device as far as it could be read."""

    name: str
    spot: Spot
    in_service: bool = True
    description: str = ""
    driver: Grammar | None = None
    link: LinkDraft | None = None
    options: BaseModel | None = None
    block: Mapping | None = None
    block_spot: Spot
    tags: list[Tag] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)


def read_defaults(
    node: Node | None, path: str, scans: ScanTimes, above: Defaults, report: Report
) -> Defaults:
    """A ``defaults:`` section over the defaults of the level above."""
    if node is None:
        return above
    cells = read_block(DefaultCells, node, path, report)
    if cells is None or not isinstance(node, Mapping):
        return above
    scan_ms = above.scan_ms
    if cells.scan is not None:
        scan = node.get("scan")
        spot = scan.spot if scan else node.spot
        scan_ms = scan_time(cells.scan, scans, spot, f"{path}.scan", report)
    return Defaults(
        scan_ms=scan_ms,
        deadband=above.deadband if cells.deadband is None else cells.deadband,
        max_silence_ms=(above.max_silence_ms if cells.max_silence is None else cells.max_silence),
    )


def read_devices(
    node: Node | None,
    links: dict[str, LinkDraft] | None,
    drivers: Grammars,
    scans: ScanTimes,
    defaults: Defaults,
    report: Report,
) -> list[DeviceDraft]:
    """The ``devices:`` section.

    ``links`` is None where that section could not be read: then no link is said to be unknown.
    """
    drafts: list[DeviceDraft] = []
    seen: dict[str, DeviceDraft] = {}
    what = "{ NAME: { modbus: …, tags: … } }"
    for name, (key, value) in entries(node, "devices", what, report).items():
        draft = DeviceDraft(name=name, spot=key.spot, block_spot=key.spot)
        for fault in (check_sparkplug_id(name, "device"), check_dots(name, "device")):
            if fault is not None:
                report.add(fault.code, key.spot, fault.seen, fault.remedy)
        twin = seen.setdefault(folded(name), draft)
        if twin is not draft:
            remedy = (
                f"first at {beside(twin.spot, key.spot)}; hosts may take them for one; rename one"
            )
            report.add("E610", key.spot, f"devices: {name!r} exists already", remedy)
        drafts.append(draft)
        reader = _DeviceReader(draft, links, drivers, scans, report)
        reader.read(value, defaults)
    return drafts


def check_between(drafts: Sequence[DeviceDraft], report: Report) -> None:
    """What devices do to each other: on one link, and at one endpoint. Only those in service."""
    running = [draft for draft in drafts if draft.in_service and draft.link is not None]
    links = {id(draft.link): draft.link for draft in running if draft.link is not None}
    for link in links.values():
        behind = [d for d in running if d.link is link and d.options is not None]
        if link.driver is None or not behind:
            continue
        for index, fault in link.driver.check_link([_as_device(d) for d in behind]):
            draft = behind[index]
            assert draft.block is not None
            entry = draft.block.get(fault.field)
            spot = entry.spot if entry is not None else draft.block_spot
            at = behind[fault.other].spot if fault.other is not None else None
            tell_fault(
                fault, spot, report, device=draft.name, link=link.name, other=at, of_link=True
            )
    first: dict[str, LinkDraft] = {}
    for link in links.values():
        if not link.endpoint:
            continue
        other = first.setdefault(endpoint_key(link.endpoint), link)
        if other is link or (link.login != other.login):
            continue
        seen = f"{link.endpoint}: {other.name!r} has a connection to it already"
        if other.own:
            remedy = "put the endpoint under links: once, and write link: NAME in both devices"
        else:
            remedy = f"write link: {other.name} instead of a second connection"
        report.add("E211", link.endpoint_spot, seen, remedy)


def _as_device(draft: DeviceDraft) -> Device:
    assert draft.options is not None
    return Device(name=draft.name, options=draft.options, tags=tuple(draft.tags))


class _DeviceReader:
    """Reads one device into its draft."""

    def __init__(
        self,
        draft: DeviceDraft,
        links: dict[str, LinkDraft] | None,
        drivers: Grammars,
        scans: ScanTimes,
        report: Report,
    ) -> None:
        self.draft = draft
        self.links = links
        self.drivers = drivers
        self.scans = scans
        self.report = report
        self.path = f"devices.{draft.name}"

    def read(self, value: Node, defaults: Defaults) -> None:
        draft = self.draft
        if not isinstance(value, Mapping):
            self.report.add(*wrong_shape(self.path, value, "model", "{ modbus: …, tags: … }"))
            return
        meant = self._unknown_keys(value)
        basics = read_block(DeviceBlock, value.only(keys_of(DeviceBlock)), self.path, self.report)
        if basics is not None:
            draft.in_service, draft.description = basics.in_service, basics.description
        self._driver(value, meant)
        defaults = read_defaults(
            value.get("defaults"), f"{self.path}.defaults", self.scans, defaults, self.report
        )
        tags = value.get("tags")
        if tags is not None:
            link = draft.link.name if draft.link is not None else ""
            rows = Rows(draft.name, draft.driver, draft.options, self.report, link)
            draft.tags, draft.metrics = rows.read(tags, f"{self.path}.tags", self.scans, defaults)
        elif "tags" not in meant:
            remedy = "add tags: [{name: …, address: …, type: …}]"
            self.report.add("E104", draft.spot, f"{self.path}: key 'tags' is missing", remedy)

    def _unknown_keys(self, value: Mapping) -> AbstractSet[str]:
        """Report strange keys; what they were probably meant to be, a driver for one at least."""
        meant = set()
        drivers = ", ".join(self.drivers) or "none"
        for key in value.entries:
            if key in _KEYS or key in self.drivers:
                continue
            word = suggestion(key, [*_KEYS, *self.drivers], value.entries)
            if word is None:
                remedy = f"keys of a device: {', '.join(_KEYS)}; drivers here: {drivers}"
            elif word in self.drivers:
                remedy = f"did you mean {word!r}? drivers here: {drivers}"
            else:
                remedy = f"did you mean {word!r}?"
            seen = f"{self.path}: no key or driver {key!r}"
            self.report.add("E103", value.key_spot(key), seen, remedy)
            block = value.entries[key][1]
            if isinstance(block, Mapping) and block.entries.keys() & {"endpoint", "link"}:
                word = next(iter(self.drivers))
            meant.add(word or "")
        return meant

    def _driver(self, value: Mapping, meant: AbstractSet[str]) -> None:
        draft = self.draft
        named = [name for name in self.drivers if name in value.entries]
        if not named:
            if not meant & self.drivers.keys():
                choice = " or ".join(f"{name}: {{…}}" for name in self.drivers)
                seen = f"{self.path}: no driver block"
                self.report.add("E209", draft.spot, seen, f"add {choice or 'a driver'}")
            return
        if len(named) > 1:
            second = max(value.key_spot(name) for name in named)
            seen = f"{self.path}: {len(named)} driver blocks, {' and '.join(named)}"
            self.report.add("E209", second, seen, "a device has one; make two devices of it")
            return
        name = named[0]
        block = value.entries[name][1]
        draft.driver, draft.block_spot = self.drivers[name], value.key_spot(name)
        path = f"{self.path}.{name}"
        if not isinstance(block, Mapping):
            self.report.add(*wrong_shape(path, block, "model", "{ endpoint: … } or { link: … }"))
            return
        draft.block = block
        self._block(block, path, draft.driver)

    def _block(self, block: Mapping, path: str, driver: Grammar) -> None:
        draft, report = self.draft, self.report
        of_link, of_device = link_keys(driver), keys_of(driver.device_model)
        meant = unknown_keys(block, [*of_device, *of_link, "link"], path, report)
        link, endpoint = block.get("link"), block.get("endpoint")
        if link is not None and endpoint is not None:
            seen = f"{path}: an endpoint and a link"
            remedy = "one says where the device is: keep link if the connection is shared"
            report.add("E210", max(link.spot, endpoint.spot), seen, remedy)
        elif link is not None:
            self._shared_link(link, block, path, driver)
        elif endpoint is not None:
            self._own_link(endpoint, block, path, driver, meant)
        elif not meant & {"link", "endpoint"}:
            scheme = min(driver.schemes, default="…")
            remedy = f"add endpoint: {scheme}://…, or link: NAME of an entry under links:"
            report.add("E210", draft.block_spot, f"{path}: neither endpoint nor link", remedy)
        part = block.only(of_device)
        draft.options = read_block(
            driver.device_model, part, path, report, key_spot=draft.block_spot, meant=meant
        )

    def _own_link(
        self, endpoint: Node, block: Mapping, path: str, driver: Grammar, meant: set[str]
    ) -> None:
        draft = self.draft
        found = driver_of(endpoint, f"{path}.endpoint", self.drivers, self.report)
        if found is None:
            return
        if found is not driver:
            schemes = ", ".join(f"{scheme}://" for scheme in sorted(driver.schemes))
            seen = f"{path}: this endpoint is one of {found.name}"
            remedy = f"write {found.name}: instead of {driver.name}:, or an endpoint with {schemes}"
            self.report.add("E207", endpoint.spot, seen, remedy)
            return
        if self.links is not None and draft.name in self.links:
            seen = f"{self.path}: a link is called {draft.name!r} too"
            remedy = "a device with an endpoint of its own names its link; rename one"
            self.links[draft.name].users += 1
            self.report.add("E217", draft.spot, seen, remedy)
        draft.link = LinkDraft(
            name=draft.name,
            spot=draft.block_spot,
            endpoint_spot=endpoint.spot,
            driver=driver,
            own=True,
            users=1,
        )
        read_connection(draft.link, block, path, driver, meant, self.report)

    def _shared_link(self, link: Node, block: Mapping, path: str, driver: Grammar) -> None:
        report = self.report
        if not isinstance(link, Scalar) or link.empty:
            report.add(*wrong_shape(f"{path}.link", link, "str", "the name of a link"))
            return
        for key in link_keys(driver):
            if key in block.entries and key not in keys_of(driver.device_model):
                seen = f"{path}: {key!r} belongs to the link"
                remedy = f"write it under links.{link.text}: it holds for all of its devices"
                report.add("E216", block.key_spot(key), seen, remedy)
        if self.links is None:
            return
        found = self.links.get(link.text)
        if found is None:
            meant = suggestion(link.text, self.links)
            hint = f"did you mean {meant!r}? " if meant else ""
            if meant is not None:
                self.links[meant].users += 1
            here = f"links here: {', '.join(self.links) or 'none, add it under links:'}"
            report.add("E205", link.spot, f"{path}: no link {link.text!r}", hint + here)
            return
        found.users += 1
        if found.driver is not None and found.driver is not driver:
            seen = f"{path}: link {found.name!r} is one of {found.driver.name}"
            remedy = f"its endpoint is {found.endpoint}; name a link of {driver.name}"
            report.add("E207", link.spot, seen, remedy)
            return
        self.draft.link = found
