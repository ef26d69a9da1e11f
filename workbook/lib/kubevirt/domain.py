"""The domain XML that KubeVirt's virt-launcher makes of a VirtualMachine or VirtualMachineInstance.

Sources: pkg/virt-launcher/virtwrap/converter/converter.go (memory backing, devices), pkg/defaults/defaults.go (guest
memory), pkg/liveupdate/memory/memory.go (memory hot-plug: virtio-mem of ``maxGuest`` minus the guest's memory at boot,
blocks of 2 MiB or of the huge page), pkg/virt-config (``maxHotplugRatio`` 4) of KubeVirt 1.6. Its QEMU is that of
CentOS Stream: 10.1, with RHEL's machine types, which have dynamic-memslots on.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.libvirt import read_domain
from workbook.lib.notes import Note
from workbook.lib.rules import get
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, format_size

from .manifest import Field, vm_spec, vmi_spec
from .quantity import read_quantity

__all__ = ("DEFAULT_HOTPLUG_RATIO", "MACHINE", "RULES", "domain_of", "read_virtual_machine")

RULES: Final = "qemu-10.1"
"""Rule set of the QEMU in KubeVirt 1.6 (hack/rpm-deps.sh)."""
MACHINE: Final = "pc-q35-rhel9.6.0"
"""What ``q35`` is in that QEMU."""
DEFAULT_HOTPLUG_RATIO: Final = 4
"""``maxHotplugRatio``: maxGuest where a VM names none, in guest memories."""
LEAST_HOTPLUG: Final = GiB
"""Guest memory below which there is no memory hot-plug."""
BLOCK: Final = 2 * MiB
VIRTIO: Final = "virtio-non-transitional"
HOST_PHYS_BITS_LIMIT: Final = 48
"""RHEL's machine types take the host's address bits up to this many."""
_FIRMWARE: Final = {True: "/usr/share/OVMF/OVMF_CODE.secboot.fd", False: "/usr/share/OVMF/OVMF_CODE.fd"}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


def read_virtual_machine(
    given: Mapping[str, object],
    *,
    rules: RuleSet | None = None,
    vhost_slots: Mapping[str, int | None] | None = None,
    ratio: int = DEFAULT_HOTPLUG_RATIO,
    notes: list[Note] | None = None,
) -> Scenario:
    """Read a VirtualMachine, a VirtualMachineInstance, or what else has a template of one.

    Parameters
    ----------
    given
        The object as nested mappings and lists: parsed YAML or JSON.
    rules
        What the QEMU is; None: KubeVirt's (`RULES`).
    vhost_slots
        Memslots that vhost back ends report, by device id (``fs0``, ``hostua-default``).
    ratio
        The cluster's ``maxHotplugRatio``.
    notes
        Gets what was assumed or is not modelled.

    Raises
    ------
    BadInput
        A field that cannot be read, or a VM whose size is in another object (``instancetype``).
    Refusal
        libvirt or QEMU would refuse the VM.
    """
    found: list[Note] = [] if notes is None else notes
    text = domain_of(given, ratio=ratio, notes=found)
    return read_domain(text, rules=get(RULES) if rules is None else rules, vhost_slots=vhost_slots)


def domain_of(given: object, *, ratio: int = DEFAULT_HOTPLUG_RATIO, notes: list[Note] | None = None) -> str:
    """Return the domain XML; parameters and errors as of `read_virtual_machine`."""
    machine = _Converter(Field(given), ratio, [] if notes is None else notes)
    domain = machine.domain()
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode") + "\n"


class _Converter:
    """A VM being converted."""

    def __init__(self, given: Field, ratio: int, notes: list[Note]) -> None:
        self.is_instance = given["kind"].text() == "VirtualMachineInstance"
        spec = vm_spec(given)
        self.spec = vmi_spec(given)
        self.vm = self.spec["domain"]
        self.status = given["status"]
        self.name = given["metadata.name"].text("vm")
        self.ratio = ratio
        self.notes = notes
        if not self.vm.given:
            raise BadInput(f"{self.vm.where} is missing: a VirtualMachine has it below spec.template.spec")
        if spec["instancetype"].given:
            raise BadInput(
                f"{spec['instancetype'].where} has the size of this VM in another object: give the running "
                "VirtualMachineInstance (kubectl get vmi -o json), which has it whole"
            )

    def domain(self) -> ET.Element:
        guest, boot, most = self._memory()
        domain = ET.Element("domain", type="kvm")
        ET.SubElement(domain, "name").text = self.name if self.name.isprintable() else "vm"
        if most:
            _bytes(domain, "maxMemory", most)
        _bytes(domain, "memory", boot + (most - boot if most else 0))
        vcpus = self._vcpus()
        ET.SubElement(domain, "vcpu").text = str(vcpus)
        self._backing(domain)
        self._os(domain)
        self._cpu(domain, boot if most else 0, vcpus)
        devices = ET.SubElement(domain, "devices")
        self._interfaces(devices, vcpus)
        self._filesystems(devices)
        self._passed_through(devices)
        if self.vm["devices.autoattachVSOCK"].flag():
            ET.SubElement(ET.SubElement(devices, "vsock", model=VIRTIO), "cid", auto="yes")
        if self.vm["devices.autoattachGraphicsDevice"].flag(default=True):
            video = ET.SubElement(devices, "video")
            ET.SubElement(video, "model", type="vga", heads="1", vram="16384")
        if most:
            self._hotplug(devices, boot, guest - boot, most)
        return domain

    # -- memory ---------------------------------------------------------------------------------------------------

    def _quantity(self, path: str) -> int:
        field = self.vm[path]
        return read_quantity(field.value, field.where) if field.given else 0

    def _page(self) -> int:
        return self._quantity("memory.hugepages.pageSize")

    def _memory(self) -> tuple[int, int, int]:
        """Return guest memory now, at boot, and at most (0 where there is no hot-plug), bytes."""
        paths = ("memory.guest", "resources.requests.memory", "resources.limits.memory", "memory.hugepages.pageSize")
        guest = next((size for size in map(self._quantity, paths) if size), 0)
        if not guest:
            raise BadInput(f"{self.vm.where} has no memory: give memory.guest or resources.requests.memory")
        if not self.vm["memory.guest"].given:
            self._note("assumed", f"the guest has what is requested, {format_size(guest)}", "domain.memory.guest")
        status = self.status["memory.guestAtBoot"]
        boot = read_quantity(status.value, status.where) if status.given else guest
        most = self._quantity("memory.maxGuest")
        reason = self._without_hotplug(boot)
        if reason:
            if most:
                self._note("passed over", f"no memory hot-plug: {reason}", "domain.memory.maxGuest")
            return guest, guest, 0
        if not most and not self.is_instance:
            most = guest * self.ratio
            text = f"{format_size(most)}, that is {self.ratio} times the guest's memory (maxHotplugRatio)"
            self._note("assumed", text, "domain.memory.maxGuest")
        if most and most < guest:
            raise BadInput(
                f"{self.vm['memory.maxGuest'].where} is {format_size(most)}: it must be at least memory.guest, "
                f"{format_size(guest)}"
            )
        return (guest, boot, most) if most > boot else (guest, guest, 0)

    def _without_hotplug(self, boot: int) -> str:
        """Return why this VM has no memory hot-plug; empty where it has."""
        cpu = self.vm["cpu"]
        if self.spec["architecture"].text("amd64") != "amd64":
            return "only amd64 has it"
        if self.vm["launchSecurity"].given:
            return "not with launchSecurity"
        if cpu["realtime"].given:
            return "not with realtime"
        if cpu["numa.guestMappingPassthrough"].given:
            return "not with guestMappingPassthrough"
        return "the guest has less than 1 GiB" if boot < LEAST_HOTPLUG else ""

    def _backing(self, domain: ET.Element) -> None:
        page = self._page()
        shared = self.vm["devices.filesystems"].given or any(
            one["binding.name"].text() == "passt" or one["passtBinding"].given for one in self.vm["devices.interfaces"]
        )
        if not page and not shared:
            return
        backing = ET.SubElement(domain, "memoryBacking")
        if page:
            size = str(page)
            ET.SubElement(ET.SubElement(backing, "hugepages"), "page", size=size, unit="b")
        ET.SubElement(backing, "source", type="memfd")
        if shared:
            ET.SubElement(backing, "access", mode="shared")

    def _hotplug(self, devices: ET.Element, boot: int, requested: int, most: int) -> None:
        block = max(BLOCK, self._page())
        size = (most - boot) // block * block
        memory = ET.SubElement(devices, "memory", model="virtio-mem")
        target = ET.SubElement(memory, "target")
        _bytes(target, "size", size)
        ET.SubElement(target, "node").text = "0"
        _bytes(target, "block", block)
        _bytes(target, "requested", max(0, requested) // block * block)
        text = "KubeVirt attaches this device when memory is first added to the running VM; it is taken as attached"
        self._note("assumed", f"{text}: {format_size(size)}", "virtio-mem")

    # -- processor and firmware -----------------------------------------------------------------------------------

    def _vcpus(self) -> int:
        cpu = self.vm["cpu"]
        named = [cpu[name].number(1) or 1 for name in ("cores", "sockets", "threads")]
        if any(cpu[name].given for name in ("cores", "sockets", "threads")):
            return min(named[0] * named[1] * named[2], 4096)
        for path in ("resources.requests.cpu", "resources.limits.cpu"):
            count = self._quantity(path)
            if count:
                return min(count, 4096)
        return 1

    def _cpu(self, domain: ET.Element, cell: int, vcpus: int) -> None:
        model = self.vm["cpu.model"].text("host-model")
        if model in ("host-model", "host-passthrough"):
            cpu = ET.SubElement(domain, "cpu", mode=model)
        else:
            cpu = ET.SubElement(domain, "cpu", mode="custom", match="exact")
            ET.SubElement(cpu, "model").text = model if model.isprintable() else ""
        ET.SubElement(cpu, "maxphysaddr", mode="passthrough", limit=str(HOST_PHYS_BITS_LIMIT))
        if cell:
            last = f"0-{vcpus - 1}" if vcpus > 1 else "0"
            numa = ET.SubElement(cpu, "numa")
            ET.SubElement(numa, "cell", id="0", cpus=last, memory=str(cell), unit="b")

    def _os(self, domain: ET.Element) -> None:
        arch = self.spec["architecture"].text("amd64")
        arch = {"amd64": "x86_64", "arm64": "aarch64"}.get(arch, arch)
        named = self.vm["machine.type"].text("q35") or "q35"
        name = MACHINE if named == "q35" else named
        if name != named:
            self._note("assumed", f"q35 is {name} in KubeVirt's QEMU, a machine type of RHEL", "domain.machine.type")
        os = ET.SubElement(domain, "os")
        ET.SubElement(os, "type", arch=arch, machine=name).text = "hvm"
        features = ET.SubElement(domain, "features")
        if self.vm["features.acpi.enabled"].flag(default=True):
            ET.SubElement(features, "acpi")
        efi = self.vm["firmware.bootloader.efi"]
        secure = efi.given and efi["secureBoot"].flag(default=True)
        if secure or (self.vm["features.smm"].given and self.vm["features.smm.enabled"].flag(default=True)):
            ET.SubElement(features, "smm", state="on")
        if efi.given:
            loader = ET.SubElement(os, "loader", readonly="yes", secure="yes" if secure else "no", type="pflash")
            loader.text = _FIRMWARE[secure]
            ET.SubElement(os, "nvram").text = "/var/run/kubevirt-private/libvirt/qemu/nvram/vm_VARS.fd"

    # -- devices --------------------------------------------------------------------------------------------------

    def _interfaces(self, devices: ET.Element, vcpus: int) -> None:
        given = list(self.vm["devices.interfaces"])
        if not given and self.vm["devices.autoattachPodInterface"].flag(default=True):
            given = [Field({"name": "default", "masquerade": {}}, "the pod's own interface")]
        many = self.vm["devices.networkInterfaceMultiqueue"].flag()
        for number, one in enumerate(given):
            name = one["name"].text("default")
            if one["sriov"].given:
                self._hostdev(devices, f"sriov-{name}", number)
                continue
            passt = one["passtBinding"].given or one["binding.name"].text() == "passt"
            element = ET.SubElement(devices, "interface", type="vhostuser" if passt else "ethernet")
            if passt:
                ET.SubElement(element, "source", dev="eth0")
                ET.SubElement(element, "backend", type="passt")
            model = one["model"].text("virtio") or "virtio"
            ET.SubElement(element, "model", type=VIRTIO if model == "virtio" else model)
            if many and model == "virtio" and vcpus > 1:
                ET.SubElement(element, "driver", name="vhost", queues=str(vcpus))
            _alias(element, name)

    def _filesystems(self, devices: ET.Element) -> None:
        for one in self.vm["devices.filesystems"]:
            name = one["name"].text("fs")
            element = ET.SubElement(devices, "filesystem", type="mount", accessmode="passthrough")
            ET.SubElement(element, "driver", type="virtiofs", queue="1024")
            ET.SubElement(element, "source", socket=f"/var/run/kubevirt/virtiofs-containers/{_plain(name)}.sock")
            ET.SubElement(element, "target", dir=_plain(name))

    def _passed_through(self, devices: ET.Element) -> None:
        number = 16
        for path, prefix in (("devices.gpus", "gpu"), ("devices.hostDevices", "hostdevice")):
            for one in self.vm[path]:
                self._hostdev(devices, f"{prefix}-{one['name'].text('dev')}", number)
                number += 1

    def _hostdev(self, devices: ET.Element, name: str, number: int) -> None:
        element = ET.SubElement(devices, "hostdev", mode="subsystem", type="pci", managed="no")
        # which device it is, the node decides
        address = {"domain": "0x0000", "bus": f"0x{number % 256:02x}", "slot": "0x00", "function": "0x0"}
        ET.SubElement(ET.SubElement(element, "source"), "address", address)
        _alias(element, name)
        self._note("assumed", "a PCI device that is passed through whole, at an address of the node", name)

    def _note(self, kind: str, text: str, where: str) -> None:
        self.notes.append(Note("assumed" if kind == "assumed" else "passed over", text, where))


def _bytes(parent: ET.Element, tag: str, size: int) -> None:
    ET.SubElement(parent, tag, unit="b").text = str(size)


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("-", name)[:80]


def _alias(element: ET.Element, name: str) -> None:
    ET.SubElement(element, "alias", name=f"ua-{_plain(name)}")
