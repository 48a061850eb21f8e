"""What was applied is kept whole: a plan reads it as the disk was then."""

import shutil
import zipfile
from pathlib import Path

import pytest

from bridge.cli.applied import APPLIED, Options, Remembering, keep, kept
from bridge.cli.check import read
from bridge.cli.listing import metric_lines

EXAMPLES = Path(__file__).parents[3] / "mappings" / "examples"


@pytest.mark.parametrize("name", ["brewery", "cellar", "filling"])
def test_a_plant_of_many_files_is_read_again_when_they_are_gone(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder)
    (folder / "secrets").mkdir(exist_ok=True)
    files = Remembering()
    plant, problems = read(folder, files)
    assert plant is not None, [str(problem) for problem in problems]
    options = Options(at=("scada=mqtt://localhost",), outbox="x")
    keep(tmp_path, plant.file, options, files, 1234)
    shutil.rmtree(folder)
    applied = kept(tmp_path)
    assert applied is not None
    assert (applied.plant, applied.options, applied.applied_ms) == (plant.file, options, 1234)
    again, _ = read(Path(applied.plant), applied)
    assert again is not None
    assert list(metric_lines(again)) == list(metric_lines(plant))
    assert again == plant


def test_nothing_was_applied_yet(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    assert kept(tmp_path / "none") is None


def test_what_is_damaged_is_said_and_not_believed(tmp_path: Path) -> None:
    (tmp_path / APPLIED).write_bytes(b"PK no zip")
    with pytest.raises(ValueError, match="damaged"):
        kept(tmp_path)
    with zipfile.ZipFile(tmp_path / APPLIED, "w") as file:
        file.writestr("other", "x")
    with pytest.raises(ValueError, match="damaged"):
        kept(tmp_path)


def test_it_is_for_owner_and_group(tmp_path: Path) -> None:
    keep(tmp_path, "plant.yaml", Options(), Remembering(), 0)
    assert (tmp_path / APPLIED).stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob("*.new"))
