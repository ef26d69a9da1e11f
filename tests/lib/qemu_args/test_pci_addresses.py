"""PCI addresses, links and IOMMUs on a command line: what QEMU 10.0.2 says where they do not fit, compared with it."""

import pytest

from workbook.lib.errors import Refusal
from workbook.lib.machine import Machine

NO = "-accel tcg -m 1G -nodefaults "


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "-accel tcg -m 1G -M q35 -device pcie-root-port,id=p,addr=2",
            "PCI: slot 2 function 0 not available for pcie-root-port, in use by e1000e,id=(null)",
        ),
        (
            "-accel tcg -m 1G -M pc -device intel-hda,id=x,addr=3",
            "PCI: slot 3 function 0 not available for intel-hda, in use by e1000,id=(null)",
        ),
        (
            NO + "-M pc -device VGA,id=v,addr=2 -device e1000,addr=2",
            "PCI: slot 2 function 0 not available for e1000, in use by VGA,id=v",
        ),
        (
            NO + "-M pc -device e1000,addr=1.3",
            "PCI: slot 1 function 3 not available for e1000, in use by PIIX4_PM,id=(null)",
        ),
        (
            NO + "-M q35 -usb -device e1000,addr=1d.7",
            "PCI: slot 29 function 7 not available for e1000, in use by ich9-usb-ehci1,id=(null)",
        ),
        (
            NO + "-M q35 -device e1000,addr=5 -device e1000,addr=5.1",
            "PCI: single function device can't be populated in function 5.1",
        ),
        (
            NO + "-M q35 -device e1000,addr=5.1 -device e1000,addr=5",
            "PCI: 5.0 indicates single function, but 5.1 is already populated.",
        ),
        (
            NO + "-M pc" + " -device e1000" * 31,
            "PCI: no slot/function available for e1000, all in use or reserved",
        ),
        (NO + "-M q35 -device pcie-root-port -device pcie-root-port", "Can't add chassis slot, error -16"),
        (
            NO + "-M pc -device pci-bridge,id=b",
            "Bridge chassis not specified. Each bridge is required to be assigned a unique chassis id > 0.",
        ),
        (
            NO + "-netdev user,id=n -device virtio-net-pci,netdev=m",
            "Property 'virtio-net-device.netdev' can't find value 'm'",
        ),
        (NO + "-netdev user,id=n -device e1000,netdev=m", "Property 'e1000.netdev' can't find value 'm'"),
        (NO + "-object rng-builtin,id=r -device virtio-rng-pci,rng=s", "Device 's' not found"),
        (
            NO + "-drive if=none,id=d -device virtio-blk-pci,drive=e",
            "Property 'virtio-blk-device.drive' can't find value 'e'",
        ),
        (
            NO + "-chardev null,id=c -device vhost-user-blk-pci,chardev=d",
            "Property 'vhost-user-blk.chardev' can't find value 'd'",
        ),
        (NO + "-M pc -device intel-iommu", "Parameter 'driver' expects a dynamic sysbus device type for the machine"),
        (
            NO + "-M q35 -device virtio-iommu-pci -device intel-iommu",
            "QEMU does not support multiple vIOMMUs for x86 yet.",
        ),
        (
            NO.replace("tcg", "kvm") + "-M q35 -device intel-iommu,intremap=on",
            "Interrupt Remapping cannot work with kernel-irqchip=on, please use 'split|off'.",
        ),
        (
            NO + "-vga std -device vmware-svga",
            "savevm_state_handler_insert: Detected duplicate SaveStateEntry: id=vga, instance_id=0x0",
        ),
        (NO + "-device ramfb -device ramfb", "duplicate fw_cfg file name: vgaroms/vgabios-ramfb.bin"),
    ],
)
def test_what_does_not_fit(line: str, message: str) -> None:
    """Addresses that are taken, names that nothing has, and IOMMUs that cannot be are refused in QEMU's words."""
    with pytest.raises(Refusal) as caught:
        Machine.from_qemu_args(line, rules="qemu-10.0")
    assert caught.value.message == message


@pytest.mark.parametrize(
    "line",
    [
        "-M q35,sata=off -device e1000,addr=1f.2",
        "-M pc,acpi=off -device e1000,addr=1.3",
        "-M q35 -device e1000,addr=5,multifunction=on -device e1000,addr=5.1",
        "-M q35 -device pcie-root-port,id=a,chassis=1 -device pcie-root-port,chassis=2 -device e1000e,bus=a,addr=0",
        "-M q35 -device pcie-root-port,id=a,slot=1 -device pcie-root-port,slot=2",
        "-M q35,kernel-irqchip=split -accel kvm -device intel-iommu,intremap=on,eim=on",
        "-serial null -device virtio-serial -chardev null,id=c -device virtconsole,chardev=serial0",
    ],
)
def test_what_fits(line: str) -> None:
    """Functions that the board leaves free, multifunction slots, ports with numbers of their own: QEMU takes them."""
    Machine.from_qemu_args(f"-m 1G -nodefaults {line}", rules="qemu-10.0")


def test_a_line_that_was_shortened() -> None:
    """What somebody cut off a line is taken for there, and said."""
    vm = Machine.from_qemu_args("-m 1G -device virtio-balloon-pci,bus=pci.1 -device virtio-blk-pci,drive=d")
    assert {one.text.partition(":")[0] for one in vm.notes if one.kind == "assumed"} >= {
        "there is a bus pci.1",
        "there is a drive d",
    }


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("virtio-mem-pci,memdev=m,block-size=3M,foo=1", "'block-size' property has to be a power of two"),
        ("virtio-mem-pci,memdev=n,block-size=3M", "Device 'n' not found"),
        (
            "nvdimm,memdev=m,label-size=1K,foo=1",
            "Property 'nvdimm.label-size' (0x400) is required at least 0x20000",
        ),
    ],
)
def test_properties_are_set_in_order(device: str, message: str) -> None:
    """A value that its setter refuses, and a link to nothing, are found in the place of the property."""
    line = f"-accel tcg -m 1G,maxmem=3G,slots=2 -object memory-backend-ram,id=m,size=1G -device {device}"
    with pytest.raises(Refusal) as caught:
        Machine.from_qemu_args(line, rules="qemu-10.0")
    assert caught.value.message == message


def test_a_global_property_of_a_device_in_json() -> None:
    """A -global is text; a device that is given as JSON takes it all the same, and a note says who does not."""
    line = (
        "-accel tcg -m 1G,maxmem=3G -object memory-backend-ram,id=m,size=1G -global virtio-mem-pci.dynamic-memslots=on"
    )
    vm = Machine.from_qemu_args([*line.split(), "-device", '{"driver":"virtio-mem-pci","id":"v","memdev":"m"}'])
    plain = Machine.from_qemu_args(f"{line} -device virtio-mem-pci,id=v,memdev=m")
    assert vm.devices[0].decision == plain.devices[0].decision
    assert any("hot-plugged later" in one.text for one in vm.notes)


def test_hot_plug_without_acpi() -> None:
    """A pc without ACPI takes no PCI device at run time."""
    vm = Machine.from_qemu_args("-accel tcg -M pc,acpi=off -m 1G,maxmem=3G", rules="qemu-10.0")
    with pytest.raises(Refusal, match=r"Bus 'pci\.0' does not support hotplugging"):
        vm.device_add("virtio-mem-pci", "v", object={"qom-type": "memory-backend-ram", "id": "m", "size": 1 << 30})
