"""Cases: what users expect of their mapping, and every way in which a case can be wrong."""

import pytest

from drivers.registry import load_drivers
from mappings.plant.cases import run_cases
from mappings.plant.problems import Report
from mappings.plant.reader import read_plant

PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"]}}
devices:
  Pump:
    modbus: {endpoint: "tcp://10.0.4.11", unit: 1}
    tags:
      - {name: Speed, address: HR1, type: int16, scale: 0.1, unit: Hz, low: -60, high: 60}
      - {name: Level, address: HR5, type: float32, unit: m}
      - {name: Running, address: C1, type: bool}
"""
DRIVERS = load_drivers()


def run(cases):
    plant, problems = read_plant(PLANT, "plant.yaml", DRIVERS)
    assert plant is not None, problems
    report = Report("plant.yaml")
    outcomes = run_cases(f"cases:\n{cases}", "x.cases.yaml", plant, DRIVERS, report)
    return outcomes, report.problems


@pytest.mark.parametrize(
    ("raw", "expect"),
    [
        ("Speed: 500", "Speed: 50 Hz"),
        ("Speed: 0x1F4", "Speed: 50"),
        ("Speed: -1", "Speed: -0.1 Hz"),
        ("Level: 2.5", "Level: 2.4 +- 0.2 m"),
        ("Level: nan", "Level: BAD"),
        ("Level: 1.5", "Level: GOOD"),
        ("Running: yes", "Running: yes"),
        ("Running: no", "Speed: nothing"),
    ],
)
def test_a_case_that_passes(raw, expect):
    outcomes, problems = run(f"  a: {{device: Pump, raw: {{{raw}}}, expect: {{{expect}}}}}\n")
    assert problems == []
    assert [(o.case, o.device, o.differences) for o in outcomes] == [("a", "Pump", ())]


@pytest.mark.parametrize(
    ("raw", "expect", "told"),
    [
        ("Speed: 500", "Speed: 5 Hz", "Speed: 50.0 Hz where 5 Hz is expected"),
        ("Speed: 500", "Speed: 50 rpm", "Speed: 50.0 Hz where 50 rpm is expected"),
        ("Speed: 500", "Speed: BAD", "Speed: 50.0 Hz where BAD is expected"),
        ("Level: 2", "Level: 2.4 +- 0.2 m", "Level: 2.0 m where 2.4 +- 0.2 m is expected"),
        ("Level: 2", "Speed: 1", "Speed: nothing where 1 is expected"),
        ("Level: 2", "Level: nothing", "Level: 2.0 m where nothing is expected"),
        ("Level: 2", "Level: two", "Level: 2.0 m where two is expected"),
        ("Level: 2", "Level: 1.2.3", "Level: 2.0 m where 1.2.3 is expected"),
    ],
)
def test_a_case_that_fails(raw, expect, told):
    outcomes, problems = run(f"  a: {{device: Pump, raw: {{{raw}}}, expect: {{{expect}}}}}\n")
    assert problems == []
    assert outcomes[0].differences == (told,)
    assert not outcomes[0].passed


@pytest.mark.parametrize(
    ("case", "place", "code", "seen"),
    [
        ("{device: Pmp, raw: {Speed: 1}, expect: {Speed: 1}}", (2, 15), "E151",
         "cases.a.device: no device 'Pmp'"),
        ("{device: Pump, raw: {Speed: 1}, expect: {Sped: 1}}", (2, 47), "E151",
         "cases.a.expect: 'Pump' has no 'Sped'"),
        ("{device: Pump, raw: {Speed: fast}, expect: {Speed: 1}}", (2, 27), "E152",
         "cases.a.raw.Speed: 'fast' is no int16"),
        ("{device: Pump, row: {Speed: 1}, expect: {Speed: 1}}", (2, 21), "E103",
         "cases.a: unknown key 'row'"),
        ("{device: Pump, raw: {Speed: 1}}", (2, 3), "E104", "cases.a: key 'expect' is missing"),
    ],
)  # fmt: skip
def test_a_case_that_is_wrong(case, place, code, seen):
    outcomes, problems = run(f"  a: {case}\n")
    assert outcomes == []
    [problem] = problems
    assert (problem.place.file, *problem.place[1:3]) == ("x.cases.yaml", *place)
    assert (problem.code, problem.seen) == (code, seen)


def test_hostile_files_of_cases_give_problems():
    plant, _ = read_plant(PLANT, "plant.yaml", DRIVERS)
    for text in ("", "- a", "cases: 1", "cases: {a: 1}", "{", "\x00", "cases: {a: {device: []}}"):
        report = Report("plant.yaml")
        assert run_cases(text, "x", plant, DRIVERS, report) == []
        assert report.stops, text
