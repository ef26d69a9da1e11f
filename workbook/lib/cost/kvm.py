"""What memslots cost the kernel: KVM's metadata in bytes, exact to the page.

KVM keeps arrays beside each memslot whose length follows the size of the slot, not the memory that is plugged
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
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, format_size

__all__ = ("MAX_SLOT_PAGES", "Arch", "Cost", "DirtyTracking", "KvmCost", "KvmHost", "Part", "kernel_version")

Arch: TypeAlias = Literal["x86-64", "arm64"]
DirtyTracking: TypeAlias = Literal["bitmap", "ring", "ring-with-bitmap"]
Sizes: TypeAlias = Iterable[int] | npt.NDArray[np.integer]
_Ints: TypeAlias = npt.NDArray[np.int64]

MAX_SLOT_PAGES: Final = (1 << 31) - 1
"""Most host pages of one memslot, 8 TiB - 4 KiB (``KVM_MEM_MAX_NR_PAGES``, include/linux/kvm_host.h)."""

_PAGE_SIZES: Final = {"x86-64": (4 * KiB,), "arm64": (4 * KiB, 16 * KiB, 64 * KiB)}
_LAZY_RMAP: Final = (5, 14)  # commit d501f747ef5c: rmaps only once there is a shadow root
_LAZY_WRITE_TRACKING: Final = (5, 16)  # commit deae4a10f166: likewise gfn_track
_ALWAYS_VMALLOC: Final = (5, 18)  # commit 37b2a6510a48: __vcalloc in place of kvcalloc

_POINTER: Final = 8
_SLOT_STRUCT: Final = 264  # struct kvm_memory_slot, about; 16 more with guest_memfd
_SLOT_SLAB: Final = 512  # its slab class
_AREA_SLAB: Final = 72 + 96  # struct vmap_area and struct vm_struct, as /proc/slabinfo of 6.18 counts them
_KMALLOC: Final = np.array([8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])


@dataclass(frozen=True, slots=True)
class Part:
    """One row of a cost table: what it is, why it is so large and where that is written.

    Parameters
    ----------
    name
        The kernel's or QEMU's name of the structure.
    bytes
        Its size over all memslots and address spaces.
    formula
        Bytes per memslot and address space, before rounding.
    when
        When it is allocated; for a part of 0 bytes this says why.
    source
        Where the formula can be read.
    """

    name: str
    bytes: int
    formula: str
    when: str
    source: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Parts of a metadata cost, in the order in which tables and stacked bars show them."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Sum of the parts in bytes."""
        return sum(part.bytes for part in self.parts)

    def __getitem__(self, name: str) -> int:
        """Return the bytes of the part called `name`."""
        for part in self.parts:
            if part.name == name:
                return part.bytes
        raise BadInput(f"no part {name!r} in this cost: it has {', '.join(part.name for part in self.parts)}")

    def as_dict(self) -> dict[str, int]:
        """Return name -> bytes, in order."""
        return {part.name: part.bytes for part in self.parts}


