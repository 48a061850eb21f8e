"""The plant reader: what a right file becomes, and what is held back of a wrong one."""

import time
from fractions import Fraction

import pytest

from mappings.datatypes import DataType
from mappings.plant.definitions import Login, Plant, Secret
from mappings.plant.problems import Problem
from mappings.plant.reader import read_plant
from tests.support.grammars import GRAMMARS, WireDevice, WireLink

HEAD = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"]}}
"""


def right(text: str) -> Plant:
    plant, problems = read_plant(text, "plant.yaml", GRAMMARS)
    assert plant is not None, [str(problem) for problem in problems]
    assert not problems
    return plant


def wrong(text: str) -> list[Problem]:
    plant, problems = read_plant(text, "plant.yaml", GRAMMARS)
    assert plant is None
    return problems


def rows(*cells: str, head: str = HEAD, device: str = "") -> str:
    """A plant of one device with these rows."""
    listed = "\n".join(f"      - {{{row}}}" for row in cells)
    return (
        f'{head}devices:\n  D:\n    modbus: {{endpoint: "tcp://h", unit: 1}}\n{device}'
        f"    tags:\n{listed}\n"
    )


ROW = 'name: A, address: "holding:1", type: '


def test_a_whole_plant() -> None:
    plant = right("""\
tagbridge: 1
edge_node: {group: "Brewery:South", name: gw, diagnostics: none}
destinations:
  scada:
    servers: [mqtt://a, "mqtt://b:1884"]
    login: {user: gw, password: "${file:secrets/scada}"}
    keep_alive: 30s
    client_id: gateway-7
    backlog: {rate: 100/s}
    delivery_check: none
    sparkplug: {aliases: none}
  mes: {servers: [mqtt://c], edge_node: {name: gw-mes, diagnostics: full}}
outbox: {folder: /data/outbox, max_size: 1 GiB, commit_interval: 200ms, durability: strict}
scans: {fast: 200ms, normal: 2s}
defaults: {deadband: 1 %, max_silence: 10min}
links:
  mcc: {endpoint: "tcp://10.0.0.1:5020", timeout: 300ms, down_after: 9s}
devices:
  Pump:
    description: The wort pump
    modbus: {link: mcc, unit: 21, word_order: CDAB}
    defaults: {scan: fast, max_silence: none}
    tags:
      - {name: Speed, id: P1.speed, address: "holding:1", type: int16, scale: 0.1, offset: 5,
         unit: Hz, low: -60, high: 60, description: of the shaft, "property:Loop number": S-1,
         "# manual": p. 5}
      - {name: Count, address: "holding:2", type: UDINT, order: CDAB, scan: 5s, deadband: none}
      - {name: Fault, address: "holding:3", type: bool, max_silence: 1h, unit: ""}
  PLC:
    opcua:
      endpoint: opc.tcp://10.0.0.2:4840
      login: {user: x, password: "${env:PLC}"}
      namespaces: {s7: "urn:s7"}
    tags: [{name: State, address: s7;s=State, type: STRING, metric_type: Text}]
  Meter:
    in_service: no
    modbus: {link: mcc, unit: 21}
    tags: [{name: A, address: "holding:1", type: float32, metric_type: Double}]
logging: {level: debug, format: json}
""")
    scada, mes = plant.destinations
    assert scada.servers == ("mqtt://a", "mqtt://b:1884")
    assert scada.login == Login(user="gw", password=Secret(kind="file", name="secrets/scada"))
    assert (scada.keep_alive_ms, scada.client_id, scada.backlog_rate) == (30_000, "gateway-7", 100)
    assert not scada.aliases
    assert not scada.delivery_check
    assert (scada.edge_node.group, scada.edge_node.name) == ("Brewery:South", "gw")
    assert (mes.edge_node.group, mes.edge_node.name) == ("Brewery:South", "gw-mes")
    assert (scada.edge_node.diagnostics, mes.edge_node.diagnostics) == ("none", "full")
    assert (plant.outbox.folder, plant.outbox.max_size) == ("/data/outbox", 1 << 30)
    assert (plant.outbox.commit_interval_ms, plant.outbox.strict) == (200, True)
    assert (plant.log_level, plant.log_format) == ("debug", "json")

    mcc, own = plant.links
    assert (mcc.name, mcc.driver, mcc.endpoint) == ("mcc", "modbus", "tcp://10.0.0.1:5020")
    assert mcc.options == WireLink(timeout=300)
    assert mcc.down_after_ms == 9_000
    assert [device.name for device in mcc.devices] == ["Pump"], "Meter is not in service"
    assert (own.name, own.driver) == ("PLC", "opcua")
    assert own.login == Login(user="x", password=Secret(kind="env", name="PLC"))

    [pump] = mcc.devices
    assert pump.description == "The wort pump"
    assert pump.options == WireDevice(unit=21, word_order="CDAB")
    speed, count, fault = pump.metrics
    assert (speed.id, speed.name, speed.datatype) == ("P1.speed", "Speed", DataType.DOUBLE)
    assert (speed.scale, speed.offset) == (Fraction(1, 10), Fraction(5))
    assert (speed.low, speed.high, speed.unit.text) == (-60.0, 60.0, "Hz")
    assert speed.deadband == pytest.approx(1.2)
    assert speed.properties == {"Loop number": "S-1"}
    assert (count.id, count.datatype, count.deadband) == ("Count", DataType.UINT32, 0.0)
    assert (fault.unit.text, fault.deadband) == ("", 0.0)
    assert [m.max_silence_ms for m in pump.metrics] == [0, 0, 3_600_000]
    assert [t.scan_ms for t in pump.tags] == [200, 5_000, 200]
    assert [t.wire_type for t in pump.tags] == ["int16", "uint32", "bool"]
    assert pump.tags[1].order == "CDAB"
    [state] = own.devices[0].metrics
    assert (state.datatype, state.max_silence_ms) == (DataType.TEXT, 600_000)


def test_what_is_left_out_is_safe() -> None:
    plant = right(rows(ROW + "int16"))
    [scada] = plant.destinations
    assert (scada.keep_alive_ms, scada.client_id, scada.login) == (10_000, "", None)
    assert scada.aliases
    assert scada.delivery_check
    assert scada.backlog_rate is None
    assert scada.edge_node.diagnostics == "full"
    assert (plant.outbox.folder, plant.outbox.max_size) == ("/var/lib/tagbridge/outbox", 4 << 30)
    assert (plant.outbox.commit_interval_ms, plant.outbox.strict) == (50, False)
    [link] = plant.links
    assert (link.name, link.down_after_ms, link.options) == ("D", 5_000, WireLink())
    [metric], [tag] = link.devices[0].metrics, link.devices[0].tags
    assert (metric.datatype, metric.deadband, metric.max_silence_ms) == (DataType.INT16, 0, 0)
    assert (tag.scan_ms, tag.order) == (1_000, "")


def test_values_are_read_by_their_key_not_by_their_looks() -> None:
    cells = [
        'name: "no", address: "holding:1", type: string, id: Off, description: 12:30',
        'name: 40001.10, address: "holding:2", type: string, id: 010, property:Cabinet: 0x10',
        'name: null, address: "holding:3", type: string, id: ~, description: 2026-11-20',
    ]
    plant = right(rows(*cells))
    first, second, third = plant.devices[0].metrics
    assert (first.name, first.id, first.description) == ("no", "Off", "12:30")
    assert (second.name, second.id, second.properties) == ("40001.10", "010", {"Cabinet": "0x10"})
    assert (third.name, third.id, third.description) == ("null", "~", "2026-11-20")


def test_names_keep_their_script_and_columns_count_characters() -> None:
    plant = right(rows('name: "Übersicht/Kühlung 🍺", address: "holding:1", type: bool, unit: °C'))
    assert plant.devices[0].metrics[0].name == "Übersicht/Kühlung 🍺"
    [problem] = wrong(rows('name: "Ü🍺", address: "holding:1", type: boole'))
    assert problem.place.column == len('      - {name: "Ü🍺", address: "holding:1", type: ') + 1


def test_names_that_differ_in_encoding_only_are_one() -> None:
    cells = [f'name: "{name}", address: "holding:1", type: bool' for name in ("é", "e\u0301")]
    assert "E604" in [problem.code for problem in wrong(rows(*cells))]


@pytest.mark.parametrize(
    ("wire", "cells", "published"),
    [
        ("int16", "", DataType.INT16),
        ("int16", "scale: 1", DataType.INT16),
        ("int16", "offset: 0.5", DataType.DOUBLE),
        ("int64", "metric_type: Int64", DataType.INT64),
        ("int32", "metric_type: Double", DataType.DOUBLE),
        ("float32", "metric_type: Double", DataType.DOUBLE),
        ("string", "metric_type: Text", DataType.TEXT),
        ("datetime", "", DataType.DATETIME),
        ("int64", "metric_type: Double", None),
        ("int32", "metric_type: Float", None),
        ("float64", "metric_type: Float", None),
        ("uint8", "metric_type: Int8", None),
        ("bool", "metric_type: UInt8", None),
        ("int16", "metric_type: String", None),
    ],
)
def test_a_published_type_holds_every_value(
    wire: str, cells: str, published: DataType | None
) -> None:
    text = rows(f"{ROW}{wire}" + (f", {cells}" if cells else ""))
    if published is None:
        assert [problem.code for problem in wrong(text)] == ["E509"]
    else:
        assert right(text).devices[0].metrics[0].datatype is published


def test_a_default_deadband_skips_rows_that_cannot_have_it() -> None:
    cells = [
        'name: A, address: "holding:1", type: bool',
        'name: B, address: "holding:2", type: int16',
        'name: C, address: "holding:3", type: int16, low: 0, high: 50',
        'name: D, address: "holding:4", type: int16, low: 0, high: 50, deadband: none',
    ]
    plant = right(rows(*cells, head=HEAD + "defaults: {deadband: 2 %}\n"))
    assert [metric.deadband for metric in plant.devices[0].metrics] == [0, 0, 1, 0]


def test_all_problems_of_one_row_at_once() -> None:
    cells = "name: A+, adress: x, type: unit16, scale: 1/0, low: 5, scan: fsat, dedband: 1"
    problems = wrong(rows(cells))
    assert [problem.code for problem in problems] == [
        "E602", "E303", "E510", "E113", "E501", "E303",
    ]  # fmt: skip


def test_what_follows_from_another_problem_is_held_back() -> None:
    # No word about devices of the link, about their units, or about the rows of their drivers.
    text = (
        HEAD
        + """\
links: {mcc: {endpoint: "tpc://h"}, spare: {endpoint: "tcp://x", timeout: 5}}
devices:
  A:
    modbus: {link: mcc, unit: 1}
    tags: [{name: A, address: "holding:1", type: bool}]
  B:
    modbus: {link: mcc, unti: 1}
    tags: [{name: A, address: "3204", type: bool}]
  C:
    modbus: {link: spare, unit: 1}
    tags: [{name: A, address: "holding:1", type: bool, scan: fast}]
scans: {fast: 5}
"""
    )
    assert [(p.place.line, p.code) for p in wrong(text)] == [
        (4, "E204"), (4, "E114"), (10, "E103"), (15, "E114"),
    ]  # fmt: skip


def test_a_newer_format_is_told_and_nothing_else() -> None:
    text = "tagbridge: 2\nsomething: [new]\nscans: {fast: 5}\ndevices: 7\ndevices: 8\n"
    assert [problem.code for problem in wrong(text)] == ["E121"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E104"), ("# only a comment\n", "E104"), ("\ufeff", "E104"), ("--- \n", "E104"),
        ("- a\n- b\n", "E105"), ("just words", "E105"), ("{", "E101"), ("\x00", "E101"),
        ("[" * 5000, "E101"), ("a: " * 3, "E101"), ("? [a]\n: b\n", "E105"), ("\ud800", "E101"),
    ],
)  # fmt: skip
def test_what_is_no_plant_at_all(text: str, code: str) -> None:
    problems = wrong(text)
    assert code in [problem.code for problem in problems]
    assert problems[0].place.line == 1


def test_a_byte_order_mark_is_no_matter() -> None:
    assert right("\ufeff" + rows(ROW + "bool"))


def test_without_drivers_there_is_one_problem() -> None:
    plant, problems = read_plant(rows(ROW + "bool"), "plant.yaml", {})
    assert plant is None
    assert [problem.code for problem in problems] == ["E218"]


def test_missing_secrets_are_warned_of_where_they_are_referred_to() -> None:
    text = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations:
  a: {servers: ["mqtt://a"], login: {user: u, password: "${file:secrets/a}"}}
devices:
  D:
    opcua: {endpoint: "opc.tcp://h", login: {user: u, password: "${env:D}"}}
    tags: [{name: A, address: i=1, type: bool}]
"""
    plant, problems = read_plant(
        text, "plant.yaml", GRAMMARS, secret_is_there=lambda secret: secret.kind == "env"
    )
    assert plant is not None, "a laptop has no secrets"
    [problem] = problems
    assert str(problem) == (
        "plant.yaml:4:57: W705 destinations.a.login.password: no secret at file 'secrets/a'\n"
        "    write the password alone into that file, readable for the gateway's user only"
        "   next: tagbridge explain W705"
    )


@pytest.mark.parametrize(
    "edit",
    [
        "password: geheim", "password: geheim[1]", "password: *geheim", "password: &geheim x",
        "password: !geheim", "password: [geheim]", "password: {a: geheim}", 'password: "geheim',
        "password: ${file:geheim}", "password: @geheim", "password: '${geheim}'", "pasword: geheim",
        "password: geheim: geheim", "password: '${vault:geheim}'",
    ],
)  # fmt: skip
def test_no_message_repeats_a_password(edit: str) -> None:
    head = f"tagbridge: 1\ndestinations: {{a: {{servers: [], login: {{user: u, {edit}}}}}}}\n"
    problems = wrong(rows(ROW + "bool", head=head))
    assert problems
    assert not [str(problem) for problem in problems if "geheim" in str(problem)]


def test_two_logins_at_one_server_are_two_sessions() -> None:
    devices = "".join(
        f'  {name}:\n    opcua: {{endpoint: "opc.tcp://h", login: {{user: {name}, '
        f'password: "${{env:{name}}}"}}}}\n    tags: [{{name: A, address: i=1, type: bool}}]\n'
        for name in ("A", "B")
    )
    assert len(right(f"{HEAD}devices:\n{devices}").links) == 2


def test_a_unit_that_is_out_of_service_may_be_replaced() -> None:
    device = (
        "    modbus: {link: l, unit: 1}\n    tags: [{name: A, address: 'holding:1', type: bool}]\n"
    )
    text = f"{HEAD}links: {{l: {{endpoint: 'tcp://h'}}}}\ndevices:\n"
    plant = right(f"{text}  Old:\n    in_service: no\n{device}  New:\n{device}")
    assert [found.name for found in plant.devices] == ["New"]


def test_ten_thousand_rows() -> None:
    """About 1.2 s on the machine this was written on; parsing alone takes 0.2."""
    text = f"{HEAD}devices:\n"
    for unit in range(1, 11):
        text += f"  D{unit}:\n    modbus: {{endpoint: 'tcp://h{unit}', unit: {unit}}}\n    tags:\n"
        text += "".join(
            f"      - {{name: F{i % 50}/Point {i}, address: 'holding:{i}', type: int16, "
            f"scale: 0.1, unit: °C, low: -60, high: 60, deadband: 0.5 %, description: words}}\n"
            for i in range(1_000)
        )
    began = time.process_time()
    plant = right(text)
    took_s = time.process_time() - began
    assert sum(len(device.metrics) for device in plant.devices) == 10_000
    assert took_s < 6
    spoilt = text.replace("type: int16", "type: in16")
    began = time.process_time()
    assert len(wrong(spoilt)) == 10_000
    assert time.process_time() - began < 6
