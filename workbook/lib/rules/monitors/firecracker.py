"""Firecracker: memslots of a fixed size, in KVM while they hold plugged blocks.

Sources: Firecracker 1.14 to 1.16: src/vmm/src/devices/virtio/mem/device.rs, src/vmm/src/vmm_config/memory_hotplug.rs,
src/vmm/src/vstate/{memory,vm}.rs, src/vmm/src/builder.rs; pull requests 5534 and 5793.
"""

from collections.abc import Sequence
from typing import Final

from workbook.lib.errors import Refusal
from workbook.lib.rules.answers import DeviceAnswers, PluggableDevice, Response
from workbook.lib.rules.decision import Budget, Decision, DeviceState
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem
from workbook.lib.size import GiB, MiB, TiB, format_size, round_up

from .monitor import DeviceParameters, FixedMemslots

__all__ = ("Firecracker", "Firecracker114")

_LEAST_BLOCK: Final = 2 * MiB
"""VIRTIO_MEM_DEFAULT_BLOCK_SIZE_MIB, default and least."""
_LEAST_SLOT: Final = 128 * MiB
"""VIRTIO_MEM_DEFAULT_SLOT_SIZE_MIB, default and least."""
_LOW, _HOLE_END = 3 * GiB, 4 * GiB
_MMIO64_START, _MMIO64_END, _LAST = 256 * GiB, 512 * GiB, TiB
"""Devices' 64-bit registers lie from 256 GiB to 512 GiB; virtio-mem is put behind them, below 1 TiB."""


class _Answers(DeviceAnswers):
    """Whatever is wrong with a request is an ERROR; only UNPLUG_ALL makes the usable region smaller."""

    can_be_busy = False

    def check_request(self, device: PluggableDevice, size: int) -> None:
        """Check a new requested size (``update_requested_size``)."""
        if not device.has_driver:
            raise Refusal("Device is not active", "let the guest's driver start first", who=Firecracker.program)
        if size % device.block_size or size > device.region_size:
            raise Refusal(
                f"Size {size} is invalid: it must be a multiple of block size and less than the total size",
                f"ask for whole blocks of {format_size(device.block_size)}, at most {format_size(device.region_size)}",
                who=Firecracker.program,
            )

    def usable_region(self, device: PluggableDevice, requested: int, *, can_shrink: bool) -> int:
        """Return whole memslots for the requested size where it is not usable yet; 0 once all is unplugged."""
        if can_shrink:
            return 0
        usable = device.usable_region_size
        return round_up(requested, device.decision.memslot_size) if usable < requested else usable

    def plug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:  # noqa: ARG002 - never busy
        """Return ACK, or ERROR: also beyond the requested size, and where KVM has no memslot of that number."""
        decision = device.decision
        granted = not size or decision.slots(start, start + size).stop <= decision.limit
        fits = self.is_valid(device, start, size) and device.size + size <= device.requested_size
        free = fits and not device.plugged.touches(start, start + size)
        return Response.ACK if free and granted else Response.ERROR


class Firecracker(FixedMemslots):
    """Firecracker since 1.16: memslots of 128 MiB or more, in KVM while they hold a plugged block, one ioctl each."""

    name = "firecracker"
    program = "Firecracker"
    about = "Firecracker: fixed memslots of 128 MiB or more, mapped while they hold plugged blocks"
    slot_size = _LEAST_SLOT
    one_transaction = False
    answers = _Answers()

    def boot_ranges(self, scenario: Scenario) -> tuple[tuple[int, int], ...]:
        """Return (start, bytes) of each piece of boot RAM: around the holes at 3 GiB and at 256 GiB."""
        found, left = [], scenario.ram
        for start, most in ((0, _LOW), (_HOLE_END, _MMIO64_START - _HOLE_END), (_MMIO64_END, left)):
            if left:
                found.append((start, min(left, most)))
                left -= min(left, most)
        return tuple(found)

    def parameters(self, scenario: Scenario, spec: VirtioMem, backend: MemoryBackend) -> DeviceParameters:
        """Check a configuration as ``MemoryHotplugConfig::validate`` does, in its order."""
        block, slot, total = spec.block_size or _LEAST_BLOCK, spec.slot_size or _LEAST_SLOT, backend.size
        if block < _LEAST_BLOCK:
            self.refuse(f"Block size must not be lower than {_LEAST_BLOCK // MiB} MiB", "use 2 MiB or more")
        if block & (block - 1):
            self.refuse("Block size must be a power of 2", "use 2M, 4M, 8M ...")
        if slot < _LEAST_SLOT:
            self.refuse(f"Slot size must not be lower than {_LEAST_SLOT // MiB} MiB", "use 128 MiB or more")
        if slot % block:
            self.refuse(
                f"Slot size must be a multiple of block size ({block // MiB} MiB)", "use a multiple of the block size"
            )
        if total < slot:
            self.refuse(f"Total size must not be lower than slot size ({slot // MiB} MiB)", "use a larger device")
        if total % slot:
            self.refuse(
                f"Total size must be a multiple of slot size ({slot // MiB} MiB)", "use a multiple of the slot size"
            )
        if spec.requested_size:
            self.refuse("Device is not active", "request a size once the guest runs")
        if sum(1 for one in scenario.devices if isinstance(one, VirtioMem)) > 1:
            self.refuse("one virtio-mem device is all that the API can configure", "make one device of them")
        return DeviceParameters(block_size=block, region_size=total, slot_size=slot)

    def address(self, scenario: Scenario, size: int, taken: Sequence[tuple[int, int]]) -> int:  # noqa: ARG002 - there is one device
        """Return 512 GiB: behind the registers of devices, below 1 TiB."""
        if size > _LAST - _MMIO64_END:
            self.refuse("Resource not available.", "a device has 512 GiB at most")
        if len(self.boot_ranges(scenario)) > 2:
            self.refuse(
                "Failed to add a memory region: Some of the memory regions intersect with each other",
                "boot RAM beyond 255 GiB lies where virtio-mem would",
            )
        return _MMIO64_END

    def cut(self, parameters: DeviceParameters, budget: Budget) -> Decision:
        """Cut into memslots with consecutive numbers, of which KVM must know the first."""
        if budget.kvm_free is not None and budget.kvm_free < 1:
            self.refuse(
                f"The number of configured slots is bigger than the maximum reported by KVM: {budget.kvm_max}",
                "a host whose KVM has more memslots",
            )
        sized = type(self)(parameters.slot_size)
        return sized.decide(budget, parameters.region_size, parameters.block_size)


class Firecracker114(Firecracker):
    """Firecracker 1.14 and 1.15: a request inside a memslot leaves the memslot as it was (fixed by 5793, 1.16.0)."""

    name = "firecracker-1.14"
    about = "Firecracker 1.14 and 1.15: requests inside a memslot forget to map or to unmap it"

    def mapped(self, device: DeviceState) -> Sequence[int]:
        """Look at those memslots only whose start or end lies in the range that changed."""
        decision, wanted = device.decision, set(super().mapped(device))
        start, end = device.changed
        before = set(device.mapped)
        seen = {
            index
            for index in range(decision.count)
            if start <= decision.offset(index) < end or start <= decision.offset(index) + decision.size(index) < end
        }
        return sorted((before - seen) | (wanted & seen))
