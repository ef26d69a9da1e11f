"""Every device of QEMU 10.0 by what it means for memory: modelled, not modelled, or one that cannot matter.

A test compares these lists with the catalogue: no device is left out.
"""

from typing import Final, Literal

__all__ = (
    "DISPLAYS",
    "FIXTURE_PROPERTIES",
    "HARMLESS_DEVICES",
    "MODELLED_DEVICES",
    "NETWORK_CARDS",
    "OTHER_FIXTURES",
    "PCI_BRIDGES",
    "TAKES_MEMORY",
    "UNMODELLED_DEVICES",
    "VFIO",
    "VFIO_PROPERTIES",
    "vhost_kind",
)

DISPLAYS: Final = frozenset(
    "VGA secondary-vga cirrus-vga isa-vga isa-cirrus-vga bochs-display vmware-svga ramfb ati-vga virtio-vga "
    "virtio-vga-gl virtio-vga-rutabaga qxl qxl-vga sm501 vhost-user-vga virtio-gpu-pci virtio-gpu-gl-pci "
    "virtio-gpu-rutabaga-pci".split()
)
NETWORK_CARDS: Final = frozenset(
    "e1000 e1000-82544gc e1000-82545em e1000e igb i82550 i82551 i82557a i82557b i82557c i82558a i82558b i82559a "
    "i82559b i82559c i82559er i82562 i82801 ne2k_pci pcnet rtl8139 tulip vmxnet3 rocker virtio-net-pci "
    "virtio-net-pci-transitional virtio-net-pci-non-transitional".split()
)
OTHER_FIXTURES: Final = frozenset("ivshmem-plain ivshmem-doorbell acpi-erst nvme".split())
FIXTURE_PROPERTIES: Final = frozenset(
    "romfile rombar romsize vgamem_mb ram_size ram_size_mb vram_size vram_size_mb vram64_size_mb memdev size blob "
    "hostmem pmrdev".split()
)
"""Properties of such devices that decide what they map."""
VFIO: Final = frozenset(("vfio-pci", "vfio-pci-nohotplug"))
VFIO_PROPERTIES: Final = frozenset("host sysfsdev iommufd romfile rombar romsize ramfb".split())
TAKES_MEMORY: Final[dict[str, str]] = {
    "cxl-type3": "its memory is behind a CXL window and takes memslots there",
    "hv-balloon": "with a memdev it cuts its memory into memslots of its own and takes part in every budget",
    "virtio-md-pci": "it is the parent of virtio-mem-pci and virtio-pmem-pci",
}
"""Memory devices that are not modelled, and what they would change."""
UNMODELLED_DEVICES: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("intel-iommu", "amd-iommu", "virtio-iommu-pci", "virtio-iommu-device"),
        "with an IOMMU the guest's DMA address space is another one: vhost and VFIO map what the guest maps",
    ),
    "x-pci-proxy-dev": "another process maps all RAM",
    "cxl-upstream": "CXL's own address space is not modelled",
    "cxl-downstream": "CXL's own address space is not modelled",
    "cxl-rp": "CXL's own address space is not modelled",
    "cxl-switch-mailbox-cci": "CXL's own address space is not modelled",
    "vmclock": "it maps a page of its own, which is a memslot",
    "pxb-cxl": "CXL's own address space is not modelled, but for the size of its windows",
}
"""Devices that may change a number and are not modelled, and how."""
PCI_BRIDGES: Final = frozenset(
    "pcie-root-port ioh3420 x3130-upstream xio3130-downstream pci-bridge pci-bridge-seat pcie-pci-bridge "
    "i82801b11-bridge pxb pxb-pcie pxb-cxl cxl-rp cxl-upstream cxl-downstream".split()
)
"""Devices that make a PCI bus named by their id."""
HARMLESS_DEVICES: Final = frozenset(
    (
        "u2f-passthru "
        "AC97 AMDVI-PCI ES1370 adlib am53c974 ccid-card-emulated ccid-card-passthru cs4231a ctucan_pci dc390 edu "
        "floppy guest-loader gus hda-duplex hda-micro hda-output hv-syndbg hyperv-testdev i2c-ddc i2c-echo "
        "i6300esb i8042 ib700 ich9-ahci ich9-intel-hda ich9-usb-ehci1 ich9-usb-ehci2 ich9-usb-uhci1 "
        "ich9-usb-uhci2 ich9-usb-uhci3 ich9-usb-uhci4 ich9-usb-uhci5 ich9-usb-uhci6 ide-cd ide-cf ide-hd "
        "intel-hda ipmi-bmc-extern ipmi-bmc-sim ipoctal232 isa-applesmc isa-debug-exit isa-debugcon isa-fdc "
        "isa-ide isa-ipmi-bt isa-ipmi-kcs isa-parallel isa-serial kvaser_pci loader lsi53c810 lsi53c895a "
        "mc146818rtc megasas megasas-gen2 mioe3680_pci mptsas1068 ne2k_isa nec-usb-xhci nvme-ns nvme-subsys "
        "pc-testdev pci-ipmi-bt pci-ipmi-kcs pci-ohci pci-serial pci-serial-2x pci-serial-4x pci-testdev "
        "pcm3680_pci piix3-ide piix3-usb-uhci piix4-ide piix4-usb-uhci pvpanic pvpanic-pci pvscsi qemu-xhci sb16 "
        "scsi-block scsi-cd scsi-generic scsi-hd sd-card sd-card-spi sdhci-pci smbus-ipmi tpci200 tpm-crb tpm-tis "
        "uefi-vars-sysbus uefi-vars-x64 ufs ufs-lu usb-audio usb-bot usb-braille usb-ccid usb-ehci usb-host "
        "usb-hub usb-kbd usb-mouse usb-mtp usb-net usb-redir usb-serial usb-storage usb-tablet usb-uas "
        "usb-wacom-tablet vfio-pci-igd-lpc-bridge virtconsole virtio-9p-device virtio-9p-pci "
        "virtio-9p-pci-non-transitional virtio-9p-pci-transitional virtio-balloon-device virtio-balloon-pci "
        "virtio-balloon-pci-non-transitional virtio-balloon-pci-transitional virtio-blk-device virtio-blk-pci "
        "virtio-blk-pci-non-transitional virtio-blk-pci-transitional virtio-crypto-device virtio-crypto-pci "
        "virtio-gpu-device virtio-input-host-device virtio-input-host-pci virtio-keyboard-device "
        "virtio-keyboard-pci virtio-mouse-device virtio-mouse-pci virtio-multitouch-device virtio-multitouch-pci "
        "virtio-net-device virtio-rng-device virtio-rng-pci virtio-rng-pci-non-transitional "
        "virtio-rng-pci-transitional virtio-scsi-device virtio-scsi-pci virtio-scsi-pci-non-transitional "
        "virtio-scsi-pci-transitional virtio-serial-device virtio-serial-pci virtio-serial-pci-non-transitional "
        "virtio-serial-pci-transitional virtio-sound-device virtio-sound-pci virtio-tablet-device "
        "virtio-tablet-pci virtserialport vmbus-bridge vmcoreinfo vmgenid vmmouse xen-backend xen-cdrom "
        "xen-console xen-disk xen-net-device xen-platform"
    ).split()
)
"""Devices without RAM or ROM that the guest can address: they change no number of the model."""
MODELLED_DEVICES: Final = frozenset("virtio-mem-pci virtio-mem virtio-pmem-pci virtio-pmem pc-dimm nvdimm".split())


def vhost_kind(driver: str) -> Literal["user", "kernel", "vdpa"] | None:
    """Return which vhost a device has; None where it has none (or only by its ``netdev``)."""
    if driver.startswith("vhost-user-"):
        return "user"
    if driver.startswith("vhost-vdpa-"):
        return "vdpa"
    return "kernel" if driver.startswith(("vhost-vsock", "vhost-scsi")) else None
