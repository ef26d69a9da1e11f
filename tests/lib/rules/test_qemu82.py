"""The merged heuristic (QEMU 8.2): worked examples M1 to M28, the vhost side, and what a VM then shows."""

from dataclasses import dataclass

import pytest

from workbook.lib.consumers.vhost_backend import UINT_MAX, VhostBackend
from workbook.lib.errors import Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import Budget, Decision, get
from workbook.lib.size import GiB, MiB, TiB

BOTH = pytest.mark.parametrize("rules", ["qemu-8.2", "qemu-10.0"])
BOOT = 2
"""Memory regions that a running PC's boot RAM takes in vhost."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row: what goes in, and what comes out; `last` is the last slot where it is smaller."""

    region: int
    area: int
    taken: int = 0
    required: int = 0
    used: int = 0
    most: int | None = 32764
    free: int | None = 32755
    vhost: bool = False
    block: int = 2 * MiB
    limit: int
    count: int
    size: int
    last: int | None = None

    @property
    def budget(self) -> Budget:
        consumer = (
            {"kvm_max": 32764, "kvm_free": 32755, "vhost_max": self.most, "vhost_free": self.free}
            if self.vhost
            else {"kvm_max": self.most, "kvm_free": self.free}
        )
        return Budget(
            device_memory_size=self.area,
            used_region_size=self.taken,
            required=self.required,
            used=self.used,
            **consumer,
        )


HALF = 512 * MiB
ROWS = {
    "M1": Example(region=500 * GiB, area=1021 * GiB, limit=125, count=125, size=4 * GiB),
    "M2": Example(region=500 * GiB, area=500 * GiB, limit=256, count=256, size=2000 * MiB),
    "M3": Example(region=TiB, area=TiB, limit=256, count=256, size=4 * GiB),
    "M4": Example(region=8 * TiB, area=8 * TiB, limit=256, count=256, size=32 * GiB),
    "M5": Example(region=8 * TiB, area=16 * TiB, limit=128, count=128, size=64 * GiB),
    "M6": Example(region=TiB, area=TiB, most=509, free=500, limit=256, count=256, size=4 * GiB),
    "M7": Example(region=TiB, area=TiB, most=508, free=499, limit=1, count=1, size=TiB),
    "M8": Example(region=TiB, area=TiB, vhost=True, most=64, free=56, limit=1, count=1, size=TiB),
    "M9": Example(region=TiB, area=4 * TiB, vhost=True, most=509, free=501, limit=64, count=64, size=16 * GiB),
    "M10.1": Example(region=128 * GiB, area=256 * GiB, limit=128, count=128, size=GiB),
    "M10.2": Example(
        region=128 * GiB, area=256 * GiB, taken=128 * GiB, required=128, limit=128, count=128, size=GiB
    ),
    "M11.1": Example(region=256 * GiB, area=TiB, limit=64, count=64, size=4 * GiB),
    "M11.2": Example(
        region=256 * GiB, area=TiB, taken=256 * GiB, required=64, used=1, free=32754, limit=64, count=64, size=4 * GiB
    ),
    "M11.3": Example(
        region=256 * GiB, area=TiB, taken=512 * GiB, required=128, used=2, free=32753, limit=64, count=64, size=4 * GiB
    ),
    "M11.4": Example(
        region=256 * GiB, area=TiB, taken=768 * GiB, required=192, used=3, free=32752, limit=64, count=64, size=4 * GiB
    ),
    "M12": Example(
        region=64 * GiB, area=TiB, taken=900 * GiB, required=256, used=10, free=32700, limit=1, count=1, size=64 * GiB
    ),
    "M13": Example(region=GiB, area=TiB, limit=1, count=1, size=GiB),
    "M14": Example(region=21 * HALF, area=21 * HALF, limit=256, count=11, size=GiB, last=HALF),
    "M15": Example(
        region=TiB, area=TiB, most=509, free=109, limit=109, count=109, size=9620 * MiB, last=9616 * MiB
    ),
    "M16": Example(
        region=64 * GiB, area=128 * GiB, taken=16 * GiB, required=4, used=4, free=32751, limit=144, count=64, size=GiB
    ),
    "M17": Example(region=100 * GiB, area=128 * GiB, block=HALF, limit=200, count=100, size=GiB),
    "M18": Example(region=1000 * GiB, area=1000 * GiB, block=GiB, limit=256, count=250, size=4 * GiB),
    "M19": Example(region=16 * GiB, area=8 * TiB, limit=1, count=1, size=16 * GiB),
    "M20": Example(region=64 * GiB, area=8 * TiB, limit=2, count=2, size=32 * GiB),
    "M21": Example(region=2 * TiB, area=4 * TiB, most=4096, free=4087, limit=128, count=128, size=16 * GiB),
    "M23": Example(
        region=64 * GiB, area=TiB, taken=512 * GiB, required=200, most=509, free=150, limit=1, count=1, size=64 * GiB
    ),
    "M24": Example(
        region=64 * GiB, area=TiB, taken=512 * GiB, required=128, used=28, most=509, free=150,
        limit=6, count=6, size=10924 * MiB, last=10916 * MiB,
    ),
    "M25": Example(region=512 * GiB, area=TiB, most=None, free=None, limit=128, count=128, size=4 * GiB),
    "M26": Example(
        region=3 * TiB, area=5 * TiB, limit=153, count=153, size=20562 * MiB, last=20304 * MiB
    ),
    "M27": Example(region=300 * GiB, area=300 * GiB, limit=256, count=256, size=1200 * MiB),
    "M28": Example(region=12 * GiB, area=12 * GiB, block=4 * GiB, limit=256, count=3, size=4 * GiB),
}  # fmt: skip
"""The rows of the table but M22, whose limit is undefined."""
M22 = Budget(
    device_memory_size=256 * GiB, used_region_size=256 * GiB, required=200, used=0, kvm_max=32764, kvm_free=32755
)


