"""What memslots and memory devices cost QEMU: its bitmaps, in bytes.

QEMU keeps one bit per page, or per block of pages, in several places. Only some of them follow the memory that is
mapped; the others follow the whole memory backend, so cutting a device into memslots saves nothing there. KVM's own
metadata is in `workbook.lib.overhead`, a vhost back end's in `workbook.lib.cost.vhost`.

============== ================================ ======================================= ====================
part           one bit per                      over                                    separate slots help?
============== ================================ ======================================= ====================
dirty_bmap     host page                        each mapped memslot, per address space  yes
bmap           target page                      each RAM block as a whole               no
clear_bmap     2^shift target pages             each RAM block as a whole               no
dirty_memory   target page, three times         all of the RAM address space            no
bitmap         block of a virtio-mem device     the device                              no
vhost_log      4 KiB page                       0 to the highest mapped address         while it is low
============== ================================ ======================================= ====================
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.size import KiB, format_size, round_up

from .parts import Cost, Part

__all__ = (
    "DIRTY_MEMORY_BLOCK_PAGES",
    "KVM_SLOT",
    "VHOST_LOG_CHUNK",
    "VHOST_LOG_SLACK",
    "QemuProcess",
    "clear_bitmap",
    "dirty_memory",
    "kvm_slots_array",
    "memslot_bitmap",
    "ram_block_bitmap",
    "vhost_log",
    "virtio_mem_bitmap",
)

DIRTY_MEMORY_BLOCK_PAGES: Final = 2097152
"""Target pages per block of ``ram_list.dirty_memory``: 256 KiB of bits (``DIRTY_MEMORY_BLOCK_SIZE``, QEMU 10.0)."""

VHOST_LOG_CHUNK: Final = 256 * KiB
"""Guest memory per 8-byte word of the vhost log (``VHOST_LOG_CHUNK``, include/hw/virtio/vhost.h, QEMU 10.0)."""

VHOST_LOG_SLACK: Final = 4 * KiB
"""Bytes that a growing vhost log is made larger than needed (``VHOST_LOG_BUFFER``, hw/virtio/vhost.c, QEMU 10.0)."""

KVM_SLOT: Final = 88
"""Bytes of ``struct KVMSlot`` (include/system/kvm_int.h, QEMU 10.2)."""

_FIRST_SLOTS: Final = 16  # KVM_MEMSLOTS_NR_ALLOC_DEFAULT, QEMU 9.2 and later
_DIRTY_MEMORY_CLIENTS: Final = 3  # VGA, CODE, MIGRATION
_LONG: Final = 64  # bits
_CLEAR_SHIFTS: Final = range(6, 32)


def kvm_slots_array(slots: int, *, limit: int = KVM_SLOTS_TODAY, grows: bool = True) -> int:
    """Return the bytes of the array of ``KVMSlot`` of one listener, that is of one KVM address space.

    Parameters
    ----------
    slots
        Memslots in use.
    limit
        KVM_CAP_NR_MEMSLOTS.
    grows
        QEMU 9.2 and later: 16 entries, doubled when they are all in use, up to the limit (accel/kvm/kvm-all.c). Before,
        the array had the limit from the start. A QEMU that has grown it does not shrink it.

    Raises
    ------
    BadInput
        More memslots than KVM has.

    Examples
    --------
    >>> kvm_slots_array(3), kvm_slots_array(3, grows=False)
    (1408, 2883232)
    """
    if not 0 <= slots <= limit:
        raise BadInput(f"{slots} memslots cannot be: KVM has 0 to {limit}")
    entries = _FIRST_SLOTS if grows else limit
    while entries < slots:
        entries *= 2
    return KVM_SLOT * min(entries, limit)


def memslot_bitmap(size: int, *, host_page: int = 4 * KiB) -> int:
    """Return the bytes of ``KVMSlot.dirty_bmap`` for a memslot of `size` bytes (accel/kvm/kvm-all.c, QEMU 10.0).

    Raises
    ------
    BadInput
        `size` is no multiple of `host_page`.
    """
    return _bits(_pages(size, host_page, "memslot"))


def ram_block_bitmap(size: int, *, target_page: int = 4 * KiB) -> int:
    """Return the bytes of ``RAMBlock.bmap`` for a block of `size` bytes (migration/ram.c, QEMU 10.0).

    Raises
    ------
    BadInput
        `size` is no multiple of `target_page`.
    """
    return _bits(_pages(size, target_page, "RAM block"))


def clear_bitmap(size: int, *, shift: int = 18, target_page: int = 4 * KiB) -> int:
    """Return the bytes of ``RAMBlock.clear_bmap`` for a block of `size` bytes (migration/ram.c, QEMU 10.0).

    Parameters
    ----------
    size
        Bytes of the RAM block.
    shift
        Pages per bit as a power of two (``x-clear-bitmap-shift``); 18 is 1 GiB per bit.
    target_page
        The target's page in bytes.

    Raises
    ------
    BadInput
        `size` is no multiple of `target_page`, or `shift` is not 6 to 31.
    """
    if shift not in _CLEAR_SHIFTS:
        raise BadInput(f"clear-bitmap shift {shift} is out of range: give 6 to 31")
    return _bits(-(-_pages(size, target_page, "RAM block") // (1 << shift)))


def dirty_memory(ram_end: int, *, target_page: int = 4 * KiB) -> int:
    """Return the bytes of the three ``ram_list.dirty_memory`` bitmaps (system/physmem.c, QEMU 10.0).

    Parameters
    ----------
    ram_end
        End of the last RAM block in QEMU's own RAM address space; at least the sum of all blocks' sizes.
    target_page
        The target's page in bytes.

    Raises
    ------
    BadInput
        `ram_end` is no multiple of `target_page`.
    """
    blocks = -(-_pages(ram_end, target_page, "RAM address space") // DIRTY_MEMORY_BLOCK_PAGES)
    return _DIRTY_MEMORY_CLIENTS * blocks * DIRTY_MEMORY_BLOCK_PAGES // 8


def virtio_mem_bitmap(size: int, block_size: int) -> int:
    """Return the bytes of a virtio-mem device's bitmap of plugged blocks (hw/virtio/virtio-mem.c, QEMU 10.0).

    Raises
    ------
    BadInput
        `size` is no multiple of `block_size`.
    """
    return _bits(_pages(size, block_size, "virtio-mem device"))


def vhost_log(last: int, *, current: int = 0) -> int:
    """Return the bytes of the vhost dirty log (``vhost_get_log_size``, ``vhost_commit``; hw/virtio/vhost.c, QEMU 10.0).

    Parameters
    ----------
    last
        Highest guest physical address of any mapped region (its last byte).
    current
        Bytes of the log that exists already when the regions change during a migration; 0: the log is just made. A log
        that is too small grows by `VHOST_LOG_SLACK` more than needed; one that is larger than needed by more than the
        slack shrinks to what is needed; any other stays.

    Raises
    ------
    BadInput
        An address below 0.

    Examples
    --------
    >>> vhost_log(0x13FFFFFFF) // 1024
    160
    """
    if last < 0 or current < 0:
        raise BadInput(f"vhost log for last address {last} of {current} bytes: both must be 0 or more")
    needed = 8 * (last // VHOST_LOG_CHUNK + 1)
    if not current or current > needed + VHOST_LOG_SLACK:
        return needed
    return needed + VHOST_LOG_SLACK if current < needed else current


@dataclass(frozen=True, slots=True)
class QemuProcess:
    """A QEMU process as far as it decides how large its bitmaps are.

    Parameters
    ----------
    smm
        The machine has SMM under KVM: every memslot exists in two address spaces.
    host_page, target_page
        Pages of the host and of the guest's architecture in bytes.
    clear_bitmap_shift
        Pages per bit of ``clear_bmap`` as a power of two, 6 to 31.
    """

    smm: bool = False
    host_page: int = 4 * KiB
    target_page: int = 4 * KiB
    clear_bitmap_shift: int = 18

    def metadata(
        self,
        slots: Iterable[int],
        ram_blocks: Iterable[int],
        *,
        devices: Iterable[tuple[int, int]] = (),
        migrating: bool = False,
        dirty_log: bool | None = None,
        vhost_last: int | None = None,
    ) -> Cost:
        """Return the parts of the table at the top, in its order.

        Parameters
        ----------
        slots
            Bytes of each mapped memslot.
        ram_blocks
            Bytes of each RAM block, complete memory backends included.
        devices
            Size and block size in bytes of each virtio-mem device.
        migrating
            A migration is running.
        dirty_log
            The memslots have logged dirty pages since they were made (a bitmap stays until its slot goes away);
            None: as `migrating`.
        vhost_last
            Last mapped address that a vhost device sees; None: no vhost device.

        Raises
        ------
        BadInput
            As for the functions of this module.
        """
        blocks = list(ram_blocks)
        spaces = 2 if self.smm else 1
        logged = migrating if dirty_log is None else dirty_log
        in_slots = spaces * sum(memslot_bitmap(size, host_page=self.host_page) for size in slots)
        bmap = sum(ram_block_bitmap(size, target_page=self.target_page) for size in blocks)
        clear = sum(clear_bitmap(b, shift=self.clear_bitmap_shift, target_page=self.target_page) for b in blocks)
        log = 0 if vhost_last is None else vhost_log(vhost_last)
        return Cost(
            (
                Part("dirty_bmap", in_slots if logged else 0, *_DIRTY_BMAP),
                Part("bmap", bmap if migrating else 0, *_BMAP),
                Part("clear_bmap", clear if migrating else 0, *_CLEAR_BMAP),
                Part("dirty_memory", dirty_memory(sum(blocks), target_page=self.target_page), *_DIRTY_MEMORY),
                Part("bitmap", sum(virtio_mem_bitmap(*device) for device in devices), *_BITMAP),
                Part("vhost_log", log if migrating else 0, *_VHOST_LOG),
            )
        )


# formula, when, source
_DIRTY_BMAP: Final = (
    "up(slot / host page, 64) / 8, per slot and address space",
    "once a memslot logs dirty pages, until the slot goes away",
    "KVMSlot.dirty_bmap: accel/kvm/kvm-all.c, QEMU 10.0",
)
_BMAP: Final = (
    "up(RAM block / target page, 64) / 8",
    "during migration, whole block",
    "RAMBlock.bmap: migration/ram.c, QEMU 10.0",
)
_CLEAR_BMAP: Final = (
    "up(ceil(RAM block / target page / 2^shift), 64) / 8",
    "during migration, whole block",
    "RAMBlock.clear_bmap: migration/ram.c, QEMU 10.0",
)
_DIRTY_MEMORY: Final = (
    "3 * ceil(last RAM page / 2097152) * 256 KiB",
    "always, complete backends included",
    "ram_list.dirty_memory: system/physmem.c, QEMU 10.0",
)
_BITMAP: Final = (
    "up(device / block size, 64) / 8",
    "always",
    "VirtIOMEM.bitmap: hw/virtio/virtio-mem.c, QEMU 10.0",
)
_VHOST_LOG: Final = (
    "8 * (floor(last address / 256 KiB) + 1)",
    "during migration with a vhost device; up to 4 KiB more after it grew",
    "vhost_get_log_size: hw/virtio/vhost.c, QEMU 10.0",
)


def _bits(number: int) -> int:
    return round_up(number, _LONG) // 8


def _pages(size: int, page: int, what: str) -> int:
    if size < 0 or page <= 0 or size % page:
        raise BadInput(f"{what} size {size} is not a multiple of {format_size(page)}: give whole pages or blocks")
    return size // page
