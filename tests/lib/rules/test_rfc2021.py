"""The RFC's heuristic: worked examples R1 to R27, as posted and as intended, and what then happens to a VM."""

from dataclasses import dataclass, replace

import pytest

from workbook.lib.errors import Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import Budget, Decision, get
from workbook.lib.size import GiB, MiB, TiB

CPU = "-cpu qemu64,vendor=GenuineIntel,phys-bits=48"
"""A CPU that can address a terabyte and more; the default one has 40 bits."""
POSTED, INTENDED = "rfc-2021", "rfc-2021-intended"
TCG = None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row: what goes in, and every column that comes out."""

    region: int
    area: int
    used: int = 0
    reserved: int = 0
    kvm_free: int | None = 32755
    vhost_free: int | None = None
    user: int = 0
    block: int = 2 * MiB
    total: int = 4096
    share: int
    less: int
    free: int = 4096
    limit: int
    count: int
    size: int

    @property
    def budget(self) -> Budget:
        return Budget(
            device_memory_size=self.area,
            required=self.used + self.reserved,
            used=self.used,
            kvm_max=None if self.kvm_free is None else 32764,
            kvm_free=self.kvm_free,
            vhost_max=None if self.vhost_free is None else 4096,
            vhost_free=self.vhost_free,
        )

    def decide(self, rules: str = POSTED) -> Decision:
        return get(rules).decide(self.budget, self.region, self.block, self.user)


ROWS = {
    "R1": Example(region=GiB, area=GiB, share=4096, less=3686, limit=3686, count=1, size=GiB),
    "R2": Example(region=500 * GiB, area=1021 * GiB, share=2005, less=1804, limit=1804, count=500, size=GiB),
    "R2b": Example(
        region=500 * GiB, area=1021 * GiB, kvm_free=500, total=500, share=244, less=219, free=500,
        limit=219, count=125, size=4 * GiB,
    ),
    "R3": Example(region=TiB, area=TiB, share=4096, less=3686, limit=3686, count=1024, size=GiB),
    "R4": Example(region=8 * TiB, area=8 * TiB, share=4096, less=3686, limit=3686, count=1024, size=8 * GiB),
    "R5": Example(
        region=8 * TiB, area=8 * TiB, kvm_free=500, total=500, share=500, less=450, free=500,
        limit=450, count=256, size=32 * GiB,
    ),
    "R6": Example(
        region=TiB, area=TiB, vhost_free=56, total=56, share=56, less=50, free=56, limit=50, count=32, size=32 * GiB
    ),
    "R7": Example(
        region=TiB, area=4 * TiB, vhost_free=56, total=56, share=14, less=12, free=56, limit=12, count=8, size=128 * GiB
    ),
    "R8": Example(
        region=TiB, area=TiB, vhost_free=3, total=3, share=3, less=2, free=3, limit=2, count=2, size=512 * GiB
    ),
    "R9": Example(region=201 * GiB // 2, area=128 * GiB, share=3216, less=2894, limit=2894, count=101, size=GiB),
    "R10": Example(
        region=64 * GiB, area=64 * GiB, kvm_free=23, total=23, share=23, less=20, free=23,
        limit=20, count=16, size=4 * GiB,
    ),
    "R11": Example(region=GiB, area=8 * TiB, share=0, less=0, limit=1, count=1, size=GiB),
    "R12": Example(region=16 * GiB, area=8 * TiB, share=8, less=7, limit=7, count=4, size=4 * GiB),
    "R13": Example(
        region=500 * GiB, area=1021 * GiB, user=1, share=2005, less=1804, limit=1804, count=1, size=500 * GiB
    ),
    "R14": Example(
        region=500 * GiB, area=1021 * GiB, user=64, share=2005, less=1804, limit=1804, count=64, size=8 * GiB
    ),
    "R15": Example(region=8 * GiB, area=TiB, user=5, share=32, less=28, limit=28, count=5, size=2 * GiB),
    "R16": Example(
        region=2 * TiB, area=4 * TiB, kvm_free=4087, total=4087, share=2043, less=1838, free=4087,
        limit=1838, count=1024, size=2 * GiB,
    ),
    "R17": Example(
        region=128 * GiB, area=256 * GiB, vhost_free=4088, total=4088, share=2044, less=1839, free=4088,
        limit=1839, count=128, size=GiB,
    ),
    "R18.1": Example(region=TiB, area=4 * TiB, share=1024, less=921, limit=921, count=512, size=2 * GiB),
    "R18.2": Example(
        region=TiB, area=4 * TiB, used=2, reserved=510, kvm_free=32753, share=1024, less=921, free=4604,
        limit=921, count=512, size=2 * GiB,
    ),
    "R18.3": Example(
        region=TiB, area=4 * TiB, used=4, reserved=1020, kvm_free=32751, share=1024, less=921, free=5112,
        limit=921, count=512, size=2 * GiB,
    ),
    "R18.4": Example(
        region=TiB, area=4 * TiB, used=6, reserved=1530, kvm_free=32749, share=1024, less=921, free=5620,
        limit=921, count=512, size=2 * GiB,
    ),
    "R19": Example(
        region=128 * GiB, area=256 * GiB, reserved=128, vhost_free=248, total=376, share=188, less=169, free=504,
        limit=169, count=128, size=GiB,
    ),
    "R19b": Example(
        region=128 * GiB, area=256 * GiB, reserved=128, vhost_free=248, user=64, total=376, share=188, less=169,
        free=504, limit=169, count=64, size=2 * GiB,
    ),
    "R20.1": Example(
        region=512 * GiB, area=TiB, kvm_free=TCG, share=2048, less=1843, limit=1843, count=512, size=GiB
    ),
    "R20.2": Example(
        region=512 * GiB, area=TiB, reserved=512, kvm_free=TCG, total=511, share=255, less=229, free=0,
        limit=1, count=1, size=512 * GiB,
    ),
    "R21": Example(
        region=512 * GiB, area=TiB, vhost_free=1, total=1, share=0, less=0, free=1, limit=1, count=1, size=512 * GiB
    ),
    "R22": Example(region=512 * GiB, area=256 * GiB, share=8192, less=7372, limit=4080, count=512, size=GiB),
    "R23": Example(
        region=896 * GiB, area=TiB, used=16, reserved=8, kvm_free=32739, vhost_free=40, total=64, share=56, less=50,
        free=56, limit=50, count=28, size=32 * GiB,
    ),
    "R24": Example(
        region=960 * GiB, area=TiB, reserved=16, vhost_free=56, total=72, share=67, less=60, free=88,
        limit=60, count=60, size=16 * GiB,
    ),
    "R25": Example(
        region=12 * GiB, area=64 * GiB, block=4 * GiB, share=768, less=691, limit=691, count=3, size=4 * GiB
    ),
    "R26": Example(
        region=TiB, area=TiB, kvm_free=491, total=491, share=491, less=441, free=491, limit=441, count=256, size=4 * GiB
    ),
    "R27": Example(
        region=512 * GiB, area=TiB, block=512 * MiB, share=2048, less=1843, limit=1843, count=512, size=GiB
    ),
}  # fmt: skip
"""The rows of the table, in its units; what is not given has the table's usual value."""