def decide(rules: str, row: Example) -> Decision:
    return get(rules).decide(row.budget, row.region, row.block)


@BOTH
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_column(rules: str, row: Example) -> None:
    """Limit, number of memslots, their size and the last one's are those of the worked example."""
    decision = decide(rules, row)
    assert decision.limit == row.limit
    assert (decision.count, decision.memslot_size) == (row.count, row.size)
    assert decision.size(decision.count - 1) == (row.last or row.size)
    assert sum(decision.size(index) for index in range(decision.count)) == row.region
    assert not decision.direct


@BOTH
@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_which_pass_the_check(rules: str, name: str, row: Example) -> None:
    """Every example but M23 passes check_addable; M23 has 150 free ones for 200 reserved and 1."""
    if name != "M23":
        get(rules).check(row.budget, decide(rules, row))
        return
    with pytest.raises(Refusal) as refusal:
        get(rules).check(row.budget, decide(rules, row))
    assert refusal.value.message == "hypervisor has not enough free memory slots left"


@BOTH
def test_m22_runs_out_of_space(rules: str) -> None:
    """No space left: QEMU divides by zero; the plug fails for lack of space whatever comes out."""
    decision = get(rules).decide(M22, GiB)
    assert decision.count == 1
    with pytest.raises(Refusal) as refusal:
        get(rules).check(M22, decision)
    text = "not enough space, currently 0x4000000000 in use of total space for memory devices 0x4000000000"
    assert refusal.value.message == text


def traced(decision: Decision) -> dict[str, int | float]:
    return {step.name: step.value for step in decision.trace}