@dataclass(frozen=True, slots=True)
class KvmCost(Cost):
    """What a set of memslots costs KVM; all numbers in bytes.

    Parameters
    ----------
    slab
        The structures around the arrays: one ``struct kvm_memory_slot`` per slot, and per vmalloc area its descriptors
        and short page list. Depends on the kernel's configuration, is not exact, and no part of `total`.
    """

    slab: Part

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
        The TDP MMU is in use (``/sys/module/kvm/parameters/tdp_mmu``).
    smm
        The machine has SMM, as QEMU's q35 and pc by default: all slots exist in two address spaces.
    nested
        A shadow root was allocated in this VM because a nested guest ran in it: then the TDP MMU's savings are gone.
    tdp
        The hardware's two-dimensional paging (EPT, NPT) is in use; None: as `tdp_mmu`, which needs it. True with
        ``tdp_mmu=False`` is the old MMU over EPT or NPT: rmap at once, write tracking lazily.
    kernel
        Major and minor version. It decides whether rmap (5.14) and write tracking (5.16) are allocated lazily.
    external_write_tracking
        Built with ``CONFIG_KVM_EXTERNAL_WRITE_TRACKING`` (i915 GVT-g): write tracking at once.
    dirty_tracking
        How logged pages are noted: a ``"ring"`` alone needs no bitmap. The ring itself is a cost per vCPU.
    arch
        ``"x86-64"`` or ``"arm64"``; on arm64 a slot has no arrays but the dirty bitmap.
    page_size
        The host's page in bytes: 4 KiB on x86-64; 4, 16 or 64 KiB on arm64.

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
    >>> KvmHost(tdp_mmu=True).metadata([1 << 40]).total // 1024
    2052
    """

    tdp_mmu: bool = True
    smm: bool = False
    nested: bool = False
    tdp: bool | None = None
    kernel: tuple[int, int] = (6, 18)
    external_write_tracking: bool = False
    dirty_tracking: DirtyTracking = "bitmap"
    arch: Arch = "x86-64"
    page_size: int = 4 * KiB

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
        if self.arch == "arm64" and self.smm:
            raise BadInput("smm=True does not exist on arm64: SMM is a mode of x86 CPUs, give smm=False")
        if self.tdp_mmu and self.tdp is False:
            raise BadInput(
                "tdp_mmu=True with tdp=False does not exist: the TDP MMU needs EPT or NPT, give tdp=True or None"
            )

    @property
    def address_spaces(self) -> int:
        """In how many address spaces a slot exists."""
        return 2 if self.smm else 1

    @property
    def page_exact(self) -> bool:
        """Whether all arrays come from vmalloc (Linux 5.18 and later), so that sums hold to the page."""
        return self.kernel >= _ALWAYS_VMALLOC

    @property
    def has_rmap(self) -> bool:
        """Whether the rmap arrays are allocated (``kvm_memslots_have_rmaps``, arch/x86/kvm/mmu.h)."""
        return self.arch == "x86-64" and (not self.tdp_mmu or self.nested or self.kernel < _LAZY_RMAP)

    @property
    def has_gfn_track(self) -> bool:
        """Whether gfn_track is allocated (``kvm_page_track_write_tracking_enabled``, arch/x86/kvm/mmu/page_track.c)."""
        tdp = self.tdp_mmu if self.tdp is None else self.tdp
        return self.arch == "x86-64" and (
            self.external_write_tracking or not tdp or self.nested or self.kernel < _LAZY_WRITE_TRACKING
        )

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
        pages, first, count = self._distinct(sizes, bases)
        arrays = self._arrays(pages, first, dirty_log=dirty_log)
        weight = count * self.address_spaces
        spans, small = _vmalloc(np.stack(list(arrays.values())), self.page_size) if rounded else (None, None)
        by_part = dict.fromkeys(_DESCRIPTIONS, 0)
        for row, ((part, _), array) in enumerate(arrays.items()):
            by_part[part] += int((array if spans is None else spans[row]) @ weight)
        slots = int(weight.sum())
        around = slots * _SLOT_STRUCT if small is None else slots * _SLOT_SLAB + int(small.sum(axis=0) @ weight)
        return KvmCost(
            parts=tuple(
                Part(name, by_part[name], formula, when, source)
                for name, (formula, when, source) in _DESCRIPTIONS.items()
            ),
            slab=Part("slab", around, *_SLAB_DESCRIPTION),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON takes them."""
        return asdict(self) | {"kernel": list(self.kernel)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Make a host from `to_json`'s fields; missing ones have their defaults.

        Raises
        ------
        BadInput
            A field that does not exist, or a kernel version that is not two numbers.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise BadInput(f"a KVM host has no field {unknown[0]!r}: give {', '.join(sorted(known))}")
        values = dict(data)
        if "kernel" in values:
            kernel = values["kernel"]
            values["kernel"] = kernel_version(kernel if isinstance(kernel, str) else ".".join(map(str, kernel)))
        return cls(**values)

    def _distinct(self, sizes: Sizes, bases: Sizes | None) -> tuple[_Ints, _Ints, _Ints]:
        """Return pages, first page within its GiB, and number of the slots that cost the same."""
        size = _integers(sizes, "size")
        base = np.zeros_like(size) if bases is None else _integers(bases, "start")
        if size.shape != base.shape:
            raise BadInput(f"{size.size} memslot sizes but {base.size} start addresses: give one start for each size")
        for values, what, least in ((size, "size", self.page_size), (base, "start", 0)):
            wrong = values[(values % self.page_size != 0) | (values < least)]
            if wrong.size:
                at_least = " of at least one page; leave empty slots out" if least else ""
                raise BadInput(
                    f"memslot {what} {wrong[0]} is not a multiple of {format_size(self.page_size)}{at_least}"
                )
        pages = size // self.page_size
        if pages.size and pages.max() > MAX_SLOT_PAGES:
            limit = MAX_SLOT_PAGES * self.page_size
            raise BadInput(
                f"memslot size {size.max()} is too large: KVM takes at most "
                f"{MAX_SLOT_PAGES} pages ({limit} bytes) per slot, cut it into several"
            )
        per_gib = GiB // self.page_size
        # pages has 31 bits and the rest at most 18: one int64 says all that matters
        key, count = np.unique(pages * per_gib + base // self.page_size % per_gib, return_counts=True)
        return key // per_gib, key % per_gib, count

    def _arrays(self, pages: _Ints, first: _Ints, *, dirty_log: bool) -> dict[tuple[str, str], _Ints]:
        """Return the bytes of each array by part and level, one column per distinct slot; 0 where not allocated."""
        nothing = np.zeros_like(pages)
        last = first + pages - 1
        by_2m, by_1g = ((last >> shift) - (first >> shift) + 1 for shift in (9, 18))
        x86 = self.arch == "x86-64"
        bitmap = dirty_log and self.dirty_tracking != "ring"
        return {
            ("rmap", "4K"): 8 * pages if self.has_rmap else nothing,
            ("rmap", "2M"): 8 * by_2m if self.has_rmap else nothing,
            ("rmap", "1G"): 8 * by_1g if self.has_rmap else nothing,
            ("gfn_track", "4K"): 2 * pages if self.has_gfn_track else nothing,
            ("lpage_info", "2M"): 4 * by_2m if x86 else nothing,
            ("lpage_info", "1G"): 4 * by_1g if x86 else nothing,
            ("dirty_bitmap", "4K"): 2 * 8 * -(-pages // 64) if bitmap else nothing,
        }


_DESCRIPTIONS: Final = {
    "rmap": (
        "8 * (pages(4K) + pages(2M) + pages(1G))",
        "without the TDP MMU; with it only once a nested guest ran (before Linux 5.14: always)",
        "memslot_rmap_alloc, arch/x86/kvm/x86.c; lazily since d501f747ef5c (5.14)",
    ),
    "gfn_track": (
        "2 * n",
        "without EPT/NPT, with external write tracking, or once a nested guest ran (before Linux 5.16: always)",
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
    "512 + 168 * vmalloc areas + short page lists",
    "always; not exact, no part of the total",
    "struct kvm_memory_slot (about 264 bytes), struct vmap_area, struct vm_struct; /proc/slabinfo of Linux 6.18",
)


def kernel_version(release: str) -> tuple[int, int]:
    """Read major and minor version from a kernel release such as ``6.18.44-generic``.

    Raises
    ------
    BadInput
        The text does not start with two numbers.
    """
    match = re.match(r"(\d+)\.(\d+)", release)
    if not match:
        raise BadInput(f"kernel release {release!r} does not start with two numbers: give one such as '6.18'")
    return int(match[1]), int(match[2])


def _integers(values: Sizes, what: str) -> _Ints:
    array = np.asarray(values if isinstance(values, np.ndarray) else list(values))
    if not array.size:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.dtype.kind == "u" and array.max() >= 1 << 63):
        raise BadInput(f"memslot {what}s must be one list of whole bytes below 2^63, not {array.flat[0]!r} and so on")
    return array.astype(np.int64)


def _vmalloc(arrays: _Ints, page_size: int) -> tuple[_Ints, _Ints]:
    """Return the bytes of the vmalloc areas behind each array, and the slab bytes around them.

    An array of 0 bytes does not exist. The rule for the page list is ``__vmalloc_area_node`` in mm/vmalloc.c.
    """
    spans, small = np.zeros_like(arrays), np.zeros_like(arrays)
    area = arrays
    while area.any():
        pages = -(-area // page_size)
        spans += pages * page_size
        page_list = pages * _POINTER
        is_area = page_list > page_size
        listed = np.where(is_area, 0, _KMALLOC[np.searchsorted(_KMALLOC, np.where(is_area, 0, page_list))])
        small += np.where(pages > 0, _AREA_SLAB + listed, 0)
        area = np.where(is_area, page_list, 0)
    return spans, small
