"""What memslots cost around a real QEMU: equal to the model, given back, and refused in one line."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

import pytest

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB, TiB
from workbook.live.kvm import Layout, this_host
from workbook.live.kvm.device import KvmDevice
from workbook.live.kvm.vmalloc import read_usage
from workbook.live.qemu.binary import QemuBinary, QemuMissing, find_qemu
from workbook.live.qemu_cost import DeviceCost, device, measure_device, measure_update, time_start
from workbook.live.qemu_cost.__main__ import main

pytestmark = pytest.mark.qemu


def cannot(why: str) -> NoReturn:
    """Skip; in CI everything is there, and what is missing is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module")
def qemu() -> QemuBinary:
    """A QEMU that is new enough."""
    try:
        return find_qemu()
    except QemuMissing as missing:
        cannot(str(missing))


@pytest.fixture
def kvm(qemu: QemuBinary) -> QemuBinary:
    """The QEMU of a host whose memslots can be measured: /dev/kvm, and root for /proc/vmallocinfo."""
    try:
        KvmDevice().close()
    except BadInput as refusal:
        cannot(str(refusal))
    if not os.access("/proc/vmallocinfo", os.R_OK):
        cannot("/proc/vmallocinfo needs root")
    return qemu


def undisturbed(plugged: list[int], *, dynamic: bool, size: int = TiB) -> tuple[DeviceCost, ...]:
    """Measure again while other VMs of this machine come and go."""
    for _ in range(5):
        try:
            costs = measure_device(plugged, dynamic=dynamic, size=size)
        except BadInput as refusal:
            if "kernel memory" not in str(refusal):
                raise
            cannot(str(refusal))
        if not costs[0].disturbed:
            break
    return costs


@pytest.mark.kvm
def test_headline_without_memslots(kvm: QemuBinary) -> None:
    """A 1 TiB device with dynamic-memslots=off costs one memslot of 1 TiB from the start on, as predicted."""
    empty, plugged = undisturbed([0, GiB], dynamic=False)
    assert [size for _, size in empty.memslots] == [TiB]
    assert empty.measured.by_part == empty.predicted.as_dict()
    assert empty.measured.total == plugged.measured.total == this_host().metadata([TiB]).total * empty.address_spaces
    assert plugged.agrees


@pytest.mark.kvm
def test_headline_with_memslots(kvm: QemuBinary) -> None:
    """With dynamic-memslots=on it costs nothing at first, and then memslots of 4 GiB for what is plugged."""
    costs = undisturbed([0, GiB, 10 * GiB, 100 * GiB], dynamic=True)
    assert [len(one.memslots) for one in costs] == [0, 1, 3, 25]
    assert {size for one in costs for _, size in one.memslots} == {4 * GiB}
    assert [one.measured.by_part for one in costs] == [one.predicted.as_dict() for one in costs]
    assert costs[0].measured.total == 0 < costs[1].measured.total < costs[3].measured.total


@pytest.mark.kvm
@pytest.mark.parametrize(
    ("size", "plugged"), [(11 * GiB - 512 * MiB, [2 * MiB, 9 * GiB]), (300 * GiB + 512 * MiB, [7 * GiB])]
)
def test_odd_devices(kvm: QemuBinary, size: int, plugged: list[int]) -> None:
    """Devices with a smaller last memslot, or memslots that are no power of two, cost what is predicted too."""
    for cost in undisturbed([*plugged, size], dynamic=True, size=size):
        assert cost.measured.by_part == cost.predicted.as_dict()


@pytest.mark.kvm
def test_interrupted_measurement_leaves_nothing(kvm: QemuBinary) -> None:
    """Ctrl-C and SIGKILL in the middle end QEMU, and the kernel has all its memory back."""
    for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        assert any(killed_leaves_nothing(number, status) for _ in range(5))


def killed_leaves_nothing(number: signal.Signals, status: int) -> bool:
    """Kill the command while QEMU holds memslots; say whether the memory is back (other VMs may disturb)."""
    page = os.sysconf("SC_PAGESIZE")
    before = read_usage(page)
    command = [sys.executable, "-m", "workbook.live.qemu_cost", "--device", "--size", "64G"]
    with (
        # short, for it holds sockets; what SIGKILL leaves in it goes with it
        tempfile.TemporaryDirectory(dir="/tmp", prefix="w") as place,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": place}
        ) as process,
    ):
        try:
            # its first line: it measures now, and is no longer importing while another VM's memory grows
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"QEMU ")
            deadline = time.monotonic() + 20
            while read_usage(page).since(before).total < MiB and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(number)
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == status
    deadline = time.monotonic() + 10
    while (left := read_usage(page).since(before).total) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left == 0


