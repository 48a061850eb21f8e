"""What is said of cells: each at its place, with what was expected."""

from dataclasses import dataclass

import pytest

from drivers.modbus.driver import MODBUS
from drivers.mqtt.driver import MQTT
from mappings.plant.reader import read_plant

PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"]}}
scans: {slow: 1min}
enums: {mode: {0: Off, 1: On}}
devices:
  PLC:
    modbus: {endpoint: "tcp://10.0.4.11", unit: 1}
    tags:
      - {name: _SF, address: IR90, type: int16}
      - {name: _Bit, address: IR80.1, type: bool}
"""


@dataclass(frozen=True)
class Case:
    code: str
    cells: str
    seen: str
    remedy: str


def case(code: str, cells: str, seen: str, remedy: str) -> Case:
    return Case(code, cells, seen, remedy)


CASES = [
    case(
        "E112",
        "type: int16, clamp: ¦top, low: 0, high: 1",
        "clamp: unknown word 'top'",
        "one of none, low, high, both",
    ),
    case(
        "E502",
        "type: bool, scale: ¦2",
        "A: bool cannot be scaled",
        "only numbers have a scale: remove it",
    ),
    case(
        "E115",
        "type: int16, scale: ¦0",
        "A: scale 0 makes every value the same",
        "write another scale, or leave it out",
    ),
    case(
        "E113",
        "type: int16, scale: ¦1/0",
        "scale: '1/0' is not a number",
        "write a decimal such as 0.1 or 1/3",
    ),
    case(
        "E512",
        "type: int16, scale: ¦0.1, raw_low: 0, raw_high: 10, low: 0, high: 1",
        "A: scale and a raw range",
        "both say how raw values become engineering values: keep one of them",
    ),
    case(
        "E513",
        "type: int16, raw_low: ¦0, low: 0, high: 1",
        "A: raw_low without raw_high",
        "the line goes from raw_low, raw_high to low, high: all four are needed",
    ),
    case(
        "E513",
        "type: int16, raw_low: 5, raw_high: ¦5, low: 0, high: 1",
        "A: raw_low and raw_high are both 5",
        "they are the ends of a line",
    ),
    case(
        "E513",
        "type: int16, raw_low: 0, raw_high: ¦99999, low: 0, high: 1",
        "A: raw_high 99999 cannot occur",
        "a raw value of int16 lies between -32768 and 32767",
    ),
    case(
        "E515",
        "type: int16, clamp: ¦high",
        "A: clamp high without high",
        "add low and high, or remove clamp",
    ),
    case(
        "E515",
        "type: bool, clamp: ¦both",
        "A: bool cannot be clamped",
        "only numbers can be beyond a limit: remove it",
    ),
    case(
        "E517",
        "type: int16, invert: ¦yes",
        "A: int16 cannot be inverted",
        "only bool can be turned round: remove it",
    ),
    case(
        "E518",
        "type: int16, enum: ¦mood",
        "A: no enum 'mood'",
        "did you mean 'mode'? enums here: mode; declare it under enums:, or write "
        "0=Stopped|1=Running",
    ),
    case(
        "E520",
        'type: int16, enum: ¦"0=Off|On"',
        "A: 'On' has no code",
        "write whole numbers with a text each, all different: 0=Stopped|1=Running",
    ),
    case(
        "E520",
        'type: int16, enum: ¦"0=Off|0=On"',
        "A: code 0 stands twice",
        "write whole numbers with a text each, all different: 0=Stopped|1=Running",
    ),
    case(
        "E519",
        'type: uint16, enum: ¦"-1=Off|1=On"',
        "A: code -1 does not fit uint16",
        "its codes lie between 0 and 65535",
    ),
    case(
        "E519",
        "type: float32, enum: ¦mode",
        "A: float32 has no codes",
        "only integers and bool have: remove it",
    ),
    case(
        "E519",
        "type: uint16, scale: 0.1, enum: ¦mode",
        "A: codes cannot be scaled",
        "remove the scale, or the enum",
    ),
    case(
        "E521",
        "type: uint16, unit: ¦C",
        "A: unit 'C'",
        "did you mean °C (Celsius)? Coulomb would be written coulomb",
    ),
    case(
        "E521",
        "type: uint16, unit: ¦metre",
        "A: unit 'metre'",
        "did you mean m? Units of your own stand under units:",
    ),
    case(
        "E521",
        "type: uint16, unit: ¦kv",
        "A: unit 'kv'",
        "did you mean kV? Units of your own stand under units:",
    ),
    case(
        "E521",
        'type: uint16, unit: ¦"%/zz"',
        "A: unit '%/zz'",
        "'zz' is no unit: Units of your own stand under units:",
    ),
    case(
        "E522",
        "type: uint16, source_unit: W, unit: ¦kWh",
        "A: W (power) cannot become kWh (energy)",
        "they are different quantities: one of the two units is wrong",
    ),
    case(
        "E525",
        "type: uint16, source_unit: ¦W",
        "A: source_unit 'W' converts nothing",
        "add unit, what it is converted to",
    ),
    case(
        "E525",
        "type: uint16, source_unit: ¦W, unit: kW, raw_low: 0, raw_high: 9, low: 0, high: 1",
        "A: source_unit 'W' converts nothing",
        "a raw range leads to low and high, which are in unit already: remove it",
    ),
    case(
        "E525",
        "type: bool, source_unit: ¦W, unit: kW",
        "A: source_unit 'W' converts nothing",
        "bool is no number: remove it",
    ),
    case(
        "E523",
        "type: int16, invalid: ¦none at all",
        "invalid: 'none at all' is no raw value",
        "write raw values such as 0x8000, -1, <-100 or >28000, with | between them, or none",
    ),
    case(
        "E523",
        "type: int16, invalid: ¦0x12345",
        "A: invalid: 0x12345 is no raw value of int16",
        "write raw values, as they are before scaling, or remove it",
    ),
    case(
        "E523",
        "type: int16, invalid: ¦nan",
        "A: invalid: nan is no raw value of int16",
        "write raw values, as they are before scaling, or remove it",
    ),
    case(
        "E523",
        "type: int16, invalid: ¦<1|<2",
        "invalid: two limits <",
        "one < is enough: keep the one that says more",
    ),
    case(
        "E526",
        "type: int16, scale: ¦10^_SV",
        "A: no row '_SV' in this device",
        "did you mean '_SF'? name a row of the same device",
    ),
    case(
        "E527",
        "type: int16, scale: ¦10^_Bit",
        "A: '_Bit' is no power of ten",
        "a power of ten is another row of one whole number, and read like this one",
    ),
    case(
        "E527",
        "type: int16, scale: ¦10^A",
        "A: 'A' is no power of ten",
        "a power of ten is another row of one whole number, and read like this one",
    ),
    case(
        "E534",
        "type: int16, max_silence: ¦1s, min_interval: 5s",
        "A: max_silence 1s is not above min_interval",
        "write more than 5s, or remove one of the two",
    ),
    case(
        "E535",
        "type: int16, stale_after: ¦1s, scan: slow",
        "A: stale_after 1s is not above its scan",
        "it is read every 1min: write a longer time",
    ),
    case(
        "E530",
        "type: int16, readback: ¦B, access: rw, low: 0, high: 1",
        "A: no row 'B' in this device",
        "name a row of the same device",
    ),
    case(
        "W532",
        "type: int16, readback: ¦none",
        "A: readback of a row that is only read",
        "write access: rw, or remove it",
    ),
    case(
        "E702",
        "type: int16, access: ¦rw",
        "A: writable without limits",
        "a number that may be written needs low and high, or write_low and write_high",
    ),
    case(
        "E533",
        "type: int16, access: rw, write_low: 5, write_high: ¦1",
        "A: write_low 5 is not below write_high 1",
        "are they the wrong way round?",
    ),
    case(
        "E533",
        "type: int16, access: rw, write_low: 0, write_high: ¦40000",
        "A: write_high 40000 is beyond what int16 can hold",
        "values of this row lie between -32768 and 32767",
    ),
    case(
        "E703",
        "type: int16, access: ¦rw, low: 0, high: 1, scale: 10^_SF",
        "A: cannot be written: its scale is the value of another row",
        "write access: r",
    ),
    case(
        "E531",
        "type: int16, metric_type: ¦Int16Array",
        "A: Int16Array of one value",
        "write Int16, or an address of an array",
    ),
    case(
        "E509",
        "type: int32, metric_type: ¦Float",
        "A: Float cannot hold every value of int32",
        "write Int32 or Int64 or Double, or leave metric_type out",
    ),
    case(
        "E509",
        "type: uint16, metric_type: ¦String",
        "A: String cannot hold every value of uint16",
        "String publishes the texts of an enum: add enum, or leave metric_type out",
    ),
    case(
        "E509",
        "type: uint64, scale: 10, metric_type: ¦UInt64",
        "A: UInt64 cannot hold every value of scaled uint64",
        "write Double, or leave metric_type out",
    ),
    case(
        "W514",
        "type: uint16, scale: 0.001, low: 0, high: ¦125",
        "A: high 125 can never be reached",
        "uint16 x 0.001 ends at 65.535; is it uint32, or another scale?",
    ),
    case(
        "W514",
        "type: uint16, low: ¦-5, high: 125",
        "A: low -5 can never be reached",
        "uint16 begins at 0; is it int16, or another scale?",
    ),
    case(
        "E113",
        "type: uint16, deadband: ¦-5",
        "deadband: '-5' is no deadband",
        "write 0.5 (in the unit of the row), 1 % (of low..high), or none",
    ),
    case(
        "E115",
        "type: uint16, deadband: ¦100 %, low: 0, high: 1",
        "deadband: '100 %' would hide every change",
        "write less than 100 %",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.cells}")
def test_message(case: Case) -> None:
    address = "HR1.3" if "type: bool" in case.cells else "HR1"
    row = f"      - {{name: A, address: {address}, {case.cells}}}\n"
    plant, problems = read_plant(PLANT + row.replace("¦", ""), "plant.yaml", {"modbus": MODBUS})
    place = f"plant.yaml:12:{row.index('¦') + 1}"
    told = [str(problem).rpartition("   next: ")[0] for problem in problems]
    assert told == [f"{place}: {case.code} {case.seen}\n    {case.remedy}"]
    assert (plant is None) == case.code.startswith("E")


def test_a_source_that_sends_by_itself_has_no_scan() -> None:
    mqtt = """  Hall:
    mqtt: {endpoint: "mqtt://a", format: text}
    tags: [{name: T, address: t1, type: float64, scan: slow}]
"""
    _, problems = read_plant(PLANT + mqtt, "plant.yaml", {"modbus": MODBUS, "mqtt": MQTT})
    assert [str(problem).partition("\n")[0] for problem in problems] == [
        "plant.yaml:14:56: E528 T: a scan of what is not polled"
    ]


@pytest.mark.parametrize(
    ("units", "seen"),
    [
        ("{kW: {equals: 7 W}}", "units.kW: 'kW' means something already"),
        ("{my box: {equals: 2}}", "units.my box: 'my box' cannot be read inside bottles/min"),
    ],
)
def test_a_unit_that_cannot_be_declared(units: str, seen: str) -> None:
    text = PLANT.replace("enums:", f"units: {units}\nenums:")
    _, problems = read_plant(text, "plant.yaml", {"modbus": MODBUS})
    assert [str(p).partition("\n")[0] for p in problems] == [f"plant.yaml:5:9: E524 {seen}"]
