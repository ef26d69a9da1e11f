"""Consumers of memslots: KVM and the vhost back ends; their limits, and how each counts.

Sources: accel/kvm/kvm-all.c, hw/virtio/vhost.c, hw/virtio/vhost-user.c (QEMU 6.2 to 10.0), RFC patches 02, 03, 05.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from workbook.lib.memory.flatview import FlatRange
from workbook.lib.memory.region import RegionKind
from workbook.lib.size import round_down, round_up

__all__ = (
    "UINT_MAX",
    "VHOST_KERNEL_DEFAULT",
    "VHOST_USER_BASELINE",
    "GlobalVhostCount",
    "KindVhostCount",
    "PerDeviceVhostCount",
    "VhostBackend",
    "VhostCount",
    "smallest_limit",
    "u32",
)

UINT_MAX: Final = (1 << 32) - 1
VHOST_USER_BASELINE: Final = 8
"""VHOST_MEMORY_BASELINE_NREGIONS: a vhost-user back end without CONFIGURE_MEM_SLOTS."""
VHOST_KERNEL_DEFAULT: Final = 64
"""max_mem_regions of the kernel's vhost module unless set."""
_DIRTY_MEMORY_HARMLESS: Final = 0b110
"""DIRTY_MEMORY_CODE and DIRTY_MEMORY_MIGRATION: vhost takes sections that only these clients log."""


def u32(value: int) -> int:
    """Wrap as a C ``unsigned int``."""
    return value & UINT_MAX


@dataclass(frozen=True, slots=True)
class VhostBackend:
    """One vhost back end as a consumer of memory sections.

    Attributes
    ----------
    limit
        Memslots that it takes, after QEMU's own cap.
    kernel
        vhost in the kernel: takes RAM without a file descriptor too, and needs no page alignment.
    """

    id: str
    limit: int
    kernel: bool = False

    def accepts(self, section: FlatRange) -> bool:
        """Return whether QEMU hands a section to this back end (``vhost_section``)."""
        region = section.region
        return (
            region.kind in (RegionKind.RAM, RegionKind.RAMD)
            and not region.readonly
            and not region.dirty_log_mask & ~_DIRTY_MEMORY_HARMLESS
            and (self.kernel or region.has_fd)
        )

    def sections(self, ranges: Iterable[FlatRange]) -> tuple[FlatRange, ...]:
        """Filter and merge flat ranges to this back end's memory regions (``vhost_region_add_section``).

        vhost merges a second time, by host address: neighbours of one region whose offsets follow each
        other, unless one of the two is unmergeable (RFC patch 05). vhost-user looks at sections rounded to
        the page size of their RAM; one that then overlaps the section before it incoherently is left out, with
        an error line.
        """
        merged: list[FlatRange] = []
        for section in ranges:
            if not self.accepts(section):
                continue
            gpa, offset, size = section.start, section.offset, section.size
            if not self.kernel:
                shift = offset - round_down(offset, section.region.page_size)
                gpa, offset = gpa - shift, offset - shift
                size = round_up(size + shift, section.region.page_size)
            if merged and not section.unmergeable and gpa <= merged[-1].end:
                last = merged[-1]
                if gpa < last.start:
                    continue  # QEMU reports it and leaves the section out
                same_host = last.region == section.region and last.offset + (gpa - last.start) == offset
                if same_host and not last.unmergeable:
                    merged[-1] = last._replace(size=max(last.end, gpa + size) - last.start)
                    continue
                if gpa != last.end:
                    continue  # likewise: overlapping but not coherent
            merged.append(section)
        return tuple(merged)


class VhostCount(Protocol):
    """How a QEMU version keeps account of the memslots that vhost back ends use."""

    def committed(self, backend: VhostBackend, used: int) -> None:
        """Note that `backend` has a new table of `used` regions."""

    def removed(self, backend: VhostBackend) -> None:
        """Note that `backend` was removed, or refused after it had registered."""

    def used(self, backend: VhostBackend) -> int:
        """Return what QEMU believes that `backend` uses."""

    def free(self, backends: Sequence[VhostBackend]) -> int:
        """Return what QEMU believes that every back end has free; 2^32 - 1 without back ends."""


@dataclass
class PerDeviceVhostCount:
    """Every device has its own count (QEMU since June 2025, ``20250603111336.1858888-1-david@redhat.com``)."""

    _used: dict[str, int] = field(default_factory=dict)

    def committed(self, backend: VhostBackend, used: int) -> None:
        """Note the size of a device's table."""
        self._used[backend.id] = used

    def removed(self, backend: VhostBackend) -> None:
        """Forget the device."""
        self._used.pop(backend.id, None)

    def used(self, backend: VhostBackend) -> int:
        """Return the size of the device's table."""
        return self._used.get(backend.id, 0)

    def free(self, backends: Sequence[VhostBackend]) -> int:
        """Return the smallest remainder; a device above its limit has none."""
        return min((max(one.limit - self.used(one), 0) for one in backends), default=UINT_MAX)


@dataclass
class GlobalVhostCount:
    """One file-global counter: the last device that committed wins, a removed one sets it to 0.

    QEMU before 8.2, and so the RFC series (RFC patch 03; "used > limit" wraps).
    """

    _used: int = 0

    def committed(self, backend: VhostBackend, used: int) -> None:  # noqa: ARG002 - this QEMU does not look whose it is
        """Note the size of the newest table, whoever sent it."""
        self._used = used

    def removed(self, backend: VhostBackend) -> None:  # noqa: ARG002 - see above
        """Unregistering a listener commits an empty table."""
        self._used = 0

    def used(self, backend: VhostBackend) -> int:  # noqa: ARG002 - see above
        """Return the global counter."""
        return self._used

    def free(self, backends: Sequence[VhostBackend]) -> int:
        """Return the smallest limit less the counter, as unsigned."""
        return u32(min((one.limit for one in backends), default=UINT_MAX) - self._used)


@dataclass
class KindVhostCount:
    """One global counter for back ends that see only shared memory (vhost-user), one for the others (QEMU 8.2).

    Of each kind the last device that committed wins, and a removed or refused one sets it to 0; "used > limit"
    wraps.
    """

    _kernel: GlobalVhostCount = field(default_factory=GlobalVhostCount)
    _user: GlobalVhostCount = field(default_factory=GlobalVhostCount)

    def _of(self, backend: VhostBackend) -> GlobalVhostCount:
        return self._kernel if backend.kernel else self._user

    def committed(self, backend: VhostBackend, used: int) -> None:
        """Note the size of the newest table of this kind."""
        self._of(backend).committed(backend, used)

    def removed(self, backend: VhostBackend) -> None:
        """Unregistering a listener commits an empty table."""
        self._of(backend).removed(backend)

    def used(self, backend: VhostBackend) -> int:
        """Return the counter of the back end's kind."""
        return self._of(backend).used(backend)

    def free(self, backends: Sequence[VhostBackend]) -> int:
        """Return the smallest remainder, as unsigned; 2^32 - 1 without back ends."""
        return min((u32(one.limit - self.used(one)) for one in backends), default=UINT_MAX)


def smallest_limit(backends: Sequence[VhostBackend]) -> int:
    """Return the smallest limit of all back ends; 2^32 - 1 without any."""
    return min((one.limit for one in backends), default=UINT_MAX)
