"""How a paho client lives in the event loop: its socket read, written, watched and closed.

paho offers callbacks for foreign event loops, and aiomqtt fills them. They are filled again here
for three reasons, each seen in operation: aiomqtt registers the writer one loop turn late, when the
socket may be closed (EBADF in the log) or its number given to another file; bytes that paho cannot
parse leave its reader spinning on an open socket; and a broker that falls silent is noticed
after two keep-alives only.

Inside TLS a record may carry several packets, and its rest waits in OpenSSL, where no selector
sees it: so reading goes on until that is empty.

The keep-alive rule: whatever was not heard from or written to for half a keep-alive is asked for an
answer; a broker silent for one and a half is lost. That is the measure that brokers apply to us. A
question can take longer to get there, behind a large birth on a slow line: as long as the other
machine acknowledges bytes, the broker has a whole keep-alive to answer once it has the question.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client

_LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST and forgets what was not sent
_LINGER_OFF = struct.pack("ii", 0, 0)
_BYTES_ACKED = 120  # place of tcpi_bytes_acked in Linux' struct tcp_info, 64 bits


class Wire:
    """The socket of one paho client, from TCP connect to its one and only end.

    ``on_end(seen)`` is called at most once, when paho or the keep-alive gives the connection up;
    ``probe()`` shall send something that the broker must answer, and return how many bytes the
    other machine has not acknowledged now, the question's included.
    """

    def __init__(
        self,
        client: Client,
        keep_alive_s: int,
        *,
        on_end: Callable[[str], None],
        probe: Callable[[], int],
    ) -> None:
        self._client = client
        self._on_end = on_end
        self._probe = probe
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._socket: socket.socket | None = None
        self._watched = -1
        self._ended = False
        self._paused = False
        self._keep_alive_s = keep_alive_s
        self._tick_s = min(1.0, keep_alive_s / 8)
        self._tick: asyncio.TimerHandle | None = None
        self._tick_due = 0.0
        self._heard = self._wrote = self._probed = self._moved = 0.0
        self._acked = self._question_end = 0
        self.written = False
        client.on_socket_open = self._opened
        client.on_socket_close = self._closing
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._unwatch_write

    def keep_alive(self, seconds: int) -> None:
        """The broker wants another keep-alive (MQTT 5)."""
        self._keep_alive_s = seconds
        self._tick_s = min(1.0, seconds / 8)

    def fileno(self) -> int:
        """The socket's file number, or -1 when it is not open."""
        return self._watched

    def end(self) -> None:
        """Close at once, without DISCONNECT and without sending what is left. Idempotent."""
        self._ended = True
        if self._tick is not None:
            self._tick.cancel()
        if self._socket is not None:
            self._unwatch()
            self._socket.close()
            self._socket = None

    def pause(self) -> None:
        """Read nothing until `resume`: the broker's own queue grows instead of ours."""
        if self._watched >= 0 and not self._paused:
            self._paused = True
            self._loop.remove_reader(self._watched)

    def resume(self) -> None:
        """Read on."""
        if self._paused and self._watched >= 0:
            self._paused = False
            self._heard = self._loop.time()  # it was not the broker who was silent
            self._loop.add_reader(self._watched, self._readable)
            self._loop.call_soon(self._readable)  # for what TLS has decrypted already

    def linger(self) -> None:
        """From now on closing lets the kernel deliver what it holds: for DISCONNECT."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)

    def _in_loop(self, call: Callable[..., None], *args: object) -> None:
        # paho connects in a thread of the executor, and calls the first two callbacks there.
        if threading.get_ident() == self._thread:
            call(*args)
        else:
            self._loop.call_soon_threadsafe(call, *args)

    def _opened(self, _client: Client, _userdata: Any, sock: Any) -> None:
        if self._ended:
            sock.close()
            raise OSError("given up while connecting")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A lost connection must not deliver late what its successor sends again.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._in_loop(self._watch, sock)

    def _watch(self, sock: socket.socket) -> None:
        if self._ended:
            sock.close()
            return
        self._socket = sock
        self._watched = sock.fileno()
        self._loop.add_reader(self._watched, self._readable)
        self._heard = self._wrote = self._probed = self._loop.time()
        self._schedule_tick()

    def _unwatch(self) -> None:
        if self._watched >= 0:
            for remove in (self._loop.remove_reader, self._loop.remove_writer):
                with contextlib.suppress(RuntimeError, OSError, ValueError):  # see _watch_write
                    remove(self._watched)
            self._watched = -1

    def _closing(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        self._unwatch()
        self._socket = None

    def _want_write(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        self._in_loop(self._watch_write)

    def _watch_write(self) -> None:
        if self._watched < 0:
            return
        try:
            self._loop.add_writer(self._watched, self._writable)
        except (RuntimeError, OSError, ValueError) as error:
            # The loop has given up this file (uvloop does at an error of its poll), unsaid.
            # Later, because paho is in the middle of something.
            self._loop.call_soon(self._give_up, f"the socket is watched no more ({error})")

    def _unwatch_write(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        if self._watched >= 0:
            with contextlib.suppress(RuntimeError, OSError, ValueError):  # see _watch_write
                self._loop.remove_writer(self._watched)

    def _readable(self) -> None:
        if self._socket is None or self._paused:
            return
        self._heard = self._loop.time()
        self._question_end = 0
        try:
            self._client.loop_read()
            while self._held_back() and not self._paused:
                self._client.loop_read()
        except Exception as error:  # noqa: BLE001  (bytes of the peer can raise anything in paho)
            self._give_up(f"the broker sent what is no MQTT ({type(error).__name__}: {error})")

    def _held_back(self) -> bool:
        """Whether bytes were decrypted that paho has not taken yet."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _writable(self) -> None:
        self._wrote = self._loop.time()
        self.written = True
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001  (paho passes on what the socket raises)
            self._give_up(f"writing to the broker failed ({type(error).__name__}: {error})")

    def _schedule_tick(self) -> None:
        self._tick_due = self._loop.time() + self._tick_s
        self._tick = self._loop.call_at(self._tick_due, self._on_tick)

    def _on_tick(self) -> None:
        if self._socket is None:
            return
        if self._paused:
            self._schedule_tick()
            return
        now = self._loop.time()
        late = now - self._tick_due
        if late > self._tick_s:
            # The loop stood still, and nobody could listen: that time is not the broker's silence.
            self._heard += late
        acked = self._bytes_acked()
        if self._acked < self._question_end and acked > self._acked:
            self._moved = now
        self._acked = acked
        patience_s = self._keep_alive_s
        if now >= max(self._heard + 1.5 * patience_s, self._moved + patience_s):
            self._give_up(f"the broker has been silent for {now - self._heard:.1f} s")
            return
        quiet_since = max(min(self._heard, self._wrote), self._probed)
        if now - quiet_since >= patience_s / 2:
            self._probed = now
            unacknowledged = self._probe()
            if self._question_end == 0:
                # Later questions give no further respite.
                self._question_end = self._acked + unacknowledged
        self._schedule_tick()

    def _bytes_acked(self) -> int:
        assert self._socket is not None
        facts = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        if len(facts) < _BYTES_ACKED + 8:
            return 0  # an old kernel; then the plain rule of silence is left
        return int(struct.unpack_from("Q", facts, _BYTES_ACKED)[0])

    def _give_up(self, seen: str) -> None:
        if not self._ended:
            self.end()
            self._on_end(seen)