INTENDED_FREE = {"R18.2": 3584, "R18.3": 3072, "R18.4": 2560, "R19": 248, "R19b": 248, "R23": 40, "R24": 56}
"""Free memslots after the clamp where they differ from what was posted."""
INTENDED_CUT = {"R23": (24, 14, 64 * GiB), "R24": (40, 30, 32 * GiB)}
"""(limit, memslots, size) where they differ."""


def traced(decision: Decision) -> dict[str, int | float]:
    return {step.name: step.value for step in decision.trace}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_column_as_posted(row: Example) -> None:
    """Each intermediate value of the heuristic and the cut are those of the worked example."""
    decision = row.decide()
    trace = traced(decision)
    assert trace["used"] == row.used
    assert trace["reserved"] == row.reserved
    assert trace["capped total"] == row.total
    assert trace["share of total"] == row.share
    assert trace["less 10 %"] == row.less
    assert trace["usable free"] == row.free
    assert decision.limit == trace["limit"] == row.limit
    assert (decision.count, decision.memslot_size) == (row.count, row.size)
    assert not decision.direct, "the RFC has a container also with one memslot"


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_every_column_as_intended(name: str, row: Example) -> None:
    """With the comment's reading of step 5 only the free memslots change, and what follows from them."""
    decision = row.decide(INTENDED)
    trace = traced(decision)
    assert [trace[key] for key in ("capped total", "share of total", "less 10 %")] == [row.total, row.share, row.less]
    assert trace["usable free"] == INTENDED_FREE.get(name, row.free)
    expected = INTENDED_CUT.get(name, (row.limit, row.count, row.size))
    assert (decision.limit, decision.count, decision.memslot_size) == expected


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_which_pass_the_check(name: str, row: Example) -> None:
    """All examples pass check_addable but R19, R22 and R24, which fail with the texts of the table."""
    texts = {
        "R19": "a used vhost backend does not have enough free memory slots left (128 vs. 120)",
        "R22": "not enough space, currently 0x0 in use of total space for memory devices 0x4000000000",
        "R24": "a used vhost backend does not have enough free memory slots left (60 vs. 40)",
    }
    rules = get(POSTED)
    if name not in texts:
        rules.check(row.budget, row.decide())
        return
    with pytest.raises(Refusal) as refusal:
        rules.check(row.budget, row.decide())
    assert refusal.value.message == texts[name]


