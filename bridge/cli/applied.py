"""The plant that was applied last: the texts it was read from, kept beside the outbox.

So that ``tagbridge plan`` compares an edit with what runs, or ran last, and not with what somebody
remembers. A zip file, written whole and renamed into its place; secrets stay references in it.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.cli.plant_files import OnDisk

APPLIED = "applied.zip"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``run`` was told besides the plant."""

    at: tuple[str, ...] = ()
    outbox: str | None = None


class Remembering(OnDisk):
    """Reads as `OnDisk` does, and keeps what was read. See `mappings.plant.files.Files`."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}
        self.found: dict[tuple[str, str], list[str]] = {}

    def read(self, path: str) -> bytes:
        """What is in a plain file; raises `OSError`."""
        raw = self.texts[path] = super().read(path)
        return raw

    def names(self, folder: str, pattern: str) -> list[str]:
        """The plain files that match, relative to the folder."""
        found = self.found[folder, pattern] = super().names(folder, pattern)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was applied: the plant file, the options, when (ms since 1970), and all that was read.

    It reads as the disk did then: see `mappings.plant.files.Files`.
    """

    plant: str
    options: Options
    applied_ms: int
    texts: dict[str, bytes] = field(repr=False)
    found: dict[tuple[str, str], list[str]]

    def read(self, path: str) -> bytes:
        """What was in a file; FileNotFoundError for one that was not read."""
        try:
            return self.texts[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def names(self, folder: str, pattern: str) -> list[str]:
        """The files that matched."""
        return self.found.get((folder, pattern), [])


def keep(folder: Path, plant: str, options: Options, read: Remembering, applied_ms: int) -> None:
    """Write down what was applied; raises OSError."""
    index = {
        "plant": plant, "at": list(options.at), "outbox": options.outbox,
        "applied_ms": applied_ms, "files": list(read.texts),
        "found": [[folder, pattern, names] for (folder, pattern), names in read.found.items()],
    }  # fmt: skip
    fresh = folder / (APPLIED + ".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(_INDEX, json.dumps(index, ensure_ascii=False))
        for number, text in enumerate(read.texts.values()):
            file.writestr(str(number), text)
    fresh.chmod(0o640)
    fresh.replace(folder / APPLIED)


def kept(folder: Path) -> Applied | None:
    """What was applied last over an outbox folder; None if nothing ever was.

    Raises OSError, or ValueError for a file that is none of ours.
    """
    try:
        with zipfile.ZipFile(folder / APPLIED) as file:
            index = json.loads(file.read(_INDEX))
            paths: Sequence[str] = index["files"]
            texts = {path: file.read(str(number)) for number, path in enumerate(paths)}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{folder / APPLIED} is damaged: {error}") from error
    return Applied(
        plant=index["plant"],
        options=Options(at=tuple(index["at"]), outbox=index["outbox"]),
        applied_ms=index["applied_ms"],
        texts=texts,
        found={(folder, pattern): names for folder, pattern, names in index["found"]},
    )
