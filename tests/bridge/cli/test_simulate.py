"""The simulate command, as a process: where it serves, and what it says when it cannot."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.wait import free_port, until

ROOT = Path(__file__).parents[3]
PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://BROKER"]}}
devices:
  A [bold]pump[x] with a name that is too long for one line of any table there is:
    modbus: {endpoint: "tcp://PLACE", unit: 1}
    tags: [{name: A, address: "holding:1", type: uint16}]
"""


def simulate(tmp_path: Path, *, place: str, broker: str) -> "subprocess.Popen[str]":
    plant = tmp_path / "plant.yaml"
    plant.write_text(PLANT.replace("PLACE", place).replace("BROKER", broker))
    return subprocess.Popen(
        [sys.executable, "-m", "bridge.cli.main", "simulate", str(plant), "--broker"],
        cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "80"}, text=True,
        stdout=(tmp_path / "said").open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip


async def test_what_is_on_other_machines_is_served_here_and_run_is_told_where(tmp_path) -> None:
    """The README's first plant, whose broker is elsewhere, could not be simulated."""
    process = simulate(tmp_path, place="10.0.4.11", broker="10.0.0.5")
    said = tmp_path / "said"
    try:
        await until(lambda: "simulators ready" in said.read_text(), what="ready", timeout_s=30)
        text = said.read_text()
        port = int(re.search(r"--at scada=mqtt://127.0.0.1:(\d+)", text)[1])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        assert re.search(r"--at 'A \[bold\]pump\[x\] with .*=tcp://127.0.0.1:\d+'", text)
        assert "[bold]" in text.split("next:")[0], "a name is no markup"
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_a_taken_port_is_named_with_what_to_do(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = free_port()
        assert simulate(
            tmp_path, place=f"127.0.0.1:{free}", broker=f"127.0.0.1:{port}"
        ).wait(60) == 1  # fmt: skip
        text = (tmp_path / "said").read_text()
        assert f"cannot listen at mqtt://127.0.0.1:{port} for scada" in text
        assert "--at NAME=URL" in text
        assert simulate(
            tmp_path, place=f"127.0.0.1:{port}", broker=f"127.0.0.1:{free}"
        ).wait(60) == 1  # fmt: skip
        assert f"tcp://127.0.0.1:{port}" in (tmp_path / "said").read_text()
