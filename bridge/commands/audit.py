"""The audit log of commands: files of a chain, written by one thread, bounded.

What is to be sure on disk before a machine moves is (`write` with ``sure``): when that fails,
nothing is written to the machine. A file that failed is never written to again. The oldest file is
given up when there are too many; the chain goes on.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bridge.commands.chain import FIRST, Verdict, line_of, read_line, verify
from bridge.outbox.worker import Worker

_CLOSE_S = 1.0
_NAME = re.compile(r"audit-(\d{6,})\.jsonl")
FOLDER = "commands.audit"
"""The folder's name, beside the outboxes."""


class AuditError(Exception):
    """The log cannot be written; the text says why, and where."""


class Audit:
    """The audit log in ``folder``, which is made when the first record is written.

    The counterpart of a single owner: nobody else writes there while this lives.
    """

    def __init__(self, folder: Path, *, most_bytes: int = 8 << 20, most_files: int = 8) -> None:
        self._log = _Log(folder, most_bytes, most_files)
        self._worker: Worker | None = None
        self.head = ""
        """The hash of the last record; empty before there is one."""
        self.number = 0
        """The number of the last record."""

    async def write(self, records: Sequence[Mapping[str, Any]], *, sure: bool) -> None:
        """Append records; with ``sure`` they are on the disk when this returns.

        Raises `AuditError`; then none of them is in the log for sure.
        """
        if self._worker is None:
            self._worker = Worker("audit")
        taken = list(records)
        try:
            self.number, self.head = await self._worker.run(lambda: self._log.append(taken, sure))
        except OSError as error:
            where = error.filename or self._log.folder
            raise AuditError(f"{where}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Let go of the file; of a disk that hangs after a second."""
        if self._worker is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._worker.run(self._log.close)
        self._worker.stop()
        self._worker = None


class _Log:
    """The files; every method blocks, and is called by one thread at a time."""

    def __init__(self, folder: Path, most_bytes: int, most_files: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._file: int | None = None  # a descriptor
        self._size = 0
        self._number = 0
        self._head = FIRST
        self._unsure = 0  # records of which the disk may have taken some
        self._opened = False

    def append(self, records: Sequence[Mapping[str, Any]], sure: bool) -> tuple[int, str]:
        if not self._opened:
            self._recover()
            self._opened = True
        if self._file is None or self._size >= self._most_bytes:
            self._begin()
        lines, number, head = [], self._number, self._head
        for record in records:
            number += 1
            line, head = line_of(record, number, head)
            lines.append(line)
        self._put("".join(f"{line}\n" for line in lines), len(lines), sure)
        self._number, self._head = number, head
        return number, head

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _put(self, text: str, count: int, sure: bool) -> None:
        assert self._file is not None
        data = text.encode()
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            if sure:
                os.fsync(self._file)
        except OSError:
            # What the disk has of these lines nobody knows: the next file goes on before them.
            self._unsure += count
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
            raise
        self._size += len(data)

    def _begin(self) -> None:
        """A new file, and the oldest given up if there are too many."""
        self.close()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        numbers = [number for number, _ in files_of(self.folder)]
        path = self.folder / _name(max(numbers, default=0) + 1)
        record: dict[str, Any] = {
            "at": time_text(None),
            "what": "began",
            "version": version("tagbridge"),
        }
        if self._unsure:
            record["unsure"] = self._unsure
        line, head = line_of(record, self._number + 1, self._head)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        self._size = 0
        try:
            self._put(line + "\n", 1, sure=True)
            _sync_folder(self.folder)
        except OSError:
            self.close()
            with contextlib.suppress(OSError):
                path.unlink()  # or a disk that stays full would drive out the old files
            raise
        self._unsure = 0
        self._number, self._head = self._number + 1, head
        for number in numbers[: max(0, len(numbers) + 1 - self._most_files)]:
            (self.folder / _name(number)).unlink()

    def _recover(self) -> None:
        """Go on after what earlier runs have written."""
        found = files_of(self.folder)
        for number, path in reversed(found):
            if self._last_of(number, path):
                return

    def _last_of(self, number: int, path: Path) -> bool:
        """Go on after this file's last record; whether it has one."""
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].decode("utf-8", "replace").split("\n")[:-1]
        for after, line in enumerate(reversed(lines)):
            record = read_line(line)
            if record is None or not isinstance(record.get("n"), int):
                continue
            self._number, self._head = record["n"], record["hash"]
            if number == max(n for n, _ in files_of(self.folder)) and not after:
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
                if whole < len(data):  # a line that a crash cut short: nobody relied on it
                    os.ftruncate(self._file, whole)
                self._size = whole
            else:
                self._unsure = after
            return True
        return False


def _name(number: int) -> str:
    return f"audit-{number:06}.jsonl"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files_of(folder: Path) -> list[tuple[int, Path]]:
    """The files of a log by their numbers, oldest first; raises OSError unless there is none."""
    try:
        names = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted((int(match[1]), path) for match, path in names if match)


def verify_folder(folder: Path) -> Verdict:
    """Judge the log in a folder; raises OSError."""
    return verify(
        (number, path.name, path.read_text(encoding="utf-8", errors="replace"))
        for number, path in files_of(folder)
    )


def time_text(ms: int | None) -> str:
    """A time as records carry it: UTC, milliseconds; now, if there is none."""
    moment = datetime.now(UTC) if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
