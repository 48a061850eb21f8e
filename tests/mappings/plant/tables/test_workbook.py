"""Workbooks: cells as people see them, sheets, what is hidden, and damaged files."""

import datetime as dt
import io
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.plant.problems import Place, Report
from mappings.plant.tables.reader import read_table
from mappings.plant.tables.table import Table
from tests.support.workbooks import Cell, rewritten, with_shared_texts, workbook

TAGS = [["name", "Raw low", "# mine"], ["a", 1, "x"], ["b", "0,5", "y"]]


def read(raw: bytes, report: Report | None = None, sheet: str = "", **options: object) -> Table:
    report = Report("plant.yaml") if report is None else report
    table = read_table(raw, "io/io.xlsx", sheet, report, **options)
    assert table is not None, report.problems
    return table


def cell(value: object, column: str = "x") -> str:
    """What one cell is read as, in a column of which nobody knows anything."""
    report = Report("plant.yaml")
    table = read(workbook({"T": [["name", column], ["a", value]]}), report)
    assert report.problems == []
    return table.rows[0].cells.get(column, "")


def test_rows_and_places() -> None:
    report = Report("plant.yaml")
    raw = workbook({"Tags": TAGS})
    table = read(raw, report)
    assert report.problems == []
    shared = read(with_shared_texts(raw), report)
    assert [row.cells for row in shared.rows] == [row.cells for row in table.rows]
    assert table.file == "io/io.xlsx!Tags"
    assert table.columns == ("name", "raw_low")
    assert [row.cells for row in table.rows] == [
        {"name": "a", "raw_low": "1"}, {"name": "b", "raw_low": "0.5"},
    ]  # fmt: skip
    assert str(table.rows[1].spot_of("raw_low")) == "io/io.xlsx!Tags:3:B (raw_low)"
    assert str(table.rows[1].head_of("raw_low")) == "io/io.xlsx!Tags:1:B"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (40101, "40101"), (40101.0, "40101"), (0.1, "0.1"), (0.1 + 0.2, "0.3"), (1 / 3,
        "0.333333333333333"), (-5, "-5"), (1e-7, "1e-07"), (2.5e20, "2.5e+20"),
        ("  text ", "text"), ("00017", "00017"), ("40101.10", "40101.10"), ("1,5", "1,5"),
        (True, "yes"), (False, "no"), ("TRUE", "TRUE"), (None, ""), ("", ""),
        (Cell(0.01, "0%"), "1 %"), (Cell(0.07, "0.00%"), "7 %"), (Cell(0.005, "0.0%"), "0.5 %"),
        (Cell(1, "0%"), "100 %"), (Cell("1 %", "0%"), "1 %"), (Cell(5, '0.0" bar"'), "5"),
    ],
)  # fmt: skip
def test_cells_are_what_people_see(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_numbers_have_a_point_whatever_texts_have() -> None:
    rows = [["name", "low", "high"], ["a", 0.5, "1,5"], ["b", 1.5, "2,5"]]
    report = Report("plant.yaml")
    table = read(workbook({"T": rows}), report)
    assert report.problems == []
    assert [row.cells["high"] for row in table.rows] == ["1.5", "2.5"]
    rows[1][1] = "0.5"
    report = Report("plant.yaml")
    read(workbook({"T": rows}), report)
    assert [p.code for p in report.problems] == ["E307"]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (dt.date(2026, 1, 3), "'2026-01-03' is a date"),
        (dt.datetime(2026, 1, 3, 4, 5), "'2026-01-03 04:05:00' is a date"),  # noqa: DTZ001
        (dt.time(12, 30), "'12:30:00' is a time"),
        (dt.timedelta(hours=30), "'1 day, 6:00:00' is a time"),
        (Cell(46025, "d. mmm"), "'2026-01-03' is a date"),
    ],
)
def test_dates_are_refused_in_any_column(value: object, seen: str) -> None:
    report = Report("plant.yaml")
    table = read(workbook({"T": [["name", "address"], ["a", value]]}), report)
    [problem] = report.problems
    assert (problem.code, problem.seen) == ("E305", seen)
    assert str(problem.place) == "io/io.xlsx!T:2:B (address)"
    assert table.rows[0].lost == {"address"}


