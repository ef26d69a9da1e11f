"""Read what the kernel has in vmalloc areas: by caller as root, else the sum of all.

``/proc/vmallocinfo`` names the caller of each allocation and its pages, so the arrays of a memslot can be told
apart and counted exactly; only root can read it. ``VmallocUsed`` in ``/proc/meminfo`` can be read by everybody, but
counts every user of vmalloc in the kernel.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.size import KiB

__all__ = ("MEMINFO_UNCERTAINTY", "PART_OF_CALLER", "Usage", "available_memory", "read_usage")

PART_OF_CALLER: Final[Mapping[str, str]] = {
    "memslot_rmap_alloc": "rmap",
    "kvm_page_track_create_memslot": "gfn_track",
    "kvm_page_track_write_tracking_alloc": "gfn_track",
    "__kvm_page_track_write_tracking_alloc": "gfn_track",
    "kvm_arch_prepare_memory_region": "lpage_info",
    "kvm_alloc_memslot_metadata": "lpage_info",
    "kvm_alloc_dirty_bitmap": "dirty_bitmap",
    "kvm_prepare_memory_region": "dirty_bitmap",
    "kvm_set_memslot": "dirty_bitmap",
}
"""Kernel function -> part of `workbook.lib.overhead.KvmCost`; compilers inline some of them into others."""

MEMINFO_UNCERTAINTY: Final = 256 * KiB
"""Bytes by which a difference of ``VmallocUsed`` may be off on an otherwise idle host: other users of vmalloc, such as
the stacks of new threads."""

_PARTS: Final = ("rmap", "gfn_track", "lpage_info", "dirty_bitmap")
_AREA = re.compile(r"^\S+ +\d+ (?P<symbol>[A-Za-z_]\w*)[^ ]*.* pages=(?P<pages>\d+) ")
_MEMINFO = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in vmalloc areas at one moment.

    Parameters
    ----------
    total
        Of KVM's memslot arrays where `by_part` is known, else of the whole kernel.
    by_part
        Bytes by part of a memslot's cost, or None where ``/proc/vmallocinfo`` cannot be read.
    """

    total: int
    by_part: Mapping[str, int] | None = field(default=None)

    def since(self, before: "Usage") -> "Usage":
        """Return what was added since `before`; parts only if both know them."""
        if self.by_part is None or before.by_part is None:
            return Usage(self.total - before.total)
        return Usage(self.total - before.total, {name: self.by_part[name] - before.by_part[name] for name in _PARTS})


def read_usage(page_size: int, *, proc: Path = Path("/proc")) -> Usage:
    """Read the present usage: by part as root, otherwise ``VmallocUsed``.

    Parameters
    ----------
    page_size
        The host's page in bytes.
    proc
        Where the proc file system is mounted.
    """
    try:
        text = (proc / "vmallocinfo").read_text()
    except OSError:
        return Usage(_meminfo(proc, "VmallocUsed"))
    pages: Counter[str] = Counter()
    for line in text.splitlines():
        if (match := _AREA.match(line)) and (part := PART_OF_CALLER.get(match["symbol"])):
            pages[part] += int(match["pages"])
    by_part = {name: pages[name] * page_size for name in _PARTS}
    return Usage(sum(by_part.values()), by_part)


def available_memory(*, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes that can be allocated without swapping or being killed.

    The least of ``MemAvailable`` and what the process's control groups (version 2) leave: memslot arrays are charged to
    the process that makes them.
    """
    left = [_meminfo(proc, "MemAvailable")]
    try:
        membership = (proc / "self/cgroup").read_text()
    except OSError:
        membership = ""
    own = next((line[3:].strip("/") for line in membership.splitlines() if line.startswith("0::")), None)
    group = None if own is None else cgroups / own
    while group is not None and group != cgroups.parent:
        try:
            limit = (group / "memory.max").read_text().strip()
            if limit != "max":
                left.append(int(limit) - int((group / "memory.current").read_text()))
        except OSError:
            pass  # the root group has no limit
        group = group.parent if group != cgroups else None
    return max(0, min(left))


def _meminfo(proc: Path, name: str) -> int:
    try:
        fields = dict(_MEMINFO.findall((proc / "meminfo").read_text()))
        return int(fields[name]) * KiB
    except (OSError, KeyError) as error:
        raise BadInput(f"{proc / 'meminfo'} does not say {name}: memslots can only be measured on Linux") from error
