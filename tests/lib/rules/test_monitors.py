"""Other VMMs: board, parameters, answers and refusals of each, as their sources have them."""

from dataclasses import replace

import pytest

from workbook.lib import Machine
from workbook.lib.actions import RequestSize, Settle
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import Abort, BadInput, Refusal
from workbook.lib.explore.outcome import Outcome
from workbook.lib.machine.virtio_mem import BlockState, Response
from workbook.lib.rules import get
from workbook.lib.rules.monitors import MONITORS
from workbook.lib.scenario import Dimm, MemoryBackend, Scenario, VfioDevice, VirtioMem
from workbook.lib.size import GiB, MiB, TiB

ACK, NACK, BUSY, ERROR = Response.ACK, Response.NACK, Response.BUSY, Response.ERROR
ALL = sorted(MONITORS)


def scenario(
    rules: str, size: int = 64 * GiB, *, ram: int = 4 * GiB, kvm_slots: int = 32764, **device: int
) -> Scenario:
    """Return a VM with one device."""
    return Scenario(
        rules=rules,
        ram=ram,
        maxmem=ram + size,
        kvm_slots=kvm_slots,
        backends=(MemoryBackend(id="m", size=size, kind="memfd", share=True),),
        devices=(VirtioMem(id="v", memdev="m", **device),),
    )  # fmt: skip


def vm(rules: str, size: int = 64 * GiB, **more: int) -> Machine:
    """Return the machine of `scenario`."""
    return Machine(scenario(rules, size, **more))


def grown(rules: str, requested: int, size: int = 64 * GiB, **more: int) -> Machine:
    """Return a machine whose guest has followed a request."""
    machine = vm(rules, size, **more)
    machine.request_size("v", requested)
    machine.settle("v")
    return machine


def memslots(machine: Machine) -> int:
    """Return the memslots of the device in KVM."""
    return machine.kvm_used[0] - machine.consumers.kvm_boot


# -- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", ALL)
def test_a_migration_makes_no_guest_wait(rules: str) -> None:
    """None of the other VMMs answers BUSY while it migrates, as QEMU does; their sources have no such answer."""
    machine = grown(rules, 2 * GiB)
    machine.migrate()
    machine.request_size("v", 4 * GiB)
    assert machine.plug("v", 2 * GiB, 64 * MiB) is ACK
    machine.request_size("v", GiB)
    assert machine.unplug("v", 2 * GiB, 64 * MiB) is ACK


@pytest.mark.parametrize(
    ("rules", "requested", "mapped"),
    [
        ("firecracker", 1 * GiB, 8),
        ("firecracker", 64 * MiB, 1),
        ("cloud-hypervisor", 64 * MiB, 1),
        ("dragonball", 5 * GiB, 1),
        ("stratovirt", 64 * MiB, 2),
    ],
)
def test_memslots_in_use(rules: str, requested: int, mapped: int) -> None:
    """64 GiB: 128 MiB pieces, the whole zone, one memslot for a step, a memslot per block of 32 MiB."""
    assert memslots(grown(rules, requested)) == mapped


@pytest.mark.parametrize("rules", ALL)
def test_a_command_line_of_qemu_is_taken_over(rules: str) -> None:
    """What QEMU's command line describes is a VM of the monitor: RAM and device; the address is the monitor's."""
    line = (
        "qemu-system-x86_64 -accel kvm -m 4G,maxmem=68G -object memory-backend-memfd,id=m,size=64G "
        "-device virtio-mem-pci,id=v,memdev=m"
    )
    machine = Machine.from_qemu_args(line, rules)
    assert machine.config_space("v")["addr"] == (512 * GiB if rules.startswith("firecracker") else 5 * GiB)
    assert machine.consumers.kvm_boot == 2


@pytest.mark.parametrize("rules", ALL)
def test_a_monitor_survives_json(rules: str) -> None:
    """A VM of another VMM is a `Scenario` like any other, and travels as one."""
    one = scenario(rules)
    assert Scenario.from_json(one.to_json()) == one


