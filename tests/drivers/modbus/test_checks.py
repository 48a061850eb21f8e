"""What is wrong with rows, between rows and between units, in the words that the user reads."""

import pytest

from drivers.modbus.config import LinkOptions
from drivers.modbus.driver import MODBUS
from mappings.plant.reader import read_plant
from tests.support.modbus import device, tag

OPTIONS = device("d", 1, ()).options


def faults(row, **options):
    found = MODBUS.check_tag(row, device("d", 1, (), **options).options)
    return [(f.code, f.field, f.seen, f.remedy) for f in found]


@pytest.mark.parametrize(
    "row",
    [
        tag("t", "HR1", "int16"),
        tag("t", "HR1", "uint16", "BA"),
        tag("t", "HR1", "uint32", "CDAB"),
        tag("t", "HR1", "float64", "EFGHABCD"),
        tag("t", "HR1", "int64", "HGFEDCBA"),
        tag("t", "HR1.3", "bool"),
        tag("t", "C1", "bool"),
        tag("t", "10001", "bool"),
        tag("t", "30001", "float32"),
        tag("t", "holding:0xFFFC", "float64"),
        tag("t", "HR1", "uint8"),
        tag("t", "HR1.4-7", "uint8"),
        tag("t", "HR1.0-15", "uint16"),
        tag("t", "HR1[10]", "float32", "CDAB"),
        tag("t", "C1[10]", "bool"),
        tag("t", "HR1", "string(20,cp1252)", "BA"),
        tag("t", "HR1", "string(20)", "-A"),
        tag("t", "HR1", "bytes(8)"),
        tag("t", "HR1", "bcd32", "CDAB"),
        tag("t", "HR1", "epoch_s"),
        tag("t", "HR1", "float16", "BA"),
    ],
)
def test_good_rows(row):
    assert faults(row) == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (
            tag("Rejects", "HR110", "uint32", "BA"),
            ("E409", "order", "Rejects: order 'BA' has 2 letters, uint32 has 4 bytes",
             "expected ABCD, CDAB, BADC or DCBA"),
        ),
        (
            tag("Rejects", "HR110", "uint32", "ABDC"),
            ("E409", "order", "Rejects: unknown order 'ABDC'", "expected ABCD, CDAB, BADC or DCBA"),
        ),
        (
            tag("Speed", "HR110", "uint16", "ABCD"),
            ("E409", "order", "Speed: order 'ABCD' has 4 letters, uint16 has 2 bytes",
             "expected AB or BA"),
        ),
        (
            tag("Total", "HR110", "int64", "BADCFEGH"),
            ("E409", "order", "Total: unknown order 'BADCFEGH'",
             "expected ABCDEFGH, GHEFCDAB, BADCFEHG or HGFEDCBA"),
        ),
        (
            tag("On", "C1", "bool", "AB"),
            ("E409", "order", "On: order 'AB' on a bool",
             "a bit has no byte order: leave it empty"),
        ),
        (
            tag("On", "HR101", "bool"),
            ("E410", "type", "'HR101' is a register of 16 bits, bool is one",
             "name the bit: HR101.0 is the lowest; or read it as uint16"),
        ),
        (
            tag("On", "C1", "uint16"),
            ("E410", "type", "'C1' is a single bit, uint16 is not", "read it as bool"),
        ),
        (
            tag("On", "HR1.3", "uint16"),
            ("E410", "type", "'HR1.3' is a single bit, uint16 is not", "read it as bool"),
        ),
        (
            tag("Name", "HR1", "string"),
            ("E410", "type", "Name: registers do not say how long a string is",
             "read it as string(20)"),
        ),
        (
            tag("Low", "HR1", "uint8", "AB"),
            ("E409", "order", "Low: order 'AB' on one byte",
             "one byte has no order: leave it empty"),
        ),
        (
            tag("When", "HR1", "datetime"),
            ("E410", "type", "When: datetime is no type of registers", "read it as another type"),
        ),
        (
            tag("Part", "HR1.0-11", "uint8"),
            ("E410", "type", "'HR1.0-11' is a number of 12 bits, uint8 is not",
             "read it as uint16"),
        ),
        (
            tag("Blob", "HR1[2]", "bytes(4)"),
            ("E410", "type", "Blob: Sparkplug has no arrays of bytes(4)",
             "read it as uint8 or one value"),
        ),
        (
            tag("Text", "HR1", "string(4)", "ABCD"),
            ("E409", "order", "Text: order 'ABCD' has 4 letters, a register has 2",
             "expected AB, BA, A- or -A"),
        ),
        (
            tag("Long", "HR1[200]", "uint16"),
            ("E411", "address", "Long: uint16[200] takes 200 registers, a request may ask for 125",
             "a value is never read in two requests: raise max_registers"),
        ),
        (
            tag("Last", "HR65536", "float32"),
            ("E405", "address", ("'HR65536': float32 takes 2 registers, the last ones beyond "
             "holding:65535"), "off by one, or a type too wide?"),
        ),
    ],
)  # fmt: skip
def test_bad_rows(row, fault):
    assert faults(row) == [fault]


