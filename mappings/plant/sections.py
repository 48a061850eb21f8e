"""Sections: the plain ones, of which each is one block."""

from mappings.plant.access import credentials
from mappings.plant.blocks import Model, read_block
from mappings.plant.definitions import (
    Certificate,
    OutboxDefinition,
    RelayBroker,
    RelayDefinition,
    Tls,
    WebDefinition,
)
from mappings.plant.files import joined
from mappings.plant.nodes import Mapping, parse
from mappings.plant.problems import Report
from mappings.plant.schema import LoggingBlock, OutboxBlock, PkiBlock
from mappings.plant.web_schema import RelayBlock, RelaySourceBlock, WebBlock


def read_outbox(root: Mapping, report: Report) -> OutboxDefinition:
    """The ``outbox:`` section."""
    block = _block(OutboxBlock, root, "outbox", report) or OutboxBlock()
    return OutboxDefinition(
        folder=joined(report.top.file, block.folder),
        max_size=block.max_size,
        commit_interval_ms=block.commit_interval,
        strict=block.durability == "strict",
        max_age_ms=block.max_age,
        when_full=block.when_full,
    )


def outbox_folder(text: str, file: str) -> str:
    """The outbox's folder, from the text of a plant file that may be full of mistakes."""
    root = parse(text, file, Report(file))
    found = root if isinstance(root, Mapping) else Mapping(Report(file).top)
    return read_outbox(found, Report(file)).folder


def read_logging(root: Mapping, report: Report) -> LoggingBlock:
    """The ``logging:`` section."""
    return _block(LoggingBlock, root, "logging", report) or LoggingBlock()


def read_pki(root: Mapping, report: Report) -> PkiBlock:
    """The ``pki:`` section."""
    return _block(PkiBlock, root, "pki", report) or PkiBlock()


def read_web(root: Mapping, report: Report) -> WebDefinition | None:
    """The ``web:`` section; left out, nothing is served."""
    block = _block(WebBlock, root, "web", report)
    if block is None:
        return None
    host, _, port = block.listen.rpartition(":")
    return WebDefinition(
        host=host.strip("[]"),
        port=int(port),
        pages=block.pages,
        certificate=Certificate(file=block.tls.certificate, key=block.tls.key)
        if block.tls
        else None,
        users=dict(block.users),
    )


def read_relay(root: Mapping, report: Report) -> RelayDefinition | None:
    """The ``relay:`` section, for ``tagbridge relay``."""
    block = _block(RelayBlock, root, "relay", report)
    if block is None:
        return None
    return RelayDefinition(
        source=_broker("from", block.source, report),
        targets=tuple(
            _broker(name, target, report, target.primary_host) for name, target in block.to.items()
        ),
        nodes=block.nodes,
        rename=dict(block.rename),
        host_proxy=block.host_proxy,
        topics=tuple((t.filter, t.direction, t.max_hops) for t in block.topics),
        births_rate=block.births,
        commands=block.commands.gate == "open",
    )


def _broker(
    name: str, block: RelaySourceBlock, report: Report, primary_host: str = ""
) -> RelayBroker:
    login, certificate = credentials(block.login, report.file, report.file)
    return RelayBroker(
        name=name,
        servers=block.servers,
        login=login,
        certificate=certificate,
        tls=Tls(ca=block.tls.ca),
        primary_host=primary_host,
    )


def _block(model: type[Model], root: Mapping, section: str, report: Report) -> Model | None:
    node = root.get(section)
    if node is None:
        return None
    return read_block(model, node, section, report, key_spot=root.key_spot(section))