@pytest.mark.parametrize("rules", ALL)
def test_what_a_monitor_does_not_have(rules: str) -> None:
    """Other boards than x86-64, VFIO devices and hot-plugged virtio-mem are told apart from refusals."""
    with pytest.raises(BadInput, match="x86-64 only"):
        Machine(replace(scenario(rules), chipset="virt"))
    with pytest.raises(BadInput, match="modelled with QEMU"):
        Machine(replace(scenario(rules), devices=(VfioDevice(id="gpu0"),)))
    machine = vm(rules)
    machine.object_add(MemoryBackend(id="m2", size=GiB))
    with pytest.raises(BadInput, match="before the VM starts"):
        machine.device_add(VirtioMem(id="v2", memdev="m2"))


@pytest.mark.parametrize("rules", ["cloud-hypervisor", "dragonball"])
def test_a_fixed_block_size_is_noted(rules: str) -> None:
    """A block size that the monitor cannot be given is passed over, and a note says so."""
    machine = vm(rules, block_size=8 * MiB)
    assert machine.config_space("v")["block_size"] == {"cloud-hypervisor": 2, "dragonball": 4}[rules] * MiB
    assert any("block-size=8 MiB of v" in note.text for note in machine.notes)


@pytest.mark.parametrize("rules", ALL)
def test_a_refusal_names_the_monitor(rules: str) -> None:
    """Whose words a refusal has is in `Refusal.who`."""
    machine = vm(rules)
    with pytest.raises(Refusal) as caught:
        machine.request_size("v", 65 * GiB)
    assert caught.value.who == get(rules).program == machine.rules.program  # type: ignore[attr-defined]


def test_no_second_address_space() -> None:
    """SMM doubles the metadata of QEMU's VMs only: other VMMs have one address space in KVM."""
    one = replace(scenario("firecracker"), smm=True, actions=(RequestSize(dev="v", size=GiB), Settle(dev="v")))
    assert len(Machine(one).kvm_used) == 1
    assert Outcome.of(one).cost == Outcome.of(replace(one, smm=False)).cost


# -- Firecracker ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "device", "message"),
    [
        (GiB, {"block_size": MiB}, "Block size must not be lower than 2 MiB"),
        (GiB, {"block_size": 3 * MiB}, "Block size must be a power of 2"),
        (GiB, {"slot_size": 64 * MiB}, "Slot size must not be lower than 128 MiB"),
        (GiB, {"slot_size": 130 * MiB, "block_size": 4 * MiB}, "Slot size must be a multiple of block size (4 MiB)"),
        (64 * MiB, {}, "Total size must not be lower than slot size (128 MiB)"),
        (1000 * MiB, {}, "Total size must be a multiple of slot size (128 MiB)"),
        # the first of several faults is named
        (64 * MiB, {"block_size": MiB, "slot_size": MiB}, "Block size must not be lower than 2 MiB"),
        (64 * MiB, {"slot_size": MiB}, "Slot size must not be lower than 128 MiB"),
        (GiB, {"requested_size": 2 * MiB}, "Device is not active"),
    ],
)
def test_firecracker_configuration(size: int, device: dict[str, int], message: str) -> None:
    """A configuration is refused in the order and the words of ``MemoryHotplugConfig::validate``."""
    with pytest.raises(Refusal) as caught:
        vm("firecracker", size, **device)
    assert (caught.value.message, caught.value.who) == (message, "Firecracker")


def test_firecracker_board() -> None:
    """virtio-mem starts at 512 GiB, whatever the RAM; boot RAM takes 1, 2 or 3 memslots."""
    assert vm("firecracker", ram=GiB).config_space("v")["addr"] == 512 * GiB
    counts = {ram: vm("firecracker", ram=ram).consumers.kvm_boot for ram in (3 * GiB, 4 * GiB, 255 * GiB)}
    assert counts == {3 * GiB: 1, 4 * GiB: 2, 255 * GiB: 2}
    assert len(get("firecracker").boot_ranges(Scenario(ram=300 * GiB))) == 3  # type: ignore[attr-defined]
    with pytest.raises(Refusal, match="intersect"):
        vm("firecracker", ram=256 * GiB)


def test_firecracker_has_512_gib_at_most() -> None:
    """The device lies below 1 TiB."""
    assert vm("firecracker", 512 * GiB).config_space("v")["region_size"] == 512 * GiB
    with pytest.raises(Refusal):
        vm("firecracker", 512 * GiB + 128 * MiB)


