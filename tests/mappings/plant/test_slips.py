"""Slips of the hand: whatever happens to a plant file, it gets problems with places, no traceback.

Seeded, so that a failure can be seen again.
"""

import random
import re
from pathlib import Path

import pytest
import yaml

from drivers.modbus.driver import MODBUS
from drivers.opcua.driver import OPCUA
from mappings.plant import nodes
from mappings.plant.reader import read_plant
from tests.support.grammars import GRAMMARS

DRIVERS = {"modbus": MODBUS, "opcua": OPCUA}
EXAMPLES = Path(__file__).parents[3] / "mappings" / "examples"
EXAMPLE = (EXAMPLES / "two-protocols.yaml").read_text()

# Every key of the language, so that a slip can be made in each of them.
EVERY_KEY = """\
tagbridge: 1
place: {enterprise: E, site: S, area: A, line: L, cell: C}
edge_node: {group: G, name: n, diagnostics: full}
destinations:
  scada:
    servers: [mqtts://a]
    login: {user: u, password: "${env:X}"}
    tls: {ca: ca.pem}
    protocol: mqtt-3.1.1
    keep_alive: 10s
    client_id: x
    backlog: {rate: 5000/s, order: live-first}
    delivery_check: birth
    select: {metrics: ["**"], classes: [critical], min_interval: 1s}
    sparkplug: {aliases: stable, primary_host: h, server_dwell: 30s, host_state: "3.0",
      templates: flat, bad_values: last, metric_names: "{metric}"}
    edge_node: {name: m}
  mes:
    servers: [mqtts://b]
    login: {certificate: c.pem, key: "${env:X}"}
    uns: {topic: "{device}/{metric}", qos: {routine: 0, important: 1, critical: 2},
      retain: none, expiry: 1h, command_topic: "x/{metric}"}
outbox: {folder: /x, max_size: 4 GiB, commit_interval: 50ms, durability: normal, max_age: 30d,
  when_full: evict-oldest}
scans: {fast: 200ms}
defaults: {deadband: 0, max_silence: 10min, scan: fast}
links:
  mcc: {endpoint: "tcp://h", down_after: 5s, timeout: 1s, pause: 1ms}
  plc: {endpoint: "opc.tcp://h", security: insecure, login: {user: u, password: "${env:X}"}}
devices:
  A:
    in_service: yes
    description: words
    place: {area: X}
    defaults: {scan: fast}
    modbus: {link: mcc, unit: 1, word_order: ABCD, forbidden: ["holding:9"]}
    tags:
      - {name: A, id: a, address: "holding:1", type: int16, order: AB, scan: fast, scale: 2,
         offset: 1, unit: V, low: 0, high: 9, deadband: 1 %, max_silence: 1min, description: d,
         metric_type: Double}
  B:
    opcua: {link: plc, namespaces: {s7: "urn:s7"}}
    tags: [{name: A, address: i=1, type: bool}]
    equipment:
      "P{k}":
        description: words
        template: pump
        defaults: {scan: fast}
        instances: {k: 1..2}
templates:
  pump:
    parameters: {k: {type: integer, default: 1}}
    description: words
    defaults: {scan: fast}
    tags: [{name: S, address: "s={k}", type: bool}]
commands:
  gate: open
  max_age: 5s
  readback: 2s
  arming: 10min
pki: {folder: /x}
web: {listen: "127.0.0.1:8440", pages: [status], tls: {certificate: c.pem, key: "${env:X}"},
  users: {bob: "${env:X}"}}
logging: {level: info, format: console}
relay:
  from: {servers: [mqtts://a], login: {user: u, password: "${env:X}"}, tls: {ca: c.pem}}
  to: {hq: {servers: [mqtt://b], primary_host: h}}
  nodes: ["a/*"]
  rename: {"a/*": "b/*"}
  host_proxy: h
  topics: [{filter: o/#, direction: down, max_hops: 1}]
  births: 20/s
  commands: {gate: closed}
"""
NAMES = {"scada", "mes", "fast", "mcc", "plc", "A", "B", "s7", "pump", "k", "hq", "bob"}
NEIGHBOURS = "qwertyuiopasdfghjklzxcvbnm"


