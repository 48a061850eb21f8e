"""The shell on real files: threads, timers, the lock, kills, memory."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from bridge.outbox.looking import look
from bridge.outbox.outbox import Entry, Incident, Limits, Outbox, OutboxLocked, PointKey
from mappings.batch import Batch
from mappings.datatypes import DataType
from tests.support.wait import until

KEYS = {"press": [PointKey(f"p{i}", DataType.DOUBLE) for i in range(100)]}
ALL = frozenset(KEYS)
ROOT = Path(__file__).parents[3]


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def box(
    folder: Path,
    incidents: list[Incident] | None = None,
    *,
    max_size: int = 1 << 26,
    strict: bool = False,
    **limits: int,
) -> Outbox:
    report = (incidents if incidents is not None else []).append
    return Outbox(
        folder,
        KEYS,
        max_size=max_size,
        monotonic_ms=monotonic_ms,
        report=report,
        limits=Limits(**limits),
        strict=strict,
    )


def batch(first: int, count: int = 10) -> Batch:
    return Batch(
        "press",
        tuple(range(count)),
        [float(first + i) for i in range(count)],
        [1_700_000_000_000 + first] * count,
    )


def values(entries: list[Entry]) -> list[float]:
    return [value for entry in entries for value in entry.batch.values]  # type: ignore[misc]


async def drain(outbox: Outbox) -> list[float]:
    came: list[float] = []
    while outbox.backlog_samples:
        entries = await outbox.take_backlog(1000)
        assert all(entry.historical for entry in entries)
        came += values(entries)
        outbox.confirm(entries)
    return came


def segment_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


async def test_live_values_pass_and_a_healthy_link_leaves_the_disk_alone(tmp_path: Path) -> None:
    outbox = box(tmp_path)
    await outbox.open()
    came: list[float] = []
    for i in range(40):
        assert outbox.append(batch(i * 10)) > 0
        assert outbox.wake.is_set()
        outbox.wake.clear()
        taken = outbox.take_live(ALL, 100)
        came += values(taken)
        outbox.confirm(taken)
        await asyncio.sleep(0.005)
    assert came == [float(i) for i in range(400)]
    assert segment_files(tmp_path) == []
    assert outbox.ledger.retained == 400
    outbox.rewind()
    assert outbox.backlog_samples == 400
    assert await drain(outbox) == came
    ledger = outbox.ledger
    assert (ledger.accepted, ledger.confirmed, ledger.buffered) == (400, 400, 0)
    await outbox.close()


async def test_close_and_open_again_keeps_what_is_owed_and_the_totals(tmp_path: Path) -> None:
    outbox = box(tmp_path)
    await outbox.open()
    first = [outbox.append(batch(i * 10)) for i in range(20)]
    outbox.confirm(outbox.take_live(ALL, 50))
    flying = outbox.take_live(ALL, 30)
    assert values(flying)[0] == 50.0
    await outbox.close()
    outbox = box(tmp_path)
    recovery = await outbox.open()
    assert recovery.buffered == outbox.backlog_samples == 150
    assert recovery.cursor_found
    assert outbox.ledger.accepted == 200
    assert outbox.ledger.confirmed == 50
    assert outbox.append(batch(1000)) > max(first)
    assert await drain(outbox) == [float(i) for i in range(50, 200)]
    assert values(outbox.take_live(ALL, 100)) == values([Entry(0, batch(1000))])
    await outbox.close()


async def test_commits_come_by_themselves_and_files_go_when_delivered(tmp_path: Path) -> None:
    outbox = box(tmp_path, commit_interval_ms=20, overlap_ms=100, max_size=1 << 20)
    await outbox.open()
    number = 0
    while len(segment_files(tmp_path)) < 3:
        for _ in range(20):
            outbox.append(batch(number := number + 100, 100))
        await until(lambda: outbox.ledger.uncommitted == 0, what="a commit", timeout_s=0.5)
    outbox.split()
    assert len(await drain(outbox)) == number
    await until(lambda: len(segment_files(tmp_path)) == 1, what="delivered segments are gone")
    await outbox.close()


async def test_strict_publishes_only_what_is_committed(tmp_path: Path) -> None:
    outbox = box(tmp_path, strict=True)
    await outbox.open()
    outbox.append(batch(0))
    assert outbox.take_live(ALL, 100) == []
    outbox.wake.clear()
    async with asyncio.timeout(5):
        await outbox.wake.wait()
    assert len(outbox.take_live(ALL, 100)) == 1
    await outbox.close()


async def test_a_late_live_lane_becomes_backlog_and_names_its_points(tmp_path: Path) -> None:
    outbox = box(tmp_path, live_limit_ms=50, commit_interval_ms=60_000)
    await outbox.open()
    outbox.append(batch(0, 3))
    assert outbox.take_live(frozenset(), 100) == []
    await asyncio.sleep(0.06)
    outbox.append(batch(10, 2))
    assert outbox.take_overdue() == {"press": {0, 1, 2}}
    assert outbox.take_overdue() == {}
    assert values(await outbox.take_backlog(100)) == [0.0, 1.0, 2.0, 10.0, 11.0]
    await outbox.close()


async def test_a_second_process_is_locked_out_and_told_who_has_it(tmp_path: Path) -> None:
    outbox = box(tmp_path)
    await outbox.open()
    with pytest.raises(OutboxLocked, match=str(os.getpid())):
        await box(tmp_path).open()
    code = (
        "import sys; from pathlib import Path; from bridge.outbox.files import OsFiles\n"
        "try: OsFiles().lock(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert seen.startswith("OutboxLocked")
    assert f"process {os.getpid()}" in seen
    await outbox.close()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert again == ""


async def test_memory_does_not_grow_with_the_backlog(tmp_path: Path) -> None:
    outbox = box(tmp_path, live_limit_ms=0, commit_interval_ms=5)
    await outbox.open()

    async def fill(batches: int) -> int:
        for i in range(batches):
            outbox.append(batch(i, 100))
            if i % 50 == 0:
                await until(lambda: outbox.ledger.uncommitted == 0, what="commit", every_s=0.002)
        await until(lambda: outbox.ledger.uncommitted == 0, what="commit")
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        small = await fill(300)
        large = await fill(3000)
    finally:
        tracemalloc.stop()
    assert outbox.backlog_samples > 300_000
    assert large - small < 400_000  # bytes; the 3,000 batches would be 30 MB
    await outbox.close()


async def test_what_the_configuration_does_not_know_is_refused_or_discarded(
    tmp_path: Path,
) -> None:
    outbox = box(tmp_path)
    await outbox.open()
    with pytest.raises(KeyError):
        outbox.append(Batch("lathe", (0,), [1.0], [0]))
    with pytest.raises(IndexError):
        outbox.append(Batch("press", (100,), [1.0], [0]))
    outbox.append(batch(0))
    await outbox.close()
    fewer = {"press": [PointKey("p3", DataType.DOUBLE), PointKey("p4", DataType.FLOAT)]}
    outbox = Outbox(
        tmp_path, fewer, max_size=1 << 20, monotonic_ms=monotonic_ms, report=lambda _: None
    )
    await outbox.open()
    (entry,) = await outbox.take_backlog(100)
    assert (entry.batch.points, list(entry.batch.values)) == ((0,), [3.0])
    outbox.rewind()  # counted once, however often it is read
    entries = await outbox.take_backlog(100)
    outbox.confirm(entries)
    ledger = outbox.ledger
    assert (ledger.accepted, ledger.discarded, ledger.confirmed) == (10, 9, 1)
    await outbox.close()


async def test_a_folder_that_cannot_be_made_is_an_error_and_nothing_stays_locked(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        await box(tmp_path / "file" / "outbox").open()


WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.bridge.outbox.test_outbox import batch, box
async def main():
    outbox = box(Path(sys.argv[1]), commit_interval_ms=5)
    await outbox.open()
    outbox.rewind()
    first = int(sys.argv[3])
    while True:
        outbox.append(batch(first, 10))
        first += 10
        await asyncio.sleep(0.0005)
        pending = list(outbox._lanes._pending.values())
        print(int(pending[0].batch.values[0]) if pending else first, flush=True)
asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    rng = random.Random(1)
    safe: set[float] = set()
    first = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(ROOT), str(first)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        upto = first
        for _ in range(rng.randint(1, 60)):
            line = await asyncio.to_thread(process.stdout.readline)
            upto = int(line)
        process.send_signal(signal.SIGKILL)
        rest = await asyncio.to_thread(process.stdout.read)
        process.wait()
        process.stdout.close()
        if len(complete := rest.split("\n")) > 1:
            upto = int(complete[-2])
        safe |= {float(i) for i in range(first, upto)}
        first += 1_000_000
    incidents: list[Incident] = []
    outbox = box(tmp_path, incidents)
    recovery = await outbox.open()
    assert recovery.quarantined == recovery.evicted == 0
    came = await drain(outbox)
    assert not safe - set(came)
    assert came == sorted(set(came))
    assert incidents == []
    await outbox.close()


async def test_totals_go_on_where_they_ended(tmp_path: Path) -> None:
    accepted = 0
    for turn in range(3):
        outbox = box(tmp_path)
        await outbox.open()
        assert (outbox.ledger.accepted, outbox.ledger.confirmed) == (accepted, accepted)
        for i in range(5):
            outbox.append(batch(100 * turn + i))
        outbox.confirm(outbox.take_live(ALL, 1000))
        accepted += 50
        await outbox.close()
    assert len(segment_files(tmp_path)) <= 2


async def test_points_that_move_keep_their_samples_while_they_are_read(tmp_path: Path) -> None:
    incidents: list[Incident] = []
    outbox = box(tmp_path, incidents)
    await outbox.open()
    for i in range(20):
        outbox.append(batch(10 * i))
    outbox.split()
    await until(lambda: outbox.ledger.uncommitted == 0, what="all on the disk")
    reading = asyncio.create_task(outbox.take_backlog(1000))
    await asyncio.sleep(0)  # the thread reads, by the keys of before
    rows = list(reversed(KEYS["press"][:9]))  # p9 and all behind it are gone
    outbox.rekey({"press": rows})
    outbox.append(Batch("press", (0,), [1e6], [1_800_000_000_000]))
    with pytest.raises(IndexError):
        outbox.append(Batch("press", (9,), [1.0], [0]))
    with pytest.raises(KeyError):
        outbox.append(Batch("lathe", (0,), [1.0], [0]))
    entries = await reading
    assert entries
    for entry in entries:
        told = {rows[p].id: v for p, v in zip(entry.batch.points, entry.batch.values, strict=True)}
        first = told["p0"]
        assert told == {f"p{i}": first + i for i in range(9)}
    outbox.confirm(entries)
    (live,) = outbox.take_live(ALL, 10)
    outbox.confirm([live])
    ledger = outbox.ledger
    assert (ledger.accepted, ledger.confirmed, ledger.discarded) == (201, 181, 20)
    assert [incident.code for incident in incidents] == ["outbox-discarded"]
    await outbox.close()


async def test_an_extent_tells_how_old_the_oldest_is(tmp_path: Path) -> None:
    outbox = box(tmp_path)
    await outbox.open()
    assert (await outbox.extent()).oldest_ms is None
    outbox.append(batch(5))
    assert (await outbox.extent()).oldest_ms == 1_700_000_000_005
    outbox.split()
    await until(lambda: outbox.ledger.uncommitted == 0, what="all on the disk")
    outbox.append(batch(50))
    extent = await outbox.extent()
    assert (extent.oldest_ms, extent.segments) == (1_700_000_000_005, 1)
    assert extent.bytes == sum(file.stat().st_size for file in segment_files(tmp_path))
    outbox.confirm(await outbox.take_backlog(100))
    assert (await outbox.extent()).oldest_ms == 1_700_000_000_050
    await outbox.close()


async def test_looking_at_an_outbox_changes_nothing(tmp_path: Path) -> None:
    outbox = box(tmp_path)
    await outbox.open()
    for i in range(20):
        outbox.append(batch(10 * i))
    await until(lambda: outbox.ledger.uncommitted == 0, what="all on the disk")
    with pytest.raises(OutboxLocked, match=str(os.getpid())):
        look(tmp_path, KEYS)
    await outbox.close()
    [file] = segment_files(tmp_path)
    content = bytearray(file.read_bytes())
    content[200] ^= 0xFF
    file.write_bytes(content)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    ledger, extent, incidents = look(tmp_path, KEYS)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert (ledger.accepted, ledger.buffered) == (200, 200)
    assert (extent.bytes, extent.oldest_ms) == (len(content), 1_700_000_000_000)
    assert incidents == ()
