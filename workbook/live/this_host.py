"""The host that this runs on, as far as it decides what a VM may have: read from /proc, /sys and /dev/kvm."""

import fcntl
import mmap
import os
import platform
import re
from pathlib import Path
from typing import Final, Literal

from workbook.lib.host import Host

from .kvm.host import this_host as memslot_costs

__all__ = ("this_host",)

_ADDRESS_SIZES: Final = re.compile(r"^address sizes\s*:\s*(\d+) bits physical", re.MULTILINE)
_VENDOR: Final = re.compile(r"^vendor_id\s*:\s*(\S+)", re.MULTILINE)
_VENDORS: Final[dict[str, Literal["intel", "amd"]]] = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
_KVM_CHECK_EXTENSION: Final = 0xAE03
_KVM_CAP_NR_MEMSLOTS: Final = 10


def this_host(*, sys_root: Path = Path("/sys"), proc: Path = Path("/proc"), kvm: Path = Path("/dev/kvm")) -> Host:
    """Return the running host; what cannot be read is None.

    Read are the CPU's address bits and vendor (/proc/cpuinfo), the kernel's version, KVM_CAP_NR_MEMSLOTS by
    KVM_CHECK_EXTENSION, the page size, and the module parameters of ``kvm``, ``vhost`` and ``vfio_iommu_type1``.
    """
    cpu = _text(proc / "cpuinfo") or ""
    bits, vendor = _ADDRESS_SIZES.search(cpu), _VENDOR.search(cpu)
    parameters = sys_root / "module"
    costs = memslot_costs(sys_root=sys_root, proc=proc) if (parameters / "kvm").exists() else None
    return Host(
        phys_bits=int(bits[1]) if bits and 32 <= int(bits[1]) <= 52 else None,
        cpu_vendor=_VENDORS.get(vendor[1]) if vendor else None,
        kernel=_kernel(platform.release()) if platform.system() == "Linux" else None,
        kvm_slots=_kvm_slots(kvm),
        page_size=mmap.PAGESIZE,
        max_mem_regions=_number(parameters / "vhost/parameters/max_mem_regions"),
        vfio_dma_entries=_number(parameters / "vfio_iommu_type1/parameters/dma_entry_limit"),
        tdp=costs.tdp if costs else None,
        tdp_mmu=costs.tdp_mmu if costs else None,
        external_write_tracking=costs.external_write_tracking if costs else None,
        arch=costs.arch if costs else None,
    )


def _kernel(release: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else None


def _kvm_slots(kvm: Path) -> int | None:
    """Ask KVM for its memslots; None without access."""
    try:
        file = os.open(kvm, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = fcntl.ioctl(file, _KVM_CHECK_EXTENSION, _KVM_CAP_NR_MEMSLOTS)
    except OSError:
        return None
    finally:
        os.close(file)
    return found if found > 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = (_text(path) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None
