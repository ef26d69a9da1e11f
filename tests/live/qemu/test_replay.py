"""Playing recordings again and comparing."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workbook.live.qemu.recorder import QemuMissing, find_qemu, play, usable_accel
from workbook.live.qemu.replay import compare, main

STEP = {"action": {"op": "start"}, "error": None, "kvm": {"live": {"0": 7}}, "info_mtree_flat": ["a KVM", "b"]}


def recording(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"kvm_memslots_faked": None, "smm_faked": False, "qemu_version": "10.0.2", "steps": list(steps)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"error": "no"}, 'step 1, error: recorded null, now "no"'),
        ({"kvm": {"live": {"0": 8}}}, "step 1, kvm.live.0: recorded 7, now 8"),
        ({"kvm": {"live": {"0": 7, "1": 7}}}, "step 1, kvm.live.1: recorded <not there>, now 7"),
        ({"stderr": "x"}, 'step 1, stderr: recorded <not there>, now "x"'),
        ({"info_mtree_flat": ["a KVM", "c"]}, 'step 1, info_mtree_flat.1: recorded "b", now "c"'),
        ({"info_mtree_flat": ["a KVM"]}, 'step 1, info_mtree_flat: recorded ["a KVM", "b"], now ["a KVM"]'),
    ],
)
def test_first_difference_is_named(change: dict[str, Any], text: str) -> None:
    """The first differing step and field are named, with both values."""
    assert compare(recording(STEP, STEP), recording(STEP, STEP)) is None
    assert str(compare(recording(STEP, STEP, STEP), recording(STEP, STEP | change, {}))) == text


def test_missing_steps_are_a_difference() -> None:
    """A recording that ends early differs, even if all that is there is equal."""
    assert str(compare(recording(STEP, STEP), recording(STEP))) == "step 1, number of steps: recorded 2, now 1"


def test_without_kvm() -> None:
    """KVM's own rows and marks can be left out of the comparison, nothing else."""
    tcg = {key: value for key, value in STEP.items() if key != "kvm"} | {"info_mtree_flat": ["a", "b"]}
    assert compare(recording(STEP), recording(tcg)) is not None
    assert compare(recording(STEP), recording(tcg), without_kvm=True) is None
    assert compare(recording(STEP), recording(tcg | {"error": "x"}), without_kvm=True) is not None


def test_bad_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there, a file that is no recording and a missing QEMU are one line and exit status 2."""
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\necho QEMU emulator version 10.0.2\n")
    qemu.chmod(0o755)
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "other.json").write_text("{}")
    calls = {
        "nowhere is not there": [str(tmp_path / "nowhere"), "--qemu", str(qemu)],
        "is not JSON": [str(tmp_path / "text.json"), "--qemu", str(qemu)],
        "is no recording": [str(tmp_path / "other.json"), "--qemu", str(qemu)],
        "is not here": [str(tmp_path), "--qemu", "no-such-qemu"],
    }
    for words, call in calls.items():
        assert main(call) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line


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
    plug = {"op": "plug", "dev": "vmem0", "offset": 0, "size": 2 << 20}
    good = play(argv, [{"op": "start"}, plug], qemu=qemu, name="good")
    changed = copy.deepcopy(good)
    changed["steps"][1]["mapped_memslots"]["vmem0"]["count"] = 2
    faked = good | {"kvm_memslots_faked": 9}
    for name, content in {"a-good": good, "b-changed": changed, "c-faked": faked}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    command = [sys.executable, "-m", "workbook.live.qemu"]
    done = subprocess.run(
        [*command, str(tmp_path), "--record", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    first, second, third, last = done.stdout.splitlines()
    assert first == "a-good: equal"
    assert second == "b-changed: step 1, mapped_memslots.vmem0.count: recorded 2, now 1"
    assert third.startswith("c-faked: skipped: KVM's limit was faked as 9 memslots")
    assert last.startswith("3 recordings, 4 steps played in ")
    assert last.endswith(": 1 equal, 1 differ, 1 skipped")
    assert done.returncode == 1
    fresh = json.loads((tmp_path / "out" / "a-good.json").read_text())
    assert fresh | {"seconds": 0} == good | {"seconds": 0}
    assert subprocess.run([*command, str(tmp_path / "a-good.json")], capture_output=True, check=False).returncode == 0
