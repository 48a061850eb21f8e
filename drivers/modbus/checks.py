"""Checks: what is wrong with Modbus rows, between rows, and between units; offline, all at once.

Codes: E401 to E407 addresses (in `drivers.modbus.addresses`), E408 rows that overlap, E409 order,
E410 type and address do not fit, E411 value larger than a request may be, E206 unit twice.
"""

from collections.abc import Sequence

from drivers.modbus.addresses import LAST, Address, parse
from drivers.modbus.config import DeviceOptions
from drivers.modbus.values import is_order, orders, registers_of
from mappings.errors import Fault
from mappings.tags import Device, Tag


def check_tag(tag: Tag, options: DeviceOptions) -> list[Fault]:
    """What is wrong with one row."""
    address = parse(tag.address)
    if isinstance(address, Fault):
        return [address]
    misfit = _misfit(tag, address)
    if misfit is not None:
        return [misfit]
    if tag.wire_type == "bool":
        return _no_order(tag)
    registers = registers_of(tag.wire_type)
    assert registers is not None
    faults = []
    if registers > options.max_registers:
        faults.append(
            Fault(
                code="E411",
                field="type",
                seen=f"{tag.name}: {tag.wire_type} takes {registers} registers, "
                f"a request may ask for {options.max_registers}",
                remedy="a value is never read in two requests: raise max_registers",
            )
        )
    if address.first + registers - 1 > LAST:
        faults.append(
            Fault(
                code="E405",
                field="address",
                seen=f"{tag.address!r}: {tag.wire_type} takes {registers} registers, "
                f"the last ones beyond {address.area.value}:{LAST}",
                remedy="off by one, or a type too wide?",
            )
        )
    if tag.order and not is_order(tag.order, registers):
        faults.append(_bad_order(tag, registers))
    return faults


def _misfit(tag: Tag, address: Address) -> Fault | None:
    registers = registers_of(tag.wire_type)
    if address.area.is_bits or address.bit is not None:
        if tag.wire_type == "bool":
            return None
        return _e410(f"{tag.address!r} is a single bit, {tag.wire_type} is not", "type bool")
    if tag.wire_type == "bool":
        return _e410(
            f"{tag.address!r} is a register of 16 bits, bool is one",
            f"name the bit: {address.numbered}.0 is the lowest; or read it as uint16",
        )
    if registers is None:
        whole = "uint16" if tag.wire_type in {"int8", "uint8"} else "another type"
        return _e410(
            f"{tag.name}: {tag.wire_type} cannot be read from registers yet", f"read it as {whole}"
        )
    return None


def _e410(seen: str, remedy: str) -> Fault:
    return Fault(code="E410", field="type", seen=seen, remedy=remedy)


def _no_order(tag: Tag) -> list[Fault]:
    if not tag.order:
        return []
    return [
        Fault(
            code="E409",
            field="order",
            seen=f"{tag.name}: order {tag.order!r} on a bool",
            remedy="a bit has no byte order: leave it empty",
        )
    ]


def _bad_order(tag: Tag, registers: int) -> Fault:
    known = orders(registers)
    listed = f"{', '.join(known[:-1])} or {known[-1]}"
    size = 2 * registers
    if len(tag.order) == size:
        seen = f"{tag.name}: unknown order {tag.order!r}"
    else:
        seen = f"{tag.name}: order {tag.order!r} has {len(tag.order)} letters, "
        seen += f"{tag.wire_type} has {size} bytes"
    return Fault(code="E409", field="order", seen=seen, remedy=f"expected {listed}")


def check_device(device: Device) -> list[tuple[int, Fault]]:
    """Rows that overlap without being the same place; bits of one register may share it."""
    places: list[tuple[str, int, int, int]] = []
    for index, tag in enumerate(device.tags):
        address = parse(tag.address)
        if isinstance(address, Address):
            count = registers_of(tag.wire_type) or 1
            places.append((address.area.value, address.first, address.first + count, index))
    faults = []
    widest: tuple[str, int, int, int] | None = None  # of the rows before, the one that ends last
    for place in sorted(places, key=lambda p: (p[0], p[1], -p[2], p[3])):
        area, first, end, index = place
        if widest is None or widest[0] != area:
            widest = place
            continue
        if first < widest[2] and (first, end) != widest[1:3]:
            faults.append((index, _overlap(device, index, widest[3], end <= widest[2])))
        if end > widest[2]:
            widest = place
    return sorted(faults, key=lambda fault: fault[0])


def _overlap(device: Device, index: int, other: int, inside: bool) -> Fault:
    tag, wide = device.tags[index], device.tags[other]
    count = registers_of(wide.wire_type) or 1
    verb = "lies inside" if inside else "overlaps"
    registers = f"{count} register{'s' if count > 1 else ''}"
    return Fault(
        code="E408",
        field="address",
        seen=f"{tag.name!r} at {tag.address} {verb} "
        f"{wide.name!r} ({wide.address}, {wide.wire_type}, {registers})",
        remedy="off by one, or a type too wide?",
    )


def check_link(devices: Sequence[Device]) -> list[tuple[int, Fault]]:
    """Units that occur twice on one connection."""
    owners: dict[int, str] = {}
    faults = []
    for index, device in enumerate(devices):
        options = device.options
        assert isinstance(options, DeviceOptions)
        owner = owners.setdefault(options.unit, device.name)
        if owner != device.name:
            fault = Fault(
                code="E206",
                field="unit",
                seen=f"unit {options.unit} on this link belongs to {owner!r} already",
                remedy="two devices that answer to one unit id corrupt each other",
            )
            faults.append((index, fault))
    return faults
