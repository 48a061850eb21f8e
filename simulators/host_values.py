"""What a host makes of the value of one metric: numbers with their signs, texts, arrays.

Written without a line of the product's encoder (Sparkplug 3.0, section 6.4.16). Bytes that are no
array of their type stay bytes: a host shows them, and does not fail.
"""

from array import array
from sys import byteorder
from typing import Any

HostValue = bool | int | float | str | bytes | tuple[bool | int | float | str, ...] | None

_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}  # Int8 to Int64
_ARRAY_CODES = {
    22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d",
    34: "Q",
}  # fmt: skip
_BOOLEAN_ARRAY, _STRING_ARRAY = 32, 33


def value_of(metric: Any, datatype: int) -> HostValue:
    """The value of a metric message whose birth told this data type; None for null."""
    kind = metric.WhichOneof("value")
    if kind is None or metric.is_null:
        return None
    value: HostValue = getattr(metric, kind)
    if kind in {"int_value", "long_value"} and datatype in _SIGNED_BITS:
        assert isinstance(value, int)
        bits = _SIGNED_BITS[datatype]
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value
    if kind == "string_value":
        return text_of(metric.string_value)
    if kind == "bytes_value":
        return _array(metric.bytes_value, datatype)
    return f"<{kind}>" if kind in {"dataset_value", "template_value"} else value


def text_of(text: str | bytes) -> str:
    """A text field: the runtime gives bytes where it is no UTF-8."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _array(raw: bytes, datatype: int) -> HostValue:
    if datatype == _STRING_ARRAY:
        return tuple(part.decode("utf-8", "replace") for part in raw.split(b"\0")[:-1])
    if datatype == _BOOLEAN_ARRAY:
        count = int.from_bytes(raw[:4], "little")
        bits = [byte >> place & 1 == 1 for byte in raw[4:] for place in range(7, -1, -1)]
        return tuple(bits[:count]) if len(raw) >= 4 and count <= len(bits) else raw
    code = _ARRAY_CODES.get(datatype)
    if code is None or len(raw) % array(code).itemsize:
        return raw
    values: array[Any] = array(code, raw)
    if byteorder == "big":
        values.byteswap()
    return tuple(values)