def test_firecracker_usable_region() -> None:
    """Whole memslots, only where more is needed; a request never shrinks it, UNPLUG_ALL makes it 0."""
    machine = vm("firecracker")
    seen = []
    for size in (0, 2 * MiB, 128 * MiB, 130 * MiB, 2 * MiB):
        machine.request_size("v", size)
        seen.append(machine.config_space("v")["usable_region_size"] // MiB)
    assert seen == [0, 128, 128, 256, 256]
    assert machine.unplug_all("v") is ACK
    assert machine.config_space("v")["usable_region_size"] == 0
    # a request for no more than is usable leaves it, so that nothing can be plugged
    assert machine.plug("v", 0, 2 * MiB) is ERROR


def test_firecracker_answers() -> None:
    """Whatever is wrong is an ERROR, also what QEMU answers with NACK."""
    machine = vm("firecracker")
    machine.request_size("v", 4 * MiB)
    assert machine.plug("v", MiB, 2 * MiB) is ERROR
    assert machine.plug("v", 0, 0) is ERROR
    assert machine.plug("v", 128 * MiB, 2 * MiB) is ERROR
    assert machine.plug("v", 0, 6 * MiB) is ERROR, "QEMU: NACK"
    assert machine.plug("v", 0, 2 * MiB) is ACK
    assert machine.plug("v", 0, 2 * MiB) is ERROR
    assert machine.unplug("v", 0, 4 * MiB) is ERROR
    assert machine.state("v", 0, 4 * MiB) == (ACK, BlockState.MIXED)
    assert machine.state("v", 0, 130 * MiB) == (ERROR, None)
    assert machine.unplug("v", 0, 2 * MiB) is ACK


def test_firecracker_requested_size() -> None:
    """A request is whole blocks, at most the device, and needs a driver."""
    machine = vm("firecracker", GiB)
    words = "Size {} is invalid: it must be a multiple of block size and less than the total size"
    for size in (MiB, 2 * GiB):
        with pytest.raises(Refusal) as caught:
            machine.request_size("v", size)
        assert caught.value.message == words.format(size)
    machine.bus.virtio_mem("v").has_driver = False
    with pytest.raises(Refusal, match="Device is not active"):
        machine.request_size("v", 2 * MiB)


def test_firecracker_maps_mixed_memslots() -> None:
    """A memslot is in KVM while any of its blocks is plugged."""
    machine = grown("firecracker", 256 * MiB)
    assert memslots(machine) == 2
    assert machine.unplug("v", 2 * MiB, 252 * MiB) is ACK
    assert memslots(machine) == 2
    assert machine.exposed == 252 * MiB
    assert machine.unplug("v", 0, 2 * MiB) is ACK
    assert memslots(machine) == 1


def test_firecracker_memslots_of_another_size() -> None:
    """``slot_size_mib`` is a parameter of the device."""
    machine = grown("firecracker", GiB, slot_size=512 * MiB)
    assert (memslots(machine), machine.devices[0].decision.count) == (2, 128)
    assert vm("firecracker").devices[0].decision.count == 512


def test_firecracker_checks_the_first_memslot_only() -> None:
    """It starts while KVM knows the first memslot; plugging in one that KVM does not know is an ERROR."""
    with pytest.raises(Refusal, match="The number of configured slots is bigger than the maximum reported by KVM: 2"):
        vm("firecracker", kvm_slots=2)
    machine = vm("firecracker", kvm_slots=5)
    machine.request_size("v", GiB)
    assert machine.plug("v", 256 * MiB, 128 * MiB) is ACK
    assert machine.plug("v", 384 * MiB, 128 * MiB) is ERROR
    assert memslots(machine) == 1


@pytest.mark.parametrize(("rules", "mapped"), [("firecracker", 1), ("firecracker-1.14", 0)])
def test_firecracker_114_forgets_requests_inside_a_memslot(rules: str, mapped: int) -> None:
    """Up to 1.15 a request that lies inside a memslot changes nothing in KVM; 1.16 maps it."""
    machine = vm(rules)
    machine.request_size("v", 64 * MiB)
    assert machine.plug("v", 2 * MiB, 4 * MiB) is ACK
    assert memslots(machine) == mapped


def test_firecracker_114_sees_requests_at_a_border() -> None:
    """Its slip needs a request that neither starts at a border nor reaches beyond one."""
    machine = vm("firecracker-1.14")
    machine.request_size("v", GiB)
    assert machine.plug("v", 126 * MiB, 4 * MiB) is ACK
    assert memslots(machine) == 2
    assert machine.unplug("v", 126 * MiB, 2 * MiB) is ACK
    assert memslots(machine) == 2, "stays mapped, though nothing of it is plugged"
    assert machine.exposed == 128 * MiB + 126 * MiB
    assert machine.unplug("v", 128 * MiB, 2 * MiB) is ACK
    assert memslots(machine) == 0, "the memslot before is looked at again"


def test_firecracker_memslot_costs() -> None:
    """KVM's metadata of one memslot of 128 MiB: 336 kB with reverse maps, 8 kB without."""
    assert KvmHost(tdp_mmu=False).metadata([128 * MiB]).total == 336 << 10
    assert KvmHost(kernel=(6, 12), tdp_mmu=True).metadata([128 * MiB]).total == 8 << 10


def test_firecracker_has_one_device() -> None:
    """The API configures one virtio-mem device."""
    one = scenario("firecracker")
    two = replace(one, devices=(*one.devices, VirtioMem(id="v2", memdev="m")))
    with pytest.raises(Refusal, match="one virtio-mem device"):
        Machine(two)


# -- Cloud Hypervisor -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ram", "start"), [(GiB, 4 * GiB), (3 * GiB, 4 * GiB), (4 * GiB, 5 * GiB), (4 * GiB + MiB, 5 * GiB + 128 * MiB)]
)
def test_cloud_hypervisor_board(ram: int, start: int) -> None:
    """A device starts at the next 128 MiB behind RAM, or at 4 GiB."""
    assert vm("cloud-hypervisor", ram=ram).config_space("v")["addr"] == start


