"""Raw: what a unit would say if its registers held what somebody wrote down.

For cases of a mapping: ``HR101: 500``, ``holding:0x64: 0x01F4 0x0002``, ``C17: 1``. Rows whose
registers are not all given say nothing.
"""

import re
from collections.abc import Mapping

from drivers.modbus.addresses import Address, Area, parse
from drivers.modbus.blocks import Block, Row
from drivers.modbus.config import DeviceOptions
from mappings.batch import Batch
from mappings.errors import Fault
from mappings.tags import Device

_SEPARATOR = re.compile(r"[\s,]+")
_WORD = re.compile(r"0[xX][0-9A-Fa-f]{1,4}|-?[0-9]{1,5}")


def read_raw(device: Device, given: Mapping[str, str], now_ms: int) -> list[Batch | Fault]:
    """See `mappings.plant.grammar.WithRaw`."""
    options = device.options
    assert isinstance(options, DeviceOptions)
    held: dict[Area, dict[int, int]] = {area: {} for area in Area}
    found: list[Batch | Fault] = []
    for key, text in given.items():
        fault = _hold(key, text, held)
        if fault is not None:
            found.append(fault)
    for point, tag in enumerate(device.tags):
        address = parse(tag.address)
        if not isinstance(address, Address) or not tag.is_read:
            continue
        block = Block(device.name, [Row(point, tag, address, options.word_order)])
        words = held[block.area]
        places = range(block.first, block.first + block.count)
        if all(place in words for place in places):
            raw = _bytes([words[place] for place in places], is_bits=block.area.is_bits)
            found.append(block.decode(raw, now_ms))
    return found


def _hold(key: str, text: str, held: dict[Area, dict[int, int]]) -> Fault | None:
    address = parse(key)
    if isinstance(address, Fault):
        return Fault(code=address.code, field=key, seen=address.seen, remedy=address.remedy)
    if address.bit is not None or address.count is not None:
        remedy = f"write the whole register: {address.numbered}: 0x0008"
        return Fault(code="E152", field=key, seen=f"{key!r} is not a whole register", remedy=remedy)
    most = 1 if address.area.is_bits else 0xFFFF
    for place, word in enumerate(_SEPARATOR.split(text.strip()), address.first):
        number = _number(word)
        if number is None or not (0 <= number <= most or (most > 1 and -0x8000 <= number < 0)):
            what = "0 or 1" if address.area.is_bits else "words of 16 bits: 500, 0x01F4, -1"
            seen = f"{word!r} is not what {key} can hold"
            return Fault(code="E152", field=key, seen=seen, remedy=f"write {what}")
        held[address.area][place] = number & 0xFFFF
    return None


def _number(word: str) -> int | None:
    if not _WORD.fullmatch(word):
        return None
    return int(word, 16) if word[:2].lower() == "0x" else int(word)


def _bytes(words: list[int], *, is_bits: bool) -> bytes:
    """A response's data, as the protocol packs it."""
    if not is_bits:
        return b"".join(word.to_bytes(2, "big") for word in words)
    packed = sum(bit << place for place, bit in enumerate(words))
    return packed.to_bytes((len(words) + 7) // 8, "little")
