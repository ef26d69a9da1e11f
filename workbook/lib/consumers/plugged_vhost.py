"""vhost devices of a machine: their region tables, the messages they get, and when a virtqueue is lost.

Sources: hw/virtio/vhost.c, hw/virtio/vhost-user.c (QEMU 7.2 to 10.0).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from workbook.lib.errors import Abort
from workbook.lib.memory.flatview import FlatRange
from workbook.lib.scenario import VhostDevice

from .vhost_backend import VhostBackend

__all__ = ("PluggedVhost",)

RING_ENTRY: Final = 16
QUEUE_SIZE: Final = 128
QUEUE_SIZES: Final = {"vhost-user-rng-pci": 4, "vhost-user-i2c-pci": 4, "vhost-user-gpio-pci": 64}
"""Devices with shorter virtqueues (hw/virtio/vhost-user-*.c, ``vq_size``)."""
CONNECT_TRIES: Final = {"vhost-user-blk-pci": 4, "vhost-user-scsi-pci": 4}
"""Devices that connect again after a refusal, and how often they try."""
_STARTED_BY: Final = {"vhost-user-vsock-pci": "vhost"}
"""What QEMU calls the starter of a device in its messages; most are vhost-user-base, since 9.0."""
_OWN_STARTER: Final = ("vhost-user-rng-pci", "vhost-user-i2c-pci", "vhost-user-gpio-pci")
"""Devices that start themselves before 9.0 (hw/virtio/vhost-user-rng.c and its like)."""
_EINVAL: Final = 22
_NO_TABLE: Final = "Failed initializing vhost-user memory map, consider using -object memory-backend-file share=on"


@dataclass
class PluggedVhost:
    """A vhost device and the back end behind it.

    Attributes
    ----------
    sections
        Device-memory sections in its table; the boot RAM's come on top (`boot_regions`).
    sent
        Regions that the back end knows: (address, size, region name, offset).
    started
        The guest's driver set DRIVER_OK and the back end got the table.
    refused
        QEMU refused the device; the back end saw a connection all the same.
    ring
        Guest-physical address of its first virtqueue.
    printed
        Lines that QEMU printed about the device.
    """

    spec: VhostDevice
    backend: VhostBackend
    boot_regions: int = 0
    sections: tuple[FlatRange, ...] = ()
    sent: int = 0
    started: bool = False
    refused: bool = False
    removed: bool = False
    ring: int | None = None
    messages: Counter[str] = field(default_factory=Counter)
    printed: list[str] = field(default_factory=list)
    _known: frozenset[FlatRange] = frozenset()

    @property
    def used(self) -> int:
        """Regions in its table."""
        return self.boot_regions + len(self.sections)

    @property
    def connections(self) -> int:
        """How often QEMU connected."""
        return CONNECT_TRIES.get(self.spec.driver, 1) if self.refused else 1

    @property
    def has_memory_slots(self) -> bool:
        """Whether the back end negotiated CONFIGURE_MEM_SLOTS."""
        return self.spec.slots is not None

    def connect(self) -> None:
        """Let QEMU ask for the number of memslots, once per connection."""
        if self.has_memory_slots and not self.spec.kernel:
            self.messages["GET_MAX_MEM_SLOTS"] = self.connections

    def start(self, ring: int | None, *, by_base: bool = True) -> None:
        """Start the device: the back end gets its table; without one the device does not start.

        Parameters
        ----------
        ring
            Guest-physical address of its first virtqueue.
        by_base
            This QEMU starts rng, i2c and gpio by vhost-user-base too (`QemuBehaviour.vhost_user_base`).
        """
        self.started = self._send(transactions=1)
        if self.started:
            self.ring = ring
        else:
            starter = _STARTED_BY.get(self.spec.driver, "vhost-user-base")
            if not by_base and self.spec.driver in _OWN_STARTER:
                starter = self.spec.driver.removesuffix("-pci")
            self.printed.append(f"Error starting {starter}: {_EINVAL}")

    def stop(self) -> None:
        """Stop it, as any reset does; the back end keeps the table it knows."""
        self.started, self.ring = False, None

    def commit(self, sections: tuple[FlatRange, ...], *, one_transaction: bool, survives: bool = False) -> bool:
        """Take a new set of sections and tell the back end if it is started; return whether it changed.

        Parameters
        ----------
        survives
            A virtqueue that no longer lies in one region breaks the device until a reset, and the back end keeps the
            table it knows; otherwise QEMU aborts (``vhost_commit``, ``vhost_verify_ring_mappings``).

        Raises
        ------
        Abort
            A virtqueue no longer lies in one region.
        """
        if sections == self.sections:
            return False
        changed = len(set(sections) ^ set(self.sections))
        self.sections = sections
        if self.started:
            lost = self._lost_ring()
            if lost and not survives:
                raise Abort("\n".join(lost), "keep virtqueues inside one memslot")
            self.printed += lost
            if not lost:
                self._send(transactions=1 if one_transaction else changed)
        return True

    def remove(self, *, stopped_first: bool) -> None:
        """Remove the device; unless stopped before, it gets region_del for every region and stays started."""
        if stopped_first:
            self.stop()
        elif self.started and self.has_memory_slots:
            self.messages["REM_MEM_REG"] += self.sent
            self.sent = 0
        self.removed = True

    def _send(self, *, transactions: int) -> bool:
        if not (self.used or self.has_memory_slots or self.spec.kernel):
            # vhost_user_fill_set_mem_table_msg: a table needs at least one file descriptor
            self.printed += [_NO_TABLE, f"vhost_set_mem_table failed: Invalid argument ({_EINVAL})"]
            return False
        new = frozenset(self.sections)
        boot = 0 if self.sent else self.boot_regions
        added, gone = len(new - self._known) + boot, len(self._known - new)
        if not self.has_memory_slots:
            self.messages["SET_MEM_TABLE"] += transactions
        else:
            self.messages["REM_MEM_REG"] += gone
            self.messages["ADD_MEM_REG"] += added
        self._known, self.sent = new, self.used
        return True

    def _lost_ring(self) -> tuple[str, ...]:
        """Return what QEMU prints about a virtqueue that lies in two regions; nothing where all is well."""
        if self.ring is None:
            return ()
        end = self.ring + RING_ENTRY * QUEUE_SIZES.get(self.spec.driver, QUEUE_SIZE)
        for number, section in enumerate(self.sections):
            overlaps = section.start < end and self.ring < section.end
            if overlaps and not (section.start <= self.ring and end <= section.end):
                region = self.boot_regions + number
                return "Unable to map descriptor table for ring 0", f"Verify ring failure on region {region}"
        return ()

    def shown_messages(self) -> dict[str, int]:
        """Return the messages so far, by name, those that were sent."""
        return {name: count for name, count in sorted(self.messages.items()) if count}


def backends(devices: Sequence[PluggedVhost]) -> list[VhostBackend]:
    """Return the back ends of the devices that are in use."""
    return [one.backend for one in devices if not (one.refused or one.removed)]
