"""``qom-set`` on a running device: what QEMU says to it.

Only ``requested-size`` of virtio-mem can be set at run time. The texts are those of qom/object.c,
hw/core/qdev-properties.c and hw/virtio/virtio-mem.c (QEMU 8.2 to 11.1), seen on 10.0.2.
"""

from collections.abc import Container
from typing import Final

from workbook.lib.errors import Refusal
from workbook.lib.scenario import Pmem, VirtioMem

from .memory_device import MemoryDevice

__all__ = ("refusal_of_property", "requested_size_of")

_U64: Final = 1 << 64
_I64: Final = 1 << 63
_VIRTIO_MEM: Final[tuple[str, ...]] = (
    "memaddr",
    "node",
    "memdev",
    "prealloc",
    "unplugged-inaccessible",
    "dynamic-memslots",
    "max-memslots",
    "memslots",
)
_DIMM: Final = ("addr", "slot", "node", "memdev")
_PMEM: Final = ("memaddr", "memdev")
_ADVICE: Final = "only requested-size of a virtio-mem device can be changed while the VM runs"


def requested_size_of(value: object) -> int:
    """Return the bytes that QEMU takes a JSON value of ``requested-size`` for; a negative number wraps around.

    Raises
    ------
    Refusal
        Not a whole number of at most 64 bits.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not -_I64 <= value < _U64:
        raise Refusal("Parameter 'requested-size' expects uint64", "give a whole number of bytes")
    return value % _U64


def refusal_of_property(device: MemoryDevice, name: str, value: object, objects: Container[str]) -> Refusal:
    """Return QEMU's refusal of setting any other property of a device that is realized.

    Parameters
    ----------
    value
        As JSON has it; it is looked at first where the property is a link.
    objects
        Ids of the memory backends that there are.
    """
    if isinstance(device.spec, VirtioMem):
        kind, outer, known = "virtio-mem", "virtio-mem-pci", _VIRTIO_MEM
    elif isinstance(device.spec, Pmem):
        kind, outer, known = "virtio-pmem", "virtio-pmem-pci", _PMEM
    else:
        kind = outer = "nvdimm" if device.spec.type == "nvdimm" else "pc-dimm"
        known = _DIMM
    if name == "block-size" and kind == "virtio-mem":
        message = "'block-size' cannot be changed"
    elif name == "size" and kind != "virtio-pmem":
        message = f"Property '{kind}.size' is not writable"
    elif name in known:
        # the device inside a virtio-pci proxy has no id of its own
        inner = kind != outer
        if name == "memdev":
            if not isinstance(value, str):
                return Refusal("Invalid parameter type for 'memdev', expected: string", _ADVICE)
            if value not in objects:
                return Refusal(f"Device '{value}' not found", _ADVICE)
            owner, what = f"device '{'(null)' if inner else device.id}'", "link property"
        else:
            owner, what = "anonymous device" if inner else f"device '{device.id}'", "property"
        message = f"Attempt to set {what} '{name}' on {owner} (type '{kind}') after it was realized"
    else:
        message = f"Property '{outer}.{name}' not found"
    return Refusal(message, _ADVICE)
