"""Cases: tests of a mapping that users keep beside their plant, raw values in, metrics out; pure.

::

    cases:
      Frequency of the drive:
        device: Wort pump
        raw: {"holding:3202": 500}
        expect: {Motor/Frequency: 50 Hz}

What stands under ``raw`` is what the device says: the words of a Modbus register, the payload of an
MQTT topic (the driver reads it, `mappings.plant.grammar.WithRaw`), the value of an OPC UA node by
its address, or the raw value of a row by its name. What is expected is a value, with its unit if
you like, a value within a tolerance (``230.2 +- 0.05``), or one of the words ``BAD``, ``STALE``,
``GOOD``, ``nothing``.
"""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field

from mappings.batch import Batch, Value
from mappings.catalog import Catalog
from mappings.datatypes import FLOATS, INTEGERS, TEXTS, DataType, wire_type
from mappings.errors import Fault, nearest
from mappings.mapper import Mapper
from mappings.plant.blocks import entries, read_block, wrong_shape
from mappings.plant.definitions import DeviceDefinition, Plant
from mappings.plant.grammar import Grammar, WithRaw
from mappings.plant.nodes import Mapping, Node, Scalar, parse
from mappings.plant.problems import Place, Report
from mappings.plant.scalars import Text
from mappings.plant.schema import Block
from mappings.quality import BAD, GOOD, REASON_TEXTS, STALE
from mappings.tags import Device, Metric

_WORDS = {"BAD": BAD, "STALE": STALE, "GOOD": GOOD}
_NOTHING = "nothing"
_NUMBER = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?:\s*(?:\+-|±)\s*([0-9.]+))?\s*(.*)")
_NOW_MS = 1_800_000_000_000


class _CaseBlock(Block):
    """One case; `raw` and `expect` are read by their own keys."""

    device: Text
    raw: dict[str, Text]
    expect: dict[str, Text]


