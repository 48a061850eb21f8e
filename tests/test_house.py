"""The rules of the house that a program can check: floors, doors, purity, names, documents.

Each rule is a function from sources to complaints. The tests give it the real sources and expect
none, and give it a made-up offender and expect a complaint, so that no rule can rot unseen.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mappings", "drivers", "bridge", "simulators")

Sources = Mapping[str, str]
"""Text by path from the repository's root: ``bridge/mqtt/wire.py``."""


@pytest.fixture(scope="module")
def sources() -> Sources:
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def imports(text: str) -> Iterator[tuple[str, int, bool]]:
    """Each imported module, its line, and whether it is imported on loading the file."""
    tree = ast.parse(text)
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno, id(node) not in late
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield node.module or "", node.lineno, id(node) not in late
            for name in node.names:
                yield f"{node.module}.{name.name}", node.lineno, id(node) not in late


def within(module: str, *prefixes: str) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


# Floors: imports point down only.

FLOORS = {"mappings": 0, "drivers": 1, "bridge": 2}

# What an independent witness may know of the product: names, addresses, topics, message classes;
# nothing that computes what it is to witness.
SIMULATORS_MAY_IMPORT = (
    "mappings.plant",
    "mappings.tags",
    "mappings.datatypes",
    "mappings.quality",
    "mappings.errors",
    "mappings.batch.Value",
    "drivers.driver",
    "drivers.registry",
    "drivers.modbus.addresses",
    "drivers.modbus.config",
    "drivers.mqtt.addresses",
    "drivers.mqtt.config",
    "drivers.opcua.addresses",
    "drivers.opcua.config",
    "drivers.opcua.elements",
    "bridge.sparkplug.topics",
    "bridge.sparkplug.messages",
    "bridge.sparkplug.rules",
    "bridge.sparkplug.session_rules",
)


def floors(sources: Sources) -> list[str]:
    found = []
    for path, text in sources.items():
        package = path.split("/", maxsplit=1)[0]
        for module, line, at_load in imports(text):
            top = module.split(".", maxsplit=1)[0]
            where = f"{path}:{line} imports {module}"
            if package == "simulators":
                parents = [may for may in SIMULATORS_MAY_IMPORT if within(may, module)]
                if (
                    top in FLOORS
                    and not within(module, *SIMULATORS_MAY_IMPORT)
                    and not (parents and module != top)
                ):
                    found.append(where)
            elif top == "simulators":
                if not path.startswith("bridge/cli/") or at_load:
                    found.append(where)
            elif top in FLOORS and FLOORS[top] > FLOORS[package]:
                found.append(where)
    return found


def test_imports_point_down_only(sources: Sources):
    assert floors(sources) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mappings/x.py", "import drivers.driver"),
        ("drivers/x.py", "from bridge.mqtt import Connection"),
        ("drivers/x.py", "def f():\n    import bridge"),
        ("bridge/cli/demo.py", "import simulators.plant"),
        ("bridge/gateway.py", "def f():\n    import simulators.plant"),
        ("simulators/x.py", "from bridge.sparkplug.encoder import Encoder"),
        ("simulators/x.py", "from bridge.sparkplug import encoder"),
        ("simulators/x.py", "import mappings.mapper"),
        ("simulators/x.py", "from drivers.modbus.values import read"),
    ],
)
def test_an_import_upwards_is_found(path: str, text: str):
    assert floors({path: text})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("bridge/x.py", "import drivers.driver, mappings.tags"),
        ("bridge/cli/demo.py", "def f():\n    import simulators.plant"),
        ("bridge/cli/demo.py", "if TYPE_CHECKING:\n    import simulators.plant"),
        ("simulators/x.py", "from bridge.sparkplug.topics import Topic"),
        ("simulators/x.py", "from bridge.sparkplug import topics"),
    ],
)
def test_an_import_downwards_is_not(path: str, text: str):
    assert floors({path: text}) == []


# Doors: each protocol library is used in one folder. A simulator is the other side of the wire, and
# may use the same library for it. paho has two: drivers/mqtt listens with it and holds what both
# directions need of a socket, bridge/mqtt publishes.

