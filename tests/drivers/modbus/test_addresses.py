"""Every form of an address, and every refusal with the words that the user reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.addresses import Address, Area, parse
from mappings.errors import Fault

H, N, C, D = Area.HOLDING, Area.INPUT, Area.COIL, Area.DISCRETE


@pytest.mark.parametrize(
    "text",
    ["holding:100", "holding:0x64", "HR101", "4x101", "40101", "400101", " 40101 ", "Holding:0X64"],
)
def test_one_register_in_every_notation(text):
    assert parse(text) == Address(H, 100)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("coil:16", Address(C, 16)),
        ("C17", Address(C, 16)),
        ("coil:0", Address(C, 0)),
        ("coil:10017", Address(C, 10017)),  # no notation would read this as another coil
        ("C40101", Address(C, 40100)),
        ("discrete:0", Address(D, 0)),
        ("DI1", Address(D, 0)),
        ("1x1", Address(D, 0)),
        ("10001", Address(D, 0)),
        ("100001", Address(D, 0)),
        ("19999", Address(D, 9998)),
        ("165536", Address(D, 65535)),
        ("IR101", Address(N, 100)),
        ("3x101", Address(N, 100)),
        ("30053", Address(N, 52)),
        ("300053", Address(N, 52)),
        ("input:0x7565", Address(N, 30053)),
        ("input:40101", Address(N, 40101)),  # the reference range of another area
        ("holding:0x9CA5", Address(H, 40101)),
        ("holding:65535", Address(H, 65535)),
        ("HR65536", Address(H, 65535)),
        ("holding:50000", Address(H, 50000)),
        ("holding:40000", Address(H, 40000)),  # 40000 is no reference: they begin at 1
        ("465536", Address(H, 65535)),
        ("HR101.3", Address(H, 100, 3)),
        ("holding:100.15", Address(H, 100, 15)),
        ("holding:0x64.0", Address(H, 100, 0)),
        ("IR1.10", Address(N, 0, 10)),
    ],
)
def test_forms(text, address):
    assert parse(text) == address


@pytest.mark.parametrize(
    ("text", "code", "seen", "remedy"),
    [
        (
            "3204",
            "E401",
            "'3204' names no area",
            (
                "counted from 0: holding:3204 or input:3204; counted from 1: HR3204 or IR3204; "
                "coils: coil:3204 or C3204"
            ),
        ),
        (
            "100",
            "E401",
            "'100' names no area",
            (
                "counted from 0: holding:100 or input:100; counted from 1: HR100 or IR100; "
                "coils: coil:100 or C100"
            ),
        ),
        (
            "0",
            "E401",
            "'0' names no area",
            "counted from 0: holding:0 or input:0; coils: coil:0",
        ),
        (
            "20100",
            "E401",
            "'20100' names no area",
            (
                "counted from 0: holding:20100 or input:20100; counted from 1: HR20100 or IR20100; "
                "coils: coil:20100 or C20100"
            ),
        ),
        (
            "input:30053",
            "E402",
            "'input:30053' can be read in two ways",
            (
                "reference 30053 of the manual is input:52 on the wire: write 30053 or input:52. "
                "If the wire address really is 30053, write it in hex: input:0x7565"
            ),
        ),
        (
            "holding:40101",
            "E402",
            "'holding:40101' can be read in two ways",
            (
                "reference 40101 of the manual is holding:100 on the wire: write 40101 or "
                "holding:100. If the wire address really is 40101, write it in hex: holding:0x9CA5"
            ),
        ),
        (
            "HR40101",
            "E402",
            "'HR40101' can be read in two ways",
            (
                "reference 40101 of the manual is holding:100 on the wire: write 40101 or "
                "holding:100. If the wire address really is 40100, write it in hex: holding:0x9CA4"
            ),
        ),
        (
            "HR40101.3",
            "E402",
            "'HR40101.3' can be read in two ways",
            (
                "reference 40101 of the manual is holding:100 on the wire: write HR101.3 or "
                "holding:100.3. If the wire address really is 40100, write it in hex: "
                "holding:0x9CA4.3"
            ),
        ),
        (
            "holding:400101",
            "E402",
            "'holding:400101' can be read in two ways",
            (
                "reference 400101 of the manual is holding:100 on the wire: write 400101 or "
                "holding:100"
            ),
        ),
        (
            "discrete:10017",
            "E402",
            "'discrete:10017' can be read in two ways",
            (
                "reference 10017 of the manual is discrete:16 on the wire: write 10017 or "
                "discrete:16. If the wire address really is 10017, write it in hex: discrete:0x2721"
            ),
        ),
        (
            "403202.2",
            "E404",
            "'403202.2': an all-digit reference cannot carry a bit",
            "spreadsheets turn 403202.10 into 403202.1 unseen; write HR3202.2",
        ),
        (
            "40101.10",
            "E404",
            "'40101.10': an all-digit reference cannot carry a bit",
            "spreadsheets turn 40101.10 into 40101.1 unseen; write HR101.10",
        ),
        (
            "3204.2",
            "E401",
            "'3204.2' names no area",
            (
                "counted from 0: holding:3204 or input:3204; counted from 1: HR3204 or IR3204; "
                "coils: coil:3204 or C3204"
            ),
        ),
        (
            "00017",
            "E403",
            "'00017': coils have no all-digit form",
            "a spreadsheet drops the zeros of 00017; write C17",
        ),
        (
            "HR0",
            "E405",
            "'HR0' is outside of the holding area",
            "counted from 1 it has HR1 to HR65536",
        ),
        (
            "40000",
            "E405",
            "'40000' is outside of the holding area",
            "counted from 1 it has HR1 to HR65536",
        ),
        (
            "holding:65536",
            "E405",
            "'holding:65536' is outside of the holding area",
            "counted from 0 it has holding:0 to holding:65535",
        ),
        (
            "465537",
            "E405",
            "'465537' is outside of the holding area",
            "counted from 1 it has HR1 to HR65536",
        ),
        (
            "HR101.16",
            "E406",
            "'HR101.16': a register has no bit 16",
            "bits are 0 (least significant) to 15",
        ),
        (
            "C17.1",
            "E406",
            "'C17.1': coils and discrete inputs are single bits already",
            "write C17",
        ),
        (
            "10017.1",
            "E406",
            "'10017.1': coils and discrete inputs are single bits already",
            "write DI17",
        ),
        (
            "holdng:100",
            "E401",
            "'holdng:100': 'holdng' is no area",
            "did you mean 'holding'? areas are coil, discrete, input, holding",
        ),
        (
            "ns=2;s=x",
            "E401",
            "'ns=2;s=x' is no Modbus address",
            "write holding:100 (counted from 0), HR101 (from 1) or 40101 (as in the manual)",
        ),
        (
            "",
            "E401",
            "no address",
            "write holding:100 (counted from 0), HR101 (from 1) or 40101 (as in the manual)",
        ),
    ],
)
def test_refusals(text, code, seen, remedy):
    found = parse(text)
    assert isinstance(found, Fault)
    assert (found.code, found.field, found.seen, found.remedy) == (code, "address", seen, remedy)
    assert found.next.startswith("tagbridge probe {plant} {device} ") == (code == "E402")


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_a_fault(text):
    assert isinstance(parse(text), Address | Fault)


@given(
    st.from_regex(
        r"(holding|input|coil|discrete|HR|IR|C|DI|4x)?:?[0-9.x\[\]-]{1,9}", fullmatch=True
    )
)
def test_whatever_is_read_can_be_sent(text):
    address = parse(text)
    if isinstance(address, Address):
        assert 0 <= address.first <= 65535
        assert address.bit is None or (0 <= address.bit <= 15 and not address.area.is_bits)


@given(st.sampled_from(Area), st.integers(0, 65535))
def test_every_place_can_be_written_in_hex(area, first):
    assert parse(f"{area.value}:0x{first:x}") == Address(area, first)


@given(st.sampled_from([(H, "HR", "4"), (N, "IR", "3"), (D, "DI", "1")]), st.integers(0, 65535))
def test_references_and_numbers_agree(area, first):
    area, letters, digit = area
    assert parse(f"{digit}{first + 1:05}") == Address(area, first)
    if first < 9999:
        assert parse(f"{digit}{first + 1:04}") == Address(area, first)
        assert parse(f"{letters}{first + 1}") == Address(area, first)


def test_prints_as_wire_address():
    assert str(parse("HR101.3")) == "holding:100.3"
    assert str(parse("10001")) == "discrete:0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HR101.4-7", Address(Area.HOLDING, 100, 4, 7)),
        ("holding:100.8-15", Address(Area.HOLDING, 100, 8, 15)),
        ("HR101[10]", Address(Area.HOLDING, 100, count=10)),
        ("40101[10]", Address(Area.HOLDING, 100, count=10)),
        ("C17[8]", Address(Area.COIL, 16, count=8)),
    ],
)
def test_bits_and_arrays(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "seen", "remedy"),
    [
        ("HR101.7-4", "E406", "'HR101.7-4': bits are written lowest first", "write HR101.4-7"),
        ("HR101.4-4", "E406", "'HR101.4-4': bits are written lowest first", "write HR101.4"),
        ("HR101.4-16", "E406", "'HR101.4-16': a register has no bit 16",
         "bits are 0 (least significant) to 15"),
        ("HR101[0]", "E407", "'HR101[0]': an array of nothing",
         "write how many values it has: [10]"),
        ("holding:0xFFFF[2]", "E405", "'holding:0xFFFF[2]' is outside of the holding area",
         "counted from 0 it has holding:0 to holding:65535"),
    ],
)  # fmt: skip
def test_bits_and_arrays_that_cannot_be(text, code, seen, remedy):
    found = parse(text)
    assert isinstance(found, Fault)
    assert (found.code, found.seen, found.remedy) == (code, seen, remedy)
