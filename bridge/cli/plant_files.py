"""Plant files: what the plant reader is given to read with, bounded and read-only."""

import errno
from pathlib import Path

LARGEST = 64 << 20  # bytes; 10,000 points take 2 MB
_MOST_NAMES = 10_000


class OnDisk:
    """See `mappings.plant.files.Files`."""

    def read(self, path: str) -> bytes:
        """What is in a plain file; raises `OSError`."""
        with Path(path).open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise OSError(errno.EFBIG, f"more than {LARGEST >> 20} MiB: this is no plant file")
        return raw

    def names(self, folder: str, pattern: str) -> list[str]:
        """The plain files that match, relative to the folder."""
        root = Path(folder or ".")
        found: list[str] = []
        try:
            for path in root.glob(pattern):
                if path.is_file():
                    found.append(path.relative_to(root).as_posix())
                if len(found) >= _MOST_NAMES:
                    break
        except (OSError, ValueError, NotImplementedError):
            return []
        return sorted(found)
