"""R3: the N-th system call of the outbox's thread fails, or kills the process.

No exit because of a failing disk, never a false success: what the process said to be committed,
or was delivered, is there afterwards.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bridge.outbox.test_outbox import ROOT, box, drain

STRACE = shutil.which("strace")

PROGRAM = """
import asyncio, json, socket, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.bridge.outbox.test_outbox import ALL, batch, box, values
out = socket.socket(fileno=int(sys.argv[3]))
async def main():
    outbox = box(Path(sys.argv[1]), max_size=1 << 20, commit_interval_ms=2, overlap_ms=1)
    await outbox.open()
    confirmed = []
    for i in range(60):
        outbox.append(batch(i * 100, 100))
        await asyncio.sleep(0.005)
        if i % 3 == 0:
            outbox.split()
            taken = await outbox.take_backlog(200)
            confirmed += values(taken)
            outbox.confirm(taken)
        pending = [v for e in outbox._lanes._pending.values() for v in e.batch.values]
        told = {"upto": (i + 1) * 100, "pending": pending, "confirmed": confirmed}
        out.send(json.dumps(told).encode() + b"\\n")
    await outbox.close()
    ledger = outbox.ledger
    assert ledger.accepted == ledger.confirmed + ledger.buffered + ledger.evicted
asyncio.run(main())
"""


CASES = [
    (call, fault)
    for call in ("write", "fdatasync", "fsync", "pread64")
    for fault in ("error=EIO", "error=ENOSPC", "error=EDQUOT", "signal=KILL")
    # Reading never fails for want of space.
    if call != "pread64" or fault not in {"error=ENOSPC", "error=EDQUOT"}
]


@pytest.mark.faults
@pytest.mark.parametrize("when", [1, 2, 3, 4])
@pytest.mark.parametrize(("call", "fault"), CASES)
async def test_the_nth_call_fails(call: str, fault: str, when: int, tmp_path: Path) -> None:
    assert STRACE, "strace is not installed; make faults installs it"
    if call == "pread64":
        when += 8  # the first ones belong to the loader of shared libraries
    mine, theirs = socket.socketpair()
    command = [
        str(STRACE), "--seccomp-bpf", "-f", "-qq", "-o", str(tmp_path / "trace"),
        "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}",
        sys.executable, "-c", PROGRAM, str(tmp_path / "box"), str(ROOT), str(theirs.fileno()),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True
    )
    theirs.close()
    said = b""
    while part := await asyncio.to_thread(mine.recv, 1 << 20):
        said += part
    mine.close()
    _, errors = await asyncio.to_thread(process.communicate)
    if fault != "signal=KILL":
        assert process.returncode == 0, errors
    lines = said.split(b"\n")[:-1]
    told = json.loads(lines[-1]) if lines else {"upto": 0, "pending": [], "confirmed": []}
    must = {float(i) for i in range(told["upto"])} - set(told["confirmed"])
    if fault == "signal=KILL":
        must -= set(told["pending"])
    outbox = box(tmp_path / "box", max_size=1 << 20)
    await outbox.open()
    came = await drain(outbox)
    missing = must - set(came)
    ledger = outbox.ledger
    await outbox.close()
    assert len(missing) <= ledger.evicted, (len(missing), ledger)
    assert not ledger.quarantined
