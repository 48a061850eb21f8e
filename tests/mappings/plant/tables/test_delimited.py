"""CSV files as they lie about: what is read of them, in whatever dialect."""

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.plant.problems import Report
from mappings.plant.tables.decimals import NUMBERS
from mappings.plant.tables.reader import read_table
from mappings.plant.tables.table import Table

EXCEL = (
    "\ufeffName;Address;Type;Raw low;HIGH;Deadband;scan;invalid;property:Loop Nr;"
    "Description;# Notiz\r\n"
    'Druck;HR101.10;REAL;-0,5;1000;0,5 %;1,5s;"<-0,5|>10,5";4,2;"Kessel 1,5 bar; links";0,5\r\n'
    "# Reserve;;;;;;;;;;\r\n"
    ";;;;;;;;;;\r\n"
    "Mode;holding:7;INT;;;;;;;zwei\u00a0\r\n"
)


def read(raw: bytes | str, report: Report | None = None, **options: object) -> Table:
    report = Report("plant.yaml") if report is None else report
    raw = raw if isinstance(raw, bytes) else raw.encode()
    table = read_table(raw, "io.csv", "", report, **options)
    assert table is not None, report.problems
    return table


def clean(raw: bytes | str, **options: object) -> list[dict[str, str]]:
    report = Report("plant.yaml")
    table = read(raw, report, **options)
    assert report.problems == []
    return [row.cells for row in table.rows]


def test_a_table_as_a_european_excel_writes_it() -> None:
    report = Report("plant.yaml")
    table = read(EXCEL, report)
    assert report.problems == []
    assert table.file == "io.csv"
    assert table.columns == (
        "name", "address", "type", "raw_low", "high", "deadband", "scan", "invalid",
        "property:Loop Nr", "description",
    )  # fmt: skip
    first, second = table.rows
    assert first.cells == {
        "name": "Druck", "address": "HR101.10", "type": "REAL", "raw_low": "-0.5", "high": "1000",
        "deadband": "0.5 %", "scan": "1.5s", "invalid": "<-0.5|>10.5", "property:Loop Nr": "4,2",
        "description": "Kessel 1,5 bar; links",
    }  # fmt: skip
    assert second.cells == {
        "name": "Mode", "address": "holding:7", "type": "INT", "description": "zwei",
    }  # fmt: skip
    assert str(first.spot) == "io.csv:2:A (name)"
    assert str(first.spot_of("address")) == "io.csv:2:B (address)"
    assert str(second.spot_of("address")) == "io.csv:5:B (address)"
    assert str(second.spot_of("high")) == "io.csv:5:E (high)", "an empty cell has its place"
    assert str(second.spot_of("unit")) == "io.csv:5:A (name)", "a column that is not there"
    assert str(second.head_of("raw_low")) == str(table.head_of("raw_low")) == "io.csv:1:D"


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_separators_line_ends_and_bom(separator: str, end: str, bom: str) -> None:
    lines = [["name", "low"], ["a", "1"], [], ["b", "2"]]
    text = bom + end.join(separator.join(line) for line in lines)
    report = Report("plant.yaml")
    for raw in (text, text + end):
        table = read(raw, report)
        assert [row.cells for row in table.rows] == [
            {"name": "a", "low": "1"}, {"name": "b", "low": "2"},
        ]  # fmt: skip
        assert [row.line for row in table.rows] == [2, 4]
    assert report.problems == []


def test_lines_are_counted_through_line_ends_in_quotes() -> None:
    table = read('name,description\r\na,"one\r\ntwo\rthree"\r\n\r\nb,"x"\r\n')
    assert [(row.line, row.cells) for row in table.rows] == [
        (2, {"name": "a", "description": "one\ntwo\nthree"}),
        (6, {"name": "b", "description": "x"}),
    ]


@pytest.mark.parametrize(
    ("typed", "cell"),
    [
        ('"a;b"', "a;b"),
        ('"a ""b"" c"', 'a "b" c'),
        ('"""x"""', '"x"'),
        ('  "a"  ', "a"),
        ('" a "', "a"),
        ('s7;s="P"', "s7"),
        ('s="P"."S"[1]', 's="P"."S"[1]'),
        ('12" pipe', '12" pipe'),
        ("a\u00a0", "a"),
        ('"# no comment here"', "# no comment here"),
    ],
)
def test_quotes(typed: str, cell: str) -> None:
    assert clean(f"type;name;x;y\nt;{typed};\n")[0]["name"] == cell


