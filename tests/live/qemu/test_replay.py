"""Playing recordings again and comparing."""

import copy
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from workbook.data import recordings
from workbook.lib.actions import Plug, Start
from workbook.lib.recording import Recording
from workbook.live.qemu.recorder import QemuMissing, find_qemu, play, usable_accel
from workbook.live.qemu.replay import main, obstacle
from workbook.recordings.files import pack


def test_bad_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there, a file that is no recording and a missing QEMU are one line and exit status 2."""
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\necho QEMU emulator version 10.0.2\n")
    qemu.chmod(0o755)
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "other.json").write_text("{}")
    empty = tmp_path / "empty"
    empty.mkdir()
    calls = {
        "no recording found in": [str(empty), "--qemu", str(qemu)],
        "there is no such file": [str(tmp_path / "nowhere"), "--qemu", str(qemu)],
        "cannot be read as a recording": [str(tmp_path / "text.json"), "--qemu", str(qemu)],
        "not a recording": [str(tmp_path / "other.json"), "--qemu", str(qemu)],
        "is not here": [str(tmp_path), "--qemu", "no-such-qemu"],
    }
    for words, call in calls.items():
        assert main(call) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line


@pytest.mark.parametrize(("version", "least"), [("10.0.2", 150), ("9.2.4", 140), ("11.2.0", 140)])
def test_all_recordings_are_read_and_most_can_be_played(version: str, least: int) -> None:
    """What the archives hold is read; those of a program that shows something else are told by their kind."""
    kinds = Counter(obstacle(Recording.from_json(one, observations=False), version) for one in recordings())
    assert kinds.total() >= 332
    assert kinds[None] >= least
    assert len(kinds) <= 7


def test_a_recording_of_another_version_is_played_where_both_show_the_same() -> None:
    """Of the recordings of QEMU 7.2.22, those of what QEMU 10.0.2 says in other words cannot be played on it."""
    found = {
        one["name"]: obstacle(Recording.from_json(one, observations=False), "10.0.2")
        for one in recordings()
        if one["qemu_version"].startswith("7.2.22")
    }
    assert found["vhost-too-small-7.2.22"] is not None
    assert found["machine-type-3.1-7.2.22"] is None


def test_a_recording_of_another_program_is_not_played() -> None:
    """What qemu-system-aarch64 showed is for that program only."""
    (one,) = [one for one in recordings() if one.get("name") == "virt-requests-11.1.3"]
    recording = Recording.from_json(one, observations=False)
    assert obstacle(recording, "11.1.3") == "made by qemu-system-aarch64, this is qemu-system-x86_64"
    assert obstacle(recording, "11.1.3", "qemu-system-aarch64") is None


@pytest.mark.qemu
def test_command(tmp_path: Path) -> None:
    """The command finds a fresh recording equal, names what a changed one differs in, and skips a faked one."""
    try:
        qemu = find_qemu()
    except QemuMissing as missing:
        pytest.skip(str(missing))
    argv = ["qemu-system-x86_64", "-accel", usable_accel(), "-nodefaults", "-m", "1G,maxmem=8G"]
    argv += ["-object", "memory-backend-ram,id=mem0,size=4G,reserve=off"]
    argv += ["-device", "virtio-mem-pci,id=vmem0,memdev=mem0,requested-size=4G,dynamic-memslots=on"]
    plug = Plug(dev="vmem0", size=2 << 20)
    good = play(argv, [Start(), plug], qemu=qemu, name="good").to_json()
    changed = copy.deepcopy(good)
    changed["steps"][1]["mapped_memslots"]["vmem0"]["count"] = 2
    faked = good | {"kvm_memslots_faked": 9}
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "a-good.json").write_text(json.dumps(good))
    (tmp_path / "b-changed.json").write_text(json.dumps(changed | {"name": "changed"}))
    (inside / "c.jsonl.xz").write_bytes(pack([faked | {"name": "faked"}, good | {"name": "packed"}]))
    command = [sys.executable, "-m", "workbook.live.qemu"]
    done = subprocess.run(
        [*command, str(tmp_path), "--record", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    first, second, third, fourth, last = done.stdout.splitlines()
    assert first == "a-good.json: equal"
    assert second == "b-changed.json: step 1 mapped_memslots.vmem0.count: recorded 2, now 1"
    assert third == "c.jsonl.xz:packed: equal"
    assert fourth == "1 skipped: KVM's limit on memslots was faked, this KVM has its own"
    assert last.startswith("4 recordings, 6 steps played in ")
    assert last.endswith(": 2 equal, 1 differ, 1 skipped")
    assert done.returncode == 1
    fresh = json.loads((tmp_path / "out" / "good.json").read_text())
    assert fresh | {"seconds": 0} == good | {"seconds": 0}
    assert subprocess.run([*command, str(tmp_path / "a-good.json")], capture_output=True, check=False).returncode == 0