def test_trace_of_m24() -> None:
    """The trace names what the decision rests on: min(256 - required, free - reserved) and the share of the space."""
    trace = traced(decide("qemu-8.2", ROWS["M24"]))
    assert trace["max"] == 509
    assert trace["free"] == 150
    assert trace["reserved"] == 100
    assert trace["soft budget"] == 128
    assert trace["available"] == 50
    assert trace["space left"] == 512 * GiB
    assert trace["limit"] == 6


def test_trace_without_consumers() -> None:
    """TCG without vhost: no limit at all, UINT_MAX."""
    trace = traced(decide("qemu-8.2", ROWS["M25"]))
    assert (trace["max"], trace["free"]) == (UINT_MAX, UINT_MAX)


@BOTH
def test_smallest_consumer_decides(rules: str) -> None:
    """KVM and vhost: the smaller limit and the smaller number of free memslots count."""
    budget = Budget(device_memory_size=TiB, kvm_max=600, kvm_free=20, vhost_max=509, vhost_free=400)
    trace = traced(get(rules).decide(budget, TiB))
    assert (trace["max"], trace["free"], trace["limit"]) == (509, 20, 20)


@BOTH
@pytest.mark.parametrize(("free", "count"), [(0, 1), (1, 1), (2, 2), (255, 255), (256, 256), (400, 256)])
def test_free_memslots_bind_one_by_one(rules: str, free: int, count: int) -> None:
    """For the only device the limit is min(256, free), at least 1."""
    budget = Budget(device_memory_size=TiB, kvm_max=509, kvm_free=free)
    decision = get(rules).decide(budget, TiB)
    assert decision.limit == count
    assert decision.count <= count


@BOTH
@pytest.mark.parametrize(("required", "limit"), [(254, 2), (255, 1), (256, 1), (300, 1)])
def test_soft_limit_runs_out(rules: str, required: int, limit: int) -> None:
    """256 over all devices: what is left of it, then 1 each."""
    budget = Budget(device_memory_size=2 * TiB, used_region_size=TiB, required=required, kvm_max=32764, kvm_free=32755)
    assert get(rules).decide(budget, TiB).limit == limit


@BOTH
def test_whole_area_gets_everything_also_beside_others(rules: str) -> None:
    """`size == D` is looked at before the space that others have taken."""
    budget = Budget(device_memory_size=TiB, used_region_size=GiB, required=1, used=1, kvm_max=32764, kvm_free=32755)
    assert get(rules).decide(budget, TiB).limit == 255


@BOTH
def test_texts_of_too_few_memslots(rules: str) -> None:
    """KVM is checked first, then vhost; the texts name no numbers."""
    kvm = Budget(device_memory_size=TiB, required=9, kvm_max=509, kvm_free=9, vhost_max=509, vhost_free=9)
    vhost = Budget(device_memory_size=TiB, required=9, kvm_max=509, kvm_free=10, vhost_max=509, vhost_free=9)
    one = get(rules).whole(GiB)
    with pytest.raises(Refusal) as refusal:
        get(rules).check(kvm, one)
    assert refusal.value.message == "hypervisor has not enough free memory slots left"
    with pytest.raises(Refusal) as refusal:
        get(rules).check(vhost, one)
    assert refusal.value.message == "a used vhost backend has not enough free memory slots left"


@BOTH
def test_reserved_is_never_negative(rules: str) -> None:
    """More used than required (somebody took slots without asking) reserves nothing."""
    assert get(rules).reserved(3, 5) == 0
    assert get(rules).reserved(5, 3) == 2


@BOTH
def test_kvm_free_is_that_of_the_fullest_address_space(rules: str) -> None:
    """SMM does not count twice, and the number does not go below 0."""
    assert get(rules).kvm_free(509, (9, 9)) == 500
    assert get(rules).kvm_free(509, (9, 11)) == 498
    assert get(rules).kvm_free(8, (9, 9)) == 0


