"""Every problem of the reader: one edit of a right plant file, and exactly what is said about it.

``¦`` in an edit marks where the problem has to be found; it is taken out before reading.
"""

from dataclasses import dataclass

import pytest

from mappings.plant.problems import Problem
from mappings.plant.reader import read_plant
from tests.mappings.plant.test_cell_messages import CASES as CELLS
from tests.mappings.plant.test_structure_messages import CASES as STRUCTURE
from tests.support.codes import READER
from tests.support.grammars import GRAMMARS

PLANT = """\
tagbridge: 1
edge_node: {group: Brewery, name: gw}
destinations:
  scada: {servers: ["mqtt://a.example"], login: {user: gw, password: "${file:secrets/scada}"}}
outbox: {max_size: 4 GiB}
scans: {fast: 500ms, normal: 2s}
defaults: {max_silence: 10min}
links:
  mcc: {endpoint: "tcp://10.0.4.11", timeout: 300ms}
devices:
  Wort pump:
    modbus: {link: mcc, unit: 21}
    tags:
      - {name: Motor/Speed, address: "holding:1", type: int16, scale: 0.1, low: 0, high: 60}
      - {name: Running, address: "holding:2", type: bool, scan: fast}
  Chiller:
    opcua: {endpoint: "opc.tcp://10.0.5.20", login: {user: x, password: "${env:CHILLER}"}}
    tags: [{name: Mode, address: s=Mode, type: INT}]
"""

LAST_ROW = '      - {name: Running, address: "holding:2", type: bool, scan: fast}\n'
CHILLER = PLANT[PLANT.index("  Chiller:") :]
DEVICES = PLANT[PLANT.index("devices:") :]


@dataclass(frozen=True)
class Case:
    code: str
    old: str
    new: str
    said: tuple[tuple[str, str], ...]


def case(code: str, old: str, new: str, *said: str) -> Case:
    pairs = tuple(zip(said[::2], said[1::2], strict=True))
    return Case(code, old, new, pairs)


def row(cells: str) -> tuple[str, str]:
    """The edit that adds a row."""
    return LAST_ROW, f"{LAST_ROW}      - {{{cells}}}\n"


IN_ROW = 'name: A, address: "holding:9", type: '
TABLE = "To keep a column of your own, head it"