def test_a_bad_address_says_what_the_grammar_says():
    assert [f[0] for f in faults(tag("t", "3204"))] == ["E401"]


def test_a_value_must_fit_into_one_request():
    assert faults(tag("Total", "HR1", "float64"), max_registers=3) == [
        (
            "E411",
            "type",
            "Total: float64 takes 4 registers, a request may ask for 3",
            "a value is never read in two requests: raise max_registers",
        )
    ]


def test_a_row_in_a_forbidden_range_is_refused():
    forbidden = {"forbidden": ("holding:10-19",)}
    assert faults(tag("t", "holding:9"), **forbidden) == []
    assert faults(tag("t", "input:10"), **forbidden) == []
    assert faults(tag("t", "holding:9", "float32"), **forbidden) == [
        (
            "E412",
            "address",
            "t: holding:9 is in the forbidden range holding:10-19",
            "it would be read at every scan: remove the row, or narrow the range",
        )
    ]


def test_two_faults_of_one_row_are_said_together():
    assert [f[0] for f in faults(tag("t", "HR65536", "float32", "AB"))] == ["E405", "E409"]


def overlaps(*rows):
    return [
        (index, f.code, f.field, f.seen) for index, f in MODBUS.check_device(device("d", 1, rows))
    ]


def test_overlap_off_by_one():
    found = overlaps(tag("Voltage/L1", "30001", "float32"), tag("Voltage/L2", "30002", "float32"))

    assert found == [
        (1, "E408", "address",
         "'Voltage/L2' at 30002 lies inside 'Voltage/L1' (30001, float32, 2 registers)"),
    ]  # fmt: skip


def test_overlap_inside():
    found = overlaps(tag("Low", "HR2"), tag("Wide", "HR1", "float32"), tag("Bit", "HR1.4", "bool"))

    assert found == [
        (0, "E408", "address", "'Low' at HR2 lies inside 'Wide' (HR1, float32, 2 registers)"),
        (2, "E408", "address", "'Bit' at HR1.4 lies inside 'Wide' (HR1, float32, 2 registers)"),
    ]


def test_a_wide_value_hides_no_later_overlap():
    found = overlaps(
        tag("Wide", "HR1", "float64"), tag("Low", "HR2"), tag("Late", "HR4", "float32")
    )

    assert [index for index, *_ in found] == [1, 2]


def test_rows_may_share_a_place():
    assert (
        overlaps(
            tag("Raw", "HR1"),
            tag("Bit 0", "HR1.0", "bool"),
            tag("Bit 1", "holding:0.1", "bool"),
            tag("Signed", "HR1", "int16"),
            tag("Other area", "IR1", "float32"),
            tag("Next", "HR2", "float32"),
            tag("Twice", "HR2", "uint32"),
            tag("Coil", "C1", "bool"),
        )
        == []
    )


def test_unit_twice():
    found = MODBUS.check_link([device("A", 12, ()), device("B", 11, ()), device("C", 12, ())])

    assert [(index, f.code, f.field, f.seen, f.remedy) for index, f in found] == [
        (
            2,
            "E206",
            "unit",
            "unit 12 on link '{link}' belongs to 'A' already",
            "two devices that answer to one unit id corrupt each other",
        )
    ]


@pytest.mark.parametrize("scheme", ["rtu:///dev/ttyS0", "rtu+tcp://10.0.0.1:4001"])
def test_a_wire_has_units_1_to_247(scheme):
    units = [device(str(unit), unit, ()) for unit in (0, 1, 247, 248)]
    found = MODBUS.check_endpoint(scheme, LinkOptions(), units)
    assert [(index, f.code, f.field) for index, f in found] == [
        (0, "E413", "unit"),
        (3, "E413", "unit"),
    ]
    assert MODBUS.check_endpoint("tcp://10.0.0.1", LinkOptions(), units) == []


def test_a_serial_port_needs_a_wire():
    options = LinkOptions.model_validate({"serial": {"baud": "9600"}})
    [(index, fault)] = MODBUS.check_endpoint("tcp://10.0.0.1", options, [])
    assert (index, fault.code, fault.seen) == (None, "E414", "'serial' beside tcp://10.0.0.1")
    assert MODBUS.check_endpoint("rtu:///dev/ttyS0", options, []) == []


def test_the_reader_tells_it_at_its_place():
    text = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"]}}
links:
  net: {endpoint: "tcp://10.0.0.1", serial: {baud: 9600}}
  wire: {endpoint: "rtu:///dev/ttyS0"}
devices:
  A: {modbus: {link: net, unit: 0}, tags: [{name: A, address: HR1, type: int16}]}
  B: {modbus: {link: wire, unit: 250}, tags: [{name: A, address: HR1, type: int16}]}
"""
    _, problems = read_plant(text, "p.yaml", {"modbus": MODBUS})
    assert [str(problem).partition("\n")[0] for problem in problems] == [
        "p.yaml:5:19: E414 net: 'serial' beside tcp://10.0.0.1",
        "p.yaml:9:34: E413 unit 250 on a wire",
    ]
