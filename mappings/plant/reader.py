"""The plant reader: texts in, a plant or all of its problems out; nothing is opened.

Sections are read one after the other, each into what later ones refer to, and each by itself:
what is wrong in one hides nothing in another. What merely follows from a problem is held back.
"""

from collections.abc import Mapping as Pairs

from mappings.plant.blocks import entries, read_block, unknown_keys, wrong_shape
from mappings.plant.commands import CommandsReader, check_selections
from mappings.plant.connections import running_links
from mappings.plant.defaults import DefaultReader
from mappings.plant.definitions import PlaceDefinition, Plant
from mappings.plant.destinations import read_destinations
from mappings.plant.devices import DevicesReader, check_between, placed
from mappings.plant.driver_blocks import BlockReader, DeviceDraft
from mappings.plant.enums import read_enums
from mappings.plant.equipment import EquipmentReader
from mappings.plant.files import NO_FILES, Files, Shelf
from mappings.plant.grammar import Grammar
from mappings.plant.includes import Gathered, check_part, gather, is_part
from mappings.plant.links import LinkDraft, read_links
from mappings.plant.metric_names import MetricNames
from mappings.plant.nodes import Mapping, Node, Scalar, parse
from mappings.plant.permissions import Commands, Rule
from mappings.plant.problems import Problem, Report, in_order
from mappings.plant.row import NO_DEFAULTS
from mappings.plant.rules import RulesReader
from mappings.plant.scans import NORMAL, ScanTimes, time_of
from mappings.plant.schema import FORMAT, SECTIONS, PlaceBlock
from mappings.plant.secrets import SecretCheck, warn_of_missing
from mappings.plant.sections import read_logging, read_outbox, read_pki, read_relay, read_web
from mappings.plant.sheets import Sheets
from mappings.plant.templates import Templates, read_templates
from mappings.plant.undone import warn_of_undone
from mappings.plant.words import Words, read_units


def read_plant(
    text: str,
    file: str,
    drivers: Pairs[str, Grammar],
    *,
    files: Files = NO_FILES,
    called: str = "",
    secret_is_there: SecretCheck = lambda _: True,
) -> tuple[Plant | None, list[Problem]]:
    """The plant of a text, and what is wrong with it; None when an error is among that.

    ``file`` is its name in messages; ``drivers`` are by name, as blocks of devices are; ``files``
    has what it includes and names; ``called`` is what the user called the plant, if not ``file``;
    ``secret_is_there`` lets the caller, who may look, warn of missing secrets. A file that is a
    part of a plant, to be included, is checked by itself: no plant, and no problem if it is right.
    Problems are in the order of the files.
    """
    report = Report(file, called)
    root = parse(text.removeprefix("\ufeff"), file, report)
    if root is None or (isinstance(root, Scalar) and root.empty):
        if not report.problems:
            seen = "the file is empty: key 'tagbridge' is missing"
            report.add("E104", report.top, seen, f"begin with tagbridge: {FORMAT}")
        return None, in_order(report.problems)
    if not isinstance(root, Mapping):
        report.add(*wrong_shape("the plant file", root, "model", "tagbridge: 1 and sections"))
        return None, in_order(report.problems)
    if _is_newer(root, report):
        return None, [problem for problem in report.problems if problem.code == "E121"]
    if not drivers:
        report.add("E218", report.top, "no driver is installed", "install tagbridge again")
        return None, in_order(report.problems)
    shelf = Shelf(files, report)
    gathered = gather(root, shelf, report)
    reader = _Reader(gathered, Sheets(shelf, report), drivers, secret_is_there, report)
    if is_part(root):
        check_part(root, report)
        reader.part()
        return None, in_order(report.problems)
    plant = reader.plant()
    return (None if report.stops else plant), in_order(report.problems)