def test_intended_reading_mends_r24_but_not_r19() -> None:
    """The slip causes R24's refusal; R19's comes from counting reserved memslots twice."""
    rules = get(INTENDED)
    rules.check(ROWS["R24"].budget, ROWS["R24"].decide(INTENDED))
    with pytest.raises(Refusal, match=r"\(128 vs\. 120\)"):
        rules.check(ROWS["R19"].budget, ROWS["R19"].decide(INTENDED))


def test_clamp_of_r22() -> None:
    """Where the share exceeds the free memslots, 16 of these stay free for late vhost devices."""
    assert traced(ROWS["R22"].decide())["spare 16"] == 4080


@pytest.mark.parametrize(("free", "limit"), [(40, 24), (17, 1), (16, 1), (3, 1)])
def test_clamp_never_goes_below_one(free: int, limit: int) -> None:
    """Of 16 free memslots or fewer nothing is left, and one is the least that a device gets."""
    budget = Budget(device_memory_size=GiB, kvm_free=free)
    assert get(POSTED).decide(budget, 2 * GiB).limit == limit


def test_last_slot_of_r9_is_smaller() -> None:
    """100.5 GiB in slots of 1 GiB: the last has 512 MiB, and the sizes sum up to the device."""
    decision = ROWS["R9"].decide()
    assert decision.size(100) == 512 * MiB
    assert sum(decision.size(index) for index in range(101)) == ROWS["R9"].region


def test_surplus_slot_of_r14_wraps() -> None:
    """Of 64 slots of 8 GiB for 500 GiB the 63rd is 4 GiB; the 64th lies behind the end with a full size."""
    decision = ROWS["R14"].decide()
    assert [decision.size(index) for index in (61, 62, 63)] == [8 * GiB, 4 * GiB, 8 * GiB]
    assert decision.offset(63) == 504 * GiB


def test_surplus_slot_of_r15_is_empty() -> None:
    """Of 5 slots of 2 GiB for 8 GiB the fifth starts exactly at the end and has size 0."""
    decision = ROWS["R15"].decide()
    assert [decision.size(index) for index in range(5)] == [2 * GiB] * 4 + [0]


