"""Behaviour of a QEMU version around memory devices, apart from memslots: checks, messages, accounting, machine types.

A behaviour is the oldest one with every `Change` up to its version; what changed for users between two versions is the
same table read otherwise. Sources are QEMU's own: file, commit, release.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Final, Literal

from workbook.lib.consumers.vhost_backend import GlobalVhostCount, KindVhostCount, PerDeviceVhostCount, VhostCount
from workbook.lib.errors import BadInput, Refusal

from .memslot_limits import BEFORE_RESERVATIONS, MemslotAccounting

__all__ = ("CHANGES", "OLDEST", "Change", "QemuBehaviour", "Version", "behaviour_of", "changes_between")

Version = tuple[int, int, int]
"""Major, minor, patch level."""
OLDEST: Final[Version] = (6, 2, 0)

_OLD_WORDS: Final = "memory devices (e.g. for memory hotplug) are not enabled, please specify the maxmem option"
_NEW_WORDS: Final = (
    "the configuration is not prepared for memory devices (e.g., for memory hotplug), "
    "consider specifying the maxmem option"
)
_NOT_UNPLUGGED: Final = "virtio based memory devices cannot be unplugged."


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuBehaviour:
    """Behaviour of one QEMU version; the defaults are those of `OLDEST`.

    Attributes
    ----------
    version
        Major, minor, patch level.
    dynamic_memslots
        virtio-mem has the property ``dynamic-memslots``.
    accounting
        How it checks that a memory device or a vhost device finds its memslots.
    vhost_count
        How it counts the memslots that vhost devices use.
    vhost_user_max
        VHOST_USER_MAX_RAM_SLOTS on x86 (hw/virtio/vhost-user.c).
    no_device_memory
        What it says without maxmem.
    device_memory_first
        Plugging looks for the device-memory area before it looks for memslots.
    size_check
        What a device's size must be a multiple of: the alignment of its address, nothing, or the alignment of its
        memory backend.
    legacy_alignment
        DIMMs on machine types up to 2.1 are aligned to the target page, whatever their backend needs.
    resets_memory_first
        A system reset unplugs virtio-mem before it stops vhost devices, so that these see it.
    unplug_all_when_empty
        UNPLUG_ALL and reset succeed on an empty device while migrating.
    unpluggable
        virtio-mem devices can be removed.
    plugged_words
        Why a virtio-mem device with plugged memory cannot be removed.
    pmem_unplug_error
        The answer to the removal of a virtio-pmem device.
    shared_memory_has_fd
        memory-backend-ram,share=on has a file descriptor, so that vhost-user can map it.
    vhost_user_needs_shared
        vhost-user leaves out RAM that is not mapped shared, though it has a file descriptor.
    stops_removed_vhost
        A vhost device is stopped before it is removed.
    ring_failure
        QEMU's reaction when a started virtqueue no longer lies in one region.
    discard_warning
        The function that warns of discarding privately mapped files; None: no warning.
    refuses_prealloc_memdev
        A memory backend with prealloc=on is refused for virtio-mem.
    incoming_is_asynchronous
        ``migrate-incoming`` is answered before the stream is loaded.
    vfio_check
        The function that checks whether DMA mappings may run out.
    vfio_check_is_error
        Its finding refuses the VFIO device, or ends a running VM; else it is a warning.
    vfio_iommufd
        vfio-pci can use iommufd instead of a type1 container.
    confidential_virtio_mem
        virtio-mem in a confidential VM: ``blocked`` by the discard check, ``no manager`` (refused as a
        second RamDiscardManager), or ``allowed``.
    wakeup_keeps_memory
        Waking up from suspend keeps virtio-mem plugged; before, it unplugged as every reset.
    kvm_slots_grow
        QEMU's array of KVM memslots grows on demand; before, it had the maximum from the start.
    libvhost_user_slots
        Memslots that back ends take which are built on this QEMU's libvhost-user.
    names_unsupported_machine
        The refusal of a machine type that it does not have names it.
    ram_size_words
        What it says to RAM that is larger than it can address.
    vhost_user_base
        vhost-user-rng, -i2c and -gpio are started by vhost-user-base, which names itself where that fails.
    nvdimm_without_acpi
        aarch64's ``virt`` takes an NVDIMM without firmware and ACPI.
    s390x_virtio_mem
        virtio-mem exists on s390x.
    q35_window_needs_smm
        On q35 without SMM the VGA window does not hide the RAM behind it.
    """

    version: Version = OLDEST
    dynamic_memslots: bool = False
    accounting: MemslotAccounting = BEFORE_RESERVATIONS
    vhost_count: type[VhostCount] = GlobalVhostCount
    vhost_user_max: int = 256
    no_device_memory: str = _OLD_WORDS
    device_memory_first: bool = True
    size_check: Literal["address alignment", "none", "backend alignment"] = "address alignment"
    legacy_alignment: bool = True
    resets_memory_first: bool = False
    unplug_all_when_empty: bool = False
    unpluggable: bool = False
    plugged_words: str = "'size' != '0'"
    pmem_unplug_error: str = _NOT_UNPLUGGED
    shared_memory_has_fd: bool = False
    vhost_user_needs_shared: bool = False
    stops_removed_vhost: bool = False
    ring_failure: Literal["abort", "broken"] = "abort"
    discard_warning: str | None = None
    refuses_prealloc_memdev: bool = False
    incoming_is_asynchronous: bool = True
    vfio_check: str = "vfio_register_ram_discard_listener"
    vfio_check_is_error: bool = False
    vfio_iommufd: bool = False
    confidential_virtio_mem: Literal["blocked", "no manager", "allowed"] = "blocked"
    wakeup_keeps_memory: bool = False
    kvm_slots_grow: bool = False
    libvhost_user_slots: int = 32
    names_unsupported_machine: bool = False
    ram_size_words: str = "ram size too large"
    vhost_user_base: bool = False
    nvdimm_without_acpi: bool = False
    s390x_virtio_mem: bool = False
    q35_window_needs_smm: bool = False

    @property
    def oldest_machine(self) -> dict[str, tuple[int, int]]:
        """The oldest versioned machine type of each chipset that this QEMU has.

        Since 10.1 a machine type is removed six years after its release (MACHINE_VER_DELETION, hw/core/boards.h).
        """
        major, minor, _ = self.version
        if (major, minor) >= (10, 1):
            oldest = _next_release((major - 6, minor))
            return {"q35": oldest, "pc": oldest}
        i440fx = (2, 4) if (major, minor) >= (9, 1) else (2, 0) if (major, minor) >= (8, 2) else (1, 4)
        return {"q35": (2, 4), "pc": i440fx}

    def has_machine(self, chipset: str, machine_version: tuple[int, int]) -> bool:
        """Return whether this QEMU has the machine type of that chipset (``q35``, ``pc``) and version."""
        return self.oldest_machine.get(chipset, (0, 0)) <= machine_version <= self.version[:2]

    def check_machine(self, chipset: str, machine_version: tuple[int, int]) -> None:
        """Check that this QEMU has a machine type (``select_machine``, system/vl.c).

        Raises
        ------
        Refusal
            It has no longer, or not yet.
        """
        if self.has_machine(chipset, machine_version):
            return
        name = "pc-{}-{}.{}".format({"pc": "i440fx"}.get(chipset, chipset), *machine_version)
        oldest, (major, minor, _) = self.oldest_machine[chipset], self.version
        named = f': "{name}"' if self.names_unsupported_machine else ""
        raise Refusal(
            f"unsupported machine type{named}\nUse -machine help to list supported machines",
            f"QEMU {major}.{minor} has {chipset} from {oldest[0]}.{oldest[1]} to {major}.{minor}",
        )


def _next_release(version: tuple[int, int]) -> tuple[int, int]:
    """Return the release after `version`: three a year, x.0 to x.2."""
    major, minor = version
    return (major, minor + 1) if minor < 2 else (major + 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a QEMU version does otherwise than the one before.

    Attributes
    ----------
    since
        First release that does so.
    field
        Name in `QemuBehaviour`.
    value
        What it is from then on.
    for_users
        What a user sees of it, one sentence.
    source
        Where that is known from.
    backport
        First patch level of an older stable branch that does so too.
    """

    since: Version
    field: str
    value: object
    for_users: str
    source: str
    backport: Version | None = None

    def holds_in(self, version: Version) -> bool:
        """Return whether `version` has the change."""
        if version >= self.since:
            return True
        return self.backport is not None and version[:2] == self.backport[:2] and version >= self.backport


