"""Blocks: a pydantic model over a mapping of the file; what pydantic refuses becomes a problem.

Every block is read here, a section of the plant, a driver's block and a row alike, so that an
unknown key, a missing one or a wrong word is told in the same words everywhere, at the key or
value concerned. A misspelt key is one problem and not two: that the right one is missing follows.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Pairs
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mappings.errors import nearest
from mappings.plant.nodes import Mapping, Node, Scalar, Sequence, kind_of, plain
from mappings.plant.problems import Report, Spot

Model = TypeVar("Model", bound=BaseModel)

_BOUNDS = {
    "greater_than": ("too small", "write a number above {gt}"),
    "greater_than_equal": ("too small", "write {ge} or more"),
    "less_than": ("too large", "write a number below {lt}"),
    "less_than_equal": ("too large", "write {le} or less"),
    "multiple_of": ("no multiple", "write a multiple of {multiple_of}"),
    "string_too_short": ("too short", "write {min_length} characters or more"),
    "string_too_long": ("too long", "write {max_length} characters or less"),
    "too_short": ("too short", "{min_length} or more belong there"),
    "too_long": ("too long", "{max_length} or less belong there"),
}
_SHAPES = {
    "list": "a list [ … ]", "tuple": "a list [ … ]", "set": "a list [ … ]",
    "frozen_set": "a list [ … ]", "dict": "a mapping { KEY: VALUE }",
    "model": "a mapping { KEY: VALUE }", "model_attributes": "a mapping { KEY: VALUE }",
}  # fmt: skip


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a model knows, as they are written in the file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def read_block(
    model: type[Model],
    node: Node,
    path: str,
    report: Report,
    *,
    key_spot: Spot | None = None,
    meant: Iterable[str] = (),
) -> Model | None:
    """The model of a mapping; None with problems in the report.

    ``path`` names the block in messages (``links.mcc``); ``key_spot`` is the place of the key that
    it stands under, where a missing key is told; ``meant`` are keys whose misspelling has been
    told already, so that it is not told that they are missing.
    """
    if not isinstance(node, Mapping):
        report.add(*wrong_shape(path, node, "model"))
        return None
    try:
        return model.model_validate(plain(node))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        _Translation(model, node, path, report, key_spot or node.spot).tell(details, meant)
        return None


def unknown_key(
    path: str, key: str, spot: Spot, known: Iterable[str], taken: Iterable[str], report: Report
) -> str | None:
    """Report an unknown key; return the known key that was probably meant.

    ``taken`` are the keys that stand there: what is there already is hardly meant.
    """
    known = list(known)
    meant = suggestion(key, known, taken)
    remedy = f"did you mean {meant!r}?" if meant else f"known here: {', '.join(known) or 'nothing'}"
    seen = f"{path}: unknown key {key!r}" if path else f"unknown key {key!r}"
    section = path.partition(".")[0]
    report.add("E103", spot, seen, remedy, f"tagbridge schema {section}".rstrip())
    return meant


def unknown_keys(node: Mapping, known: Iterable[str], path: str, report: Report) -> set[str]:
    """Report all keys of a mapping that nobody knows; return those that were probably meant."""
    known = list(known)
    strange = [key for key in node.entries if key not in known]
    meant = {
        unknown_key(path, key, node.key_spot(key), known, node.entries, report) for key in strange
    }
    return {key for key in meant if key is not None}


def suggestion(word: str, known: Iterable[str], taken: Iterable[str] = ()) -> str | None:
    """The known word that was probably meant, one that is not there yet before the others."""
    known, there = list(known), set(taken)
    return nearest(word, [k for k in known if k not in there]) or nearest(word, known)


class _Translation:
    """The errors of one validation, told as problems."""

    def __init__(
        self,
        model: type[BaseModel],
        node: Mapping,
        path: str,
        report: Report,
        key_spot: Spot,
    ) -> None:
        self.model = model
        self.node = node
        self.path = path
        self.report = report
        self.key_spot = key_spot

    def tell(self, details: list[ErrorDetails], keys_meant: Iterable[str]) -> None:
        meant: set[tuple[object, ...]] = {(key,) for key in keys_meant}
        for detail in details:
            if detail["type"] == "extra_forbidden":
                meant.add(self._unknown(detail))
        for detail in details:
            if detail["type"] == "missing":
                if detail["loc"] not in meant:
                    self._missing(detail)
            elif detail["type"] != "extra_forbidden" and not _follows(detail, details):
                self._refused(detail)

    def _unknown(self, detail: ErrorDetails) -> tuple[object, ...]:
        *above, key = detail["loc"]
        mapping, path, _ = self._walk(above)
        known = keys_of(self._model_at(above))
        assert isinstance(mapping, Mapping)
        word = str(key)
        meant = unknown_key(
            path, word, mapping.key_spot(word), known, mapping.entries.keys(), self.report
        )
        return (*above, meant)

    def _missing(self, detail: ErrorDetails) -> None:
        *above, key = detail["loc"]
        node, path, spot = self._walk(above)
        if isinstance(node, Scalar) and node.empty:
            return  # told as a key without a value
        field = self._model_at(above).model_fields.get(str(key))
        about = f" ({field.description})" if field is not None and field.description else ""
        self.report.add("E104", spot, f"{path}: key {key!r} is missing", f"add {key}: …{about}")

    def _refused(self, detail: ErrorDetails) -> None:
        node, path, spot = self._walk(detail["loc"])
        kind, given = detail["type"], detail.get("ctx", {})
        if node is not self.node:
            spot = node.spot
        if isinstance(node, Scalar) and node.empty:
            remedy = "write a value, or remove the key"
            self.report.add("E106", spot, f"{path}: nothing stands after the key", remedy)
            return
        shown = repr(node.text) if isinstance(node, Scalar) else kind_of(node)
        if "seen" in given and "remedy" in given:
            self.report.add(kind, spot, f"{path}: {given['seen']}", str(given["remedy"]))
        elif kind == "literal_error":
            words = re.findall(r"'([^']*)'", str(given["expected"]))
            self.report.add("E112", spot, f"{path}: unknown word {shown}", one_of(shown, words))
        elif kind.endswith("_type"):
            self.report.add(*wrong_shape(path, node, kind.removesuffix("_type")))
        elif kind in _BOUNDS:
            seen, remedy = _BOUNDS[kind]
            self.report.add("E115", spot, f"{path}: {shown} is {seen}", remedy.format(**given))
        else:
            seen = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            about = self._about(detail["loc"])
            self.report.add("E119", spot, f"{path}: {shown} is refused: {seen}", about)

    def _about(self, loc: Iterable[object]) -> str:
        *above, key = loc or [""]
        field = self._model_at(above).model_fields.get(str(key))
        return field.description if field and field.description else "see the samples of this block"

    def _walk(self, loc: Iterable[object]) -> tuple[Node, str, Spot]:
        """The node at a pydantic location, its name in messages, and where its key stands."""
        node: Node = self.node
        path, spot = self.path, self.key_spot
        for step in loc:
            if isinstance(node, Mapping) and isinstance(step, str):
                below = node.get(step)
                if below is None:
                    if step == "[key]":
                        break
                    continue  # the name of a validator or of a union's choice
                spot = node.key_spot(step)
                path, node = f"{path}.{step}" if path else step, below
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                path, spot = f"{path}[{step + 1}]", node.spot
        return node, path, spot

    def _model_at(self, loc: Iterable[object]) -> type[BaseModel]:
        """The model whose keys stand at a location."""
        model: type[BaseModel] = self.model
        for step in loc:
            by_key = {field.alias or name: field for name, field in model.model_fields.items()}
            field = by_key.get(str(step))
            if field is not None:
                model = next(_models_in(field.annotation), model)
        return model


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a list is too short only because entries of it are wrong."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc and other is not detail for other in details
    )


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside ``Block | None``, ``tuple[Block, ...]``, ``dict[str, Block]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def one_of(shown: str, words: Iterable[str]) -> str:
    """The remedy for a word that is not among the known ones."""
    words = list(words)
    meant = nearest(shown.strip("'\""), words)
    choice = f"write {words[0]}" if len(words) == 1 else f"one of {', '.join(words)}"
    return f"did you mean {meant!r}? {choice}" if meant and len(words) > 1 else choice


def entries(
    node: Node | None, path: str, what: str, report: Report
) -> Pairs[str, tuple[Scalar, Node]]:
    """The named entries of a section; empty, with a problem, if it is no mapping.

    ``what`` says what stands there: ``{ NAME: { … } }``.
    """
    if node is None:
        return {}
    if isinstance(node, Mapping):
        return node.entries
    report.add(*wrong_shape(path, node, "model", what))
    return {}


def wrong_shape(path: str, node: Node, wanted: str, what: str = "") -> tuple[str, Spot, str, str]:
    """The problem of a list where a mapping is expected, and so on."""
    if isinstance(node, Scalar) and node.empty:
        remedy = f"write {what or _SHAPES.get(wanted, 'a value')}, or remove the key"
        return "E106", node.spot, f"{path}: nothing stands after the key", remedy
    expected = what or _SHAPES.get(wanted, "a single value")
    return (
        "E105",
        node.spot,
        f"{path}: {kind_of(node)} where {expected} is expected",
        (f"write {expected}"),
    )
