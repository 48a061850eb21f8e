"""Tidying and editing: what changes in a text, what never does, and why."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.plant.edits import Edit, applied, difference, reasons
from mappings.plant.tidying import (
    BLANKS_AROUND,
    BLANKS_AT_END,
    EMPTY_END,
    NO_END,
    SPELLING,
    means_the_same,
    tidied,
)


def tidy(file: str, text: str) -> tuple[str, set[str]]:
    edits = tidied(file, text)
    after = applied(text, edits)
    assert tidied(file, after) == [], "tidy is tidy"
    assert (after == text) == (edits == [])
    return after, {edit.why for edit in edits}


@pytest.mark.parametrize(
    ("text", "after", "why"),
    [
        ("a: 1  \nb: 2\t\n", "a: 1\nb: 2\n", BLANKS_AT_END),
        ("a: 1 \r\nb: 2\r\n", "a: 1\r\nb: 2\r\n", BLANKS_AT_END),
        ("a: 1 # why  \n", "a: 1 # why\n", BLANKS_AT_END),
        ("a: 1\n   \nb: 2\n", "a: 1\n\nb: 2\n", BLANKS_AT_END),
        ("a: 'x'   \n", "a: 'x'\n", BLANKS_AT_END),
        ("a: {b: 1,  \n  c: 2}\n", "a: {b: 1,\n  c: 2}\n", BLANKS_AT_END),
        ("a: 1", "a: 1\n", NO_END),
        ("a: 1\r\nb: 2", "a: 1\r\nb: 2\r\n", NO_END),
        ("a: 1\n\n  \n\n", "a: 1\n", EMPTY_END),
        ("a: |\n  x\nb: 1\n\n", "a: |\n  x\nb: 1\n", EMPTY_END),
        ("\ufeffa: 1 \n", "\ufeffa: 1\n", BLANKS_AT_END),
    ],
)
def test_yaml(text: str, after: str, why: str) -> None:
    assert tidy("plant.yaml", text) == (after, {why})
    assert means_the_same("plant.yaml", text, after)


@pytest.mark.parametrize(
    "text",
    [
        "a: |  \n  one  \n  two\t\nb: 1\n",
        "a: |+\n  one\n\n\n",
        "a: |\n  one",
        "a: >-\n  one  \n  two\n",
        "a: 'one  \n  two'\n",
        'a: "one  \n  two"\n',
        "a: one  \n  two\n",
        "a:   1   # aligned\nbb:  2   # with care\n\n\n# and room\n",
        "",
        "\n\n",
        "# only a comment\n",
        "a: [1 \nb: 'no yaml at all  \n",
    ],
)
def test_yaml_that_stays_as_it_is(text: str) -> None:
    assert tidy("plant.yaml", text) == (text, set())


@pytest.mark.parametrize(
    ("text", "after", "why"),
    [
        ("name; low \n a;1\nb ;\u00a02\n", "name;low\na;1\nb;2\n", BLANKS_AROUND),
        ('name,x\n "a, b" ,1\n', 'name,x\n"a, b",1\n', BLANKS_AROUND),
        ("name;x\na;  \n", "name;x\na;\n", BLANKS_AROUND),
        ("name;x\r\n a;1\r\nb; 2\r\n", "name;x\r\na;1\r\nb;2\r\n", BLANKS_AROUND),
        ("name;x\r a;1\rb; 2\r", "name;x\ra;1\rb;2\r", BLANKS_AROUND),
        ('\ufeffname;x\r\n"a\r\nb";1\r\nc; 2\r\n', '\ufeffname;x\r\n"a\r\nb";1\r\nc;2\r\n',
         BLANKS_AROUND),
        ("Name;ADDRESS;type;Max silence;Property: X\na;1;b;;\n",
         "name;address;type;max_silence;property:X\na;1;b;;\n", SPELLING),
        ('"Name","Address","type"\na,1,b\n', '"name","address","type"\na,1,b\n', SPELLING),
        ("sep=;\n# mine\nName;address;type\na;1;b\n", "sep=;\n# mine\nname;address;type\na;1;b\n",
         SPELLING),
        ("name;x\na;1", "name;x\na;1\n", NO_END),
        ("name;x\r\na;1", "name;x\r\na;1\r\n", NO_END),
        ("name;x\na;1\n;\n\n ; \n", "name;x\na;1\n", EMPTY_END),
        ("name;x\na;1\n;", "name;x\na;1\n", EMPTY_END),
    ],
)  # fmt: skip
def test_tables(text: str, after: str, why: str) -> None:
    assert tidy("t.csv", text) == (after, {why})
    assert means_the_same("t.csv", text, after)


@pytest.mark.parametrize(
    "text",
    [
        "Pump;Max Flow;name\nP-1;1;x\n",
        'name;x\n" a ";1\n',
        "#;name;low;# Mine\n 1 ;a;1; keep  \n",
        "# list of tags ;\n  # and ; more  \nname;low\n# c ;d \na;1\n",
        'name;x\na;"b" c\n d ;1\n',
        "name;x\n\n;\na;1\n",
        "",
        "#\n",
    ],
)
def test_tables_that_stay_as_they_are(text: str) -> None:
    assert tidy("t.csv", text) == (text, set())


def test_what_is_no_text_means_nothing() -> None:
    assert not means_the_same("a.yaml", "a: [", "a: [")
    assert not means_the_same("a.yaml", "a: 1", "a: 2")
    assert not means_the_same("a.csv", "", "")
    assert not means_the_same("a.csv", "name\na\n", "name\nb\n")
    assert not means_the_same("a.csv", "name\na\n", "name\n\na\n"), "a place is a meaning too"


LINES = st.text(st.sampled_from("ab: -#'\"|>[]{},\t \n\r"), max_size=60)
CELLS = st.text(st.sampled_from('ab;, "#\t\n\r\u00a0'), max_size=60)


@given(LINES)
def test_tidying_yaml_never_changes_what_it_means(text: str) -> None:
    after = applied(text, tidied("a.yaml", text))
    readable = means_the_same("a.yaml", text, text)
    assert after == text or not readable or means_the_same("a.yaml", text, after)


@given(st.sampled_from(["", "\ufeff"]), CELLS)
def test_tidying_a_table_never_changes_what_it_means(mark: str, text: str) -> None:
    text = f"{mark}Name;Address;type\n{text}"
    after = applied(text, tidied("a.csv", text))
    readable = means_the_same("a.csv", text, text)
    assert after == text or not readable or means_the_same("a.csv", text, after)


def test_edits_are_applied_in_any_order() -> None:
    edits = [Edit(0, 1, "A", "x"), Edit(1, 1, "+", "y"), Edit(3, 5, "", "x"), Edit(6, 6, "!", "z")]
    random.Random(1).shuffle(edits)
    assert applied("abcdef", edits) == "A+bcf!"
    assert reasons(sorted(edits)) == "x (2), y, z"
    with pytest.raises(ValueError, match="overlap"):
        applied("abc", [Edit(0, 2, "", ""), Edit(1, 3, "", "")])


def test_a_difference_is_what_patch_understands() -> None:
    assert difference("a", "x\n", "x\n") == ""
    assert difference("d/a", "1\n2\n3\n4\r\n5", "1\n2\n3\n4\n5\n") == (
        "--- d/a\n+++ d/a\n@@ -3,3 +3,3 @@\n 3\n-4\r\n-5\n\\ No newline at end of file\n+4\n+5\n"
    )
