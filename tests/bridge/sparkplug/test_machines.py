"""Equipment as Sparkplug Templates: definitions, births, data, commands; judged and decoded."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.changes import compare
from bridge.diagnostics import rows_of
from bridge.sparkplug.image import NodeImage
from bridge.sparkplug.messages import Payload
from bridge.sparkplug.payload import decode_command
from bridge.sparkplug.rules import Grader, Packet
from drivers.registry import load_drivers
from mappings.batch import Batch
from mappings.catalog import Catalog
from mappings.plant.definitions import Plant
from mappings.plant.reader import read_plant
from mappings.quality import BAD, GOOD
from simulators.host import HostView
from tests.support.witness import sparkplug_payload_decode

T = 1_795_000_000_000
PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"], sparkplug: {templates: udt}}}
templates:
  motor:
    parameters: {m: integer}
    tags: [{name: Amps, address: "HR{m*10+5}", type: float32}]
  pump:
    parameters: {n: integer, high: {type: number, default: 1480.5}, label: text}
    tags:
      - {name: Speed, address: "HR{n*100}", type: float32, unit: rpm, low: 0, high: "{high}",
         access: rw}
      - {name: Fault, address: "C{n}", type: bool}
      - {name: _Raw, address: "HR{n*100+4}", type: uint16}
    equipment: {Drive: {template: motor, instances: [{m: "{n}"}]}}
devices:
  Cellar:
    modbus: {endpoint: "tcp://127.0.0.1", unit: 1}
    tags: [{name: Mode, address: HR9000, type: int16}]
    equipment:
      "Pumps/{label}":
        template: pump
        instances: [{n: 1, label: P-101}, {n: 2, label: P-102, high: 900}]
      Spare:
        template: pump
        instances: [{n: 3, label: x}]
        tags: [{name: Note, address: HR8000, type: uint16}]
"""


def plant_of(text: str = PLANT) -> Plant:
    plant, problems = read_plant(text, "plant.yaml", load_drivers())
    assert plant is not None, [str(problem) for problem in problems]
    return plant


class Node:
    """An image that speaks, and a host, a grader and a witness that listen."""

    def __init__(self, plant: Plant, *, aliases: bool = True) -> None:
        self.rows = rows_of(plant)
        self.catalog = Catalog((name, len(rows)) for name, rows in self.rows.items())
        count = itertools.count(1)
        given = {name: [next(count) for _ in rows] for name, rows in self.rows.items()}
        self.image = NodeImage(
            "G", "n", self.rows, given if aliases else None, self.catalog, templates=True
        )
        self.names = [metric.name for metric in self.rows["Cellar"]]
        self.host = HostView()
        self.grader = Grader()
        self.payloads: list[bytes] = []
        self.violations: list[object] = []
        self.seq = 0

    def hear(self, verb: str, payload: bytes) -> None:
        topic = f"spBv1.0/G/{verb}/n" + ("/Cellar" if verb[0] == "D" else "")
        packet = Packet(topic, payload, 0, False, T)
        self.payloads.append(payload)
        self.violations += self.grader.feed(packet)
        self.host.feed(packet)

    def births(self) -> None:
        self.hear("NBIRTH", self.image.node_birth(0, timestamp_ms=T, seq=0))
        self.hear("DBIRTH", self.image.device_birth("Cellar", timestamp_ms=T, seq=1))
        self.seq = 1

    def data(self, *batches: tuple[Batch, bool]) -> None:
        self.seq = (self.seq + 1) % 256
        encoder = self.image.encoders["Cellar"]
        payload = encoder.encode_all(batches, timestamp_ms=T, seq=self.seq)
        assert len(payload) <= sum(encoder.weight(batch) for batch, _ in batches) + 20
        self.hear("DDATA", payload)
        for batch, historical in batches:
            if not historical:
                self.catalog.update(batch)

    def shown(self, name: str) -> tuple[object, int]:
        metric = self.host.metric("G", "n", "Cellar", name)
        return metric.value, metric.quality


def batch(node: Node, values: dict[str, object], at: int = 0, qualities=None) -> Batch:
    points = tuple(node.names.index(name) for name in values)
    return Batch("Cellar", points, list(values.values()), [T + at] * len(points), qualities)


@pytest.mark.parametrize("aliases", [True, False])
def test_machines_are_templates_and_the_rules_are_kept(aliases: bool) -> None:
    node = Node(plant_of(), aliases=aliases)
    node.births()
    node.data(
        (
            batch(node, {"Mode": 3, "Pumps/P-101/Speed": 5.5, "Pumps/P-101/Drive/Amps": 1.5}, 1),
            False,
        ),
        (batch(node, {"Pumps/P-102/Fault": True, "Spare/Note": 7, "Spare/Speed": 2.0}, 2), False),
        (batch(node, {"Pumps/P-102/Fault": False}, 3), False),
        (batch(node, {"Pumps/P-101/Speed": 4.5}, -9), True),
        (batch(node, {"Pumps/P-101/Speed": 5.5}, 4, [BAD]), False),
    )
    assert node.violations == []
    assert node.shown("Mode") == (3, GOOD)
    assert node.shown("Pumps/P-101/Speed") == (5.5, BAD)
    assert node.shown("Pumps/P-101/Drive/Amps") == (1.5, GOOD)
    assert node.shown("Pumps/P-102/Fault") == (False, GOOD)
    assert node.shown("Spare/Note") == (7, GOOD)
    assert node.host.metric("G", "n", "Cellar", "Pumps/P-101/Speed").historical == 1


