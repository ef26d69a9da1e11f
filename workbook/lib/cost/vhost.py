"""Cost of a memory region for a vhost back end: its table, its mappings and its file descriptors.

============== ============================= ==================== ===================== ==============================
program        bytes                         VMAs per region      descriptors per       at most
                                                                  region
============== ============================= ==================== ===================== ==============================
kernel         96 per region                 0                    0                     ``max_mem_regions``, else -E2BIG
libvhost-user  40 x 509, always              1                    0                     509
rust-vmm       a file and a mapping          1                    1                     RLIMIT_NOFILE
============== ============================= ==================== ===================== ==============================
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from workbook.lib.errors import BadInput

from .parts import Cost, Part

__all__ = (
    "MAX_MAP_COUNT",
    "REGIONS_PER_MESSAGE",
    "VhostProgram",
    "VhostTable",
    "set_mem_table_messages",
    "vhost_table",
)

VhostProgram: TypeAlias = Literal["kernel", "libvhost-user", "rust-vmm"]

REGIONS_PER_MESSAGE: Final = 8
"""Most regions, and so descriptors, of one SET_MEM_TABLE (``VHOST_MEMORY_BASELINE_NREGIONS``, QEMU).
More need ADD_MEM_REG: one message with one descriptor per region."""

MAX_MAP_COUNT: Final = 65530
"""Default of ``vm.max_map_count``: VMAs that a process may have (mm/util.c, Linux)."""

_IOTLB_MAP: Final = 96  # struct vhost_iotlb_map, kmalloc-96 (drivers/vhost/iotlb.c, Linux 7.3)
_REGION_COPIED: Final = 32  # struct vhost_memory_region
_LIBVHOST_REGION: Final = 40  # VuDevRegion, libvhost-user of QEMU 9.0 and later
_LIBVHOST_REGIONS: Final = 509  # VHOST_USER_MAX_RAM_SLOTS


@dataclass(frozen=True, slots=True)
class VhostTable:
    """What the memory table of one vhost device costs.

    Parameters
    ----------
    cost
        Bytes in the back end.
    vmas
        Mappings of the back end's process, of `MAX_MAP_COUNT` by default.
    fds
        Descriptors that it keeps open, of RLIMIT_NOFILE (1,024 by default).
    copied_per_update
        Bytes that are copied at every change of the table, whatever changed.
    """

    cost: Cost
    vmas: int
    fds: int
    copied_per_update: int


def vhost_table(program: VhostProgram, regions: int) -> VhostTable:
    """Return what `regions` memory regions cost the back end of one device.

    Raises
    ------
    BadInput
        A number below 0, or a program that is not known.
    """
    if regions < 0:
        raise BadInput(f"{regions} memory regions cannot be: give 0 or more")
    if program == "kernel":
        # the old table stays until the new one is complete: vhost_set_memory rebuilds it each time
        table = Part(
            "vhost_iotlb_map", regions * _IOTLB_MAP, "96 per region", "always", "drivers/vhost/iotlb.c, Linux 7.3"
        )
        return VhostTable(Cost((table,)), 0, 0, regions * (_IOTLB_MAP + _REGION_COPIED))
    if program == "libvhost-user":
        array = Part(
            "VuDevRegion",
            _LIBVHOST_REGION * _LIBVHOST_REGIONS,
            "40 * 509",
            "always, from the start of the device",
            "subprojects/libvhost-user, QEMU 9.0 and later",
        )
        return VhostTable(Cost((array,)), regions, 0, 0)
    if program == "rust-vmm":
        mapping = Part("GuestRegionMmap", 0, "not counted", "a mapping and an open file per region", "vm-memory")
        return VhostTable(Cost((mapping,)), regions, regions, 0)
    raise BadInput(f"vhost back end {program!r:.40} is not known: give kernel, libvhost-user or rust-vmm")


def set_mem_table_messages(regions: int, *, configure_mem_slots: bool) -> tuple[int, int]:
    """Return the vhost-user messages and descriptors that tell a started back end of all `regions`.

    Parameters
    ----------
    regions
        Memory regions of the device.
    configure_mem_slots
        The back end offers VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS: one ADD_MEM_REG per region. Without it there is
        one SET_MEM_TABLE, which takes `REGIONS_PER_MESSAGE` regions.

    Raises
    ------
    BadInput
        More regions than a table of that back end has.
    """
    if configure_mem_slots:
        return regions, regions
    if not 0 <= regions <= REGIONS_PER_MESSAGE:
        raise BadInput(f"{regions} regions do not fit into SET_MEM_TABLE: it takes {REGIONS_PER_MESSAGE}")
    return 1, regions
