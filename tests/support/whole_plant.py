"""A plant of several files that uses the whole structure of the language, and edits of it.

``¦`` in a text marks a place; it is taken out before reading.
"""

from collections.abc import Mapping

from mappings.plant.definitions import Plant
from mappings.plant.files import InMemory
from mappings.plant.problems import Place, Problem
from mappings.plant.reader import read_plant
from tests.support.grammars import GRAMMARS

FILES = {
    "plant.yaml": """\
tagbridge: 1
include: [templates/*.yaml, links.yaml]
place: {enterprise: Beer, site: Murnau}
edge_node: {group: G, name: gw}
destinations:
  scada: {servers: ["mqtt://a"], sparkplug: {metric_names: "{site}/{metric}"}}
  mes:
    servers: ["mqtts://b"]
    select: {metrics: ["Meter */**"]}
    uns: {topic: "{site}/{device}/{metric}"}
devices:
  "Meter {panel}":
    instances: [{panel: Kettle, unit: 11}, {panel: Lauter, unit: 12}]
    modbus: {link: mcc, unit: "{unit}"}
    tags: [meter.csv, {name: "Limit {unit*10}", address: "holding:{unit+100}", type: int16}]
  PLC:
    place: {area: Cellar}
    opcua: {endpoint: "opc.tcp://plc"}
    tags: [{name: Mode, address: s=Mode, type: int16}]
    equipment: {"Pumps/{pump}": {template: pump, instances: pumps.csv}}
  Fan:
    template: fan
    modbus: {unit: 40}
web: {listen: "127.0.0.1:8440"}
relay:
  from: {servers: ["mqtt://here"]}
  to: {hq: {servers: ["mqtts://hq"]}}
  nodes: ["G/*"]
  topics: [{filter: orders/#, direction: down}]
""",
    "links.yaml": "links: {mcc: {endpoint: 'tcp://10.0.4.11'}}\n",
    "templates/pump.yaml": """\
templates:
  pump:
    parameters: {n: integer, max_speed: {type: number, default: 1480}}
    defaults: {scan: 10s}
    tags: [{name: Speed, address: "s=P{n:03}", type: float32, low: 0, high: "{max_speed}"}]
    equipment: {Motor: {template: motor}}
  motor:
    parameters: {n: integer}
    tags: [{name: Current, address: "s=M{n*2}", type: float32}]
""",
    "templates/fan.yaml": """\
tagbridge: 1
templates:
  fan:
    modbus: {link: mcc, unit: 41}
    tags: [{name: Running, address: "holding:1", type: bool}]
""",
    "meter.csv": "name;address;type;description\nVoltage;holding:1;int16;of {panel}\n",
    "pumps.csv": "pump,n,max_speed,# tank\nP-1,1,,9\nP-2,2,2950,8\n",
}


COMMANDS = """\
commands:
  gate: open
  allow:
    - destination: scada
      write: [PLC/Pumps/*/Speed]
      only_if: [{metric: PLC/Mode, is: 2}]
      rate: 1/s
    - {rule: stop, write: [PLC/Pumps/P-1/Speed]}
rules:
  stop:
    when: {metric: Fan/Running, becomes: no}
    only_if: [{metric: PLC/Mode, at_least: 1}]
    then: {metric: PLC/Pumps/P-1/Speed, set: 7}
    max_age: 1s
    rate: 1/min
"""
PERMITTED = FILES | {
    "plant.yaml": FILES["plant.yaml"] + COMMANDS,
    "templates/pump.yaml": FILES["templates/pump.yaml"].replace(
        'high: "{max_speed}"', 'high: "{max_speed}", access: rw'
    ),
}
"""The same with something to write, and permissions to do so."""


def read(
    files: Mapping[str, str | bytes], file: str = "plant.yaml"
) -> tuple[Plant | None, list[Problem]]:
    """The plant of some files, and its problems."""
    text = files[file]
    assert isinstance(text, str)
    return read_plant(text, file, GRAMMARS, files=InMemory(files))


def edited(file: str, old: str, new: str, files: Mapping[str, str] = FILES) -> dict[str, str]:
    """The files after one edit."""
    assert old in files[file], old
    return {**files, file: files[file].replace(old, new, 1)}


def marked(files: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The files without marks, and where the marks were, as messages show places."""
    clean, places = {}, []
    for file, given in files.items():
        text = given
        while "¦" in text:
            before, _, after = text.partition("¦")
            line = before[before.rfind("\n") + 1 :]
            number = before.count("\n") + 1
            separator = ";" if ";" in text.partition("\n")[0] else ","
            if file.endswith(".csv"):
                column = line.count(separator)
                head = text.partition("\n")[0].replace("¦", "").split(separator)[column]
                place = Place(file, number, column + 1, "" if number == 1 else head)
            else:
                place = Place(file, number, len(line) + 1)
            places.append(str(place))
            text = before + after
        clean[file] = text
    return clean, places
