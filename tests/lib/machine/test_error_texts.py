"""Every text that QEMU prints around memory devices (RFC, series of 2021, merged) is reached through a command line.

Texts that no command line and no action of the model can reach are not here: locked memory (mlock), disabled
discarding, unplain RAM, a vhost section that overlaps another, an address space that overflows, and what a running
QEMU warns of when foreign regions appear in device memory.
"""

from collections.abc import Callable
from typing import Any

import pytest

from workbook.lib.errors import Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.machine.realize import check_realize
from workbook.lib.rules import Budget, get
from workbook.lib.scenario import VirtioMem
from workbook.lib.size import GiB, MiB, TiB

RFC, SERIES, MERGED = "rfc-2021", "series-2021-v1", "qemu-10.0"
KVM = "-accel kvm -nodefaults -machine q35,memory-backend=m0 -object memory-backend-memfd,id=m0,size=4G"


def start(
    device: str = "",
    rules: str = MERGED,
    *,
    m: str = "4G,slots=4,maxmem=132G",
    backend: str = "",
    kvm: int | None = None,
) -> Machine:
    """Start a VM with one memory backend of 16 GiB and one device, whose properties are given."""
    memory = f"-object memory-backend-{backend or 'memfd,size=16G'},id=b"
    line = f"{KVM} -m {m} {memory} " + (f"-device {device}" if device else "")
    return Machine.from_qemu_args(line, rules=rules, kvm_slots=kvm)


def mem(props: str = "", rules: str = MERGED, **more: Any) -> Callable[[], object]:
    return lambda: start(f"virtio-mem-pci,id=m,memdev=b{props}", rules, **more)


def then(what: Callable[[Machine], object], props: str = "", rules: str = MERGED, **more: Any) -> Callable[[], object]:
    """Do something to a VM that starts."""

    def attempt() -> None:
        vm = start(f"virtio-mem-pci,id=m,memdev=b{props}", rules, **more)
        what(vm)

    return attempt


def vhost(slots: int) -> Callable[[Machine], None]:
    return lambda vm: vm.device_add("vhost-user-fs-pci", "vu", vhost_slots=slots)


def second_after_vhost(slots: int, rules: str, props: str = "") -> Callable[[], object]:
    """Reserve memslots, plug a back end that has just room for them, then a second device."""

    def attempt() -> None:
        vm = start(f"virtio-mem-pci,id=m,memdev=b{props}", rules)
        vhost(slots)(vm)
        backend = {"qom-type": "memory-backend-memfd", "id": "c", "size": 16 * GiB}
        vm.device_add(f"virtio-mem-pci,id=n,memdev=c{props}", object=backend)

    return attempt


def ring(vm: Machine) -> None:
    vhost(64)(vm)
    vm.vhost_start("vu", vm.devices[0].addr + GiB - 16)
    vm.request_size("m", 4 * GiB)


def migrate(change: str, **more: Any) -> Callable[[], object]:
    def attempt() -> None:
        source = start("virtio-mem-pci,id=m,memdev=b")
        start(f"virtio-mem-pci,id=m,memdev=b{change}", **more).restore(source)

    return attempt


def check(budget: Budget, rules: str, memslots: int) -> Callable[[], object]:
    def attempt() -> None:
        get(rules).check(budget, get(rules).decide(budget, TiB, 2 * MiB, memslots))

    return attempt


MANY = Budget(device_memory_size=2 * TiB, required=1100, used=100, kvm_max=32764, kvm_free=32000)
DYNAMIC = ",dynamic-memslots=on"
UNPLUG = "virtio-mem device cannot get unplugged while "
USABLE = "usable range for memory devices [0x180000000:0x2100000000]"

