"""The state of a running gateway, gathered from its parts when somebody asks."""

import asyncio
import os
from importlib.metadata import version

from bridge.clock import SystemClock
from bridge.control.words import (
    CommandsStatus,
    DestinationStatus,
    DeviceStatus,
    LinkStatus,
    OutboxStatus,
    Status,
)
from bridge.destination import Destination
from bridge.gateway import Gateway
from bridge.link import Supervision, Watch
from bridge.sparkplug.session import State
from mappings.quality import BAD, STALE

_DISK_PATIENCE_S = 2.0


async def status_of(gateway: Gateway, clock: SystemClock) -> Status:
    """Everything that runs, as it is now; waits a little for disks that are slow."""
    links = {supervision.endpoint.name: supervision for supervision in gateway.links}
    destinations = await asyncio.gather(*map(_destination, gateway.destinations))
    return Status(
        plant=gateway.plant.file,
        version=version("tagbridge"),
        pid=os.getpid(),
        now_ms=clock.now_ms(),
        started_ms=gateway.started_ms,
        reloaded_ms=gateway.reloaded_ms,
        links=tuple(
            _link(gateway, links[link.name]) for link in gateway.plant.links if link.name in links
        ),
        destinations=tuple(destinations),
        commands=commands_of(gateway),
    )


def commands_of(gateway: Gateway) -> CommandsStatus:
    """The gate, and what became of commands."""
    commander = gateway.commander
    denial = commander.last_denial
    return CommandsStatus(
        gate=gateway.plant.commands.gate,
        shut=commander.shut,
        open_ms=commander.open_ms,
        accepted=commander.accepted,
        denied=commander.denied,
        last_denial=f"{denial['metric'] or denial['from']}: {denial['why']}" if denial else "",
        audit_records=commander.audit.number,
        audit_head=commander.audit.head,
        trouble=commander.trouble,
    )


def _link(gateway: Gateway, supervision: Supervision) -> LinkStatus:
    trouble, remedy = supervision.failure
    return LinkStatus(
        name=supervision.endpoint.name,
        endpoint=supervision.endpoint.url,
        is_open=supervision.is_open,
        devices=tuple(_device(gateway, watch) for watch in supervision.watches.values()),
        trouble=trouble,
        remedy=remedy,
    )


def _device(gateway: Gateway, watch: Watch) -> DeviceStatus:
    qualities = gateway.core.catalog.devices[watch.device.name].qualities
    trouble, remedy = watch.silence
    heard_ms = SystemClock.monotonic_ms() - watch.heard_ms if watch.heard_ms else None
    return DeviceStatus(
        name=watch.device.name,
        is_up=watch.is_up,
        metrics=len(qualities),
        bad=qualities.count(BAD),
        stale=qualities.count(STALE),
        heard_ms=heard_ms,
        trouble=trouble,
        remedy=remedy,
    )


async def _destination(destination: Destination) -> DestinationStatus:
    node = destination.node
    definition = destination.definition
    trouble, remedy = node.trouble if node is not None else ("", "")
    identity = definition.edge_node
    return DestinationStatus(
        name=definition.name,
        node=f"{identity.group}/{identity.name}",
        server=node.server if node is not None else "",
        state=(node.state if node is not None else State.OFFLINE).value,
        born=len(node.born) if node is not None else 0,
        outbox=await outbox_of(destination),
        trouble=trouble,
        remedy=remedy,
        delivery_check=definition.delivery_check,
    )


async def outbox_of(destination: Destination) -> OutboxStatus:
    """The state of a destination's outbox."""
    outbox = destination.outbox
    try:
        async with asyncio.timeout(_DISK_PATIENCE_S):
            extent = await outbox.extent()
    except TimeoutError:
        extent = None
    return OutboxStatus(
        folder=str(outbox.folder),
        max_size=outbox.max_size,
        ledger=outbox.ledger,
        live=outbox.live_samples,
        backlog=outbox.backlog_samples,
        bytes=extent.bytes if extent else 0,
        segments=extent.segments if extent else 0,
        oldest_ms=extent.oldest_ms if extent else None,
        extent_known=extent is not None,
    )