DOORS = {
    "asyncua": ("drivers/opcua/", "simulators/"),
    "pymodbus": ("drivers/modbus/", "simulators/"),
    "aiomqtt": ("bridge/mqtt/", "simulators/"),
    "paho": ("bridge/mqtt/", "drivers/mqtt/"),
    "google": ("bridge/sparkplug/",),
    "amqtt": ("simulators/",),
}


def doors(sources: Sources) -> list[str]:
    return [
        f"{path}:{line} imports {module}"
        for path, text in sources.items()
        for module, line, _ in imports(text)
        for library, folders in DOORS.items()
        if within(module, library) and not path.startswith(folders)
    ]


def test_each_protocol_library_has_one_door(sources: Sources):
    assert doors(sources) == []


@pytest.mark.parametrize("library", DOORS)
def test_a_library_outside_its_door_is_found(library: str):
    assert doors({"bridge/gateway.py": f"def f():\n    import {library}.thing"})


# Purity: what computes neither waits nor reads clocks, files or sockets.

PURE = (
    "mappings/",
    "drivers/modbus/addresses.py",
    "drivers/modbus/blocks.py",
    "drivers/modbus/checks.py",
    "drivers/modbus/config.py",
    "drivers/modbus/orders.py",
    "drivers/modbus/owed.py",
    "drivers/modbus/planning.py",
    "drivers/modbus/ranges.py",
    "drivers/modbus/raw.py",
    "drivers/modbus/readers.py",
    "drivers/modbus/refusals.py",
    "drivers/modbus/requests.py",
    "drivers/modbus/rtu.py",
    "drivers/modbus/values.py",
    "drivers/modbus/wire_time.py",
    "drivers/mqtt/addresses.py",
    "drivers/mqtt/checks.py",
    "drivers/mqtt/config.py",
    "drivers/mqtt/documents.py",
    "drivers/mqtt/server.py",
    "drivers/mqtt/source.py",
    "drivers/mqtt/times.py",
    "drivers/mqtt/values.py",
    "drivers/opcua/addresses.py",
    "drivers/opcua/config.py",
    "bridge/sparkplug/topics.py",
    "bridge/sparkplug/payload.py",
    "bridge/sparkplug/plans.py",
    "bridge/sparkplug/encoder.py",
    "bridge/sparkplug/fields.py",
    "bridge/sparkplug/image.py",
    "bridge/sparkplug/messages.py",
    "bridge/sparkplug/metric_rules.py",
    "bridge/sparkplug/pacing.py",
    "bridge/sparkplug/rules.py",
    "bridge/sparkplug/session.py",
    "bridge/outbox/columns.py",
    "bridge/outbox/commits.py",
    "bridge/outbox/frames.py",
    "bridge/outbox/holdings.py",
    "bridge/outbox/lanes.py",
    "bridge/outbox/numbers.py",
    "bridge/outbox/packing.py",
    "bridge/outbox/records.py",
    "bridge/outbox/recovery.py",
    "bridge/outbox/segments.py",
    "bridge/outbox/tally.py",
)
IMPURE = (
    "asyncio",
    "concurrent",
    "io",
    "logging",
    "os",
    "random",
    "select",
    "shutil",
    "socket",
    "structlog",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
)
IN_MEMORY = "from io import BytesIO\n"  # bytes that a library wants to have as a file
IMPURE_CALLS = {"open", "print", "input", "today", "now", "utcnow", "read_text", "write_text"}


def impurities(sources: Sources) -> list[str]:
    found = []
    for path, text in sources.items():
        if not path.startswith(PURE):
            continue
        text = text.replace(IN_MEMORY, "\n")  # noqa: PLW2901
        found += [
            f"{path}:{line} imports {module}"
            for module, line, _ in imports(text)
            if within(module, *IMPURE)
        ]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await):
                found.append(f"{path}:{node.lineno} waits")
            elif isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name):
                    called = node.func.id
                elif isinstance(node.func, ast.Attribute):
                    called = node.func.attr
                else:
                    continue
                if called in IMPURE_CALLS:
                    found.append(f"{path}:{node.lineno} calls {called}()")
    return found


def test_what_computes_is_pure(sources: Sources):
    assert impurities(sources) == []


