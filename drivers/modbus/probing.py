"""Probing: single reads for people who look for a value, besides every plan.

What stands at an address and on both sides of it, in the usual types and orders; and which units
of a link answer at all. Reads only.
"""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from drivers.modbus.addresses import LAST, Area
from drivers.modbus.blocks import FUNCTION_CODES
from drivers.modbus.config import LinkOptions
from drivers.modbus.connection import Connection, GarbledError, NoAnswerError, RefusedError, Request
from drivers.modbus.driver import connection_to

AROUND = (-1, 0, 1)
"""Places that are shown, from the one asked for."""
_WIDEST = 2  # registers of the widest type that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one place holds: its words from there on, or why they cannot be read."""

    first: int
    words: tuple[int, ...] = ()
    failure: str = ""


@asynccontextmanager
async def connected(url: str, options: LinkOptions) -> AsyncIterator[Connection]:
    """An open connection; LinkError if there is none."""
    connection, _ = connection_to(url, options)
    await connection.open()
    try:
        yield connection
    finally:
        connection.close()


async def look(connection: Connection, unit: int, area: Area, first: int) -> list[Seen]:
    """An address and its neighbours, each read by itself, so that one refusal spoils no other."""
    count = 1 if area.is_bits else _WIDEST
    places = [first + step for step in AROUND if 0 <= first + step <= LAST]
    return [await _place(connection, unit, area, place, count) for place in places]


async def _place(connection: Connection, unit: int, area: Area, first: int, count: int) -> Seen:
    """The widest that can be read from there; a device may end in between."""
    failure = ""
    for wanted in range(min(count, LAST - first + 1), 0, -1):
        request = Request(unit, FUNCTION_CODES[area], first, wanted)
        try:
            raw = await connection.read(request)
        except (RefusedError, GarbledError) as error:
            failure = str(error)
            continue
        if area.is_bits:
            return Seen(first=first, words=(raw[0] & 1,))
        return Seen(first=first, words=struct.unpack(f">{wanted}H", raw))
    return Seen(first=first, failure=failure)


async def answers(connection: Connection, unit: int) -> str:
    """How a unit answers when it is asked for one register; empty if it does not."""
    try:
        await connection.read(Request(unit, FUNCTION_CODES[Area.HOLDING], 0, 1))
    except RefusedError as error:
        return f"answers ({error})"
    except GarbledError as error:
        return f"answers wrongly: {error}"
    except NoAnswerError:
        return ""
    return "answers"


def as_types(words: tuple[int, ...]) -> dict[str, str]:
    """The same words in the usual types and orders."""
    shown = {"hex": f"{words[0]:04X}", "uint16": f"{words[0]}", "int16": f"{_signed(words[0])}"}
    if len(words) < _WIDEST:
        return shown
    for order, pair in (("ABCD", words), ("CDAB", words[::-1])):
        raw = struct.pack(">2H", *pair)
        shown[f"int32 {order}"] = str(struct.unpack(">i", raw)[0])
        shown[f"float32 {order}"] = f"{struct.unpack('>f', raw)[0]:.7g}"
    return shown


def _signed(word: int) -> int:
    return word - 0x10000 if word > 0x7FFF else word