def test_what_stands_in_the_births() -> None:
    node = Node(plant_of())
    node.births()
    nbirth, dbirth = (Payload.FromString(payload) for payload in node.payloads)
    [definition] = [m for m in nbirth.metrics if m.datatype == 19]
    assert definition.name == "_types_/pump"
    members = [(m.name, m.datatype) for m in definition.template_value.metrics]
    assert members == [("Speed", 9), ("Fault", 11), ("Drive/Amps", 9)]
    parameters = [(p.name, p.type) for p in definition.template_value.parameters]
    assert parameters == [("n", 4), ("high", 10), ("label", 12)]
    instances = {m.name: m.template_value for m in dbirth.metrics if m.datatype == 19}
    assert instances.keys() == {"Pumps/P-101", "Pumps/P-102"}
    second = instances["Pumps/P-102"]
    said = [p.long_value or p.double_value or p.string_value for p in second.parameters]
    assert said == [2, 900.0, "P-102"]
    # A machine with rows of its own stays a folder.
    flat = {m.name for m in dbirth.metrics if m.datatype != 19}
    assert flat == {"Mode", "Spare/Note", "Spare/Speed", "Spare/Fault", "Spare/Drive/Amps"}


def test_another_decoder_reads_them() -> None:
    node = Node(plant_of())
    node.births()
    node.data((batch(node, {"Pumps/P-101/Speed": 5.5}, 1), False))
    nbirth, dbirth, ddata = (one["payload"] for one in sparkplug_payload_decode(node.payloads))
    [definition] = [m for m in nbirth["metrics"] if m["type"] == "Template"]
    assert definition["value"]["isDefinition"] is True
    names = [m["name"] for m in definition["value"]["metrics"]]
    assert names == ["Speed", "Fault", "Drive/Amps"]
    instance = next(m for m in dbirth["metrics"] if m["name"] == "Pumps/P-101")["value"]
    assert instance["templateRef"] == "_types_/pump"
    assert not instance["isDefinition"]
    values = {p["name"]: (p["value"], p["type"]) for p in instance["parameters"]}
    assert values == {"n": ("1", "Int64"), "high": (1480.5, "Double"), "label": ("P-101", "String")}
    assert [m["name"] for m in ddata["metrics"]] == ["Pumps/P-101"]


def test_a_command_may_be_a_template() -> None:
    payload = Payload(timestamp=T)
    pump = payload.metrics.add(name="Pumps/P-101", timestamp=T - 5).template_value
    pump.is_definition = False
    pump.template_ref = "_types_/pump"
    pump.metrics.add(name="Speed", datatype=9, float_value=7)
    pump.metrics.add(name="Fault", timestamp=T - 1, boolean_value=True)
    found = decode_command(payload.SerializeToString()).metrics
    assert [(m.name, m.value, m.timestamp_ms) for m in found] == [
        ("Pumps/P-101/Speed", 7.0, T - 5), ("Pumps/P-101/Fault", True, T - 1),
    ]  # fmt: skip
    node = Node(plant_of())
    speed = node.names.index("Pumps/P-101/Speed")
    assert node.image.point_of("Cellar", found[0].name, found[0].alias) == speed


def test_an_edit_of_a_template_means_new_births() -> None:
    plant = plant_of()
    other = plant_of(PLANT.replace("name: Fault", "name: Tripped"))
    changes = compare(plant, other)
    [change] = changes.destinations
    assert (change.kind, change.why) == ("reconnected", "definitions of templates")
    value = plant_of(PLANT.replace("high: 900", "high: 901"))
    [device] = [c for c in compare(plant, value).devices if c.kind == "reborn"]
    assert device.name == "Cellar"
    flat = PLANT.replace("templates: udt", "templates: flat")
    changes = compare(plant_of(flat), plant_of(flat.replace("P-102, high", "P-102 , high")))
    assert not changes


@settings(max_examples=30)
@given(st.data())
def test_whatever_is_sent_is_what_a_host_has(data) -> None:
    node = Node(plant_of())
    node.births()
    writable = [(m.name, m.datatype) for m in node.rows["Cellar"] if m.published]
    last: dict[str, object] = {}
    for step in range(1, 6):
        chosen = data.draw(st.lists(st.sampled_from(writable), min_size=1, max_size=6))
        values: list[object] = []
        for name, datatype in chosen:
            kind = {9: st.floats(-9, 9, width=32), 11: st.booleans()}.get(
                datatype, st.integers(0, 99)
            )
            values.append(data.draw(kind))
            last[name] = values[-1]
        points = tuple(node.names.index(name) for name, _ in chosen)
        node.data((Batch("Cellar", points, values, [T + step] * len(points)), False))
    assert node.violations == []
    for name, value in last.items():
        assert node.shown(name) == (value, GOOD)


def test_the_cellar_of_the_examples_shows_its_pumps_as_templates() -> None:
    path = Path(__file__).parents[3] / "mappings" / "examples" / "cellar" / "plant.yaml"
    from bridge.cli.check import read

    plant, _ = read(path)
    assert plant is not None
    rows = rows_of(plant)
    catalog = Catalog((name, len(metrics)) for name, metrics in rows.items())
    image = NodeImage("G", "n", rows, None, catalog, templates=True)
    birth = Payload.FromString(image.device_birth("Cellar PLC", timestamp_ms=T, seq=1))
    assert sum(metric.datatype == 19 for metric in birth.metrics) == 40
