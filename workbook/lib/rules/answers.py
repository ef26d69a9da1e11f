"""How a virtio-mem device answers: to the guest's requests, and to a new requested size.

What is here is QEMU's; another VMM overrides what its device does otherwise.

Sources: hw/virtio/virtio-mem.c (QEMU 7.2 with the RFC series, 8.2, 10.0), linux/uapi/virtio_mem.h, virtio-spec
device-types/mem.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from workbook.lib.errors import Refusal
from workbook.lib.size import format_size, round_up

from .decision import DeviceState

__all__ = ("DeviceAnswers", "PluggableDevice", "Response")

Extent = tuple[int, int]
"""Bytes [start, end) of a device, from its start."""


class Response(StrEnum):
    """Answer to a guest request."""

    ACK = "ACK"
    NACK = "NACK"
    BUSY = "BUSY"
    ERROR = "ERROR"


class PluggableDevice(DeviceState, Protocol):
    """What a device's answers depend on; sizes are bytes."""

    @property
    def block_size(self) -> int:
        """Granularity of plugging."""

    @property
    def region_size(self) -> int:
        """Of the whole device."""

    @property
    def requested_size(self) -> int:
        """What the guest is asked to plug."""

    @property
    def usable_extent(self) -> int:
        """What is usable beyond the requested size."""

    @property
    def size(self) -> int:
        """Plugged bytes."""

    @property
    def has_driver(self) -> bool:
        """The guest's driver runs."""


class DeviceAnswers:
    """QEMU's answers.

    Attributes
    ----------
    unplugs_at_reset
        A reset of the system unplugs everything.
    can_be_busy
        The guest is told to wait while a migration is active, or while memory cannot be had.
    """

    unplugs_at_reset: bool = True
    can_be_busy: bool = True

    def check_request(self, device: PluggableDevice, size: int) -> None:
        """Check a new requested size.

        Raises
        ------
        Refusal
            Not a multiple of the block size, or larger than the device.
        """
        if size % device.block_size:
            raise Refusal(
                f"'requested-size' has to be multiples of 'block-size' ({device.block_size:#x})",
                f"round to a multiple of {format_size(device.block_size)}",
            )
        if size > device.region_size:
            raise Refusal(
                f"'requested-size' cannot exceed the memory backend size({device.region_size:#x})",
                f"ask for at most {format_size(device.region_size)}",
            )

    def usable_region(self, device: PluggableDevice, requested: int, *, can_shrink: bool) -> int:  # noqa: ARG002 - others look at it
        """Return the usable region for a requested size (``virtio_mem_resize_usable_region``), bytes.

        Parameters
        ----------
        can_shrink
            At the start, and when everything is unplugged; otherwise a smaller one is not taken.
        """
        if not requested:
            return 0
        return round_up(min(device.region_size, requested + device.usable_extent), device.block_size)

    def is_valid(self, device: PluggableDevice, start: int, size: int) -> bool:
        """Return whether a range is one of whole blocks in the usable region (``virtio_mem_valid_range``)."""
        # a request counts blocks: a guest cannot ask for a part of one
        whole_blocks = start % device.block_size == 0 and size % device.block_size == 0
        return whole_blocks and size > 0 and start >= 0 and start + size <= device.usable_region_size

    def plug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:
        """Return the answer to PLUG; on ACK [start, start + size) becomes plugged.

        Parameters
        ----------
        busy
            A migration is active, or the memory cannot be mapped for DMA.
        """
        if not self.is_valid(device, start, size):
            return Response.ERROR
        if device.size + size > device.requested_size:
            return Response.NACK
        if device.plugged.touches(start, start + size):
            return Response.ERROR
        return Response.BUSY if busy else Response.ACK

    def unplug(self, device: PluggableDevice, start: int, size: int, *, busy: bool) -> Response:
        """Return the answer to UNPLUG; on ACK [start, start + size) is unplugged."""
        if not self.is_valid(device, start, size) or not device.plugged.covers(start, start + size):
            return Response.ERROR
        return Response.BUSY if busy else Response.ACK

    def largest_request(self, device: PluggableDevice, start: int) -> int:
        """Return the bytes from `start` on that one PLUG can ask for: no more than there are."""
        return device.region_size - start

    def unplug_all(self, device: PluggableDevice, *, busy: bool) -> tuple[Response, Sequence[Extent]]:
        """Return the answer to UNPLUG_ALL and what is unplugged, which a refusal in the middle may leave a part of."""
        return (Response.BUSY, ()) if busy else (Response.ACK, tuple(device.plugged.extents()))