def test_unset_block_size_is_handed_down_as_zero() -> None:
    """Quirk: the default block size plays no part in the cut, an explicit one above 1 GiB does."""
    row = replace(ROWS["R25"], block=0)
    assert (row.decide().count, row.decide().memslot_size) == (12, GiB)


def test_order_of_the_two_truncations() -> None:
    """trunc(0.9 * trunc(total * share)), not one truncation: 2005 of R2 is a truncated 2005.87."""
    assert int(4096 * (500 / 1021)) == 2005
    assert int(0.9 * 4096 * (500 / 1021)) == 1805
    assert traced(ROWS["R2"].decide())["less 10 %"] == 1804


@pytest.mark.parametrize("total", range(1136, 1200, 7))
def test_cover_letter_needs_a_total_of_1136(total: int) -> None:
    """From a total of 1136 on (D of 1021 GiB) the cover letter's device has 500 slots of 1 GiB."""
    budget = Budget(device_memory_size=1021 * GiB, kvm_free=total)
    assert get(POSTED).decide(budget, 500 * GiB).count == 500


def test_cover_letter_with_a_total_of_1135() -> None:
    """One less, and the slots are 2 GiB."""
    budget = Budget(device_memory_size=1021 * GiB, kvm_free=1135)
    assert get(POSTED).decide(budget, 500 * GiB).count == 250


# -- the settings of the table, as VMs --------------------------------------------------------------------------------

BOOT = 2
"""Memory regions that a running PC's boot RAM takes in vhost."""


def vm_with(area: int, *, accel: str = "kvm", slots: int = 0, devices: str = "", rules: str = POSTED) -> Machine:
    """Return a VM of 4 GiB with so much space for memory devices; a vhost-user back end can see its RAM."""
    return Machine.from_qemu_args(
        f"-accel {accel} -machine q35,memory-backend=ram0 -vga none -object memory-backend-memfd,id=ram0,size=4G "
        f"{CPU} -m 4G,slots={slots},maxmem={4 * GiB + area}B {devices}",
        rules=rules,
    )


def memfd(name: str, size: int) -> dict[str, object]:
    return {"qom-type": "memory-backend-memfd", "id": name, "size": size}


def add_mem(vm: Machine, name: str, size: int, **props: object) -> None:
    vm.device_add("virtio-mem-pci", name, props={"memdev": f"{name}-mem", **props}, object=memfd(f"{name}-mem", size))


def add_vhost(vm: Machine, name: str, limit: int, used: int) -> None:
    """Plug a back end that has as many free memslots as one of `limit` of which boot takes `used`."""
    vm.device_add("vhost-user-fs-pci", name, props={"chardev": "c", "tag": name}, vhost_slots=limit - used + BOOT)


def decision_of(vm: Machine, name: str) -> Decision:
    return next(one.decision for one in vm.devices if one.id == name)


@pytest.mark.parametrize("rules", [POSTED, INTENDED])
def test_setting_of_r19(rules: str) -> None:
    """128 reserved memslots and 248 free ones: the second device asks for 128 and is refused."""
    vm = vm_with(256 * GiB, rules=rules)
    add_mem(vm, "a", 128 * GiB)
    add_vhost(vm, "vu", 256, used=8)
    assert (vm.budget.used, vm.budget.reserved, vm.budget.vhost_free) == (0, 128, 248)
    with pytest.raises(Refusal) as refusal:
        add_mem(vm, "b", 128 * GiB)
    assert refusal.value.message == "a used vhost backend does not have enough free memory slots left (128 vs. 120)"
    assert [one.id for one in vm.devices] == ["a"]


def test_setting_of_r19b() -> None:
    """The same device with max-memslots=64 passes, with 64 slots of 2 GiB."""
    vm = vm_with(256 * GiB)
    add_mem(vm, "a", 128 * GiB)
    add_vhost(vm, "vu", 256, used=8)
    add_mem(vm, "b", 128 * GiB, **{"max-memslots": 64})
    assert (decision_of(vm, "b").count, decision_of(vm, "b").memslot_size) == (64, 2 * GiB)


