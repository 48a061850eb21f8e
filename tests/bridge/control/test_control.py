"""The control socket: who may talk, what is answered, and that nothing sent to it hurts."""

import asyncio
import getpass
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.control.client import NotRunningError, UnreachableError, ask
from bridge.control.server import serving
from bridge.control.socket_path import SOCKET, reached
from bridge.control.words import LONGEST, OutboxStatus, RefusedError
from bridge.outbox.words import Ledger
from tests.support.gateway import ROOT

BOX = OutboxStatus(folder="/x", max_size=10, ledger=Ledger(accepted=3, confirmed=3))


async def tell(_request: Mapping[str, Any]) -> object:
    return {"scada": BOX}


async def echo(request: Mapping[str, Any]) -> object:
    assert request["by"] == getpass.getuser()  # whatever the request says
    return {key: value for key, value in request.items() if key != "by"}


async def refuse(_request: Mapping[str, Any]) -> object:
    raise RefusedError("not today", "tomorrow", {"problems": ["a", "b"]})


async def fail(_request: Mapping[str, Any]) -> object:
    raise KeyError("bug")


async def never(_request: Mapping[str, Any]) -> object:
    await asyncio.Event().wait()


ANSWERS = {"outbox": tell, "echo": echo, "refuse": refuse, "fail": fail, "never": never}


async def asked(folder: Path, do: str, answer: type = dict, **more: Any) -> Any:
    return await asyncio.to_thread(ask, folder, do, answer, **more)


def raw(folder: Path, *lines: bytes) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        with reached(folder) as path:
            connection.connect(path)
        with connection.makefile("rb") as answers:
            out = []
            for line in lines:
                connection.sendall(line)
                out.append(json.loads(answers.readline()))
            return out


async def test_an_answer_comes_back_as_what_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        assert await asked(tmp_path, "outbox", dict[str, OutboxStatus]) == {"scada": BOX}
        assert await asked(tmp_path, "echo", word="Öl \ud800", by="somebody") is not None


async def test_a_refusal_comes_with_reason_remedy_and_more(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        with pytest.raises(RefusedError) as refused:
            await asked(tmp_path, "refuse")
    assert (refused.value.seen, refused.value.remedy) == ("not today", "tomorrow")
    assert refused.value.more == {"problems": ["a", "b"]}


async def test_owner_and_group_may_talk_and_nobody_else(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        mode = (tmp_path / SOCKET).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660
        tmp_path.chmod(0o755)
        for folder in tmp_path.parents:  # pytest's own are for root alone
            if str(folder).startswith("/tmp/") and os.geteuid() == 0:
                folder.chmod(0o755)
        if os.geteuid() != 0:
            (tmp_path / SOCKET).chmod(0)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _AS_NOBODY, str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert "no right to talk to the gateway" in done.stdout, done.stderr


_AS_NOBODY = """
import os, sys
from pathlib import Path
from bridge.control.client import UnreachableError, ask
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    ask(Path(sys.argv[1]), "echo", dict)
except UnreachableError as error:
    print(error.seen)
"""


async def test_a_socket_left_over_from_a_killed_gateway_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left, reached(tmp_path) as path:
        left.bind(path)
    with pytest.raises(NotRunningError, match=SOCKET):
        await asked(tmp_path, "echo")
    async with serving(tmp_path, ANSWERS):
        assert await asked(tmp_path, "echo") == {"do": "echo"}
    assert not (tmp_path / SOCKET).exists()
    with pytest.raises(NotRunningError):
        await asked(tmp_path, "echo")


async def test_a_folder_with_a_long_name_will_do(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200) / ("y" * 200)
    folder.mkdir(parents=True)
    async with serving(folder, ANSWERS):
        assert await asked(folder, "echo") == {"do": "echo"}


async def test_a_folder_that_takes_no_socket_is_said_and_all_runs_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SOCKET).mkdir()  # in its place
    ran = False
    async with serving(tmp_path, ANSWERS):
        ran = True
    assert ran
    assert "no control socket" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b"hello\n", "no JSON"),
        (b"[" * 60_000 + b"\n", "no JSON"),
        (b"[1]\n", 'no "do"'),
        (b'{"do": 7}\n', 'no "do"'),
        (b'{"do": "ecko"}\n', "'ecko'"),
        (b"\xff\xfe\n", "no JSON"),
        (b" " * (LONGEST * 3) + b"\n", "more than"),
    ],
)
async def test_what_is_no_request_is_answered_and_the_talk_goes_on(
    tmp_path: Path, line: bytes, seen: str
) -> None:
    async with serving(tmp_path, ANSWERS):
        bad, good = await asyncio.to_thread(raw, tmp_path, line, b'{"do": "echo"}\n')
    assert bad["ok"] is False
    assert seen in bad["seen"]
    assert good == {"ok": True, "answer": {"do": "echo"}}


async def test_an_unknown_word_is_answered_with_the_nearest(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        with pytest.raises(RefusedError) as refused:
            await asked(tmp_path, "outbx")
    assert refused.value.remedy == "did you mean outbox?"


async def test_a_fault_in_an_answer_is_said_and_hurts_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        with pytest.raises(RefusedError, match="KeyError: 'bug'"):
            await asked(tmp_path, "fail")
        assert await asked(tmp_path, "echo") == {"do": "echo"}


async def test_too_many_talks_are_turned_away_and_none_keeps_it_from_ending(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, ANSWERS):
        idle = []
        for _ in range(16):
            with reached(tmp_path) as path:
                idle.append(await asyncio.open_unix_connection(path))
        idle[0][1].write(b'{"do": "never"}\n')
        for _ in range(50):  # some of them are turned away before they have asked
            with pytest.raises(RefusedError, match="too many"):
                await asked(tmp_path, "echo")
        idle.pop()[1].close()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await asked(tmp_path, "echo") == {"do": "echo"}
                    break
                except RefusedError:
                    await asyncio.sleep(0.05)
    for _, writer in idle:
        writer.close()


async def test_who_hangs_up_in_the_middle_is_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        for part in (b"", b'{"do": "ec', b'{"do": "never"}\n', b'{"do": "echo"}\n' * 1000):
            with socket.socket(socket.AF_UNIX) as connection:
                with reached(tmp_path) as path:
                    connection.connect(path)
                connection.sendall(part)
        assert await asked(tmp_path, "echo") == {"do": "echo"}


async def test_a_gateway_that_does_not_answer_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        with pytest.raises(UnreachableError, match="does not answer within 0 s"):
            await asked(tmp_path, "never", timeout_s=0.2)


async def test_an_answer_of_another_version_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        with pytest.raises(UnreachableError, match="another version"):
            await asked(tmp_path, "echo", OutboxStatus)


async def test_a_gateway_that_ends_meanwhile_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, ANSWERS):
        asking = asyncio.create_task(asked(tmp_path, "never"))
        await asyncio.sleep(0.2)
    with pytest.raises(UnreachableError, match="ended before it answered"):
        await asking
