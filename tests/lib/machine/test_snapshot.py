"""A layout's values are the machine's, at every moment, and it does not change with the machine."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.machine.machine import Machine
from workbook.lib.machine.snapshot import Layout, RamPiece
from workbook.lib.memory.flatview import ChangeKind
from workbook.lib.rules import RULE_SETS
from workbook.lib.size import GiB, MiB

BOOT = (
    "-nodefaults -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -machine q35,memory-backend=m0 "
    "-object memory-backend-memfd,id=m0,size=4G -m 4G,slots=4,maxmem=1T"
)


def vm_of(rules: str, extra: str = "", size: str = "100G") -> Machine:
    props = {"qemu-8.2": ",dynamic-memslots=on", "qemu-10.0": ",dynamic-memslots=on", "series-2021-v1": ",memslots=7"}
    return Machine.from_qemu_args(
        f"-accel kvm {BOOT} -object memory-backend-memfd,id=b,size={size} "
        f"-device virtio-mem-pci,id=m,memdev=b{props.get(rules, '')}{extra}",
        rules=rules,
    )


def assert_is_the_machines(picture: Layout, vm: Machine) -> None:
    assert picture.rules == vm.rules.name
    assert (picture.base, picture.size) == (vm.board.device_memory_base, vm.board.device_memory_size)
    assert picture.view == vm.view
    assert picture.exposed == vm.exposed == sum(shown.exposed for shown in picture.devices)
    assert picture.memslot_sizes == tuple(one.size for one in vm.view)
    assert picture.memslot_bases == tuple(one.start for one in vm.view)
    for shown, one in zip(picture.devices, sorted(vm.devices, key=lambda one: one.addr), strict=True):
        decision, slots = one.decision, range(one.decision.count)
        assert (shown.id, shown.start, shown.size, shown.memdev) == (one.id, one.addr, one.size, one.backend.id)
        assert shown.decision == decision
        memslots = shown.memslots()
        assert [slot.offset for slot in memslots] == [decision.offset(index) for index in slots]
        assert [slot.size for slot in memslots] == [decision.size(index) for index in slots]
        assert shown.used == one.mapped == sum(slot.mapped for slot in memslots)
        plugged = sum(slot.plugged for slot in memslots)
        assert shown.plugged_size == plugged == sum(end - start for start, end in shown.plugged)
        assert shown.mapped_size == sum(slot.size for slot in memslots if slot.mapped)
        if one.virtio_mem:
            assert shown.exposed == sum(slot.size - slot.plugged for slot in memslots if slot.mapped)
        else:
            assert shown.exposed == 0
        assert shown.mapped_size == sum(part.size for part in vm.view if part.region.name == one.backend.id)
        if one.virtio_mem is None:
            assert (shown.requested_size, shown.usable_region_size, shown.block_size) == (one.size, one.size, 0)
            assert [slot.mapped for slot in memslots] == [True]
            continue
        space = one.virtio_mem.config_space()
        fields = ("requested_size", "usable_region_size", "plugged_size", "block_size")
        assert [getattr(shown, name) for name in fields] == [space[name] for name in fields]
        assert list(shown.mapped) == list(one.virtio_mem.mapped)
        assert list(shown.plugged) == list(one.virtio_mem.plugged.extents())
        for index in slots:
            start, end = decision.offset(index), decision.offset(index) + decision.size(index)
            inside = sum(max(0, min(end, stop) - max(start, begin)) for begin, stop in one.virtio_mem.plugged.extents())
            assert memslots[index].plugged == inside


@given(
    rules=st.sampled_from(tuple(RULE_SETS)),
    requests=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(1, 50)), max_size=6),
)
def test_values_are_the_machines(rules: str, requests: list[tuple[int, int, int]]) -> None:
    """After any requests: slots, sizes, plugged bytes per slot, view and memslots are those of the machine."""
    vm = vm_of(rules, ",block-size=512M,requested-size=100G")
    vm.device_add(
        "pc-dimm", "d", props={"memdev": "db"}, object={"qom-type": "memory-backend-ram", "id": "db", "size": GiB}
    )
    assert_is_the_machines(vm.picture, vm)
    for plug, start, count in requests:
        (vm.plug if plug % 3 else vm.unplug)("m", start * 512 * MiB, count * 512 * MiB)
    assert_is_the_machines(vm.picture, vm)


@pytest.mark.parametrize(
    ("size", "user", "sizes"),
    [
        ("500G", 64, [8 * GiB] * 62 + [4 * GiB, 8 * GiB]),
        ("500G", 70, [8 * GiB] * 62 + [4 * GiB] + [8 * GiB] * 7),
        ("8G", 5, [2 * GiB] * 4 + [0]),
        ("8G", 6, [2 * GiB] * 4 + [0, 2 * GiB]),
    ],
)
def test_surplus_slots_of_the_rfc(size: str, user: int, sizes: list[int]) -> None:
    """Behind the device's end a slot is empty or wraps to a full one, and it is never mapped nor plugged."""
    vm = vm_of("rfc-2021", f",max-memslots={user},requested-size={size}", size)
    vm.settle("m")
    (device,) = vm.picture.devices
    memslots = device.memslots()
    assert [one.size for one in memslots] == sizes
    needed = -(-device.size // sizes[0])
    assert [one.mapped for one in memslots] == [True] * needed + [False] * (user - needed)
    assert [one.plugged for one in memslots[needed:]] == [0] * (user - needed)
    assert device.mapped_size == device.plugged_size == device.size
    assert_is_the_machines(vm.picture, vm)


def test_it_stays_as_it_was() -> None:
    """A picture that was taken does not follow the machine."""
    vm = vm_of("qemu-10.0", ",requested-size=40G")
    before = vm.picture
    vm.settle("m")
    assert before.devices[0].plugged_size == 0
    assert len(before.view) == 0
    assert vm.picture.devices[0].plugged_size == 40 * GiB


def test_difference_is_what_listeners_see() -> None:
    """The first four memslots stay, the fifth goes."""
    vm = vm_of("rfc-2021", ",requested-size=4G")
    large = vm.picture
    vm.request_size("m", 3 * GiB)
    vm.reset()
    changes = large.changes(vm.picture)
    assert [one.kind for one in changes] == [ChangeKind.DEL] + [ChangeKind.NOP] * 4
    assert changes[0].range.start == vm.devices[0].addr + 4 * GiB


def test_boot_ram() -> None:
    """Two pieces, or one where everything fits below 4 GiB."""
    assert vm_of("single").picture.ram == (RamPiece(0, 2 * GiB), RamPiece(4 * GiB, 2 * GiB))
    small = Machine.from_qemu_args("-m 1G")
    assert small.picture.ram == (RamPiece(0, GiB),)
    assert (small.picture.size, small.picture.devices, len(small.picture.memslot_sizes)) == (0, (), 0)


def test_consumers() -> None:
    """KVM and every back end: limit, boot, used, reserved and what is left; refused and removed ones are not there."""
    vm = vm_of("qemu-10.0", ",requested-size=40G")
    vm.settle("m")
    count, used = vm.devices[0].decision.count, vm.devices[0].mapped
    for name, slots in (("vu", 512), ("gone", 512)):
        vm.device_add("vhost-user-fs-pci", name, vhost_slots=slots)
    vm.device_del("gone")
    kvm, vu = vm.picture.consumers
    assert (kvm.name, kvm.limit, kvm.boot, kvm.used, kvm.reserved) == ("KVM", 32764, 7, used, count - used)
    assert kvm.free == 32764 - 7 - count
    assert (vu.name, vu.limit, vu.boot, vu.used, vu.reserved) == ("vu", 512, 2, used, count - used)
    assert vu.free == 512 - 2 - count


def test_no_consumers() -> None:
    """TCG without vhost: nobody counts memslots."""
    assert Machine.from_qemu_args("-accel tcg -m 4G,maxmem=8G").picture.consumers == ()
