"""The series of 27 October 2021: the user says how many memslots; sizes, caps and texts."""

import pytest

from workbook.lib.errors import Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import Budget, Decision, get
from workbook.lib.size import GiB, MiB, TiB

RULES = get("series-2021-v1")
AMPLE = Budget(device_memory_size=16 * TiB, kvm_max=32764, kvm_free=32755)


def cut(region: int, memslots: int = 0, block: int = 2 * MiB) -> Decision:
    return RULES.decide(AMPLE, region, block, memslots)


def vm_with(props: str = "", size: str = "64G", *, kvm_slots: int | None = None, machine: str = "q35") -> Machine:
    return Machine.from_qemu_args(
        f"-accel kvm -machine {machine} -vga none -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -m 4G,slots=4,maxmem=8T "
        f"-object memory-backend-memfd,id=mem0,size={size} "
        f"-device virtio-mem-pci,id=vm0,memdev=mem0{props}",
        rules=RULES,
        kvm_slots=kvm_slots,
    )


def refusal_of(props: str, size: str = "64G") -> str:
    with pytest.raises(Refusal) as refusal:
        vm_with(props, size)
    return refusal.value.message


@pytest.mark.parametrize("budget", [AMPLE, Budget(device_memory_size=TiB, kvm_max=32, kvm_free=0)])
def test_one_memslot_by_default(budget: Budget) -> None:
    """Without memslots= a device has one, as large as itself, whatever is free."""
    decision = RULES.decide(budget, 500 * GiB)
    assert (decision.count, decision.memslot_size) == (1, 500 * GiB)


@pytest.mark.parametrize("machine", ["q35", "pc-q35-6.1", "pc-q35-6.2"])
def test_one_memslot_on_every_machine_type(machine: str) -> None:
    """The default does not depend on the machine type."""
    assert vm_with(machine=machine).devices[0].decision.count == 1


@pytest.mark.parametrize(
    ("region", "memslots", "size", "last"),
    [
        (500 * GiB, 500, GiB, GiB),
        (64 * GiB, 3, 21 * GiB + 256 * MiB, 21 * GiB + 512 * MiB),
        (GiB, 8, 128 * MiB, 128 * MiB),
        (GiB + 128 * MiB, 8, 128 * MiB, 256 * MiB),
        (TiB, 1000, GiB, 25 * GiB),
    ],
)
def test_sizes(region: int, memslots: int, size: int, last: int) -> None:
    """Even shares rounded down to 128 MiB; the last takes the rest and can be the largest."""
    decision = cut(region, memslots)
    assert (decision.count, decision.memslot_size, decision.size(memslots - 1)) == (memslots, size, last)
    assert sum(decision.size(index) for index in range(memslots)) == region


def test_sizes_are_whole_blocks() -> None:
    """Slots are rounded down to the block size first."""
    decision = cut(10 * GiB, 3, block=512 * MiB)
    assert (decision.memslot_size, decision.size(2)) == (3 * GiB, 4 * GiB)


@pytest.mark.parametrize(
    ("memslots", "text"),
    [
        (1025, "'memslots' property must not exceed '1024'"),
        (65535, "'memslots' property must not exceed '1024'"),
        (0, "'memslots' property must not be '0'"),
    ],
)
def test_property_range(memslots: int, text: str) -> None:
    """1 to 1024 are allowed."""
    assert refusal_of(f",memslots={memslots}") == text


def test_more_memslots_than_blocks() -> None:
    """At realize: there must be a block for each, of the default block size where none is given."""
    text = "'memslots' property exceeds the total number of device blocks (512)"
    assert refusal_of(",memslots=513", size="1G") == text
    text = "'memslots' property exceeds the total number of device blocks (4)"
    assert refusal_of(",memslots=5,block-size=1G", size="4G") == text


