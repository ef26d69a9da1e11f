"""A made-up fleet: VMs as ``virsh dumpxml``, ``kubectl get vm -o json`` and ``ps`` would show them, from a seed.

No VM of it exists. The mix is a guess at what a cloud has: a few sizes in thousands of VMs that differ in their names,
some with directories shared by virtiofs or with host devices, and one in a hundred with a mistake in it.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from uuid import UUID

__all__ = ("MadeUpVm", "made_up_fleet", "made_up_folder", "made_up_vm")

_GIB: Final = 1 << 20
"""In KiB."""
_SIZES: Final = ((4, 12), (4, 28), (8, 24), (8, 56), (16, 112), (16, 48), (32, 224), (64, 192), (64, 448), (128, 896))
"""GiB of RAM at boot, and of the virtio-mem device."""
_WEIGHTS: Final = (20, 10, 18, 10, 12, 8, 8, 6, 5, 3)

_DOMAIN: Final = """<domain type='kvm' id='{number}'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <maxMemory slots='16' unit='KiB'>{most}</maxMemory>
  <memory unit='KiB'>{memory}</memory>
  <currentMemory unit='KiB'>{ram}</currentMemory>
{backing}  <vcpu placement='static'>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough' check='none' migratable='on'>
    <numa><cell id='0' cpus='0-{last_vcpu}' memory='{ram}' unit='KiB'/></numa>
  </cpu>
  <clock offset='utc'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/{name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <mac address='{mac}'/>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'><target type='isa-serial' port='0'/></serial>
{more}    <memory model='virtio-mem'>
      <target{dynamic}>
        <size unit='KiB'>{size}</size>
        <node>0</node>
        <block unit='KiB'>2048</block>
        <requested unit='KiB'>{requested}</requested>
      </target>
    </memory>
    <memballoon model='virtio'/>
  </devices>
</domain>
"""
_SHARED: Final = "  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>\n"
_VIRTIOFS: Final = """    <filesystem type='mount'>
      <driver type='virtiofs'/>
      <source dir='/srv/shared'/>
      <target dir='shared'/>
    </filesystem>
"""
_HOST_DEVICE: Final = """    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x3b' slot='0x00' function='0x0'/></source>
    </hostdev>
"""
_COMMAND_LINE: Final = (
    "/usr/bin/qemu-system-x86_64 -name {name} -uuid {uuid} -machine pc-q35-10.0 -accel kvm -cpu host -smp {vcpus} "
    "-m {ram}k,slots=8,maxmem={most}k -object memory-backend-ram,id=vmem0,size={size}k,reserve=off "
    "-device virtio-mem-pci,id=vm0,memdev=vmem0,requested-size={requested}k{dynamic} "
    "-netdev tap,id=net0 -device virtio-net-pci,netdev=net0,mac={mac} -nodefaults"
)


@dataclass(frozen=True)
class MadeUpVm:
    """What is drawn for one VM; sizes in KiB.

    Attributes
    ----------
    form
        ``libvirt``, ``kubevirt`` or ``qemu``.
    mistake
        ``maxmem`` too small, RAM not ``shared`` with virtiofs, a file that is ``cut`` off; empty for none.
    """

    number: int
    form: str
    ram: int
    size: int
    requested: int
    vcpus: int
    dynamic: bool
    virtiofs: bool
    host_device: bool
    mistake: str

    @property
    def name(self) -> str:
        """Its name."""
        kind = {"libvirt": "app", "kubevirt": "kv", "qemu": "lab"}[self.form]
        return f"{kind}-{self.number:06}"

    @property
    def text(self) -> str:
        """The VM as its own tool shows it."""
        match self.form:
            case "libvirt":
                text = self._domain()
            case "kubevirt":
                text = self._kubevirt()
            case _:
                dynamic = ",dynamic-memslots=on" if self.dynamic else ""
                text = _COMMAND_LINE.format(**self._words, dynamic=dynamic)
        return text[: len(text) // 2] if self.mistake == "cut" else text

    @property
    def _words(self) -> dict[str, object]:
        number = self.number
        return {
            "number": number,
            "name": self.name,
            "uuid": UUID(int=number + (1 << 100)),
            "mac": f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            "ram": self.ram,
            "memory": self.ram + self.size,
            "size": self.size,
            "requested": self.requested,
            "most": self.ram + self.size + (-_GIB if self.mistake == "maxmem" else 4 * _GIB),
            "vcpus": self.vcpus,
            "last_vcpu": self.vcpus - 1,
        }

    def _domain(self) -> str:
        more = (_VIRTIOFS if self.virtiofs else "") + (_HOST_DEVICE if self.host_device else "")
        return _DOMAIN.format(
            **self._words,
            machine="pc-q35-9.2",
            backing=_SHARED if self.virtiofs and self.mistake != "shared" else "",
            more=more,
            dynamic=" dynamicMemslots='yes'" if self.dynamic else "",
        )

    def _kubevirt(self) -> str:
        domain = {
            "cpu": {"cores": self.vcpus},
            "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]},
            "memory": {"guest": f"{self.ram // _GIB}Gi", "maxGuest": f"{(self.ram + self.size) // 1024}Mi"},
        }
        metadata = {"name": self.name, "namespace": "prod", "uid": str(self._words["uuid"])}
        volumes = [{"name": "root", "persistentVolumeClaim": {"claimName": f"{self.name}-root"}}]
        spec = {"template": {"spec": {"domain": domain, "volumes": volumes}}}
        return json.dumps(
            {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec}
        )


def made_up_vm(number: int, *, seed: int = 1, different: bool = False) -> MadeUpVm:
    """Return VM `number` of a fleet; see `made_up_fleet`."""
    chance = random.Random(f"{seed}.{number}")  # noqa: S311 - no secret
    form = chance.choices(("libvirt", "kubevirt", "qemu"), (70, 20, 10))[0]
    ram, size = chance.choices(_SIZES, _WEIGHTS)[0]
    virtiofs = form == "libvirt" and chance.random() < 0.15
    mistakes = {"libvirt": ("maxmem", "cut"), "kubevirt": ("cut",), "qemu": ("maxmem",)}[form]
    mistake = chance.choice((*mistakes, *(("shared",) if virtiofs else ()))) if chance.random() < 0.01 else ""
    return MadeUpVm(
        number=number,
        form=form,
        ram=ram * _GIB,
        size=size * _GIB + (number * 2048 if different else 0),
        requested=chance.choice((0, 0, size // 4, size // 2, size)) * _GIB,
        vcpus=max(2, ram // 4),
        dynamic=form != "kubevirt" and chance.random() < 0.2,
        virtiofs=virtiofs,
        host_device=form == "libvirt" and chance.random() < 0.05,
        mistake=mistake,
    )


def made_up_fleet(count: int, *, seed: int = 1, different: bool = False) -> Iterator[tuple[str, str]]:
    """Yield name and text of so many made-up VMs, one after the other.

    Parameters
    ----------
    different
        No two VMs have the same size, so that nothing repeats.
    """
    for number in range(count):
        vm = made_up_vm(number, seed=seed, different=different)
        yield vm.name, vm.text


def made_up_folder(count: int, *, seed: int = 1) -> Path:
    """Write a made-up fleet into a new temporary folder, a file for each VM, and return the folder."""
    folder = Path(mkdtemp(prefix="made-up-fleet-"))
    for name, text in made_up_fleet(count, seed=seed):
        (folder / name).write_text(text, encoding="utf-8")
    return folder
