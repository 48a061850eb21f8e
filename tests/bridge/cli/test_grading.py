"""The report on any vendor's nodes: every planted fault is named, by node and by its rule."""

import asyncio
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bridge.cli.grading import Report, show
from bridge.cli.main import app
from bridge.cli.watch import judge, watch
from bridge.sparkplug import captures
from bridge.sparkplug.rules import Packet
from bridge.sparkplug.topics import parse
from tests.conformance.test_rules import BROKEN, trace
from tests.support.broker import Mosquitto

T = 1_795_000_000_000


def moved(packets: list[Packet], node: str) -> list[Packet]:
    """The same packets of another node."""
    out = []
    for packet in packets:
        topic = parse(packet.topic)
        out.append(replace(packet, topic=str(replace(topic, node=node))) if topic else packet)
    return out


def clean(node: str) -> list[Packet]:
    return moved([sent.packet() for sent in trace()], node)


def faulty() -> tuple[list[Packet], dict[str, str]]:
    """A capture of many nodes, each with one fault of its own, and the rule that it breaks."""
    packets, planted = [], {}
    for number, (tck_id, change) in enumerate(BROKEN.values()):
        sent = trace()
        changed = [one.packet() for one in (change(sent) or sent)]
        if all(parse(one.topic) and parse(one.topic).node == "gw" for one in changed):
            planted[f"gw{number}"] = tck_id
            packets += moved(changed, f"gw{number}")
    return packets, planted


def test_every_planted_fault_is_named_and_no_other() -> None:
    packets, planted = faulty()
    assert len(planted) > 40
    report = Report()
    for packet in [*clean("well"), *packets]:
        report.packet(packet)
    named = {node: set(found.broken) for (_, node), found in report.nodes.items()}
    assert named == {"well": set(), **{node: {tck_id} for node, tck_id in planted.items()}}
    assert not report.is_clean


def test_a_clean_node_is_clean_and_silence_is_no_success() -> None:
    report = Report()
    assert not report.is_clean
    for packet in clean("well"):
        report.packet(packet)
    assert report.is_clean
    assert report.nodes["Plant A", "well"].packets["DDATA"] == 3


def test_a_gap_is_no_fault() -> None:
    packets = clean("well")
    report = Report()
    for packet in packets[:3]:
        report.packet(packet)
    report.gap()
    for packet in packets[4:]:  # one is missing
        report.packet(packet)
    assert report.is_clean


def test_a_capture_comes_back_as_it_was() -> None:
    odd = Packet("spBv1.0/Ä b/DDATA/n/\u2028", b"\0\xff", 1, True, T)
    file = io.StringIO()
    written = [*clean("well"), captures.GAP, odd]
    for packet in written:
        captures.write(file, packet)
    assert list(captures.read(file.getvalue().split("\n"))) == written


@pytest.mark.parametrize(
    "line",
    ["hello", "[]", "{}", '{"gap": 1}', '{"t": "1", "topic": "a", "qos": 0, "retain": false}',
     '{"t": 1, "topic": "a", "qos": 0, "retain": false, "payload": "*"}',
     '{"t": 1, "topic": "a", "qos": true, "retain": false, "payload": ""}', "[" * 9000],
)  # fmt: skip
def test_what_is_no_capture_is_said_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "x.capture"
    file.write_text('{"gap": true}\n' + line + "\n")
    with pytest.raises(captures.CaptureError, match="line 2"):
        list(captures.read(file.read_text().splitlines()))
    console = Console(file=io.StringIO(), width=120)
    assert judge(file, console=console) == 2
    assert "line 2" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_capture_is_judged_without_a_broker(tmp_path: Path) -> None:
    packets, planted = faulty()
    good, bad = tmp_path / "good", tmp_path / "bad"
    for file, content in ((good, clean("well")), (bad, [*clean("well"), *packets])):
        with file.open("w") as text:
            for packet in content:
                captures.write(text, packet)
    ended = CliRunner().invoke(app, ["watch", "--from", str(good)])
    assert ended.exit_code == 0
    assert "● Plant A/well" in ended.output
    assert "1 nodes, no rule broken" in ended.output
    ended = CliRunner().invoke(app, ["watch", "--from", str(bad), "--json"])
    assert ended.exit_code == 1
    lines = [json.loads(line) for line in ended.output.splitlines()]
    told = {line["node"]: [one["id"] for one in line["broken"]] for line in lines}
    assert told == {"well": [], **{node: [tck_id] for node, tck_id in planted.items()}}
    ended = CliRunner().invoke(app, ["watch", "--from", str(tmp_path / "none")])
    assert ended.exit_code == 2
    assert "No such file" in ended.output


def test_the_report_tells_how_often_and_what_was_seen_first() -> None:
    report = Report()
    packets = clean("gw")
    for packet in packets:
        report.packet(replace(packet, retain=True) if "DDATA" in packet.topic else packet)
    console = Console(file=io.StringIO(), width=150)
    show(report, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    [row] = [line for line in text.splitlines() if "tck-id-payloads-ddata-retain" in line]
    assert row.split()[0] == "3"
    assert text.splitlines()[-1] == "1 nodes, 1 rules broken, 3 times"


async def test_a_broker_is_watched_judged_and_captured(tmp_path: Path) -> None:
    file = tmp_path / "live.capture"
    console = Console(file=io.StringIO(), width=150)
    async with Mosquitto(tmp_path) as broker:
        watching = asyncio.create_task(asyncio.to_thread(_watch_in_a_process, broker.url, file))
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await asyncio.sleep(0)
            for _ in range(200):  # until it is subscribed; the node begins anew each time
                for packet in clean("well"):
                    await client.publish(packet.topic, packet.payload, qos=packet.qos)
                if file.exists() and file.stat().st_size:
                    break
                await asyncio.sleep(0.05)
        code, text = await watching
    assert code in (0, 1), text
    assert "Plant A/well" in text
    assert judge(file, console=console) == code
    assert watch("ftp://x", check=True, console=console) == 2


def _watch_in_a_process(url: str, file: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "bridge.cli.main", "watch", url, "--check", "--capture", str(file),
         "--duration", "6s"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout
