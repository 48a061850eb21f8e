"""Formats: which one a text has, and how steps lead from one to the next."""

import pytest

from mappings.plant.edits import Edit
from mappings.plant.formats import STEPS, Step, migrated, steps_from, written_format
from mappings.plant.schema import FORMAT


def replacing(source: int, old: str, new: str) -> Step:
    def edits(file: str, text: str) -> list[Edit]:
        at = text.find(old)
        return [] if at < 0 or not file.endswith(".yaml") else [Edit(at, at + len(old), new, "")]

    return Step(source=source, says=f"{old} is called {new}", edits=edits)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tagbridge: 1\n", (1, 11, 12)),
        ("# é\r\n\r\nlinks: {}\r\ntagbridge:   12 # x\r\n", (12, 31, 33)),
        ("\ufefftagbridge: 3", (3, 12, 13)),
        ("{links: {}, tagbridge: 0}", (0, 23, 24)),
        ("tagbridge: one\n", None),
        ("tagbridge: '1'\n", None),
        ("tagbridge: [1]\n", None),
        ("tagbridge:\n", None),
        ("links: {}\n", None),
        ("tagbridge: 1000000\n", None),
        ("tagbridge: [", None),
        ("", None),
    ],
)
def test_the_format_of_a_text(text: str, found: tuple[int, int, int] | None) -> None:
    assert written_format(text, "plant.yaml") == found
    if found is not None:
        assert int(text[found[1] : found[2]]) == found[0]


def test_steps_are_taken_one_after_the_other() -> None:
    one, two = replacing(7, "outboxx", "outboxy"), replacing(8, "outboxy", "outbox")
    assert steps_from(7, [two, one], 9) == [one, two]
    assert steps_from(8, [two, one], 9) == [two]
    assert steps_from(9, [two, one], 9) == []
    assert steps_from(6, [two, one], 9) is None
    assert steps_from(7, [one], 9) is None
    texts = {
        "p/plant.yaml": "# mine \r\ntagbridge: 7 # old\r\noutboxx: {}\r\n",
        "p/more.yaml": "outboxx: 1", "p/t.csv": "outboxx\n",
    }  # fmt: skip
    assert migrated(texts, "p/plant.yaml", [one, two]) == {
        "p/plant.yaml": "# mine \r\ntagbridge: 9 # old\r\noutbox: {}\r\n",
        "p/more.yaml": "outbox: 1", "p/t.csv": "outboxx\n",
    }  # fmt: skip


def test_there_is_a_step_from_every_format_that_is_read() -> None:
    assert [step.source for step in STEPS] == list(range(1, FORMAT))