def test_what_is_the_users_own_is_never_read() -> None:
    long = "x" * 9000
    text = f'# nr;name;# low;# low\n1;a;03. Jan;"{long}"\n2;b;\x01;0,5\n3;c;0.5\n'
    assert clean(text) == [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    assert clean('name;low\na;1\n# an open " quote\n# and "one";more "x" y\nb;2\n')[1] == {
        "name": "b", "low": "2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "above",
    ["", "# io list\n", "# io list; rev 3; by A\n# more\n", "\n;;\n", "sep=;\r\n", "SEP=;\n"],
)
def test_what_may_stand_above_the_header(above: str) -> None:
    assert clean(f"{above}name;low\na;1\n") == [{"name": "a", "low": "1"}]


def test_a_said_separator_wins() -> None:
    assert clean("sep=,\nname,a;b;c\nx,1\n") == [{"name": "x", "a;b;c": "1"}]


def test_a_header_that_begins_with_a_column_of_the_users_own() -> None:
    assert clean("# list of pumps, rev 3\n#;name;low\n1;a;0,5\n2;b;1,5\n") == [
        {"name": "a", "low": "0.5"}, {"name": "b", "low": "1.5"},
    ]  # fmt: skip


def test_one_column_needs_no_separator() -> None:
    assert clean("pump\nP-101\nP,102\n", numbers=None) == [{"pump": "P-101"}, {"pump": "P,102"}]


def test_headers_in_any_case_with_blanks() -> None:
    table = read("NAME;Raw  low; Stale After ;Property: Loop;x\na;1;2s;3;4\n")
    assert table.columns == ("name", "raw_low", "stale_after", "property:Loop", "x")


def test_parameters_get_the_spelling_they_have_in_the_plant() -> None:
    table = read("Pump;max FLOW;n\nP-1;0,5;7\n", numbers={"maxFlow", "max_Flow"})
    spelled = table.spelled(["pump", "max_Flow", "other"])
    assert spelled.columns == ("pump", "max_Flow", "n")
    assert spelled.rows[0].cells == {"pump": "P-1", "max_Flow": "0.5", "n": "7"}
    assert str(spelled.rows[0].spot_of("max_Flow")) == "io.csv:2:B (max_Flow)"
    assert table.spelled(["pump"]) is table


def test_a_lost_cell_is_spelled_too() -> None:
    report = Report("plant.yaml")
    table = read("pump;Max\nP-1;3. Jan\n", report, numbers={"MAX"}).spelled(["MAX"])
    assert table.rows[0].lost == {"MAX"}
    assert [str(p.place) for p in report.problems] == ["io.csv:2:B (max)"]


def test_numbers_of_which_nobody_has_said_that_they_are() -> None:
    [row] = clean("a;b;c;d;e;f\n0,5;1,5 bar;1,2,3;-,5;3. Jan;1.5\n", numbers=None)
    assert row == {"a": "0.5", "b": "1,5 bar", "c": "1,2,3", "d": "-.5", "e": "3. Jan", "f": "1.5"}
    assert clean('a,b\n"0,5",x\n', numbers=None) == [{"a": "0,5", "b": "x"}]


def test_a_comma_that_separates_is_no_decimal_one() -> None:
    assert clean('name,low,high\na,"0,5",1.5\n')[0]["low"] == "0,5", "the number reader refuses it"


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [
        ("0,5", "0.5"), ("-0,5", "-0.5"), ("+,5", "+0.5"), ("1,5e3", "1.5e3"), ("0,5%", "0.5%"),
        ("0,1/3", "0.1/3"), ("1,234,567", "1,234,567"), ("1.500,5", "1.500,5"), ("10", "10"),
        ("1 000,5", "1 000.5"), ("none", "none"), ("{max_flow}", "{max_flow}"),
        ("10^_SF", "10^_SF"),
    ],
)  # fmt: skip
def test_decimal_commas(typed: str, read_as: str) -> None:
    table = read(f"name;scale\na;{typed}\n")
    assert table.rows[0].cells["scale"] == read_as


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("03. Jan", "3.1"), ("3. Jan", "3.1"), ("3-Jan", "3.1"), ("03-Mar-2026", "3.3"),
        ("3 Mai", "3.5"), ("12. Dez", "12.12"), ("1. M\u00e4rz", "1.3"), ("1-M\u00e4r", "1.3"),
        ("Jan 3", "3.1"), ("Jan-26", "26.1"), ("Mrz 85", "3.85"), ("Feb. 2026", "2.26"),
        ("2026-01-03", "3.1"), ("2026-01-03 00:00:00", "3.1"), ("03.01.2026", "3.1"),
        ("1/3/2026", "3.1"), ("03. ao\u00fbt", "3.8"), ("4. Okt.", "4.10"), ("3 giu", "3.6"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["low", "deadband", "scale"])
