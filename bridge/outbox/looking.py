"""Looking: what an outbox holds that no gateway has open; changes nothing on the disk."""

import errno
import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.outbox.commits import Opened
from bridge.outbox.files import File, OsFile, OsFiles
from bridge.outbox.store import SMALLEST_SIZE, Store
from bridge.outbox.words import Extent, Incident, Ledger, OutboxLocked, PointKey


class ReadOnlyFiles(OsFiles):
    """The operating system's files, of which none is made, changed or removed."""

    def lock(self, folder: Path) -> File:
        """The lock file, if nobody holds it; given back at once, as nothing is changed."""
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        file = OsFile(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError as error:
            holder = file.read(0, 32).decode("ascii", "replace").strip() or "unknown"
            file.close()
            raise OutboxLocked(f"the outbox {folder} is in use by process {holder}") from error
        return file

    def create(self, path: Path) -> File:
        """Refused."""
        raise _refused(path)

    def remove(self, path: Path) -> None:
        """Refused."""
        raise _refused(path)

    def rename(self, old: Path, new: Path) -> None:
        """Refused."""
        del new
        raise _refused(old)

    def sync_folder(self, folder: Path) -> None:
        """Nothing was changed."""


def _refused(path: Path) -> OSError:
    return OSError(errno.EROFS, "only looking", str(path))


def outboxes(folder: Path) -> list[Path]:
    """The outboxes in a plant's outbox folder; raises OSError if it cannot be listed."""
    with os.scandir(folder) as found:
        names = sorted(item.name for item in found if item.is_dir())
    return [folder / name for name in names if (folder / name / "lock").exists()]


def look(
    folder: Path, keys: Mapping[str, Sequence[PointKey]]
) -> tuple[Ledger, Extent, Sequence[Incident]]:
    """What an outbox holds: totals, size, and what is wrong with it.

    ``keys`` are those of the plant that ran last; without them nobody knows how old it is. Raises
    `OutboxLocked` if a gateway has it open, OSError if it cannot be read.
    """
    files = ReadOnlyFiles()
    files.lock(folder).close()
    store = Store(folder, keys, max_size=max(SMALLEST_SIZE, 1 << 62), files=files)
    opened: Opened = store.open()
    cursor = opened.cursor
    ledger = Ledger(
        accepted=cursor.accepted,
        confirmed=cursor.confirmed,
        buffered=cursor.buffered,
        evicted=cursor.evicted,
        discarded=cursor.discarded,
        quarantined=cursor.quarantined,
    )
    return ledger, store.extent(cursor.owed), opened.incidents