# -- vhost ------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("limit", "automatic", "fits"), [(508, 1, False), (509, 1, True), (508, 0, True), (8, 0, True)]
)
def test_late_backend_below_509(rules: str, limit: int, automatic: int, fits: bool) -> None:
    """Once a device has decided by itself on more than one memslot, a back end below 509 is refused, with a hint."""
    if fits:
        get(rules).check_vhost_limit(limit, automatic)
        return
    with pytest.raises(Refusal) as refusal:
        get(rules).check_vhost_limit(limit, automatic)
    assert refusal.value.message == (
        "some memory device (like virtio-mem) decided how many memory slots to use based on the overall number of "
        "memory slots; this vhost backend would further restricts the overall number of memory slots"
    )
    assert refusal.value.advice == "Try plugging this vhost backend before plugging such memory devices."


@BOTH
def test_late_backend_with_too_few(rules: str) -> None:
    """Used and reserved must fit; equality is fine; the text names all three numbers."""
    get(rules).check_vhost_used(12, 8, 4)
    with pytest.raises(Refusal) as refusal:
        get(rules).check_vhost_used(11, 8, 4)
    assert refusal.value.message == (
        "vhost backend memory slots limit (11) is less than current number of used (8) and reserved (4) memory slots "
        "for memory devices."
    )


USER, OTHER, KERNEL = VhostBackend("u", 64), VhostBackend("v", 100), VhostBackend("k", 32, kernel=True)


def test_count_of_82_is_one_per_kind() -> None:
    """Of vhost-user and of vhost in the kernel the newest table each counts, whoever sent it."""
    count = get("qemu-8.2").vhost_count()
    assert count.free([]) == UINT_MAX
    count.committed(USER, 10)
    count.committed(KERNEL, 12)
    assert count.free([USER, KERNEL]) == min(64 - 10, 32 - 12)
    count.committed(OTHER, 40)
    assert (count.used(USER), count.used(KERNEL)) == (40, 12)
    assert count.free([USER, OTHER]) == 24


def test_count_of_82_is_zeroed_by_a_removal() -> None:
    """Removing one device sets its kind's counter to 0 though another still uses memslots."""
    count = get("qemu-8.2").vhost_count()
    for one in (USER, OTHER, KERNEL):
        count.committed(one, 10)
    count.removed(OTHER)
    assert (count.free([USER]), count.free([KERNEL])) == (64, 22)


def test_count_of_82_wraps() -> None:
    """More used than the limit has is a huge number."""
    count = get("qemu-8.2").vhost_count()
    count.committed(USER, 65)
    assert count.free([USER]) == UINT_MAX


def test_count_of_100_is_one_per_device() -> None:
    """Every device has its own; removing one leaves the others alone, and free does not go below 0."""
    count = get("qemu-10.0").vhost_count()
    count.committed(USER, 10)
    count.committed(OTHER, 40)
    count.removed(OTHER)
    assert count.free([USER]) == 54
    count.committed(USER, 65)
    assert count.free([USER]) == 0


# -- as a VM ----------------------------------------------------------------------------------------------------------


def vm_with(
    area: int, *, accel: str = "kvm", slots: int = 0, rules: str = "qemu-10.0", kvm_slots: int | None = None
) -> Machine:
    return Machine.from_qemu_args(
        f"-accel {accel} -machine q35,memory-backend=ram0 -object memory-backend-memfd,id=ram0,size=4G "
        f"-nodefaults -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -m 4G,slots={slots},maxmem={4 * GiB + area}B",
        rules=rules,
        kvm_slots=kvm_slots,
    )


def memfd(name: str, size: int) -> dict[str, object]:
    return {"qom-type": "memory-backend-memfd", "id": name, "size": size}


def add_mem(vm: Machine, name: str, size: int, **props: object) -> Decision:
    given = {"memdev": f"{name}-mem", "dynamic-memslots": True, **props}
    vm.device_add("virtio-mem-pci", name, props=given, object=memfd(f"{name}-mem", size))
    return vm.devices[-1].decision


