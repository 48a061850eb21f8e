"""Every decoder of foreign bytes under fire: it says what is wrong, and is quick about it.

Each starts from right examples and is fed changes of them: bits and bytes flipped, cut, doubled,
joined with others. What it may raise is named; everything else is a defect, and so is an input
that takes a second. How a whole link takes hostile answers is in the drivers' own tests.
"""

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.commands.chain import FIRST, line_of, verify
from bridge.outbox.frames import MAGIC, Kind, pack_frame, seed_of
from bridge.outbox.records import pack_base, pack_definition, pack_record
from bridge.outbox.segments import Segment, survey_content
from bridge.outbox.words import PointKey
from bridge.sparkplug import captures
from bridge.sparkplug.payload import PayloadError, decode_command
from bridge.sparkplug.primary_host import PrimaryHost
from bridge.sparkplug.rules import Grader, Packet
from drivers.modbus.connection import GarbledError, NoAnswerError, RefusedError, Request, checked
from drivers.mqtt.config import DeviceOptions
from drivers.mqtt.documents import MalformedError
from drivers.mqtt.values import topics_of
from drivers.registry import load_drivers
from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.plant.problems import Report
from mappings.plant.reader import read_plant
from mappings.plant.tables.delimited import read_delimited
from mappings.plant.tables.sheet import read_sheet
from mappings.tags import Tag
from tests.conformance.test_rules import trace

EXAMPLES = Path(__file__).parents[2] / "mappings" / "examples"
SLOW_S = 1.0
SEGMENT = Segment(1, 0, 1 << 20)


@dataclass(frozen=True)
class Target:
    """A decoder, right examples for it, and what it may raise; ``share`` of the usual number."""

    decode: Callable[[bytes], object]
    examples: list[bytes]
    raises: tuple[type[Exception], ...] = ()
    share: float = 1.0


def _births() -> list[bytes]:
    return [one.payload.SerializeToString() for one in trace() if one.payload is not None]


def _graded(data: bytes) -> object:
    grader = Grader()
    found = []
    for one in trace()[:2]:
        grader.feed(one.packet())
    for verb, device in (
        ("DDATA", "/Boiler"),
        ("NDATA", ""),
        ("DBIRTH", "/Boiler"),
        ("NBIRTH", ""),
    ):
        packet = Packet(f"spBv1.0/Plant A/{verb}/gw{device}", data, 0, False, 1_795_000_000_000)
        found += grader.feed(packet)
    return found


def _host(data: bytes) -> object:
    host = PrimaryHost("hmi", legacy=True)
    host.connected()
    return [host.take("s", topic, data, 5) for topic in ("spBv1.0/STATE/hmi", "STATE/hmi")]


def _segment() -> bytes:
    seed = seed_of(SEGMENT.name)
    keys = [PointKey(id="a", datatype=DataType.INT32), PointKey(id="b", datatype=DataType.STRING)]
    body = pack_base(7) + pack_record(0, 0, Batch("D", (0, 1), [5, "text"], [1_000, 1_001]))
    frames = [
        pack_frame(Kind(1), pack_definition(0, "D", keys), 0, seed),
        pack_frame(Kind(2), body, 2, seed),
    ]
    return MAGIC + b"".join(frames)


def _plant(data: bytes) -> object:
    return read_plant(data.decode("utf-8", "replace"), "plant.yaml", load_drivers())


def _table(data: bytes) -> object:
    report = Report("io.csv")
    grid = read_delimited(data, "io.csv", report)
    return read_sheet(grid, {"low", "high"}, report) if grid is not None else None


def _answers(data: bytes) -> object:
    if not data:
        return None
    return checked(Request(1, 3, 0, 4), data[0], data[1:])


def _topic(**options: str) -> Callable[[bytes], object]:
    tags = [
        Tag(name=word, address=f"t $.{word}" if not options else "t", wire_type=word)
        for word in (("float64", "uint8", "bool", "string") if not options else ("float64",))
    ]
    (rows,) = topics_of(DeviceOptions.model_validate(options), tags).values()
    return rows.read


def _chain() -> bytes:
    lines, head = [], FIRST
    for number in range(1, 6):
        line, head = line_of({"what": "accepted", "value": number}, number, head)
        lines.append(line)
    return ("\n".join(lines) + "\n").encode()


_STATE = [b'{"online":true,"timestamp":1795000000000}', b"ONLINE", b"OFFLINE", b""]
_JSON = [b'{"float64": 1.5, "uint8": 7, "bool": true, "string": "x"}', b'[1, {"a": null}]', b"12.5"]
_CAPTURE = b'{"t": 1, "topic": "a", "qos": 0, "retain": false, "payload": "AAE="}\n{"gap": true}\n'

