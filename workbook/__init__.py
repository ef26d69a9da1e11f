"""Memslot workbook: virtio-mem device memory through separate memslots, equal to QEMU and KVM."""

__all__ = ("__version__",)

__version__: str


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: `importlib.metadata` takes longer to import than most of the model."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see above

    try:
        return version("memslot-workbook")
    except PackageNotFoundError:  # a bare copy of the sources
        return "0"
