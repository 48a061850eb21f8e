"""A disk in memory that can lose its power: what was not synced may be there, torn or gone.

Crash states follow what a journalling file system may leave behind: of each file's unsynced
writes every one may be kept, cut short or lost (with zeros in its place when a later one was
kept); each unsynced creation, removal and renaming may be undone.
"""

import errno
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Inode:
    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    """Since the last sync: offset and bytes."""

    def after_power_cut(self, rng: random.Random) -> "Inode":
        content = bytearray(self.synced)
        for start, written in self.writes:
            fate = rng.choice(("kept", "torn", "lost"))
            kept = {"kept": len(written), "lost": 0}.get(fate, rng.randrange(len(written) + 1))
            if kept:
                content.extend(bytes(max(0, start - len(content))))
                content[start : start + kept] = written[:kept]
        return Inode(content, bytes(content))


class SimFile:
    def __init__(self, disk: "Disk", path: Path, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode

    def append(self, content: bytes) -> None:
        self._disk.begin("append", self._path)
        inode = self._inode
        room = self._disk.capacity - self._disk.used
        part = content[: max(room, 0)]
        if part:
            inode.writes.append((len(inode.content), bytes(part)))
            inode.content += part
        if len(part) < len(content):
            raise OSError(errno.ENOSPC, "No space left on device")

    def sync(self) -> None:
        self._disk.begin("sync", self._path)
        self._inode.synced = bytes(self._inode.content)
        self._inode.writes.clear()

    def read(self, start: int, length: int) -> bytes:
        self._disk.begin("read", self._path)
        return bytes(self._inode.content[start : start + length])

    def close(self) -> None:
        pass


class Disk:
    """`Files` in memory. ``fail(operation, path)`` may raise OSError; ``watch`` sees each one."""

    def __init__(self, capacity: int = 1 << 40) -> None:
        self.capacity = capacity
        self.names: dict[Path, Inode] = {}
        self.synced_names: dict[Path, Inode] = {}
        self.fail: Callable[[str, Path], None] = lambda operation, path: None
        self.watch: Callable[[str, Path], None] = lambda operation, path: None
        self.operations = 0

    @property
    def used(self) -> int:
        return sum(len(inode.content) for inode in self.names.values())

    def begin(self, operation: str, path: Path) -> None:
        self.operations += 1
        self.watch(operation, path)
        self.fail(operation, path)

    def after_power_cut(self, rng: random.Random) -> "Disk":
        """What may be found when the power is back."""
        fates: dict[int, Inode] = {}
        disk = Disk(self.capacity)
        for path in self.names.keys() | self.synced_names.keys():
            now, synced = self.names.get(path), self.synced_names.get(path)
            inode = now if now is synced or rng.random() < 0.5 else synced
            if inode is not None:
                if id(inode) not in fates:
                    fates[id(inode)] = inode.after_power_cut(rng)
                disk.names[path] = fates[id(inode)]
        disk.synced_names = dict(disk.names)
        return disk

    def after_kill(self) -> "Disk":
        """What the next process finds when only this one died: everything written."""
        copies: dict[int, Inode] = {}

        def copy(inode: Inode) -> Inode:
            if id(inode) not in copies:
                copies[id(inode)] = Inode(
                    bytearray(inode.content), inode.synced, list(inode.writes)
                )
            return copies[id(inode)]

        disk = Disk(self.capacity)
        disk.names = {path: copy(inode) for path, inode in self.names.items()}
        disk.synced_names = {path: copy(inode) for path, inode in self.synced_names.items()}
        return disk

    # --- Files ------------------------------------------------------------------------------

    def lock(self, folder: Path) -> SimFile:
        return SimFile(self, folder / "lock", Inode())

    def sizes(self, folder: Path) -> Mapping[str, int]:
        return {p.name: len(i.content) for p, i in self.names.items() if p.parent == folder}

    def create(self, path: Path) -> SimFile:
        self.begin("create", path)
        if path in self.names:
            raise FileExistsError(path)
        self.names[path] = Inode()
        return SimFile(self, path, self.names[path])

    def open(self, path: Path) -> SimFile:
        self.begin("open", path)
        if path not in self.names:
            raise FileNotFoundError(path)
        return SimFile(self, path, self.names[path])

    def remove(self, path: Path) -> None:
        self.begin("remove", path)
        if path not in self.names:
            raise FileNotFoundError(path)
        del self.names[path]

    def rename(self, old: Path, new: Path) -> None:
        self.begin("rename", old)
        self.names[new] = self.names.pop(old)

    def sync_folder(self, folder: Path) -> None:
        self.begin("sync_folder", folder)
        for path in [p for p in self.synced_names if p.parent == folder]:
            del self.synced_names[path]
        self.synced_names.update({p: i for p, i in self.names.items() if p.parent == folder})
