"""Plants of several files: what patterns, templates, equipment and permissions become."""

import time

import pytest

from mappings.plant.definitions import Certificate, PlaceDefinition, Plant, Secret
from tests.support.grammars import WireDevice
from tests.support.whole_plant import FILES, edited, read


def right(files: dict[str, str]) -> Plant:
    plant, problems = read(files)
    wrong = [str(problem) for problem in problems if not problem.code.startswith("W8")]
    assert plant is not None, wrong
    assert not wrong
    return plant


def test_a_plant_of_several_files() -> None:
    plant = right(FILES)
    assert [device.name for device in plant.devices] == [
        "Meter Kettle", "Meter Lauter", "Fan", "PLC",
    ]  # fmt: skip
    kettle, lauter, fan, plc = plant.devices
    assert kettle.options == WireDevice(unit=11)
    assert [tag.address for tag in lauter.tags] == ["holding:1", "holding:112"]
    assert [metric.name for metric in kettle.metrics] == ["Voltage", "Limit 110"]
    assert kettle.metrics[0].description == "of Kettle"
    assert fan.options == WireDevice(unit=40), "what the device says wins over its template"
    assert [metric.name for metric in plc.metrics] == [
        "Mode", "Pumps/P-1/Speed", "Pumps/P-1/Motor/Current",
        "Pumps/P-2/Speed", "Pumps/P-2/Motor/Current",
    ]  # fmt: skip
    assert [tag.address for tag in plc.tags] == ["s=Mode", "s=P001", "s=M2", "s=P002", "s=M4"]
    assert [metric.high for metric in plc.metrics] == [None, 1480, None, 2950, None]
    assert [tag.scan_ms for tag in plc.tags] == [1_000, 10_000, 10_000, 10_000, 10_000]
    assert plc.place == PlaceDefinition(enterprise="Beer", site="Murnau", area="Cellar")
    assert [str(place) for place in kettle.places] == ["meter.csv:2:A (name)", "plant.yaml:15:23"]
    assert str(plc.places[1]) == "templates/pump.yaml:5:12"


def test_the_other_sections() -> None:
    plant = right(FILES)
    assert plant.web is not None
    assert plant.relay is not None
    assert (plant.web.host, plant.web.port, plant.web.pages[0]) == ("127.0.0.1", 8440, "status")
    assert plant.relay.nodes == ("G/*",)
    assert plant.relay.topics == (("orders/#", "down", 1),)
    [mes] = plant.uns
    assert (mes.topic, mes.qos, mes.select.metrics) == (
        "{site}/{device}/{metric}", (0, 1, 2), ("Meter */**",),
    )  # fmt: skip
    assert plant.destinations[0].metric_names == "{site}/{metric}"


def test_secrets_and_certificates_are_named_from_the_plants_folder() -> None:
    link = 'links: {mcc: {endpoint: "tcp://10.0.4.11"}, plc: {endpoint: "opc.tcp://plc", login: '
    files = FILES | {
        "links.yaml": "{}",
        "plant.yaml": FILES["plant.yaml"]
        .replace("links.yaml", "more/links.yaml")
        .replace('opcua: {endpoint: "opc.tcp://plc"}', "opcua: {link: plc}"),
    }
    files["more/links.yaml"] = link + '{certificate: gw.pem, key: "${file:../keys/gw}"}}}\n'
    [plc] = [found for found in right(files).links if found.name == "plc"]
    assert plc.certificate == Certificate(
        file="more/gw.pem", key=Secret(kind="file", name="more/../keys/gw")
    )


def test_a_template_may_name_the_whole_block() -> None:
    plant = right(
        edited("plant.yaml", "    template: fan\n    modbus: {unit: 40}\n", "    template: fan\n")
    )
    assert plant.devices[2].options == WireDevice(unit=41)