class _File(Block):
    cases: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one case came to: ``differences`` is empty where all is as expected."""

    case: str
    place: Place
    device: str
    differences: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.differences


def run_cases(
    text: str, file: str, plant: Plant, drivers: Pairs[str, Grammar], report: Report
) -> list[Outcome]:
    """The outcomes of a file of cases, in its order; what is wrong in it goes into the report."""
    before = len(report)
    root = parse(text.removeprefix("\ufeff"), file, report)
    if root is None or (isinstance(root, Scalar) and root.empty):
        if len(report) == before:
            seen = "the file is empty: key 'cases' is missing"
            report.add("E104", Place(file, 1, 1), seen, "begin with cases: { NAME: { device: … } }")
        return []
    if not isinstance(root, Mapping) or read_block(_File, root, "", report) is None:
        if not isinstance(root, Mapping):
            report.add(*wrong_shape("the file", root, "model", "cases: { NAME: { device: … } }"))
        return []
    links = {device.name: link for link in plant.links for device in link.devices}
    section = entries(root.get("cases"), "cases", "{ NAME: { device: … } }", report)
    outcomes = []
    for name, (key, value) in section.items():
        before = len(report)
        block = read_block(_CaseBlock, value, f"cases.{name}", report, key_spot=key.spot)
        if block is None or not isinstance(value, Mapping):
            continue
        link = links.get(block.device)
        if link is None:
            _unknown(value, "device", block.device, links, f"cases.{name}", report)
            continue
        device = next(d for d in link.devices if d.name == block.device)
        run = _Run(device, drivers[link.driver], value, f"cases.{name}", report)
        differences = run.differences(block.raw, block.expect)
        if len(report) == before:
            outcomes.append(
                Outcome(case=name, place=key.spot, device=device.name, differences=differences)
            )
    return outcomes


def _unknown(
    node: Mapping, key: str, word: str, known: Pairs[str, object], path: str, report: Report
) -> None:
    found = node.get(key)
    spot = found.spot if found is not None else node.spot
    meant = nearest(word, known)
    remedy = f"did you mean {meant!r}?" if meant else f"known here: {', '.join(list(known)[:8])}"
    report.add("E151", spot, f"{path}.{key}: no device {word!r}", remedy)


class _Run:
    """One case: its raw values through the driver and the mapper."""

    def __init__(
        self,
        device: DeviceDefinition,
        driver: Grammar,
        node: Mapping,
        path: str,
        report: Report,
    ) -> None:
        self.device = device
        self.driver = driver
        self.node = node
        self.path = path
        self.report = report
        self.points = {metric.name: point for point, metric in enumerate(device.metrics)}

    def differences(self, raw: Pairs[str, str], expect: Pairs[str, str]) -> tuple[str, ...]:
        """What is not as expected, one line each."""
        device, name = self.device, self.device.name
        catalog = Catalog([(name, len(device.metrics))])
        mapper = Mapper({name: device.metrics}, catalog)
        touched: set[int] = set()
        for batch in self._batches(raw):
            touched.update(batch.points)
            for emitted in mapper.apply(batch, _NOW_MS):
                catalog.update(emitted)
        wrong = []
        for metric_name, wanted in expect.items():
            point = self.points.get(metric_name)
            if point is None:
                self._no_row("expect", metric_name)
                continue
            columns = catalog.devices[name]
            seen = _Seen(
                device.metrics[point], columns.values[point], columns.qualities[point],
                columns.reasons[point], point not in touched,
            )  # fmt: skip
            if not seen.is_as(wanted):
                wrong.append(f"{metric_name}: {seen} where {wanted} is expected")
        return tuple(wrong)

    def _batches(self, raw: Pairs[str, str]) -> Iterator[Batch]:
        """What the device says, rows by name first, then what the driver reads."""
        rows = self._rows()
        named = {key: text for key, text in raw.items() if key in rows}
        rest = {key: text for key, text in raw.items() if key not in rows}
        values: dict[int, Value] = {}
        for key, text in named.items():
            point = rows[key]
            value = _raw_value(text, self.device.tags[point].wire_type)
            if value is None:
                seen = f"{self.path}.raw.{key}: {text!r} is no {self.device.tags[point].wire_type}"
                self.report.add("E152", self._spot("raw", key), seen, "write the raw value")
            else:
                values[point] = value
        if values:
            points = tuple(values)
            yield Batch(self.device.name, points, list(values.values()), [_NOW_MS] * len(points))
        if not rest:
            return
        if not isinstance(self.driver, WithRaw):
            for key in rest:
                self._no_row("raw", key)
            return
        asked = Device(name=self.device.name, options=self.device.options, tags=self.device.tags)
        found = self.driver.read_raw(asked, rest, _NOW_MS)
        for item in found:
            if isinstance(item, Fault):
                spot = self._spot("raw", item.field)
                self.report.add(item.code, spot, f"{self.path}.raw: {item.seen}", item.remedy)
            else:
                yield item

    def _rows(self) -> Pairs[str, int]:
        """The points by what stands for their raw values: a row's name; where no driver has words
        of its own, also its address.
        """
        if isinstance(self.driver, WithRaw):
            return self.points
        addresses = {
            f"{tag.address} {tag.element}".strip(): point
            for point, tag in enumerate(self.device.tags)
        }
        return {**addresses, **self.points}

    def _no_row(self, section: str, key: str) -> None:
        meant = nearest(key, self.points)
        remedy = f"did you mean {meant!r}?" if meant else "write the name of a row, as check shows"
        seen = f"{self.path}.{section}: {self.device.name!r} has no {key!r}"
        self.report.add("E151", self._spot(section, key), seen, remedy)

    def _spot(self, section: str, key: str) -> Place:
        part: Node | None = self.node.get(section)
        return part.key_spot(key) if isinstance(part, Mapping) else self.node.spot


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a metric came to."""

    metric: Metric
    value: Value
    quality: int
    reason: int
    untouched: bool

    def __str__(self) -> str:
        if self.untouched:
            return _NOTHING
        word = next((word for word, code in _WORDS.items() if code == self.quality), "?")
        unit = f" {self.metric.unit.text}" if self.metric.unit.text else ""
        shown = f"{self.value!r}{unit}" if self.value is not None else "no value"
        reason = REASON_TEXTS.get(self.reason, "")
        return shown + (f", {word}" if self.quality != GOOD else "") + (reason and f" ({reason})")

    def is_as(self, wanted: str) -> bool:
        """Whether this is what a text expects."""
        if wanted == _NOTHING:
            return self.untouched
        if self.untouched:
            return False
        if wanted in _WORDS and self.metric.datatype not in TEXTS:
            return self.quality == _WORDS[wanted]
        return self.quality == GOOD and self._equals(wanted)

    def _equals(self, wanted: str) -> bool:
        value = self.value
        if isinstance(value, bool):
            return wanted == ("yes" if value else "no")
        if isinstance(value, str):
            return wanted == value
        if isinstance(value, bytes):
            return wanted.replace(" ", "").casefold() == value.hex()
        if isinstance(value, tuple):
            parts = wanted.strip("[]").split(",") if wanted.strip("[] ") else []
            return len(parts) == len(value) and all(
                _Seen(self.metric, one, GOOD, 0, untouched=False).is_as(part.strip())
                for one, part in zip(value, parts, strict=True)
            )
        number = _NUMBER.fullmatch(wanted)
        if number is None or not isinstance(value, int | float):
            return False
        text, tolerance, unit = number.groups()
        if unit and unit != self.metric.unit.text:
            return False
        try:
            if tolerance:
                return abs(value - float(text)) <= float(tolerance)
            return value == (int(text) if isinstance(value, int) else float(text))
        except ValueError:
            return False


def _raw_value(text: str, word: str) -> Value:
    """The raw value that a text says for a row of this wire type; None if it says none."""
    wire = wire_type(word)
    assert wire is not None
    try:
        if wire.datatype is DataType.BOOLEAN:
            return {"yes": True, "no": False, "1": True, "0": False}.get(text)
        if wire.datatype in INTEGERS or wire.datatype is DataType.DATETIME:
            return int(text, 0)
        if wire.datatype in FLOATS:
            return float(text)
        if wire.datatype is DataType.BYTES:
            return bytes.fromhex(text)
    except ValueError:
        return None
    return text