TARGETS: Mapping[str, Target] = {
    "Sparkplug commands": Target(decode_command, _births(), (PayloadError,)),
    "Sparkplug payloads, judged": Target(_graded, _births()),
    "STATE": Target(_host, _STATE),
    "outbox segments": Target(lambda data: survey_content(SEGMENT, data), [_segment()]),
    "audit log": Target(lambda d: verify([(1, "f", d.decode("utf-8", "replace"))]), [_chain()]),
    "captures": Target(
        lambda data: list(captures.read(data.decode("utf-8", "replace").splitlines())),
        [_CAPTURE], (captures.CaptureError,),
    ),
    "Modbus answers": Target(
        _answers, [bytes([3, 8, *range(8)]), bytes([0x83, 2]), bytes([3, 2, 0, 1])],
        (GarbledError, RefusedError, NoAnswerError),
    ),
    "MQTT, JSON": Target(_topic(), _JSON, (MalformedError,)),
    "MQTT, text": Target(
        _topic(format="text"), [b"12.5", b"-1e300", "1\u00a0000".encode()], (MalformedError,)
    ),
    "tables": Target(
        _table, [path.read_bytes() for path in sorted(EXAMPLES.rglob("*.csv"))], share=0.5
    ),
    "plant files": Target(
        _plant, [path.read_bytes() for path in sorted(EXAMPLES.rglob("plant.yaml"))], share=0.1
    ),
}  # fmt: skip


def changed(example: bytes, others: list[bytes], pick: random.Random) -> bytes:
    """One to eight changes of an example."""
    data = bytearray(example)
    for _ in range(pick.randrange(1, 9)):
        at = pick.randrange(len(data) + 1)
        way = pick.randrange(7)
        if way == 0 and data:
            data[at % len(data)] ^= 1 << pick.randrange(8)
        elif way == 1 and data:
            data[at % len(data)] = pick.choice((0, 1, 0x7F, 0x80, 0xFF, pick.randrange(256)))
        elif way == 2:
            del data[at : at + pick.randrange(1, 20)]
        elif way == 3:
            data[at:at] = pick.randbytes(pick.randrange(1, 9))
        elif way == 4:
            data[at:at] = data[at : at + pick.randrange(1, 200)]
        elif way == 5:
            other = pick.choice(others)
            start = pick.randrange(len(other) + 1)
            data[at:] = other[start:]
        else:
            del data[at:]
    return bytes(data)


def fire(name: str, seed: int, count: int) -> tuple[int, int]:
    """Feed a decoder; how many inputs it took and refused."""
    target = TARGETS[name]
    pick = random.Random(f"{name} {seed}")
    took = refused = 0
    for _ in range(max(20, round(count * target.share))):
        data = changed(pick.choice(target.examples), target.examples, pick)
        began = time.perf_counter()
        try:
            target.decode(data)
            took += 1
        except target.raises:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {error!r} of {data!r}") from error
        slow_s = time.perf_counter() - began
        if slow_s > SLOW_S:  # once more: it may have been the machine
            began = time.perf_counter()
            with contextlib.suppress(*target.raises):
                target.decode(data)
            assert time.perf_counter() - began < SLOW_S, f"{name}: {slow_s:.1f} s for {data!r}"
    return took, refused


@pytest.mark.parametrize("name", TARGETS)
def test_two_thousand_changes(name: str) -> None:
    for example in TARGETS[name].examples:
        with contextlib.suppress(*TARGETS[name].raises):
            TARGETS[name].decode(example)
    took, refused = fire(name, 1, 2_000)
    print(f"{name}: {took} taken, {refused} refused")
    assert took
    assert refused or not TARGETS[name].raises


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TARGETS)
def test_a_hundred_thousand_changes(name: str) -> None:
    seed = time.time_ns() % 1_000_000
    took, refused = fire(name, seed, 100_000)
    print(f"{name}, seed {seed}: {took} taken, {refused} refused")


def test_a_decoder_that_raises_is_found_out() -> None:
    def careless(data: bytes) -> object:
        return data[40]

    TARGETS["careless"] = Target(careless, [bytes(60)])  # type: ignore[index]
    try:
        with pytest.raises(AssertionError, match="IndexError"):
            fire("careless", 1, 100)
    finally:
        del TARGETS["careless"]  # type: ignore[attr-defined]
