"""Where the control socket of a gateway is, and how to name it to the kernel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET = "control.sock"
"""Its name in the outbox folder, which one running gateway has to itself."""


@contextmanager
def reached(folder: Path) -> Iterator[str]:
    """A name of the socket in ``folder`` that is short enough for the kernel, for this block.

    A socket's path may have 107 bytes, a folder's many more: it is reached through an open
    descriptor of the folder. Raises OSError if there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
