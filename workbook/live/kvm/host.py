"""The host as far as it decides what a memslot costs, and who else runs VMs on it."""

import gzip
import mmap
import os
import platform
import re
import zlib
from pathlib import Path
from typing import Final

from workbook.lib.cost.kernels import (
    WRITE_TRACKING_ON_DEMAND,
    Arch,
    Kernel,
    allocates_by_vcalloc,
    kernel_release,
    kernel_version,
)
from workbook.lib.cost.kvm import KvmHost

__all__ = ("kvm_parameters", "other_vms", "this_host")

_CONFIG: Final = re.compile(rb"^CONFIG_KVM_EXTERNAL_WRITE_TRACKING=y$", re.MULTILINE)
_ARCHS: Final[dict[str, Arch]] = {"x86_64": "x86-64", "aarch64": "arm64", "riscv64": "riscv", "s390x": "s390x"}
_PARAMETERS: Final = ("kvm/parameters/tdp_mmu", "kvm_intel/parameters/ept", "kvm_amd/parameters/npt")


def this_host(*, sys_root: Path = Path("/sys"), proc: Path = Path("/proc"), boot: Path = Path("/boot")) -> KvmHost:
    """Return the running host as far as it can be read; what cannot be read has the defaults.

    Read are the kernel version, the architecture, the page size, KVM's parameters ``tdp_mmu``, ``ept`` and ``npt``,
    and, where it decides something (up to Linux 6.8), ``CONFIG_KVM_EXTERNAL_WRITE_TRACKING`` of the kernel's
    configuration. Whether a VM has SMM, runs nested guests or has a vGPU is a matter of the VM. A version number can
    be wrong, as RHEL's are: `workbook.live.kvm.probe` asks the kernel instead.
    """
    arch = _ARCHS.get(platform.machine())
    if platform.system() != "Linux" or arch is None:
        return KvmHost()
    kernel: Kernel = kernel_version(platform.release())
    if not allocates_by_vcalloc(kernel):
        kernel = kernel_release(platform.release())  # only here the patch level decides something
    if arch != "x86-64":
        return KvmHost(kernel=kernel, arch=arch, page_size=mmap.PAGESIZE)
    modules = sys_root / "module"
    if not (modules / "kvm").exists():
        return KvmHost(kernel=kernel)
    tdp = _switch(modules / "kvm_intel/parameters/ept", modules / "kvm_amd/parameters/npt")
    # before Linux 6.3 the parameter could say Y although EPT or NPT was off
    tdp_mmu = bool(_switch(modules / "kvm/parameters/tdp_mmu")) and tdp is not False
    tracked = kernel < WRITE_TRACKING_ON_DEMAND and _has_external_write_tracking(proc, boot)
    return KvmHost(tdp_mmu=tdp_mmu, tdp=tdp, kernel=kernel, external_write_tracking=tracked)


def other_vms(*, proc: Path = Path("/proc")) -> frozenset[tuple[int, int]]:
    """Return process and file descriptor of every VM of other processes; only root sees those of other users."""
    found = set()
    for folder in proc.glob("[0-9]*/fd"):
        pid = int(folder.parent.name)
        if pid == os.getpid():
            continue
        try:
            for link in folder.iterdir():
                if os.readlink(link) == "anon_inode:kvm-vm":  # noqa: PTH115 - Path.readlink is slower, and this runs often
                    found.add((pid, int(link.name)))
        except OSError:
            continue  # gone, or somebody else's
    return frozenset(found)


def kvm_parameters(*, sys_root: Path = Path("/sys")) -> dict[str, str]:
    """Return KVM's parameters that matter here, as the kernel prints them, by module and name.

    The loaded vendor module (``kvm_intel``, ``kvm_amd``, ...) appears even where it has no such parameter.
    """
    modules = sys_root / "module"
    found = {}
    for vendor in sorted(modules.glob("kvm_*")):
        found[vendor.name] = "loaded"
    for parameter in _PARAMETERS:
        module, _, name = parameter.split("/")
        if (value := _read(modules / parameter)) is not None:
            found[f"{module}.{name}"] = value
    return found


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _switch(*paths: Path) -> bool | None:
    """Return the first boolean module parameter that can be read."""
    for path in paths:
        if (value := _read(path)) is not None:
            return value in {"Y", "1"}
    return None


def _has_external_write_tracking(proc: Path, boot: Path) -> bool:
    """Look into the kernel's build configuration, wherever distributions leave it."""
    for path in (proc / "config.gz", boot / f"config-{platform.release()}"):
        try:
            config = path.read_bytes()
            if path.suffix == ".gz":
                config = gzip.decompress(config)
        except (OSError, EOFError, zlib.error):
            continue  # not there: most distributions have one of the two
        return bool(_CONFIG.search(config))
    return False