def test_cloud_hypervisor_maps_the_zone() -> None:
    """One memslot per zone, mapped as a whole from the start: all that is not plugged is exposed."""
    machine = vm("cloud-hypervisor")
    assert (memslots(machine), machine.exposed) == (1, 64 * GiB)
    assert machine.config_space("v")["usable_region_size"] == 64 * GiB


def test_cloud_hypervisor_has_a_device_per_zone() -> None:
    """Zones follow each other, a memslot each."""
    one = scenario("cloud-hypervisor", GiB)
    second = MemoryBackend(id="m2", size=2 * GiB)
    machine = Machine(
        replace(one, backends=(*one.backends, second), devices=(*one.devices, VirtioMem(id="v2", memdev="m2")))
    )
    assert [device.addr for device in machine.devices] == [5 * GiB, 6 * GiB]
    assert memslots(machine) == 2


def test_cloud_hypervisor_answers() -> None:
    """NACK beyond the request comes before ERROR for the range; all of the device is usable."""
    machine = vm("cloud-hypervisor")
    machine.request_size("v", 4 * MiB)
    assert machine.plug("v", 64 * GiB, 6 * MiB) is NACK, "QEMU: ERROR"
    assert machine.plug("v", 64 * GiB, 2 * MiB) is ERROR
    assert machine.plug("v", 32 * GiB, 2 * MiB) is ACK
    assert machine.plug("v", 32 * GiB, 2 * MiB) is ERROR
    assert machine.unplug_all("v") is ACK
    assert machine.config_space("v")["usable_region_size"] == 64 * GiB


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "new size 0x0 and requested_size are identical"),
        (65 * GiB, "new size 0x1040000000 is bigger than region_size 0x1000000000"),
        (MiB, "new size 0x100000 is not aligned on block_size 0x200000"),
    ],
)
def test_cloud_hypervisor_requested_size(size: int, message: str) -> None:
    """A resize is refused in its words."""
    with pytest.raises(Refusal) as caught:
        vm("cloud-hypervisor").request_size("v", size)
    assert caught.value.message == message


def test_cloud_hypervisor_configuration() -> None:
    """A zone's hot-plug size is a multiple of 128 MiB; what is requested at the start must fit."""
    with pytest.raises(Refusal, match="Virtio-mem size is not aligned with 134217728"):
        vm("cloud-hypervisor", 1000 * MiB)
    with pytest.raises(Refusal, match="not aligned on block_size"):
        vm("cloud-hypervisor", requested_size=3 * MiB)
    with pytest.raises(Refusal, match="bigger than region_size"):
        vm("cloud-hypervisor", requested_size=65 * GiB)
    assert vm("cloud-hypervisor", requested_size=GiB).config_space("v")["requested_size"] == GiB