@BOTH
def test_four_devices_of_m11(rules: str) -> None:
    """Each gets 64 while every device before it uses one memslot."""
    vm = vm_with(TiB, rules=rules)
    for number in range(4):
        row = ROWS[f"M11.{number + 1}"]
        assert (vm.budget.used_region_size, vm.budget.required, vm.budget.used) == (row.taken, row.required, row.used)
        decision = add_mem(vm, f"m{number}", 256 * GiB)
        assert (decision.count, decision.memslot_size) == (64, 4 * GiB)
        vm.request_size(f"m{number}", GiB)
        vm.settle(f"m{number}")


@BOTH
def test_four_dimms_first_m16(rules: str) -> None:
    """DIMMs require and use one memslot each."""
    # D is what -m leaves, whatever slots= adds to the container
    vm = vm_with(128 * GiB, slots=4, rules=rules)
    for number in range(4):
        vm.device_add("pc-dimm", f"d{number}", props={"memdev": f"dm{number}"}, object=memfd(f"dm{number}", 4 * GiB))
    assert (vm.budget.used_region_size, vm.budget.required, vm.budget.used) == (16 * GiB, 4, 4)
    decision = add_mem(vm, "m", 64 * GiB)
    assert (decision.limit, decision.count, decision.memslot_size) == (144, 64, GiB)


@BOTH
def test_509_or_nothing(rules: str) -> None:
    """A KVM of 508 memslots gives one, of 509 it gives 256 (M6, M7); SMM changes nothing."""
    assert add_mem(vm_with(TiB, rules=rules, kvm_slots=509), "m", TiB).count == 256
    assert add_mem(vm_with(TiB, rules=rules, kvm_slots=508), "m", TiB).count == 1


@BOTH
def test_machine_types_up_to_61_are_not_limited(rules: str) -> None:
    """The compat setting of max-memslots is the RFC's; merged QEMU knows no such property."""
    vm = Machine.from_qemu_args(
        "-accel kvm -machine pc-q35-6.1 -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -m 4G,maxmem=1028G "
        "-object memory-backend-memfd,id=mem0,size=1T "
        "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on,unplugged-inaccessible=on",
        rules=rules,
    )
    assert vm.devices[0].decision.count == 256


@BOTH
def test_off_by_default(rules: str) -> None:
    """Without dynamic-memslots=on the memory backend is mapped directly and completely."""
    vm = vm_with(TiB, rules=rules)
    vm.device_add("virtio-mem-pci", "m", props={"memdev": "mm"}, object=memfd("mm", TiB))
    assert vm.devices[0].decision.direct
    assert vm.info_mtree().splitlines()[1:] == [
        "      0000000180000000-000001017fffffff (prio 0, ram): mm",
    ]
    assert len(vm.view) == 1


@BOTH
def test_names_in_the_tree(rules: str) -> None:
    """The container is "virtio-mem", the aliases "memslot-N"; only slots with a plugged block are there."""
    vm = vm_with(TiB, rules=rules)
    add_mem(vm, "m", TiB)
    assert vm.info_mtree().splitlines()[1:] == ["      0000000180000000-000001017fffffff (prio 0, i/o): virtio-mem"]
    vm.request_size("m", 8 * GiB)
    vm.plug("m", 4 * GiB, 2 * MiB)
    assert vm.info_mtree().splitlines()[2:] == [
        (
            "        0000000280000000-000000037fffffff (prio 0, ram): alias memslot-1 "
            "@m-mem 0000000100000000-00000001ffffffff"
        )
    ]


@BOTH
def test_one_memslot_is_still_dynamic(rules: str) -> None:
    """A dynamic device that got one memslot is unmapped until its first block is plugged."""
    vm = vm_with(TiB, rules=rules)
    assert add_mem(vm, "m", GiB).count == 1
    assert len(vm.view) == 0
    vm.request_size("m", GiB)
    vm.settle("m")
    assert [one.size for one in vm.view] == [GiB]


