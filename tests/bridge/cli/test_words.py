"""Words of the command line: other places, and what is refused before anything starts."""

from pathlib import Path

import pytest
import typer

from bridge.cli import check as command
from bridge.cli.check import load_plant
from bridge.cli.words import placed, seconds
from tests.support.grammars import GRAMMARS

PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://a"]}}
devices:
  Pump:
    modbus: {endpoint: "tcp://h", unit: 1}
    tags: [{name: A, address: "holding:1", type: bool}]
"""


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "load_drivers", lambda: GRAMMARS)
    (tmp_path / "plant.yaml").write_text(PLANT)
    return load_plant(tmp_path)


def test_links_destinations_and_outbox_are_moved(plant) -> None:
    moved = placed(plant, ["Pump=tcp://[::1]:5020", "scada=mqtt://b:1884"], GRAMMARS, "elsewhere")
    assert moved.links[0].endpoint == "tcp://[::1]:5020"
    assert moved.destinations[0].servers == ("mqtt://b:1884",)
    assert moved.outbox.folder == "elsewhere"


@pytest.mark.parametrize(
    "place",
    [
        "x", "=", "Pump", "Pump=", "Pump=h", "Pump=tcp://", "Pump=tcp://h:abc", "Pump=tcp://h:0",
        "Pump=tcp://h:99999", "Pump=tcp://h:", "Pump=http://h", "Pump=tcp://[::1", "scada=mqtt://:5",
        "scada=mqtt://h:99999", "scada=http://h", "scada=mqtt:///dev/x", "Pumpe=tcp://h", "=tcp://h",
    ],
)  # fmt: skip
def test_a_place_that_makes_no_sense_is_refused_by_its_option(plant, place: str) -> None:
    """A port that is none ended the gateway with a traceback."""
    with pytest.raises(typer.BadParameter, match="--at"):
        placed(plant, [place], GRAMMARS)


@pytest.mark.parametrize(("text", "s"), [("20s", 20.0), ("5min", 300.0), (None, None)])
def test_durations(text: str | None, s: float | None) -> None:
    assert seconds(text) == s


@pytest.mark.parametrize("text", ["", "5", "x", "-5s", "99999d"])
def test_durations_that_make_no_sense(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 20s"):
        seconds(text)
