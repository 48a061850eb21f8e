"""Writing: from a raw value to the request that puts it into a unit.

One coil goes by function 5, one register by 6, several registers by 16, bits of a register by a
mask (22) or by reading and writing back, as the device's ``bit_writes`` says. A value of several
registers goes in one request, so that no half of it is ever there alone. Pure.
Source: Modbus application protocol 1.1b3, sections 6.5, 6.6, 6.11, 6.12, 6.16.
"""

import struct
from dataclasses import replace

from drivers.driver import DeviceRefusedError
from drivers.modbus.addresses import Area
from drivers.modbus.blocks import Row
from drivers.modbus.config import DeviceOptions
from drivers.modbus.connection import Request
from drivers.modbus.orders import known, registers_of
from drivers.modbus.readers import CODES, bytes_at
from mappings.batch import Value
from mappings.datatypes import WireType

ILLEGAL_FUNCTION = 1
_ONE_COIL, _ONE_REGISTER, _COILS, _REGISTERS, _MASK = 5, 6, 15, 16, 22
_ON, _OFF = b"\xff\x00", b"\x00\x00"


def write_request(row: Row, value: Value, options: DeviceOptions) -> Request:
    """The request that writes ``value`` where ``row`` is; see `masked` for bits of a register.

    Raises `DeviceRefusedError` for what the row's type cannot hold.
    """
    ignore = options.transaction_id == "ignore"
    if row.area is Area.COIL:
        bit = _ON if value else _OFF
        return Request(options.unit, _ONE_COIL, row.first, 1, ignore, bit)
    registers = encoded(known(row.wire_type), value, row.order)
    count = len(registers) // 2
    code = _ONE_REGISTER if count == 1 else _REGISTERS
    return Request(options.unit, code, row.first, count, ignore, registers)


def masks(row: Row, value: Value) -> tuple[int, int]:
    """What of the register stays, and what of it is set: (AND mask, OR mask) of function 22."""
    assert row.address.bit is not None
    width = row.address.bits or 1
    field = ((1 << width) - 1) << row.address.bit
    assert isinstance(value, int)
    return 0xFFFF & ~field, value << row.address.bit & field


def masked(row: Row, value: Value, options: DeviceOptions) -> Request:
    """The request that writes bits of a register, and leaves its others alone."""
    keep, put = masks(row, value)
    data = struct.pack(">HH", keep, put)
    return Request(options.unit, _MASK, row.first, 1, options.transaction_id == "ignore", data)


def register(row: Row, options: DeviceOptions, word: int | None = None) -> Request:
    """The whole register that a row has bits of: read it, or write ``word`` into it."""
    ignore = options.transaction_id == "ignore"
    if word is None:
        return Request(options.unit, 3, row.first, 1, ignore)
    return Request(options.unit, _ONE_REGISTER, row.first, 1, ignore, word.to_bytes(2, "big"))


def other_way(request: Request) -> Request | None:
    """The same by the function for many, for units that do not know the one for one."""
    if request.code == _ONE_COIL:
        return replace(request, code=_COILS, data=b"\x01" if request.data == _ON else b"\x00")
    if request.code == _ONE_REGISTER:
        return replace(request, code=_REGISTERS)
    return None


def encoded(wire: WireType, value: Value, order: str) -> bytes:
    """The registers of a value, as they are sent; the reverse of `drivers.modbus.readers`."""
    packed, places = _packed(wire, value), bytes_at(wire, 0, order)
    if len(packed) != len(places):
        raise _no_room(wire, value)
    out = bytearray(2 * (registers_of(wire, order) or 1))
    for place, byte in zip(places, packed, strict=True):
        out[place] = byte
    return bytes(out)


def _packed(wire: WireType, value: Value) -> bytes:
    """The value's bytes, the most significant (of texts: the first) first."""
    try:
        if wire.kind == "string":
            assert isinstance(value, str)
            return value.encode(wire.encoding).ljust(wire.length, b"\0")
        if wire.kind == "bytes":
            assert isinstance(value, bytes)
            return value.ljust(wire.length, b"\0")
        if wire.kind in {"bcd16", "bcd32"}:
            assert isinstance(value, int)
            digits = f"{value:0{wire.bits // 4}d}"
            return bytes.fromhex(digits)
        return struct.pack(">" + CODES[wire.kind], value)
    except (struct.error, ValueError, OverflowError):
        raise _no_room(wire, value) from None


def _no_room(wire: WireType, value: Value) -> DeviceRefusedError:
    seen = f"{value!r:.60} does not fit into {wire.kind}"
    return DeviceRefusedError(seen, "compare the row's type with the device's manual")
