"""IOMMU devices of x86: what QEMU refuses of them (hw/i386/intel_iommu.c, amd_iommu.c, x86-iommu.c, QEMU 10.0)."""

from typing import Final

from .properties import Properties

__all__ = ("IOMMUS", "check_iommu")

IOMMUS: Final = frozenset(("intel-iommu", "amd-iommu", "virtio-iommu-pci"))
_OF_CHIPSET: Final = frozenset(("intel-iommu", "amd-iommu"))


def check_iommu(props: Properties, driver: str, *, chipset: str, others: bool, irqchip_in_kernel: bool) -> None:
    """Check one IOMMU.

    Parameters
    ----------
    others
        Whether the VM has one already.
    irqchip_in_kernel
        Whether KVM emulates all of the interrupt controller (``kernel-irqchip=on``, the default).

    Raises
    ------
    Refusal
        The board has none, it is the second one, or interrupt remapping has no user-space I/O APIC.
    """
    if driver in _OF_CHIPSET and chipset != "q35":
        raise props.refusal(
            "Parameter 'driver' expects a dynamic sysbus device type for the machine", f"{driver} needs q35"
        )
    if others:
        raise props.refusal("QEMU does not support multiple vIOMMUs for x86 yet.", "leave one of them out")
    if driver not in _OF_CHIPSET:
        return
    remaps = props.choice("intremap", ("on", "off", "auto"))
    if remaps == "on" and irqchip_in_kernel:
        raise props.refusal(
            "Interrupt Remapping cannot work with kernel-irqchip=on, please use 'split|off'.",
            "add -machine kernel-irqchip=split",
        )
    if driver == "intel-iommu" and props.choice("eim", ("on", "off", "auto")) == "on" and remaps == "off":
        raise props.refusal("eim=on cannot be selected without intremap=on", "set both, or neither")
