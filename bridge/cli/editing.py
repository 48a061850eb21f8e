"""Editing: what programs change in people's files is shown first, and what was there is kept.

`tidy` and `migrate` decide what changes; here it is read back before it is written, shown as a
diff, and written so that each file is the old one or the new one, whatever happens in between.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.cli.plant_files import OnDisk
from mappings.plant.edits import difference
from mappings.plant.tables.reader import is_workbook

BEFORE = ".before"
"""Added to the name of a file: its previous text."""


@dataclass(frozen=True, slots=True)
class Change:
    """The text of one file before and after, and why, in a few words."""

    file: str
    before: str
    after: str
    why: str


class Edited:
    """The files of a plant as they would be; ``found`` is what was read from the disk."""

    def __init__(self, changes: list[Change] | None = None) -> None:
        self.found: dict[str, bytes] = {}
        self._texts = {change.file: change.after.encode() for change in changes or ()}
        self._disk = OnDisk()

    def read(self, path: str) -> bytes:
        """See `mappings.plant.files.Files`."""
        if path in self._texts:
            return self._texts[path]
        self.found[path] = self._disk.read(path)
        return self.found[path]

    def names(self, folder: str, pattern: str) -> list[str]:
        """See `mappings.plant.files.Files`."""
        return self._disk.names(folder, pattern)


def texts_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """The texts among the files of a plant, with their byte order marks."""
    texts = {}
    for file, raw in files.items():
        if not is_workbook(file):
            with suppress(UnicodeDecodeError):  # told when the plant was read
                texts[file] = raw.decode()
    return texts


def show_changes(changes: list[Change]) -> None:
    """The diff, on standard output."""
    for change in changes:
        print(difference(change.file, change.before, change.after), end="")


def write_changes(changes: list[Change]) -> None:
    """Write all files or none, each with its previous text beside it.

    Raises OSError when a file cannot be written, or is not what was read any more.
    """
    done: list[Change] = []
    try:
        for change in changes:
            path = _unedited(change)
            _replace(path.with_name(path.name + BEFORE), change.before, like=path)
            _replace(path, change.after, like=path)
            done.append(change)
    except OSError:
        for change in done:
            path = Path(change.file).resolve()
            with suppress(OSError):
                _replace(path, change.before, like=path)
        raise


def say(line: str) -> None:
    """A line for people, beside the diff on standard output."""
    print(line, file=sys.stderr)


def finish(path: Path, changes: list[Change]) -> int:
    """Write all files, or say why none; the exit code."""
    try:
        write_changes(changes)
    except OSError as error:
        say(f"{path}: nothing is written: {error.strerror or error}")
        return 1
    for change in changes:
        say(f"{change.file}: {change.why}; the previous text is {change.file}{BEFORE}")
    return 0


def _unedited(change: Change) -> Path:
    """The file itself, where there is a link to it, so that the link stays one."""
    path = Path(change.file).resolve()
    if path.read_bytes() != change.before.encode():
        raise OSError(f"{change.file} has been edited meanwhile")
    return path


def _replace(path: Path, text: str, *, like: Path) -> None:
    """Put a text in place of a file in one step, with the rights of another."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(like.stat().st_mode & 0o7777)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
