"""What the examination says of real brokers: as the table in the README has it, line for line."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.mqtt import Server
from bridge.mqtt.examination import Finding, Mark, Subject, examine
from simulators.broker import EmbeddedBroker
from tests.support.aedes import Aedes
from tests.support.broker import Mosquitto

README = Path(__file__).parents[3] / "bridge" / "mqtt" / "README.md"
LIGHTS = {Mark.GOOD: "●", Mark.DOUBTFUL: "◐", Mark.BAD: "○"}


def told(broker: str) -> dict[str, str]:
    """The column of a broker in the README's table: a light for each trial."""
    rows = re.findall(r"^\| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    [head] = [row for row in cells if row[0] == "trial"]
    place = next(n for n, cell in enumerate(head) if cell.startswith(broker))
    first = cells.index(head)
    return {row[0]: row[place][0] for row in cells[first + 1 : first + 17]}


@asynccontextmanager
async def started(broker: str, folder: Path) -> AsyncIterator[int]:
    if broker == "mosquitto":
        async with Mosquitto(folder) as mosquitto:
            yield mosquitto.port
    elif broker == "amqtt":
        async with EmbeddedBroker() as embedded:
            yield embedded.port
    else:
        async with Aedes() as aedes:
            yield aedes.port


async def examined(port: int, login: tuple[str, str] | None = None) -> dict[str, Finding]:
    subject = Subject(Server("127.0.0.1", port), login)
    return {finding.name: finding async for finding in examine(subject)}


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt", "aedes"])
async def test_a_broker_is_as_the_readme_says(broker: str, tmp_path: Path) -> None:
    async with started(broker, tmp_path) as port:
        found = await examined(port)
    seen = {name: LIGHTS[finding.mark] for name, finding in found.items()}
    assert seen == told(broker), [f for f in found.values() if f.mark is not Mark.GOOD]


async def test_a_broker_that_drops_without_a_word(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path, acl="topic readwrite tagbridge-check/#") as broker:
        found = await examined(broker.port)
    finding = found["Sparkplug topics"]
    assert finding.mark is Mark.BAD
    assert "drops without a word" in finding.seen
    assert "access list" in finding.advice
    assert found["order of the fence"].mark is Mark.GOOD


async def test_a_broker_with_small_limits(tmp_path: Path) -> None:
    options = ("max_queued_messages 100",)
    async with Mosquitto(tmp_path, message_size_limit=200_000, options=options) as broker:
        found = await examined(broker.port)
    assert found["largest message"].mark is Mark.DOUBTFUL
    assert "128 KiB" in found["largest message"].seen
    assert "largest_packet: 128 KiB" in found["largest message"].advice


async def test_the_wrong_password_ends_it(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path, passwords={"ann": "right"}) as broker:
        found = await examined(broker.port, ("ann", "wrong"))
        assert [finding.mark for finding in found.values()] == [Mark.BAD]
        assert len(await examined(broker.port, ("ann", "right"))) == 16


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        await examined(broker.port)
        import aiomqtt

        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("tagbridge-check/#", 1)
            await client.subscribe("end", 1)
            await client.publish("end", b"", 1)
            async for message in client.messages:
                assert str(message.topic) == "end"
                break


def test_a_broker_that_is_not_there() -> None:
    done = CliRunner().invoke(app, ["broker-check", "mqtt://127.0.0.1:1", "--json"])
    assert done.exit_code == 1
    [line] = [json.loads(line) for line in done.output.splitlines()]
    assert (line["name"], line["mark"]) == ("MQTT 3.1.1", "bad")
    assert "nothing listens there" in line["seen"]


def test_no_address_of_a_broker() -> None:
    done = CliRunner().invoke(app, ["broker-check", "broker:1883"])
    assert done.exit_code == 1
    assert "mqtt://HOST" in done.output
