"""Codes: all that the product can tell, read from its sources."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _sources(*packages: str) -> list[str]:
    files = (path for package in packages for path in sorted((ROOT / package).rglob("*.py")))
    return [path.read_text(encoding="utf-8") for path in files]


def _codes(sources: list[str]) -> frozenset[str]:
    return frozenset(code for text in sources for code in re.findall(r'"([EW][0-9]{3})"', text))


SOURCES = _sources("mappings", "drivers", "bridge")
CODES = _codes(SOURCES)
READER = frozenset(code for code in _codes(_sources("mappings")) if code[1] != "4")
"""Those of the reader itself; addresses, E4xx, are judged by drivers."""
