"""A machine: placement, the order of the plug checks, memslots of KVM and vhost, deaths, and what always holds."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workbook.lib.actions import (
    DeviceAdd,
    DeviceDel,
    Plug,
    RequestSize,
    Reset,
    Settle,
    State,
    Unplug,
    UnplugAll,
    VhostStart,
)
from workbook.lib.errors import Abort, BadInput, Refusal
from workbook.lib.json_codec import JsonObject
from workbook.lib.machine.machine import Machine, StateAnswer
from workbook.lib.machine.virtio_mem import BlockState, Response
from workbook.lib.rules import RULE_SETS
from workbook.lib.scenario import Dimm, MemoryBackend, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB, TiB

RFC, MERGED = "rfc-2021", "qemu-10.0"
BOTH = pytest.mark.parametrize("rules", [RFC, MERGED])
CPU = "-cpu qemu64,vendor=GenuineIntel,phys-bits=48"
"""A CPU that can address what these VMs have; the default one has 40 bits, and AMD's hole."""
COVER = f"-nodefaults {CPU} -machine q35 -m 3G,slots=16,maxmem=1T"
"""Device memory of the cover letter: 1037 GiB at 5 GiB, of which 1021 GiB may be used."""


def vm_of(text: str = COVER, rules: str = MERGED, **more: Any) -> Machine:
    return Machine.from_qemu_args(text, rules=rules, **more)


def ram(name: str, size: int, **more: Any) -> MemoryBackend:
    return MemoryBackend(id=name, size=size, **more)


def add_mem(vm: Machine, name: str, size: int, *, memfd: bool = False, **props: Any) -> None:
    kind = "memory-backend-memfd" if memfd else "memory-backend-ram"
    if vm.rules.name == MERGED:
        props = {"dynamic-memslots": True, **props}
    backend = {"qom-type": kind, "id": f"{name}-mem", "size": size}
    vm.device_add("virtio-mem-pci", name, props={"memdev": f"{name}-mem", **props}, object=backend)


def add_dimm(vm: Machine, name: str, size: int, *, memfd: bool = False, **props: Any) -> None:
    kind = "memory-backend-memfd" if memfd else "memory-backend-ram"
    backend = {"qom-type": kind, "id": f"{name}-mem", "size": size}
    vm.device_add("pc-dimm", name, props={"memdev": f"{name}-mem", **props}, object=backend)


