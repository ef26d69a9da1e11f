"""Cloud Hypervisor: one memslot for the device of a memory zone, always mapped.

Sources: Cloud Hypervisor 53: virtio-devices/src/mem.rs, vmm/src/memory_manager.rs.
"""

from typing import Final

from workbook.lib.errors import Refusal
from workbook.lib.rules.answers import DeviceAnswers, PluggableDevice, Response
from workbook.lib.rules.decision import Budget
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem
from workbook.lib.size import MiB, format_size
from workbook.lib.trace import Trace

from .monitor import LINUX_MEMORY_BLOCK, DeviceParameters, Monitor

__all__ = ("CloudHypervisor",)

_BLOCK: Final = 2 * MiB
"""VIRTIO_MEM_DEFAULT_BLOCK_SIZE; it cannot be chosen."""
_DIMMS: Final = 8
"""HOTPLUG_COUNT: by ACPI, without virtio-mem."""


class _Answers(DeviceAnswers):
    """All of the device is usable from the start; what is beyond the request is looked at before the range."""

    can_be_busy = False

    def check_request(self, device: PluggableDevice, size: int) -> None:
        """Check a new requested size (``VirtioMemConfig::resize``)."""
        if size == device.requested_size:
            words = f"new size {size:#x} and requested_size are identical"
        elif size > device.region_size:
            words = f"new size {size:#x} is bigger than region_size {device.region_size:#x}"
        elif size % device.block_size:
            words = f"new size {size:#x} is not aligned on block_size {device.block_size:#x}"
        else:
            return
        most = format_size(device.region_size)
        raise Refusal(
            words, f"ask for another multiple of {format_size(_BLOCK)}, at most {most}", who=CloudHypervisor.program
        )

    def usable_region(self, device: PluggableDevice, requested: int, *, can_shrink: bool) -> int:  # noqa: ARG002 - always all
        """Return the whole region."""
        return device.region_size

    def plug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:
        """Return NACK beyond the requested size before anything else is looked at."""
        if device.size + size > device.requested_size:
            return Response.NACK
        return super().plug(device, start, size, busy=busy)


class CloudHypervisor(Monitor):
    """Cloud Hypervisor: a virtio-mem device per memory zone, one memslot each, mapped as a whole from the start."""

    name = "cloud-hypervisor"
    program = "Cloud Hypervisor"
    about = "Cloud Hypervisor: one memslot for the whole zone, always mapped"
    answers = _Answers()

    def is_dynamic(self, *, dynamic_memslots: bool | None) -> bool:  # noqa: ARG002 - never
        """Never."""
        return False

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:  # noqa: ARG002 - it does not depend on anything
        """One."""
        return trace.note("limit", 1, "one memslot for the whole zone")

    def parameters(self, scenario: Scenario, spec: VirtioMem, backend: MemoryBackend) -> DeviceParameters:  # noqa: ARG002 - the zone decides
        """Check the hot-plug size of a zone (``Mem::new``)."""
        if backend.size % LINUX_MEMORY_BLOCK:
            self.refuse(f"Virtio-mem size is not aligned with {LINUX_MEMORY_BLOCK}", "use a multiple of 128 MiB")
        size = spec.requested_size
        if size > backend.size:
            self.refuse(f"new size {size:#x} is bigger than region_size {backend.size:#x}", "ask for less")
        if size % _BLOCK:
            self.refuse(f"new size {size:#x} is not aligned on block_size {_BLOCK:#x}", "ask for whole blocks of 2 MiB")
        return DeviceParameters(block_size=_BLOCK, region_size=backend.size)

    def check_dimm(self, backend: MemoryBackend, number: int) -> None:
        """Check memory that is hot-plugged by ACPI (``MemoryManager::hotplug_ram_region``)."""
        if number >= _DIMMS:
            self.refuse("NoSlotAvailable", f"memory can be added {_DIMMS} times at most")
        if backend.size % LINUX_MEMORY_BLOCK:
            self.refuse("InvalidSize", "add a multiple of 128 MiB")
