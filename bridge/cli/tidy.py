"""``tagbridge tidy``: mend small disorder in the files of a plant, and nothing else.

The rules are in `mappings.plant.tidying`. A plant with errors is not tidied: that an edit keeps
its meaning can be told only of a plant that has one.
"""

from collections import Counter
from pathlib import Path

from bridge.cli.check import read, show
from bridge.cli.editing import Change, Edited, finish, say, show_changes, texts_of
from mappings.plant.edits import applied, reasons
from mappings.plant.problems import Problem, shell_word
from mappings.plant.tables.reader import is_workbook
from mappings.plant.tidying import means_the_same, tidied


def tidy(path: Path, *, write: bool, check: bool) -> int:
    """Show what is untidy, with ``write`` mend it; the exit code.

    1 when the plant has errors, nothing could be written, or with ``check`` something is untidy.
    """
    files = Edited()
    plant, problems = read(path, files)
    if any(problem.stops for problem in problems):
        show(problems)
        say(f"{path}: not tidied; mend the errors first")
        return 1
    for book in filter(is_workbook, files.found):
        say(f"{book}: workbooks are not edited")
    changes = _changes(texts_of(files.found))
    if not changes:
        say(f"{path}: tidy already")
        return 0
    again, problems_again = read(path, Edited(changes))
    if again != plant or _told(problems_again) != _told(problems):
        say(f"{path}: not tidied; the plant would not be the same afterwards")
        return 1
    show_changes(changes)
    if not write:
        for change in changes:
            say(f"{change.file}: {change.why}")
        say(f"nothing is written; next: tagbridge tidy {shell_word(str(path))} --write")
        return 1 if check else 0
    return finish(path, changes)


def _changes(texts: dict[str, str]) -> list[Change]:
    changes = []
    for file, text in texts.items():
        edits = tidied(file, text)
        after = applied(text, edits)
        if after == text:
            continue
        if means_the_same(file, text, after):
            changes.append(Change(file, text, after, reasons(edits)))
        else:
            say(f"{file}: left as it is; an edit would change what it means")
    return changes


def _told(problems: list[Problem]) -> Counter[tuple[str, str]]:
    return Counter((problem.code, problem.seen) for problem in problems)
