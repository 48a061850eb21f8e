"""The editors' schema: it accepts what the reader accepts, and finds what a completion would."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from drivers.registry import load_drivers
from mappings.plant.editor_schema import editor_schema
from mappings.plant.schema import SECTIONS

EXAMPLES = Path(__file__).parents[3] / "mappings" / "examples"
SCHEMA = editor_schema(load_drivers())


class EditorLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: yes and no are texts, 12:30 is one too."""


EditorLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in found if not tag.endswith((":bool", ":timestamp"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def faults(text: str) -> list[str]:
    plant = yaml.load(text, EditorLoader)
    judge = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{list(error.absolute_path)}: {error.message}" for error in judge.iter_errors(plant)]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_section_is_there():
    assert set(SCHEMA["properties"]) == set(SECTIONS)


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("plant.yaml")) + sorted(EXAMPLES.glob("*.yaml")), ids=str
)
def test_examples_are_accepted(path: Path):
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "tagbridge: 2",
        "tagbridge: 1\ndevicez: {}",
        "tagbridge: 1\noutbox: {maxsize: 1 GiB}",
        "tagbridge: 1\noutbox: {durability: none}",
        "tagbridge: 1\ndestinations: {a: {servers: mqtt://a}}",
        "tagbridge: 1\ndestinations: {a: {servers: [], login: {user: a, password: secret}}}",
        "tagbridge: 1\ndevices: {a: {modbus: {units: 1}}}",
    ],
)
def test_what_no_completion_would_write_is_found(text: str):
    assert faults(text)