@pytest.mark.parametrize("vhost", [False, True])
def test_updates_tell_everybody_once_per_memslot(qemu: QemuBinary, vhost: bool) -> None:
    """Mapping N memslots is N ioctls and N messages, in N requests as in one; the harness's share is told apart."""
    updates = measure_update((1, 12), vhost=vhost, repeats=1)
    asked = {(one.slots, one.requests, one.mapped) for one in updates}
    assert asked == {(1, 1, True), (1, 1, False), (12, 12, True), (12, 12, False), (12, 1, True), (12, 1, False)}
    for one in updates:
        kind = "ADD_MEM_REG" if one.mapped else "REM_MEM_REG"
        assert one.messages == ({kind: one.slots} if vhost else {})
        assert one.ioctls == (one.slots if one.accel == "kvm" else 0)
        assert 0 < one.seconds < 10
        assert 0 < one.idle_seconds < 10


def test_numbers_that_do_not_fit_are_one_line(qemu: QemuBinary) -> None:
    """Plugged sizes and numbers of memslots that no device has are refused with what is allowed."""
    with pytest.raises(BadInput, match="give ascending ones from 0 to 1 TiB"):
        measure_device([GiB, 0], dynamic=True)
    with pytest.raises(BadInput, match="must be multiples of 2 MiB"):
        measure_device([1], dynamic=True)
    with pytest.raises(BadInput, match="257 memslots, 3 repetitions: give 1 to 256 memslots"):
        measure_update((257,), vhost=False)


@pytest.mark.kvm
def test_too_little_memory_is_said_before(kvm: QemuBinary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that does not fit is refused with what it needs before QEMU is started."""
    monkeypatch.setattr(device, "available_memory", lambda: device.RESERVE)
    monkeypatch.setattr(device, "Session", lambda *_: pytest.fail("must not be started"))
    for measure in (lambda: measure_device([0], dynamic=False), lambda: time_start(dynamic=False)):
        with pytest.raises(BadInput, match=r"a device of 1 TiB needs .* of kernel memory, but only 0 B can be had"):
            measure()


def test_without_root_or_kvm_is_one_line(qemu: QemuBinary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where metadata cannot be measured, the reason is said and what to do."""

    class Missing(KvmDevice):
        def __init__(self) -> None:
            super().__init__(tmp_path / "kvm")

    with monkeypatch.context() as context:
        context.setattr(device, "KvmDevice", Missing)
        with pytest.raises(BadInput, match="does not exist: measure on a Linux host with KVM"):
            measure_device([0], dynamic=True)
    monkeypatch.setattr(device, "_with_smm", KvmHost)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BadInput, match="run as root"):
        measure_device([0], dynamic=True, qemu=qemu)


@pytest.mark.kvm
def test_command_writes_what_it_measured(kvm: QemuBinary, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON file holds QEMU, kernel, command and date, and each row equals its prediction."""
    output = tmp_path / "qemu.json"
    assert main(["--device", "--size", "4G", "--output", str(output)]) in {0, 1}  # 1: another VM disturbed
    printed = capsys.readouterr().out
    assert "dynamic on, 4 GiB plugged" in printed
    report = json.loads(output.read_text())
    assert report["qemu_version"] == kvm.version
    assert report["command"].startswith("python -m workbook.live.qemu_cost --device --size 4G")
    assert report["date"]
    assert [one["plugged"] for one in report["measurements"]] == [0, GiB, 0, GiB, 4 * GiB]
    for row in report["measurements"]:
        assert row["disturbed"] or row["parts"] == row["predicted"]
    assert Layout.from_runs(report["measurements"][-1]["memslots"]).sizes == (GiB,) * 4
    assert [(one["dynamic_memslots"], len(one["seconds"])) for one in report["starts"]] == [
        (None, 3),
        (False, 3),
        (True, 3),
    ]
    assert list(tmp_path.iterdir()) == [output]


def test_command_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing QEMU, or a folder that is not there, is refused before anything is measured."""
    for arguments in (["--qemu", str(tmp_path / "qemu")], ["--output", str(tmp_path / "none" / "qemu.json")]):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