CASES = [
    # the text
    case(
        "E101", *row("name: A, address: ¦s=P[{n}].Speed, type: int16"),
        "not YAML here: [ ] { } inside { } end the value of 'address'",
        "put it in quotes: address: 's=P[{n}].Speed, type…'",
    ),
    case(
        "E101", '  mcc: {endpoint: "tcp://10.0.4.11", timeout: 300ms}',
        '  mcc: ¦{endpoint: "tcp://10.0.4.11", timeout: 300ms',
        "not YAML: what is opened here is not closed before 10:8", "add the missing }",
    ),
    case("E101", "  mcc: {", "¦\tmcc: {", "not YAML: a tab", "indent with blanks only"),
    case(
        "E101", '"tcp://10.0.4.11", timeout', '"tcp://10.0.4.11" ¦timeout',
        "not YAML: between the bracket of 9:8 and here a comma or } is missing",
        "separate by commas, close with }, put values with , or : in quotes",
    ),
    case(
        "E101", "tags: [{name: Mode, address: s=Mode, type: INT}]", "tags: ¦'open",
        "not YAML: this quote is never closed", "add the closing quote",
    ),
    case(
        "E101", "type: INT}]\n", "type: INT}\n",
        "not YAML: what is opened here is not closed at all", "add the missing ]",
    ),
    case(
        "E101", "Chiller:\n", "Chiller: x¦: y\n",
        "not YAML: a second ': ' in one value", "put the value in quotes",
    ),
    case(
        "E101", "  Chiller:\n", "  Chiller\n",
        "not YAML: a key without ':'", "write KEY: VALUE",
    ),
    case(
        "E101", "unit: 21", "unit: ¦@21",
        "not YAML: a value cannot begin with '@'", "put the value in quotes",
    ),
    case(
        "E101", "group: Brewery", 'group: "a¦\\q"',
        "not YAML: in double quotes a backslash begins an escape", "use single quotes: '…'",
    ),
    case(
        "E101", "group: Brewery", "group: Br¦\x07ewery",
        "the control character U+0007", "remove it; was the file saved as UTF-8 text?",
    ),
    case(
        "E101", "devices:\n", " ¦devices:\n",
        "not YAML: this does not go on with what stands above",
        "keys of one mapping begin in one column; after a closing quote only a comment may come",
    ),
    case(
        "E102", "unit: 21}", "unit: 21, ¦unit: 22}",
        "key 'unit' stands here twice", "the first stands at 12:25; keep one of them",
    ),
    case(
        "E107", "group: Brewery", "group: ¦&a Brewery",
        "'&a' is a YAML anchor", "remove '&a', or put the text in quotes: '&a …'",
    ),
    case(
        "E107", 'password: "${env:CHILLER}"', "password: ¦*geheim",
        "'*…' is a YAML alias", "write out what is meant, or put the text in quotes: '*…'",
    ),
    case(
        "E108", "unit: 21", "unit: ¦!!int 21",
        "'!!int' is a YAML tag",
        "remove it, or put the text in quotes; a key knows how its value is read",
    ),
    case(
        "E109", "links:\n", "¦---\nlinks:\n",
        "a second document begins here",
        "a plant is one document: remove the line '---' and what follows",
    ),
    # keys and shapes
    case("E103", "outbox:", "¦outbux:", "unknown key 'outbux'", "did you mean 'outbox'?"),
    case("E103", "devices:\n", "¦devises:\n", "unknown key 'devises'", "did you mean 'devices'?"),
    case(
        "E103", "timeout: 300ms", "¦timeuot: 300ms",
        "links.mcc: unknown key 'timeuot'", "did you mean 'timeout'?",
    ),
    case(
        "E103", "unit: 21", "¦unti: 21",
        "devices.Wort pump.modbus: unknown key 'unti'", "did you mean 'unit'?",
    ),
    case(
        "E103", "servers:", "¦sarvers:",
        "destinations.scada: unknown key 'sarvers'", "did you mean 'servers'?",
    ),
    case(
        "E103", "    modbus: {link", "    ¦modbuss: {link",
        "devices.Wort pump: no key or driver 'modbuss'",
        "did you mean 'modbus'? drivers here: modbus, opcua",
    ),
    case(
        "E103", "    modbus: {link: mcc, unit: 21}", "    ¦profinet: {link: mcc}",
        "devices.Wort pump: no key or driver 'profinet'",
        "keys of a device: in_service, description, place, instances, template, defaults, tags, "
        "equipment; "
        "drivers here: modbus, opcua",
    ),
    case(
        "E103", "unit: 21", "unit: 21, ¦login: {user: x, password: x}",
        "devices.Wort pump.modbus: unknown key 'login'", "did you mean 'link'?",
    ),
    case(
        "E104", "{link: mcc, unit: 21}", "{link: mcc}",
        "devices.Wort pump.modbus: key 'unit' is missing", "add unit: … (1 to 247)",
    ),
    case(
        "E104", *row("name: A, type: bool"),
        "A: no address", "add address: …",
    ),
    case(
        "E104", "edge_node: {group: Brewery, name: gw}\n", "edge_node: {group: Brewery}\n",
        "destinations.scada: no edge_node name",
        "add edge_node: {group: …, name: …} at the top of the file",
    ),
    case(
        "E104", "tagbridge: 1\n", "",
        "key 'tagbridge' is missing", "begin the file with tagbridge: 1",
    ),
    case(
        "E105", "scans: {fast: 500ms, normal: 2s}", "scans: {fast: ¦[500ms], normal: 2s}",
        "scans.fast: a list where a time such as 500ms is expected",
        "write a time such as 500ms",
    ),
    case(
        "E105", 'servers: ["mqtt://a.example"]', 'servers: ¦"mqtt://a.example"',
        "destinations.scada.servers: a single value where a list [ … ] is expected",
        "write a list [ … ]",
    ),
    case(
        "E105", "tags: [{name: Mode, address: s=Mode, type: INT}]", "tags: ¦{a: b}",
        "devices.Chiller.tags: a mapping where a table's file, or a list of rows "
        "[{name: …, address: …, type: …}] is expected",
        "write a table's file, or a list of rows [{name: …, address: …, type: …}]",
    ),
    case(
        "E105", *row(IN_ROW + "int16, low: 0, high: ¦{max}"),
        "high: a mapping where a single value is expected",
        "put a text with [ ] { } in quotes: high: '…'",
    ),
    case(
        "E106", "group: Brewery, name: gw}", "group: Brewery, name: gw, diagnostics: ¦}",
        "edge_node.diagnostics: nothing stands after the key",
        "write a value, or remove the key",
    ),
    case(
        "E112", "outbox: {max_size: 4 GiB}", "outbox: {durability: ¦stict}",
        "outbox.durability: unknown word 'stict'",
        "did you mean 'strict'? one of normal, strict",
    ),
    case(
        "E112", *row(IN_ROW + "int16, metric_type: ¦Doubel"),
        "metric_type: unknown word 'Doubel'",
        "did you mean 'Double'? one of Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, "
        "Float, Double, Boolean, String, DateTime, Text, UUID, Bytes, or FloatArray and so on",
    ),
    # scalars
    case(
        "E113", "unit: 21", "unit: ¦0x15",
        "devices.Wort pump.modbus.unit: '0x15' is not a whole number",
        "write it in decimal digits",
    ),
    case(
        "E113", *row(IN_ROW + "int16, scale: ¦'0,5'"),
        "scale: '0,5' is not a number", "write 0.5",
    ),
    case(
        "E113", *row(IN_ROW + "int16, deadband: ¦wide"),
        "deadband: 'wide' is no deadband",
        "write 0.5 (in the unit of the row), 1 % (of low..high), or none",
    ),
    case(
        "E114", "timeout: 300ms", "timeout: ¦300",
        "links.mcc.timeout: '300' has no unit",
        "write 300ms or 300s; units are ms, s, min, h, d",
    ),
    case(
        "E114", "normal: 2s", "normal: ¦2sec",
        "scans.normal: '2sec': unknown unit 'sec'", "did you mean 2s? units are ms, s, min, h, d",
    ),
    case(
        "E115", "unit: 21", "unit: ¦248",
        "devices.Wort pump.modbus.unit: '248' is too large", "write 247 or less",
    ),
    case(
        "E115", "timeout: 300ms", "timeout: ¦2h",
        "links.mcc.timeout: 2h is too long", "write a duration from 10ms to 1min",
    ),
    case(
        "E115", "login: {user: gw", "keep_alive: ¦1500ms, login: {user: gw",
        "destinations.scada.keep_alive: 1500ms is no whole number of seconds",
        "MQTT counts the keep alive in seconds: write 10s",
    ),
    case(
        "E115", 'servers: ["mqtt://a.example"]', "servers: ¦[]",
        "destinations.scada.servers: a list is too short", "1 or more belong there",
    ),
    case(
        "E115", "max_silence: 10min", "max_silence: ¦0s",
        "defaults.max_silence: '0s': a silence of 0 would publish without end",
        "write a time such as 10min, or none",
    ),
    case(
        "E115", *row(IN_ROW + "int16, scale: ¦0"),
        "A: scale 0 makes every value the same", "write another scale, or leave it out",
    ),
    case(
        "E116", "max_size: 4 GiB", "max_size: ¦4",
        "outbox.max_size: '4' has no unit",
        "write 4 MiB or 4 GiB; units are MiB, GiB, TiB, MB, GB, TB",
    ),
    case(
        "E117", "login: {user: gw", "backlog: {rate: ¦5000}, login: {user: gw",
        "destinations.scada.backlog.rate: '5000' is not a rate",
        "write 5000/s, or 1/5s for one in 5 seconds",
    ),
    case(
        "E118", "    modbus: {link", "    in_service: ¦true\n    modbus: {link",
        "devices.Wort pump.in_service: 'true' is neither yes nor no", "write yes",
    ),
    case(
        "E119", "  mcc: {endpoint", "  ¦mcc: {pause: 400ms, endpoint",
        "links.mcc: a mapping is refused: pause is longer than timeout",
        "see the samples of this block",
    ),
    case(
        "E119", '  scada: {servers: ["mqtt://a.example"],',
        '  ¦scada: {tls: {ca: pki/ca.pem}, servers: ["mqtts://b.example", "mqtt://a.example"],',
        "destinations.scada: 'mqtt://a.example' uses no certificates",
        "write mqtts://, or remove tls: and certificate:",
    ),
    case(
        "E120", "tagbridge: 1", "tagbridge: ¦one",
        "tagbridge: 'one' is no format", "begin the file with tagbridge: 1",
    ),
    case(
        "E121", "tagbridge: 1", "tagbridge: ¦2",
        "tagbridge: 2: this release reads format 1 only", "install a newer release of tagbridge",
    ),
    # how the parts hang together
    case(
        "E203", '"mqtt://a.example"', '¦"http://a.example"',
        "destinations.scada.servers[1]: 'http://a.example' is not the address of a broker",
        "write mqtt://HOST, mqtts://HOST or mqtt://HOST:PORT",
    ),
    case(
        "E203", '"mqtt://a.example"', '¦"mqtt://a.example:99999"',
        "destinations.scada.servers[1]: 'mqtt://a.example:99999' is not the address of a broker",
        "write mqtt://HOST, mqtts://HOST or mqtt://HOST:PORT",
    ),
    case(
        "E204", '"tcp://10.0.4.11"', '¦"tpc://10.0.4.11"',
        "links.mcc.endpoint: no driver for tpc://",
        "did you mean tcp://? endpoints begin with opc.tcp://, tcp://",
    ),
    case(
        "E204", '"tcp://10.0.4.11"', '¦"tcp://10.0.4.11:http"',
        "links.mcc.endpoint: 'tcp://10.0.4.11:http' is not an address",
        "write tcp://HOST or tcp://HOST:PORT; a port is 1 to 65535",
    ),
    case(
        "E205", "link: mcc", "link: ¦mmc",
        "devices.Wort pump.modbus: no link 'mmc'", "did you mean 'mcc'? links here: mcc",
    ),
    case(
        "E206", "  Chiller:\n",
        "  Other:\n    modbus: {link: mcc, unit: ¦21}\n"
        "    tags: [{name: A, address: 'holding:1', type: bool}]\n  Chiller:\n",
        "unit 21 belongs to 'Wort pump' already", "one unit, one device",
    ),
    case(
        "E207", '"opc.tcp://10.0.5.20", login: {user: x, password: "${env:CHILLER}"}}',
        '¦"tcp://10.0.5.20"}',
        "devices.Chiller.opcua: this endpoint is one of modbus",
        "write modbus: instead of opcua:, or an endpoint with opc.tcp://",
    ),
    case(
        "E207", '{endpoint: "opc.tcp://10.0.5.20", login: {user: x, password: "${env:CHILLER}"}}',
        "{link: ¦mcc}",
        "devices.Chiller.opcua: link 'mcc' is one of modbus",
        "its endpoint is tcp://10.0.4.11; name a link of opcua",
    ),
    case(
        "E209", "    modbus: {link: mcc, unit: 21}\n", "",
        "devices.Wort pump: no driver block", "add modbus: {…} or opcua: {…}",
    ),
    case(
        "E209", "    modbus: {link: mcc, unit: 21}\n",
        "    modbus: {link: mcc, unit: 21}\n    ¦opcua: {link: mcc}\n",
        "devices.Wort pump: 2 driver blocks, modbus and opcua",
        "a device has one; make two devices of it",
    ),
    case(
        "E210", "{link: mcc, unit: 21}", "{unit: 21}",
        "devices.Wort pump.modbus: neither endpoint nor link",
        "add endpoint: tcp://…, or link: NAME of an entry under links:",
    ),
    case(
        "E211", "  Chiller:\n",
        '  Other:\n    modbus: {endpoint: ¦"tcp://10.0.4.11/", unit: 1}\n'
        "    tags: [{name: A, address: 'holding:1', type: bool}]\n  Chiller:\n",
        "tcp://10.0.4.11/: 'mcc' has a connection to it already",
        "write link: mcc instead of a second connection",
    ),
    case(
        "W212", "devices:\n", "  ¦spare: {endpoint: 'tcp://10.0.4.12'}\ndevices:\n",
        "links.spare: no device uses this link", "write link: spare in a device, or remove it",
    ),
    case(
        "E213", DEVICES, "devices: ¦{}\n",
        "no device", "add one under devices:",
    ),
    case(
        "E214", PLANT[PLANT.index("destinations:") : PLANT.index("outbox:")], "",
        "no destination", "add destinations: { NAME: { servers: [mqtt://HOST] } }",
    ),
    case(
        "W215", DEVICES, "¦devices:\n  A:\n    in_service: no\n    modbus: {link: mcc, unit: 1}\n"
        "    tags: [{name: A, address: 'holding:1', type: bool}]\n",
        "no device is in service", "write in_service: yes in a device; until then nothing is read",
    ),
    case(
        "E216", "unit: 21}", "unit: 21, ¦timeout: 1s}",
        "devices.Wort pump.modbus: 'timeout' belongs to the link",
        "write it under links.mcc: it holds for all of its devices",
    ),
    case(
        "E217", "links:\n", "links:\n  Chiller: {endpoint: 'opc.tcp://other'}\n",
        "devices.Chiller: a link is called 'Chiller' too",
        "a device with an endpoint of its own names its link; rename one",
    ),
    # rows
    case(
        "E303", *row('name: A, ¦adress: "holding:9", type: bool'),
        "unknown column 'adress'", f"did you mean 'address'? {TABLE} '# adress'",
    ),
    case(
        "E501", *row(IN_ROW + "bool, scan: ¦fsat"),
        "A: no scan 'fsat'",
        "did you mean 'fast'? scans here: normal, fast; declare it under scans:, "
        "or write a time such as 500ms",
    ),
    case(
        "E502", *row(IN_ROW + "bool, scale: ¦2"),
        "A: bool cannot be scaled", "only numbers have a scale: remove it",
    ),
    case(
        "E503", *row(IN_ROW + "bool, deadband: ¦2"),
        "A: bool has no deadband", "every change is published: remove it",
    ),
    case(
        "E504", *row(IN_ROW + "int16, deadband: ¦2 %"),
        "A: a deadband in % needs a range", "add low and high, or write it in the unit",
    ),
    case(
        "E506", *row(IN_ROW + "int16, high: ¦2, deadband: 2 %"),
        "A: high without low", "low and high go together: add low, or neither",
    ),
    case(
        "E507", *row(IN_ROW + "int16, low: ¦5, high: 1"),
        "A: low 5 is not below high 1", "are they the wrong way round?",
    ),
    case(
        "E508", *row(IN_ROW + "bool, low: ¦0, high: 1"),
        "A: bool has no range", "only numbers have low and high: remove them",
    ),
    case(
        "E509", *row(IN_ROW + "uint16, metric_type: ¦Int16"),
        "A: Int16 cannot hold every value of uint16",
        "write Int32 or Int64 or UInt16 or UInt32 or UInt64 or Float or Double, "
        "or leave metric_type out",
    ),
    case(
        "E509", *row(IN_ROW + "float64, scale: 0.1, metric_type: ¦Float"),
        "A: Float cannot hold every value of scaled float64",
        "write Double, or leave metric_type out",
    ),
    case(
        "E510", *row(IN_ROW + "¦unit16"),
        "unknown type 'unit16'", "did you mean 'uint16'?",
    ),
    case(
        "E510", *row(IN_ROW + "¦float"),
        "type 'float' does not say its width", "write float32 or float64",
    ),
    case(
        "E510", *row(IN_ROW + "¦word"),
        "type 'word' does not say its width", "write uint16, or WORD as IEC has it",
    ),
    case(
        "E511", *row(IN_ROW + "bool, ¦'property:quality': x"),
        "'property:quality': property Quality is published already",
        "choose another name: property:Loop number",
    ),
    case(
        "E511", *row(IN_ROW + "bool, ¦'property:documentation': x"),
        "'property:documentation': property Documentation is published already",
        "choose another name: property:Loop number",
    ),
    case(
        "W514", *row(IN_ROW + "uint16, scale: 0.001, low: 0, high: ¦125"),
        "A: high 125 can never be reached",
        "uint16 x 0.001 ends at 65.535; is it uint32, or another scale?",
    ),
    # identity
    case(
        "E602", *row('name: ¦A+B, address: "holding:9", type: bool'),
        "metric 'A+B' contains '+'", "leave out + and #",
    ),
    case(
        "E602", *row('name: ¦A//B, address: "holding:9", type: bool'),
        "metric 'A//B' has a folder without a name",
        "'/' stands between a folder and what is in it, never first, last or twice",
    ),
    case(
        "E603", *row('name: ¦node control/Rebirth, address: "holding:9", type: bool'),
        "metric 'node control/Rebirth': 'Node Control' is reserved",
        "Sparkplug and the edge node use this name themselves; choose another",
    ),
    case(
        "E604", *row('name: ¦motor/speed, address: "holding:9", type: bool'),
        "metric 'motor/speed' exists already in 'Wort pump'",
        "first at 14:16; names that differ only in case collide at hosts; rename one",
    ),
    case(
        "E605", *row('name: ¦Motor, address: "holding:9", type: bool'),
        "metric 'Motor' is a folder too", "'Motor/Speed' at 14:16 is in it; rename one",
    ),
    case(
        "E606", *row(IN_ROW + "bool, id: ¦Running"),
        "A: id 'Running' is the one of 'Running' already",
        "first at 15:16; history would mix: change one",
    ),
    case(
        "E607", "outbox:", '  ¦mes: {servers: ["mqtt://b.example"]}\noutbox:',
        "destinations 'scada' and 'mes' would both be edge node Brewery/gw",
        "Sparkplug forbids one node on two servers; add edge_node: {name: gw-mes} to 'mes'",
    ),
    case(
        "E608", "group: Brewery", "group: ¦Brewery/2",
        "edge_node.group 'Brewery/2' contains '/'",
        "/ + # separate MQTT topics; write ':' or '-' instead",
    ),
    case("E608", "name: gw}", "name: ¦''}", "edge_node.name is empty", "write a name"),
    case(
        "W609", "  Chiller:\n", "  ¦Chiller.1:\n",
        "device 'Chiller.1' contains a dot", "some brokers split topics at dots; better '-' or ':'",
    ),
    case(
        "E610", "  Chiller:\n", "  ¦wort PUMP:\n",
        "devices: 'wort PUMP' exists already",
        "first at 11:3; hosts may take them for one; rename one",
    ),
    case(
        "E611", "  scada:", "  ¦../scada:",
        "destination '../scada'", "it names a folder too: use letters, digits, - and _, 64 at most",
    ),
    # security
    case(
        "E701", '"${file:secrets/scada}"', "¦geheim",
        "destinations.scada.login.password: a secret in plain text",
        'put it in a file of its own and write "${file:secrets/NAME}", or use ${env:…}, '
        "${credential:…}",
    ),
    case(
        "E701", '"mqtt://a.example"', '¦"mqtt://gw:geheim@a.example"',
        "destinations.scada.servers[1]: user names and passwords do not belong into an address",
        "write login: {user: …, password: …} beside servers",
    ),
    case(
        "E701", '"opc.tcp://10.0.5.20"', '¦"opc.tcp://gw:geheim@10.0.5.20"',
        "devices.Chiller.opcua.endpoint: user names and passwords do not belong into an address",
        "write login: {user: …, password: …} beside endpoint",
    ),
    # the drivers' own judgement, at the cell concerned
    case(
        "E401", *row('name: A, address: ¦"3204", type: bool'),
        "'3204' names no area", "write holding:N",
    ),
    case(
        "E408", *row('name: A, address: ¦"holding:1", type: bool'),
        "'A' lies inside 'Motor/Speed'", "off by one?",
    ),
]  # fmt: skip

