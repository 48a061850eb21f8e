"""Files: the few operations on a folder that the outbox needs, so that tests can put a disk of
their own in their place and cut its power at any of them.

Every operation raises OSError when it fails. Nothing here retries: after a failed sync the kernel
may have dropped what it could not write, and a second sync would "succeed".
"""

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from bridge.outbox.words import OutboxLocked


class File(Protocol):
    """An open file."""

    def append(self, content: bytes) -> None:
        """Write all of it at the end."""
        ...

    def sync(self) -> None:
        """Return when everything appended so far is on the disk."""
        ...

    def read(self, start: int, length: int) -> bytes:
        """The bytes from ``start`` on; fewer at the end of the file."""
        ...

    def close(self) -> None:
        """Let go of it; nothing is synced."""
        ...


class Files(Protocol):
    """A file system, as far as it matters here."""

    def lock(self, folder: Path) -> File:
        """Create the folder if need be and hold it until the result is closed.

        Raises `OutboxLocked` if another process holds it.
        """
        ...

    def sizes(self, folder: Path) -> Mapping[str, int]:
        """The files of a folder and their sizes in bytes; empty if there is no such folder."""
        ...

    def create(self, path: Path) -> File:
        """A new file, open for appending and reading; FileExistsError if there is one."""
        ...

    def open(self, path: Path) -> File:
        """A file that exists, open for reading and syncing."""
        ...

    def remove(self, path: Path) -> None:
        """Unlink."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Move, creating the target's folder if need be."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return when files created in and removed from the folder are so on the disk too."""
        ...


class OsFile:
    """A file of the operating system."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, content: bytes) -> None:
        """Write all of it at the end."""
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        """Data, and of the inode what is needed to read it."""
        os.fdatasync(self._descriptor)

    def read(self, start: int, length: int) -> bytes:
        """The bytes from ``start`` on; fewer at the end of the file."""
        parts: list[bytes] = []
        while length > 0:
            part = os.pread(self._descriptor, length, start)
            if not part:
                break
            parts.append(part)
            start += len(part)
            length -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


class OsFiles:
    """The operating system's files."""

    def lock(self, folder: Path) -> File:
        """An flock on ``folder/lock``, which also tells the process id."""
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise OutboxLocked(
                f"the outbox {folder} is in use by process {holder}; only one gateway may have it "
                "open: stop that one, or give this one a folder of its own"
            ) from error
        with suppress(OSError):  # a full disk; the process id is a comfort only
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return OsFile(descriptor)

    def sizes(self, folder: Path) -> Mapping[str, int]:
        """The regular files of a folder."""
        if not folder.is_dir():
            return {}
        with os.scandir(folder) as found:
            return {item.name: item.stat().st_size for item in found if item.is_file()}

    def create(self, path: Path) -> File:
        """Readable by owner and group, as values are nobody else's business."""
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return OsFile(os.open(path, flags, 0o640))

    def open(self, path: Path) -> File:
        """For reading; Linux lets such a descriptor be synced as well."""
        return OsFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def remove(self, path: Path) -> None:
        """Unlink."""
        path.unlink()

    def rename(self, old: Path, new: Path) -> None:
        """Move within the file system."""
        new.parent.mkdir(parents=True, exist_ok=True)
        old.replace(new)

    def sync_folder(self, folder: Path) -> None:
        """Sync the directory itself."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
