"""Presets: scenarios worth starting from, each with where it comes from."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from workbook.lib.actions import Action, RequestSize, Reset, Settle
from workbook.lib.host import Host
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem
from workbook.lib.size import GiB, KiB, TiB

from .settings import VHOST_PLACE, VHOST_SLOTS

__all__ = ("PRESETS", "Preset", "cover_letter")


@dataclass(frozen=True, slots=True)
class Preset:
    """A scenario with a title, what it shows, and its source."""

    title: str
    scenario: Scenario
    shows: str
    source: str


def cover_letter(*actions: Action) -> Scenario:
    """Return the cover letter's VM: a 500 GiB device in 1037 GiB of device memory at 5 GiB."""
    return Scenario(
        chipset="pc",
        ram=4 * GiB,
        maxmem=TiB,
        ram_slots=17,
        backends=(MemoryBackend(id="mem0", size=500 * GiB),),
        devices=(VirtioMem(id="vm0", memdev="mem0", dynamic_memslots=True),),
        actions=actions,
        rules="rfc-2021",
    )


def _request(size: int) -> Action:
    return RequestSize(dev="vm0", size=size)


def _merged(size: int, *, maxmem: int, ram: int = 4 * GiB) -> Scenario:
    """Return a q35 VM with one device under the rules of QEMU 10.0."""
    return Scenario(
        ram=ram,
        maxmem=maxmem,
        backends=(MemoryBackend(id="mem0", size=size),),
        devices=(VirtioMem(id="vm0", memdev="mem0", dynamic_memslots=True),),
        rules="qemu-10.0",
    )


def _with_vhost(scenario: Scenario, slots: int | None, *, place: Literal["before", "after"] = "before") -> Scenario:
    """Add a vhost-user back end; None: one without CONFIGURE_MEM_SLOTS."""
    with_backend = VHOST_SLOTS.put(scenario, slots or 0, None)
    return VHOST_PLACE.put(with_backend, place, None)


def _promised_too_much() -> Scenario:
    """Return R19 of tests/lib/rules/test_rfc2021.py: two devices, a back end between them."""
    one = replace(_with_vhost(_merged(128 * GiB, maxmem=260 * GiB), 250, place="after"), rules="rfc-2021")
    second = VirtioMem(id="vm1", memdev="mem1", dynamic_memslots=True)
    backend = replace(one.backends[-1], id="mem1")
    return replace(one, devices=(*one.devices, second), backends=(*one.backends, backend))


_MAIL: Final = "cover letter, 20211013103330.26869-1-david@redhat.com"
_TO_20: Final = (_request(2 * GiB), _request(20 * GiB))
_SETTLE: Final = Settle(dev="vm0")

PRESETS: Final[dict[str, Preset]] = {
    "cover-letter": Preset("Cover letter: nothing requested", cover_letter(), "no memslot at all", _MAIL),
    "cover-letter-2g": Preset(
        "Cover letter: 2 GiB requested", cover_letter(_request(2 * GiB)), "3 memslots of 1 GiB", _MAIL
    ),
    "cover-letter-20g": Preset("Cover letter: 20 GiB requested", cover_letter(*_TO_20), "21 memslots of 1 GiB", _MAIL),
    "cover-letter-reboot": Preset(
        "Cover letter: 5 GiB requested, rebooted",
        cover_letter(*_TO_20, _request(5 * GiB), Reset()),
        "6 memslots: the usable region shrinks with a reboot only",
        _MAIL,
    ),
    "one-tib": Preset(
        "1 TiB device, 1 GiB requested",
        replace(
            cover_letter(_request(GiB), _SETTLE),
            maxmem=4 * GiB + TiB,
            ram_slots=0,
            chipset="q35",
            backends=(MemoryBackend(id="mem0", size=TiB),),
        ),
        "what the series is for: more than 2 GiB of metadata with one memslot",
        _MAIL,
    ),
    "promised-too-much": Preset(
        "RFC: a second device promised too much",
        _promised_too_much(),
        "the heuristic grants 128 memslots, the check accepts 120 (reserved memslots are counted twice)",
        _MAIL,
    ),
    "vhost-after": Preset(
        "vhost-user device plugged too late",
        _with_vhost(_merged(100 * GiB, maxmem=104 * GiB), 64, place="after"),
        "a back end with 64 memslots after a device that decided on 100: refused",
        "hw/virtio/vhost.c, QEMU 8.2",
    ),
    "kata-virtiofsd": Preset(
        "Kata Containers: virtio-fs first, 32 GiB",
        _with_vhost(_merged(30 * GiB, maxmem=32 * GiB, ram=2 * GiB), 509),
        "virtiofsd with 509 memslots (rust-vmm vhost-user-backend 0.13): 30 memslots of 1 GiB",
        "rust-vmm/vhost, vhost-user-backend 0.13.0 (pull request 224)",
    ),
    "kata-old-virtiofsd": Preset(
        "Kata Containers: an older virtiofsd",
        _with_vhost(_merged(30 * GiB, maxmem=32 * GiB, ram=2 * GiB), 32),
        "32 memslots: one for the device, unmapped until it is used",
        "subprojects/libvhost-user, VHOST_USER_MAX_RAM_SLOTS (QEMU 5.1 to 8.2)",
    ),
    "kata-s390x": Preset(
        "Kata Containers on s390x: virtio-mem by default, 30 GiB",
        replace(
            _merged(30 * GiB, maxmem=32 * GiB, ram=2 * GiB),
            chipset="s390-ccw-virtio",
            program="s390x",
            cpu_vendor=None,
            phys_bits=None,
            devices=(VirtioMem(id="vm0", memdev="mem0", transport="ccw"),),
        ),
        "one memslot, as Kata gives no dynamic-memslots: what memslots save here is no memory but exposure",
        "kata-containers, src/runtime/arch/s390x-options.mk (DEFENABLEVIRTIOMEM)",
    ),
    "arm-64k": Preset(
        "ARM server with 64 KiB pages, 256 GiB",
        replace(
            _merged(256 * GiB, maxmem=260 * GiB),
            chipset="virt",
            program="aarch64",
            cpu_vendor=None,
            phys_bits=48,
            acpi=False,
            host=Host(page_size=64 * KiB),
            backends=(MemoryBackend(id="mem0", size=256 * GiB, page_size=64 * KiB),),
        ),
        "large blocks, two for a memslot: KVM keeps no arrays for memslots on arm64, the gain is exposure",
        "hw/arm/virt.c, hw/virtio/virtio-mem.c (QEMU 10.2)",
    ),
    "kubevirt-dpdk": Preset(
        "KubeVirt with a DPDK switch (vhost-user, 8 memslots)",
        _with_vhost(_merged(256 * GiB, maxmem=260 * GiB), None),
        "a back end without CONFIGURE_MEM_SLOTS: one memslot for 256 GiB",
        "DPDK lib/vhost offers no VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS; hw/virtio/vhost-user.c (8 regions)",
    ),
    "nested": Preset(
        "A VM whose guest runs guests",
        replace(_merged(512 * GiB, maxmem=516 * GiB), tdp_mmu=True, nested=True, actions=(_request(64 * GiB), _SETTLE)),
        "with nested guests the TDP MMU saves nothing: rmap and write tracking are there again",
        "arch/x86/kvm/mmu/mmu.c, kvm_shadow_root_allocated (Linux 5.14 and later)",
    ),
}
"""Presets by name."""
