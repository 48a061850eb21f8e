"""The yardstick: the least that moving a value costs in Python, with nothing that makes it safe.

One bare loop over recorded Modbus responses: decode, scale, pack a record, commit it, encode a
Sparkplug payload, write it to the broker's socket, delete. It knows its one device and its one
type; it has no deadband, no quality, no catalog, no birth, no reconnection, and nothing in it asks
whether anything arrived. The product is measured beside it, over the same bytes in the same run.

Each step is done the fastest way known: one `struct` for a block, one for a record's columns, one
for a whole payload.
"""

import os
import socket
import struct
import time
import zlib
from pathlib import Path

from tests.bench.recorded import COUNT, Recording

_COMMIT_S = 0.05
_SEGMENT_BYTES = 8 << 20


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


class Loop:
    """`run` moves all values of a recording and returns CPU seconds."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = b"yardstick"
        head = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name
        self._socket.sendall(b"\x10" + varint(len(head)) + head)
        assert self._socket.recv(4)[3] == 0
        topic = b"spBv1.0/Bench/DDATA/yardstick/Device"
        self._topic = struct.pack(">H", len(topic)) + topic
        # 12 len 10 alias 18 time(6) 69 double(8)
        layout, heads = ["<"], []
        for alias in range(1, COUNT + 1):
            body = b"\x10" + varint(alias) + b"\x18"
            prefix = b"\x12" + varint(len(body) + 6 + 1 + 8) + body
            layout.append(f"{len(prefix)}s7sd")
            heads.append(prefix)
        self._payload = struct.Struct("".join(layout))
        self._arguments: list[object] = [None] * (3 * COUNT)
        self._arguments[0::3] = heads
        self._columns = struct.Struct(f"<{COUNT}H{COUNT}q{COUNT}d")
        self._points = range(COUNT)

    def run(self, recording: Recording) -> float:
        block_structs = [struct.Struct(f">{size // 4}f").unpack for size in recording.sizes]
        arguments, payload, columns = self._arguments, self._payload, self._columns
        file, path, written, number = -1, self._folder / "0", 0, 0
        seq = 0
        committed_s = time.monotonic()
        began = time.process_time()
        for responses in recording.scans:
            raw: list[float] = []
            for unpack, response in zip(block_structs, responses, strict=True):
                raw += unpack(response)
            values = [value / 10 for value in raw]
            now_ms = time.time_ns() // 1_000_000
            record = columns.pack(*self._points, *[now_ms] * COUNT, *values)
            if file < 0:
                path = self._folder / str(number)
                number += 1
                file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.write(file, struct.pack("<II", len(record), zlib.crc32(record)) + record)
            written += len(record)
            if time.monotonic() - committed_s > _COMMIT_S:
                os.fdatasync(file)
                committed_s = time.monotonic()
            stamp = varint(now_ms)
            arguments[1::3] = [stamp + b"\x69"] * COUNT
            arguments[2::3] = values
            body = b"\x08" + stamp + payload.pack(*arguments) + b"\x18" + varint(seq)
            seq = (seq + 1) % 256
            rest = self._topic + body
            self._socket.sendall(b"\x30" + varint(len(rest)) + rest)
            if written > _SEGMENT_BYTES:
                os.close(file)
                path.unlink()
                file, written = -1, 0
        if file >= 0:
            os.close(file)
            path.unlink()
        return time.process_time() - began

    def close(self) -> None:
        self._socket.close()
