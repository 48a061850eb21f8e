"""All types in all orders, from bytes written by hand and by an independent encoder."""

import math
import struct
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.orders import is_order, known, order_in, orders
from drivers.modbus.values import CoilPlan, Field, RegisterPlan
from simulators.registers import registers_for, sent_order

RANGES = {
    "int16": (-(2**15), 2**15 - 1), "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1),
}  # fmt: skip
WIDTHS = {
    "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2,
    "int64": 4, "uint64": 4, "float64": 4,
}  # fmt: skip
WORD_ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


@pytest.mark.parametrize(
    ("wire_type", "order", "raw", "value"),
    [
        ("uint16", "AB", "0102", 0x0102),
        ("uint16", "BA", "0102", 0x0201),
        ("int16", "AB", "ffff", -1),
        ("int16", "AB", "8000", -32768),
        ("uint32", "ABCD", "01020304", 0x01020304),
        ("uint32", "CDAB", "01020304", 0x03040102),
        ("uint32", "BADC", "01020304", 0x02010403),
        ("uint32", "DCBA", "01020304", 0x04030201),
        ("int32", "ABCD", "fffffffe", -2),
        ("int32", "CDAB", "fffeffff", -2),
        ("float32", "ABCD", "3fc00000", 1.5),
        ("float32", "CDAB", "00003fc0", 1.5),
        ("float32", "BADC", "c03f0000", 1.5),
        ("float32", "DCBA", "0000c03f", 1.5),
        ("uint64", "ABCDEFGH", "0102030405060708", 0x0102030405060708),
        ("uint64", "GHEFCDAB", "0708050603040102", 0x0102030405060708),
        ("uint64", "BADCFEHG", "0201040306050807", 0x0102030405060708),
        ("uint64", "HGFEDCBA", "0807060504030201", 0x0102030405060708),
        ("uint64", "CDABGHEF", "0304010207080506", 0x0102030405060708),
        ("int64", "ABCDEFGH", "fffffffffffffffd", -3),
        ("float64", "ABCDEFGH", "3ff8000000000000", 1.5),
        ("float64", "GHEFCDAB", "0000000000003ff8", 1.5),
    ],
)
def test_bytes_by_hand(wire_type, order, raw, value):
    raw = bytes.fromhex(raw)
    (decoded,) = RegisterPlan([Field(0, 0, wire_type, order)], len(raw)).decode(raw)

    assert decoded == value
    assert type(decoded) is type(value)


def values_of(wire_type):
    if wire_type == "float32":
        return st.floats(width=32)
    if wire_type == "float64":
        return st.floats()
    return st.integers(*RANGES[wire_type])


@st.composite
def blocks_of_rows(draw):
    """Rows with gaps between them, in any types and orders, and the registers that hold them."""
    word_order = draw(st.sampled_from(WORD_ORDERS))
    fields, expected, words = [], {}, []
    for point in range(draw(st.integers(1, 30))):
        wire_type = draw(st.sampled_from(sorted(WIDTHS)))
        if len(words) + 1 + WIDTHS[wire_type] > 125:
            break
        words += [0xDEAD] * draw(st.integers(0, 1))
        own = draw(st.sampled_from(["", *orders(known(wire_type))]))
        value = draw(values_of(wire_type))
        order = order_in(known(wire_type), own, word_order)
        fields.append(Field(point, 2 * len(words), wire_type, order))
        words += registers_for(value, wire_type, sent_order(wire_type, own, word_order))
        expected[point] = value
    return draw(st.permutations(fields)), expected, words


@given(blocks_of_rows())
def test_any_block_decodes_to_what_was_encoded(block):
    fields, expected, words = block
    raw = struct.pack(f">{len(words)}H", *words)
    plan = RegisterPlan(fields, len(raw))
    decoded = dict(zip(plan.points, plan.decode(raw), strict=True))

    assert decoded.keys() == expected.keys()
    for point, value in expected.items():
        assert decoded[point] == value or (math.isnan(decoded[point]) and math.isnan(value))
        assert type(decoded[point]) is type(value)


@pytest.mark.parametrize("wire_type", sorted(RANGES))
@pytest.mark.parametrize("word_order", WORD_ORDERS)
def test_edges(wire_type, word_order):
    least, most = RANGES[wire_type]
    for value in (least, most, 0, 1):
        order = order_in(known(wire_type), "", word_order)
        words = registers_for(value, wire_type, sent_order(wire_type, "", word_order))
        raw = struct.pack(f">{len(words)}H", *words)
        assert list(RegisterPlan([Field(7, 0, wire_type, order)], len(raw)).decode(raw)) == [value]


def test_orders():
    assert (
        order_in(known("int16"), "", "DCBA") == "AB"
    )  # 16 bit stays AB unless the row says otherwise
    assert order_in(known("float64"), "", "CDAB") == "GHEFCDAB"
    assert order_in(known("int64"), "CDABGHEF", "ABCD") == "CDABGHEF"
    assert all(is_order("".join(p), known("int64")) for p in permutations(["AB", "CD", "EF", "GH"]))
    for wrong in ("BADCEFGH", "ABCD", "ABCDEFG", "ABABABAB", "HGFEDCAB", ""):
        assert not is_order(wrong, known("int64")), wrong


