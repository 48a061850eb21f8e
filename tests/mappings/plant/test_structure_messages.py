"""Every problem between files, patterns, templates and permissions: one edit, and what is said.

``¦`` marks where the problem has to be found, in whatever file.
"""

from dataclasses import dataclass

import pytest

from tests.support.codes import CODES
from tests.support.whole_plant import FILES, edited, marked, read


@dataclass(frozen=True)
class Case:
    code: str
    file: str
    old: str
    new: str
    seen: str
    remedy: str


ROW = "{name: Mode, address: s=Mode, type: int16}"
KNOWN = "known here: n, max_speed"

CASES = [
    # files
    Case(
        "E122", "plant.yaml", "include: [", "include: [¦plant.yaml, ",
        "plant.yaml includes itself",
        "remove this one; a pattern may not match the file that it stands in",
    ),
    Case(
        "E122", "links.yaml", "links:", "include: [¦plant.yaml]\nlinks:",
        "plant.yaml → links.yaml → plant.yaml: a circle",
        "remove this one; a pattern may not match the file that it stands in",
    ),
    Case(
        "E123", "plant.yaml", "links.yaml]", "links.yaml, ¦'enums/*.yaml']",
        "no file matches 'enums/*.yaml'", "looked in enums/",
    ),
    Case(
        "E124", "links.yaml", "links:", "¦web: {}\nlinks:",
        "'web' in an included file",
        "write it into plant.yaml; included files have devices, templates, links, enums, units, "
        "scans, rules",
    ),
    Case(
        "E125", "links.yaml", "links:", "devices:\n  ¦PLC: {}\nlinks:",
        "devices: 'PLC' stands in two files",
        "the first is at plant.yaml:16:3; nothing overrides anything: rename or remove one",
    ),
    Case(
        "E127", "plant.yaml", '"{site}/{metric}"', '¦"{site}"',
        "destinations.scada.sparkplug.metric_names: '{site}' has no {metric}",
        "add {metric}: without it they would all be one",
    ),
    Case(
        "E127", "plant.yaml", 'topic: "{site}/', 'topic: ¦"{site}/+/',
        "destinations.mes.uns.topic: '{site}/+/{device}/{metric}' contains '+'",
        "messages are published to one topic: leave out + and #",
    ),
    Case(
        "E127", "plant.yaml", 'nodes: ["G/*"]', 'nodes: [¦"G"]',
        "relay.nodes[1]: 'G' names no edge nodes", "write GROUP/NODE, with * for any of them",
    ),
    Case(
        "E127", "plant.yaml", "filter: orders/#", "filter: ¦orders/#/x",
        "relay.topics[1].filter: 'orders/#/x' is no MQTT filter",
        "+ stands for one level, # for all below it, and nothing else beside them",
    ),
    Case(
        "E202", "plant.yaml", "[meter.csv", "[¦metre.csv",
        "no file 'metre.csv'", "did you mean 'meter.csv'? looked in ./",
    ),
    Case(
        "E202", "plant.yaml", "links.yaml]", "¦more/links.yaml]",
        "no file 'more/links.yaml'", "there is nothing in more/",
    ),
    # instances and templates
    Case(
        "E505", "pumps.csv", "max_speed", "¦max_sped",
        "column 'max_sped' is used nowhere in 'Pumps/{pump}' or template 'pump'",
        "did you mean 'max_speed'? To keep it for yourself, head it '# max_sped'",
    ),
    Case(
        "E505", "plant.yaml", "unit: 11}", "unit: 11, ¦colour: red}",
        "column 'colour' is used nowhere in 'Meter {panel}'",
        "To keep it for yourself, head it '# colour'",
    ),
    Case(
        "E541", "templates/pump.yaml", '"s=P{n:03}"', '¦"s=P{nn:03}"',
        "unknown placeholder {nn} (and 1 more instance)",
        f"did you mean {{n}}? {KNOWN}",
    ),
    Case(
        "E541", "meter.csv", "of {panel}", "¦of {pannel}",
        "unknown placeholder {pannel} (and 1 more instance)",
        "did you mean {panel}? known here: panel, unit",
    ),
    Case(
        "E541", "plant.yaml", 'unit: "{unit}"', 'unit: ¦"{unti}"',
        "unknown placeholder {unti} (and 1 more instance)",
        "did you mean {unit}? known here: panel, unit",
    ),
    Case(
        "E542", "templates/pump.yaml", '"s=M{n*2}"', '¦"s=M{n/2}"',
        "{n/2} cannot be read (and 1 more instance)",
        "write {n}, {n:03} or {n*20+400}; {{ is a brace itself",
    ),
    Case(
        "E542", "templates/pump.yaml", '"s=M{n*2}"', '¦"s=M{n"',
        "'s=M{n': a { without its } (and 1 more instance)",
        "close it, or write {{ for a brace itself",
    ),
    Case(
        "E542", "templates/pump.yaml", '"s=P{n:03}"', '¦"s=P{n:x}"',
        "{n:x}: 'x' is no format (and 1 more instance)", "write {n:03} for three digits with zeros",
    ),
    Case(
        "E542", "plant.yaml", '"Limit {unit*10}"', '¦"Limit {panel*10}"',
        "{panel*10}: panel is 'Kettle', no whole number (and 1 more instance)",
        "write {panel} for the text as it is",
    ),
    Case(
        "E543", "pumps.csv", "P-1,1,", "P-1,¦,",
        "template 'pump' needs n, and nothing says it", "write it under instances: {n: …}",
    ),
    Case(
        "E543", "plant.yaml", "{panel: Lauter, unit: 12}", "¦{panel: Lauter}",
        "no unit for this instance", "write it, or take {unit} out of the entry",
    ),
    Case(
        "E543", "plant.yaml", "instances: pumps.csv}", "instances: [{pump: A}]}",
        "template 'pump' needs n, and no instance says it", "write it under instances: {n: …}",
    ),
    Case(
        "E544", "pumps.csv", "P-2,2,", "P-2,¦two,",
        "n: 'two' is no integer", "template 'pump' declares n: integer",
    ),
    Case(
        "E544", "templates/pump.yaml", "default: 1480", "default: ¦fast",
        "templates.pump.parameters.max_speed: default 'fast' is no number",
        "write another default, or another type",
    ),
    Case(
        "E545", "plant.yaml", "template: fan", "template: ¦fann",
        "devices.Fan: no template 'fann'",
        "did you mean 'fan'? templates here: fan, pump, motor",
    ),
    Case(
        "E546", "templates/pump.yaml", "  motor:\n",
        "  motor:\n    equipment: {X: {template: ¦pump}}\n",
        "template 'pump' contains itself: pump → motor → pump",
        "machines end somewhere: remove one of them",
    ),
    Case(
        "E547", "plant.yaml", "instances: pumps.csv", "instances: {n: ¦4..1}",
        "devices.PLC.equipment.Pumps/{pump}.instances.n: '4..1' is no range",
        "write 1..8, the smaller number first",
    ),
    Case(
        "E547", "plant.yaml", "instances: pumps.csv", "instances: {n: ¦1..99999}",
        "devices.PLC.equipment.Pumps/{pump}.instances.n: 99999 instances",
        "10000 are the most; a slip?",
    ),
    Case(
        "E547", "plant.yaml", "instances: pumps.csv", "instances: ¦[]",
        "devices.PLC.equipment.Pumps/{pump}.instances: no instance",
        "add {NAME: value}, or remove the entry",
    ),
    Case(
        "E547", "plant.yaml", "instances: pumps.csv", "instances: ¦{n: 1..2, m: 1..2}",
        "devices.PLC.equipment.Pumps/{pump}.instances: 2 ranges",
        "write one range such as {nr: 1..8}, a list of rows or a table's file",
    ),
    Case(
        "E548", "plant.yaml", "unit: 11}, {panel: Lauter", "unit: 11}, ¦{panel: Kettle",
        "two instances are called 'Meter Kettle'",
        "put a {placeholder} into the name, another value for each instance",
    ),
    Case(
        "E548", "pumps.csv", "P-2,", "¦p-1,",
        "two machines are called 'Pumps/p-1'",
        "the other is at pumps.csv:2:A (pump); put a {placeholder} into the name",
    ),
    Case(
        "E549", "templates/pump.yaml", "{n: integer, max", "{n: integer, ¦max flow: number, max",
        "templates.pump.parameters: 'max flow' cannot stand in braces",
        "a parameter is one word of letters, digits and _",
    ),
    # sections
    Case(
        "E706", "plant.yaml", '"127.0.0.1:8440"', '"0.0.0.0:8440"',
        "web: '0.0.0.0:8440' can be seen from other machines",
        "add tls: {certificate: …, key: …} and users: {NAME: …}, or listen: 127.0.0.1:8440",
    ),
    Case(
        "E224", "plant.yaml", '["Meter */**"]', '[¦"Metre */**"]',
        "destinations.mes.select.metrics: 'Metre */**' matches no metric",
        "patterns are DEVICE/METRIC with * for one name and ** for any number of them",
    ),
    Case(
        "E104", "plant.yaml", "{template: pump, ", "{",
        "devices.PLC.equipment.Pumps/{pump}: no template and no tags",
        "add template: NAME, or tags: [{name: …, address: …, type: …}]",
    ),
]  # fmt: skip

# Where the problem stands at a place that the edit does not touch.
ELSEWHERE = {
    "instances: [{pump: A}]}": "plant.yaml:20:17",
    '"0.0.0.0:8440"': "plant.yaml:24:1",
    "{": "plant.yaml:20:17",
}
UNDONE = {"W801", "W803", "W804", "W811"}
WITH = {  # what is told besides, because it does not follow
    ("E104", "plant.yaml"): {"E505"},
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.code}-{c.new[:24]!r}")
def test_message(case: Case) -> None:
    files, places = marked(edited(case.file, case.old, case.new))
    places = places or [ELSEWHERE[case.new]]
    _, problems = read(files)
    others = (WITH.get((case.code, case.file), set()) | UNDONE) - {case.code}
    told = [str(p).partition("   next: ")[0] for p in problems if p.code not in others]
    assert told == [f"{place}: {case.code} {case.seen}\n    {case.remedy}" for place in places]


def test_the_plant_that_is_edited_is_right() -> None:
    _, problems = read(FILES)
    assert {problem.code for problem in problems} == UNDONE


def test_codes_are_codes() -> None:
    assert {case.code for case in CASES} <= CODES
