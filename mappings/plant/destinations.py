"""Destinations: brokers, and the Sparkplug identity that each of them is given.

The block ``sparkplug`` or ``uns`` names the kind; without either it is Sparkplug. ``edge_node``
at the top is the identity; a destination's own block says what differs. Sparkplug allows an edge
node one server at a time (section 4.2), so two destinations need two of them.
"""

from mappings.plant.access import credentials
from mappings.plant.blocks import entries, read_block
from mappings.plant.broker_schema import (
    DestinationBlock,
    EdgeNodeBlock,
    SelectBlock,
    SparkplugBlock,
    UnsBlock,
)
from mappings.plant.definitions import (
    DestinationDefinition,
    EdgeNodeDefinition,
    Selection,
    Tls,
    UnsDefinition,
)
from mappings.plant.names import check_destination_name, check_dots, check_sparkplug_id, folded
from mappings.plant.nodes import Mapping, Node
from mappings.plant.problems import Report, Spot


def read_destinations(
    root: Mapping, meant: set[str], report: Report
) -> tuple[tuple[DestinationDefinition, ...], tuple[UnsDefinition, ...]]:
    """The ``destinations:`` section with ``edge_node:``; those that are right.

    ``meant`` are sections whose misspelling has been told already.
    """
    reader = _Reader(root, meant, report)
    section = entries(root.get("destinations"), "destinations", "{ NAME: { servers: … } }", report)
    node = root.get("destinations")
    if node is None and "destinations" not in meant:
        remedy = "add destinations: { NAME: { servers: [mqtt://HOST] } }"
        report.add("E214", report.top, "no destination", remedy)
    elif isinstance(node, Mapping) and not section:
        report.add("E214", node.spot, "no destination", "add one under destinations:")
    found = [reader.read(name, key.spot, value) for name, (key, value) in section.items()]
    return (
        tuple(d for d in found if isinstance(d, DestinationDefinition)),
        tuple(d for d in found if isinstance(d, UnsDefinition)),
    )


class _Reader:
    """Reads one destination after the other, and remembers what must not occur twice."""

    def __init__(self, root: Mapping, meant: set[str], report: Report) -> None:
        self.report = report
        self.names: dict[str, str] = {}
        self.identities: dict[tuple[str, str], str] = {}
        node = root.get("edge_node")
        self.top: EdgeNodeBlock | None = EdgeNodeBlock()
        self.top_spot = root.key_spot("edge_node")
        if node is not None:
            self.top = self._identity(node, "edge_node", self.top_spot)
        elif "edge_node" in meant:
            self.top = None
        self.told_incomplete = False

    def read(
        self, name: str, spot: Spot, value: Node
    ) -> DestinationDefinition | UnsDefinition | None:
        path, report = f"destinations.{name}", self.report
        fault = check_destination_name(name)
        if fault is not None:
            report.add(fault.code, spot, fault.seen, fault.remedy)
        twin = self.names.setdefault(folded(name), name)
        if twin != name:
            remedy = "names that differ only in case are taken for one; rename one"
            report.add("E610", spot, f"destinations: {name!r} and {twin!r}", remedy)
        block = read_block(DestinationBlock, value, path, report, key_spot=spot)
        own = None
        if isinstance(value, Mapping) and (node := value.get("edge_node")) is not None:
            place = value.key_spot("edge_node")
            own = self._identity(node, f"{path}.edge_node", place, told=True)
            if own is None:
                return None
        if block is not None and block.uns is not None:
            return self._uns(name, block, block.uns)
        if self.top is None or (isinstance(value, Mapping) and value.get("uns") is not None):
            return None
        identity = self._merged(name, spot, own or EdgeNodeBlock())
        if block is None or identity is None:
            return None
        shown = block.sparkplug or SparkplugBlock()
        login, certificate = credentials(block.login, self.report.file, self.report.file)
        return DestinationDefinition(
            name=name,
            servers=block.servers,
            edge_node=identity,
            login=login,
            certificate=certificate,
            tls=Tls(ca=block.tls.ca),
            protocol=block.protocol,
            keep_alive_ms=block.keep_alive,
            client_id=block.client_id,
            backlog_rate=block.backlog.rate,
            backlog_order=block.backlog.order,
            primary_host=shown.primary_host,
            server_dwell_ms=shown.server_dwell,
            host_state=shown.host_state,
            aliases=shown.aliases == "stable",
            templates=shown.templates,
            bad_values=shown.bad_values,
            metric_names=shown.metric_names,
            select=_selection(block.select),
            delivery_check=block.delivery_check == "birth",
            largest_packet=block.largest_packet,
        )

    def _uns(self, name: str, block: DestinationBlock, uns: UnsBlock) -> UnsDefinition:
        login, certificate = credentials(block.login, self.report.file, self.report.file)
        return UnsDefinition(
            name=name,
            servers=block.servers,
            topic=uns.topic,
            login=login,
            certificate=certificate,
            tls=Tls(ca=block.tls.ca),
            protocol=block.protocol,
            keep_alive_ms=block.keep_alive,
            client_id=block.client_id,
            qos=(uns.qos.routine, uns.qos.important, uns.qos.critical),
            retain=uns.retain,
            expiry_ms=uns.expiry or 0,
            command_topic=uns.command_topic,
            select=_selection(block.select),
        )

    def _identity(
        self, node: Node, path: str, spot: Spot, *, told: bool = False
    ) -> EdgeNodeBlock | None:
        """An ``edge_node:`` block whose ids may be published.

        ``told``: what is wrong with its keys is in the report already.
        """
        report = Report(self.report.file) if told else self.report
        block = read_block(EdgeNodeBlock, node, path, report, key_spot=spot)
        if block is None or not isinstance(node, Mapping):
            return None
        wrong = False
        for key, text in (("group", block.group), ("name", block.name)):
            if text is None:
                continue
            value = node.get(key)
            place = value.spot if value is not None else spot
            fault = check_sparkplug_id(text, f"{path}.{key}")
            dots = check_dots(text, f"{path}.{key}")
            for found in (fault, dots):
                if found is not None:
                    self.report.add(found.code, place, found.seen, found.remedy)
            wrong = wrong or fault is not None
        return None if wrong else block

    def _merged(self, name: str, spot: Spot, own: EdgeNodeBlock) -> EdgeNodeDefinition | None:
        """The identity of one destination; no two destinations have the same."""
        assert self.top is not None
        group, node = own.group or self.top.group, own.name or self.top.name
        if group is None or node is None:
            if not self.told_incomplete:
                missing = " and ".join(
                    key for key, text in (("group", group), ("name", node)) if text is None
                )
                seen = f"destinations.{name}: no edge_node {missing}"
                remedy = "add edge_node: {group: …, name: …} at the top of the file"
                self.report.add("E104", spot, seen, remedy)
            self.told_incomplete = True
            return None
        other = self.identities.setdefault((group, node), name)
        if other != name:
            seen = f"destinations {other!r} and {name!r} would both be edge node {group}/{node}"
            remedy = "Sparkplug forbids one node on two servers; "
            remedy += f"add edge_node: {{name: {node}-{name}}} to {name!r}"
            self.report.add("E607", spot, seen, remedy)
            return None
        diagnostics = own.diagnostics or self.top.diagnostics or "full"
        return EdgeNodeDefinition(group=group, name=node, diagnostics=diagnostics)


def _selection(block: SelectBlock) -> Selection:
    return Selection(
        metrics=block.metrics, classes=tuple(block.classes), min_interval_ms=block.min_interval
    )
