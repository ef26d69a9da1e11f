"""QEMU's checks while a virtio-mem device is configured and realized, in its order and with its messages.

Source: hw/virtio/virtio-mem.c (QEMU 7.2 with the RFC series, 8.2, 10.0).
"""

from collections.abc import Iterator
from typing import Final, Literal

from workbook.lib.block_size import HOST_PAGE, MIN_BLOCK_SIZE, default_block_size
from workbook.lib.boards.compat import compat_property
from workbook.lib.errors import Refusal
from workbook.lib.scenario import MemoryBackend, VirtioMem
from workbook.lib.size import MiB, format_size

__all__ = ("block_size_of", "check_properties", "check_realize", "unplugged_inaccessible")

_INACCESSIBLE: Final = "virtio-mem.unplugged-inaccessible"


def check_properties(spec: VirtioMem) -> None:
    """Check what QEMU checks while it sets a virtio-mem device's properties.

    Raises
    ------
    Refusal
        The block size is below 1 MiB or not a power of two.
    """
    if spec.block_size and spec.block_size < MIN_BLOCK_SIZE:
        raise Refusal(f"'block-size' property has to be at least {MIN_BLOCK_SIZE:#x}", "use 1 MiB or more")
    if spec.block_size & (spec.block_size - 1):
        raise Refusal("'block-size' property has to be a power of two", "use 1M, 2M, 4M, 8M ...")


def block_size_of(spec: VirtioMem, backend: MemoryBackend) -> int:
    """Return the block size in force."""
    return spec.block_size or default_block_size(backend.page_size)


def unplugged_inaccessible(
    spec: VirtioMem, backend: MemoryBackend, machine_version: tuple[int, int] | None
) -> Literal["on", "off"]:
    """Return whether the guest is told not to touch unplugged memory (x86 only, hw/virtio/virtio-mem.c).

    On by default, and as the machine type has it (`workbook.lib.boards.compat`). Auto is off only for private anonymous
    memory with base pages, where reads of unplugged memory hit the shared zero page.
    """
    value: str = spec.unplugged_inaccessible or compat_property(_INACCESSIBLE, machine_version) or "on"
    if value != "auto":
        return "on" if value == "on" else "off"
    return "off" if _has_shared_zero_page(backend) else "on"


def _has_shared_zero_page(backend: MemoryBackend) -> bool:
    return not backend.has_fd and not backend.share and backend.page_size == HOST_PAGE


def check_realize(
    spec: VirtioMem,
    backend: MemoryBackend,
    addr: int,
    *,
    dynamic: bool = False,
    machine_version: tuple[int, int] | None = None,
    prealloc_memdev: bool = False,
    nodes: int = 1,
) -> Iterator[str]:
    """Check what QEMU checks when a placed virtio-mem device is realized; yield its warnings on the way.

    Parameters
    ----------
    dynamic
        Whether the device has dynamic memslots.
    prealloc_memdev
        Whether this QEMU takes a preallocated memory backend.

    Raises
    ------
    Refusal
        In the order and words of hw/virtio/virtio-mem.c.
    """
    block = block_size_of(spec, backend)
    if backend.readonly and backend.rom is not False:
        raise Refusal("'memdev' property specifies an unsupported memdev", "virtio-mem needs RAM: not readonly=on")
    if backend.prealloc and not prealloc_memdev:
        raise Refusal(
            f"'memdev' property specifies a memdev with preallocation enabled: {backend.id}. "
            "Instead, specify 'prealloc=on' for the virtio-mem device. ",
            "move prealloc=on from the memory backend to the device",
        )
    if spec.node >= nodes:
        # the missing blank is QEMU's
        raise Refusal(
            f"'node' property has value '{spec.node}', which exceedsthe number of numa nodes: {nodes}", "use node 0"
        )
    inaccessible = unplugged_inaccessible(spec, backend, machine_version)
    if inaccessible == "off" and not _has_shared_zero_page(backend):
        yield "'unplugged-inaccessible' property set to 'off' with a memdev that does not support the shared zeropage."
    if dynamic and inaccessible != "on":
        raise Refusal(
            "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'",
            "set unplugged-inaccessible=on, or dynamic-memslots=off",
        )
    if block < backend.page_size:
        raise Refusal(
            f"'block-size' property has to be at least the page size ({backend.page_size:#x})",
            f"use {format_size(backend.page_size)} or more",
        )
    if block < default_block_size(backend.page_size):
        default = default_block_size(backend.page_size) // MiB
        yield f"'block-size' property is smaller than the default block size ({default:x} MiB)"
    for what, value in (("'requested-size' property", spec.requested_size), ("'memaddr' property", addr)):
        if value % block:
            raise Refusal(
                f"{what} has to be multiples of 'block-size' ({block:#x})", f"use a multiple of {format_size(block)}"
            )
    if backend.size % block:
        raise Refusal(
            # the missing blank is QEMU's
            f"'memdev' property memdev size has to be multiples of'block-size' ({block:#x})",
            f"use a multiple of {format_size(block)}",
        )