def test_a_date_that_is_a_text_is_refused_where_numbers_stand() -> None:
    report = Report("plant.yaml")
    read(workbook({"T": [["name", "low"], ["3. Jan", "3. Jan"]]}), report)
    assert [str(p.place) for p in report.problems] == ["io/io.xlsx!T:2:B (low)"]


def test_formulas_give_their_stored_value() -> None:
    raw = workbook({"T": [["name", "low", "x"], ["a", "=1+1", "=TRIM(Z1)"]]})
    sheet = "xl/worksheets/sheet1.xml"

    def calculated(text: bytes) -> bytes:
        text = text.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
        changed = text.replace(
            b'<c r="C2"><f>TRIM(Z1)</f><v />', b'<c r="C2" t="str"><f>TRIM(Z1)</f><v></v>'
        )
        assert changed != text
        return changed

    report = Report("plant.yaml")
    table = read(rewritten(raw, sheet, calculated), report)
    assert report.problems == []
    assert table.rows[0].cells == {"name": "a", "low": "2"}, "an empty text is an empty cell"


def test_what_is_the_users_own_is_never_read() -> None:
    rows = [
        ["# List of tags"], [],
        ["name", "# due", "low"],
        ["a", dt.date(2026, 1, 1), 1], ["# b", "=1", Cell("#REF!", kind="e")],
        ["c", Cell("#REF!", kind="e"), 2],
    ]  # fmt: skip
    report = Report("plant.yaml")
    table = read(workbook({"T": rows}, merged=["A1:H1", "B4:B6"], hidden_rows=[5]), report)
    assert report.problems == []
    assert [row.cells for row in table.rows] == [
        {"name": "a", "low": "1"}, {"name": "c", "low": "2"},
    ]  # fmt: skip


def test_the_only_visible_sheet_needs_no_name() -> None:
    raw = workbook({"Lists": [["x"]], "Tags": TAGS, "Old": [["y"]]}, hidden_sheets=["Lists", "Old"])
    report = Report("plant.yaml")
    assert read(raw, report).file == "io/io.xlsx!Tags"
    assert report.problems == []


def test_a_sheet_is_named_in_any_case() -> None:
    raw = workbook({"Front": [], "Tags": TAGS})
    assert read(raw, sheet="TAGS").file == "io/io.xlsx!Tags"


def test_a_wrong_sheet_is_told_where_it_is_named() -> None:
    report = Report("plant.yaml")
    asked = Place("plant.yaml", 12, 11)
    raw = workbook({"Tags": TAGS})
    assert read_table(raw, "io.xlsx", "Tag", report, asked=asked) is None
    [problem] = report.problems
    assert str(problem.place) == "plant.yaml:12:11"
    assert problem.remedy == "did you mean 'Tags'? its sheets: 'Tags'"


def test_no_visible_sheet() -> None:
    def hide(text: bytes) -> bytes:
        return text.replace(b'state="visible"', b'state="veryHidden"')

    report = Report("plant.yaml")
    raw = rewritten(workbook({"Tags": TAGS}), "xl/workbook.xml", hide)
    assert read_table(raw, "io.xlsx", "", report) is None
    [problem] = report.problems
    assert problem.seen == "io.xlsx has 0 visible sheets: which one?"
    assert problem.remedy == "write io.xlsx#Tags; its sheets: none that is visible"


def test_many_hidden_rows_are_one_warning() -> None:
    rows = [["name"], *[[f"a{n}"] for n in range(9)]]
    report = Report("plant.yaml")
    table = read(workbook({"T": rows}, hidden_rows=range(2, 9)), report)
    assert len(table.rows) == 9
    [problem] = report.problems
    assert problem.seen == "hidden, but read: rows 2, 3, 4, 5 and 3 more"
    assert not problem.stops


