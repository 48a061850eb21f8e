"""asyncua's servers, started quickly: their 6,000 standard nodes are built once and then copied.

Building them takes two seconds of a processor, and there are hundreds of servers in this suite.
A node is copied when somebody asks for it, as asyncua itself does from a file (on slow machines).
"""

import pickle
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from asyncua.server.internal_server import InternalServer

_build = InternalServer.load_standard_address_space
_standard: dict[Any, bytes] = {}


class _Nodes(MutableMapping[Any, Any]):
    """A server's own nodes, and the standard ones from the moment they are asked for."""

    def __init__(self) -> None:
        self._own: dict[Any, Any] = {}
        self._rest = dict(_standard)

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._own[key]
        except KeyError:
            node = self._own[key] = pickle.loads(self._rest.pop(key))
            return node

    def __setitem__(self, key: Any, node: Any) -> None:
        self._rest.pop(key, None)
        self._own[key] = node

    def __delitem__(self, key: Any) -> None:
        if self._rest.pop(key, None) is None:
            del self._own[key]

    def __contains__(self, key: object) -> bool:
        return key in self._own or key in self._rest

    def __iter__(self) -> Iterator[Any]:
        return iter([*self._own, *self._rest])

    def __len__(self) -> int:
        return len(self._own) + len(self._rest)


async def _copied(self: InternalServer, shelf_file: Path | None = None) -> None:
    if not _standard:
        await _build(self, shelf_file)
        _standard.update({k: pickle.dumps(node) for k, node in self.aspace._nodes.items()})
    else:
        self.aspace._nodes = _Nodes()


def start_quickly() -> None:
    """From now on, in this process."""
    InternalServer.load_standard_address_space = _copied
