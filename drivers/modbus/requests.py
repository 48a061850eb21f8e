"""Requests: what a link will ask for, again and again, as ``check --requests`` shows it."""

from collections.abc import Sequence

from drivers.modbus.blocks import Block
from drivers.modbus.config import DeviceOptions, LinkOptions
from drivers.modbus.planning import NETWORK_GAP, plan_device
from drivers.modbus.wire_time import WireTime
from mappings.plant.grammar import PlannedRequest
from mappings.tags import Device


def planned(endpoint: str, devices: Sequence[Device], link: LinkOptions) -> list[PlannedRequest]:
    """All requests of a link, device by device, the quickest scan first.

    Only a link whose serial line is known has times: a port of ours, or one that is described.
    """
    known = endpoint.startswith("rtu://") or link.serial is not None
    wire = WireTime.of(link) if known else None
    worth = wire.request_worth if wire is not None else NETWORK_GAP
    return [
        PlannedRequest(
            device=device.name,
            scan_ms=scan_ms,
            what=f"unit {_unit(device)} FC {block.function_code} {block}",
            tags=tuple(row.name for row in block.rows),
            why=_why(block),
            wire_ms=None if wire is None else 1000 * wire.exchange_s(block.size),
        )
        for device in devices
        for scan_ms, blocks in plan_device(device, worth).items()
        for block in blocks
    ]


def _unit(device: Device) -> int:
    assert isinstance(device.options, DeviceOptions)
    return device.options.unit


def _why(block: Block) -> str:
    named = {place for row in block.rows for place in range(row.first, row.end)}
    unit = "coil" if block.area.is_bits else "register"
    size = f"{block.count} {unit}{'s' if block.count > 1 else ''}"
    along = block.count - len(named)
    return size if not along else f"{size}, {along} of them read along"