def test_setting_of_r18() -> None:
    """Four devices of 1 TiB, each then asked for 2 GiB: 512 slots each, 2 of them mapped."""
    vm = vm_with(4 * TiB)
    free = []
    for number in range(4):
        row = ROWS[f"R18.{number + 1}"]
        budget = vm.budget
        assert (budget.used, budget.reserved) == (row.used, row.reserved)
        add_mem(vm, f"m{number}", TiB)
        decision = decision_of(vm, f"m{number}")
        assert (decision.count, decision.memslot_size) == (512, 2 * GiB)
        free.append(traced(decision)["usable free"])
        vm.request_size(f"m{number}", 2 * GiB)
        assert vm.devices[number].mapped == 2
    assert free == [4096, 4604, 5112, 5620]


def test_setting_of_r20() -> None:
    """Under TCG without vhost the second device gets one memslot: the total wraps."""
    vm = vm_with(TiB, accel="tcg")
    add_mem(vm, "a", 512 * GiB)
    assert decision_of(vm, "a").count == 512
    add_mem(vm, "b", 512 * GiB)
    decision = decision_of(vm, "b")
    assert traced(decision)["capped total"] == 511
    assert (decision.count, decision.memslot_size) == (1, 512 * GiB)


def test_setting_of_r22() -> None:
    """A device that is larger than the space is decided on first and then refused for lack of space."""
    vm = vm_with(256 * GiB)
    with pytest.raises(Refusal) as refusal:
        add_mem(vm, "a", 512 * GiB)
    text = "not enough space, currently 0x0 in use of total space for memory devices 0x4000000000"
    assert refusal.value.message == text


def setting_of_r23(rules: str) -> Machine:
    """First virtio-mem with max-memslots=8, 16 DIMMs, then a vhost of 64 with 8 + 16 used."""
    vm = vm_with(TiB, slots=16, rules=rules)
    # the device, 8 GiB, and the DIMMs leave room for 896 GiB
    add_mem(vm, "first", 8 * GiB, **{"max-memslots": 8})
    for number in range(16):
        vm.device_add("pc-dimm", f"d{number}", props={"memdev": f"dm{number}"}, object=memfd(f"dm{number}", GiB))
    add_vhost(vm, "vu", 64, used=8)
    assert (vm.budget.used, vm.budget.reserved, vm.budget.vhost_free) == (16, 8, 40)
    return vm


def test_setting_of_r23_as_posted() -> None:
    """896 GiB in 28 slots of 32 GiB pass: 40 free ones are enough for 8 reserved and 28."""
    vm = setting_of_r23(POSTED)
    add_mem(vm, "a", 896 * GiB)
    decision = decision_of(vm, "a")
    assert (decision.limit, decision.count, decision.memslot_size) == (50, 28, 32 * GiB)


def test_setting_of_r23_as_intended() -> None:
    """As intended it is 14 slots of 64 GiB."""
    vm = setting_of_r23(INTENDED)
    add_mem(vm, "a", 896 * GiB)
    decision = decision_of(vm, "a")
    assert (decision.limit, decision.count, decision.memslot_size) == (24, 14, 64 * GiB)


def setting_of_r24(rules: str) -> Machine:
    """A first device of 64 GiB with 16 slots of 4 GiB, then a vhost of 64 with 8 used."""
    vm = vm_with(TiB, rules=rules)
    add_mem(vm, "first", 64 * GiB, **{"max-memslots": 16})
    assert decision_of(vm, "first").memslot_size == 4 * GiB
    add_vhost(vm, "vu", 64, used=8)
    assert (vm.budget.used, vm.budget.reserved, vm.budget.vhost_free) == (0, 16, 56)
    return vm


