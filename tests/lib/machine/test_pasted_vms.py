"""VMs as people have them (guides, logs, Proxmox, OpenStack, Kata, KubeVirt): read to the machines they make.

The numbers were compared with a QEMU 10.0.2 that was started with the same line, its files and sockets replaced.
"""

from pathlib import Path

import pytest

from workbook.lib import Machine
from workbook.lib.errors import BadInput, Refusal

FOLDER = Path(__file__).parents[1] / "pasted"
LINE, PS, XML = "a QEMU command line", "a line of ps", "libvirt domain XML"
STARTS = {
    "and-next": (LINE, (9,), 0, 0),
    "background": (LINE, (10,), 0, 0),
    "dpdk": (LINE, (10,), 0, 2),
    "gpu-passthrough": (LINE, (7,), 0, 0),
    "hackintosh": (LINE, (11,), 0, 0),
    "kata": (LINE, (9,), 1, 2),
    "kubevirt-json": ("a KubeVirt object in JSON", (10,), 1, 0),
    "kubevirt-vm": ("a KubeVirt object in YAML", (9,), 1, 1),
    "kubevirt-vmi": ("a KubeVirt object in YAML", (7, 7), 0, 1),
    "libvirt-300-cpus": (XML, (6,), 0, 0),
    "libvirt-dimm": ("a device in libvirt's XML", (8,), 1, 0),
    "libvirt-dpdk": (XML, (9,), 0, 2),
    "libvirt-gaming": (XML, (8, 8), 0, 1),
    "libvirt-live": (XML, (10,), 0, 2),
    "libvirt-log": (LINE, (10,), 0, 0),
    "libvirt-nvdimm": (XML, (8,), 1, 0),
    "libvirt-pmem": (XML, (8,), 1, 0),
    "libvirt-tcg": (XML, (), 0, 0),
    "libvirt-virtio-mem": (XML, (8,), 1, 0),
    "looking-glass": (LINE, (8,), 0, 0),
    "nova": (LINE, (10,), 0, 0),
    "nova-4.2": (LINE, (10,), 0, 0),
    "pgrep": (PS, (6,), 0, 0),
    "proxmox-cpu": (LINE, (9,), 0, 0),
    "proxmox-dimm": (LINE, (11,), 2, 0),
    "proxmox-hugepages": (LINE, (12,), 2, 0),
    "proxmox-secure-boot": (LINE, (9,), 0, 0),
    "proxmox-viommu": (LINE, (9,), 0, 0),
    "proxmox-windows": (LINE, (10,), 0, 1),
    "ps": (PS, (8,), 0, 0),
    "quickemu": (LINE, (10,), 0, 0),
    "systemctl": (PS, (9,), 0, 0),
    "uefi-blockdev": (LINE, (10, 9), 0, 0),
    "virtiofs-howto": (LINE, (9,), 0, 1),
}
"""What it is read as, KVM memslots by address space, memory devices, vhost devices."""
REFUSED = {
    "numactl": "PCI: slot 2 function 0 not available for pcie-root-port, in use by e1000e,id=(null)",
    "vagrant": "Property 'pc-q35-11.1-machine.highmem' not found",
}
NOT_MODELLED = {"microvm": "microvm", "libvirt-microvm": "microvm"}


def test_every_text_is_looked_at() -> None:
    """Every text of the folder stands in one of the tables."""
    assert {one.stem for one in FOLDER.iterdir()} == {*STARTS, *REFUSED, *NOT_MODELLED}


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
def test_pasted_vm(path: Path) -> None:
    """A pasted text makes the machine that QEMU makes of it, or is refused in its words."""
    text, name = path.read_text(), path.stem
    if name in STARTS:
        vm = Machine.from_text(text)
        assert (vm.read_as, vm.kvm_used, len(vm.devices), len(vm.vhosts)) == STARTS[name]
        return
    expected = Refusal if name in REFUSED else BadInput
    with pytest.raises(expected) as caught:
        Machine.from_text(text)
    assert (REFUSED.get(name) or NOT_MODELLED[name]) in str(caught.value)
