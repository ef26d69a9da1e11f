"""What one memslot costs by kernel and by host, and on which kernels the merged series' numbers hold.

As a command::

    python -m workbook.tables.kernels
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from workbook.lib.cost.hosts import NAMED_HOSTS, Evidence
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.size import GiB, KiB, MiB, TiB, format_size

from .table import Table

__all__ = ("KERNEL_ROWS", "KernelRow", "host_table", "kernel_table", "merged_series_table")


@dataclass(frozen=True, slots=True)
class KernelRow:
    """Kernels on which a memslot costs the same.

    Parameters
    ----------
    kernels
        In words.
    tdp_mmu, rmap, gfn_track
        When the TDP MMU is on and when the arrays are allocated.
    host
        A host of that kind: cost and limit are computed from it.
    evidence
        ``"measured"`` here, ``"from source"`` or ``"assumed"``.
    note
        What else is to be known.
    dirty_log
        Whether the memslot logs dirty pages.
    """

    kernels: str
    tdp_mmu: str
    rmap: str
    gfn_track: str
    host: KvmHost
    evidence: Evidence
    note: str = ""
    dirty_log: bool = False

    def cost(self, size: int) -> int:
        """Bytes for one memslot of `size` bytes."""
        return self.host.metadata([size], self.dirty_log).total


_NEW: Final = KvmHost(kernel=(6, 9))
_TRACKED: Final = KvmHost(kernel=(6, 1), external_write_tracking=True)

KERNEL_ROWS: Final = (
    KernelRow(
        "4.18, 5.4",
        "none",
        "always",
        "always",
        KvmHost(kernel=(5, 4)),
        "from source",
        "not exact to the page (kvcalloc)",
    ),
    KernelRow(
        "5.10",
        "off",
        "always",
        "always",
        KvmHost(kernel=(5, 10, 223)),
        "from source",
        "exact to the page since 5.10.223",
    ),
    KernelRow("5.12, 5.13", "off", "always", "always", KvmHost(kernel=(5, 12)), "from source"),
    KernelRow(
        "5.14",
        "off",
        "lazy if tdp_mmu=Y",
        "always",
        KvmHost(kernel=(5, 14)),
        "from source",
        "default of tdp_mmu from memory",
    ),
    KernelRow("5.15", "on", "lazy", "always", KvmHost(kernel=(5, 15)), "from source", "default of tdp_mmu from memory"),
    KernelRow("5.16 to 6.8", "on", "lazy", "lazy", KvmHost(kernel=(6, 1)), "from source", "without GVT-g built in"),
    KernelRow(
        "5.16 to 6.8",
        "on",
        "lazy",
        "always",
        _TRACKED,
        "from source",
        "CONFIG_KVM_EXTERNAL_WRITE_TRACKING: Debian 12, Ubuntu 24.04",
    ),
    KernelRow("since 6.9", "on", "lazy", "lazy", _NEW, "from source", "also with GVT-g built in"),
    KernelRow(
        "since 6.9, vGPU", "on", "lazy", "always", replace(_NEW, external_write_tracking=True), "from source", "GVT-g"
    ),
    KernelRow(
        "since 5.16, tdp_mmu=N",
        "off",
        "always",
        "lazy",
        KvmHost(kernel=(6, 12), tdp_mmu=False, tdp=True),
        "from source",
    ),
    KernelRow("any, EPT/NPT off", "off", "always", "always", KvmHost(tdp_mmu=False), "measured", "on Linux 6.18"),
    KernelRow(
        "any, nested guest ran", "any", "always", "always", replace(_NEW, nested=True), "from source", "from then on"
    ),
    KernelRow(
        "since 6.9, dirty log",
        "on",
        "lazy",
        "lazy",
        _NEW,
        "from source",
        "the bitmap is measured; none with a dirty ring alone",
        dirty_log=True,
    ),
    KernelRow(
        "RHEL 9 (5.14.0-NNN)",
        "on",
        "lazy",
        "always",
        KvmHost.named("rhel-9"),
        "assumed",
        "backported KVM: ask python -m workbook.live.kvm --probe",
    ),
    KernelRow("arm64, riscv, s390x", "none", "none", "none", KvmHost(arch="arm64"), "from source", "dirty bitmap only"),
)
"""The rows of `kernel_table`: EPT or NPT, no nested guest so far and one address space, if not said otherwise."""


def kernel_table(size: int = TiB) -> Table:
    """Show what one memslot of `size` bytes costs by kernel, in kB, and how it comes about; twice as much with SMM."""
    columns = ("kernel", "TDP MMU", "rmap", "gfn_track", f"{format_size(size)}, kB", "memslots", "evidence", "note")
    rows = [
        (
            row.kernels,
            row.tdp_mmu,
            row.rmap,
            row.gfn_track,
            row.cost(size) // KiB,
            row.host.nr_memslots,
            row.evidence,
            row.note,
        )
        for row in KERNEL_ROWS
    ]
    return Table.of(columns, rows)


def host_table(size: int = TiB) -> Table:
    """Show what one memslot of `size` bytes costs on each host by name, in kB: at first, with SMM, after nesting."""
    rows = []
    for name in NAMED_HOSTS:
        host = KvmHost.named(name)
        hosts = (host, replace(host, smm=True), replace(host, nested=True))
        rows.append((name, *(one.metadata([size]).total // KiB for one in hosts), host.evidence, host.note))
    columns = ("host", f"{format_size(size)}, kB", "with SMM", "after a nested guest", "evidence", "note")
    return Table.of(columns, rows)


def merged_series_table() -> Table:
    """Show the numbers that the merged series gives for a terabyte, the model's, and the kernels on which each holds.

    The commit message of "virtio-mem: Expose device memory dynamically via multiple memslots if enabled" (QEMU 8.2).
    """
    every = "any with EPT/NPT or TDP MMU off, or once a nested guest ran"
    tracked = "5.15; 5.16 to 6.8 with external write tracking built in"
    cases = (
        ("TDP MMU off, SMM", 5 * GiB, KvmHost(tdp_mmu=False, smm=True), every),
        ("TDP MMU off", 5 * GiB // 2, KvmHost(tdp_mmu=False), every),
        ("TDP MMU on, SMM", GiB, replace(_TRACKED, smm=True), tracked),
        ("TDP MMU on", 512 * MiB, _TRACKED, tracked),
        ("TDP MMU on, SMM", GiB, replace(_NEW, smm=True), "not since 6.9, nor 5.16 to 6.8 without write tracking"),
        ("TDP MMU on", 512 * MiB, _NEW, "not since 6.9, nor 5.16 to 6.8 without write tracking"),
    )
    rows = [
        (case, format_size(said, digits=1), format_size(host.metadata([TiB]).total, digits=1), kernels)
        for case, said, host, kernels in cases
    ]
    return Table.of(("1 TiB as one memslot", "the mail says", "the model", "on Linux"), rows)


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.tables.kernels") -> int:
    """Print the three tables."""
    argparse.ArgumentParser(prog=prog, description=__doc__).parse_args(arguments)
    for title, table in (
        ("One memslot of 1 TiB by kernel, one address space (twice as much with SMM)", kernel_table()),
        ("By host, as installed with EPT or NPT", host_table()),
        ("The numbers of the merged series", merged_series_table()),
    ):
        sys.stdout.write(f"{title}\n\n{table!r}\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
