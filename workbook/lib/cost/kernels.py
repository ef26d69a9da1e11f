"""Linux versions as far as they decide what a memslot costs: one constant for each commit that changed it.

Versions are those of the KVM code. What a distribution calls its kernel may be older: RHEL's 5.14 carries a KVM of
years later. Where that matters, `workbook.live.kvm.probe` asks the running kernel.
"""

import re
from typing import Final, TypeAlias

from workbook.lib.errors import BadInput
from workbook.lib.host import KVM_SLOTS_TODAY, Arch

__all__ = (
    "FIRST_KNOWN",
    "LAST_KNOWN",
    "LAZY_RMAP",
    "LAZY_WRITE_TRACKING",
    "SLOT_ALLOCATED",
    "TDP_MMU_BY_DEFAULT",
    "WRITE_TRACKING_ON_DEMAND",
    "Arch",
    "Kernel",
    "allocates_by_vcalloc",
    "kernel_release",
    "kernel_version",
    "memslot_limit",
)

Kernel: TypeAlias = tuple[int, int] | tuple[int, int, int]
"""Major and minor version, and the patch level where it matters."""

FIRST_KNOWN: Final = (4, 18)
LAST_KNOWN: Final = (7, 3)
"""First and last version whose sources were read."""

LAZY_RMAP: Final = (5, 14)
"""Reverse maps only once there is a shadow root, if the TDP MMU is on (d501f747ef5c, arch/x86/kvm/mmu.h)."""
TDP_MMU_BY_DEFAULT: Final = (5, 15)
"""The module parameter ``tdp_mmu`` is Y by default (71ba3f3189c7); read-only since 6.3."""
LAZY_WRITE_TRACKING: Final = (5, 16)
"""gfn_track only once there is a shadow root, unless built for external users (deae4a10f166)."""
SLOT_ALLOCATED: Final = (5, 17)
"""Each memslot is an allocation of its own; before, one array of all slots was copied at every change."""
WRITE_TRACKING_ON_DEMAND: Final = (6, 9)
"""Built for external users, gfn_track is allocated when the first of them registers: a GVT-g vGPU
(``kvm_enable_external_write_tracking``, arch/x86/kvm/mmu/page_track.c)."""

_VCALLOC: Final = (5, 18)  # 37b2a6510a48: __vcalloc in place of kvcalloc
_VCALLOC_STABLE: Final = {(5, 10): 223}  # the first stable release that has it too
_MANY_SLOTS: Final = (5, 12)  # 4fc096a99e01: KVM_USER_MEM_SLOTS is SHRT_MAX less the internal ones
_SLOTS: Final[dict[Arch, tuple[int, int]]] = {  # before and since
    "x86-64": (509, KVM_SLOTS_TODAY),
    "arm64": (512, 32767),
    "riscv": (512, 32767),
    "s390x": (32, 32767),
}


def kernel_version(release: str) -> tuple[int, int]:
    """Read major and minor version from a kernel release such as ``6.18.44-generic``.

    Raises
    ------
    BadInput
        The text does not start with two numbers.
    """
    major, minor, *_ = kernel_release(release)
    return major, minor


def kernel_release(release: str) -> Kernel:
    """Read the version from a kernel release: two numbers, or three where there are as many.

    Raises
    ------
    BadInput
        The text does not start with two numbers.
    """
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if not match:
        raise BadInput(f"kernel release {release!r} does not start with two numbers: give one such as '6.18'")
    major, minor, patch = match.groups()
    return (int(major), int(minor)) if patch is None else (int(major), int(minor), int(patch))


def allocates_by_vcalloc(kernel: Kernel) -> bool:
    """Whether all arrays of a memslot come from vmalloc, so that sums hold to the page.

    Since Linux 5.18 and in 5.10.223 (``__vcalloc``); before, ``kvcalloc`` takes what it can from the slab allocator.
    """
    patch = kernel[2] if len(kernel) > 2 else 0
    return kernel >= _VCALLOC or patch >= _VCALLOC_STABLE.get(kernel[:2], patch + 1)


def memslot_limit(arch: Arch, kernel: Kernel) -> int:
    """Return KVM_CAP_NR_MEMSLOTS: most memslots per VM and address space.

    On s390x it is one less for VMs of the kinds that have an internal slot, since about Linux 6.14.
    """
    before, since = _SLOTS[arch]
    return since if kernel >= _MANY_SLOTS else before
