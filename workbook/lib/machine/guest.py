"""What the guest and the management layer do with a machine: requests, drivers, resets, migration."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from workbook.lib.errors import BadInput
from workbook.lib.rules.answers import Response
from workbook.lib.scenario import VirtioMem

from . import hotplug
from .properties import refusal_of_property, requested_size_of
from .state import MachineState
from .virtio_mem import BlockState, RequestType, VirtioMemDevice, check_bytes

__all__ = ("GuestSide", "StateAnswer")

_T = TypeVar("_T")


class StateAnswer(NamedTuple):
    """The device's answer to STATE; `state` is None unless `response` is ACK."""

    response: Response
    state: BlockState | None


class GuestSide(MachineState):
    """A machine whose guest runs: drivers start, ask the devices, and follow requests as Linux does."""

    def request_size(self, name: str, size: int) -> None:
        """Ask the guest for `size` bytes of a device.

        Raises
        ------
        Refusal
            Not a multiple of the block size, or beyond the device.
        """
        device = self.bus.virtio_mem(name)
        self._changed(lambda: device.request_size(size))

    def qom_set(self, name: str, prop: str, value: object) -> None:
        """Set a property of a memory device (``qom-set``); only ``requested-size`` can be set at run time.

        Raises
        ------
        Refusal
            As QEMU refuses it.
        """
        device = self.bus.device(name)
        if device.virtio_mem is None or prop != "requested-size":
            raise refusal_of_property(device, prop, value, self.backends)
        self.request_size(name, requested_size_of(value))

    def plug(self, name: str, offset: int, size: int, *, prealloc_fails: bool = False) -> Response | None:
        """Let the guest plug [offset, offset + size) of a device; None: it broke the protocol, no answer.

        Parameters
        ----------
        prealloc_fails
            The host lacks the memory: a device with prealloc=on then answers BUSY (``virtio_mem_set_block_state``).
        """
        spec = self.bus.device(name).spec
        lacks = prealloc_fails and isinstance(spec, VirtioMem) and spec.prealloc

        def plug(device: VirtioMemDevice) -> Response:
            return device.plug(offset, size, busy=lacks or self._is_busy(device, size))

        return self._ask(name, plug, size=size)

    def _is_busy(self, device: VirtioMemDevice, size: int) -> bool:
        """Return whether plugging is answered with BUSY: while migrating, or where a VFIO container cannot map it."""
        room = self.consumers.dma_room()
        return self.migrating or (room is not None and size // device.block_size > room)

    def unplug(self, name: str, offset: int, size: int) -> Response | None:
        """Let the guest unplug [offset, offset + size) of a device; None: no answer."""
        return self._ask(name, lambda device: device.unplug(offset, size, busy=self.migrating), size=size)

    def unplug_all(self, name: str) -> Response | None:
        """Let the guest unplug everything of a device; None: no answer."""
        return self._ask(name, lambda device: device.unplug_all(busy=self.migrating))

    def state(self, name: str, offset: int, size: int) -> StateAnswer | None:
        """Let the guest ask for the state of [offset, offset + size); None: no answer."""
        return self._ask(name, lambda device: StateAnswer(*device.state(offset, size)), size=size)

    def _ask(self, name: str, ask: Callable[[VirtioMemDevice], _T], **numbers: int) -> _T | None:
        device = self.bus.virtio_mem(name)
        for what, value in numbers.items():
            check_bytes(what, value)
        device.require_driver()
        return None if device.broken else self._changed(lambda: ask(device))

    def raw_request(self, name: str, request: int, gpa: int, nb_blocks: int) -> StateAnswer | None:
        """Let the guest send any request; an unknown type breaks the device until a reset and has no answer."""
        device = self.bus.virtio_mem(name)
        device.require_driver()
        if device.broken:
            return None
        offset, size = gpa - device.addr, nb_blocks * device.block_size
        match request:
            case RequestType.PLUG:
                response = self.plug(name, offset, size)
            case RequestType.UNPLUG:
                response = self.unplug(name, offset, size)
            case RequestType.UNPLUG_ALL:
                response = self.unplug_all(name)
            case RequestType.STATE:
                return self.state(name, offset, size)
            case _:
                device.broken = True
                self.warnings.append(f"virtio-mem protocol violation: unknown request type: {request}")
                return None
        return None if response is None else StateAnswer(response, None)

    def settle(self, name: str) -> None:
        """Let a Linux-like driver follow the request: plug from the bottom, unplug from the top, whole blocks."""
        device = self.bus.virtio_mem(name)
        missing = device.requested_size - device.size
        if missing > 0:
            for start, end in _gaps(device):
                room = self.consumers.dma_room()
                # where DMA mappings run out the driver goes on by blocks until the device is busy
                most = missing if room is None else min(missing, room * device.block_size)
                stop = min(end, start + most)
                for piece, size in self._requests(device, start, stop):
                    self.plug(name, piece, size)
                missing -= min(end - start, missing)
            return
        for start, end in reversed(list(device.plugged.extents())):
            first = max(start, end + missing)
            for piece, size in self._requests(device, first, end):
                self.unplug(name, piece, size)
            missing += end - first

    def _requests(self, device: VirtioMemDevice, start: int, end: int) -> list[tuple[int, int]]:
        """Cut [start, end) into what one request each can ask for: (offset, size)."""
        found = []
        while start < end:
            size = min(end - start, self.rules.answers.largest_request(device, start))
            found.append((start, size))
            start += size
        return found

    def reset(self) -> None:
        """Reset the system: virtio-mem devices unplug everything, vhost devices stop."""

        def reset_memory() -> None:
            for one in self.devices:
                if one.virtio_mem and self.rules.answers.unplugs_at_reset:
                    one.virtio_mem.start_driver()
                    one.virtio_mem.unplug_all(busy=self.migrating)

        if self.rules.qemu.resets_memory_first:
            self._changed(reset_memory)
        for plugged in self.vhosts:
            plugged.stop()
        if not self.rules.qemu.resets_memory_first:
            self._changed(reset_memory)

    def device_reset(self, name: str) -> None:
        """Reset one virtio device, whose driver then starts again: its memory stays as it is."""
        self.driver_start(name)

    def driver_start(self, name: str, *, unplugged_inaccessible: bool = True) -> None:
        """Let the guest's driver reset a virtio-mem device and negotiate its features.

        Raises
        ------
        Refusal
            The device offers VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE and the driver does not accept it.
        """
        device = self.bus.virtio_mem(name)
        offered = hotplug.is_unplugged_inaccessible(self, self.bus.device(name))
        device.start_driver(accepted=unplugged_inaccessible or not offered)

    def vhost_start(self, name: str, ring: int | None = None) -> None:
        """Let the guest's driver start a vhost device whose first virtqueue is at `ring`."""
        plugged = next((one for one in self.vhosts if one.spec.id == name and not one.refused), None)
        if plugged is None:
            known = ", ".join(str(one.spec.id) for one in self.vhosts if not one.refused) or "none"
            raise BadInput(f"there is no vhost device {name!r} in use: known are {known}")
        plugged.start(ring, by_base=self.rules.qemu.vhost_user_base)
        self.consumers.take_printed(plugged)

    def migrate(self) -> None:
        """Begin an outgoing migration: until it ends the guest's requests are answered with BUSY."""
        self.migrating = True

    def end_migration(self) -> None:
        """End the outgoing migration, completed or cancelled."""
        self.migrating = False

    def restore(self, source: MachineState) -> None:
        """Take over the state of virtio-mem devices from the source of a migration."""

        def restore_devices() -> None:
            for one in self.devices:
                if one.virtio_mem:
                    one.virtio_mem.restore(source.bus.virtio_mem(one.id))

        self._changed(restore_devices)

    def _changed(self, change: Callable[[], _T]) -> _T:
        """Run `change`, then let listeners see the difference."""
        before = self.bus.mapped()
        result = change()
        if before != self.bus.mapped():
            self.consumers.commit()
        return result


def _gaps(device: VirtioMemDevice) -> list[tuple[int, int]]:
    """Return the unplugged pieces of the usable region, ascending."""
    gaps, at = [], 0
    for start, end in device.plugged.extents():
        if at < start:
            gaps.append((at, start))
        at = end
    if at < device.usable_region_size:
        gaps.append((at, device.usable_region_size))
    return gaps
