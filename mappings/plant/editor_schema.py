"""The editors' schema: the keys of the plant file as JSON Schema, so that editors complete them.

Made from the same models that read a plant, and more generous than they are: an editor sees what
YAML makes of a text, knows no placeholders, and cannot look into other files. `check` judges.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mappings.plant.broker_schema import DestinationBlock, EdgeNodeBlock, LinkLoginBlock
from mappings.plant.columns import COLUMNS
from mappings.plant.defaults import DEFAULTABLE
from mappings.plant.grammar import Grammar, takes_login
from mappings.plant.schema import (
    FORMAT,
    DeviceBlock,
    LinkBlock,
    LoggingBlock,
    OutboxBlock,
    PkiBlock,
    PlaceBlock,
    UnitBlock,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CELL = {"type": ["string", "number", "boolean"]}
_TEXT = {"type": "string"}
_DEFAULTS = {
    "type": "object",
    "properties": dict.fromkeys(DEFAULTABLE, _CELL),
    "patternProperties": {"^(property:|#)": _CELL},
    "additionalProperties": False,
}


def editor_schema(drivers: Mapping[str, Grammar]) -> dict[str, Any]:
    """The schema of a whole plant file."""
    made = _Schema()
    sections = {
        "tagbridge": {"const": FORMAT},
        "include": {"type": "array", "items": _TEXT},
        "place": made.of(PlaceBlock),
        "edge_node": made.of(EdgeNodeBlock),
        "destinations": _named(made.of(DestinationBlock)),
        "outbox": made.of(OutboxBlock),
        "scans": _named(_TEXT),
        "defaults": _DEFAULTS,
        "enums": _named(_named(_CELL)),
        "units": _named(made.of(UnitBlock)),
        "links": _named(_any_of(_link(made, driver) for driver in drivers.values())),
        "devices": _named(_device(made, drivers, DeviceBlock)),
        "templates": _named(_device(made, drivers)),
        "pki": made.of(PkiBlock),
        "logging": made.of(LoggingBlock),
    }
    # Sections whose names and conditions only `check` can judge.
    sections |= {name: {"type": "object"} for name in ("commands", "rules", "web", "relay")}
    return {
        "$schema": _DIALECT,
        "title": f"tagbridge plant file, format {FORMAT}",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
        "$defs": made.definitions,
    }


class _Schema:
    """Schemas of models, whose own parts are collected as definitions."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, *models: type[BaseModel]) -> dict[str, Any]:
        """One mapping with the keys of all models."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        for model in models:
            schema = _tidied(model.model_json_schema())
            self.definitions |= schema.pop("$defs", {})
            properties |= schema.get("properties", {})
            required += schema.get("required", [])
        found: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            found["required"] = required
        return found | {"additionalProperties": False}


def _tidied(schema: Any) -> Any:
    """Without pydantic's titles, without null, and without defaults, which are in its own units."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return _tidied(choices[0])
    kept = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _tidied(field) for name, field in value.items()}
        elif key not in {"title", "default"}:
            kept[key] = _tidied(value)
    return kept


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _any_of(schemas: Any) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


def _link(made: _Schema, driver: Grammar) -> dict[str, Any]:
    more = [LinkLoginBlock] if takes_login(driver) else []
    return made.of(LinkBlock, *more, driver.link_model)


def _device(
    made: _Schema, drivers: Mapping[str, Grammar], *models: type[BaseModel]
) -> dict[str, Any]:
    """A device, or a template, which has the same keys and parameters besides."""
    schema = made.of(*models)
    keys = schema["properties"]
    for name, driver in drivers.items():
        more = [LinkLoginBlock] if takes_login(driver) else []
        block = made.of(LinkBlock, *more, driver.link_model, driver.device_model)
        block.pop("required", None)  # a template or a link may say it
        block["properties"]["link"] = _TEXT
        keys[name] = block
    row = {"type": "object", "properties": dict.fromkeys(COLUMNS, _CELL)}
    rows = {"anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_TEXT, row]}}]}
    keys["tags"] = rows
    keys["defaults"] = _DEFAULTS
    keys["template"] = _TEXT
    keys["instances"] = {"type": ["array", "object", "string"]}
    keys["equipment"] = _named({"type": "object"})
    if not models:
        keys["parameters"] = _named({"type": ["string", "object"]})
    schema.pop("required", None)
    return schema