def test_every_pure_file_exists(sources: Sources):
    assert [pure for pure in PURE if not any(path.startswith(pure) for path in sources)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio",
        "from io import BytesIO, open",
        "from os import path",
        "import time as clock",
        "async def f(): ...",
        "f = open('x')",
        "from pathlib import Path\nPath('x').read_text()",
        "from datetime import datetime\ndatetime.now()",
    ],
)
def test_an_impure_file_is_found(text: str):
    assert impurities({"mappings/x.py": text})
    assert impurities({"bridge/gateway.py": text}) == []


# Names: a file says what it is about.

FORBIDDEN = re.compile(r"(^|_)(manager|handler|helper|util|data)s?(_|$)")


def bad_names(paths: list[str]) -> list[str]:
    return [
        path
        for path in paths
        for part in Path(path).with_suffix("").parts
        if FORBIDDEN.search(part)
    ]


def test_no_file_is_named_after_nothing(sources: Sources):
    assert bad_names([*sources, *(p.name for p in (ROOT / "tests").rglob("*.py"))]) == []


@pytest.mark.parametrize("path", ["bridge/utils.py", "a/session_manager.py", "data/x.py"])
def test_an_empty_name_is_found(path: str):
    assert bad_names([path])


def test_a_name_that_only_contains_one_is_not():
    assert bad_names(["mappings/datatypes.py", "bridge/utility_meter.py"]) == []


# Folders.


def test_packaging_is_no_package():
    assert not list((ROOT / "packaging").rglob("__init__.py"))


def undocumented(root: Path) -> list[str]:
    folders = {path.parent for package in PACKAGES for path in (root / package).rglob("*.py")}
    return sorted(
        str(folder.relative_to(root)) for folder in folders if not (folder / "README.md").exists()
    )


def test_every_folder_tells_its_idea():
    assert undocumented(ROOT) == []


def test_a_folder_without_a_readme_is_found(tmp_path: Path):
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / "x.py").touch()
    assert undocumented(tmp_path) == ["bridge"]


def test_every_file_says_what_it_is_about(sources: Sources):
    silent = [path for path, text in sources.items() if not ast.get_docstring(ast.parse(text))]
    assert silent == []


# Documents tell the truth.

# Blocks that have a file's name are files of mappings/examples, which test_reference.py reads.
FENCED_YAML = re.compile(r"^```ya?ml[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def documents() -> list[Path]:
    hidden = {".venv", ".venv-witness", "node_modules"}
    return [path for path in ROOT.rglob("*.md") if not hidden & set(path.parts)]


def whole_plants(text: str) -> list[str]:
    return [block for block in FENCED_YAML.findall(text) if block.startswith("tagbridge:")]


def dead_links(document: Path) -> list[str]:
    return [
        f"{document}: {target}"
        for target in LINK.findall(document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]


def broken_plants(text: str, name: str) -> list[str]:
    from drivers.registry import load_drivers
    from mappings.plant.reader import read_plant

    drivers = load_drivers()
    return [
        f"{name}: {problem}"
        for block in whole_plants(text)
        for problem in read_plant(block, name, drivers)[1]
    ]


def test_every_plant_in_a_document_can_be_run():
    plants = {str(path.relative_to(ROOT)): path.read_text() for path in documents()}
    assert any(whole_plants(text) for text in plants.values())
    assert [bad for name, text in plants.items() for bad in broken_plants(text, name)] == []


def test_a_broken_plant_in_a_document_is_found():
    assert broken_plants("```yaml\ntagbridge: 1\ndevicez: {}\n```\n", "x.md")


def test_every_example_can_be_run():
    examples = sorted((ROOT / "mappings" / "examples").glob("*.yaml"))
    assert examples
    texts = {path.name: f"```yaml\n{_from_format(path.read_text())}```\n" for path in examples}
    assert all(whole_plants(text) for text in texts.values())
    assert [bad for name, text in texts.items() for bad in broken_plants(text, name)] == []


def _from_format(text: str) -> str:
    return text[text.index("tagbridge:") :]


def test_no_link_of_a_document_is_dead():
    assert [dead for document in documents() for dead in dead_links(document)] == []


def test_a_dead_link_is_found(tmp_path: Path):
    document = tmp_path / "README.md"
    document.write_text("[gone](nowhere.md) [here](README.md) [out](https://example.org)")
    assert len(dead_links(document)) == 1


def test_make_targets_named_in_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for document in documents()
        for name in re.findall(r"`make ([a-z]+)", document.read_text())
    }
    assert named <= targets, named - targets