def test_dates_where_numbers_were_meant(shown: str, typed: str, column: str) -> None:
    report = Report("plant.yaml")
    table = read(f"name;{column};description\na;{shown};{shown}\n", report)
    [problem] = report.problems
    assert problem.code == "E305"
    assert problem.seen == f"'{shown}' is a date"
    assert f"a number such as {typed}; format" in problem.remedy
    assert table.rows[0].lost == {column}
    assert table.rows[0].cells == {"name": "a", "description": shown}


@pytest.mark.parametrize("text", ["1/3", "12:30", "5 bar", "45. Jan", "3-xyz", "x3", "{n}", "none"])
def test_what_is_no_date_is_left_to_the_number_reader(text: str) -> None:
    assert clean(f"name;scale\na;{text}\n")[0]["scale"] == text


def test_all_quotes_wrong_are_told_up_to_a_bound() -> None:
    report = Report("plant.yaml")
    read("name;x\n" + 'a;"b" c\n' * 500, report)
    assert [p.code for p in report.problems] == ["E306"] * 20


@pytest.mark.parametrize(
    "raw",
    [
        b'name;low\na;"' + b"x" * (4 << 20),
        b'name;low\na;"' + b"x" * (4 << 20) + b'"\n',
        b'name;low\na;"' + b'""' * (2 << 20),
        b"name;low\n" + b'"\n' * (1 << 20),
        b"name;low\n" + b";" * (4 << 20),
        b"name;low\n" + b'"";' * (1 << 20),
        b"\r" * (4 << 20),
        b"#" * (4 << 20),
        b'"' * (4 << 20),
    ],
    ids=lambda raw: repr(raw[:14]),
)
def test_a_hostile_file_does_not_take_long(raw: bytes) -> None:
    begun = time.process_time()
    report = Report("plant.yaml")
    read_table(raw, "io.csv", "", report)
    assert report.problems
    assert time.process_time() - begun < 5


def test_ten_thousand_rows_of_twenty_columns_take_well_under_a_second() -> None:
    columns = [*sorted(NUMBERS), "name", "address", "type", "description", *"abcdefg"]
    lines = [";".join(columns)]
    lines += [";".join(["0,5"] * len(NUMBERS) + [f"text {n}"] * 11) for n in range(10_000)]
    raw = "\r\n".join(lines).encode()
    begun = time.process_time()
    table = read(raw)
    assert time.process_time() - begun < 2, "0.3 s where this was written"
    assert len(table.rows) == 10_000


CELLS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="#")
    | st.sampled_from(' ;,\t"\n'),
    max_size=12,
)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6),
    delimiter=st.sampled_from(";,\t"),
    terminator=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    bom=st.sampled_from(["", "\ufeff"]),
)
def test_what_python_writes_is_read(
    rows: list[list[str]], delimiter: str, terminator: str, quoting: int, bom: str
) -> None:
    if terminator == "\r" and quoting == csv.QUOTE_MINIMAL:
        quoting = csv.QUOTE_ALL  # Python would leave a cell with "\n" without quotes
    written = io.StringIO(newline="")
    out = csv.writer(written, delimiter=delimiter, lineterminator=terminator, quoting=quoting)
    out.writerow(["pump", "A text", "x"])
    out.writerows(rows)
    report = Report("plant.yaml")
    table = read(bom + written.getvalue(), report, numbers=())
    expected = [
        {
            column: cell.strip()
            for column, cell in zip(("pump", "a_text", "x"), row, strict=True)
            if cell.strip()
        }
        for row in rows
    ]
    assert [row.cells for row in table.rows] == [cells for cells in expected if cells]
    assert {p.code for p in report.problems} <= {"E301"}


@given(st.binary(max_size=400) | st.text('";,\t\n\r#a0.\ufeff', max_size=200).map(str.encode))
def test_any_bytes_are_a_table_or_problems(raw: bytes) -> None:
    for head in (b"", b"name;low\n"):
        report = Report("plant.yaml")
        table = read_table(head + raw, "io.csv", "", report)
        assert table is not None or report.stops
        for row in table.rows if table else ():
            assert all(row.cells.values())
            assert str(row.spot)
