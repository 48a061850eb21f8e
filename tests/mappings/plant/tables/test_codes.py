"""Every problem of a table: the bytes of a file, and exactly what is said about them."""

from dataclasses import dataclass

import pytest

from mappings.plant.problems import Report
from mappings.plant.tables.reader import read_table
from tests.support.codes import CODES
from tests.support.workbooks import Cell, workbook

HEAD = "name;address;type;low;high;# mine\n"


@dataclass(frozen=True)
class Case:
    raw: bytes
    said: tuple[str, ...]
    file: str = "io.csv"
    sheet: str = ""

    @property
    def codes(self) -> set[str]:
        return {line.split(": ", 1)[1][:4] for line in self.said[::2]}


def csv(text: str | bytes, *said: str, file: str = "io.csv", sheet: str = "") -> Case:
    return Case(text if isinstance(text, bytes) else text.encode(), said, file, sheet)


def xlsx(raw: bytes, *said: str, file: str = "io.xlsx", sheet: str = "") -> Case:
    return Case(raw, said, file, sheet)


DATE = "format the column as Text and type it again"
UTF_8 = 'choose "CSV UTF-8" when you save it'
BOOK = "save it as .xlsx; a text with separators is named .csv"

CASES = [
    # the file
    csv(
        "name;address\nM\u00fcller;x\nJ\u00e4ger;y\n".encode("cp1252"),
        "io.csv:2:A: E111 the byte 0xFC here is not UTF-8", f"Windows calls it '\u00fc'; {UTF_8}",
    ),
    csv(
        b"name;address\na;b\n# note;\x81\n",
        "io.csv:3:B: E111 the byte 0x81 here is not UTF-8", UTF_8,
    ),
    csv(
        "name;address\na;b\n".encode("utf-16"),
        "io.csv:1:A: E111 this is UTF-16, not UTF-8", UTF_8,
    ),
    csv(
        "name;address\na;b\n".encode("utf-16-le"),
        "io.csv:1:A: E111 this is UTF-16, not UTF-8", UTF_8,
    ),
    csv(
        "", "io.csv:1:A: E301 no header row in this table",
        "begin it with a row of column names, such as name;address;type",
    ),
    csv(
        "# only a comment\n\n;;\n", "io.csv:1:A: E301 no header row in this table",
        "begin it with a row of column names, such as name;address;type",
    ),
    csv(
        f"\n{HEAD}# none yet\n", "io.csv:2:A: E301 no rows in this table",
        "add rows below the header",
    ),
    csv(
        b"PK\x03\x04", "io.csv:1:A: E309 a workbook of a kind that is not read",
        "workbooks are .xlsx, text with separators is .csv: save it as one of them",
    ),
    csv(
        HEAD, "io.csv:1:A: E310 a text file has no sheets: 'Tags'",
        "remove '#Tags', or name a workbook", sheet="Tags",
    ),
    csv(
        b"name\n" + b"a\n" * (16 << 20), "io.csv:1:A: E314 more than 32 MiB: this is no table",
        "divide the table into several",
    ),
    csv(
        "name\n" + "a\n" * 100_001, "io.csv:100002:A: E314 more than 100000 rows",
        "divide the table into several",
    ),
    # the header row
    csv(
        "Name;low;NAME;# low;low\na;1;b;x;2\n",
        "io.csv:1:C: E302 column 'name' stands here twice",
        "the first is io.csv:1:A; to keep this one for yourself, head it '# name'",
        "io.csv:1:E: E302 column 'low' stands here twice",
        "the first is io.csv:1:B; to keep this one for yourself, head it '# low'",
    ),
    csv(
        "name;;low;\na;x;1;y\nb;x;1;\n",
        "io.csv:2:B: E304 a cell in a column without header: 'x'",
        "name the column in B1; to keep it for yourself, begin with #",
        "io.csv:2:D: E304 a cell in a column without header: 'y'",
        "name the column in D1; to keep it for yourself, begin with #",
    ),
    csv(
        f"{';'.join(f'c{n}' for n in range(300))}\na\n",
        "io.csv:1:IW: E314 more than 256 columns", "remove some, or divide the table",
    ),
    # rows and cells
    csv(
        "name;description\na;one; two\nb;x;;\n",
        "io.csv:2:C: E304 more cells than the 2 headers",
        "a cell that contains the separator must stand in double quotes",
    ),
    csv(
        "name,low\na,0,5\n", "io.csv:2:C: E304 more cells than the 2 headers",
        "a cell that contains the separator must stand in double quotes; "
        "numbers have a point: 0.5",
    ),
    csv(
        f"{HEAD}Voltage/L1;30001;float32;0;03. Jan;03. Jan\n",
        "io.csv:2:E (high): E305 '03. Jan' is a date",
        f"a spreadsheet made it out of a number such as 3.1; {DATE}",
    ),
    csv(
        f'{HEAD}a;1;bool;;;\n"b;2;bool;;;\nc;3;bool\n',
        "io.csv:3:A (name): E306 this quote is never closed", "add the closing quote",
    ),
    csv(
        f'{HEAD}a;1;bool;;;"mine" too\nb;"s="P".x";bool\nc;3;bool\n',
        "io.csv:2:F: E306 this cell goes on after its closing quote",
        'inside a cell in quotes write each quote twice: "s=""Pump"".Speed"',
        "io.csv:3:B (address): E306 this cell goes on after its closing quote",
        'inside a cell in quotes write each quote twice: "s=""Pump"".Speed"',
    ),
    csv(
        f"{HEAD}a;1;float32;0,5;10;\nb;1;float32;0,5;1.500;\n",
        "io.csv:3:E (high): E307 '1.500' and '0,5': decimal point and decimal comma in one table",
        "'0,5' stands at io.csv:2:D (low); write all numbers in one style",
    ),
    csv(
        f"{HEAD}a;1;float32;0.5;1.5;\nb;1;float32;0,5;1;\n",
        "io.csv:3:D (low): E307 '0,5' and '0.5': decimal point and decimal comma in one table",
        "'0.5' stands at io.csv:2:D (low); write all numbers in one style",
    ),
    csv(
        f"{HEAD}a;1;bool;;;{'x' * 5000}\nb;{'y' * 4097};bool\n",
        "io.csv:3:B (address): E308 a cell of 4097 characters; 4096 are the most",
        "shorten it; in CSV: is a quote missing that ends it?",
    ),
    csv(
        f"{HEAD}a\u200b;1\x00;bool;;;\x01\n",
        "io.csv:2:A (name): E308 the character U+200B in a cell, which nobody sees",
        "type the cell again instead of pasting it",
        "io.csv:2:B (address): E308 the character U+0000 in a cell, which nobody sees",
        "type the cell again instead of pasting it",
    ),
    csv(
        "na\u00adme;low\na;1\n",
        "io.csv:1:A: E308 the character U+00AD in a cell, which nobody sees",
        "type the cell again instead of pasting it",
    ),
    # workbooks
    xlsx(b"", "io.xlsx:1:1: E309 this workbook is empty", BOOK),
    xlsx(b"name;low\n", "io.xlsx:1:1: E309 this is no workbook", BOOK),
    xlsx(
        b"PK\x03\x04 cut", "io.xlsx:1:1: E309 this workbook is damaged (BadZipFile)",
        "open it, and save it again as .xlsx",
    ),
    xlsx(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "io.xlsx:1:1: E309 this workbook has a password, or is an old .xls",
        "save it as .xlsx, without a password",
    ),
    xlsx(
        workbook({"Tags": [["name"], ["a"]], "Pumps": [["pump"], ["P-1"]]}),
        "io.xlsx:1:1: E310 io.xlsx has 2 visible sheets: which one?",
        "write io.xlsx#Tags; its sheets: 'Tags', 'Pumps'",
    ),
    xlsx(
        workbook({"Tags": [["name"], ["a"]], "Pumps": [["pump"], ["P-1"]]}),
        "io.xlsx:1:1: E310 no sheet 'Pump' in io.xlsx",
        "did you mean 'Pumps'? its sheets: 'Tags', 'Pumps'", sheet="Pump",
    ),
    xlsx(
        workbook({"Tags": [["name", "low", "# x"], [Cell("#REF!", kind="e"), 1,
                                                    Cell("#N/A", kind="e")]]}),
        "io.xlsx!Tags:2:A (name): E311 #REF! instead of a value", "mend the formula or the cell",
    ),
    xlsx(
        workbook({"Tags": [["name", "low"], ["a", 1], ["b", 2]]}, merged=["A2:A9", "G1:G9"]),
        "io.xlsx!Tags:2:A (name): E312 the cells A2:A9 are merged",
        "unmerge them and fill each cell",
    ),
    xlsx(
        workbook({"Tags": [["name", "low"], ["a", "=1+1"]]}),
        "io.xlsx!Tags:2:B (low): E313 a formula without a stored value",
        "open the workbook, let it calculate, and save it",
    ),
    xlsx(
        workbook({"Tags": [["name"], ["a", *[None] * 255, "far"]]}),
        "io.xlsx!Tags:2:IW: E314 a cell beyond column 256", "remove it",
    ),
    xlsx(
        workbook({"Tags": [["name", "low"], ["a", 1], ["b", 2]]},
                 hidden_rows=[3], hidden_columns="B"),
        "io.xlsx!Tags:3:A (name): W315 hidden, but read: row 3",
        "a filter hides rows too; begin the first cell with # to leave a row out",
        "io.xlsx!Tags:1:B: W315 hidden, but read: column B",
        "unhide them; begin the header with # to leave a column out",
    ),
    xlsx(
        workbook({"Front": [], "Tags": [["name"], ["a"]]}, hidden_sheets=["Tags"]),
        "io.xlsx:1:1: W315 sheet 'Tags' of io.xlsx is hidden",
        "unhide it, so that people see what is read", sheet="Tags",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.file[3:]}-{c.said[0][:60]}")
def test_message(case: Case) -> None:
    report = Report("plant.yaml")
    read_table(case.raw, case.file, case.sheet, report)
    told = [line for p in report.problems for line in str(p).split("\n    ")]
    assert [line.split("   next: ")[0] for line in told] == list(case.said)
    ahead = [problem.next for problem in report.problems]
    assert ahead == [f"tagbridge explain {problem.code}" for problem in report.problems]


def test_every_code_of_tables_has_a_case() -> None:
    told_by_rows = {"E303"}
    ours = {code for code in CODES if code[1] == "3"} - told_by_rows
    assert {code for case in CASES for code in case.codes} == ours | {"E111"}
