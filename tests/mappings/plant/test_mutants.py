"""A thousand accidents to plants of several files: problems with places, never a traceback.

And how many misspelt words are answered with the right one. Seeded, so that a failure can be seen
again.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.registry import load_drivers
from mappings.plant.files import InMemory
from mappings.plant.problems import Problem
from mappings.plant.reader import read_plant
from tests.support.grammars import GRAMMARS
from tests.support.whole_plant import FILES

EXAMPLES = Path(__file__).parents[3] / "mappings" / "examples"
Texts = dict[str, str]

PLANTS: dict[str, Texts] = {"whole": FILES} | {
    folder.name: {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".yaml", ".csv"}
    }
    for folder in sorted(EXAMPLES.iterdir())
    if (folder / "plant.yaml").exists()
}
DRIVERS = load_drivers()

NOISE = "{}[]:,'\"#&*!|>%@`-?\t\n \\0aZ.é°\u2028\x85\x07~$;\u00ad\ufeff"
NEIGHBOURS = "qwertyuiopasdfghjklzxcvbnm"


def check(name: str, files: dict[str, str | bytes]) -> list[Problem]:
    """The problems of a plant, each at a place that exists."""
    drivers = GRAMMARS if name == "whole" else DRIVERS
    text = files["plant.yaml"]
    shown = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
    plant, problems = read_plant(shown, "plant.yaml", drivers, files=InMemory(files))
    assert (plant is None) == any(problem.stops for problem in problems)
    for problem in problems:
        assert problem.place.file in files, problem
        _inside(problem, files[problem.place.file])
        assert problem.seen, problem
        assert problem.remedy, problem
        assert problem.next.startswith("tagbridge "), problem
        assert "\n" not in problem.seen + problem.remedy, problem
        assert "{" not in problem.next, problem
    return problems


def _inside(problem: Problem, text: str | bytes) -> None:
    place = problem.place
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    # Lines as YAML counts them, and as spreadsheets do.
    lines = (text.splitlines() if place.header is None else re.split("\r\n|\r|\n", text)) or [""]
    assert 1 <= place.line <= len(lines), problem
    if place.header is None:
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1, problem
    else:
        widest = max(len(re.split("[;,\t]", line)) for line in lines)
        assert 1 <= place.column <= widest, problem


# Accidents: each takes the files of a plant, and chance.


def characters(files: Texts, chance: random.Random) -> Texts:
    """A piece deleted, doubled, moved, or overwritten by noise."""
    file = chance.choice(list(files))
    text = files[file]
    at, length = chance.randrange(len(text)), chance.choice([1, 1, 1, 2, 5, 30])
    piece, kind = text[at : at + length], chance.randrange(4)
    if kind == 0:
        text = text[:at] + text[at + length :]
    elif kind == 1:
        text = text[:at] + piece + text[at:]
    elif kind == 2:
        text = text[:at] + chance.choice(NOISE) + text[at + 1 :]
    else:
        other = chance.randrange(len(text))
        text = text[:at] + text[other : other + length] + text[at:]
    return files | {file: text}


def lines(files: Texts, chance: random.Random) -> Texts:
    """A line deleted, doubled, exchanged with another, or moved to the right or left."""
    file = chance.choice(list(files))
    found = files[file].split("\n")
    one, other = chance.randrange(len(found)), chance.randrange(len(found))
    kind = chance.randrange(4)
    if kind == 0:
        del found[one]
    elif kind == 1:
        found.insert(one, found[other])
    elif kind == 2:
        found[one], found[other] = found[other], found[one]
    else:
        found[one] = chance.choice([" " + found[one], found[one].strip()])
    return files | {file: "\n".join(found)}


def separators(files: Texts, chance: random.Random) -> Texts:
    """Another separator in a table, or in some of its lines."""
    tables = [file for file in files if file.endswith(".csv")] or [""]
    file = chance.choice(tables)
    if not file:
        return characters(files, chance)
    found = files[file].split("\n")
    old, new = chance.sample([";", ",", "\t", "|"], 2)
    most = chance.choice([1, len(found)])
    return files | {
        file: "\n".join(x.replace(old, new) for x in found[:most]) + "\n" + "\n".join(found[most:])
    }


def cells(files: Texts, chance: random.Random) -> Texts:
    """What spreadsheets and people put into cells."""
    file = chance.choice(list(files))
    values = list(re.finditer(r"(?<=[:;,] )[\w./-]+|(?<=[;,])[\w./-]+(?=[;,])", files[file]))
    if not values:
        return characters(files, chance)
    at = chance.choice(values)
    new = chance.choice([
        "03. Jan", "2026-03-01", "1.3.2026", "", "#REF!", "1E+05", "0,5", "'0,5'", "NaN", "-0",
        "9" * 60, "x" * 65_000, "\u00e9" * 30, "{n}", "{nn}", "{n*", "{{", "}", "none", "yes",
        "0x10", "1..3", "*", "**", "../../x", "/dev/null", "a\\0b", "\ud83c\udf7a", "plant.yaml",
    ])  # fmt: skip
    return files | {file: files[file][: at.start()] + new + files[file][at.end() :]}


def twins(files: Texts, chance: random.Random) -> Texts:
    """A line once more, its words in another case or with accents written otherwise."""
    file = chance.choice(list(files))
    found = files[file].split("\n")
    at = chance.randrange(len(found))
    changed = chance.choice([
        str.upper, str.swapcase, lambda t: unicodedata.normalize("NFD", t.replace("o", "ö")),
    ])  # fmt: skip
    found.insert(at + 1, changed(found[at]))
    return files | {file: "\n".join(found)}


def circles(files: Texts, chance: random.Random) -> Texts:
    """Files that include each other, templates that contain each other."""
    file = chance.choice([f for f in files if f.endswith(".yaml")])
    text = files[file]
    if chance.random() < 0.5:
        there = chance.choice(list(files))
        up = "../" * file.count("/")
        return files | {file: f"include: [{up}{there}, '{up}*.yaml']\n{text}"}
    names = re.findall(r"^  ([\w ]+):", text, re.MULTILINE) or ["x"]
    one, other = chance.choice(names), chance.choice(names)
    inner = (
        f"  {one}:\n    equipment: {{'X {{n}}': {{template: {other}, instances: {{n: 1..2}}}}}}\n"
    )
    return files | {file: text.replace(f"  {one}:\n", inner, 1)}


ACCIDENTS: list[Callable[[Texts, random.Random], Texts]] = [
    characters, characters, lines, lines, separators, cells, cells, twins, circles,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_fifty_accidents(seed: int) -> None:
    chance = random.Random(seed)
    names, harmful = list(PLANTS), 0
    for number in range(50):
        name = names[number % len(names)]
        files = PLANTS[name]
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            files = chance.choice(ACCIDENTS)(files, chance)
        broken: dict[str, str | bytes] = {**files}
        others = [f for f in files if f != "plant.yaml"]
        if others and chance.random() < 0.03:
            file = chance.choice(others)
            broken[file] = chance.choice([b"\xff\xfe\x00", files[file].encode("utf-16"), b""])
        harmful += any(problem.stops for problem in check(name, broken))
    assert harmful > 15, "these accidents are too harmless to test anything"


def misspelt(word: str, chance: random.Random) -> str:
    """A word as it is mistyped: letters swapped, doubled, left out, or the one beside it hit."""
    at, kind = chance.randrange(len(word)), chance.randrange(4)
    if kind == 0 and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    place = NEIGHBOURS.find(word[at])
    return word[:at] + NEIGHBOURS[(place + 1) % 26] + word[at + 1 :]


# Words that stand for something of the language or of the plant, where a slip has one right answer.
KEY = re.compile(r"(?<=[{,\s])([a-z]\w{2,})(?=: )")
LINE_KEY = re.compile(r"^\s+(?:- )?([a-z]\w{2,}):$", re.MULTILINE)
WORD = re.compile(
    r"(?:(?<=type: )|(?<=scan: )|(?<=class: )|(?<=link: )|(?<=template: )|(?<=access: )|"
    r"(?<=enum: )|(?<=gate: )|(?<=destination: )|(?<=rule: )|(?<=metric: )|(?<=retained: )|"
    r"(?<=retain: )|(?<=security: )|(?<=word_order: ))([^\W\d][\w/ -]{2,})(?=[,}\n])"
)
OWN = {
    "whole": {"scada", "mes", "hq", "pump", "motor", "fan", "stop", "mcc", "max_speed"},
    "brewery": {"scada", "mcc", "panel"},
    "cellar": {"scada", "pump", "max_flow", "max_speed"},
    "filling": {"scada", "mes", "bottles"},
    "full": {
        "scada",
        "mes",
        "mcc",
        "bottles",
        "crates",
        "hq",
        "boiler_state",
        "fast",
        "normal",
        "slow",
        "compressor",
        "pump",
    },
}
"""Names that a plant gives itself: where they are written first, a slip is another name."""


def tokens(name: str, file: str, text: str) -> Iterator[tuple[int, int, str]]:
    """Where a slip may happen: keys, columns and words."""
    if file.endswith(".csv"):
        head = text.partition("\n")[0]
        for match in re.finditer(r"[^;,]{3,}", head):
            if not match[0].startswith("#"):
                yield match.start(), match.end(), match[0]
        return
    bare = re.sub(r"#.*", lambda m: " " * len(m[0]), text)
    bare = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", lambda m: " " * len(m[0]), bare)
    for pattern in (KEY, LINE_KEY, WORD):
        for match in pattern.finditer(bare):
            if pattern is WORD or match[1] not in OWN.get(name, set()):
                yield match.start(1), match.end(1), match[1]


@pytest.mark.parametrize("name", PLANTS)
def test_a_misspelt_word_is_recognised(name: str) -> None:
    chance = random.Random(7)
    tried, missed = 0, []
    files = PLANTS[name]
    known = {word for file, text in files.items() for _, _, word in tokens(name, file, text)}
    for file, text in files.items():
        for start, end, word in tokens(name, file, text):
            slip = misspelt(word, chance)
            if slip in known or slip == word:
                continue
            tried += 1
            problems = check(name, {**files, file: text[:start] + slip + text[end:]})
            line = text.count("\n", 0, start) + 1
            here = [p for p in problems if (p.place.file, p.place.line) == (file, line)]
            if not any(re.search(rf"did you mean '?{{?{re.escape(word)}", p.remedy) for p in here):
                missed.append((file, line, word, slip, [str(problem) for problem in here]))
    print(f"{name}: {tried - len(missed)} of {tried} misspelt words recognised")
    assert tried >= 20
    assert len(missed) <= 0.05 * tried, missed