TEXTS: dict[str, Callable[[], object]] = {
    # hw/mem/memory-device.c (RFC patch 08; QEMU 8.2 and later)
    "not enough space, currently 0x0 in use of total space for memory devices 0x100000000": mem(m="4G,maxmem=8G"),
    "KVM does not have enough free memory slots left (1 vs. 0)": mem(rules=RFC, kvm=3),
    "a used vhost backend does not have enough free memory slots left (1 vs. 0)": second_after_vhost(
        4, RFC, ",max-memslots=2"
    ),
    "hypervisor has not enough free memory slots left": mem(kvm=3),
    "a used vhost backend has not enough free memory slots left": second_after_vhost(3, MERGED),
    "the configuration is not prepared for memory devices (e.g., for memory hotplug), "
    "consider specifying the maxmem option": mem(m="4G"),
    "no slots where allocated, please specify the 'slots' option": lambda: start("pc-dimm,memdev=b", m="4G,maxmem=64G"),
    "address must be aligned to 0x200000 bytes": mem(",memaddr=0x180100000"),
    "backend memory size must be multiple of 0x800000000": mem(",block-size=32G", RFC),
    f"can't add memory device [0x100000000:0x400000000], {USABLE}": mem(",memaddr=0x100000000"),
    "address range conflicts with memory device id='m'": then(
        lambda vm: vm.device_add("pc-dimm,id=d,memdev=c,addr=0x200000000", object={
            "qom-type": "memory-backend-ram", "id": "c", "size": GiB
        })
    ),
    "could not find position in guest address space for memory device - memory fragmented due to alignments": mem(
        ",block-size=16G", m="4G,maxmem=20G"
    ),
    # hw/virtio/vhost.c (RFC patches 05 and 09)
    "Unable to map descriptor table for ring 0\nVerify ring failure on region 2": then(
        ring, ",requested-size=1G,max-memslots=16", RFC
    ),
    "vhost backend memory slots limit is less than current number of used and reserved memory slots": then(
        vhost(17), ",max-memslots=16", RFC
    ),
    # hw/virtio/virtio-mem.c (RFC patch 12 and later)
    "Parameter 'max-memslots' expects uint16_t": mem(",max-memslots=65536", RFC),
    "Property 'virtio-mem.memslots' is not writable": mem(",memslots=4", RFC),
    "Property 'virtio-mem.used-memslots' is not writable": mem(",used-memslots=4", RFC),
    "virtio based memory devices cannot be unplugged.": then(lambda vm: vm.device_del("m"), rules=RFC),
    # the reworked series of 2021
    "'memslots' property must not exceed '1024'": mem(",memslots=1025", SERIES),
    "'memslots' property must not be '0'": mem(",memslots=0", SERIES),
    "'memslots' property exceeds the total number of device blocks (16)": mem(",memslots=17,block-size=1G", SERIES),
    "'memslots' property would create memory slots smaller than the minimum supported memory slot size (128 MiB)": mem(
        ",memslots=129", SERIES
    ),
    "The maximum number of memory slots to be consumed by memory devices (2048) would be exceeded. "
    "Used: 100, Reserved: 1000, Required: 949": check(MANY, SERIES, 949),
    "KVM does not have enough free, unreserved memoryslots left. Free: 17, Reserved: 0, Required: 18": mem(
        ",memslots=18", SERIES, kvm=20
    ),
    "a used vhost backend does not have enough free, unreserved memoryslots left. "
    "Free: 2, Reserved: 2, Required: 2": second_after_vhost(4, SERIES, ",memslots=2"),
    # hw/virtio/virtio-mem.c, virtio-mem-pci.c and vhost.c (QEMU 8.2 and later)
    "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'": mem(
        f"{DYNAMIC},unplugged-inaccessible=off"
    ),
    f"{UNPLUG}'unplugged-inaccessible' != 'on'": then(lambda vm: vm.device_del("m"), ",unplugged-inaccessible=off"),
    f"{UNPLUG}some of its memory is still plugged": then(
        lambda vm: (vm.settle("m"), vm.device_del("m")), f"{DYNAMIC},requested-size=1G"
    ),
    f"{UNPLUG}'requested-size' != '0'": then(lambda vm: vm.device_del("m"), f"{DYNAMIC},requested-size=1G"),
    "Property 'memaddr' changed from 0x180000000 to 0x200000000": migrate(",memaddr=0x200000000"),
    "Property 'memdev' size changed from 0x400000000 to 0x200000000": migrate("", backend="memfd,size=8G"),
    "Property 'block-size' changed from 0x200000 to 0x400000": migrate(",block-size=4M"),
    "some memory device (like virtio-mem) decided how many memory slots to use based on the overall number of memory "
    "slots; this vhost backend would further restricts the overall number of memory slots": then(vhost(508), DYNAMIC),
    "vhost backend memory slots limit (2) is less than current number of used (2) and reserved (1) memory slots for "
    "memory devices.": then(vhost(2), f"{DYNAMIC},block-size=16G"),
    # accel/kvm/kvm-all.c, kvm_alloc_slot
    "kvm_alloc_slot: no free slot available": mem(kvm=4),
    # hw/virtio/virtio-mem.c, virtio_mem_device_realize and its setters
    "'block-size' property has to be at least 0x100000": mem(",block-size=512K"),
    "'block-size' property has to be a power of two": mem(",block-size=3M"),
    "'memdev' property must be set": lambda: start("virtio-mem-pci,id=m"),
    "Device 'c' not found": lambda: start("virtio-mem-pci,id=m,memdev=c"),
    "'memdev' property specifies a busy memdev: m0": lambda: start("virtio-mem-pci,id=m,memdev=m0"),
    "'memdev' property specifies a memdev with preallocation enabled: b. "
    "Instead, specify 'prealloc=on' for the virtio-mem device. ": mem(backend="memfd,size=16G,prealloc=on"),
    "'node' property has value '1', which exceedsthe number of numa nodes: 1": mem(",node=1"),
    "'block-size' property has to be at least the page size (0x40000000)": mem(
        ",block-size=2M", backend="memfd,size=16G,hugetlb=on,hugetlbsize=1G"
    ),
    "'requested-size' property has to be multiples of 'block-size' (0x200000)": mem(",requested-size=1M"),
    "'memdev' property memdev size has to be multiples of'block-size' (0x200000)": mem(backend="memfd,size=16385M"),
    "'requested-size' has to be multiples of 'block-size' (0x200000)": then(lambda vm: vm.request_size("m", MiB)),
    "'requested-size' cannot exceed the memory backend size(0x400000000)": then(
        lambda vm: vm.request_size("m", 17 * GiB)
    ),
}  # fmt: skip
"""QEMU's text, and what brings it about."""

