"""A real mosquitto for tests: started, stopped, killed, frozen and started again on the same port.

Nothing persists: a broker that comes back knows nothing, as after a power cut. Its log is kept in a
file, and ``tail()`` belongs into the message of whatever failed.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.wait import free_port, until


class Mosquitto:
    """One mosquitto process on ``port`` of the loopback.

    ``passwords`` (user: password) ends anonymous access; ``acl`` is the text of an ACL file;
    ``options`` are further lines of the configuration. As async context manager: started on entry
    (with logs in a folder of its own), killed on exit.

    mosquitto drops QoS 0 messages for a subscriber that is ``max_queued_messages`` behind: 1000 by
    default; here so many that a slow subscriber of a test is not taken for a loss. (Not 0, which is
    no limit: mosquitto 2.0 then closes the connection of whoever publishes without the right to.)
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        passwords: Mapping[str, str] | None = None,
        acl: str | None = None,
        message_size_limit: int | None = None,
        max_queued_messages: int = 1_000_000,
        options: tuple[str, ...] = (),
    ) -> None:
        self._own_folder = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="mosquitto-")) if folder is None else folder
        self.port = port or free_port()
        self.host = "127.0.0.1"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / f"mosquitto-{self.port}.log"
        self._config = self.folder / f"mosquitto-{self.port}.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if passwords else 'true'}",
            "persistence false",
            "set_tcp_nodelay true",
            f"max_queued_messages {max_queued_messages}",
            "log_type all",
            "log_timestamp false",
            *options,
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # else it becomes a user who cannot read the test's files
        if passwords:
            lines.append(f"password_file {self._password_file(passwords)}")
        if acl is not None:
            access = self.folder / f"acl-{self.port}"
            access.write_text(acl)
            access.chmod(0o600)
            lines.append(f"acl_file {access}")
        if message_size_limit is not None:
            lines.append(f"message_size_limit {message_size_limit}")
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        """The address as a plant file writes it."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start, and wait until it accepts connections."""
        assert self._process is None, "mosquitto runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_mosquitto(), "-c", str(self._config)], stdout=log, stderr=log
            )
        await until(self._accepts, what=f"mosquitto accepts on {self.port}\n{self.tail()}")

    async def stop(self) -> None:
        """SIGTERM, and wait for its end: what a service restart does."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        await self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing is read or answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Other users from the next start, or SIGHUP, on."""
        self._password_file(passwords)

    def tail(self, lines: int = 30) -> str:
        """The end of the broker's log, for the message of a failed test."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._process is not None:
            self.thaw()
            await self.kill()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _end(self, how: signal.Signals) -> None:
        process = self._process
        assert process is not None, "mosquitto does not run"
        deadline = time.monotonic() + 10
        process.send_signal(how)
        while process.poll() is None:
            assert time.monotonic() < deadline, f"mosquitto does not end:\n{self.tail()}"
            await asyncio.sleep(0.02)
            # It listens just before its loop begins, and forgets a signal from between.
            process.send_signal(how)
        self._process = None

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended at once:\n{self.tail()}"
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), timeout=1).close()
            return True
        return False

    def _password_file(self, passwords: Mapping[str, str]) -> Path:
        path = self.folder / f"passwords-{self.port}"
        path.write_text("".join(f"{user}:{word}\n" for user, word in passwords.items()))
        path.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True, capture_output=True)
        return path


def _mosquitto() -> str:
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    assert path, "mosquitto is not installed; `make test` installs it"
    return path
