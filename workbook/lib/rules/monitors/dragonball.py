"""Dragonball, the built-in monitor of Kata Containers: pieces of 2 GiB that are mapped as the usable region grows.

Source: Kata Containers 3, src/dragonball/src/dbs_virtio_devices/src/mem.rs.
"""

from collections.abc import Sequence
from typing import Final

from workbook.lib.errors import Refusal
from workbook.lib.rules.answers import DeviceAnswers, PluggableDevice, Response
from workbook.lib.rules.decision import DeviceState, Remap
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem
from workbook.lib.size import GiB, MiB, format_size, round_down, round_up

from .monitor import LINUX_MEMORY_BLOCK, DeviceParameters, FixedMemslots

__all__ = ("Dragonball",)

_BLOCK: Final = 4 * MiB
"""VIRTIO_MEM_DEFAULT_BLOCK_SIZE; it cannot be chosen."""
_PIECE: Final = 2 * GiB
"""VIRTIO_MEM_MAP_REGION_SIZE."""
_LARGE_BLOCKS_FROM: Final = 64 * GiB
"""Boot RAM from which Linux has larger memory blocks (``probe_memory_block_size``), up to 2 GiB."""


def _guest_memory_block(ram: int) -> int:
    """Return the memory block of a Linux guest with `ram` bytes at boot."""
    if ram < _LARGE_BLOCKS_FROM:
        return LINUX_MEMORY_BLOCK
    size = 2 * GiB
    while size > LINUX_MEMORY_BLOCK and ram % size:
        size //= 2
    return size


class _Answers(DeviceAnswers):
    """The usable region never shrinks; what is beyond the request is looked at before the range."""

    can_be_busy = False

    def check_request(self, device: PluggableDevice, size: int) -> None:
        """Check a new requested size (``set_requested_size``)."""
        if size > device.region_size or size % device.block_size:
            raise Refusal(
                "Invalid input",
                f"ask for whole blocks of {format_size(_BLOCK)}, at most {format_size(device.region_size)}",
                who=Dragonball.program,
            )

    def usable_region(self, device: PluggableDevice, requested: int, *, can_shrink: bool) -> int:  # noqa: ARG002 - it never does
        """Return two guest memory blocks more than requested; what was usable stays so."""
        usable = 0
        if requested:
            usable = round_down(min(device.region_size, requested + device.usable_extent), device.block_size)
        return max(usable, device.usable_region_size)

    def plug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:
        """Return NACK beyond the requested size before anything else; a request across pieces is an ERROR."""
        if device.size + size > device.requested_size:
            return Response.NACK
        answer = super().plug(device, start, size, busy=busy)
        return Response.ERROR if answer is Response.ACK and _crosses(device, start, size) else answer

    def unplug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:
        """Return as QEMU does; a request across pieces is an ERROR."""
        answer = super().unplug(device, start, size, busy=busy)
        return Response.ERROR if answer is Response.ACK and _crosses(device, start, size) else answer

    def largest_request(self, device: PluggableDevice, start: int) -> int:
        """Return what is left of a piece."""
        return device.region_size - start if device.decision.direct else _PIECE - start % _PIECE


def _crosses(device: PluggableDevice, start: int, size: int) -> bool:
    return not device.decision.direct and start // _PIECE != (start + size - 1) // _PIECE


class Dragonball(FixedMemslots):
    """Dragonball: pieces of 2 GiB, mapped with the usable region and for good; those of one step share a memslot."""

    name = "dragonball"
    program = "Dragonball"
    about = "Dragonball: memslots of 2 GiB, mapped as the usable region grows, never unmapped"
    slot_size = _PIECE
    remap_on = frozenset({Remap.RESIZE, Remap.RESTORE})
    joins_new_memslots = True
    answers = _Answers()

    def parameters(self, scenario: Scenario, spec: VirtioMem, backend: MemoryBackend) -> DeviceParameters:
        """Round the capacity up and check the requested size (``Mem::new``)."""
        extent = 2 * _guest_memory_block(scenario.ram)
        capacity = round_up(backend.size, extent)
        if spec.requested_size > capacity or spec.requested_size % _BLOCK:
            self.refuse("Invalid input", f"request whole blocks of {format_size(_BLOCK)}")
        slot = _PIECE if capacity > _PIECE else 0
        return DeviceParameters(block_size=_BLOCK, region_size=capacity, slot_size=slot, usable_extent=extent)

    def address(self, scenario: Scenario, size: int, taken: Sequence[tuple[int, int]]) -> int:  # noqa: ARG002 - all sizes alike
        """Return the next address above 4 GiB that is aligned to the guest's memory block."""
        end = max((end for _, end in taken), default=self.first_address(scenario))
        return round_up(end, _guest_memory_block(scenario.ram))

    def mapped(self, device: DeviceState) -> Sequence[int]:
        """Return the pieces up to the one in which the usable region ends: one more where it ends at a border."""
        usable = device.usable_region_size
        reached = min(usable // _PIECE + 1, device.decision.count) if usable else 0
        return range(max(reached, len(device.mapped)))
