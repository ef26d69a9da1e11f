"""The device-memory bus: the container, the memory devices in it, and what they put there.

Source: hw/mem/memory-device.c (QEMU 8.2 and later).
"""

from workbook.lib.boards.pc import PcLayout
from workbook.lib.errors import BadInput
from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.base import RuleSet

from .memory_device import MemoryDevice
from .virtio_mem import VirtioMemDevice

__all__ = ("DeviceMemoryBus",)


class DeviceMemoryBus:
    """The device-memory container of a board and the memory devices that are plugged into it.

    Attributes
    ----------
    devices
        The plugged memory devices, in the order in which they came.
    """

    def __init__(self, board: PcLayout, rules: RuleSet) -> None:
        self.devices: list[MemoryDevice] = []
        self._board = board
        self._rules = rules
        self._root: MemoryRegion | None = None
        self._view: FlatView | None = None
        self._shown: list[tuple[object, object]] = []

    @property
    def root(self) -> MemoryRegion | None:
        """The "device-memory" container with everything in it; None without maxmem."""
        if not self._board.device_memory_size:
            return None
        if self._root is None:
            base = self._board.device_memory_base
            children = [one.region(self._rules, base) for one in self.devices]
            size = self._board.device_memory_size
            self._root = MemoryRegion.container("device-memory", size, children, addr=base)
        return self._root

    @property
    def view(self) -> FlatView:
        """The flat view of device memory."""
        if self._view is None:
            root = self.root
            self._view = render(root) if root else FlatView()
        return self._view

    def refresh(self) -> None:
        """Let the region tree and the flat view be rebuilt where a device came, left, or changed what is mapped."""
        shown: list[tuple[object, object]] = [
            (one, one.virtio_mem.mapped if one.virtio_mem else None) for one in self.devices
        ]
        if shown != self._shown:
            self._shown, self._root, self._view = shown, None, None

    def mapped(self) -> list[object]:
        """Return which memslots each virtio-mem device has mapped: what a memory transaction may change."""
        return [one.virtio_mem.mapped for one in self.devices if one.virtio_mem]

    def by_address(self) -> list[MemoryDevice]:
        """Return the devices in address order."""
        return sorted(self.devices, key=lambda one: one.addr)

    def device(self, name: str) -> MemoryDevice:
        """Return the memory device of that id.

        Raises
        ------
        BadInput
            There is none.
        """
        for one in self.devices:
            if one.spec.id == name:
                return one
        known = ", ".join(one.id for one in self.devices) or "none"
        raise BadInput(f"there is no memory device {name!r}: known are {known}")

    def virtio_mem(self, name: str) -> VirtioMemDevice:
        """Return the virtio-mem device of that id.

        Raises
        ------
        BadInput
            There is none.
        """
        device = self.device(name).virtio_mem
        if device is None:
            raise BadInput(f"device {name!r} is not a virtio-mem device")
        return device
