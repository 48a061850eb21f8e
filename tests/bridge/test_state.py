"""bdSeq and aliases survive restarts; a damaged file is set aside, never half believed."""

import json
from pathlib import Path

import pytest

from bridge.state import StateError, StateFile

NODE = "G/N"


def test_bd_seq_begins_at_zero_is_on_disk_before_use_and_wraps(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert StateFile(path).next_bd_seq(NODE) == 0
    numbers = []
    for _ in range(257):
        numbers.append(StateFile(path).next_bd_seq(NODE))
        assert json.loads(path.read_text())["nodes"][NODE]["bd_seq"] == numbers[-1]
    assert numbers == [*range(1, 256), 0, 1]


def test_each_node_counts_for_itself(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.json")
    assert [state.next_bd_seq("a"), state.next_bd_seq("b"), state.next_bd_seq("a")] == [0, 0, 1]


def test_aliases_are_unique_over_devices_and_follow_the_id(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    first = StateFile(path).aliases(NODE, [("", "x"), ("D", "x"), ("E", "x")])
    assert sorted(first) == [1, 2, 3]
    again = StateFile(path).aliases(NODE, [("E", "x"), ("D", "new"), ("", "x")])
    assert again == [3, 4, 1]
    assert StateFile(path).aliases(NODE, [("D", "x")]) == [2]  # gone for a while, still its own


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 9, "nodes": {}}',
     '{"format": 1, "nodes": {"G/N": {"bd_seq": 300, "aliases": {}}}}',
     '{"format": 1, "nodes": {"G/N": {"bd_seq": 1, "aliases": {"D/a": 1, "D/b": 1}}}}',
     "\udcff"],
)  # fmt: skip
def test_a_damaged_file_is_set_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    state = StateFile(path)
    assert state.set_aside == tmp_path / "state.damaged"
    assert state.set_aside.exists()
    assert state.next_bd_seq(NODE) == 0


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "gone" / "state.json")
    (tmp_path / "gone").write_text("a file where the folder should be")
    with pytest.raises(StateError, match="check rights and free space"):
        state.aliases(NODE, [("D", "x")])
    with pytest.raises(StateError, match="cannot read"):
        StateFile(tmp_path / "gone" / "state.json")


def test_a_bd_seq_that_cannot_be_written_goes_on_in_memory_and_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    state = StateFile(folder / "state.json")
    folder.write_text("a file where the folder should be")
    assert [state.next_bd_seq(NODE) for _ in range(3)] == [0, 1, 2]
    assert "check rights and free space" in str(state.unwritten)
    folder.unlink()
    assert state.next_bd_seq(NODE) == 3
    assert state.unwritten is None
    assert StateFile(folder / "state.json").next_bd_seq(NODE) == 4
