"""Names that a destination gives its metrics."""

import pytest

from bridge.sparkplug.naming import named
from mappings.datatypes import DataType
from mappings.plant.definitions import DeviceDefinition, PlaceDefinition
from mappings.plant.schema import OutboxBlock
from mappings.tags import Metric

METRIC = Metric(id="Pump/Speed", name="Pump/Speed", datatype=DataType.FLOAT)
OWN = Metric(id="x", name="Properties/x", datatype=DataType.INT64)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{metric}", "Pump/Speed"),
        ("{area}/{line}/{metric}", "Filling/Line 3/Pump/Speed"),
        ("{site}/{area}/{metric}", "Filling/Pump/Speed"),  # no site: no folder
        ("{area}/{device}/{metric}", "Filling/Boiler/Pump/Speed"),
        ("{area} {line}/{metric}", "Filling Line 3/Pump/Speed"),
    ],
)
def test_levels_become_folders(pattern, name):
    boiler = DeviceDefinition(
        name="Boiler", description="", options=OutboxBlock(), tags=(), metrics=(METRIC,),
        place=PlaceDefinition(area="Filling", line="Line 3"),
    )  # fmt: skip
    shown = named(pattern, {"Boiler": [METRIC], "": [OWN]}, [boiler])
    assert [m.name for m in shown["Boiler"]] == [name]
    assert shown["Boiler"][0].id == "Pump/Speed"
    assert shown[""] == [OWN]
