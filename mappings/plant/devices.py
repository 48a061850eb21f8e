"""Devices: a driver block, and rows; one entry may stand for many of them.

The block names the driver; its keys are the driver's, those of its link too where it has an
endpoint of its own. Rows are judged three times: each by itself (`mappings.plant.rows`), by the
driver (does the address exist, does the type fit), and against each other.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import chain

from mappings.errors import Fault
from mappings.plant.blocks import entries, keys_of, read_block, suggestion, wrong_shape
from mappings.plant.definitions import PlaceDefinition
from mappings.plant.driver_blocks import BlockReader, DeviceDraft
from mappings.plant.equipment import EquipmentReader, Given
from mappings.plant.expansion import Values, filled, filled_text
from mappings.plant.faults import tell_fault
from mappings.plant.grammar import WithWires
from mappings.plant.instances import Instance, Instances, scopes, tell_unused
from mappings.plant.links import Grammars, LinkDraft, endpoint_key
from mappings.plant.names import check_dots, check_sparkplug_id, folded
from mappings.plant.nodes import Mapping, Node, Scalar
from mappings.plant.placeholders import names_in
from mappings.plant.points import Rows
from mappings.plant.problems import Place, Report, beside
from mappings.plant.row import Defaults
from mappings.plant.schema import DeviceBlock, PlaceBlock
from mappings.plant.secrets import SecretCheck, warn_of_missing
from mappings.plant.templates import Template
from mappings.plant.words import Words
from mappings.tags import Device

_KEYS = (*keys_of(DeviceBlock), "instances", "template", "defaults", "tags", "equipment")


class DevicesReader:
    """Reads the ``devices:`` section: each entry into as many drafts as it has instances."""

    def __init__(
        self,
        blocks: BlockReader,
        equipment: EquipmentReader,
        words: Words,
        defaults: Defaults,
        place: PlaceDefinition,
        secret_is_there: SecretCheck,
        report: Report,
    ) -> None:
        self.blocks = blocks
        self.drivers: Grammars = blocks.drivers
        self.equipment = equipment
        self.words = words
        self.defaults = defaults
        self.place = place
        self.secret_is_there = secret_is_there
        self.report = report
        self.drafts: list[DeviceDraft] = []
        self.complete = True
        """Whether all names of devices and of their rows are known."""
        self._names: dict[str, DeviceDraft] = {}

    def read(self, node: Node | None) -> list[DeviceDraft]:
        """All devices of the section."""
        what = "{ NAME: { modbus: …, tags: … } }"
        for name, (key, value) in entries(node, "devices", what, self.report).items():
            path = f"devices.{name}"
            if not isinstance(value, Mapping):
                what = "{ modbus: …, tags: … }"
                self.report.add(*wrong_shape(path, value, "model", what))
                self.complete = False
                continue
            self._entry(name, key, value, path)
        return self.drafts

    def _entry(self, name: str, key: Scalar, value: Mapping, path: str) -> None:
        meant = self._unknown_keys(value, path)
        self.complete &= not meant
        template = self.equipment.templates.find(value.get("template"), path, self.report)
        found: Instances | None = None
        missed: set[str] = set()
        node = value.get("instances")
        if node is not None:
            used = self.equipment.used_names(value) | names_in(name)
            found = self.equipment.instances.read(node, path, None, used, template)
            if found is None:
                self.complete = False
                return
            if template is not None or value.get("template") is None:
                missed = tell_unused(found, used, name, template, self.report)
        known = scopes(found, template, None, missed, key.spot, self.report)
        for instance, values, inner in known:
            with self.report.instance():
                draft = self._draft(name, key, value, path, instance, values)
                self._device(draft, value, meant, template, values, inner)

    def _draft(
        self,
        pattern: str,
        key: Scalar,
        value: Mapping,
        path: str,
        instance: Instance | None,
        values: Values | None,
    ) -> DeviceDraft:
        """The draft of one instance, with its name, checked, and its plainer keys."""
        report = self.report
        name = pattern if values is None else filled_text(pattern, values, key.spot, report)
        spot = key.spot if instance is None or "{" not in pattern else instance.spot
        draft = DeviceDraft(name=name, spot=key.spot, block_spot=key.spot, path=path)
        for fault in (check_sparkplug_id(name, "device"), check_dots(name, "device")):
            if fault is not None:
                report.add(fault.code, spot, fault.seen, fault.remedy)
        twin = self._names.setdefault(folded(name), draft)
        if twin is not draft and instance is not None and twin.path == path:
            at = "put a {placeholder} into the name, another value for each instance"
            report.add("E548", spot, f"two instances are called {name!r}", at)
        elif twin is not draft:
            remedy = f"first at {beside(twin.spot, spot)}; hosts may take them for one; rename one"
            report.add("E610", spot, f"devices: {name!r} exists already", remedy)
        self.drafts.append(draft)
        basics = filled(value.only(keys_of(DeviceBlock)), values, report)
        block = read_block(DeviceBlock, basics, path, report)
        draft.place = self.place
        if block is not None:
            draft.in_service, draft.description = block.in_service, block.description
            draft.place = placed(block.place, self.place)
        return draft

    def _device(
        self,
        draft: DeviceDraft,
        value: Mapping,
        meant: AbstractSet[str],
        template: Template | None,
        values: Values | None,
        inner: Values | None,
    ) -> None:
        report = self.report
        self._block(draft, value, meant, template, values, inner)
        if draft.block is not None:
            assert draft.driver is not None
            name = f"{draft.path}.{draft.driver.name}"
            warn_of_missing(draft.block, name, self.secret_is_there, report)
        self.complete &= template is not None or value.get("template") is None
        if template is None and not {*value.entries, *meant} & {"tags", "equipment", "template"}:
            remedy = "add tags: [{name: …, address: …, type: …}]"
            report.add("E104", draft.spot, f"{draft.path}: key 'tags' is missing", remedy)
            self.complete = False
            return
        link = draft.link
        rows = Rows(
            draft.name,
            draft.driver,
            draft.options,
            report,
            words=self.words,
            link=link.name if link is not None else "",
            link_options=link.options if link is not None else None,
        )
        before = report.errors
        given = list(self._rows(draft, value, template, values, inner))
        self.complete &= report.errors == before
        draft.tags, draft.metrics, draft.places = rows.read(given)
        draft.named = rows.named
        self.complete &= len(draft.named) == len(given)

    def _rows(
        self,
        draft: DeviceDraft,
        value: Mapping,
        template: Template | None,
        values: Values | None,
        inner: Values | None,
    ) -> Iterator[Given]:
        around = self.equipment.defaults.read(
            value.get("defaults"), f"{draft.path}.defaults", values, self.defaults
        )
        own = self.equipment.rows(value, draft.path, values, self.defaults)
        if template is None:
            return own
        return chain(self.equipment.of_template(template, inner, around), own)

    def _unknown_keys(self, value: Mapping, path: str) -> AbstractSet[str]:
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
            seen = f"{path}: no key or driver {key!r}"
            self.report.add("E103", value.key_spot(key), seen, remedy, "tagbridge drivers")
            block = value.entries[key][1]
            if isinstance(block, Mapping) and block.entries.keys() & {"endpoint", "link"}:
                word = next(iter(self.drivers))
            meant.add(word or "")
        return meant

    def _block(
        self,
        draft: DeviceDraft,
        value: Mapping,
        meant: AbstractSet[str],
        template: Template | None,
        values: Values | None,
        inner: Values | None,
    ) -> None:
        """The driver block: the template's, and over it the device's own."""
        report = self.report
        shared = template.node.only(self.drivers).entries if template is not None else {}
        own = value.only(self.drivers).entries
        named = [name for name in self.drivers if name in own or name in shared]
        if not named:
            asked = value.get("template")
            if not meant & self.drivers.keys() and (asked is None or template is not None):
                choice = " or ".join(f"{name}: {{…}}" for name in self.drivers)
                seen = f"{draft.path}: no driver block"
                report.add("E209", draft.spot, seen, f"add {choice or 'a driver'}")
            return
        if len(named) > 1:
            spots = [(own.get(name) or shared[name])[0].spot for name in named]
            seen = f"{draft.path}: {len(named)} driver blocks, {' and '.join(named)}"
            report.add("E209", max(spots), seen, "a device has one; make two devices of it")
            return
        [name] = named
        key = (own.get(name) or shared[name])[0].spot
        block: Node | None = None
        if name in own:
            block = filled(own[name][1], values, report)
        if name in shared:
            below = filled(shared[name][1], inner, report)
            if block is None:
                block = below
            elif isinstance(block, Mapping) and isinstance(below, Mapping):
                block = Mapping(block.spot, below.entries | block.entries)
        assert block is not None
        whole = template is not None or value.get("template") is None
        self.blocks.read(draft, name, key, block, whole=whole)


def placed(block: PlaceBlock, above: PlaceDefinition) -> PlaceDefinition:
    """The levels that a block names, over those of its surroundings."""
    said = {level: text for level, text in block if text is not None}
    return replace(above, **said)


def check_between(drafts: Sequence[DeviceDraft], report: Report) -> None:
    """What devices do to each other: on one link, and at one endpoint. Only those in service."""
    running = [draft for draft in drafts if draft.in_service and draft.link is not None]
    links = {id(draft.link): draft.link for draft in running if draft.link is not None}
    behind: dict[int, list[DeviceDraft]] = {}
    for draft in running:
        if draft.options is not None:
            behind.setdefault(id(draft.link), []).append(draft)
    for link in links.values():
        if link.driver is not None and id(link) in behind:
            _check_link(link, behind[id(link)], report)
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
        with report.instance():
            report.add("E211", link.endpoint_spot, seen, remedy)


def _check_link(link: LinkDraft, behind: list[DeviceDraft], report: Report) -> None:
    assert link.driver is not None
    devices = [_as_device(draft) for draft in behind]
    faults: list[tuple[int | None, Fault]] = [*link.driver.check_link(devices)]
    if isinstance(link.driver, WithWires) and link.options is not None:
        faults += link.driver.check_endpoint(link.endpoint, link.options, devices)
    for index, fault in faults:
        if index is None:
            report.add(fault.code, link.endpoint_spot, f"{link.name}: {fault.seen}", fault.remedy)
            continue
        draft = behind[index]
        assert draft.block is not None
        entry = draft.block.get(fault.field)
        spot: Place = entry.spot if entry is not None else draft.block_spot
        at = behind[fault.other].spot if fault.other is not None else None
        with report.instance():
            tell_fault(
                fault, spot, report, device=draft.name, link=link.name, other=at, of_link=True
            )


def _as_device(draft: DeviceDraft) -> Device:
    assert draft.options is not None
    return Device(name=draft.name, options=draft.options, tags=tuple(draft.tags))
