"""The control socket's server: answers requests, whatever is sent, and hurts nobody.

Who may talk to it is told by the rights of the socket: its owner and group. A request that is
none, too long or unknown is answered with what is wrong; a fault in an answer is logged and said,
and the gateway runs on.
"""

import asyncio
import json
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from pydantic_core import to_jsonable_python

from bridge.control.socket_path import SOCKET, reached
from bridge.control.words import LONGEST, RefusedError
from mappings.errors import nearest

_IDLE_S = 30.0
_MOST_CLIENTS = 16
_RIGHTS = 0o660
_PEER = struct.Struct("3i")  # process, user, group

Answer = Callable[[Mapping[str, Any]], Awaitable[object]]
"""Answers a request, given its keys, with data; raises `RefusedError` if it will not.

Among the keys is ``by``, the name of the user who asks.
"""


@asynccontextmanager
async def serving(folder: Path, answers: Mapping[str, Answer]) -> AsyncIterator[None]:
    """Answer at the socket in ``folder`` while the block lasts.

    ``folder`` is this process's alone, so a socket that is there is left over from one that was
    killed. A folder that takes no sockets is said, and the block runs without.
    """
    log = structlog.stdlib.get_logger("control")
    server = _Server(answers, log)
    try:
        listening = _listen(folder)
    except OSError as error:
        log.warning(
            "no control socket",
            folder=str(folder),
            reason=error.strerror or str(error),
            effect="tagbridge status and reload do not find this gateway; SIGHUP reloads",
        )
        yield
        return
    opened = await asyncio.start_unix_server(server.talk, sock=listening, limit=LONGEST)
    try:
        yield
    finally:
        opened.close()
        await server.end()
        with suppress(OSError):
            (folder / SOCKET).unlink()


def _listen(folder: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reached(folder) as path:
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108  # through a descriptor
            before = os.umask(0o777 & ~_RIGHTS)
            try:
                listening.bind(path)
            finally:
                os.umask(before)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


class _Server:
    def __init__(self, answers: Mapping[str, Answer], log: structlog.stdlib.BoundLogger) -> None:
        self._answers = answers
        self._log = log
        self._talks: set[asyncio.Task[Any]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client, request after request, until it leaves or says nothing."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            if len(self._talks) > _MOST_CLIENTS:
                busy = RefusedError("too many commands talk to this gateway", "try again")
                await _write(writer, _refusal(busy))
                return
            by = _user(writer)
            while line := await _line(reader):
                await _write(writer, await self._answer(line, by))
        except (TimeoutError, ConnectionError):
            pass
        except asyncio.CancelledError:
            pass  # by `end`; nobody waits for this task, and asyncio would log it
        finally:
            self._talks.discard(task)
            writer.close()

    async def end(self) -> None:
        """No more talks; whoever waits for an answer gets none."""
        talks = list(self._talks)
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _answer(self, line: bytes, by: str) -> dict[str, Any]:
        try:
            answer = await self._do(line, by)
        except RefusedError as refused:
            return _refusal(refused)
        except Exception as error:  # noqa: BLE001  # hurts nobody but who asked
            self._log.exception("a request failed", request=line[:200].decode(errors="replace"))
            words = f"{type(error).__name__}: {error}"
            return _refusal(RefusedError(words, "a fault of tagbridge: see its log, report it"))
        return {"ok": True, "answer": answer}

    async def _do(self, line: bytes, by: str) -> object:
        if len(line) > LONGEST:
            raise RefusedError(f"a request of more than {LONGEST} bytes")
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RefusedError(f"no JSON: {error}", 'a request is {"do": "status"}') from error
        word = request.get("do") if isinstance(request, dict) else None
        if not isinstance(word, str):
            raise RefusedError('no "do" in the request', 'a request is {"do": "status"}')
        if word not in self._answers:
            meant = nearest(word, self._answers) or ", ".join(self._answers)
            raise RefusedError(f"nobody knows how to {word!r}", f"did you mean {meant}?")
        return to_jsonable_python(await self._answers[word]({**request, "by": by}))


def _user(writer: asyncio.StreamWriter) -> str:
    """Whose process asks, as the system says it, whatever the request says."""
    peer = writer.get_extra_info("socket")
    _, uid, _ = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _refusal(refused: RefusedError) -> dict[str, Any]:
    return {**refused.more, "ok": False, "seen": refused.seen, "remedy": refused.remedy}


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; longer than `LONGEST` if it is too long, empty when the client has left."""
    async with asyncio.timeout(_IDLE_S):
        try:
            return await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except asyncio.LimitOverrunError:
            passed = 0
            while chunk := await reader.read(LONGEST):  # to its end, so that the answer is read
                passed += len(chunk)
                if chunk.endswith(b"\n") or passed > 64 * LONGEST:
                    break
            return b" " * (LONGEST + 1)


async def _write(writer: asyncio.StreamWriter, answer: Mapping[str, Any]) -> None:
    writer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    async with asyncio.timeout(_IDLE_S):
        await writer.drain()