WARNINGS: dict[str, Callable[[], Machine]] = {
    # hw/mem/memory-device.c
    "the alignment (0x400000000) exceeds the expected maximum alignment, memory will get fragmented and not all "
    "'maxmem' might be usable for memory devices.": lambda: start("virtio-mem-pci,id=m,memdev=b,block-size=16G"),
    # hw/virtio/virtio-mem.c, virtio_mem_device_realize and its setters
    "'block-size' property is smaller than the default block size (2 MiB)": lambda: start(
        "virtio-mem-pci,id=m,memdev=b,block-size=1M"
    ),
    # seen with QEMU 10.0.2
    "'unplugged-inaccessible' property set to 'off' with a memdev that does not support the shared zeropage.": lambda: (
        start("virtio-mem-pci,id=m,memdev=b,unplugged-inaccessible=off")
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_refusal(text: str) -> None:
    """QEMU's text comes out byte for byte, and beside it what the user can change."""
    with pytest.raises(Refusal) as refusal:
        TEXTS[text]()
    assert refusal.value.message == text
    assert refusal.value.advice


@pytest.mark.parametrize("text", WARNINGS)
def test_warning(text: str) -> None:
    """The device is plugged, and the warning is kept with the option that it is about."""
    vm = WARNINGS[text]()
    assert [one.id for one in vm.devices] == ["m"]
    (warning,) = vm.warnings
    assert warning.startswith("-device virtio-mem-pci,id=m,")
    assert warning.endswith(f": warning: {text}")


def test_memaddr_must_be_whole_blocks() -> None:
    """Realize looks once more, though placement never lets such an address through: only its own door reaches it."""
    vm = start()
    text = "'memaddr' property has to be multiples of 'block-size' (0x200000)"
    with pytest.raises(Refusal) as refusal:
        list(check_realize(VirtioMem(id="m", memdev="b"), vm.backends["b"], 0x1_8010_0000))
    assert refusal.value.message == text


def test_protocol_violation() -> None:
    """An unknown request: no answer, and a line on stderr."""
    vm = start("virtio-mem-pci,id=m,memdev=b")
    assert vm.raw_request("m", 999, 0, 1) is None
    assert vm.warnings == ["virtio-mem protocol violation: unknown request type: 999"]