@BOTH
def test_block_size_that_does_not_fit_counts_as_one(rules: str) -> None:
    """Where realize is going to fail for the block size, the default one included, one memslot is required."""
    vm = vm_with(256 * GiB, rules=rules)
    vm.device_add("vhost-user-fs-pci", "vu", props={}, vhost_slots=509)
    add_mem(vm, "first", 128 * GiB)
    with pytest.raises(Refusal) as refusal:
        add_mem(vm, "odd", 64 * GiB + MiB)
    text = "'memdev' property memdev size has to be multiples of'block-size' (0x200000)"
    assert refusal.value.message == text
    tight = vm_with(256 * GiB, rules=rules, kvm_slots=509)
    rule = tight.rules
    assert rule.will_fail_realize(64 * GiB + MiB, 2 * MiB, 4096)
    assert rule.will_fail_realize(64 * GiB, MiB, 2 * MiB)
    assert not rule.will_fail_realize(64 * GiB, 2 * MiB, 2 * MiB)


@BOTH
def test_late_backends_in_a_vm(rules: str) -> None:
    """Below 509 refused after an automatic decision, accepted before it, and after a device with one memslot."""
    vm = vm_with(TiB, rules=rules)
    add_mem(vm, "small", GiB)
    vm.device_add("vhost-user-fs-pci", "early", props={}, vhost_slots=32)
    assert add_mem(vm, "m", 512 * GiB).count == 1, "an overall maximum of 32 gives one memslot"
    other = vm_with(TiB, rules=rules)
    add_mem(other, "m", 512 * GiB)
    with pytest.raises(Refusal, match="some memory device"):
        other.device_add("vhost-user-fs-pci", "late", props={}, vhost_slots=508)
    other.device_add("vhost-user-fs-pci", "big", props={}, vhost_slots=509)
    assert [one.refused for one in other.vhosts] == [True, False]


@BOTH
def test_late_backend_without_an_automatic_decision(rules: str) -> None:
    """Devices of one memslot each do not forbid small back ends, but these must hold what is used and reserved."""
    vm = vm_with(TiB, slots=4, rules=rules)
    add_mem(vm, "m", GiB)
    vm.device_add("pc-dimm", "d", props={"memdev": "dm"}, object=memfd("dm", GiB))
    with pytest.raises(Refusal) as refusal:
        vm.device_add("vhost-user-fs-pci", "vu", props={}, vhost_slots=3)
    assert refusal.value.message == (
        "vhost backend memory slots limit (3) is less than current number of used (3) and reserved (1) memory slots "
        "for memory devices."
    )
    vm.device_add("vhost-user-fs-pci", "vu2", props={}, vhost_slots=4)


@BOTH
def test_backend_without_config_slots_has_8(rules: str) -> None:
    """vhost-user without CONFIGURE_MEM_SLOTS takes 8, in the kernel 64 by default, vhost-user at most 512."""
    for driver, slots, most in (
        ("vhost-user-fs-pci", None, 8),
        ("vhost-vsock-pci", None, 64),
        ("vhost-user-fs-pci", 4096, 512),
    ):
        vm = vm_with(TiB, rules=rules)
        vm.device_add(driver, "vu", props={}, vhost_slots=slots)
        assert vm.budget.vhost_max == most


def test_removal_frees_too_much_in_82_only() -> None:
    """8.2 forgets what a second device uses once the first is removed; with the fix of June 2025 it does not."""
    free = {}
    for rules in ("qemu-8.2", "qemu-10.0"):
        vm = vm_with(TiB, rules=rules)
        for name in ("one", "two"):
            vm.device_add("vhost-user-fs-pci", name, props={}, vhost_slots=512)
        vm.device_del("one")
        free[rules] = vm.budget.vhost_free
    assert free == {"qemu-8.2": 512, "qemu-10.0": 512 - BOOT}