def test_a_bomb_is_not_unpacked() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook({"T": TAGS}))) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for bomb, size in (("xl/worksheets/sheet1.xml", 65 << 20), ("xl/styles.xml", 9 << 20)):
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
            for name, text in parts.items():
                new.writestr(name, text if name != bomb else text + b" " * size)
        report = Report("plant.yaml")
        assert read_table(written.getvalue(), "io.xlsx", "", report) is None
        [problem] = report.problems
        assert problem.code == "E314"
        assert problem.seen == f"{bomb} has {size >> 20} MiB unpacked"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mimetype", "this is an OpenDocument file, no .xlsx workbook"),
        ("xl/workbook.bin", "this is a binary workbook, .xlsb"),
    ],
)
def test_other_kinds_of_workbooks(name: str, said: str) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(name, b"x")
    report = Report("plant.yaml")
    assert read_table(written.getvalue(), "io.xlsx", "", report) is None
    assert [p.seen for p in report.problems] == [said]


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml"])
@pytest.mark.parametrize(
    "hostile",
    [
        b"", b"<", b"<a>" * 50_000, b"\xff\xfe\x00", b"<worksheet/>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "'
        + b"&b;" * 1000 + b'"><!ENTITY d "' + b"&c;" * 1000 + b'">]><a>' + b"&d;" * 1000 + b"</a>",
    ],
    ids=["empty", "cut", "deep", "bytes", "bare", "entities"],
)  # fmt: skip
def test_a_hostile_part_is_a_problem(part: str, hostile: bytes) -> None:
    report = Report("plant.yaml")
    begun = time.process_time()
    raw = rewritten(workbook({"T": TAGS}), part, lambda _: hostile)
    assert read_table(raw, "io.xlsx", "", report) is not None or report.stops
    assert {p.code for p in report.problems} <= {"E301", "E309", "E310"}
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'r="B2"', b'r="2B"'), (b'r="B2"', b'r="B0"'), (b"<v>1</v>", b"<v>x</v>"),
        (b"<v>1</v>", b"<v>" + b"9" * 9000 + b"</v>"), (b't="s"', b't="s" s="77"'),
        (b"<v>0</v>", b"<v>-99</v>"), (b"<v>0</v>", b"<v>99</v>"), (b"<v>1</v>", b"<v>1e999</v>"),
        (b"<v>1</v>", b"<v>nan</v>"), (b'<row r="2"', b'<row r="2000000000"'),
    ],
)  # fmt: skip
def test_a_hostile_cell_is_a_problem(old: bytes, new: bytes) -> None:
    raw = with_shared_texts(workbook({"T": TAGS}))
    sheet = "xl/worksheets/sheet1.xml"
    changed = rewritten(raw, sheet, lambda text: text.replace(old, new))
    report = Report("plant.yaml")
    table = read_table(changed, "io.xlsx", "", report)
    assert table is not None or report.stops
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert old in archive.read(sheet)


RAW = workbook({"Tags": TAGS})


@settings(deadline=None)
@given(st.integers(0, len(RAW)), st.binary(max_size=20), st.booleans())
def test_a_damaged_workbook_is_a_table_or_problems(at: int, noise: bytes, cut: bool) -> None:
    raw = RAW[:at] + noise + (b"" if cut else RAW[at + len(noise) :])
    report = Report("plant.yaml")
    table = read_table(raw, "io.xlsx", "", report)
    assert table is not None or report.stops


def test_a_large_workbook_takes_seconds() -> None:
    rows = [[f"c{n}" for n in range(20)]]
    rows += [[f"text {n}", n, n / 10, None] * 5 for n in range(5_000)]
    raw = workbook({"T": rows})
    begun = time.process_time()
    assert len(read(raw).rows) == 5_000
    assert time.process_time() - begun < 10, "1 s where this was written"
