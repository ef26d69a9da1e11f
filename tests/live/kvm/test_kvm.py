"""Real memslots on /dev/kvm against the prediction, and what happens where they cannot be measured."""

import gzip
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, MiB, TiB
from workbook.live.kvm import Layout, Measurement, host, measure, measurement, this_host, time_slots
from workbook.live.kvm.__main__ import TABLE, main
from workbook.live.kvm.device import KvmDevice
from workbook.live.kvm.vmalloc import available_memory, read_usage

kvm = pytest.mark.kvm
needs_kvm = pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="needs a usable /dev/kvm")
needs_root = pytest.mark.skipif(not os.access("/proc/vmallocinfo", os.R_OK), reason="/proc/vmallocinfo needs root")

VMALLOCINFO = """\
0x0000000000000001-0x0000000000000002   20480 irq_init_percpu_irqstack+0xca/0x100 vmap
0x0000000000000003-0x0000000000000004    8192 acpi_os_map_iomem+0x1bc/0x1e0 phys=0x00000000000a0000 ioremap
0x0000000000000005-0x0000000000000006   20480 memslot_rmap_alloc+0x94/0x3e0 [kvm] pages=4 vmalloc vpages N0=4
0x0000000000000007-0x0000000000000008   12288 memslot_rmap_alloc.isra.0+0x94/0x3e0 pages=2 vmalloc N0=1 N1=1
0x0000000000000009-0x000000000000000a    8192 kvm_page_track_create_memslot+0x5c/0x80 pages=1 vmalloc N0=1
0x000000000000000b-0x000000000000000c    8192 kvm_arch_prepare_memory_region+0x1/0x2 [kvm] pages=1 vmalloc N0=1
0x000000000000000d-0x000000000000000e   36864 kvm_set_memslot+0x1/0x2 [kvm] pages=8 vmalloc N0=8
0x000000000000000f-0x0000000000000010   16384 kernel_clone+0x94/0x3e0 pages=3 vmalloc N0=3
0x0000000000000011-0x0000000000000012    8192 unpurged vm_area
"""

HOLD = """
import signal, sys, time
from pathlib import Path
from workbook.live.kvm import Layout
from workbook.live.kvm.device import KvmDevice
layout = Layout.packed(256, 1 << 30)
with KvmDevice() as kvm, kvm.create_vm(1 << 30) as vm:
    vm.add(layout.sizes, layout.bases, dirty_log=True)
    print("holding", flush=True)
    time.sleep(60)
"""


def undisturbed(layout: Layout, *, dirty_log: bool = False) -> Measurement:
    """Measure again while other VMs of this machine come and go."""
    for _ in range(5):
        result = measure(layout, dirty_log=dirty_log)
        if not result.disturbed:
            break
    return result


@kvm
@needs_kvm
@needs_root
@pytest.mark.parametrize("seed", range(12))
def test_random_layouts_cost_what_is_predicted(seed: int) -> None:
    """Any sizes, alignments and gaps cost what the model says, to the page and in every part."""
    result = undisturbed(Layout.random(seed), dirty_log=seed % 2 == 1)
    assert result.measured.by_part == result.predicted.as_dict()
    assert result.measured.total == result.predicted.total > 0
    assert result.uncertainty == 0


@kvm
@needs_kvm
@needs_root
@pytest.mark.parametrize(("layout", "dirty_log"), TABLE, ids=str)
def test_table(layout: Layout, dirty_log: bool) -> None:
    """Each layout of the command's table costs what the model says, where it fits into memory."""
    try:
        result = undisturbed(layout, dirty_log=dirty_log)
    except BadInput as error:
        if "kernel memory" not in str(error):
            raise
        pytest.skip(str(error))
    assert result.measured.by_part == result.predicted.as_dict()


@kvm
@needs_kvm
def test_fallback_says_how_sure_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc/vmallocinfo the total of VmallocUsed serves, within the uncertainty that the result states."""
    (tmp_path / "meminfo").symlink_to("/proc/meminfo")
    monkeypatch.setattr(measurement, "read_usage", partial(read_usage, proc=tmp_path))
    for _ in range(10):
        result = measure(Layout.packed(4, 4 * GiB))
        if result.agrees:
            break
    assert result.measured.by_part is None
    assert 0 < result.uncertainty < result.measured.total
    assert abs(result.measured.total - result.predicted.total) <= result.uncertainty
    assert result.to_json()["parts"] is None


@kvm
@needs_kvm
@needs_root
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize(
    "arguments", [["-c", HOLD], ["-m", "workbook.live.kvm", "--random", "400"]], ids=["hold", "run"]
)
def test_killed_measurement_leaves_nothing(number: signal.Signals, arguments: list[str]) -> None:
    """A process that dies while it has memslots, by SIGKILL or Ctrl-C, leaves no kernel memory behind."""
    assert any(killed_leaves_nothing(number, arguments) for _ in range(5))


def killed_leaves_nothing(number: signal.Signals, arguments: list[str]) -> bool:
    """Start a measurement, kill it in the middle; say whether the kernel's memory is back (other VMs may disturb)."""
    before = read_usage(os.sysconf("SC_PAGESIZE"))

    def grown() -> int:
        return read_usage(os.sysconf("SC_PAGESIZE")).since(before).total

    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert wait_for(lambda: holds(process.pid) and grown() > 20 * MiB)
            process.send_signal(number)
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode in {-number, 130}
    assert not holds(process.pid)
    return wait_for(lambda: grown() == 0)