def test_bits_of_registers_beside_numbers():
    fields = [
        Field(0, 0, "bool", bit=0),
        Field(1, 0, "bool", bit=15),
        Field(2, 0, "uint16"),
        Field(3, 2, "int16", "BA"),
        Field(4, 2, "bool", bit=8),
    ]
    plan = RegisterPlan(fields, 4)
    decoded = dict(zip(plan.points, plan.decode(bytes.fromhex("8000 0100")), strict=True))

    assert decoded == {0: False, 1: True, 2: 0x8000, 3: 1, 4: True}
    assert type(decoded[0]) is bool


def test_two_rows_of_one_place():
    plan = RegisterPlan([Field(0, 0, "uint32", "ABCD"), Field(1, 0, "float32", "CDAB")], 4)

    assert dict(zip(plan.points, plan.decode(bytes.fromhex("00003fc0")), strict=True)) == {
        0: 0x3FC0,
        1: 1.5,
    }


@given(st.lists(st.booleans(), min_size=1, max_size=2000), st.data())
def test_coils(bits, data):
    raw = sum(bit << n for n, bit in enumerate(bits)).to_bytes((len(bits) + 7) // 8, "little")
    picked = data.draw(st.lists(st.integers(0, len(bits) - 1), min_size=1, max_size=40))
    plan = CoilPlan([Field(point, at, "bool") for point, at in enumerate(picked)])
    whole = CoilPlan([Field(point, point, "bool") for point in range(len(bits))])

    assert list(plan.decode(raw)) == [bits[at] for at in picked]
    assert list(whole.decode(raw)) == bits
    assert all(type(value) is bool for value in plan.decode(raw))


def read(wire_type, raw, order="AB", **where):
    raw = bytes.fromhex(raw)
    field = Field(0, 0, wire_type, order, **where)
    (value,) = RegisterPlan([field], len(raw)).decode(raw)
    return value


@pytest.mark.parametrize(
    ("wire_type", "order", "raw", "value"),
    [
        ("string(4)", "AB", "4f4b2000", "OK"),
        ("string(4)", "BA", "4b4f0020", "OK"),
        ("string(3)", "A-", "4f004b000000", "OK"),
        ("string(3)", "-A", "004f004b0000", "OK"),
        ("string(3)", "AB", "4f4b2121", "OK!"),
        ("string(4,cp1252)", "AB", "c3d6fc00", "ÃÖü"),
        ("string(4,utf-8)", "AB", "c396e200", None),
        ("string(4)", "AB", "ff4b2000", None),
        ("string(8,utf-16-be)", "AB", "004f004b00000000", "OK"),
        ("bytes(3)", "AB", "00ff8011", b"\x00\xff\x80"),
        ("bcd16", "AB", "1234", 1234),
        ("bcd16", "BA", "3412", 1234),
        ("bcd16", "AB", "12a4", None),
        ("bcd32", "CDAB", "56781234", 12345678),
        ("float16", "AB", "3e00", 1.5),
        ("int8", "AB", "00ff", -1),
        ("uint8", "AB", "7fff", 255),
        ("epoch_s", "ABCD", "6afdc2c0", 0x6AFDC2C0),
        ("epoch_ms", "ABCDEFGH", "000001a1ec4c7e00", 0x1A1EC4C7E00),
    ],
)
def test_other_types_by_hand(wire_type, order, raw, value):
    assert read(wire_type, raw, order) == value


@pytest.mark.parametrize(
    ("wire_type", "bits", "raw", "value"),
    [
        ("uint8", (4, 7), "00a5", 0xA),
        ("uint8", (8, 15), "7f00", 0x7F),
        ("int8", (4, 7), "00f0", -1),
        ("int8", (4, 7), "0070", 7),
        ("uint16", (0, 15), "fffe", 0xFFFE),
        ("uint16", (3, 12), "1ff8", 0x3FF),
    ],
)
def test_several_bits_are_a_number(wire_type, bits, raw, value):
    assert read(wire_type, raw, bit=bits[0], last_bit=bits[1]) == value


def test_arrays_are_tuples():
    assert read("int16", "0001 fffe 0003", count=3) == (1, -2, 3)
    assert read("float32", "00003fc0 00004000", "CDAB", count=2) == (1.5, 2.0)
    assert read("bcd16", "0012 0034", count=2) == (12, 34)
    assert read("bcd16", "0012 003f", count=2) is None
    assert read("string(2)", "4142 4300", count=2) == ("AB", "C")
    coils = CoilPlan([Field(0, 1, "bool", count=3), Field(1, 0, "bool")])
    assert dict(zip(coils.points, coils.decode(b"\x05"), strict=True)) == {
        0: (False, True, False), 1: True,
    }  # fmt: skip