def mutated(text: str, chance: random.Random) -> str:
    """One to three small accidents."""
    for _ in range(chance.randint(1, 3)):
        at, length = chance.randrange(len(text)), chance.choice([1, 1, 1, 2, 5, 30])
        piece = text[at : at + length]
        kind = chance.randrange(5)
        if kind == 0:
            text = text[:at] + text[at + length :]
        elif kind == 1:
            text = text[:at] + piece + text[at:]
        elif kind == 2:
            noise = "{}[]:,'\"#&*!|>%@`-?\t\n \\0aZ.é°\u2028\x85\x07~$"
            text = text[:at] + chance.choice(noise) + text[at + 1 :]
        elif kind == 3:
            lines = text.split("\n")
            line = chance.randrange(len(lines))
            lines[line] = chance.choice(["", " " + lines[line], lines[line].strip()])
            text = "\n".join(lines)
        else:
            other = chance.randrange(len(text))
            text = text[:at] + text[other : other + length] + text[at:]
    return text


@pytest.mark.parametrize("seed", range(20))
def test_any_accident_gives_problems_inside_the_file(seed: int) -> None:
    chance = random.Random(seed)
    wrong = 0
    for number in range(30):
        text = mutated(EXAMPLE if number % 2 else EVERY_KEY, chance)
        drivers = DRIVERS if number % 2 else GRAMMARS
        plant, problems = read_plant(text, "plant.yaml", drivers)
        lines = text.splitlines() or [""]
        for problem in problems:
            assert 1 <= problem.place.line <= len(lines), (problem, text)
            width = len(lines[problem.place.line - 1])
            assert 1 <= problem.place.column <= width + 1, (problem, text)
            assert problem.seen
            assert problem.remedy
            assert "\n" not in problem.seen + problem.remedy
        assert (plant is None) == any(problem.stops for problem in problems)
        wrong += plant is None
    assert wrong >= 10, "these accidents are too harmless to test anything"


def test_the_parser_for_installations_without_libyaml_reads_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_libyaml = read_plant(EXAMPLE, "plant.yaml", DRIVERS)
    monkeypatch.setattr(nodes, "_LOADER", yaml.SafeLoader)
    assert read_plant(EXAMPLE, "plant.yaml", DRIVERS) == by_libyaml
    test_any_accident_gives_problems_inside_the_file(seed=99)


def misspelt(word: str, chance: random.Random) -> str:
    """A word as it is mistyped: letters swapped, doubled, left out, or the one beside it hit."""
    at = chance.randrange(len(word))
    kind = chance.randrange(4) if len(word) > 2 else 2
    if kind == 0 and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    place = NEIGHBOURS.find(word[at])
    return word[:at] + NEIGHBOURS[(place + 1) % 26] + word[at + 1 :]


def test_a_misspelt_key_is_recognised() -> None:
    plant, problems = read_plant(EVERY_KEY, "plant.yaml", GRAMMARS)
    assert plant is not None, [str(problem) for problem in problems]
    assert {problem.code[:2] for problem in problems} == {"W8"}, "checked, not done yet"
    keys = [m for m in re.finditer(r"(\w+):(?=\s)", EVERY_KEY) if m[1] not in NAMES]
    known = {match[1] for match in keys}
    assert len(keys) > 60
    chance = random.Random(7)
    tried, missed = 0, []
    for match in keys:
        for _ in range(8):
            slip = misspelt(match[1], chance)
            if slip in known or slip == match[1]:
                continue
            tried += 1
            text = EVERY_KEY[: match.start()] + slip + EVERY_KEY[match.end(1) :]
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            _, problems = read_plant(text, "plant.yaml", GRAMMARS)
            said = [p.remedy for p in problems if (p.place.line, p.place.column) == (line, column)]
            if not any(remedy.startswith(f"did you mean '{match[1]}'?") for remedy in said):
                missed.append((match[1], slip, said))
    assert tried > 400
    assert len(missed) <= 0.05 * tried, missed


def test_a_misspelt_key_is_one_problem() -> None:
    for match in re.finditer(r"(\w+):(?=\s)", EVERY_KEY):
        word = match[1]
        if word in NAMES or len(word) < 3:
            continue
        text = EVERY_KEY[: match.start()] + word + word[-1] + EVERY_KEY[match.end(1) :]
        _, problems = read_plant(text, "plant.yaml", GRAMMARS)
        problems = [problem for problem in problems if not problem.code.startswith("W8")]
        assert len(problems) == 1, (word, [str(problem) for problem in problems])
