"""The plant reader: a text in, a plant or all of its problems out; nothing is opened.

Sections are read one after the other, each into what later ones refer to, and each by itself:
what is wrong in one hides nothing in another. What merely follows from a problem is held back.
"""

from collections.abc import Callable
from collections.abc import Mapping as Pairs

from mappings.plant.blocks import entries, read_block, unknown_keys, wrong_shape
from mappings.plant.definitions import (
    DeviceDefinition,
    LinkDefinition,
    OutboxDefinition,
    Plant,
    Secret,
)
from mappings.plant.destinations import read_destinations
from mappings.plant.devices import DeviceDraft, check_between, read_defaults, read_devices
from mappings.plant.grammar import Grammar
from mappings.plant.links import LinkDraft, read_links
from mappings.plant.nodes import Mapping, Scalar, parse
from mappings.plant.problems import Problem, Report, in_order
from mappings.plant.rows import Defaults
from mappings.plant.scans import ScanTimes, time_of
from mappings.plant.schema import FORMAT, SECTIONS, LoggingBlock, OutboxBlock
from mappings.plant.secrets import warn_of_missing
from mappings.plant.undone import warn_of_undone

NORMAL = "normal"
"""The scan of rows that name none; 1 s unless ``scans:`` says otherwise."""


def read_plant(
    text: str,
    file: str,
    drivers: Pairs[str, Grammar],
    *,
    secret_is_there: Callable[[Secret], bool] = lambda _: True,
) -> tuple[Plant | None, list[Problem]]:
    """The plant of a text, and what is wrong with it; None when an error is among that.

    ``file`` is its name in messages; ``drivers`` are by name, as blocks of devices are;
    ``secret_is_there`` lets the caller, who may look, warn of missing secrets. Problems are in
    the order of the file.
    """
    report = Report(file)
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
    plant = _Reader(root, drivers, secret_is_there, report).plant()
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
    """Reads the sections of one plant file."""

    def __init__(
        self,
        root: Mapping,
        drivers: Pairs[str, Grammar],
        secret_is_there: Callable[[Secret], bool],
        report: Report,
    ) -> None:
        self.root = root
        self.drivers = drivers
        self.secret_is_there = secret_is_there
        self.report = report
        self.meant: set[str] = set()

    def plant(self) -> Plant:
        root, report = self.root, self.report
        self.meant = unknown_keys(root, SECTIONS, "", report)
        self._format()
        destinations, uns = read_destinations(root, self.meant, report)
        outbox = self._outbox()
        logging = LoggingBlock()
        if (node := root.get("logging")) is not None:
            logging = read_block(LoggingBlock, node, "logging", report) or logging
        scans = self._scans()
        plain = Defaults(scan_ms=scans.times[NORMAL])
        defaults = read_defaults(root.get("defaults"), "defaults", scans, plain, report)
        links = read_links(root.get("links"), self.drivers, report)
        devices = read_devices(
            root.get("devices"),
            links if self._readable("links") else None,
            self.drivers,
            scans,
            defaults,
            report,
        )
        check_between(devices, report)
        self._unused(links, devices)
        self._missing_devices(devices)
        self._secrets()
        warn_of_undone(root, report)
        return Plant(
            file=report.file,
            destinations=destinations,
            uns=uns,
            outbox=outbox,
            links=_links(links, devices),
            log_level=logging.level,
            log_format=logging.format,
        )

    def _format(self) -> None:
        written = self.root.get("tagbridge")
        remedy = f"begin the file with tagbridge: {FORMAT}"
        if written is None:
            if "tagbridge" not in self.meant:
                self.report.add("E104", self.report.top, "key 'tagbridge' is missing", remedy)
        elif not isinstance(written, Scalar) or written.text != str(FORMAT):
            shown = repr(written.text) if isinstance(written, Scalar) else "this"
            self.report.add("E120", written.spot, f"tagbridge: {shown} is no format", remedy)

    def _outbox(self) -> OutboxDefinition:
        node = self.root.get("outbox")
        block = read_block(OutboxBlock, node, "outbox", self.report) if node is not None else None
        block = block or OutboxBlock()
        return OutboxDefinition(
            folder=block.folder,
            max_size=block.max_size,
            commit_interval_ms=block.commit_interval,
            strict=block.durability == "strict",
            max_age_ms=block.max_age,
            when_full=block.when_full,
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
        node = self.root.get("devices")
        if not devices:
            if node is None:
                if "devices" not in self.meant:
                    remedy = "add devices: { NAME: { modbus: …, tags: … } }"
                    self.report.add("E213", self.report.top, "no device", remedy)
            elif isinstance(node, Mapping):
                self.report.add("E213", node.spot, "no device", "add one under devices:")
        elif node is not None and not any(device.in_service for device in devices):
            spot = self.root.key_spot("devices")
            remedy = "write in_service: yes in a device; until then nothing is read"
            self.report.add("W215", spot, "no device is in service", remedy)

    def _secrets(self) -> None:
        """Warn of secrets that are not there, wherever there may be a login."""
        for section in ("destinations", "links", "devices"):
            node = self.root.get(section)
            if not isinstance(node, Mapping):
                continue
            for name, (_, value) in node.entries.items():
                path = f"{section}.{name}"
                warn_of_missing(value, path, self.secret_is_there, self.report)
                if section != "devices" or not isinstance(value, Mapping):
                    continue
                for driver in self.drivers:
                    block = value.get(driver)
                    if block is not None:
                        place = f"{path}.{driver}"
                        warn_of_missing(block, place, self.secret_is_there, self.report)


def _links(links: dict[str, LinkDraft], devices: list[DeviceDraft]) -> tuple[LinkDefinition, ...]:
    """The links with devices in service: shared ones in the order of the file, then own ones."""
    running = [device for device in devices if device.in_service]
    own = [device.link for device in running if device.link is not None and device.link.own]
    found = []
    for link in [*links.values(), *own]:
        behind = tuple(
            DeviceDefinition(
                name=device.name,
                description=device.description,
                options=device.options,
                tags=tuple(device.tags),
                metrics=tuple(device.metrics),
            )
            for device in running
            if device.link is link and device.options is not None
        )
        if behind and link.driver is not None and link.options is not None:
            found.append(
                LinkDefinition(
                    name=link.name,
                    driver=link.driver.name,
                    endpoint=link.endpoint,
                    options=link.options,
                    devices=behind,
                    login=link.login,
                    certificate=link.certificate,
                    down_after_ms=link.down_after_ms,
                )
            )
    return tuple(found)
