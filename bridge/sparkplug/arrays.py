"""Arrays: many values of one kind as the bytes of one metric (Sparkplug 3.0, section 6.4.16).

All little endian and packed without gaps. Booleans are bits, the first value the most significant
bit of the first byte, behind their number in four bytes. Texts are UTF-8, each followed by a NUL,
so a text cannot hold one: what stands behind it is left out. Times are milliseconds since 1970.
"""

import struct
from collections.abc import Sequence
from typing import Any

from mappings.datatypes import DataType

_COUNT = struct.Struct("<I")
_CODES = {
    DataType.INT8_ARRAY: "b", DataType.INT16_ARRAY: "h", DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q", DataType.UINT8_ARRAY: "B", DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I", DataType.UINT64_ARRAY: "Q", DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d", DataType.DATETIME_ARRAY: "Q",
}  # fmt: skip


def array_bytes(datatype: DataType, values: Sequence[Any]) -> bytes:
    """The bytes of an array of this type; struct.error for a value that does not fit it."""
    code = _CODES.get(datatype)
    if code is not None:
        return struct.pack(f"<{len(values)}{code}", *values)
    if datatype is DataType.BOOLEAN_ARRAY:
        bits = "".join("1" if value else "0" for value in values)
        size = (len(bits) + 7) // 8
        packed = int(bits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")
        return _COUNT.pack(len(values)) + packed
    texts = (value.partition("\0")[0].encode("utf-8", "replace") for value in values)
    return b"".join(text + b"\0" for text in texts)
