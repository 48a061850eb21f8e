"""Sections: the plain ones, of which each is one block."""

from mappings.plant.blocks import read_block
from mappings.plant.definitions import OutboxDefinition
from mappings.plant.nodes import Mapping
from mappings.plant.problems import Report
from mappings.plant.schema import LoggingBlock, OutboxBlock


def read_outbox(root: Mapping, report: Report) -> OutboxDefinition:
    """The ``outbox:`` section."""
    node = root.get("outbox")
    block = read_block(OutboxBlock, node, "outbox", report) if node is not None else None
    block = block or OutboxBlock()
    return OutboxDefinition(
        folder=block.folder,
        max_size=block.max_size,
        commit_interval_ms=block.commit_interval,
        strict=block.durability == "strict",
        max_age_ms=block.max_age,
        when_full=block.when_full,
    )


def read_logging(root: Mapping, report: Report) -> LoggingBlock:
    """The ``logging:`` section."""
    node = root.get("logging")
    block = read_block(LoggingBlock, node, "logging", report) if node is not None else None
    return block or LoggingBlock()
