"""The host as far as it decides what a VM may have: address bits, vendor, memslot limits; every field may be unknown.

What a memslot costs on it is `workbook.lib.cost.kvm.KvmHost`.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Final, Literal, TypeAlias

from .errors import BadInput

__all__ = ("HOSTS", "KVM_SLOTS_TODAY", "Arch", "Host")

Arch: TypeAlias = Literal["x86-64", "arm64", "riscv", "s390x"]

KVM_SLOTS_TODAY: Final = 32764
"""KVM_CAP_NR_MEMSLOTS on x86 since Linux 5.12 (commit 4fc096a99e01, "Raise the maximum number of user memslots")."""
CpuVendor = Literal["intel", "amd"]
_VENDORS: Final = ("intel", "amd")
_LEAST_AND_MOST: Final = {
    "phys_bits": (32, 52),
    "kvm_slots": (1, (1 << 31) - 1),
    "page_size": (4096, 1 << 40),
    "max_mem_regions": (1, (1 << 31) - 1),
    "vfio_dma_entries": (1, (1 << 32) - 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of VMs; None means not known, and the answer says what was assumed instead.

    Attributes
    ----------
    phys_bits
        Physical address bits of its CPUs: what ``-cpu host`` and ``host-phys-bits=on`` take.
    cpu_vendor
        ``intel`` or ``amd``: under KVM every CPU model has the host's vendor id, and AMD's moves memory to 1 TiB
        (hw/i386/pc.c).
    kernel
        (major, minor) of the Linux kernel.
    kvm_slots
        KVM_CAP_NR_MEMSLOTS.
    page_size
        Base page, bytes.
    max_mem_regions
        Module parameter of ``vhost``: memslots that a vhost device of the kernel takes.
    vfio_dma_entries
        Module parameter ``dma_entry_limit`` of ``vfio_iommu_type1``.
    tdp, tdp_mmu
        KVM uses EPT or NPT (``kvm_intel.ept``, ``kvm_amd.npt``), and the TDP MMU on top (``kvm.tdp_mmu``).
    external_write_tracking
        Somebody outside KVM tracks writes; see `workbook.lib.cost.kvm.KvmHost`.
    arch
        Of the machine, as `KvmHost` names it: ``x86-64``, ``arm64``, ``riscv``, ``s390x``.

    Raises
    ------
    BadInput
        A field that no host can have.
    """

    phys_bits: int | None = None
    cpu_vendor: CpuVendor | None = None
    kernel: tuple[int, int] | None = None
    kvm_slots: int | None = None
    page_size: int | None = None
    max_mem_regions: int | None = None
    vfio_dma_entries: int | None = None
    tdp: bool | None = None
    tdp_mmu: bool | None = None
    external_write_tracking: bool | None = None
    arch: Arch | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in _LEAST_AND_MOST.items():
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
                raise BadInput(f"host {name} is {value!r:.40}: give a whole number from {least} to {most}, or None")
        if self.cpu_vendor is not None and self.cpu_vendor not in _VENDORS:
            raise BadInput(f"host cpu_vendor is {self.cpu_vendor!r:.40}: allowed are intel, amd and None")
        if self.page_size is not None and self.page_size & (self.page_size - 1):
            raise BadInput(f"host page_size is {self.page_size}: give a power of two, such as 4096")

    @classmethod
    def named(cls, name: str) -> "Host":
        """Return a typical host by name (`HOSTS`).

        Raises
        ------
        BadInput
            There is no such name.
        """
        if name not in HOSTS:
            raise BadInput(f"there is no host {name!r:.40}: known are {', '.join(HOSTS)}")
        return HOSTS[name]


HOSTS: Final[dict[str, Host]] = {
    "laptop-intel": Host(phys_bits=39, cpu_vendor="intel", kernel=(6, 12), kvm_slots=KVM_SLOTS_TODAY, page_size=4096),
    "server-intel": Host(
        phys_bits=46,
        cpu_vendor="intel",
        kernel=(6, 12),
        kvm_slots=KVM_SLOTS_TODAY,
        page_size=4096,
        max_mem_regions=64,
        vfio_dma_entries=65535,
    ),
    "server-intel-5-level": Host(
        phys_bits=52,
        cpu_vendor="intel",
        kernel=(6, 12),
        kvm_slots=KVM_SLOTS_TODAY,
        page_size=4096,
        max_mem_regions=64,
        vfio_dma_entries=65535,
    ),
    "server-amd": Host(
        phys_bits=48,
        cpu_vendor="amd",
        kernel=(6, 12),
        kvm_slots=KVM_SLOTS_TODAY,
        page_size=4096,
        max_mem_regions=64,
        vfio_dma_entries=65535,
    ),
    "linux-5.10": Host(kernel=(5, 10), kvm_slots=509, page_size=4096, max_mem_regions=64, vfio_dma_entries=65535),
}
"""Typical hosts: client CPUs of Intel have 39 address bits, its servers 46 (52 with five page-table levels), AMD's 48;
Linux before 5.12 has 509 KVM memslots (commit 4fc096a99e01)."""
