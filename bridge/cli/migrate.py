"""``tagbridge migrate``: a plant of an older format becomes one of the format of this release.

The steps are in `mappings.plant.formats`. Their result is read before it is written: it has no
errors, and where this release reads the old format too, it is the same plant.
"""

from collections.abc import Sequence
from pathlib import Path

from bridge.cli.check import plant_file, read, show
from bridge.cli.editing import Change, Edited, finish, say, show_changes, texts_of
from mappings.plant.formats import STEPS, Step, migrated, steps_from, written_format
from mappings.plant.problems import shell_word
from mappings.plant.schema import FORMAT


def migrate(path: Path, *, write: bool, steps: Sequence[Step] = STEPS) -> int:
    """Show what has to change, with ``write`` change it; the exit code.

    1 when there is no way from the format of the plant, or the result would not be right.
    """
    files = Edited()
    plant, problems = read(path, files)
    file = str(plant_file(path))
    texts = texts_of(files.found)
    written = written_format(texts[file], file) if file in texts else None
    if written is None or written[0] > FORMAT:
        show(problems)
        return 1
    source, *_ = written
    if source == FORMAT:
        say(f"{file}: already format {FORMAT}, nothing to do")
        return 0
    way = steps_from(source, steps)
    if way is None:
        known = ", ".join(str(step.source) for step in steps) or "none so far"
        say(f"{file}: no way from format {source} to {FORMAT}; known older formats: {known}")
        return 1
    after = migrated(texts, file, way)
    why = f"format {source} to {FORMAT}"
    changes = [
        Change(name, text, after[name], why) for name, text in texts.items() if after[name] != text
    ]
    again, problems_again = read(path, Edited(changes))
    if again is None:
        show(problems_again)
        say(f"{path}: nothing is written; the plant would have these errors afterwards")
        return 1
    if plant is not None and again != plant:
        say(f"{path}: nothing is written; the plant would not be the same afterwards")
        return 1
    for step in way:
        say(f"format {step.source} to {step.source + 1}: {step.says}")
    show_changes(changes)
    if not write:
        say(f"nothing is written; next: tagbridge migrate {shell_word(str(path))} --write")
        return 0
    return finish(path, changes)