def _is_newer(root: Mapping, report: Report) -> bool:
    """Whether the file is of a format that this release cannot know."""
    written = root.get("tagbridge")
    if not isinstance(written, Scalar):
        return False
    digits = written.text
    newer = digits.isascii() and digits.isdigit() and len(digits) < 6 and int(digits) > FORMAT
    if newer:
        seen = f"tagbridge: {digits}: this release reads format {FORMAT} only"
        report.add("E121", written.spot, seen, "install a newer release of tagbridge")
    return newer


class _Reader:
    """Reads the sections of one plant."""

    def __init__(
        self,
        gathered: Gathered,
        sheets: Sheets,
        drivers: Pairs[str, Grammar],
        secret_is_there: SecretCheck,
        report: Report,
    ) -> None:
        self.root = gathered.root
        self.sheets = sheets
        self.drivers = drivers
        self.secret_is_there = secret_is_there
        self.report = report
        self.meant: set[str] = set(gathered.doubtful)

    def part(self) -> None:
        """Check what can be checked of a part of a plant."""
        words = self._words()
        read_links(self.root.get("links"), self.drivers, self.report)
        templates = self._templates()
        for template in templates.by_name.values():
            self.equipment(templates, words).check(template)

    def plant(self) -> Plant:
        """The plant; right only if there is no error in the report."""
        root, report = self.root, self.report
        self.meant |= unknown_keys(root, SECTIONS, "", report)
        self._format()
        place = self._place()
        destinations, uns = read_destinations(root, self.meant, report)
        outbox, logging = read_outbox(root, report), read_logging(root, report)
        web, relay, pki = read_web(root, report), read_relay(root, report), read_pki(root, report)
        words = self._words()
        reader = DefaultReader(words, report)
        defaults = reader.read(root.get("defaults"), "defaults", None, NO_DEFAULTS)
        links = read_links(root.get("links"), self.drivers, report)
        equipment = self.equipment(self._templates(), words)
        known = links if self._readable("links") else None
        blocks = BlockReader(known, self.drivers, report)
        devices_reader = DevicesReader(
            blocks, equipment, words, defaults, place, self.secret_is_there, report
        )
        devices = devices_reader.read(root.get("devices"))
        check_between(devices, report)
        self._unused(links, devices)
        self._missing_devices(devices)
        complete = devices_reader.complete and self._readable("devices")
        names = MetricNames(devices, words.enums.by_name, complete=complete)
        commands, rules = self._permissions(names)
        self._secrets()
        warn_of_undone(root, report)
        return Plant(
            file=report.file,
            place=place,
            destinations=destinations,
            uns=uns,
            commands=commands,
            rules=rules,
            web=web,
            relay=relay,
            outbox=outbox,
            links=running_links(links, devices),
            log_level=logging.level,
            log_format=logging.format,
            pki_folder=pki.folder,
        )

    def _permissions(self, names: MetricNames) -> tuple[Commands, tuple[Rule, ...]]:
        """The commands and rules: who may write what, and who does it by himself."""
        root, report = self.root, self.report
        check_selections(root.get("destinations"), names, report)
        rules_reader = RulesReader(names, report)
        rules = rules_reader.read(root.get("rules"))
        before = report.errors
        commands = CommandsReader(
            names, self._names_of("destinations"), self._names_of("rules"), report
        ).read(root.get("commands"))
        complete = report.errors == before and "commands" not in self.meant
        rules_reader.check_allowed(commands, complete=complete)
        if root.get("rules") is not None and not commands.is_open and complete:
            seen = "rules: the gate is closed, none of them can write"
            remedy = "write commands: {gate: open, allow: […]}, or remove the rules"
            report.add("W228", root.key_spot("rules"), seen, remedy)
        return commands, rules

    def _names_of(self, section: str) -> list[str] | None:
        node = self.root.get(section)
        if not self._readable(section):
            return None
        return list(node.entries) if isinstance(node, Mapping) else []

    def equipment(self, templates: Templates, words: Words) -> EquipmentReader:
        """The reader of rows."""
        defaults = DefaultReader(words, self.report)
        return EquipmentReader(templates, self.sheets, defaults, self.report)

    def _templates(self) -> Templates:
        complete = self._readable("templates")
        return read_templates(self.root.get("templates"), self.drivers, complete, self.report)

    def _place(self) -> PlaceDefinition:
        node = self.root.get("place")
        block = read_block(PlaceBlock, node, "place", self.report) if node is not None else None
        return placed(block or PlaceBlock(), PlaceDefinition())

    def _format(self) -> None:
        written = self.root.get("tagbridge")
        remedy = f"begin the file with tagbridge: {FORMAT}"
        if written is None:
            if "tagbridge" not in self.meant:
                self.report.add("E104", self.report.top, "key 'tagbridge' is missing", remedy)
        elif not isinstance(written, Scalar) or written.text != str(FORMAT):
            shown = repr(written.text) if isinstance(written, Scalar) else "this"
            self.report.add("E120", written.spot, f"tagbridge: {shown} is no format", remedy)

    def _words(self) -> Words:
        """The scans, enums and units of the plant."""
        root, report = self.root, self.report
        units, complete = read_units(root.get("units"), report)
        return Words(
            scans=self._scans(),
            enums=read_enums(root.get("enums"), complete=self._readable("enums"), report=report),
            units=units,
            units_complete=complete and self._readable("units"),
        )

    def _scans(self) -> ScanTimes:
        scans: dict[str, int | None] = {NORMAL: 1_000}
        section = entries(self.root.get("scans"), "scans", "{ NAME: 500ms }", self.report)
        for name, (_, value) in section.items():
            path = f"scans.{name}"
            if isinstance(value, Scalar) and not value.empty:
                scans[name] = time_of(value.text, value.spot, path, self.report)
            else:
                self.report.add(*wrong_shape(path, value, "str", "a time such as 500ms"))
                scans[name] = None
        return ScanTimes(scans, complete=self._readable("scans"))

    def _readable(self, section: str) -> bool:
        """Whether all names of a section are known: it is there, or rightly left out."""
        return section not in self.meant and isinstance(self.root.get(section), Mapping | None)

    def _unused(self, links: dict[str, LinkDraft], devices: list[DeviceDraft]) -> None:
        """Warn of links without devices; not if a device's link is wrong already."""
        if not devices or any(device.link is None for device in devices):
            return
        for link in links.values():
            if not link.users:
                seen = f"links.{link.name}: no device uses this link"
                remedy = f"write link: {link.name} in a device, or remove it"
                self.report.add("W212", link.spot, seen, remedy)

    def _missing_devices(self, devices: list[DeviceDraft]) -> None:
        node: Node | None = self.root.get("devices")
        if node is None:
            if "devices" not in self.meant:
                remedy = "add devices: { NAME: { modbus: …, tags: … } }"
                self.report.add("E213", self.report.top, "no device", remedy)
        elif isinstance(node, Mapping) and not node.entries:
            self.report.add("E213", node.spot, "no device", "add one under devices:")
        elif devices and not any(device.in_service for device in devices):
            spot = self.root.key_spot("devices")
            remedy = "write in_service: yes in a device; until then nothing is read"
            self.report.add("W215", spot, "no device is in service", remedy)

    def _secrets(self) -> None:
        """Warn of secrets that are not there; those of devices are told with their blocks."""
        relay = self.root.get("relay")
        if isinstance(relay, Mapping):
            brokers = {"relay.from": relay.get("from")}
            targets = relay.get("to")
            if isinstance(targets, Mapping):
                brokers |= {f"relay.to.{name}": node for name, (_, node) in targets.entries.items()}
            for path, broker in brokers.items():
                if broker is not None:
                    warn_of_missing(broker, path, self.secret_is_there, self.report)
        for section in ("destinations", "links"):
            node = self.root.get(section)
            for name, (_, value) in node.entries.items() if isinstance(node, Mapping) else ():
                warn_of_missing(value, f"{section}.{name}", self.secret_is_there, self.report)
