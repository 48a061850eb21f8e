"""``tagbridge schema``: JSON Schema for editors, or the keys of one section for people."""

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from drivers.registry import load_drivers
from mappings.errors import nearest
from mappings.plant.editor_schema import editor_schema


def schema(section: str | None) -> int:
    """Print the whole schema, or the keys of a section; 1 if there is no such section."""
    whole = editor_schema(load_drivers())
    if section is None:
        print(json.dumps(whole, ensure_ascii=False, indent=1))
        return 0
    part: Any = whole
    for name in section.split("."):
        known = _below(part, whole)
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean {meant!r}? " if meant else ""
            shown = Text(f"no key {name!r}\n    {hint}known here: {', '.join(known)}")
            Console(stderr=True, highlight=False, soft_wrap=True).print(shown)
            return 1
        part = known[name]
    console = Console(highlight=False)
    console.print(Text(section, style="bold"))
    for key, value in _below(part, whole).items():
        console.print(Text(f"    {key}: ").append(_words(_resolved(value, whole)), style="cyan"))
    return 0


def _resolved(part: Any, whole: Any) -> Any:
    reference = part.get("$ref") if isinstance(part, dict) else None
    return whole["$defs"][reference.rpartition("/")[2]] if reference else part


def _below(part: Any, whole: Any) -> dict[str, Any]:
    """The keys below a part; of a list of named things, those of one thing."""
    part = _resolved(part, whole)
    if "anyOf" in part:
        return {k: v for choice in part["anyOf"] for k, v in _below(choice, whole).items()}
    if part.get("properties"):
        return dict(part["properties"])
    inner = part.get("additionalProperties")
    return _below(inner, whole) if isinstance(inner, dict) else {}


def _words(part: Any) -> str:
    """What may stand after a key, in one line."""
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    if "const" in part:
        return str(part["const"])
    if part.get("properties"):
        return "{ " + ", ".join(part["properties"]) + " }"
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_words(choice) for choice in part["anyOf"]))
    if part.get("type") == "array":
        return "[ … ]"
    if part.get("type") == "object":
        return "{ NAME: … }"
    if "pattern" in part:
        return '"${file:…}", "${env:…}" or "${credential:…}"'
    if "description" in part:
        return str(part["description"]).splitlines()[0]
    kinds = part.get("type", "text")
    return "text" if kinds == "string" or isinstance(kinds, list) else str(kinds)
