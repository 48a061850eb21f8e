"""Files: the other texts of a plant, through somebody who may read.

This package opens nothing; whoever calls it hands in `Files`. A path is relative to the file that
names it, and messages show the two joined, as the user would type it: ``brewery/sdm630.csv``.
"""

import posixpath
from collections.abc import Mapping as Pairs
from fnmatch import fnmatchcase
from typing import Protocol

from mappings.errors import nearest
from mappings.plant.nodes import Node, Scalar, parse
from mappings.plant.problems import Place, Report


class Files(Protocol):
    """Somebody who reads files."""

    def read(self, path: str) -> bytes:
        """What is in a file; raises `OSError`, also for what is too large to be of a plant."""
        ...

    def names(self, folder: str, pattern: str) -> list[str]:
        """The plain files under a folder whose path from there matches, sorted.

        In a pattern ``*`` and ``?`` stand for characters of one name. No folder, no names.
        """
        ...


class InMemory:
    """Files that are nowhere but here: texts by path."""

    def __init__(self, texts: Pairs[str, str | bytes] | None = None) -> None:
        self.texts = dict(texts or {})

    def read(self, path: str) -> bytes:
        """See `Files`."""
        if path not in self.texts:
            raise FileNotFoundError(2, "No such file or directory", path)
        text = self.texts[path]
        return text if isinstance(text, bytes) else text.encode()

    def names(self, folder: str, pattern: str) -> list[str]:
        """See `Files`."""
        prefix = f"{folder}/" if folder else ""
        inside = (path.removeprefix(prefix) for path in self.texts if path.startswith(prefix))
        return sorted(path for path in inside if matches(path, pattern))


NO_FILES = InMemory()


def matches(path: str, pattern: str) -> bool:
    """Whether a path matches a pattern, name by name."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def joined(file: str, path: str) -> str:
    """A path as it is named in a file, as the user would type it where the file was named."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


class Shelf:
    """The files of one plant: each is read once, and what is wrong with it is told."""

    def __init__(self, files: Files, report: Report) -> None:
        self.files = files
        self.report = report
        self._raw: dict[str, bytes | OSError] = {}

    def raw(self, path: str, asked: Place) -> bytes | None:
        """What is in a file named at ``asked``; None with a problem in the report."""
        file = joined(asked.file, path)
        if file not in self._raw:
            try:
                self._raw[file] = self.files.read(file)
            except OSError as error:
                self._raw[file] = error
            except ValueError as error:  # a NUL in a name
                self._raw[file] = OSError(22, str(error))
        found = self._raw[file]
        if isinstance(found, bytes):
            return found
        if isinstance(found, FileNotFoundError):
            self._missing(path, asked)
        else:
            seen = f"{path!r} cannot be read: {found.strerror or found}"
            self.report.add("E110", asked, seen, "check its rights, and that it is a plain file")
        return None

    def text(self, path: str, asked: Place) -> str | None:
        """The text of a file named at ``asked``."""
        raw = self.raw(path, asked)
        return None if raw is None else decoded(raw, joined(asked.file, path), self.report)

    def tree(self, path: str, asked: Place) -> Node | None:
        """The tree of a YAML file; None where there is none, an empty one included."""
        text = self.text(path, asked)
        if text is None:
            return None
        file = joined(asked.file, path)
        root = parse(text, file, self.report)
        if isinstance(root, Scalar) and root.empty:
            return None
        return root

    def names(self, pattern: str, asked: Place) -> list[str]:
        """The paths that match a pattern named at ``asked``, relative to its file as it is."""
        fixed, _, rest = pattern.rpartition("/")
        if any(sign in fixed for sign in "*?["):
            return self.files.names(posixpath.dirname(asked.file), pattern)
        folder = posixpath.dirname(joined(asked.file, pattern))
        return [posixpath.join(fixed, name) for name in self.files.names(folder, rest)]

    def _missing(self, path: str, asked: Place) -> None:
        folder = posixpath.dirname(joined(asked.file, path))
        there = self.files.names(folder, "*")
        name = posixpath.basename(path)
        meant = nearest(name, there)
        shown = posixpath.join(posixpath.dirname(path), meant) if meant else ""
        hint = f"did you mean {shown!r}? " if meant else ""
        if not there and folder:
            hint += f"there is nothing in {folder}/"
        else:
            hint += f"looked in {folder or '.'}/"
        self.report.add("E202", asked, f"no file {path!r}", hint)


def decoded(raw: bytes, file: str, report: Report) -> str | None:
    """The text of a file's bytes; None with the place of the first wrong byte in the report."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", errors="ignore").split("\n")
        seen = f"the byte 0x{raw[error.start]:02X} here is not UTF-8"
        place = Place(file, len(before), len(before[-1]) + 1)
        report.add("E111", place, seen, "save the file as UTF-8")
        return None
