"""StratoVirt: a region, and so a memslot, for every plugged block.

Source: StratoVirt 2.5, virtio/src/device/mem.rs. The start of the first device behind boot RAM is assumed.
"""

from collections.abc import Sequence
from typing import Final

from workbook.lib.errors import Abort, Refusal
from workbook.lib.rules.answers import DeviceAnswers, Extent, PluggableDevice, Response
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem
from workbook.lib.size import KiB, MiB, round_up

from .monitor import DeviceParameters, FixedMemslots

__all__ = ("StratoVirt",)

_DEFAULT_BLOCK: Final = 32 * MiB
"""DEFAULT_MEM_BLOCK_SIZE."""
_BLOCK_MULTIPLE: Final = 16 * KiB
"""DEFAULT_MEM_BLOCK_ALIGN_SIZE: for any other block size the default is taken."""


def _block_size(spec: VirtioMem) -> int:
    return spec.block_size if spec.block_size and spec.block_size % _BLOCK_MULTIPLE == 0 else _DEFAULT_BLOCK


class _Answers(DeviceAnswers):
    """All of the device is usable; nothing below the requested size can be unplugged, not even by a reset."""

    unplugs_at_reset = False
    can_be_busy = False

    def check_request(self, device: PluggableDevice, size: int) -> None:
        """Check a new requested size (``update_request``)."""
        if size > device.region_size:
            raise Refusal("request size out of the device region size", "ask for less", who=StratoVirt.program)
        if size % device.block_size:
            raise Refusal(
                "requested_size not aligned with device block size", "ask for whole blocks", who=StratoVirt.program
            )

    def usable_region(self, device: PluggableDevice, requested: int, *, can_shrink: bool) -> int:  # noqa: ARG002 - always all
        """Return the whole region."""
        return device.region_size

    def plug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:  # noqa: ARG002 - by memslots alone
        """Return NACK beyond the requested size or for nothing; BUSY where KVM has no memslot for a block."""
        if not size or device.size + size > device.requested_size:
            return Response.NACK
        no_memslot = (device.size + size) // device.block_size > device.decision.limit
        return super().plug(device, start, size, busy=no_memslot)

    def unplug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:
        """Return NACK for what the request wants to stay, or for nothing."""
        if not size or size + device.requested_size > device.size:
            return Response.NACK
        return super().unplug(device, start, size, busy=busy)

    def unplug_all(self, device: PluggableDevice, *, busy: bool) -> tuple[Response, Sequence[Extent]]:  # noqa: ARG002 - never busy
        """Unplug one plugged piece after the other, from the start, until the request forbids it."""
        gone: list[Extent] = []
        left = device.size
        for start, end in device.plugged.extents():
            if end - start + device.requested_size > left:
                return Response.NACK, tuple(gone)
            gone.append((start, end))
            left -= end - start
        return Response.ACK, tuple(gone)


class StratoVirt(FixedMemslots):
    """StratoVirt: a memslot for each plugged block, whatever lies beside it."""

    name = "stratovirt"
    program = "StratoVirt"
    about = "StratoVirt: one memslot per plugged block"
    answers = _Answers()

    def parameters(self, scenario: Scenario, spec: VirtioMem, backend: MemoryBackend) -> DeviceParameters:  # noqa: ARG002 - the device decides
        """Choose the block size; the device must be whole blocks (``Memory::new_internal``)."""
        block = _block_size(spec)
        if backend.size % block:
            raise Abort(
                "assertion failed: (region_size % block_size) == 0",
                f"use a device of whole blocks of {block // KiB} KiB",
                who=self.program,
            )
        return DeviceParameters(block_size=block, region_size=backend.size, slot_size=block)

    def address(self, scenario: Scenario, size: int, taken: Sequence[tuple[int, int]]) -> int:  # noqa: ARG002 - all sizes alike
        """Return the end of what is there, up to whole blocks of the first device."""
        end = max((end for _, end in taken), default=self.first_address(scenario))
        first = next(one for one in scenario.devices if isinstance(one, VirtioMem))
        return round_up(end, _block_size(first))
