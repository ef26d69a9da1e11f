"""VFIO: the check that DMA mappings suffice, in numbers, in QEMU's words by version, and what becomes of the VM."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from workbook.lib.actions import Plug, RequestSize
from workbook.lib.consumers.vfio import DMA_ENTRY_LIMIT, largest_plugged, smallest_block
from workbook.lib.errors import Abort, Refusal
from workbook.lib.explore.advice import advise
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.timeline import timeline
from workbook.lib.host import Host
from workbook.lib.machine import Machine
from workbook.lib.qemu_args import read_argv
from workbook.lib.size import GiB, MiB, TiB, round_down
from workbook.lib.sweep import Grid, pluggable_beside_vfio

KVM = 32764
OLD, NEW = "qemu-10.1", "qemu-10.2"
GPU = "-device vfio-pci,host=0000:41:00.0,id=gpu0"
TEXT = (
    "possibly running out of DMA mappings. E.g., try increasing the 'block-size' of virtio-mem devies. "
    "Maximum possible DMA mappings: 65535, Maximum possible memslots: 32764"
)


def line(size: int, *, block: int = 2 * MiB, dynamic: bool = False, gpu: str = GPU, first: str = "gpu") -> str:
    device = (
        f"-device virtio-mem-pci,id=vm0,memdev=mem0,block-size={block},dynamic-memslots={'on' if dynamic else 'off'}"
    )
    order = [gpu, device] if first == "gpu" else [device, gpu]
    return (
        "-accel kvm -machine q35 -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -nodefaults "
        f"-m 4G,maxmem={4 * GiB + size}B "
        f"-object memory-backend-ram,id=mem0,size={size}B {' '.join(order)}"
    )


def vm_of(size: int, rules: str = NEW, *, kvm_slots: int = KVM, **more: Any) -> Machine:
    return Machine.from_qemu_args(line(size, **more), rules=rules, kvm_slots=kvm_slots)


@pytest.mark.parametrize(
    ("block", "blocks"),
    [
        (2 * MiB, 64 * GiB),
        (4 * MiB, 128 * GiB),
        (8 * MiB, 256 * GiB),
        (16 * MiB, 512 * GiB),
        (32 * MiB, TiB),
        (128 * MiB, 4 * TiB),
    ],
)
def test_one_device_of_one_memslot(block: int, blocks: int) -> None:
    """32,772 blocks pass and one more does not: 64.0 GiB with 2 MiB blocks ... 4 TiB with 128 MiB."""
    passes = (DMA_ENTRY_LIMIT - KVM + 1) * block
    assert passes == blocks + 4 * block
    assert vm_of(passes, block=block, first="mem").consumers.containers[0].possible == DMA_ENTRY_LIMIT
    with pytest.raises(Refusal) as refusal:
        vm_of(passes + block, block=block, first="mem")
    assert not isinstance(refusal.value, Abort)
    assert refusal.value.message == (
        f"memory listener initialization failed: Region mem0: vfio_ram_discard_register_listener: {TEXT}"
    )
    assert f"block-size={2 * block // MiB}M" in refusal.value.advice
    assert refusal.value.reason[-1].value == DMA_ENTRY_LIMIT + 1


@pytest.mark.parametrize("rules", ["qemu-8.2", "qemu-10.0", OLD])
def test_a_warning_until_10_1(rules: str) -> None:
    """Older QEMUs warn at the device and start."""
    vm = vm_of(65 * GiB, rules, first="mem")
    assert vm.warnings == [f"{GPU}: warning: vfio_register_ram_discard_listener: {TEXT}"]


def test_a_virtio_mem_device_that_comes_later_kills_the_vm() -> None:
    """Once a container is there, the check is fatal from 10.2 on, and a warning before."""
    with pytest.raises(Abort) as abort:
        vm_of(65 * GiB)
    last = "qemu: hardware error: vfio: DMA mapping failed, unable to continue"
    assert abort.value.message == f"vfio_ram_discard_register_listener: {TEXT}\n{last}"
    (warning,) = vm_of(65 * GiB, OLD).warnings
    assert warning.startswith("-device virtio-mem-pci,id=vm0")
    assert warning.endswith(f": warning: vfio_register_ram_discard_listener: {TEXT}")


@pytest.mark.parametrize(
    ("kvm_slots", "memslot", "dies_at"),
    [(KVM, 4 * GiB, 17), (KVM, GiB, 65)],
)
def test_the_memslot_that_kills(kvm_slots: int, memslot: int, dies_at: int) -> None:
    """With 2 MiB blocks mapping the 17th memslot of 4 GiB (68 GiB), or the 65th of 1 GiB, ends QEMU 10.2."""
    size = 256 * memslot
    vm = vm_of(size, dynamic=True, kvm_slots=kvm_slots)
    vm.request_size("vm0", size)
    assert vm.devices[0].decision.memslot_size == memslot
    for index in range(dies_at - 1):
        vm.plug("vm0", index * memslot, 2 * MiB)
    assert len(vm.view) == dies_at - 1
    with pytest.raises(Abort, match="unable to continue"):
        vm.plug("vm0", (dies_at - 1) * memslot, 2 * MiB)


def test_the_timeline_names_the_plug_that_kills() -> None:
    """A VM that grows by 4 GiB at a time: its timeline ends at 68 GiB, the 17th memslot, with what QEMU leaves."""
    scenario = read_argv(line(TiB, dynamic=True))
    plugs = [Plug(dev="vm0", offset=at * 4 * GiB, size=2 * MiB) for at in range(20)]
    grown = replace(scenario, actions=(RequestSize(dev="vm0", size=TiB), *plugs))
    steps = timeline(grown, NEW)
    assert [one.problem for one in steps[:-1]] == [None] * 18
    last = steps[-1]
    assert last.action == plugs[16]
    assert last.problem is not None
    assert last.problem.message.endswith("vfio: DMA mapping failed, unable to continue")
    assert [(one.name, one.value) for one in last.problem.reason][-1] == ("needed", 17 * 2048 + KVM - 17)
    assert all(one.problem is None for one in timeline(grown, OLD)), "before 10.2 it is a warning"


@pytest.mark.parametrize(
    ("size", "block", "kvm_slots", "rules", "passes"),
    [
        (64 * GiB, 2 * MiB, KVM, "single", 64 * GiB),
        (65 * GiB, 2 * MiB, KVM, "single", 0),
        (TiB, 2 * MiB, KVM, NEW, 64 * GiB),
        (256 * GiB, 2 * MiB, KVM, NEW, 64 * GiB),
        (TiB, 32 * MiB, KVM, NEW, TiB),
        (4 * TiB, 128 * MiB, KVM, "single", 4 * TiB),
        (127 * GiB, 2 * MiB, 509, "single", 127 * GiB),
        (128 * GiB, 2 * MiB, 509, "single", 0),
        (256 * GiB, 2 * MiB, 509, NEW, 127 * GiB),
    ],
)
def test_a_sweep_has_the_same_numbers(size: int, block: int, kvm_slots: int, rules: str, passes: int) -> None:
    """What can be plugged beside a VFIO device, by a sweep: of 1 TiB 16 memslots of 4 GiB, of 256 GiB 64 of 1 GiB."""
    grid = Grid(
        region_size=size, device_memory_size=size, kvm_max=kvm_slots, kvm_free=kvm_slots - 9, block_size=block
    )  # fmt: skip
    assert pluggable_beside_vfio(rules, grid).tolist() == [passes]


@given(
    size=st.integers(1, 512).map(lambda half: half * 512 * MiB),
    block=st.sampled_from([2 * MiB, 4 * MiB, 64 * MiB]),
    kvm_slots=st.sampled_from([509, 4096, KVM]),
    available=st.sampled_from([DMA_ENTRY_LIMIT, 40000]),
)
@settings(max_examples=60, deadline=None)
def test_a_sweep_is_what_happens(size: int, block: int, kvm_slots: int, available: int) -> None:
    """Memslot after memslot is mapped until QEMU dies: so far goes the sweep."""
    grid = Grid(
        region_size=size, device_memory_size=size, kvm_max=kvm_slots, kvm_free=kvm_slots - 7, block_size=block
    )  # fmt: skip
    (most,) = pluggable_beside_vfio(NEW, grid, available=available).tolist()
    scenario = replace(
        read_argv(line(size, block=block, dynamic=True)),
        host=Host(vfio_dma_entries=available),
        kvm_slots=kvm_slots,
    )
    try:
        vm = Machine(scenario, NEW)
    except Abort:  # one memslot for the whole device, mapped from the start
        assert most == 0
        return
    decision = vm.devices[0].decision
    vm.request_size("vm0", round_down(size, block))
    reached = 0
    for index in range(decision.count):
        try:
            if vm.plug("vm0", decision.offset(index), block) != "ACK":
                break
        except Abort:
            break
        reached = decision.offset(index) + decision.size(index)
    assert reached == min(most, size) or most == available * block


def test_a_kvm_with_509_memslots_takes_127_gib() -> None:
    """The fewer memslots KVM has, the more mappings are left: 127 GiB of 2 MiB blocks."""
    assert 127 * GiB <= (DMA_ENTRY_LIMIT - 509 + 1) * 2 * MiB < 128 * GiB
    vm_of(127 * GiB, first="mem", kvm_slots=509)
    with pytest.raises(Refusal):
        vm_of(128 * GiB, first="mem", kvm_slots=509)


def test_start_and_hot_plug_pass_with_nothing_plugged() -> None:
    """A terabyte of dynamic memslots beside a GPU starts in any order, and the GPU can come late."""
    for first in ("gpu", "mem"):
        assert vm_of(TiB, dynamic=True, first=first).consumers.containers[0].possible == KVM
    vm = vm_of(TiB, dynamic=True, gpu="")
    vm.device_add("vfio-pci", "gpu0", props={"host": "0000:41:00.0"})
    assert [one.name for one in vm.picture.consumers] == ["KVM", "VFIO type1"]
    vm.device_del("gpu0")
    assert vm.consumers.containers == []


def test_a_late_gpu_is_refused_where_too_much_is_mapped() -> None:
    """Hot-plug of VFIO is refused, the VM goes on, and the device may come again once less is mapped."""
    vm = vm_of(TiB, dynamic=True, gpu="")
    vm.request_size("vm0", 68 * GiB)
    vm.settle("vm0")
    with pytest.raises(Refusal, match="Region mem0: vfio_ram_discard_register_listener: possibly"):
        vm.device_add("vfio-pci", "gpu0", props={"host": "0000:41:00.0"})
    vm.request_size("vm0", 64 * GiB)
    vm.settle("vm0")
    vm.device_add("vfio-pci", "gpu0", props={"host": "0000:41:00.0"})


def test_iommufd_has_no_limit() -> None:
    """A container of iommufd reports no maximum: nothing is checked, whatever is mapped."""
    gpu = "-object iommufd,id=iommufd0 -device vfio-pci,host=0000:41:00.0,id=gpu0,iommufd=iommufd0"
    vm = vm_of(TiB, gpu=gpu)
    vm.request_size("vm0", TiB)
    vm.settle("vm0")
    assert (vm.warnings, vm.memory_size_summary()["plugged-memory"]) == ([], TiB)
    with pytest.raises(Refusal, match=r"Property 'vfio-pci\.iommufd' not found"):
        vm_of(GiB, "qemu-8.2", gpu=gpu)


def test_containers() -> None:
    """type1 devices share a container, an iommufd is one of its own; each has its account of the memory."""
    vm = vm_of(TiB, OLD, dynamic=True)
    vm.device_add("vfio-pci", "gpu1", props={"host": "0000:42:00.0"})
    vm.device_add("vfio-pci", "nic0", props={"host": "0000:43:00.0", "iommufd": "iommufd0"})
    assert [(one.name, one.devices) for one in vm.consumers.containers] == [
        ("VFIO type1", ["gpu0", "gpu1"]),
        ("VFIO iommufd0", ["nic0"]),
    ]
    vm.request_size("vm0", 8 * GiB)
    vm.settle("vm0")
    shown = vm.picture.consumers[1:]
    assert [(one.limit, one.used, one.unit) for one in shown] == [
        (DMA_ENTRY_LIMIT, 4096, "DMA mappings"),
        (None, 4096, "DMA mappings"),
    ]
    assert shown[0].free == DMA_ENTRY_LIMIT - (4096 + KVM - 2)
    vm.device_del("gpu0")
    assert len(vm.consumers.containers) == 2


def test_the_kernels_limit() -> None:
    """65,535 blocks can be plugged, 128 GiB less a block; then the device is busy, and goes on once blocks are gone."""
    assert largest_plugged(2 * MiB) == 128 * GiB - 2 * MiB
    vm = vm_of(256 * GiB, OLD, first="mem")
    vm.request_size("vm0", 256 * GiB)
    vm.settle("vm0")
    assert vm.memory_size_summary()["plugged-memory"] == 128 * GiB - 2 * MiB
    assert vm.plug("vm0", 128 * GiB, 2 * MiB) == "BUSY"
    assert vm.unplug("vm0", 0, 2 * MiB) == "ACK"
    assert vm.plug("vm0", 128 * GiB, 2 * MiB) == "ACK"


def test_dma_entry_limit_of_the_host() -> None:
    """The host's module parameter is what the container reports."""
    scenario = read_argv(line(65 * GiB, first="mem"))
    vm = Machine(replace(scenario, host=Host(vfio_dma_entries=131071)), NEW)
    assert vm.consumers.containers[0].available == 131071