# Where the problem stands at a place that the edit does not touch.
ELSEWHERE = {
    ("E101", "  Chiller\n"): (16, 3),
    ("E101", "type: INT}\n"): (18, 11),
    ("E104", "{link: mcc}"): (12, 5),
    ("E104", "edge_node: {group: Brewery}\n"): (4, 3),
    ("E104", ""): (1, 1),
    ("E209", ""): (11, 3),
    ("E210", "{unit: 21}"): (12, 5),
    ("E214", ""): (1, 1),
    ("E217", "links:\n  Chiller: {endpoint: 'opc.tcp://other'}\n"): (17, 3),
}


def read(text: str) -> list[Problem]:
    plant, problems = read_plant(text, "plant.yaml", GRAMMARS)
    assert (plant is None) == any(problem.stops for problem in problems)
    return problems


def place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def test_the_plant_that_is_edited_is_right() -> None:
    assert read(PLANT) == []


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.code}-{c.new[:24]!r}")
def test_message(case: Case) -> None:
    assert case.old in PLANT
    marked = PLANT.replace(case.old, case.new, 1)
    spots = []
    while "¦" in marked:
        spots.append(place(marked, marked.index("¦")))
        marked = marked.replace("¦", "", 1)
    if not spots:
        spots = [ELSEWHERE.get((case.code, case.new)) or place(marked, marked.index("{name: A,"))]
    problems = read(marked)
    expected = [
        f"plant.yaml:{line}:{column}: {case.code} {seen}\n    {remedy}"
        for (line, column), (seen, remedy) in zip(spots, case.said, strict=True)
    ]
    told = [str(problem).rpartition("   next: ") for problem in problems]
    assert [said for said, _, _ in told] == expected
    assert all(ahead.startswith("tagbridge ") and "{" not in ahead for _, _, ahead in told)


def test_every_code_has_a_case() -> None:
    tables = {code for code in READER if code[1] == "3"} - {"E303"}  # tables/test_codes.py
    of_cases = {"E151", "E152"}  # test_cases.py
    told_elsewhere = {"E110", "E111", "E218", "W705"}  # test_check.py, test_reader.py
    cells = {"E524", "E528"}  # test_cell_messages.py
    permissions = {"E208", "E703", "E704", "E221", "E222", "E223", "E225", "E226", "E227", "W228"}
    undone = {code for code in READER if code.startswith("W8")}  # test_structure_messages.py
    here = {case.code for cases in (CASES, STRUCTURE, CELLS) for case in cases}
    assert here >= READER - told_elsewhere - tables - of_cases - permissions - undone - cells
    assert not told_elsewhere & here