def test_memslots_below_128_mib() -> None:
    """At realize: 8 slots of 128 MiB fit into 1 GiB, 9 do not."""
    assert vm_with(",memslots=8", size="1G").devices[0].decision.memslot_size == 128 * MiB
    text = "'memslots' property would create memory slots smaller than the minimum supported memory slot size (128 MiB)"
    assert refusal_of(",memslots=9", size="1G") == text


def test_space_is_checked_before_realize() -> None:
    """A device that does not fit is refused for that, whatever its memslots would be."""
    text = "not enough space, currently 0x0 in use of total space for memory devices 0x7ff00000000"
    assert refusal_of(",memslots=1000", size="9T") == text
    with pytest.raises(Refusal, match=r"^not enough space"):
        vm_with(",memslots=1024,block-size=16T", size="16T")


def test_no_automatic_detection() -> None:
    """The properties of the RFC and of merged QEMU do not exist."""
    for name in ("max-memslots=4", "dynamic-memslots=on"):
        assert refusal_of(f",{name}") == f"Property 'virtio-mem-pci.{name.partition('=')[0]}' not found"


def test_cap_over_all_devices() -> None:
    """2048 over all memory devices; equality is fine, and the text names all numbers."""
    budget = Budget(device_memory_size=16 * TiB, required=1124, used=100, kvm_max=32764, kvm_free=32000)
    RULES.check(budget, RULES.decide(budget, TiB, 2 * MiB, 924))
    with pytest.raises(Refusal) as refusal:
        RULES.check(budget, RULES.decide(budget, TiB, 2 * MiB, 925))
    assert refusal.value.message == (
        "The maximum number of memory slots to be consumed by memory devices (2048) would be exceeded. "
        "Used: 100, Reserved: 1024, Required: 925"
    )


def test_too_few_free_ones() -> None:
    """KVM first, then vhost; the free, reserved and required ones are named (one word, as posted)."""
    for consumer, who in (("kvm", "KVM"), ("vhost", "a used vhost backend")):
        budget = Budget(device_memory_size=TiB, required=9, used=4, **{f"{consumer}_max": 509, f"{consumer}_free": 12})
        RULES.check(budget, RULES.decide(budget, GiB, 2 * MiB, 7))
        with pytest.raises(Refusal) as refusal:
            RULES.check(budget, RULES.decide(budget, GiB, 2 * MiB, 8))
        assert refusal.value.message == (
            f"{who} does not have enough free, unreserved memoryslots left. Free: 12, Reserved: 5, Required: 8"
        )


def test_too_few_free_ones_in_a_vm() -> None:
    """The number of memslots never adapts: a small KVM refuses what the user asks for."""
    with pytest.raises(Refusal) as refusal:
        vm_with(",memslots=64", kvm_slots=32)
    # a q35 has 3 sections while the devices of its command line are made
    assert refusal.value.message == (
        "KVM does not have enough free, unreserved memoryslots left. Free: 29, Reserved: 0, Required: 64"
    )


def test_slots_follow_the_usable_region() -> None:
    """As in the RFC: every slot that starts inside the usable region is mapped, under the RFC's names."""
    vm = vm_with(",memslots=3")
    vm.request_size("vm0", 21 * GiB)
    assert vm.devices[0].mapped == 1, "21.25 GiB usable is one slot of 21.25 GiB"
    vm.request_size("vm0", 21 * GiB + 2 * MiB)
    assert vm.devices[0].mapped == 2
    vm.request_size("vm0", 64 * GiB)
    assert [one.size for one in vm.view] == [21 * GiB + 256 * MiB] * 2 + [21 * GiB + 512 * MiB]
    assert "virtio-mem-memslot-2" in vm.info_mtree()


def test_vhost_user_limit_of_the_base() -> None:
    """The RFC's larger limit was dropped: QEMU takes 256 memslots of a vhost-user back end."""
    vm = vm_with()
    vm.device_add("vhost-user-fs-pci", "vu", props={}, vhost_slots=4096)
    assert vm.budget.vhost_max == 256