def test_without_kvm_512_memslots_are_assumed() -> None:
    """Under TCG the check takes 512."""
    vm = Machine.from_qemu_args(line(127 * GiB, first="mem").replace("-accel kvm", "-accel tcg"), rules=NEW)
    assert vm.consumers.containers[0].max_memslots == 512


@given(
    size=st.integers(1, 4096).map(lambda gib: gib * GiB),
    kvm_slots=st.sampled_from([509, KVM]),
    available=st.sampled_from([DMA_ENTRY_LIMIT, 131071]),
)
def test_smallest_block_is_the_smallest(size: int, kvm_slots: int, available: int) -> None:
    """It passes the check, and half of it does not."""
    block = smallest_block(size, available=available, max_memslots=kvm_slots)
    assert block is not None
    assert -(-size // block) + kvm_slots - 1 <= available
    assert block == MiB or -(-size // (block // 2)) + kvm_slots - 1 > available


def test_advice_in_the_explorer() -> None:
    """A GPU beside a terabyte: 32 MiB blocks, iommufd, or a larger dma_entry_limit, each tried."""
    outcome = Outcome.of(read_argv(line(TiB, first="mem")), NEW)
    assert outcome.refusal is not None
    texts = [one.text.partition(":")[0] for one in advise(outcome)]
    assert texts == [
        "block-size=32 MiB for every virtio-mem device",
        "iommufd instead of the type1 container",
        "dma_entry_limit=1048575 of vfio_iommu_type1",
    ]