def holds(pid: int) -> bool:
    """Whether the process has a VM."""
    return any(owner == pid for owner, _ in host.other_vms())


def wait_for(condition: Callable[[], bool]) -> bool:
    """Wait at most ten seconds."""
    deadline = time.monotonic() + 10
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return met


@kvm
@needs_kvm
def test_timing_counts_both_ways() -> None:
    """Adding and removing memslots takes a measurable time, and a progress function sees each of them twice per run."""
    seen: list[int] = []
    timing = time_slots(600, repeats=2, progress=seen.append)
    assert (timing.count, timing.size, sum(seen)) == (600, 4 * KiB, 2400)
    assert 0 < timing.add_seconds < 60
    assert 0 < timing.remove_seconds < 60


@kvm
@needs_kvm
@needs_root
def test_difference_beside_another_vm_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another VM ran all the time, a difference may be its own; where none did, it is the model's error."""
    wrong = KvmHost(tdp_mmu=not this_host().tdp_mmu, kernel=this_host().kernel)
    for others, disturbed in ((frozenset({(1, 1)}), True), (frozenset(), False)):
        monkeypatch.setattr(measurement, "other_vms", lambda others=others: others)
        results = [measure(Layout.packed(1, 16 * MiB), host=wrong) for _ in range(3)]
        assert not any(result.agrees for result in results)
        # a real VM may come and go meanwhile
        assert disturbed in {result.disturbed for result in results}


@kvm
@needs_kvm
def test_device_says_its_limits() -> None:
    """KVM reports its memslot limit, and one memslot more is refused before anything is allocated."""
    with KvmDevice() as device:
        limit = device.nr_memslots
        spaces = device.address_spaces
    assert limit >= 32
    with pytest.raises(BadInput, match=f"{limit + 1} memslots are too many: this host's KVM takes at most {limit}"):
        measure(Layout.packed(limit + 1, 4 * KiB))
    if spaces == 1:
        with pytest.raises(BadInput, match="one address space only"):
            measure(Layout.packed(1, GiB), smm=True)
    else:
        assert measure(Layout.packed(1, GiB), smm=True).agrees


@kvm
@needs_kvm
def test_what_kvm_refuses_is_one_line() -> None:
    """Overlapping memslots are refused with the slot's number, size and address."""
    with pytest.raises(BadInput, match=r"KVM refuses memslot 1 of 1 GiB at 0x1000 \(EEXIST\)"):
        measure(Layout((GiB, GiB), (0, 4 * KiB)))


