"""What memslots cost the kernel: KVM's metadata in bytes, exact to the page.

KVM keeps per-memslot arrays whose length follows the size of the slot, not the memory that is plugged
in it. Mapping only what is needed therefore saves real memory. The rules come from the kernel sources
(arch/x86/kvm/x86.c, arch/x86/kvm/mmu/page_track.c, virt/kvm/kvm_main.c, mm/vmalloc.c) and have been compared with
``/proc/vmallocinfo`` of a 6.18 kernel: `workbook.live.kvm` does it again on any host.

With ``n`` the 4 KiB pages of a slot and ``pages(L)`` the pages of size L (4 KiB, 2 MiB, 1 GiB) that the slot *touches*
(so an unaligned start may add one), a slot costs, in each address space that it exists in (two with SMM, else one):

============== ===================================== =====================================================
part           bytes                                 allocated
============== ===================================== =====================================================
rmap           8 (pages(4K) + pages(2M) + pages(1G)) without the TDP MMU, or after a nested guest ran
gfn_track      2 n                                   without TDP, after a nested guest ran, or for GVT-g
lpage_info     4 (pages(2M) + pages(1G))             always
dirty_bitmap   2 up(n, 64) / 8                       while dirty pages are logged in a bitmap
============== ===================================== =====================================================

Every array is a vmalloc area of its own: rounded up to whole pages, plus a list of 8 bytes per page; a list
larger than one page is again a vmalloc area, with a list of its own, and so on. Smaller lists come from the slab
allocator and are no part of `KvmCost.total`, but of `KvmCost.slab`.

The arrays are allocated with ``GFP_KERNEL_ACCOUNT``: their pages are charged to the memory cgroup of the process that
makes the memslots, which is QEMU's and so that of a KubeVirt VM's pod.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from operator import index
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from workbook.lib.errors import BadInput
from workbook.lib.host import Host
from workbook.lib.json_codec import Json
from workbook.lib.size import GiB, KiB, format_size

from .hosts import NAMED_HOSTS, Evidence
from .kernels import (
    FIRST_KNOWN,
    LAST_KNOWN,
    LAZY_RMAP,
    LAZY_WRITE_TRACKING,
    SLOT_ALLOCATED,
    TDP_MMU_BY_DEFAULT,
    Arch,
    Kernel,
    allocates_by_vcalloc,
    kernel_release,
    kernel_version,
    memslot_limit,
)
from .parts import Cost, Part
from .vmalloc import vmalloc

__all__ = ("MAX_SLOT_PAGES", "Arch", "Cost", "DirtyTracking", "KvmCost", "KvmHost", "Part", "Sizes", "kernel_version")

DirtyTracking: TypeAlias = Literal["bitmap", "ring", "ring-with-bitmap"]
Sizes: TypeAlias = Iterable[int]

MAX_SLOT_PAGES: Final = (1 << 31) - 1
"""Most host pages of one memslot, 8 TiB - 4 KiB (``KVM_MEM_MAX_NR_PAGES``, include/linux/kvm_host.h)."""

_NEWEST: Final = (6, 18)  # taken where the kernel is not known
_PAGE_SIZES: Final = {
    "x86-64": (4 * KiB,),
    "arm64": (4 * KiB, 16 * KiB, 64 * KiB),
    "riscv": (4 * KiB,),
    "s390x": (4 * KiB,),
}
_SLOT_STRUCT: Final = {"x86-64": 264, "arm64": 216, "riscv": 216, "s390x": 216}  # 16 more with guest_memfd
_SLOT_SLAB: Final = {"x86-64": 512, "arm64": 256, "riscv": 256, "s390x": 256}  # the slab class of either
_SLOT_ENTRY: Final = 88  # of the array before each slot was an allocation of its own


@dataclass(frozen=True, slots=True)
class KvmCost(Cost):
    """What a set of memslots costs KVM; all numbers in bytes.

    Parameters
    ----------
    slab
        The structures around the arrays: one ``struct kvm_memory_slot`` per slot, and per vmalloc area its descriptors
        and short page list. Depends on the kernel's configuration, is not exact, and no part of `total`.
    charged
        What of `total` the memory cgroup of the VMM pays for: the arrays without their page lists.
    """

    slab: Part
    charged: int

    @property
    def rmap(self) -> int:
        """Reverse mappings from guest frames to shadow page table entries."""
        return self["rmap"]

    @property
    def gfn_track(self) -> int:
        """Write-tracking counters (``gfn_write_track`` in newer kernels)."""
        return self["gfn_track"]

    @property
    def lpage_info(self) -> int:
        """Notes on which 2 MiB and 1 GiB pages may be mapped as such."""
        return self["lpage_info"]

    @property
    def dirty_bitmap(self) -> int:
        """Both halves of the dirty bitmap."""
        return self["dirty_bitmap"]


@dataclass(frozen=True, slots=True)
class KvmHost:
    """A host kernel as far as it decides what a memslot costs.

    Parameters
    ----------
    tdp_mmu
        The TDP MMU is in use (``/sys/module/kvm/parameters/tdp_mmu``). None: the default of the kernel, on
        hardware with EPT or NPT: on since Linux 5.15.
    smm
        The machine has SMM, as QEMU's q35 and pc by default: all slots exist in two address spaces.
    nested
        A shadow root was allocated in this VM because a nested guest ran in it: then the TDP MMU's savings are gone.
    tdp
        The hardware's two-dimensional paging (EPT, NPT) is in use; None: as `tdp_mmu`, which needs it. True with
        ``tdp_mmu=False`` is the old MMU over EPT or NPT: rmap at once, write tracking lazily.
    kernel
        Version of the KVM code: major, minor, and the patch level where it is known. See `workbook.lib.cost.kernels`.
    external_write_tracking
        Up to Linux 6.8: KVM is built with ``CONFIG_KVM_EXTERNAL_WRITE_TRACKING``, used or not. Since 6.9: a GVT-g vGPU
        is attached to the VM; the build option alone costs nothing.
    dirty_tracking
        How logged pages are noted: a ``"ring"`` alone needs no bitmap. The ring itself is a cost per vCPU.
    arch
        ``"x86-64"``, ``"arm64"``, ``"riscv"`` or ``"s390x"``; only x86-64 has arrays besides the dirty bitmap.
    page_size
        The host's page in bytes: 4 KiB; 4, 16 or 64 KiB on arm64.
    private_memory
        A confidential VM: no second address space for SMM. What its private frames cost besides is
        `workbook.lib.cost.private_memory`.
    name, evidence, note
        Of a host by name (`named`), whether its kernel was read or is an assumption, and what is to be known about it;
        no part of its identity.

    Raises
    ------
    BadInput
        A combination that does not exist.

    Notes
    -----
    Before Linux 5.18 the arrays were allocated by ``kvcalloc``, which takes small ones from the slab allocator: numbers
    of such kernels are exact in the formulas but not to the page (see `page_exact`).

    Examples
    --------
    >>> shadow = KvmHost(tdp_mmu=False)
    >>> shadow.metadata([1 << 40]).total // 1024
    2632732
    >>> KvmHost.named("debian-12").metadata([1 << 40]).total // 1024
    527364
    >>> KvmHost.named("debian-13").metadata([1 << 40]).total // 1024
    2052
    """

    tdp_mmu: bool | None = None
    smm: bool = False
    nested: bool = False
    tdp: bool | None = None
    kernel: Kernel = _NEWEST
    external_write_tracking: bool = False
    dirty_tracking: DirtyTracking = "bitmap"
    arch: Arch = "x86-64"
    page_size: int = 4 * KiB
    private_memory: bool = False
    name: str = field(default="", compare=False)
    evidence: Evidence = field(default="from source", compare=False)
    note: str = field(default="", compare=False)

    _TRACKINGS: ClassVar = ("bitmap", "ring", "ring-with-bitmap")

    def __post_init__(self) -> None:
        if self.arch not in _PAGE_SIZES:
            raise BadInput(f"arch {self.arch!r} is not known: give one of {', '.join(_PAGE_SIZES)}")
        if self.page_size not in _PAGE_SIZES[self.arch]:
            allowed = ", ".join(map(format_size, _PAGE_SIZES[self.arch]))
            raise BadInput(f"page_size {self.page_size} does not exist on {self.arch}: give one of {allowed}")
        if self.dirty_tracking not in self._TRACKINGS:
            raise BadInput(
                f"dirty_tracking {self.dirty_tracking!r} is not known: give one of {', '.join(self._TRACKINGS)}"
            )
        if self.arch != "x86-64" and self.smm:
            raise BadInput(f"smm=True does not exist on {self.arch}: SMM is a mode of x86 CPUs, give smm=False")
        if self.tdp_mmu and self.tdp is False:
            raise BadInput(
                "tdp_mmu=True with tdp=False does not exist: the TDP MMU needs EPT or NPT, give tdp=True or None"
            )
        if self.tdp_mmu is None:
            by_default = self.kernel >= TDP_MMU_BY_DEFAULT and self.tdp is not False
            if not by_default and self.tdp is None:
                object.__setattr__(self, "tdp", True)
            object.__setattr__(self, "tdp_mmu", by_default)

    @classmethod
    def named(cls, name: str, *, smm: bool = False, nested: bool = False) -> Self:
        """Return a host as its distribution installs it, with EPT or NPT and no nested guest so far.

        Parameters
        ----------
        name
            One of `workbook.lib.cost.hosts.NAMED_HOSTS`, such as ``debian-12``, or ``upstream-6.18`` for any version of
            Linux as released.
        smm, nested
            As of the class: matters of the VM.

        Raises
        ------
        BadInput
            No such name, or a kernel from before what was looked at.
        """
        if name in NAMED_HOSTS:
            known = NAMED_HOSTS[name]
            return cls(
                smm=smm,
                nested=nested,
                kernel=known.kernel,
                external_write_tracking=known.external_write_tracking,
                name=name,
                evidence=known.evidence,
                note=known.note,
            )
        family, _, version = name.partition("-")
        if family != "upstream":
            raise BadInput(f"there is no host {name!r:.40}: known are {', '.join(NAMED_HOSTS)} and upstream-X.Y")
        kernel = kernel_release(version)
        if kernel < FIRST_KNOWN:
            raise BadInput(f"Linux {version} was not looked at: give upstream-{_dotted(FIRST_KNOWN)} or later")
        is_read = kernel[:2] <= LAST_KNOWN
        return cls(
            smm=smm,
            nested=nested,
            kernel=kernel,
            name=name,
            evidence="from source" if is_read else "assumed",
            note="without CONFIG_KVM_EXTERNAL_WRITE_TRACKING" if is_read else f"taken as Linux {_dotted(LAST_KNOWN)}",
        )

    @classmethod
    def of(cls, host: Host, *, smm: bool = False, nested: bool = False) -> Self:
        """Return what memslots cost on `host`; what it does not know has the defaults (EPT or NPT, a new kernel)."""
        arch: Arch = host.arch or "x86-64"
        return cls(
            tdp_mmu=host.tdp_mmu,
            smm=smm,
            nested=nested,
            tdp=host.tdp,
            kernel=host.kernel or _NEWEST,
            external_write_tracking=bool(host.external_write_tracking),
            arch=arch,
            page_size=host.page_size if host.page_size and arch == "arm64" else 4 * KiB,
        )

    @property
    def address_spaces(self) -> int:
        """In how many address spaces a slot exists; a VM with private memory has one."""
        return 2 if self.smm and not self.private_memory else 1

    @property
    def page_exact(self) -> bool:
        """Whether all arrays come from vmalloc (Linux 5.18, 5.10.223 and later), so that sums hold to the page."""
        return allocates_by_vcalloc(self.kernel)

    @property
    def nr_memslots(self) -> int:
        """Most memslots per VM and address space (KVM_CAP_NR_MEMSLOTS)."""
        return memslot_limit(self.arch, self.kernel)

    @property
    def paging(self) -> str:
        """How the MMU of an x86-64 host translates guest-physical addresses; empty on other architectures."""
        if self.arch != "x86-64":
            return ""
        return "TDP MMU" if self.tdp_mmu else "EPT/NPT without the TDP MMU" if self.tdp else "shadow paging"

    @property
    def has_rmap(self) -> bool:
        """Whether the rmap arrays are allocated (``kvm_memslots_have_rmaps``, arch/x86/kvm/mmu.h)."""
        return self.arch == "x86-64" and (not self.tdp_mmu or self.nested or self.kernel < LAZY_RMAP)

    @property
    def has_gfn_track(self) -> bool:
        """Whether gfn_track is allocated (``kvm_page_track_write_tracking_enabled``, arch/x86/kvm/mmu/page_track.c)."""
        tdp = self.tdp_mmu if self.tdp is None else self.tdp
        return self.arch == "x86-64" and (
            self.external_write_tracking or not tdp or self.nested or self.kernel < LAZY_WRITE_TRACKING
        )

    def copied_per_update(self, slots: int) -> int:
        """Return the bytes that KVM copies whenever one of `slots` memslots is added, changed or removed.

        Before Linux 5.17 all slots were one array of 88-byte entries that was copied whole, so adding n memslots one by
        one takes time in n squared. Since then 0.
        """
        return 0 if self.kernel >= SLOT_ALLOCATED else _SLOT_ENTRY * slots

    def metadata(
        self, sizes: Sizes, dirty_log: bool = False, *, bases: Sizes | None = None, rounded: bool = True
    ) -> KvmCost:
        """Return what memslots of these sizes cost.

        Parameters
        ----------
        sizes
            Bytes of each memslot, a multiple of the page size and at most `MAX_SLOT_PAGES` pages.
        dirty_log
            Whether the slots log dirty pages (``KVM_MEM_LOG_DIRTY_PAGES``: QEMU sets it during migration).
        bases
            Guest physical address of each slot; None: all aligned to 1 GiB, which costs least.
        rounded
            True: as vmalloc allocates it, to the page; False: the formulas' bytes alone.

        Raises
        ------
        BadInput
            Not integers, empty, unaligned or too large slots; `sizes` and `bases` of different length.
        """
        by_part = dict.fromkeys(_DESCRIPTIONS, 0)
        slots = around = charged = 0
        for (pages, first), count in self._distinct(sizes, bases).items():
            weight = count * self.address_spaces
            slots += weight
            for part, size in self._arrays(pages, first, dirty_log=dirty_log):
                if rounded:
                    allocated = vmalloc(size, self.page_size)
                    by_part[part] += weight * allocated.areas
                    charged += weight * allocated.pages
                    around += weight * allocated.slab
                else:
                    by_part[part] += weight * size
                    charged += weight * size
        around += slots * self._slot_struct(rounded=rounded)
        return KvmCost(
            parts=tuple(
                Part(name, by_part[name], formula, when, source)
                for name, (formula, when, source) in _DESCRIPTIONS.items()
            ),
            slab=Part("slab", around, *_SLAB_DESCRIPTION),
            charged=charged,
        )

    def to_json(self) -> dict[str, Json]:
        """Return the fields as JSON takes them."""
        return asdict(self) | {"kernel": list(self.kernel)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Make a host from `to_json`'s fields; missing ones have their defaults.

        Raises
        ------
        BadInput
            A field that does not exist, or a kernel version that is not two or three numbers.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise BadInput(f"a KVM host has no field {unknown[0]!r}: give {', '.join(sorted(known))}")
        values = dict(data)
        if "kernel" in values:
            kernel = values["kernel"]
            values["kernel"] = kernel_release(kernel if isinstance(kernel, str) else ".".join(map(str, kernel)))
        return cls(**values)

    def _slot_struct(self, *, rounded: bool) -> int:
        """Return the bytes of ``struct kvm_memory_slot``, or of its slab class."""
        if self.kernel < SLOT_ALLOCATED:
            return _SLOT_ENTRY
        return _SLOT_SLAB[self.arch] if rounded else _SLOT_STRUCT[self.arch]

    def _distinct(self, sizes: Sizes, bases: Sizes | None) -> Counter[tuple[int, int]]:
        """Count the slots that cost the same, by pages and first page within its GiB."""
        size = _integers(sizes, "size")
        base = [0] * len(size) if bases is None else _integers(bases, "start")
        if len(size) != len(base):
            raise BadInput(f"{len(size)} memslot sizes but {len(base)} start addresses: give one start for each size")
        for values, what, least in ((size, "size", self.page_size), (base, "start", 0)):
            for value in values:
                if value % self.page_size or value < least:
                    at_least = " of at least one page; leave empty slots out" if least else ""
                    raise BadInput(
                        f"memslot {what} {value} is not a multiple of {format_size(self.page_size)}{at_least}"
                    )
        if size and max(size) > MAX_SLOT_PAGES * self.page_size:
            limit = MAX_SLOT_PAGES * self.page_size
            raise BadInput(
                f"memslot size {max(size)} is too large: KVM takes at most "
                f"{MAX_SLOT_PAGES} pages ({limit} bytes) per slot, cut it into several"
            )
        page = self.page_size
        return Counter((one // page, start % GiB // page) for one, start in zip(size, base, strict=True))

    def _arrays(self, pages: int, first: int, *, dirty_log: bool) -> list[tuple[str, int]]:
        """Return part and bytes of each array of a slot that is allocated."""
        last = first + pages - 1
        by_2m, by_1g = ((last >> shift) - (first >> shift) + 1 for shift in (9, 18))
        arrays = []
        if self.has_rmap:
            arrays += [("rmap", 8 * pages), ("rmap", 8 * by_2m), ("rmap", 8 * by_1g)]
        if self.has_gfn_track:
            arrays.append(("gfn_track", 2 * pages))
        if self.arch == "x86-64":
            arrays += [("lpage_info", 4 * by_2m), ("lpage_info", 4 * by_1g)]
        if dirty_log and self.dirty_tracking != "ring":
            arrays.append(("dirty_bitmap", 2 * 8 * -(-pages // 64)))
        return arrays


_DESCRIPTIONS: Final = {
    "rmap": (
        "8 * (pages(4K) + pages(2M) + pages(1G))",
        "without the TDP MMU; with it only once a nested guest ran (before Linux 5.14: always)",
        "memslot_rmap_alloc, arch/x86/kvm/x86.c; lazily since d501f747ef5c (5.14)",
    ),
    "gfn_track": (
        "2 * n",
        (
            "without EPT/NPT, once a nested guest ran, or with external write tracking: up to 6.8 if built with it, "
            "since 6.9 with a vGPU (before Linux 5.16: always)"
        ),
        "kvm_page_track_create_memslot, arch/x86/kvm/mmu/page_track.c; lazily since deae4a10f166 (5.16)",
    ),
    "lpage_info": (
        "4 * (pages(2M) + pages(1G))",
        "always on x86-64",
        "kvm_alloc_memslot_metadata, arch/x86/kvm/x86.c",
    ),
    "dirty_bitmap": (
        "2 * up(n, 64) / 8",
        "while dirty pages are logged (KVM_MEM_LOG_DIRTY_PAGES), unless in a dirty ring alone",
        "kvm_alloc_dirty_bitmap, virt/kvm/kvm_main.c",
    ),
}
"""Part -> formula per slot and address space, when it is allocated, source; in the order of tables and bars."""

_SLAB_DESCRIPTION: Final = (
    "512 (256 but on x86-64) + 168 * vmalloc areas + short page lists",
    "always; not exact, no part of the total",
    "struct kvm_memory_slot (264 bytes on x86-64, else 216), vmap_area, vm_struct; /proc/slabinfo of Linux 6.18",
)


def _dotted(kernel: tuple[int, int]) -> str:
    return ".".join(map(str, kernel))


def _integers(values: Sizes, what: str) -> list[int]:
    # an array of numpy turns itself into Python's numbers much faster than one by one
    to_list = getattr(values, "tolist", None)
    try:
        numbers = to_list() if to_list else list(values)
        checked = [index(number) for number in numbers if not isinstance(number, bool)]
        if len(checked) == len(numbers) and all(-(1 << 63) <= number < 1 << 63 for number in checked):
            return checked
    except TypeError:
        pass
    shown = repr(values).partition("\n")[0]
    raise BadInput(f"memslot {what}s must be one list of whole bytes below 2^63, not {shown:.60}")
