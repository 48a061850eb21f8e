"""Checks: what is wrong with Modbus rows, between rows, and between units; offline, all at once.

Codes: E401 to E407 addresses (in `drivers.modbus.refusals`), E408 rows that overlap, E409 order,
E410 type and address do not fit, E411 value larger than a request may be, E412 a row that must
never be read, E413 a unit that no wire has, E414 a serial port without a wire, E206 unit twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from drivers.modbus.addresses import LAST, Address, parse
from drivers.modbus.blocks import span
from drivers.modbus.config import DeviceOptions, LinkOptions
from drivers.modbus.orders import is_order, is_text, known, orders
from drivers.modbus.ranges import touching
from drivers.modbus.readers import CODES
from mappings.datatypes import WireType
from mappings.errors import Fault
from mappings.plant.problems import shell_word
from mappings.tags import Device, Tag

LAST_UNIT = 247
"""The highest unit on a wire (Modbus over serial line 1.02, section 2.2)."""


def check_tag(tag: Tag, options: DeviceOptions) -> list[Fault]:
    """What is wrong with one row."""
    address = parse(tag.address)
    if isinstance(address, Fault):
        return [address]
    misfit = _misfit(tag, address)
    if misfit is not None:
        return [misfit]
    end = address.first + span(tag, address)
    closed = touching(options.forbidden_ranges, address.area, address.first, end)
    if closed is not None:
        seen = f"{tag.name}: {tag.address} is in the forbidden range {closed}"
        remedy = "it would be read at every scan: remove the row, or narrow the range"
        return [Fault(code="E412", field="address", seen=seen, remedy=remedy)]
    if tag.element:
        seen = f"element {tag.element!r}: an address names registers and bits by itself"
        remedy = "leave the cell empty; an array is HR101[10], a bit HR101.3"
        return [Fault(code="E407", field="element", seen=seen, remedy=remedy)]
    if tag.wire_type == "bool" or address.bit is not None:
        return _no_order(tag)
    wire = known(tag.wire_type)
    if tag.order and not is_order(tag.order, wire):
        return [*_too_long(replace(tag, order=""), address, options), _bad_order(tag, wire)]
    return _too_long(tag, address, options)


def _too_long(tag: Tag, address: Address, options: DeviceOptions) -> list[Fault]:
    faults = []
    size = span(tag, address)
    is_bits = address.area.is_bits
    most = options.max_coils if is_bits else options.max_registers
    what, key = ("coils", "max_coils") if is_bits else ("registers", "max_registers")
    shown = f"{tag.wire_type}[{address.count}]" if address.count is not None else tag.wire_type
    if size > most:
        faults.append(
            Fault(
                code="E411",
                field="type" if address.count is None else "address",
                seen=f"{tag.name}: {shown} takes {size} {what}, a request may ask for {most}",
                remedy=f"a value is never read in two requests: raise {key}",
            )
        )
    if address.first + size - 1 > LAST:
        faults.append(
            Fault(
                code="E405",
                field="address",
                seen=f"{tag.address!r}: {shown} takes {size} {what}, "
                f"the last ones beyond {address.area.value}:{LAST}",
                remedy="off by one, or a type too wide?",
            )
        )
    return faults


def _misfit(tag: Tag, address: Address) -> Fault | None:
    """Whether a type cannot be what is at an address."""
    wire = known(tag.wire_type)
    if address.last_bit is not None:
        bits = address.bits or 0
        if wire.kind in {"int8", "uint8", "int16", "uint16"} and wire.bits >= bits:
            return None
        least = "uint8" if bits <= 8 else "uint16"
        return _e410(f"{tag.address!r} is a number of {bits} bits, {wire.name} is not", least)
    if address.area.is_bits or address.bit is not None:
        if tag.wire_type == "bool":
            return None
        return _e410(f"{tag.address!r} is a single bit, {tag.wire_type} is not", "bool")
    if tag.wire_type == "bool":
        return Fault(
            code="E410",
            field="type",
            seen=f"{tag.address!r} is a register of 16 bits, bool is one",
            remedy=f"name the bit: {address.numbered}.0 is the lowest; or read it as uint16",
        )
    if wire.kind == "string" and not wire.length:
        return _e410(f"{tag.name}: registers do not say how long a string is", "string(20)")
    if not is_text(wire) and wire.kind not in {*CODES, "bcd16", "bcd32"}:
        return _e410(f"{tag.name}: {wire.name} is no type of registers", "another type")
    if address.count is not None and wire.kind == "bytes":
        return _e410(f"{tag.name}: Sparkplug has no arrays of {wire.name}", "uint8 or one value")
    return None


def _e410(seen: str, instead: str) -> Fault:
    return Fault(code="E410", field="type", seen=seen, remedy=f"read it as {instead}")


def _no_order(tag: Tag) -> list[Fault]:
    if not tag.order:
        return []
    what, remedy = ("a bool", "a bit has no byte order: leave it empty")
    if tag.wire_type != "bool":
        what, remedy = "bits of a register", "bits have no byte order: leave it empty"
    seen = f"{tag.name}: order {tag.order!r} on {what}"
    return [Fault(code="E409", field="order", seen=seen, remedy=remedy)]


def _bad_order(tag: Tag, wire: WireType) -> Fault:
    usual = orders(wire)
    if not usual:
        seen = f"{tag.name}: order {tag.order!r} on one byte"
        remedy = "one byte has no order: leave it empty"
        return Fault(code="E409", field="order", seen=seen, remedy=remedy)
    listed = f"{', '.join(usual[:-1])} or {usual[-1]}"
    size = len(usual[0])
    if len(tag.order) == size:
        seen = f"{tag.name}: unknown order {tag.order!r}"
    else:
        seen = f"{tag.name}: order {tag.order!r} has {len(tag.order)} letters, "
        seen += "a register has 2" if is_text(wire) else f"{tag.wire_type} has {size} bytes"
    return Fault(code="E409", field="order", seen=seen, remedy=f"expected {listed}")


def check_device(device: Device) -> list[tuple[int, Fault]]:
    """Rows that overlap without being the same place; bits of one register may share it."""
    places: list[tuple[str, int, int, int]] = []
    for index, tag in enumerate(device.tags):
        address = parse(tag.address)
        if isinstance(address, Address):
            end = address.first + span(tag, address)
            places.append((address.area.value, address.first, end, index))
    faults = []
    widest: tuple[str, int, int, int] | None = None  # of the rows before, the one that ends last
    for place in sorted(places, key=lambda p: (p[0], p[1], -p[2], p[3])):
        area, first, end, index = place
        if widest is None or widest[0] != area:
            widest = place
            continue
        if first < widest[2] and (first, end) != widest[1:3]:
            faults.append((index, _overlap(device, index, widest[3])))
        if end > widest[2]:
            widest = place
    return sorted(faults, key=lambda fault: fault[0])


def _overlap(device: Device, index: int, other: int) -> Fault:
    tag, wide = device.tags[index], device.tags[other]
    address = parse(wide.address)
    assert isinstance(address, Address)
    size = span(wide, address)
    what = "coil" if address.area.is_bits else "register"
    return Fault(
        code="E408",
        field="address",
        seen=f"{tag.name!r} at {tag.address} lies inside "
        f"{wide.name!r} ({wide.address}, {wide.wire_type}, {size} {what}{'s' if size > 1 else ''})",
        remedy="the other row: {other}. Off by one, or a type too wide?",
        other=other,
        next=f"tagbridge probe {{plant}} {{device}} {shell_word(wide.address)}",
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
                seen=f"unit {options.unit} on link '{{link}}' belongs to {owner!r} already",
                remedy="two devices that answer to one unit id corrupt each other",
                next="tagbridge probe {plant} {link} --units",
            )
            faults.append((index, fault))
    return faults


def check_endpoint(
    endpoint: str, link: LinkOptions, devices: Sequence[Device]
) -> list[tuple[int | None, Fault]]:
    """Units that a wire cannot have (0 speaks to all of them), and ``serial`` without a wire."""
    scheme = endpoint.partition("://")[0]
    faults: list[tuple[int | None, Fault]] = []
    if scheme == "tcp":
        if link.serial is not None:
            seen = f"'serial' beside {endpoint}"
            remedy = "serial is for rtu:// and rtu+tcp://: remove it, or write that endpoint"
            faults.append((None, Fault(code="E414", field="serial", seen=seen, remedy=remedy)))
        return faults
    for index, device in enumerate(devices):
        options = device.options
        assert isinstance(options, DeviceOptions)
        if not 1 <= options.unit <= LAST_UNIT:
            seen = f"unit {options.unit} on a wire"
            remedy = f"a wire has units 1 to {LAST_UNIT}; 0 would speak to all of them"
            faults.append((index, Fault(code="E413", field="unit", seen=seen, remedy=remedy)))
    return faults