@pytest.mark.parametrize("instances", ["{n: 1..3}", "{n: 1 .. 3}", "[{n: 1}, {n: 2}, {n: 3}]"])
def test_instances(instances: str) -> None:
    edit = (
        "Fan {n}:\n    instances: "
        + instances
        + "\n    template: fan\n    modbus: {unit: '{n+40}'}"
    )
    files = edited("plant.yaml", "Fan:\n    template: fan\n    modbus: {unit: 40}", edit)
    fans = [d for d in right(files).devices if d.name.startswith("Fan")]
    assert [fan.options for fan in fans] == [WireDevice(unit=unit) for unit in (41, 42, 43)]


def test_braces_are_braces_where_nothing_is_repeated() -> None:
    files = edited("plant.yaml", "s=Mode", "'s={{a}{b'")
    assert right(files).devices[3].tags[0].address == "s={{a}{b"
    files = edited("templates/pump.yaml", "s=P{n:03}", "s={{P}}{n:03}")
    assert right(files).devices[3].tags[1].address == "s={P}001"


def test_a_part_is_checked_by_itself() -> None:
    assert read(FILES, "templates/pump.yaml") == (None, [])
    assert read(FILES, "links.yaml") == (None, [])
    wrong = edited("templates/pump.yaml", "parameters", "paramters")
    _, problems = read(wrong, "templates/pump.yaml")
    assert [problem.code for problem in problems] == ["E103"]
    assert read({"x.yaml": "enums: [a]"}, "x.yaml")[0] is None


def test_what_follows_is_held_back() -> None:
    # Names of what could not be read are not said to be unknown.
    for file, old, new, codes in (
        ("plant.yaml", "links.yaml]", "link.yaml]", ["E202"]),
        ("links.yaml", "links:", "lnks:", ["E103"]),
        ("plant.yaml", "templates/*.yaml", "template/*.yaml", ["E123"]),
        ("pumps.csv", "pump,n", "pump,m", ["E543", "E505"]),
        ("pumps.csv", "max_speed", "max_sped", ["E505"]),
        ("plant.yaml", "pumps.csv", "pump.csv", ["E202"]),
        ("plant.yaml", "tags: [{name: Mode", "tags: [{nam: Mode", ["E303"]),
        ("plant.yaml", "tags: [meter.csv", "tags: [metr.csv", ["E202"]),
        ("templates/pump.yaml", "tags: [{name: Speed", "tgs: [{name: Speed", ["E103"]),
    ):
        _, problems = read(edited(file, old, new))
        told = [p for p in problems if not p.code.startswith("W")]
        assert [p.code for p in told] == codes, [str(p) for p in told]


def test_ten_thousand_rows_of_templates() -> None:
    """40 devices of 25 machines with 10 rows each; about 1.5 s on the machine of its author."""
    rows = "".join(
        f"      - {{name: Point {i}, address: 's=P{{n}}.{i}', type: float32, scale: 0.1, "
        f"low: 0, high: '{{max_speed}}', deadband: 0.5 %}}\n"
        for i in range(10)
    )
    template = FILES["templates/pump.yaml"].partition("    tags:")[0] + f"    tags:\n{rows}"
    devices = (
        "devices:\n  'PLC {k}':\n    instances: {k: 1..40}\n"
        "    opcua: {endpoint: 'opc.tcp://plc{k}'}\n"
        "    equipment: {'P-{n}': {template: pump, instances: {n: 1..25}}}\n"
    )
    head = FILES["plant.yaml"].partition("devices:")[0]
    head = head.replace('    select: {metrics: ["Meter */**"]}\n', "").replace(", links.yaml", "")
    files = {"plant.yaml": head + devices, "templates/pump.yaml": template}
    began = time.process_time()
    plant = right(files)
    took_s = time.process_time() - began
    assert sum(len(device.metrics) for device in plant.devices) == 10_000
    assert took_s < 5
    began = time.process_time()
    plant, problems = read(files | {"templates/pump.yaml": template.replace("float32", "flot32")})
    assert time.process_time() - began < 5
    assert plant is None
    told = [problem for problem in problems if problem.stops]
    assert len(told) == 10
    assert "(and 999 more instances)" in told[0].seen