def test_cloud_hypervisor_dimms() -> None:
    """By ACPI memory is added eight times, in multiples of 128 MiB; the others have no DIMMs."""
    machine = Machine(Scenario(rules="cloud-hypervisor", ram=4 * GiB, maxmem=64 * GiB))
    for number in range(9):
        machine.object_add(MemoryBackend(id=f"m{number}", size=GiB))
    machine.object_add(MemoryBackend(id="odd", size=100 * MiB))
    with pytest.raises(Refusal, match="InvalidSize"):
        machine.device_add(Dimm(id="odd", memdev="odd"))
    for number in range(8):
        machine.device_add(Dimm(id=f"d{number}", memdev=f"m{number}"))
    with pytest.raises(Refusal, match="NoSlotAvailable"):
        machine.device_add(Dimm(id="d8", memdev="m8"))
    assert memslots(machine) == 8
    other = vm("stratovirt")
    other.object_add(MemoryBackend(id="d", size=GiB))
    with pytest.raises(BadInput, match="has no DIMMs"):
        other.device_add(Dimm(id="d", memdev="d"))


# -- Dragonball -------------------------------------------------------------------------------------------------------


def test_dragonball_usable_region() -> None:
    """256 MiB more than requested, whole blocks, 0 for 0; it never shrinks."""
    machine = vm("dragonball")
    seen = []
    for size in (0, 4 * MiB, GiB, 64 * GiB, 4 * MiB):
        machine.request_size("v", size)
        seen.append(machine.config_space("v")["usable_region_size"] // MiB)
    assert seen == [0, 260, 1280, 65536, 65536]
    assert machine.unplug_all("v") is ACK
    assert machine.config_space("v")["usable_region_size"] == 64 * GiB


def test_dragonball_joins_pieces_of_one_step() -> None:
    """Pieces of 2 GiB that become usable at once share one memslot; later ones get their own."""
    machine = vm("dragonball")
    layouts = []
    for size in (4 * MiB, GiB, 5 * GiB, 20 * GiB):
        machine.request_size("v", size)
        layouts.append([one.size // GiB for one in machine.bus.view])
    assert layouts == [[2], [2], [2, 4], [2, 4, 16]]
    assert memslots(machine) == 3
    assert machine.picture.devices[0].used == 3


def test_dragonball_maps_one_piece_more_at_a_border() -> None:
    """A usable region that ends at a piece's border maps the next piece too."""
    machine = vm("dragonball")
    machine.request_size("v", 2 * GiB - 256 * MiB)
    assert machine.config_space("v")["usable_region_size"] == 2 * GiB
    assert machine.bus.view.ranges[0].size == 4 * GiB


def test_dragonball_never_unmaps() -> None:
    """What was mapped stays mapped when the guest gives memory back, and is exposed."""
    machine = grown("dragonball", 5 * GiB)
    assert (memslots(machine), machine.exposed) == (1, GiB)
    machine.request_size("v", 0)
    machine.settle("v")
    machine.reset()
    assert (memslots(machine), machine.exposed) == (1, 6 * GiB)


def test_dragonball_small_devices_are_one_memslot() -> None:
    """2 GiB or less are one memslot, mapped from the start; the capacity is rounded up to 256 MiB."""
    machine = vm("dragonball", 1000 * MiB)
    assert (memslots(machine), machine.exposed) == (1, GiB)
    assert machine.config_space("v")["region_size"] == GiB
    assert memslots(vm("dragonball", 2 * GiB + 256 * MiB)) == 0


def test_dragonball_board() -> None:
    """A device lies above 4 GiB and RAM, aligned to 128 MiB; much boot RAM means a larger alignment and extent."""
    assert vm("dragonball", ram=GiB).config_space("v")["addr"] == 4 * GiB
    assert vm("dragonball", ram=4 * GiB + MiB).config_space("v")["addr"] == 5 * GiB + 128 * MiB
    machine = vm("dragonball", ram=64 * GiB)
    machine.request_size("v", 4 * MiB)
    assert machine.config_space("v")["addr"] == 66 * GiB
    assert machine.config_space("v")["usable_region_size"] == 4 * GiB + 4 * MiB


def test_dragonball_answers() -> None:
    """NACK before ERROR; a request across two pieces is an ERROR."""
    machine = vm("dragonball")
    machine.request_size("v", 4 * GiB)
    assert machine.plug("v", 60 * GiB, 5 * GiB) is NACK
    assert machine.plug("v", 60 * GiB, GiB) is ERROR
    assert machine.plug("v", GiB, 2 * GiB) is ERROR
    assert machine.plug("v", GiB, GiB) is ACK
    assert machine.plug("v", 2 * GiB, GiB) is ACK
    assert machine.unplug("v", GiB, 2 * GiB) is ERROR
    assert machine.plug("v", 2 * MiB, 4 * MiB) is ERROR


@pytest.mark.parametrize("size", [2 * MiB, 65 * GiB])
def test_dragonball_requested_size(size: int) -> None:
    """Whole blocks of 4 MiB, at most the capacity; also at the start."""
    with pytest.raises(Refusal, match="Invalid input"):
        vm("dragonball").request_size("v", size)
    with pytest.raises(Refusal, match="Invalid input"):
        vm("dragonball", requested_size=size)


# -- StratoVirt -------------------------------------------------------------------------------------------------------


def test_stratovirt_has_a_memslot_per_block() -> None:
    """Blocks of 32 MiB by default, a memslot each: nothing that is not plugged can be touched."""
    machine = grown("stratovirt", GiB)
    assert (memslots(machine), machine.exposed) == (32, 0)
    assert machine.config_space("v")["usable_region_size"] == 64 * GiB


@pytest.mark.parametrize(
    ("given", "block"), [(0, 32 * MiB), (2 * MiB, 2 * MiB), (16 << 10, 16 << 10), (5000, 32 * MiB)]
)
def test_stratovirt_block_size(given: int, block: int) -> None:
    """Any multiple of 16 KiB; for others the default is taken."""
    assert vm("stratovirt", GiB, block_size=given).config_space("v")["block_size"] == block


def test_stratovirt_needs_whole_blocks() -> None:
    """A device that is not whole blocks ends the monitor."""
    with pytest.raises(Abort, match=r"assertion failed: \(region_size % block_size\) == 0"):
        vm("stratovirt", GiB + 2 * MiB)


def test_stratovirt_answers() -> None:
    """NACK beyond the request, for nothing, and for unplugging what the request wants to stay."""
    machine = vm("stratovirt")
    machine.request_size("v", 64 * MiB)
    assert machine.plug("v", 0, 96 * MiB) is NACK
    assert machine.plug("v", 0, 0) is NACK
    assert machine.plug("v", 64 * GiB, 32 * MiB) is ERROR
    assert machine.plug("v", 63 * GiB, 64 * MiB) is ACK
    assert machine.unplug("v", 63 * GiB, 32 * MiB) is NACK, "QEMU: ACK"
    assert machine.unplug_all("v") is NACK
    machine.reset()
    assert machine.config_space("v")["plugged_size"] == 64 * MiB, "a reset changes nothing"
    machine.request_size("v", 32 * MiB)
    assert machine.unplug("v", 63 * GiB, 32 * MiB) is ACK
    machine.request_size("v", 0)
    assert machine.unplug_all("v") is ACK
    assert machine.config_space("v")["plugged_size"] == 0


def test_stratovirt_unplugs_all_as_far_as_the_request_allows() -> None:
    """UNPLUG_ALL goes piece by piece and stops at the first one that has to stay."""
    machine = vm("stratovirt")
    machine.request_size("v", 96 * MiB)
    assert machine.plug("v", 0, 32 * MiB) is ACK
    assert machine.plug("v", GiB, 64 * MiB) is ACK
    machine.request_size("v", 64 * MiB)
    assert machine.unplug_all("v") is NACK
    assert machine.config_space("v")["plugged_size"] == 64 * MiB


def test_stratovirt_requested_size() -> None:
    """A request is refused in its words."""
    machine = vm("stratovirt")
    with pytest.raises(Refusal, match="request size out of the device region size"):
        machine.request_size("v", 65 * GiB)
    with pytest.raises(Refusal, match="requested_size not aligned with device block size"):
        machine.request_size("v", 2 * MiB)


def test_stratovirt_runs_out_of_memslots() -> None:
    """1 TiB in blocks of 32 MiB are 32,768 memslots, more than KVM's 32,764: the last blocks find it BUSY."""
    machine = vm("stratovirt", TiB)
    assert machine.devices[0].decision.count == 32768
    machine.request_size("v", TiB)
    assert machine.plug("v", 0, TiB) is BUSY
    most = (32764 - 2) * 32 * MiB
    assert machine.plug("v", 0, most) is ACK
    assert machine.plug("v", most, 32 * MiB) is BUSY
