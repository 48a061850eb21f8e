"""Driver blocks: the block of a device that names its driver, and how its connection is found.

Its keys are the driver's; where it has an endpoint of its own, those of the link too. What a
template says is part of the block, and a key said at the device wins.
"""

from dataclasses import dataclass, field

from pydantic import BaseModel

from mappings.plant.blocks import keys_of, read_block, suggestion, unknown_keys, wrong_shape
from mappings.plant.definitions import PlaceDefinition
from mappings.plant.grammar import Grammar
from mappings.plant.links import Grammars, LinkDraft, driver_of, link_keys, read_connection
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.problems import Place, Report
from mappings.tags import Metric, Tag


@dataclass(slots=True, kw_only=True)
class DeviceDraft:
    """A device as far as it could be read."""

    name: str
    spot: Place
    path: str
    in_service: bool = True
    description: str = ""
    place: PlaceDefinition = field(default_factory=PlaceDefinition)
    driver: Grammar | None = None
    link: LinkDraft | None = None
    options: BaseModel | None = None
    block: Mapping | None = None
    block_spot: Place
    tags: list[Tag] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    """The names of all rows, of wrong ones too."""


class BlockReader:
    """Reads the driver block of one device after the other into its draft.

    ``links`` is None where that section could not be read: then no link is said to be unknown.
    """

    def __init__(
        self, links: dict[str, LinkDraft] | None, drivers: Grammars, report: Report
    ) -> None:
        self.links = links
        self.drivers = drivers
        self.report = report

    def read(
        self, draft: DeviceDraft, name: str, key: Place, block: Node, *, whole: bool = True
    ) -> None:
        """Read the block of driver ``name``, whose key stands at ``key``.

        It is not ``whole`` where a template is missing: then no key is said to be.
        """
        driver = draft.driver = self.drivers[name]
        draft.block_spot = key
        path = f"{draft.path}.{name}"
        if not isinstance(block, Mapping):
            what = "{ endpoint: … } or { link: … }"
            self.report.add(*wrong_shape(path, block, "model", what))
            return
        draft.block = block
        of_link, of_device = link_keys(driver), keys_of(driver.device_model)
        known = [*of_device, *of_link, "link"]
        meant = unknown_keys(block, known, path, self.report)
        if not whole:
            meant.update(known)
        link, endpoint = block.get("link"), block.get("endpoint")
        if link is not None and endpoint is not None:
            seen = f"{path}: an endpoint and a link"
            remedy = "one says where the device is: keep link if the connection is shared"
            self.report.add("E210", max(link.spot, endpoint.spot), seen, remedy)
        elif link is not None:
            self._shared_link(draft, link, block, path, driver)
        elif endpoint is not None:
            self._own_link(draft, endpoint, block, path, driver, meant)
        elif not meant & {"link", "endpoint"}:
            scheme = min(driver.schemes, default="…")
            remedy = f"add endpoint: {scheme}://…, or link: NAME of an entry under links:"
            seen = f"{path}: neither endpoint nor link"
            self.report.add("E210", draft.block_spot, seen, remedy)
        part = block.only(of_device)
        draft.options = read_block(
            driver.device_model, part, path, self.report, key_spot=draft.block_spot, meant=meant
        )

    def _own_link(
        self,
        draft: DeviceDraft,
        endpoint: Node,
        block: Mapping,
        path: str,
        driver: Grammar,
        meant: set[str],
    ) -> None:
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
            seen = f"{draft.path}: a link is called {draft.name!r} too"
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

    def _shared_link(
        self, draft: DeviceDraft, link: Node, block: Mapping, path: str, driver: Grammar
    ) -> None:
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
        draft.link = found