def text_of(attempt: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        attempt()
    return refusal.value.message


def span(vm: Machine, name: str) -> tuple[int, int]:
    """Return first and last address of a device."""
    one = next(one for one in vm.devices if one.id == name)
    return one.addr, one.end - 1


# -- placement ------------------------------------------------------------------------------------------------------


@BOTH
def test_container(rules: str) -> None:
    """1 GiB per DIMM slot enlarges the container, not what may be used."""
    vm = vm_of(rules=rules)
    assert (vm.board.device_memory_base, vm.board.device_memory_size) == (0x140000000, 1037 * GiB)
    assert vm.budget.device_memory_size == 1021 * GiB


def test_first_fit() -> None:
    """First fit, ascending: behind the last, over a hole that is too small, into one that fits exactly."""
    vm = vm_of()
    add_mem(vm, "big", 500 * GiB)
    assert span(vm, "big") == (0x140000000, 0x7E3FFFFFFF)
    add_dimm(vm, "dimm", GiB)
    assert span(vm, "dimm") == (0x7E40000000, 0x7E7FFFFFFF)
    vm.device_del("big")
    add_mem(vm, "larger", 501 * GiB)
    assert span(vm, "larger") == (0x7E80000000, 0xFBBFFFFFFF)
    add_mem(vm, "again", 500 * GiB)
    assert span(vm, "again") == (0x140000000, 0x7E3FFFFFFF)


@BOTH
def test_unaligned_hint(rules: str) -> None:
    """A wanted address must be a multiple of the alignment."""
    text = text_of(lambda: add_mem(vm_of(rules=rules), "m", GiB, memaddr=0x140100000))
    assert text == "address must be aligned to 0x200000 bytes"


@BOTH
def test_hint_outside(rules: str) -> None:
    """A wanted range must lie inside the container: below, behind and across its end it does not."""
    text = text_of(lambda: add_mem(vm_of(rules=rules), "m", GiB, memaddr=0x100000000))
    usable = "usable range for memory devices [0x140000000:0x10340000000]"
    assert text == f"can't add memory device [0x100000000:0x40000000], {usable}"
    for addr in (0x10480000000, 0x10460000000):
        text = text_of(lambda: add_mem(vm_of(rules=rules), "m", GiB, memaddr=addr))  # noqa: B023 - called at once
        assert text == f"can't add memory device [{addr:#x}:0x40000000], {usable}"
    vm = vm_of(rules=rules)
    add_mem(vm, "m", GiB, memaddr=0x10440000000)
    assert span(vm, "m")[1] == 0x1047FFFFFFF


@BOTH
def test_hint_that_is_taken(rules: str) -> None:
    """The device in the way is named; one without id is "(unnamed)"."""
    vm = vm_of(rules=rules)
    add_mem(vm, "first", 8 * GiB)
    text = text_of(lambda: add_mem(vm, "m", 2 * GiB, memaddr=0x300000000))
    assert text == "address range conflicts with memory device id='first'"
    vm.object_add(ram("anonymous", GiB))
    vm.device_add("pc-dimm", props={"memdev": "anonymous"})
    text = text_of(lambda: add_mem(vm, "m", 2 * GiB, memaddr=0x340000000))
    assert text == "address range conflicts with memory device id='(unnamed)'"
    add_mem(vm, "m", 2 * GiB, memaddr=0x380000000)


@BOTH
def test_large_blocks_are_placed_with_a_warning(rules: str) -> None:
    """Where the container's start is not a multiple of the alignment, QEMU warns and skips to the next one."""
    vm = vm_of(rules=rules)
    add_mem(vm, "m", 8 * GiB, **{"block-size": 4 * GiB})
    assert span(vm, "m")[0] == 0x200000000
    assert vm.warnings == [
        (
            "warning: the alignment (0x100000000) exceeds the expected maximum alignment, memory will get fragmented "
            "and not all 'maxmem' might be usable for memory devices."
        )
    ]


@BOTH
def test_no_position(rules: str) -> None:
    """The container has room for what -m leaves, but alignment may make it unusable."""
    vm = vm_of("-machine q35 -m 3G,maxmem=11G", rules)
    text = text_of(lambda: add_mem(vm, "m", 8 * GiB, **{"block-size": 4 * GiB}))
    assert text == (
        "could not find position in guest address space for memory device - memory fragmented due to alignments"
    )


def test_memfd_needs_no_2_mib() -> None:
    """memfd: addresses of 1 MiB granularity and odd sizes are fine; anonymous memory wants 2 MiB."""
    vm = vm_of()
    add_dimm(vm, "odd", 1025 * MiB, memfd=True)
    add_dimm(vm, "next", GiB, memfd=True)
    assert span(vm, "next")[0] == 0x140000000 + 1025 * MiB
    assert text_of(lambda: add_dimm(vm, "ram", 1025 * MiB)) == "backend memory size must be multiple of 0x200000"


def test_size_of_the_rfc_follows_the_block_size() -> None:
    """The RFC's base wants the size to be a multiple of the alignment, block size included; later it is realize's."""
    props = {"block-size": 4 * GiB}
    text = text_of(lambda: add_mem(vm_of(rules=RFC), "m", 5 * GiB, **props))
    assert text == "backend memory size must be multiple of 0x100000000"
    text = text_of(lambda: add_mem(vm_of(rules=MERGED), "m", 5 * GiB, **props))
    assert text == "'memdev' property memdev size has to be multiples of'block-size' (0x100000000)"


# -- order of the plug checks ---------------------------------------------------------------------------------------

NO_MAXMEM = "-machine q35 -m 4G"
UNPREPARED = (
    "the configuration is not prepared for memory devices (e.g., for memory hotplug), "
    "consider specifying the maxmem option"
)


def test_rfc_looks_for_device_memory_late() -> None:
    """memdev, KVM, vhost, space come first: without maxmem the text is that of the space."""
    text = text_of(lambda: add_mem(vm_of(NO_MAXMEM, RFC), "m", GiB))
    assert text == "not enough space, currently 0x0 in use of total space for memory devices 0x0"
    text = text_of(lambda: vm_of(NO_MAXMEM, RFC).device_add("virtio-mem-pci", "m"))
    assert text == "'memdev' property must be set"


def test_merged_looks_for_device_memory_first() -> None:
    """Before the memory backend, the memslots and the space."""
    assert text_of(lambda: add_mem(vm_of(NO_MAXMEM), "m", GiB)) == UNPREPARED
    assert text_of(lambda: vm_of(NO_MAXMEM).device_add("virtio-mem-pci", "m")) == UNPREPARED
    vm = vm_of(f"-accel kvm {NO_MAXMEM} -nodefaults", kvm_slots=7)
    assert text_of(lambda: add_mem(vm, "m", GiB)) == UNPREPARED


@BOTH
def test_dimm_slots_come_before_everything(rules: str) -> None:
    """A DIMM without slots= is refused for that, with or without maxmem."""
    text = "no slots where allocated, please specify the 'slots' option"
    assert text_of(lambda: add_dimm(vm_of(NO_MAXMEM, rules), "d", GiB)) == text
    assert text_of(lambda: add_dimm(vm_of(NO_MAXMEM + ",maxmem=8G", rules), "d", 64 * GiB)) == text


@BOTH
def test_kvm_before_vhost_before_space_before_address(rules: str) -> None:
    """Each check hides those behind it."""
    kvm = {
        RFC: "KVM does not have enough free memory slots left (1 vs. 0)",
        MERGED: "hypervisor has not enough free memory slots left",
    }
    vhost = {
        RFC: "a used vhost backend does not have enough free memory slots left (1 vs. 0)",
        MERGED: "a used vhost backend has not enough free memory slots left",
    }
    boot = "-machine q35,memory-backend=m0 -object memory-backend-memfd,id=m0,size=4G"
    text = f"-accel kvm -nodefaults {boot} -m 4G,slots=4,maxmem=8G"
    wrong = {"memaddr": 1}

    def attempt(kvm_slots: int, vhost_slots: int, size: int) -> str:
        vm = vm_of(text, rules, kvm_slots=kvm_slots)
        vm.device_add("vhost-user-fs-pci", "vu", vhost_slots=vhost_slots)
        return text_of(lambda: add_mem(vm, "m", size, **wrong))

    assert attempt(7, 2, 64 * GiB) == kvm[rules]
    assert attempt(9, 2, 64 * GiB) == vhost[rules]
    space = "not enough space, currently 0x0 in use of total space for memory devices 0x100000000"
    assert attempt(9, 9, 64 * GiB) == space
    assert attempt(9, 9, GiB) == "address must be aligned to 0x200000 bytes"


def test_realize_comes_after_placement() -> None:
    """What virtio-mem itself refuses comes after the address, in its own order."""

    def attempt(**props: Any) -> str:
        vm = vm_of()
        backend = {"qom-type": "memory-backend-ram", "id": "b", "size": GiB, "prealloc": props.pop("prealloc", False)}
        return text_of(
            lambda: vm.device_add(
                "virtio-mem-pci", "m", props={"memdev": "b", "dynamic-memslots": True, **props}, object=backend
            )
        )

    bad = {"prealloc": True, "memaddr": 1, "node": 3, "unplugged-inaccessible": "off", "requested-size": MiB}
    assert attempt(**bad) == "address must be aligned to 0x200000 bytes"
    del bad["memaddr"]
    assert attempt(**bad).startswith("'memdev' property specifies a memdev with preallocation enabled: b.")
    del bad["prealloc"]
    assert attempt(**bad) == "'node' property has value '3', which exceedsthe number of numa nodes: 1"
    del bad["node"]
    assert attempt(**bad) == "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'"
    del bad["unplugged-inaccessible"]
    assert attempt(**bad) == "'requested-size' property has to be multiples of 'block-size' (0x200000)"


def test_preallocated_backend_is_fine_in_the_rfc() -> None:
    """The check of preallocated memory backends does not exist in the RFC's base."""
    vm = vm_of(rules=RFC)
    vm.object_add(ram("b", GiB, prealloc=True))
    vm.device_add("virtio-mem-pci", "m", memdev="b")
    assert [one.id for one in vm.devices] == ["m"]


@pytest.mark.parametrize(
    ("machine", "kind", "given", "accepted"),
    [
        ("q35", "ram", None, True),
        ("q35", "ram", "auto", False),
        ("q35", "memfd", "auto", True),
        ("q35", "ram", "off", False),
        ("pc-q35-8.1", "ram", None, True),
        ("pc-q35-8.0", "ram", None, False),
        ("pc-q35-8.0", "memfd", None, True),
        ("pc-q35-7.0", "ram", None, False),
        ("pc-q35-6.2", "memfd", None, False),
        ("pc-q35-6.2", "memfd", "on", True),
    ],
)
def test_dynamic_memslots_require_inaccessible_memory(
    machine: str, kind: str, given: str | None, accepted: bool
) -> None:
    """on by default, auto on machine types up to 8.0, off up to 6.2; auto is off for private anonymous memory only."""
    extra = f",unplugged-inaccessible={given}" if given else ""
    text = (
        f"-machine {machine} -m 4G,maxmem=64G -object memory-backend-{kind},id=b,size=16G "
        f"-device virtio-mem-pci,id=m,memdev=b{extra},dynamic-memslots="
    )
    assert len(vm_of(text + "off").devices) == 1
    if accepted:
        assert len(vm_of(text + "on").devices) == 1
        return
    message = "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'"
    assert text_of(lambda: vm_of(text + "on")) == message


@BOTH
def test_busy_memory_backends(rules: str) -> None:
    """A memory backend serves one device; the boot RAM's serves none."""
    vm = vm_of(
        "-machine q35,memory-backend=m0 -object memory-backend-ram,id=m0,size=4G -m 4G,slots=4,maxmem=64G", rules
    )
    add_mem(vm, "m", GiB)
    for memdev in ("m0", "m-mem"):
        text = text_of(lambda: vm.device_add("virtio-mem-pci", "n", memdev=memdev))  # noqa: B023 - called at once
        assert text == f"'memdev' property specifies a busy memdev: {memdev}"
        text = text_of(lambda: vm.device_add("pc-dimm", "n", memdev=memdev))  # noqa: B023 - called at once
        assert text == f"can't use already busy memdev: {memdev}"


@BOTH
def test_refused_device_leaves_nothing(rules: str) -> None:
    """After a refusal there is neither device nor memory backend, and the same ids can be used again."""
    vm = vm_of(rules=rules)
    before = (vm.info_mtree(), vm.budget)
    text_of(lambda: add_mem(vm, "m", GiB, memaddr=1))
    assert (vm.info_mtree(), vm.budget) == before
    add_mem(vm, "m", GiB)


def test_where_and_warnings_of_a_refused_command_line() -> None:
    """QEMU's whole text has the option at fault and the warnings before."""
    device = "virtio-mem-pci,id=m,memdev=b,block-size=4G"
    with pytest.raises(Refusal) as refusal:
        vm_of(f"-machine q35 -m 3G,maxmem=11G -object memory-backend-ram,id=b,size=8G -device {device}")
    lines = refusal.value.stderr.splitlines()
    assert lines[0].startswith(f"-device {device}: warning: the alignment (0x100000000) exceeds")
    assert lines[1].startswith(f"-device {device}: could not find position in guest address space")


def test_all_warnings_of_a_device_that_realize_refuses() -> None:
    """Those of the placement, then those of realize, then the refusal; each with the option once."""
    device = "virtio-mem-pci,id=m,memdev=b,block-size=16G,unplugged-inaccessible=off,dynamic-memslots=on"
    with pytest.raises(Refusal) as refusal:
        vm_of(f"-machine q35 -m 3G,maxmem=99G -object memory-backend-memfd,id=b,size=16G -device {device}")
    # seen with QEMU 10.0.2
    alignment, zero_page, refused = refusal.value.stderr.splitlines()
    assert alignment.startswith(f"-device {device}: warning: the alignment (0x400000000) exceeds the expected maximum")
    text = "'unplugged-inaccessible' property set to 'off' with a memdev that does not support the shared zeropage."
    assert zero_page == f"-device {device}: warning: {text}"
    text = "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'"
    assert refused == f"-device {device}: {text}"


# -- several devices --------------------------------------------------------------------------------------------------


def test_dimm_slots() -> None:
    """The first free slot, the wanted one, none twice, none beyond slots=; a removed DIMM's slot is free again."""
    vm = vm_of("-m 3G,slots=3,maxmem=64G")
    add_dimm(vm, "a", GiB)
    add_dimm(vm, "c", GiB, slot=2)
    assert text_of(lambda: add_dimm(vm, "x", GiB, slot=2)) == "slot 2 is busy"
    assert text_of(lambda: add_dimm(vm, "x", GiB, slot=3)) == "invalid slot number 3, valid range is [0-2]"
    add_dimm(vm, "b", GiB)
    assert {one.id: one.slot for one in vm.devices} == {"a": 0, "b": 1, "c": 2}
    assert text_of(lambda: add_dimm(vm, "x", GiB)) == "no free slots available"
    vm.device_del("a")
    add_dimm(vm, "x", GiB)
    assert vm.devices[-1].slot == 0


def test_qmp_and_monitor_in_address_order() -> None:
    """query-memory-devices and info memory-devices list by address; sizes decimal, addresses hexadecimal."""
    vm = vm_of()
    add_mem(vm, "vm0", 4 * GiB, memaddr=0x200000000, **{"requested-size": 2 * GiB})
    add_dimm(vm, "d0", GiB)
    vm.plug("vm0", 0, GiB)
    assert vm.query_memory_devices() == [
        {
            "type": "dimm",
            "data": {
                "id": "d0", "addr": 0x140000000, "slot": 0, "node": 0, "size": GiB, "memdev": "/objects/d0-mem",
                "hotplugged": True, "hotpluggable": True,
            },
        },
        {
            "type": "virtio-mem",
            "data": {
                "id": "vm0", "memaddr": 0x200000000, "node": 0, "requested-size": 2 * GiB, "size": GiB,
                "max-size": 4 * GiB, "block-size": 2 * MiB, "memdev": "/objects/vm0-mem",
            },
        },
    ]  # fmt: skip
    assert vm.info_memory_devices().splitlines() == [
        'Memory device [dimm]: "d0"',
        "  addr: 0x140000000",
        "  slot: 0",
        "  node: 0",
        "  size: 1073741824",
        "  memdev: /objects/d0-mem",
        "  hotplugged: true",
        "  hotpluggable: true",
        'Memory device [virtio-mem]: "vm0"',
        "  memaddr: 0x200000000",
        "  node: 0",
        "  requested-size: 2147483648",
        "  size: 1073741824",
        "  max-size: 4294967296",
        "  block-size: 2097152",
        "  memdev: /objects/vm0-mem",
    ]
    assert vm.memory_size_summary() == {"base-memory": 3 * GiB, "plugged-memory": 2 * GiB}


def test_device_without_id() -> None:
    """The monitor shows an empty name; QMP leaves the id out."""
    vm = vm_of()
    vm.object_add(ram("b", GiB))
    vm.device_add("pc-dimm", memdev="b")
    assert vm.info_memory_devices().splitlines()[0] == 'Memory device [dimm]: ""'
    assert "id" not in vm.query_memory_devices()[0]["data"]


@BOTH
def test_flat_view_has_one_range_per_memslot(rules: str) -> None:
    """Neighbouring memslots do not merge; the text names the memory backend, its offset, and KVM once per space."""
    vm = vm_of(f"-accel kvm {COVER}", rules)
    add_mem(vm, "mem", 500 * GiB, memfd=True)
    vm.request_size("mem", 6 * GiB)
    vm.plug("mem", 0, 6 * GiB)
    step = {RFC: GiB, MERGED: 4 * GiB}[rules]
    assert [one.size for one in vm.view] == [step] * {RFC: 7, MERGED: 2}[rules]
    second = f"{0x140000000 + step:016x}-{0x140000000 + 2 * step - 1:016x} (prio 0, ram): mem-mem @{step:016x} KVM"
    assert vm.info_mtree(flat=True).splitlines()[1] == f"  {second}"


# -- who consumes memslots --------------------------------------------------------------------------------------------


def test_boot_memslots_of_kvm() -> None:
    """7 sections after the firmware, 10 with a VGA; without KVM there is nothing to count."""
    assert vm_of(f"-accel kvm {COVER} -m 4G").kvm_used == (7,)
    assert vm_of("-accel kvm -machine pc -m 4G,maxmem=8G").kvm_used == (10,)
    assert vm_of("-accel tcg -machine pc -m 4G,maxmem=8G").kvm_used == ()
    assert vm_of("-accel tcg -machine pc -m 4G,maxmem=8G").kvm_free is None


@pytest.mark.parametrize(("rules", "free"), [(RFC, 100 - 2 * (7 + 3)), (MERGED, 100 - (7 + 3))])
def test_smm_counts_double_in_the_rfc(rules: str, free: int) -> None:
    """With two address spaces the RFC's one counter counts every section twice."""
    vm = vm_of("-accel kvm -machine q35,smm=on -nodefaults -m 4G,slots=4,maxmem=64G", rules, kvm_slots=100)
    for name in ("a", "b", "c"):
        add_dimm(vm, name, GiB)
    assert vm.kvm_used == (10, 10)
    assert vm.kvm_free == free


BOOT = (
    f"-nodefaults {CPU} -machine q35,memory-backend=m0 "
    "-object memory-backend-memfd,id=m0,size=4G -m 4G,slots=8,maxmem=1T"
)


@BOTH
def test_vhost_user_sees_memory_with_a_file_descriptor_only(rules: str) -> None:
    """Mapped anonymous memory takes no memslot of vhost-user, but of vhost in the kernel."""
    vm = vm_of(f"-accel kvm {BOOT}", rules)
    vm.device_add("vhost-user-fs-pci", "user", vhost_slots=64)
    vm.device_add("vhost-vsock-pci", "kernel", vhost_slots=64)
    add_dimm(vm, "private", GiB)
    add_dimm(vm, "shared", GiB, memfd=True)
    assert {one.spec.id: one.used for one in vm.vhosts} == {"user": 3, "kernel": 4}


@BOTH
def test_vhost_before_and_after(rules: str) -> None:
    """A small back end that comes first limits the device; one that comes after is refused."""
    first = vm_of(f"-accel kvm {BOOT}", rules)
    first.device_add("vhost-user-fs-pci", "vu", vhost_slots=32)
    add_mem(first, "m", 900 * GiB, memfd=True)
    # RFC: 30 free, trunc(30 * 900 / 1020) = 26, trunc(0.9 * 26) = 23, so slots of 64 GiB
    assert first.devices[0].decision.count == {RFC: 15, MERGED: 1}[rules]
    after = vm_of(f"-accel kvm {BOOT}", rules)
    add_mem(after, "m", 100 * GiB, memfd=True)
    assert after.devices[0].decision.count > 20
    with pytest.raises(Refusal):
        after.device_add("vhost-user-fs-pci", "vu", vhost_slots=16)
    assert after.vhosts[0].refused
    assert after.budget.vhost_max is None


def test_reserved_private_memslots_count_for_vhost_user() -> None:
    """An unmapped memslot over anonymous memory counts as reserved; once mapped it counts as neither."""
    vm = vm_of(f"-accel kvm {BOOT}")
    add_mem(vm, "m", GiB)
    assert text_of(lambda: vm.device_add("vhost-user-fs-pci", "vu", vhost_slots=2)) == (
        "vhost backend memory slots limit (2) is less than current number of used (2) and reserved (1) memory slots "
        "for memory devices."
    )
    vm.request_size("m", GiB)
    vm.settle("m")
    vm.device_add("vhost-user-fs-pci", "vu2", vhost_slots=2)


def test_started_vhost_is_told_every_change() -> None:
    """With CONFIGURE_MEM_SLOTS a back end gets one message per memslot that comes or goes."""
    vm = vm_of(f"-accel kvm {BOOT}")
    vm.device_add("vhost-user-fs-pci", "new", vhost_slots=509)
    add_mem(vm, "m", 1020 * GiB, memfd=True)
    vm.vhost_start("new", None)
    assert vm.vhosts[0].shown_messages() == {"ADD_MEM_REG": 2, "GET_MAX_MEM_SLOTS": 1}
    vm.request_size("m", 40 * GiB)
    vm.plug("m", 0, 10 * 4080 * MiB)
    assert vm.devices[0].mapped == 10
    assert vm.vhosts[0].shown_messages()["ADD_MEM_REG"] == 12
    vm.unplug("m", 0, 8 * GiB)
    assert vm.vhosts[0].shown_messages()["REM_MEM_REG"] == 2


# -- deaths -----------------------------------------------------------------------------------------------------------


def test_promised_memslots_are_not_enough_for_the_firmware() -> None:
    """KVM's limit is checked at the plug; a q35 sees 3 sections then and 7 later: QEMU dies when it runs."""
    text = (
        "-accel kvm -machine q35 -nodefaults -m 4G,maxmem=64G -object memory-backend-ram,id=b,size=16G "
        "-device virtio-mem-pci,id=m,memdev=b"
    )
    with pytest.raises(Abort) as abort:
        vm_of(text, kvm_slots=7)
    assert abort.value.message == "kvm_alloc_slot: no free slot available"
    assert vm_of(text, kvm_slots=8).kvm_free == 0


def test_reserved_memslots_that_somebody_took() -> None:
    """A device of which every check passed dies at the plug request when KVM has no memslot left."""
    text = (
        "-accel kvm -machine q35 -nodefaults -m 4G,maxmem=64G -object memory-backend-ram,id=b,size=16G "
        "-device virtio-mem-pci,id=m,memdev=b,dynamic-memslots=on,requested-size=16G"
    )
    vm = vm_of(text, kvm_slots=7)
    with pytest.raises(Abort, match="no free slot available"):
        vm.plug("m", 0, GiB)


@pytest.mark.parametrize(("rules", "dies"), [("rfc-2021", True), ("single", True), ("qemu-10.0", False)])
def test_memslot_of_8_tib(rules: str, dies: bool) -> None:
    """KVM takes no memslot of 8 TiB: one for the whole device cannot work, several can."""
    limit = {"rfc-2021": ",max-memslots=1", "qemu-10.0": ",dynamic-memslots=on"}.get(rules, "")
    text = (
        f"-machine q35 {CPU} -m 4G,maxmem={8 * TiB + 4 * GiB}B -object memory-backend-ram,id=b,size=8T,reserve=off "
        f"-device virtio-mem-pci,id=m,memdev=b{limit},requested-size=2M"
    )

    def run(accel: str) -> None:
        vm_of(f"-accel {accel} {text}", rules).plug("m", 0, 2 * MiB)

    run("tcg")
    if not dies:
        run("kvm")
        return
    with pytest.raises(Abort, match="Invalid argument"):
        run("kvm")


@pytest.mark.parametrize("distance", [2 * KiB, 2 * KiB - 16, 16])
def test_ring_across_a_memslot_border(distance: int) -> None:
    """A started device whose ring crosses a border dies at the next change of its table; else it lives."""
    vm = vm_of(f"-accel kvm {BOOT}", RFC)
    vm.device_add("vhost-user-fs-pci", "vu", vhost_slots=4096)
    add_mem(vm, "m", 500 * GiB, memfd=True, **{"requested-size": GiB})
    border = vm.devices[0].addr + GiB
    vm.vhost_start("vu", border - distance)
    if distance == 2 * KiB:
        vm.request_size("m", 4 * GiB)
        assert vm.devices[0].mapped == 5
        return
    with pytest.raises(Abort) as abort:
        vm.request_size("m", 4 * GiB)
    assert abort.value.message.splitlines() == [
        "Unable to map descriptor table for ring 0",
        "Verify ring failure on region 2",
    ]


# -- device_add and device_del ----------------------------------------------------------------------------------------


def test_three_ways_to_add() -> None:
    """Driver with properties, one string, and a device of the scenario are the same."""
    shown = []
    for number in range(3):
        vm = vm_of()
        vm.object_add(ram("b", 8 * GiB))
        if number == 0:
            vm.device_add("virtio-mem-pci", "m", props={"memdev": "b"}, requested_size="2G", dynamic_memslots=True)
        elif number == 1:
            vm.device_add("virtio-mem-pci,id=m,memdev=b,requested-size=2G,dynamic-memslots=on")
        else:
            vm.device_add(VirtioMem(id="m", memdev="b", requested_size=2 * GiB, dynamic_memslots=True))
        shown.append((vm.query_memory_devices(), vm.devices[0].decision))
    assert shown[0] == shown[1] == shown[2]


@BOTH
def test_ids(rules: str) -> None:
    """A device id and a memory backend's id are used once; a removed device's is free again."""
    vm = vm_of(rules=rules)
    add_dimm(vm, "one", GiB)
    vm.object_add(ram("b", GiB))
    assert text_of(lambda: vm.device_add("pc-dimm", "one", memdev="b")) == "Duplicate ID 'one' for device"
    assert text_of(lambda: vm.object_add(ram("b", GiB))) == (
        "attempt to add duplicate property 'b' to object (type 'container')"
    )
    assert text_of(lambda: vm.device_add("pc-dimm", "two", memdev="nope")) == "Device 'nope' not found"
    vm.device_del("one")
    vm.device_add("pc-dimm", "one", memdev="b")


def test_device_del_of_virtio_mem() -> None:
    """Merged: refused while unplugged memory is accessible, memory is plugged or requested, in that order."""
    vm = vm_of()
    add_mem(
        vm, "m", 8 * GiB, **{"requested-size": 2 * GiB, "unplugged-inaccessible": "auto", "dynamic-memslots": False}
    )
    add_mem(vm, "n", 8 * GiB, **{"requested-size": 2 * GiB})
    begin = "virtio-mem device cannot get unplugged while "
    for name in ("m", "n"):
        vm.settle(name)
    assert text_of(lambda: vm.device_del("m")) == f"{begin}'unplugged-inaccessible' != 'on'"
    assert text_of(lambda: vm.device_del("n")) == f"{begin}some of its memory is still plugged"
    vm.unplug_all("n")
    assert text_of(lambda: vm.device_del("n")) == f"{begin}'requested-size' != '0'"
    vm.request_size("n", 0)
    vm.device_del("n")
    assert [one.id for one in vm.devices] == ["m"]


def test_device_del_in_the_rfc() -> None:
    """Virtio-mem cannot be removed there; DIMMs can."""
    vm = vm_of(rules=RFC)
    add_mem(vm, "m", GiB)
    add_dimm(vm, "d", GiB)
    assert text_of(lambda: vm.device_del("m")) == "virtio based memory devices cannot be unplugged."
    vm.device_del("d")


def test_device_del_gives_back() -> None:
    """Memslots and space of a removed device are free again."""
    vm = vm_of(f"-accel kvm {COVER}")
    before = vm.budget
    add_mem(vm, "m", 500 * GiB)
    assert vm.budget != before
    vm.device_del("m")
    assert vm.budget == before


@BOTH
def test_unknown_names(rules: str) -> None:
    """QEMU's words for device_del; elsewhere a line that names what is known."""
    vm = vm_of(rules=rules)
    add_dimm(vm, "d", GiB)
    assert text_of(lambda: vm.device_del("m")) == "Device 'm' not found"
    with pytest.raises(BadInput, match=r"'m'.*known are d"):
        vm.request_size("m", GiB)
    with pytest.raises(BadInput, match="'d' is not a virtio-mem device"):
        vm.request_size("d", GiB)
    with pytest.raises(BadInput, match="no vhost device 'd'"):
        vm.vhost_start("d")


def test_removed_vhost() -> None:
    """Its limit no longer counts, and its id is free again."""
    vm = vm_of(f"-accel kvm {BOOT}")
    vm.device_add("vhost-user-fs-pci", "vu", vhost_slots=8)
    assert (vm.budget.vhost_max, vm.budget.vhost_free) == (8, 6)
    vm.device_del("vu")
    assert (vm.budget.vhost_max, vm.budget.vhost_free) == (None, None)
    vm.device_add("vhost-user-fs-pci", "vu", vhost_slots=16)
    assert vm.budget.vhost_max == 16


# -- guest and actions ------------------------------------------------------------------------------------------------


def small(rules: str = MERGED, requested: int = 0) -> Machine:
    vm = vm_of(rules=rules)
    add_mem(vm, "m", 64 * GiB, **{"requested-size": requested})
    return vm


@BOTH
def test_settle_follows_the_request(rules: str) -> None:
    """Plugged from the bottom, into holes first; unplugged from the top; exactly what is requested."""
    vm = small(rules)
    for size in (10 * GiB, 4 * GiB, 0, 7 * GiB):
        vm.request_size("m", size)
        vm.settle("m")
        assert list(vm.devices[0].virtio_mem.plugged.extents()) == ([(0, size)] if size else [])
    vm.unplug("m", 2 * GiB, GiB)
    vm.request_size("m", 8 * GiB)
    vm.settle("m")
    assert list(vm.devices[0].virtio_mem.plugged.extents()) == [(0, 8 * GiB)]
    vm.unplug("m", 2 * GiB, GiB)
    vm.request_size("m", 4 * GiB)
    vm.settle("m")
    assert list(vm.devices[0].virtio_mem.plugged.extents()) == [(0, 2 * GiB), (3 * GiB, 5 * GiB)]


def test_raw_requests() -> None:
    """Guest-physical address and blocks; the same answers as the named requests."""
    vm = small(requested=GiB)
    addr = vm.devices[0].addr
    assert vm.raw_request("m", 0, addr, 256) == StateAnswer(Response.ACK, None)
    assert vm.raw_request("m", 3, addr, 256) == StateAnswer(Response.ACK, BlockState.PLUGGED)
    assert vm.raw_request("m", 3, addr, 257) == StateAnswer(Response.ACK, BlockState.MIXED)
    assert vm.raw_request("m", 3, addr - 2 * MiB, 1) == StateAnswer(Response.ERROR, None)
    assert vm.raw_request("m", 0, addr, 0) == StateAnswer(Response.ERROR, None)
    assert vm.raw_request("m", 1, addr, 256) == StateAnswer(Response.ACK, None)
    assert vm.raw_request("m", 2, 0, 0) == StateAnswer(Response.ACK, None)


@pytest.mark.parametrize("mend", ["reset", "device_reset"])
def test_protocol_violation(mend: str) -> None:
    """An unknown request breaks the device: no answers, no changes, until a reset; the memory stays with it."""
    vm = small(requested=GiB)
    vm.plug("m", 0, 2 * MiB)
    assert vm.raw_request("m", 999, 0, 1) is None
    assert vm.warnings[-1] == "virtio-mem protocol violation: unknown request type: 999"
    addr = vm.devices[0].addr
    answers = [
        vm.plug("m", 4 * MiB, 2 * MiB),
        vm.unplug("m", 0, 2 * MiB),
        vm.unplug_all("m"),
        vm.state("m", 0, 2 * MiB),
        vm.raw_request("m", 0, addr, 1),
    ]
    assert answers == [None] * 5
    assert vm.config_space("m")["plugged_size"] == 2 * MiB
    vm.device_reset("m") if mend == "device_reset" else vm.reset()
    assert vm.config_space("m")["plugged_size"] == (2 * MiB if mend == "device_reset" else 0)
    assert vm.plug("m", 4 * MiB, 2 * MiB) is Response.ACK


@BOTH
def test_migration_is_busy(rules: str) -> None:
    """PLUG and UNPLUG are BUSY, STATE is not; a growing request still maps in the RFC."""
    vm = small(rules, requested=GiB)
    vm.plug("m", 0, 512 * MiB)
    vm.migrating = True
    assert vm.plug("m", 512 * MiB, 2 * MiB) is Response.BUSY
    assert vm.unplug("m", 0, 2 * MiB) is Response.BUSY
    assert vm.state("m", 0, 2 * MiB) == (Response.ACK, BlockState.PLUGGED)
    vm.request_size("m", 8 * GiB)
    assert vm.devices[0].mapped == {RFC: 9, MERGED: 1}[rules]
    vm.reset()
    assert vm.config_space("m")["plugged_size"] == 512 * MiB, "a reboot during a migration leaves memory plugged"


def test_scenario_with_actions() -> None:
    """A scenario's actions are played at the start, one after the other."""
    scenario = Scenario(
        ram=4 * GiB,
        maxmem=64 * GiB,
        ram_slots=4,
        ram_backend="m0",
        backends=(ram("m0", 4 * GiB, kind="memfd"), ram("b", 32 * GiB, kind="memfd"), ram("d", GiB)),
        devices=(
            VhostDevice(id="vu", slots=509),
            VirtioMem(id="m", memdev="b", dynamic_memslots=True),
            Dimm(id="d", memdev="d"),
        ),
        actions=(
            RequestSize(dev="m", size=8 * GiB),
            Settle(dev="m"),
            Unplug(dev="m", offset=GiB, size=GiB),
            VhostStart(dev="vu"),
            DeviceDel(id="d"),
        ),
    )
    vm = Machine(scenario)
    assert vm.config_space("m")["plugged_size"] == 7 * GiB
    assert [one.id for one in vm.devices] == ["m"]
    assert vm.vhosts[0].started
    assert vm.act(Plug(dev="m", offset=GiB, size=GiB)) is Response.ACK
    assert vm.act(State(dev="m", offset=0, size=8 * GiB)) == (Response.ACK, BlockState.PLUGGED)
    assert vm.act(UnplugAll(dev="m")) is Response.ACK
    assert vm.act(Reset()) is None
    assert vm.act(DeviceAdd(driver="pc-dimm", id="e", props=JsonObject({"memdev": "d"}))) is None
    assert [one.id for one in vm.devices] == ["m", "e"]


@pytest.mark.parametrize("slots", [0, -1])
def test_kvm_has_at_least_one_memslot(slots: int) -> None:
    """A limit below 1 is bad input."""
    with pytest.raises(BadInput, match=f"kvm_slots is {slots}"):
        vm_of("-accel kvm -m 4G", kvm_slots=slots)


# -- what always holds ------------------------------------------------------------------------------------------------

AUTOMATIC = tuple(name for name in RULE_SETS if name not in ("single", "series-2021-v1"))
BLOCK = 512 * MiB


class AnyMachine(RuleBasedStateMachine):
    """Random machines under random events, and the invariants that hold after each of them."""

    @initialize(
        rules=st.sampled_from([*AUTOMATIC, "single"]),
        kvm=st.sampled_from([None, 64, 509, 600, 32764]),
        smm=st.booleans(),
        pc=st.booleans(),
        area=st.integers(8, 300),
    )
    def start(self, rules: str, kvm: int | None, smm: bool, pc: bool, area: int) -> None:
        chipset = "pc" if pc else "q35"
        scenario = Scenario(
            chipset="pc" if chipset == "pc" else "q35",
            accel="tcg" if kvm is None else "kvm",
            kvm_slots=kvm or 32764,
            smm=smm and kvm is not None,
            ram=4 * GiB,
            maxmem=(4 + area) * GiB,
            ram_slots=8,
            ram_backend="m0",
            backends=(ram("m0", 4 * GiB, kind="memfd"),),
        )
        self.vm = Machine(scenario, rules)
        self.number = 0

    def virtio_mems(self) -> list[str]:
        return [one.id for one in self.vm.devices if one.virtio_mem]

    @rule(gib=st.integers(1, 120), half=st.booleans(), kind=st.sampled_from(["ram", "memfd"]), user=st.integers(0, 70))
    def add_virtio_mem(self, gib: int, half: bool, kind: str, user: int) -> None:
        self.number += 1
        name, size = f"m{self.number}", gib * GiB + half * BLOCK
        self.vm.object_add(ram(f"{name}-b", size, kind=kind))
        limited = user if self.vm.rules.name.startswith("rfc") and user < 40 else None
        spec = VirtioMem(
            id=name, memdev=f"{name}-b", block_size=BLOCK, max_memslots=limited, dynamic_memslots=user % 7 != 0
        )
        before = self.vm.budget
        try:
            self.vm.device_add(spec)
        except Abort:
            raise
        except Refusal:
            assert self.vm.budget == before

    @rule(gib=st.integers(1, 20), kind=st.sampled_from(["ram", "memfd"]))
    def add_dimm(self, gib: int, kind: str) -> None:
        self.number += 1
        self.vm.object_add(ram(f"d{self.number}-b", gib * GiB, kind=kind))
        try:
            self.vm.device_add(Dimm(id=f"d{self.number}", memdev=f"d{self.number}-b"))
        except Abort:
            raise
        except Refusal:
            assert all(one.id != f"d{self.number}" for one in self.vm.devices)

    @rule(slots=st.sampled_from([8, 64, 508, 509, 600]), kernel=st.booleans())
    def add_vhost(self, slots: int, kernel: bool) -> None:
        self.number += 1
        try:
            self.vm.device_add(VhostDevice(id=f"v{self.number}", slots=slots, kernel=kernel))
        except Refusal:
            assert self.vm.vhosts[-1].refused

    @precondition(lambda self: self.virtio_mems())
    @rule(data=st.data(), settle=st.booleans())
    def request(self, data: st.DataObject, settle: bool) -> None:
        name = data.draw(st.sampled_from(self.virtio_mems()))
        one = next(one for one in self.vm.devices if one.id == name)
        before = set(one.virtio_mem.mapped)
        self.vm.request_size(name, data.draw(st.integers(0, one.size // BLOCK)) * BLOCK)
        after = set(one.virtio_mem.mapped)
        if self.vm.rules.name.startswith("rfc"):
            assert before <= after, "toggling requested-size never unmaps"
        else:
            assert before == after, "a request alone maps nothing"
        if settle:
            self.vm.settle(name)
            assert one.virtio_mem.size == one.virtio_mem.requested_size

    @precondition(lambda self: self.virtio_mems())
    @rule(data=st.data(), plug=st.booleans(), start=st.integers(0, 260), count=st.integers(1, 30))
    def ask(self, data: st.DataObject, plug: bool, start: int, count: int) -> None:
        name = data.draw(st.sampled_from(self.virtio_mems()))
        view = self.vm.view
        response = (self.vm.plug if plug else self.vm.unplug)(name, start * BLOCK, count * BLOCK)
        if response is not Response.ACK or self.vm.rules.name.startswith("rfc"):
            assert self.vm.view == view, "no slot changes"

    @rule()
    def reset(self) -> None:
        self.vm.reset()
        assert all(one.virtio_mem.size == 0 for one in self.vm.devices if one.virtio_mem)

    @precondition(lambda self: self.vm.devices)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([one.id for one in self.vm.devices]))
        try:
            self.vm.device_del(name)
        except Refusal:
            assert name in self.virtio_mems(), "DIMMs always go"

    @invariant()
    def mapped_is_what_the_rule_says(self) -> None:
        for one in self.vm.devices:
            if one.virtio_mem is None or one.decision.direct:
                assert one.mapped == 1
                continue
            device, decision = one.virtio_mem, one.decision
            slots = range(decision.count)
            with_blocks = [
                index
                for index in slots
                if decision.offset(index) < one.size
                and device.plugged.touches(decision.offset(index), decision.offset(index) + decision.size(index))
            ]
            if self.vm.rules.name.startswith("rfc"):
                assert list(device.mapped) == [one for one in slots if decision.offset(one) < device.usable_region_size]
                assert set(with_blocks) <= set(device.mapped)
            else:
                assert list(device.mapped) == with_blocks
            assert one.mapped <= decision.count

    @invariant()
    def sizes_are_in_order(self) -> None:
        for one in self.vm.devices:
            if one.virtio_mem:
                device = one.virtio_mem
                assert 0 <= device.size <= device.usable_region_size <= one.size
                assert device.requested_size <= device.usable_region_size or device.requested_size == 0

    @invariant()
    def view_has_a_range_per_mapped_memslot(self) -> None:
        view = self.vm.view
        assert len(view) == sum(one.mapped for one in self.vm.devices) == self.vm.budget.used
        ends = [0, *(one.end for one in view)]
        assert all(end <= one.start for end, one in zip(ends, view, strict=False)), "sorted and disjoint"
        base, size = self.vm.board.device_memory_base, self.vm.board.device_memory_size
        assert all(base <= one.start and one.end <= base + size for one in view)

    @invariant()
    def budget_adds_up(self) -> None:
        budget = self.vm.budget
        assert 0 <= budget.used <= budget.required
        assert budget.used_region_size == sum(one.size for one in self.vm.devices) <= budget.device_memory_size
        for used in self.vm.kvm_used:
            assert used <= self.vm.scenario.kvm_slots
            if not self.vm.rules.name.startswith("rfc"):
                assert self.vm.kvm_free == self.vm.scenario.kvm_slots - used

    @invariant()
    def devices_do_not_overlap(self) -> None:
        places = sorted((one.addr, one.end) for one in self.vm.devices)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(places))

    @invariant()
    def promises_are_kept(self) -> None:
        if self.vm.rules.name.startswith("rfc"):
            return  # its counters can be wrong: SMM counts double, a removed vhost device zeroes the count
        for one in self.vm.vhosts:
            if not one.refused and self.vm.rules.name == "qemu-10.0":
                assert one.used <= one.backend.limit


TestAnyMachine = AnyMachine.TestCase
TestAnyMachine.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)


@given(
    rules=st.sampled_from(AUTOMATIC),
    gib=st.integers(2, 400),
    requests=st.lists(st.integers(0, 400), min_size=1, max_size=8),
)
def test_accepted_device_can_map_all_its_memslots(rules: str, gib: int, requests: list[int]) -> None:
    """What the checks accept can be mapped later as long as nobody else takes memslots without asking."""
    text = f"-accel kvm -nodefaults -machine pc -m 4G,maxmem={4 + gib}G"
    vm = vm_of(text, rules, kvm_slots=520)
    vm.object_add(ram("b", gib * GiB))
    vm.device_add("virtio-mem-pci,id=m,memdev=b" + (",dynamic-memslots=on" if rules.startswith("qemu") else ""))
    for size in (*requests, gib):
        vm.request_size("m", min(size, gib) * GiB)
        vm.settle("m")
    assert vm.devices[0].mapped == vm.devices[0].decision.count
    assert vm.kvm_used[0] <= 520


def test_limit_of_a_back_end_that_comes_later() -> None:
    """What a back end reports can be said when the machine is made; it counts when the back end is hot-plugged."""
    argv = "-accel kvm -machine q35 -m 4G,maxmem=104G -object memory-backend-memfd,id=mem0,size=100G "
    vm = Machine.from_qemu_args(argv, vhost_slots={"fs0": 600, "fs1": 64})
    vm.device_add("virtio-mem-pci", "vm0", memdev="mem0", dynamic_memslots="on")
    vm.device_add("vhost-user-fs-pci", "fs0")
    with pytest.raises(Refusal, match="would further restricts"):
        vm.device_add("vhost-user-fs-pci", "fs1")
    vm.device_add("vhost-user-fs-pci", "fs1", vhost_slots=509)
    assert [one.limit for one in vm.picture.consumers] == [32764, 512, 509]


@pytest.mark.parametrize("given", ["-m 4G", None, {"ram": 1}])
def test_a_machine_of_something_else(given: object) -> None:
    """What is no scenario is named in one line that says how to read a command line."""
    with pytest.raises(BadInput, match=r"made of a Scenario, not of .*from_qemu_args"):
        Machine(given)  # type: ignore[arg-type]
