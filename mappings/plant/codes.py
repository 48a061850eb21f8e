"""Codes: the command to type after a problem that has one.

What each code means is told in ``mappings/explain/codes.md``. Codes that begin with E stop, with W
warn, and a code that once meant something never means anything else.
"""

_PAGES = {
    "addresses": ("E401", "E404", "E405", "E406", "E407", "E410", "E411"),
    "columns": ("E303",),
    "commands": ("E702", "E703", "E704", "E222", "E223", "E224", "E225", "W228"),
    "conditions": ("E208", "E226", "E227"),
    "identity": ("E602", "E603", "E605", "E606", "E607", "E608", "W609", "E610", "E611"),
    "instances": ("E505", "E541", "E542", "E543", "E544", "E546", "E547", "E548", "E549"),
    "order": ("E409",),
    "types": ("E510",),
    "units": ("E521", "E522"),
}
_NEXT = {
    "E101": "tagbridge check {file}",
    "E202": "tagbridge check {plant}",
    "E205": "tagbridge schema links",
    "E545": "tagbridge schema templates",
    "E221": "tagbridge check {plant} --metrics",
    "E224": "tagbridge check {plant} --metrics",
    "E604": "tagbridge check {plant} --metrics",
} | {code: f"tagbridge explain {page}" for page, codes in _PAGES.items() for code in codes}


def next_of(code: str) -> str:
    """The command to type next after a problem; ``{plant}``, ``{file}`` and ``{code}`` in it."""
    return _NEXT.get(code, "tagbridge explain {code}")
