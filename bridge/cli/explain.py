"""``tagbridge explain CODE|TOPIC``: what a code means, or how a part of the language works."""

import re
from importlib import resources

from rich.console import Console
from rich.text import Text

from mappings.errors import nearest

_CODE = re.compile(r"[EW][0-9]{3}")
_HEADING = re.compile(r"^## ([EW][0-9]{3}) (.*)$", re.MULTILINE)


def topics() -> list[str]:
    """The topics that have a page."""
    folder = resources.files("mappings") / "explain"
    names = sorted(item.name for item in folder.iterdir())
    return [
        n.removesuffix(".md")
        for n in names
        if n.endswith(".md") and n[0].islower() and n != "codes.md"
    ]


def code_pages() -> dict[str, tuple[str, str]]:
    """Title and text of each code's page."""
    text = (resources.files("mappings") / "explain" / "codes.md").read_text(encoding="utf-8")
    parts = _HEADING.split(text)[1:]
    return {
        code: (title, body.strip())
        for code, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def explain(word: str | None) -> int:
    """Print the page of a code or topic, or what there is; 1 if there is no such page."""
    console = Console(highlight=False)
    if word is None:
        console.print("Topics:")
        for topic in topics():
            console.print(f"    tagbridge explain {topic}")
        console.print("Codes of problems, as check prints them: tagbridge explain E402")
        return 0
    wanted = word.strip()
    if _CODE.fullmatch(wanted.upper()):
        return _explain_code(wanted.upper(), console)
    known = {topic.casefold(): topic for topic in topics()}
    if wanted.casefold() not in known:
        meant = nearest(wanted, known)
        hint = f"did you mean {meant!r}? " if meant else ""
        shown = Text(f"no page {wanted!r}\n    {hint}topics: {', '.join(known.values())}")
        Console(stderr=True, highlight=False, soft_wrap=True).print(shown)
        return 1
    page = resources.files("mappings") / "explain" / f"{known[wanted.casefold()]}.md"
    heading, _, body = page.read_text(encoding="utf-8").partition("\n")
    _print(console, heading.removeprefix("# "), body.strip())
    return 0


def _explain_code(code: str, console: Console) -> int:
    pages = code_pages()
    if code not in pages:
        meant = nearest(code, pages)
        hint = f"did you mean {meant}? " if meant else ""
        shown = Text(f"no code {code}\n    {hint}codes are printed by tagbridge check")
        Console(stderr=True, highlight=False, soft_wrap=True).print(shown)
        return 1
    title, body = pages[code]
    _print(console, f"{code}: {title}", body)
    return 0


def _print(console: Console, heading: str, body: str) -> None:
    console.print(Text(heading, style="bold"))
    console.print()
    for line in body.splitlines():
        console.print(Text(line.replace("`", ""), style="cyan" if line.startswith("    ") else ""))
