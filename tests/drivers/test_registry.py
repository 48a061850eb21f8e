"""The registry: drivers are found by entry point; a broken one does not take others along."""

import warnings
from pathlib import Path

import pytest

from drivers import registry
from drivers.registry import DriverWarning, load_drivers

MODULE = """
from tests.support.grammars import Wire

class Mine(Wire):
    name = "mine"

MINE = Mine()
NAMELESS = object()
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of a third party, with one good driver among bad ones."""
    monkeypatch.setattr(registry, "GROUP", "tagbridge.drivers.test")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "third_party_drivers.py").write_text(MODULE)
    info = tmp_path / "third_party-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[tagbridge.drivers.test]\n"
        "gone = third_party_drivers_gone:DRIVER\n"
        "mine = third_party_drivers:MINE\n"
        "nameless = third_party_drivers:NAMELESS\n"
        "other = third_party_drivers:MINE\n"
    )


def test_our_own_drivers_come_first_in_the_order_of_the_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "GROUP", "tagbridge.drivers")
    assert list(load_drivers())[:3] == ["modbus", "opcua", "mqtt"]


def test_what_can_be_loaded_is_loaded_and_the_rest_is_told() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drivers = load_drivers()
    assert list(drivers) == ["mine"]
    assert drivers["mine"].schemes == frozenset({"tcp"})
    told = sorted(str(w.message) for w in caught if issubclass(w.category, DriverWarning))
    assert len(told) == 3
    gone, nameless, other = told
    assert gone.startswith("driver 'gone' of third-party is left out: ModuleNotFoundError")
    assert nameless.startswith("driver 'nameless' of third-party is left out: AttributeError")
    assert "is no driver named 'other'" in other