CHANGES: Final = (
    Change(
        since=(8, 0, 0),
        field="refuses_prealloc_memdev",
        value=True,
        for_users="A memory backend with prealloc=on is refused for virtio-mem; prealloc=on of the device does it.",
        source="hw/virtio/virtio-mem.c, mail of 2 February 2023",
    ),
    Change(
        since=(8, 0, 0),
        field="incoming_is_asynchronous",
        value=False,
        for_users="migrate-incoming of a file is answered once the stream is loaded.",
        source="compared: QEMU 7.2 and 10.0",
    ),
    Change(
        since=(8, 1, 0),
        field="vhost_user_max",
        value=512,
        for_users="A vhost-user back end can have up to 512 memslots instead of 256.",
        source="hw/virtio/vhost-user.c, 20230503184144.808478-1-david@redhat.com",
    ),
    Change(
        since=(8, 1, 0),
        field="unpluggable",
        value=True,
        for_users="virtio-mem devices can be hot-unplugged.",
        source="hw/virtio/virtio-mem-pci.c, hw/virtio/virtio-md-pci.c",
    ),
    Change(
        since=(8, 1, 0),
        field="pmem_unplug_error",
        value="this virtio based memory devices cannot be unplugged",
        for_users="The refusal to unplug virtio-pmem has other words.",
        source="hw/virtio/virtio-md-pci.c",
    ),
    Change(
        since=(8, 1, 0),
        field="unplug_all_when_empty",
        value=True,
        for_users="A guest reset during migration succeeds where no memory is plugged.",
        source="hw/virtio/virtio-mem.c, commit 836f657b6a32",
    ),
    Change(
        since=(8, 1, 0),
        field="discard_warning",
        value="ram_block_discard_range",
        for_users="Discarding RAM of a privately mapped file is warned of, once.",
        source="softmmu/physmem.c",
    ),
    Change(
        since=(8, 1, 0),
        field="no_device_memory",
        value=_NEW_WORDS,
        for_users="A memory device without maxmem is refused with other words.",
        source="hw/mem/memory-device.c",
    ),
    Change(
        since=(8, 2, 0),
        field="dynamic_memslots",
        value=True,
        for_users="virtio-mem has dynamic-memslots=on: several memslots, mapped while they hold plugged blocks.",
        source="hw/virtio/virtio-mem.c, pull request 20231012143655.114631-1-david@redhat.com",
    ),
    Change(
        since=(8, 2, 0),
        field="accounting",
        value=MemslotAccounting(),
        for_users="Memslots promised to memory devices count when a device is plugged; refusals have other words.",
        source="hw/mem/memory-device.c, hw/virtio/vhost.c, commit 766aa0a654d8",
    ),
    Change(
        since=(8, 2, 0),
        field="vhost_count",
        value=KindVhostCount,
        for_users="Used memslots are counted apart for vhost-user and for vhost in the kernel.",
        source="hw/virtio/vhost.c, commit 552b25229cf7",
    ),
    Change(
        since=(8, 2, 0),
        field="size_check",
        value="none",
        for_users="A memory backend of an odd size is no longer refused by the alignment of its address.",
        source="hw/mem/memory-device.c, commit eb1b7c4bd413",
    ),
    Change(
        since=(8, 2, 0),
        field="resets_memory_first",
        value=True,
        for_users="At a reset, started vhost back ends see virtio-mem unplug.",
        source="compared: QEMU 7.2 and 10.0",
    ),
    Change(
        since=(8, 2, 0),
        field="stops_removed_vhost",
        value=True,
        for_users="A vhost back end that is unplugged is stopped first, and not told to forget its regions one by one.",
        source="compared: QEMU 7.2 and 10.0",
    ),
    Change(
        since=(9, 0, 0),
        field="size_check",
        value="backend alignment",
        for_users="A memory device whose size is no multiple of its memory backend's alignment is refused.",
        source="hw/mem/memory-device.c, commit 540a1abbf0b2",
    ),
    Change(
        since=(9, 0, 0),
        field="vfio_iommufd",
        value=True,
        for_users="vfio-pci can use iommufd, which has no limit of DMA mappings that QEMU checks.",
        source="hw/vfio/iommufd.c",
    ),
    Change(
        since=(9, 0, 0),
        field="libvhost_user_slots",
        value=509,
        for_users="Back ends built on libvhost-user take 509 memslots instead of 32.",
        source="subprojects/libvhost-user, 20240214151701.29906-1-david@redhat.com",
    ),
    Change(
        since=(9, 0, 0),
        field="vhost_user_base",
        value=True,
        for_users="Where a vhost-user-rng, -i2c or -gpio device cannot start, the message names vhost-user-base.",
        source="hw/virtio/vhost-user-base.c; seen in 10.0.2, not in 7.2.22; which release changed it is assumed",
    ),
    Change(
        since=(9, 0, 0),
        field="q35_window_needs_smm",
        value=True,
        for_users="q35 without SMM and with a VGA display has one vhost memslot less in use.",
        source="hw/pci-host/q35.c, smm-ranges; seen in 10.0.2, not in 7.2.22; which release changed it is assumed",
    ),
    Change(
        since=(9, 1, 0),
        field="legacy_alignment",
        value=False,
        for_users="The machine types with the old alignment of DIMMs (up to 2.1) are gone.",
        source="hw/mem/pc-dimm.c, commit 0e0bf77d28",
    ),
    Change(
        since=(9, 1, 0),
        field="plugged_words",
        value="some of its memory is still plugged",
        for_users="Unplugging a virtio-mem device that has plugged memory is refused with other words.",
        source="hw/virtio/virtio-mem.c, commit 4d13ae45ff",
    ),
    Change(
        since=(9, 2, 0),
        field="ram_size_words",
        value="ram size {size} exceeds permitted maximum {most}",
        for_users="RAM beyond what QEMU can address is refused with the numbers.",
        source="hw/core/machine.c, commit 235560b3a7",
    ),
    Change(
        since=(9, 2, 0),
        field="kvm_slots_grow",
        value=True,
        for_users="QEMU's own array of KVM memslots takes memory only as it grows.",
        source="accel/kvm/kvm-all.c, commit 5504a81261",
    ),
    Change(
        since=(10, 0, 0),
        field="names_unsupported_machine",
        value=True,
        for_users="The refusal of a machine type that is not there names it.",
        source="system/vl.c; compared: QEMU 7.2 and 10.0",
    ),
    Change(
        since=(10, 0, 0),
        field="wakeup_keeps_memory",
        value=True,
        for_users="Waking up from suspend keeps virtio-mem plugged.",
        source="hw/virtio/virtio-mem.c, commit 713484d038",
    ),
    Change(
        since=(10, 0, 0),
        field="shared_memory_has_fd",
        value=True,
        for_users="vhost-user can map memory-backend-ram,share=on, so that it takes memslots of its back ends.",
        source="system/physmem.c, commit 91792807d1",
    ),
    Change(
        since=(10, 0, 0),
        field="s390x_virtio_mem",
        value=True,
        for_users="s390x has virtio-mem.",
        source="hw/s390x/Kconfig, commit aa910c20ec",
    ),
    Change(
        since=(10, 1, 0),
        backport=(10, 0, 3),
        field="q35_window_needs_smm",
        value=False,
        for_users="q35 without SMM and with a VGA display has one vhost memslot more in use.",
        source="hw/pci-host/q35.c; seen in 10.0.13 and 11.1.3, not in 10.0.2; the patch level between is assumed",
    ),
    Change(
        since=(10, 1, 0),
        backport=(10, 0, 3),
        field="vhost_count",
        value=PerDeviceVhostCount,
        for_users="Used memslots are counted per vhost device: removing one no longer resets the others.",
        source="hw/virtio/vhost.c, commit 9f749129e2, 20250603111336.1858888-1-david@redhat.com",
    ),
    Change(
        since=(10, 1, 0),
        field="confidential_virtio_mem",
        value="no manager",
        for_users='virtio-mem in a confidential VM is refused as "Failed to set RamDiscardManager" (from source).',
        source="system/ram-block-attributes.c, commits 5d6483edaa, 2fde3fb916",
    ),
    Change(
        since=(10, 2, 0),
        field="vfio_check",
        value="vfio_ram_discard_register_listener",
        for_users="The text about running out of DMA mappings names another function.",
        source="hw/vfio/listener.c",
    ),
    Change(
        since=(10, 2, 0),
        field="vfio_check_is_error",
        value=True,
        for_users="Possibly running out of DMA mappings refuses a VFIO device, or ends a running VM.",
        source="hw/vfio/listener.c, commit ceb59c1cc6",
    ),
    Change(
        since=(11, 0, 0),
        field="nvdimm_without_acpi",
        value=True,
        for_users="aarch64's virt takes an NVDIMM without firmware and ACPI, if nvdimm=on is given.",
        source="hw/arm/virt.c; seen in 11.1.3, not in 10.0.13; which release changed it is assumed",
    ),
    Change(
        since=(11, 0, 0),
        field="vhost_user_needs_shared",
        value=True,
        for_users="vhost-user maps only memory with share=on; a private memfd or file takes none of its memslots.",
        source="hw/virtio/vhost-user.c, commit 23a4edb6db",
    ),
    Change(
        since=(11, 1, 0),
        backport=(10, 0, 13),
        field="ring_failure",
        value="broken",
        for_users="A virtqueue that crosses a memslot border breaks the vhost device until reset, and not all of QEMU.",
        source="hw/virtio/vhost.c, commit a502996a2f; Debian changelog of 10.0.13",
    ),
    Change(
        since=(11, 1, 0),
        field="discard_warning",
        value="ram_block_discard_shared_range",
        for_users="The warning about discarding a privately mapped file names another function.",
        source="compared: QEMU 10.0.13 and 11.1.3",
    ),
    Change(
        since=(11, 1, 0),
        field="confidential_virtio_mem",
        value="allowed",
        for_users="virtio-mem can be used in a confidential VM (from source).",
        source="20260204100708.724800-1-marcandre.lureau@redhat.com",
    ),
)
"""By version. Where a row is not said to be compared or seen in a recording, it was read in the source."""


@lru_cache(maxsize=256)
def behaviour_of(version: Version) -> QemuBehaviour:
    """Return what a QEMU version does.

    Raises
    ------
    BadInput
        Older than `OLDEST`.
    """
    if version < OLDEST:
        raise BadInput(f"QEMU {'.'.join(map(str, version))} is not modelled: give 6.2 or newer")
    values: dict[str, object] = {one.field: one.value for one in CHANGES if one.holds_in(version)}
    known = {one.name for one in fields(QemuBehaviour)}
    assert values.keys() <= known
    return replace(QemuBehaviour(version=version), **values)  # type: ignore[arg-type] # names and types are the table's


def changes_between(old: Version, new: Version) -> Iterator[Change]:
    """Yield what a user who goes from one version to another meets, in the order of releases.

    Where something changed twice, the last one is it. Going back, or past a backport, the rows say what is lost.
    """
    before, after = behaviour_of(old), behaviour_of(new)
    last = {one.field: one for one in CHANGES if one.holds_in(old) != one.holds_in(new)}
    for change in sorted(last.values(), key=CHANGES.index):
        if getattr(before, change.field) != getattr(after, change.field):
            yield change