def test_setting_of_r24_as_posted() -> None:
    """The slip gives a limit of 60 where 40 are free and unreserved: refused."""
    vm = setting_of_r24(POSTED)
    with pytest.raises(Refusal) as refusal:
        add_mem(vm, "a", 960 * GiB)
    assert refusal.value.message == "a used vhost backend does not have enough free memory slots left (60 vs. 40)"


def test_setting_of_r24_as_intended() -> None:
    """As intended it is 30 slots of 32 GiB, and passes."""
    vm = setting_of_r24(INTENDED)
    add_mem(vm, "a", 960 * GiB)
    assert (decision_of(vm, "a").count, decision_of(vm, "a").memslot_size) == (30, 32 * GiB)


def test_setting_of_r13() -> None:
    """Machine types up to 6.1 keep one slot of 500 GiB, with the container and one alias; 6.2 is automatic."""
    text = (
        "-accel kvm -machine {} -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -m 3G,slots=16,maxmem=1T "
        "-object memory-backend-ram,id=mem0,size=500G "
        "-device virtio-mem-pci,id=vm0,memdev=mem0{},requested-size=2M"
    )
    old = Machine.from_qemu_args(text.format("pc-q35-6.1", ""), rules=POSTED)
    assert decision_of(old, "vm0").count == 1
    assert old.info_mtree().splitlines()[1:] == [
        "      0000000140000000-0000007e3fffffff (prio 0, i/o): virtio-mem-memslots",
        (
            "        0000000140000000-0000007e3fffffff (prio 0, ram): alias virtio-mem-memslot-0 "
            "@mem0 0000000000000000-0000007cffffffff"
        ),
    ]
    for machine, props in (("pc-q35-6.2", ""), ("pc-q35-6.1", ",max-memslots=0"), ("q35", "")):
        assert decision_of(Machine.from_qemu_args(text.format(machine, props), rules=POSTED), "vm0").count == 500


def test_setting_of_r26() -> None:
    """With SMM a hot-plugged device sees every section twice: 509 - 2 * 9 = 491 free, 256 slots of 4 GiB.

    The example counts 9 sections, this VM has 7, so its KVM has 4 memslots less.
    """
    vm = Machine.from_qemu_args(
        f"-accel kvm -machine q35,smm=on {CPU} -nodefaults -m 4G,maxmem={4 * GiB + TiB}B",
        rules=POSTED,
        kvm_slots=505,
    )
    assert vm.kvm_used == (7, 7)
    assert vm.kvm_free == 491
    add_mem(vm, "a", TiB)
    assert (decision_of(vm, "a").count, decision_of(vm, "a").memslot_size) == (256, 4 * GiB)


def test_smm_does_not_count_for_cold_plugged_devices() -> None:
    """The SMM listener comes with the complete machine: a device of the command line sees one address space."""
    vm = Machine.from_qemu_args(
        f"-accel kvm -machine q35,smm=on {CPU} -nodefaults -m 4G,maxmem={4 * GiB + TiB}B "
        "-object memory-backend-ram,id=mem0,size=1T -device virtio-mem-pci,id=vm0,memdev=mem0",
        rules=POSTED,
        kvm_slots=494,
    )
    assert traced(decision_of(vm, "vm0"))["KVM free"] == 491
    assert vm.kvm_free == 494 - 14


@pytest.mark.parametrize(
    ("limit", "used", "fits"),
    [(64, 8, False), (509, 8, True), (509, 9, True), (509, 10, False), (4096, 8, True)],
)
def test_vhost_realize_after_r2(limit: int, used: int, fits: bool) -> None:
    """500 reserved memslots and those in use must fit into a late back end; equality is fine (RFC patch 09)."""
    rules = get(POSTED)
    if fits:
        rules.check_vhost_used(limit, used, 500)
    vm = vm_with(1021 * GiB)
    add_mem(vm, "vm0", 500 * GiB)
    assert vm.budget.reserved == 500
    if fits:
        add_vhost(vm, "vu", limit, used)
        assert [one.refused for one in vm.vhosts] == [False]
        return
    for attempt in (lambda: rules.check_vhost_used(limit, used, 500), lambda: add_vhost(vm, "vu", limit, used)):
        with pytest.raises(Refusal) as refusal:
            attempt()
        text = "vhost backend memory slots limit is less than current number of used and reserved memory slots"
        assert refusal.value.message == text
    assert [one.refused for one in vm.vhosts] == [True]


