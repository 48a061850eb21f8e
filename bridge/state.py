"""The state file: bdSeq and aliases of each edge node, kept over restarts.

A small JSON file of its own, replaced atomically (write, fsync, rename, fsync of the folder), so
that nothing that happens to an outbox resets them. A damaged file is set aside and said: the node
then begins at bdSeq 0 with new aliases, which the births announce.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_FORMAT = 1
_BDSEQ_COUNT = 256


class StateError(Exception):
    """The state file cannot be read or written; says where and what to check."""


class StateFile:
    """The file; one object for each running gateway, which alone writes it.

    ``set_aside`` is the path of a damaged file that was found on opening, or None. ``unwritten``
    is why the last bdSeq could not be written, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set_aside: Path | None = None
        self.unwritten: StateError | None = None
        self._nodes: dict[str, dict[str, Any]] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except OSError as error:
            check = "is the outbox folder a folder, and may this user read it?"
            raise StateError(f"cannot read {path}: {error.strerror}; {check}") from error
        except UnicodeDecodeError:
            self._put_aside()
            return
        try:
            self._nodes = _checked(json.loads(text))
        except (ValueError, TypeError, KeyError):
            self._put_aside()

    def next_bd_seq(self, node: str) -> int:
        """The bdSeq for a CONNECT that is about to be sent: on disk before it is returned.

        0 first, then one more each time, 255 then 0; shared by all servers of the node
        (tck-id-payloads-ndeath-bdseq, tck-id-topics-nbirth-bdseq-increment).

        A disk that is full or fails leaves it in memory, and the reason in ``unwritten``: only a
        crash can then repeat a number, whereas not connecting would cost what is measured.
        """
        entry = self._node(node)
        last = entry["bd_seq"]
        bd_seq = 0 if last is None else (last + 1) % _BDSEQ_COUNT
        entry["bd_seq"] = bd_seq
        self.unwritten = None
        try:
            self._write()
        except StateError as error:
            self.unwritten = error
        return bd_seq

    def aliases(self, node: str, points: Iterable[tuple[str, str]]) -> list[int]:
        """The alias of each point, given as (device, id); device ``""`` is the node itself.

        Unique over the node and all its devices, from 1 (several hosts read 0 as "none"), and the
        same for the same id for ever: an alias is not given to another point later.
        """
        entry = self._node(node)
        known: dict[str, int] = entry["aliases"]
        highest = max(known.values(), default=0)
        before = highest
        out = []
        for device, point in points:
            key = f"{device}/{point}"  # no device name holds a "/"
            alias = known.get(key)
            if alias is None:
                highest += 1
                alias = known[key] = highest
            out.append(alias)
        if highest != before:
            self._write()
        return out

    def _node(self, node: str) -> dict[str, Any]:
        return self._nodes.setdefault(node, {"bd_seq": None, "aliases": {}})

    def _put_aside(self) -> None:
        aside = self.path.with_suffix(".damaged")
        try:
            self.path.replace(aside)
        except OSError as error:
            raise StateError(
                f"{self.path} is damaged and cannot be set aside: {error.strerror}"
            ) from error
        self.set_aside = aside

    def _write(self) -> None:
        text = json.dumps({"format": _FORMAT, "nodes": self._nodes}, ensure_ascii=False, indent=1)
        fresh = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink()  # on a full disk, what is left of it takes room
            raise StateError(
                f"cannot write {self.path}: {error.strerror}; check rights and free space"
            ) from error


def _checked(document: Any) -> dict[str, dict[str, Any]]:
    """The nodes of a document, or ValueError: a wrong alias would be a value on a wrong tag."""
    if document["format"] != _FORMAT:
        raise ValueError("another format")
    nodes: dict[str, dict[str, Any]] = document["nodes"]
    for entry in nodes.values():
        bd_seq, aliases = entry["bd_seq"], entry["aliases"]
        if bd_seq is not None and bd_seq not in range(_BDSEQ_COUNT):
            raise ValueError("bdSeq out of range")
        numbers = list(aliases.values())
        if len(set(numbers)) != len(numbers) or not all(
            isinstance(n, int) and n > 0 for n in numbers
        ):
            raise ValueError("aliases not unique")
    return nodes
