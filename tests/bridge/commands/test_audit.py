"""The audit log: whoever changes it is found out; a disk that fails is no reason to be."""

import errno
import json
import os
import random
from pathlib import Path

import pytest

from bridge.commands.audit import Audit, AuditError, files_of, verify_folder
from bridge.commands.chain import FIRST, line_of


async def written(folder: Path, count: int, **options: int) -> Audit:
    audit = Audit(folder, **options)
    for number in range(count):
        await audit.write([{"what": "accepted", "value": number, "text": "Größe"}], sure=True)
    return audit


async def test_a_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    first = await written(tmp_path, 3)
    await first.close()
    second = await written(tmp_path, 2)
    verdict = verify_folder(tmp_path)
    assert verdict.faults == []
    assert (verdict.records, verdict.first, verdict.head) == (6, 1, second.head)
    assert len(files_of(tmp_path)) == 1
    await second.close()


async def test_files_are_bounded_and_the_chain_goes_on(tmp_path: Path) -> None:
    audit = await written(tmp_path, 300, most_bytes=4_000, most_files=3)
    verdict = verify_folder(tmp_path)
    assert verdict.faults == []
    assert verdict.first > 1
    assert verdict.head == audit.head
    assert len(files_of(tmp_path)) == 3
    assert sum(path.stat().st_size for _, path in files_of(tmp_path)) < 3 * 4_300
    await audit.close()


async def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    audit = await written(tmp_path, 4)
    await audit.close()
    [(_, path)] = files_of(tmp_path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 + place % 200
        path.write_bytes(bytes(changed))
        verdict = verify_folder(tmp_path)
        assert verdict.faults or verdict.head != audit.head, (place, whole[place : place + 1])
    path.write_bytes(whole)
    assert verify_folder(tmp_path).faults == []


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "line", "what"),
    [
        (lambda lines: lines[:2] + lines[3:], 3, "record 4 does not follow record 2"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3, "does not follow"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "does not follow record 3"),
        (lambda lines: lines[1:], 0, ""),
        (lambda lines: [x.replace('"value":1', '"value":2') for x in lines], 3, "changed"),
        (lambda lines: [*lines[:2], "{}\n", *lines[2:]], 3, "changed, or no record"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], 6, "without its end"),
    ],
)  # fmt: skip
async def test_what_was_done_to_it_is_said(tmp_path: Path, change, line: int, what: str) -> None:
    await (await written(tmp_path, 5)).close()
    [(_, path)] = files_of(tmp_path)
    path.write_text("".join(change(lines_of(path))))
    verdict = verify_folder(tmp_path)
    if not line:  # as if older files had been given up: the number of the first record says so
        assert (verdict.first, verdict.faults) == (2, [])
        return
    assert verdict.faults[0].line == line
    assert what in verdict.faults[0].what


async def test_a_tail_that_was_cut_or_written_anew_has_another_head(tmp_path: Path) -> None:
    audit = await written(tmp_path, 5)
    await audit.close()
    [(_, path)] = files_of(tmp_path)
    lines = lines_of(path)
    path.write_text("".join(lines[:-1]))
    cut = verify_folder(tmp_path)
    assert cut.faults == []
    assert audit.head not in cut.hashes
    prev = json.loads(lines[-2])["hash"]
    forged, _ = line_of({"what": "accepted", "value": 99}, 6, prev)
    path.write_text("".join(lines[:-1]) + forged + "\n")
    anew = verify_folder(tmp_path)
    assert anew.faults == []
    assert audit.head not in anew.hashes


async def test_a_file_that_is_gone_from_the_middle(tmp_path: Path) -> None:
    audit = await written(tmp_path, 100, most_bytes=4_000, most_files=9)
    await audit.close()
    files = files_of(tmp_path)
    files[1][1].unlink()
    assert any("file 2 is gone" in fault.what for fault in verify_folder(tmp_path).faults)


async def test_a_line_that_a_crash_cut_short_is_no_tampering(tmp_path: Path) -> None:
    await (await written(tmp_path, 3)).close()
    [(_, path)] = files_of(tmp_path)
    whole = path.read_bytes()
    last = len(lines_of(path)[-1].encode())
    for cut in (1, 2, last // 2, last - 1):
        path.write_bytes(whole[:-cut])
        again = await written(tmp_path, 1)
        await again.close()
        verdict = verify_folder(tmp_path)
        assert (verdict.faults, verdict.records) == ([], 4)
        path.write_bytes(whole)


async def test_zeros_after_a_power_cut_are_told_and_gone_on_after(tmp_path: Path) -> None:
    await (await written(tmp_path, 3)).close()
    [(_, path)] = files_of(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0" * 50 + b"\n")
    again = await written(tmp_path, 1)
    await again.close()
    verdict = verify_folder(tmp_path)
    assert [fault.what for fault in verdict.faults] == ["changed, or no record at all"]
    assert verdict.head == again.head


@pytest.mark.parametrize("seed", range(20))
async def test_a_failing_disk_leaves_a_chain_that_is_whole(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes, syncs and cuts fail at random; what was acknowledged is there, once, in its order."""
    pick = random.Random(seed)
    real = {name: getattr(os, name) for name in ("write", "fsync", "ftruncate")}

    def failing(name: str):
        def call(*args):
            if pick.random() < 0.2:
                if name == "write" and pick.random() < 0.5:
                    real["write"](args[0], args[1][: pick.randrange(len(args[1]))])
                raise OSError(errno.EIO, "Input/output error")
            return real[name](*args)

        return call

    for name in real:
        monkeypatch.setattr(os, name, failing(name))
    audit = Audit(tmp_path, most_bytes=3_000, most_files=99)
    sure = []
    for number in range(200):
        try:
            await audit.write([{"what": "accepted", "value": number}], sure=True)
            sure.append(number)
        except AuditError:
            pass
    for name, call in real.items():
        monkeypatch.setattr(os, name, call)
    await audit.close()
    verdict = verify_folder(tmp_path)
    torn = [f for f in verdict.faults if f.what != "a line without its end"]
    assert torn == []
    values = [
        record["value"]
        for _, path in files_of(tmp_path)
        for line in path.read_text().splitlines()
        if line.endswith("}") and (record := json.loads(line))["what"] == "accepted"
    ]
    assert set(sure) <= set(values)
    assert values == sorted(set(values))
    assert 0 < len(sure) < 200
    assert audit.head in verdict.hashes  # the last record may be one that the disk was not sure of


def test_an_empty_folder(tmp_path: Path) -> None:
    verdict = verify_folder(tmp_path / "none")
    assert (verdict.records, verdict.head, verdict.faults) == (0, FIRST, [])
