"""``/dev/kvm`` by raw ioctls: VMs without a vCPU whose memslots all point to one untouched mapping.

No QEMU and no package is needed. A 1 TiB memslot costs its metadata alone. Everything belongs to file descriptors of
this process: however it ends, the kernel gives all back.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeAlias

from workbook.lib.errors import BadInput
from workbook.lib.size import format_size

__all__ = ("DEVICE", "KvmDevice", "Progress", "VirtualMachine")

DEVICE: Final = Path("/dev/kvm")

Progress: TypeAlias = Callable[[int], None]
"""Called now and then with the number of memslots added or removed since the last call."""

# include/uapi/linux/kvm.h
_KVM_GET_API_VERSION: Final = 0xAE00
_KVM_CREATE_VM: Final = 0xAE01
_KVM_CHECK_EXTENSION: Final = 0xAE03
_KVM_SET_USER_MEMORY_REGION: Final = 0x4020AE46
_KVM_API_VERSION: Final = 12
_KVM_CAP_NR_MEMSLOTS: Final = 10
_KVM_CAP_MULTI_ADDRESS_SPACE: Final = 118
_KVM_MEM_LOG_DIRTY_PAGES: Final = 1
_REGION: Final = struct.Struct("IIQQQ")  # slot with address space, flags, guest address, size, host address

_MAP_NORESERVE: Final = 0x4000  # mmap.MAP_NORESERVE is new in Python 3.13
_CHUNK: Final = 256  # memslots between two calls of a progress function


class KvmDevice:
    """``/dev/kvm``, open; a context manager.

    Raises
    ------
    BadInput
        There is none, it may not be used, or it speaks another API.
    """

    def __init__(self, path: Path = DEVICE) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BadInput(
                f"{path} does not exist: measure on a Linux host with KVM (module kvm_intel or kvm_amd loaded)"
            ) from error
        except PermissionError as error:
            raise BadInput(f"{path} may not be opened: run as root or join the group that owns it (kvm)") from error
        except OSError as error:
            raise BadInput(f"{path} cannot be opened ({error.strerror}): measure on a Linux host with KVM") from error
        try:
            version = fcntl.ioctl(self._fd, _KVM_GET_API_VERSION, 0)
        except OSError as error:
            self.close()
            raise BadInput(f"{path} is not KVM ({error.strerror}): give the path of the KVM device") from error
        if version != _KVM_API_VERSION:
            self.close()
            raise BadInput(f"{path} speaks KVM API {version}: only version {_KVM_API_VERSION} is supported")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the device; VMs made by it live on until they are closed."""
        os.close(self._fd)

    @property
    def nr_memslots(self) -> int:
        """Most memslots per VM and address space (``KVM_CAP_NR_MEMSLOTS``)."""
        return fcntl.ioctl(self._fd, _KVM_CHECK_EXTENSION, _KVM_CAP_NR_MEMSLOTS)

    @property
    def address_spaces(self) -> int:
        """How many address spaces a VM has: 2 where KVM supports SMM, else 1 (``KVM_CAP_MULTI_ADDRESS_SPACE``)."""
        return max(1, fcntl.ioctl(self._fd, _KVM_CHECK_EXTENSION, _KVM_CAP_MULTI_ADDRESS_SPACE))

    @contextmanager
    def create_vm(self, window: int) -> Iterator["VirtualMachine"]:
        """Make a VM without vCPU; when the block ends, the kernel gives back all that it had.

        Parameters
        ----------
        window
            Bytes of address space that backs the memslots: as much as the largest one.
        """
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        try:
            backing = mmap.mmap(-1, window, flags=flags)
        except (OSError, OverflowError) as error:
            raise BadInput(
                f"{format_size(window)} of address space cannot be mapped ({error}): give smaller memslots"
            ) from error
        with backing:
            # the ctypes object would keep the mapping from being closed: only its address is kept
            address = ctypes.addressof(ctypes.c_char.from_buffer(backing))
            vm = fcntl.ioctl(self._fd, _KVM_CREATE_VM, 0)
            try:
                yield VirtualMachine(vm, address)
            finally:
                os.close(vm)


class VirtualMachine:
    """A VM of `KvmDevice.create_vm`: memslots over one mapping."""

    def __init__(self, fd: int, address: int) -> None:
        self._fd = fd
        self._address = address

    def add(
        self,
        sizes: Sequence[int],
        bases: Sequence[int],
        *,
        spaces: int = 1,
        dirty_log: bool = False,
        progress: Progress | None = None,
    ) -> float:
        """Add memslots 0, 1, ... in each address space; return the seconds in the kernel.

        Parameters
        ----------
        sizes, bases
            Bytes and guest physical start of each.
        spaces
            In how many address spaces (2: SMM).
        dirty_log
            Whether they log dirty pages.
        progress
            Told from time to time how many were added.

        Raises
        ------
        BadInput
            KVM refuses one of them; the text says which.
        """
        flags = _KVM_MEM_LOG_DIRTY_PAGES if dirty_log else 0
        slots = [
            (as_id << 16 | slot, flags, base, size, self._address)
            for as_id in range(spaces)
            for slot, (size, base) in enumerate(zip(sizes, bases, strict=True))
        ]
        return self._set(slots, progress)

    def remove(self, count: int, *, spaces: int = 1, progress: Progress | None = None) -> float:
        """Remove memslots 0 to `count` - 1 of each address space; return the seconds in the kernel."""
        numbers = [as_id << 16 | slot for as_id in range(spaces) for slot in range(count)]
        return self._set([(number, 0, 0, 0, self._address) for number in numbers], progress)

    def _set(self, slots: Sequence[tuple[int, int, int, int, int]], progress: Progress | None) -> float:
        regions = [_REGION.pack(*slot) for slot in slots]
        seconds = 0.0
        for first in range(0, len(regions), _CHUNK):
            chunk = regions[first : first + _CHUNK]
            begin = time.perf_counter()
            for region in chunk:
                try:
                    fcntl.ioctl(self._fd, _KVM_SET_USER_MEMORY_REGION, region)
                except OSError as error:
                    slot, _, base, size, _ = _REGION.unpack(region)
                    raise BadInput(
                        f"KVM refuses memslot {slot & 0xFFFF} of {format_size(size)} at {base:#x} "
                        f"({errno.errorcode.get(error.errno or 0, error.errno)}): give slots that do not overlap, "
                        "of at most 8 TiB - 4 KiB, below the CPU's physical address limit"
                    ) from error
            seconds += time.perf_counter() - begin
            if progress:
                progress(len(chunk))
        return seconds
