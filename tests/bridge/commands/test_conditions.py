"""When a condition is true: never of what nobody knows."""

import pytest

from bridge.commands.conditions import holds, said
from mappings.datatypes import DataType as D
from mappings.plant.permissions import Condition
from mappings.quality import BAD, GOOD, STALE
from mappings.tags import Metric

STATES = ((0, "Off"), (2, "Auto"))


def condition(comparison: str, value, code: int | None = None) -> Condition:
    return Condition(device="Boiler", metric="M", comparison=comparison, value=value, code=code)


def metric(datatype: D, enum=()) -> Metric:
    return Metric(id="M", name="M", datatype=datatype, enum=enum)


@pytest.mark.parametrize(
    ("comparison", "wanted", "code", "datatype", "value", "true"),
    [
        ("is", 5, None, D.INT32, 5, True),
        ("is", 5, None, D.DOUBLE, 5.0, True),
        ("is_not", 5, None, D.INT32, 5, False),
        ("is_not", 5, None, D.INT32, 6, True),
        ("above", 5.0, None, D.DOUBLE, 5.0, False),
        ("above", 5.0, None, D.DOUBLE, 5.1, True),
        ("below", 5.0, None, D.DOUBLE, 4.9, True),
        ("at_least", 5.0, None, D.DOUBLE, 5.0, True),
        ("at_most", 5.0, None, D.DOUBLE, 5.1, False),
        ("is", True, None, D.BOOLEAN, True, True),
        ("is", True, None, D.BOOLEAN, False, False),
        ("is", True, None, D.INT32, 1, False),
        ("is", "Auto", 2, D.STRING, "Auto", True),
        ("is_not", "Auto", 2, D.STRING, "Off", True),
        ("is", "Auto", 2, D.UINT16, 2, True),
        ("is_not", "Auto", 2, D.UINT16, 0, True),
        ("is", "Run", 1, D.BOOLEAN, True, True),
        ("is", "Run", 1, D.BOOLEAN, False, False),
        ("above", 5, None, D.STRING, "9", False),
        ("becomes", 5, None, D.INT32, 5, False),
        ("is", 5, None, D.INT32_ARRAY, (5,), False),
    ],
)
def test_comparisons(comparison, wanted, code, datatype, value, true) -> None:
    enum = STATES if code is not None else ()
    assert holds(condition(comparison, wanted, code), metric(datatype, enum), value, GOOD) is true


@pytest.mark.parametrize("comparison", ["is", "is_not", "above", "below", "at_least", "at_most"])
@pytest.mark.parametrize(("value", "quality"), [(5, BAD), (5, STALE), (None, GOOD), (None, BAD)])
def test_what_is_not_good_lets_nothing_through(comparison, value, quality) -> None:
    for wanted in (4, 5, 6):
        assert not holds(condition(comparison, wanted), metric(D.INT32), value, quality)


def test_how_it_is_said() -> None:
    assert said(condition("is_not", "Lockout", 4)) == "Boiler/M is not Lockout"
    assert said(condition("is", True)) == "Boiler/M is yes"
    assert said(condition("at_least", 5)) == "Boiler/M at least 5"
