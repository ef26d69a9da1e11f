"""Memslot workbook: virtio-mem device memory through separate memslots, equal to QEMU and KVM."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ("__version__",)

try:
    __version__ = version("memslot-workbook")
except PackageNotFoundError:  # a bare copy of the sources
    __version__ = "0"
