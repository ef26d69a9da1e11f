"""Properties of devices that name something else on the line: a drive, a character device, a network back end.

Source: hw/core/qdev-properties-system.c, and ``object_resolve_path_component`` of links in qom/object.c (QEMU 10.0);
compared with a QEMU 10.0.2.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from .properties import Properties

__all__ = ("Names", "check_link", "ids_of")

Names = Mapping[str, frozenset[str]]
"""What a line defines, by the property that names it, such as ``drive``; a kind that it does not define at all is not
there: such a line was shortened by somebody.
"""
_OBJECTS: Final = frozenset(("memdev", "rng", "iothread", "cryptodev"))
"""Links to objects, which have other words."""
_IMPLICIT: Final = re.compile(
    r"(?:serial|parallel|compat_monitor|ide|scsi|none|virtio|floppy|pflash|sd|mtd|xen)\d.*|#.*"
)
"""Names that QEMU gives itself to what a short option makes, such as ``-serial`` and ``-drive`` without an id."""
_OWN_NAMES: Final = frozenset(("vhost-user-vga", "vhost-user-gpu-pci"))
_WITHOUT_SUFFIX: Final = frozenset(
    "vhost-user-blk vhost-user-scsi vhost-user-input vhost-user-snd vhost-user-rng".split()
)


def check_link(props: Properties, driver: str, key: str, names: Names) -> None:
    """Check that what a property names is defined.

    Raises
    ------
    Refusal
        It is not.
    """
    value = props.values.get(key)
    if not isinstance(value, str) or not value or key not in names or value in names[key] or _IMPLICIT.fullmatch(value):
        return
    if key in _OBJECTS:
        raise props.refusal(f"Device '{value}' not found", f"make it by -object ...,id={value}")
    if driver in _OWN_NAMES:
        raise props.refusal(f"Chardev '{value}' not found", f"make it by -chardev ...,id={value}")
    option = {"drive": "drive or -blockdev"}.get(key, key)
    raise props.refusal(
        f"Property '{_owner(driver)}.{key}' can't find value '{value}'",
        f"make it by -{option}, or look at its spelling",
    )


def _owner(driver: str) -> str:
    """Return the type that has the property: within a PCI device of virtio it is the device behind the transport."""
    base = re.sub(r"-pci(-(?:non-)?transitional)?$", "", driver)
    if base != driver and base.startswith(("virtio-", "vhost-")):
        return base if base in _WITHOUT_SUFFIX else f"{base}-device"
    return "serial" if driver in ("isa-serial", "pci-serial") else driver


def ids_of(options: Iterable[Properties], *keys: str) -> frozenset[str]:
    """Return the ids that options define, under any of `keys`."""
    return frozenset(str(one.values[key]) for one in options for key in keys if key in one.values)