@kvm
@needs_kvm
def test_too_little_memory_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout that does not fit is refused with what it needs before a VM is made."""
    monkeypatch.setattr(measurement, "available_memory", lambda: GiB)
    monkeypatch.setattr(KvmDevice, "create_vm", lambda *_: pytest.fail("must not be called"))
    layout = Layout.packed(1, TiB)
    needs = this_host().metadata(layout.sizes)
    if needs.total < GiB:
        layout = Layout.packed(30_000, 4 * KiB)
    with pytest.raises(BadInput, match=r"needs .* of kernel memory, but only 512 MiB can be had") as caught:
        measure(layout)
    assert "\n" not in str(caught.value)


def test_no_kvm_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the device the library and the command refuse with one line that says what to do."""
    with pytest.raises(BadInput, match="does not exist: measure on a Linux host with KVM"):
        measure(Layout.packed(1, GiB), device=tmp_path / "kvm")
    assert main(["--device", str(tmp_path / "kvm")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    with pytest.raises(BadInput, match="is not KVM"):
        KvmDevice(Path("/dev/null"))


def test_no_permission_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that may not be opened is refused with the group to join."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match="run as root or join the group"):
        KvmDevice(Path("/dev/kvm"))


@kvm
@needs_kvm
@needs_root
def test_command_writes_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON file holds kernel, parameters, command and date, and its measurements equal a fresh prediction."""
    output = tmp_path / "host.json"
    output.write_text("old")
    assert main(["--random", "2", "--seed", "5", "--output", str(output)]) == 0
    assert "equal" in capsys.readouterr().out
    report = json.loads(output.read_text())
    assert report["kernel"] == platform.release()
    assert report["command"].startswith("python -m workbook.live.kvm --random 2 --seed 5")
    assert report["date"]
    assert KvmHost.from_json(report["host"]) == this_host()
    assert [Layout.from_runs(row["memslots"]) for row in report["measurements"]] == [Layout.random(5), Layout.random(6)]
    assert list(tmp_path.iterdir()) == [output]


@kvm
@needs_kvm
def test_command_leaves_out_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layouts that need too much memory are said and left out; when nothing is left, the command refuses."""
    smallest = min(this_host().metadata(layout.sizes).total for layout, _ in TABLE)
    monkeypatch.setattr(measurement, "available_memory", lambda: measurement.RESERVE + smallest - 1)
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out.count("skipped: ") == len(TABLE)
    assert "nothing could be measured" in captured.err


def test_command_refuses_a_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be written is refused before anything is measured."""
    assert main(["--output", str(tmp_path / "none" / "host.json")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_vmallocinfo_is_read_by_caller(tmp_path: Path) -> None:
    """Pages are summed by caller, whatever the compiler or the module adds to its name; others do not count."""
    (tmp_path / "vmallocinfo").write_text(VMALLOCINFO)
    usage = read_usage(4096, proc=tmp_path)
    assert usage.by_part == {"rmap": 6 * 4096, "gfn_track": 4096, "lpage_info": 4096, "dirty_bitmap": 8 * 4096}
    assert usage.total == 16 * 4096
    assert usage.since(usage).total == 0


def test_not_linux_is_one_line(tmp_path: Path) -> None:
    """Without a proc file system nothing can be measured, and that is said."""
    with pytest.raises(BadInput, match="only be measured on Linux"):
        read_usage(4096, proc=tmp_path)


def test_control_groups_limit_what_is_available(tmp_path: Path) -> None:
    """The tightest control group above the process limits what may be allocated."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (groups / "a/b").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:       2000 kB\nMemAvailable:       1000 kB\n")
    assert available_memory(proc=proc, cgroups=groups) == 1000 * KiB
    (proc / "self/cgroup").write_text("0::/a/b\n")
    (groups / "a/b/memory.max").write_text("max\n")
    (groups / "a/memory.max").write_text(f"{900 * KiB}\n")
    (groups / "a/memory.current").write_text(f"{200 * KiB}\n")
    assert available_memory(proc=proc, cgroups=groups) == 700 * KiB


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, {}),
        ({"kvm/parameters/tdp_mmu": "Y", "kvm_intel/parameters/ept": "Y"}, {"tdp_mmu": True, "tdp": True}),
        ({"kvm/parameters/tdp_mmu": "Y", "kvm_intel/parameters/ept": "N"}, {"tdp_mmu": False, "tdp": False}),
        ({"kvm/parameters/tdp_mmu": "N", "kvm_amd/parameters/npt": "1"}, {"tdp_mmu": False, "tdp": True}),
        ({"kvm/parameters/tdp_mmu": "N"}, {"tdp_mmu": False, "tdp": None}),
        ({"kvm/parameters/halt_poll_ns": "0"}, {"tdp_mmu": False}),
    ],
)
@pytest.mark.parametrize("config", [None, "boot", "proc"])
@pytest.mark.parametrize("kernel", [(6, 8), (6, 12)])
def test_host_is_read_from_its_modules(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    files: dict[str, str],
    expected: dict[str, bool],
    config: str | None,
    kernel: tuple[int, int],
) -> None:
    """KVM's parameters, and up to Linux 6.8 the kernel's configuration, decide the host that is predicted for."""
    release = "{}.{}.1-test".format(*kernel)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "release", lambda: release)
    for name, text in files.items():
        path = tmp_path / "module" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    option = b"CONFIG_KVM=y\nCONFIG_KVM_EXTERNAL_WRITE_TRACKING=y\n"
    if config == "boot":
        (tmp_path / f"config-{release}").write_bytes(option)
    if config == "proc":
        (tmp_path / "config.gz").write_bytes(gzip.compress(option))
    read = this_host(sys_root=tmp_path, proc=tmp_path, boot=tmp_path)
    tracked = bool(config and files) and kernel == (6, 8)
    assert read == KvmHost(kernel=kernel, external_write_tracking=tracked, **expected)


def test_other_machines_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where KVM does not exist, the host that is predicted for is a usual one."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert this_host() == KvmHost()
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(platform, "release", lambda: "6.1.0")
    assert this_host().arch == "arm64"


@given(st.integers(0, 1 << 32))
def test_layouts_survive_json(seed: int) -> None:
    """A layout of any memslots, none overlapping, comes back from its runs."""
    layout = Layout.random(seed)
    assert Layout.from_runs(layout.runs()) == layout
    ends = [base + size for size, base in zip(layout.sizes, layout.bases, strict=True)]
    assert all(end <= base for end, base in zip(ends, layout.bases[1:], strict=False))
    assert ends[-1] <= TiB


def test_packed_layouts_are_one_run() -> None:
    """Equal memslots back to back are one run, and are called by number and size."""
    layout = Layout.packed(32_000, 4 * KiB)
    assert layout.runs() == [[32_000, 4 * KiB, 0]]
    assert str(layout) == "32000 x 4 KiB"
    with pytest.raises(BadInput, match="at least one memslot"):
        Layout((), ())