def test_vhost_user_limit_is_4096() -> None:
    """RFC patch 13: the subject says 496, the code 4096."""
    vm = vm_with(GiB)
    vm.device_add("vhost-user-fs-pci", "vu", props={}, vhost_slots=65535)
    assert vm.budget.vhost_max == 4096


def test_refused_vhost_zeroes_the_count() -> None:
    """A refused back end sets the global counter to 0: a later check believes more memslots to be free."""
    vm = vm_with(TiB)
    add_mem(vm, "a", 8 * GiB, **{"requested-size": 8 * GiB})
    vm.device_add("vhost-user-fs-pci", "good", props={}, vhost_slots=16)
    assert vm.budget.vhost_free == 16 - BOOT - 8
    with pytest.raises(Refusal):
        vm.device_add("vhost-user-fs-pci", "bad", props={}, vhost_slots=4)
    assert vm.budget.vhost_free == 16


def test_removed_vhost_zeroes_the_count() -> None:
    """The same for a removed one; the next commit of another device mends it."""
    vm = vm_with(TiB)
    add_mem(vm, "a", 8 * GiB)
    for name in ("one", "two"):
        vm.device_add("vhost-user-fs-pci", name, props={}, vhost_slots=16)
    vm.device_del("one")
    assert vm.budget.vhost_free == 16
    vm.request_size("a", GiB)
    assert vm.budget.vhost_free == 16 - BOOT - 2


def test_kvm_free_wraps_with_smm() -> None:
    """The counter can go below 0 and is handed out as unsigned: then every check passes."""
    vm = Machine.from_qemu_args(
        f"-accel kvm -machine q35,smm=on {CPU} -nodefaults -m 4G,maxmem={4 * GiB + TiB}B",
        rules=POSTED,
        kvm_slots=12,
    )
    assert vm.kvm_free == (1 << 32) - 2
    add_mem(vm, "a", GiB)
    assert decision_of(vm, "a").count == 1


def test_remainder_in_the_text_wraps() -> None:
    """More reserved than free: the second number of the text is free - reserved as unsigned."""
    budget = Budget(device_memory_size=TiB, required=7, kvm_max=509, kvm_free=3)
    rules = get(POSTED)
    with pytest.raises(Refusal) as refusal:
        rules.check(budget, rules.decide(budget, GiB))
    assert refusal.value.message == "KVM does not have enough free memory slots left (1 vs. 4294967292)"


def test_used_above_a_vhost_limit_wraps() -> None:
    """A back end with more regions than its limit has about 2^32 free memslots: the total wraps."""
    budget = Budget(device_memory_size=TiB, required=22, used=22, vhost_max=16, vhost_free=(1 << 32) - 6)
    trace = traced(get(POSTED).decide(budget, 512 * GiB))
    assert (trace["total"], trace["usable free"]) == (16, 0)


def test_odd_backend_size_is_cut_all_the_same() -> None:
    """A device that is going to be refused for its size is nonetheless cut for the slot checks."""
    vm = vm_with(257 * GiB)
    add_mem(vm, "a", 128 * GiB)
    add_vhost(vm, "vu", 256, used=8)
    with pytest.raises(Refusal) as refusal:
        add_mem(vm, "b", 128 * GiB + MiB, **{"block-size": 2 * MiB})
    assert refusal.value.message == "a used vhost backend does not have enough free memory slots left (129 vs. 120)"
