"""Planning: which registers to ask for together, so that requests are few.

Rows of one area that touch or overlap are read together, up to what the device allows. So are rows
with a gap between them, where reading the registers along costs less than another request: on a
wire that is a matter of time; on a network a request costs a device as much as `NETWORK_GAP`
registers or more. A gap that the device refuses is cut out while the link is open, and a forbidden
range is never read. Rows that are only written are not read at all.

Pure: done once, when a link is opened, and by ``check --requests``.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from drivers.modbus.addresses import Address, parse
from drivers.modbus.blocks import FUNCTION_CODES, Block, Row
from drivers.modbus.config import DeviceOptions
from drivers.modbus.ranges import Range, touching
from mappings.tags import Device

NETWORK_GAP = 32
"""Registers that a request through a network is worth."""
COILS_OF_GAP = 16
"""Coils that are as much to read along as one register."""


def plan(
    device: str,
    rows: Iterable[Row],
    *,
    max_registers: int = 125,
    max_coils: int = 2000,
    gap: int = 0,
    forbidden: Sequence[Range] = (),
) -> list[Block]:
    """Blocks for rows that are read at the same time, in the order of areas and addresses.

    ``gap`` is how many registers may be read along between two rows.
    """
    ordered = sorted(rows, key=lambda row: (FUNCTION_CODES[row.area], row.first, row.count))
    blocks: list[Block] = []
    for area, in_area in groupby(ordered, key=lambda row: row.area):
        most = max_coils if area.is_bits else max_registers
        widest = gap * COILS_OF_GAP if area.is_bits else gap
        together: list[Row] = []
        end = 0
        for row in in_area:
            longer = max(end, row.end)
            if together and (
                row.first - end > widest
                or longer - together[0].first > most
                or (row.first > end and touching(forbidden, area, end, row.first))
            ):
                blocks.append(Block(device, together))
                together, longer = [], row.end
            together.append(row)
            end = longer
        blocks.append(Block(device, together))
    return blocks


def plan_device(device: Device, request_worth: int = NETWORK_GAP) -> dict[int, list[Block]]:
    """Blocks by scan period in milliseconds, for a device whose rows have been checked.

    ``request_worth`` is how many registers may be read along instead of one more request, where
    the device leaves it to us.
    """
    options = device.options
    assert isinstance(options, DeviceOptions)
    by_scan: dict[int, list[Row]] = {}
    for point, tag in enumerate(device.tags):
        if not tag.is_read:
            continue
        address = parse(tag.address)
        if not isinstance(address, Address):
            raise TypeError(f"{device.name}/{tag.name}: unchecked address {tag.address!r}")
        by_scan.setdefault(tag.scan_ms, []).append(Row(point, tag, address, options.word_order))
    return {
        scan_ms: plan(
            device.name,
            rows,
            max_registers=options.max_registers,
            max_coils=options.max_coils,
            gap=request_worth if options.max_gap is None else options.max_gap,
            forbidden=options.forbidden_ranges,
        )
        for scan_ms, rows in sorted(by_scan.items())
    }
