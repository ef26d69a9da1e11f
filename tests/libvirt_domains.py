"""Pieces of domain XML that several tests share."""

__all__ = ("HUGE", "KUBEVIRT", "ROOM", "backends", "domain", "objects", "virtio_mem")

import json
from itertools import pairwise

HUGE = "/dev/hugepages2M/libvirt/qemu"


def domain(devices: str = "", *, head: str = "", kind: str = "kvm", cells: str = "") -> str:
    numa = f"<cpu><numa>{cells}</numa></cpu>" if cells else ""
    features = "<features><acpi/></features>"
    return f"<domain type='{kind}'><name>vm</name>{head}{features}{numa}<devices>{devices}</devices></domain>"


def virtio_mem(target: str = "<size unit='GiB'>4</size>", attributes: str = "", more: str = "") -> str:
    target += "" if "<block" in target else "<block unit='MiB'>2</block>"
    return f"<memory model='virtio-mem'>{more}<target{attributes}>{target}</target></memory>"


ROOM = "<memory unit='GiB'>8</memory><maxMemory slots='2' unit='GiB'>64</maxMemory>"


def objects(argv: list[str], option: str) -> list[dict[str, object]]:
    return [json.loads(value) for name, value in pairwise(argv) if name == option]


KUBEVIRT = """\
<?xml version="1.0" encoding="UTF-8"?>
<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>default_vm</name>
  <maxMemory unit="b" slots="16">137438953472</maxMemory>
  <memory unit="b">21474836480</memory>
  <vcpu>2</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <features><acpi/></features>
  <memoryBacking><source type="memfd"/><access mode="shared"/></memoryBacking>
  <cpu mode="host-model"><topology sockets="2" cores="1" threads="1"/>
    <numa><cell id="0" cpus="0-1" memory="4294967296" unit="b"/></numa></cpu>
  <devices>
    <interface type="ethernet"><model type="virtio-non-transitional"/><alias name="ua-default"/></interface>
    <filesystem type="mount"><source socket="/run/vfs.sock"/><target dir="data"/><driver type="virtiofs"/>
      <alias name="ua-data"/></filesystem>
    <memory model="virtio-mem"><target dynamicMemslots="yes"><size unit="b">17179869184</size><node>0</node>
      <block unit="b">2097152</block><requested unit="b">2147483648</requested><current unit="b">0</current></target>
      <alias name="ua-hotplug"/></memory>
  </devices>
</domain>
"""


def backends(argv: list[str]) -> list[dict[str, object]]:
    """Return the memory backends of memory devices: those of the RAM left out."""
    return [one for one in objects(argv, "-object") if not str(one["id"]).startswith(("ram-node", "pc.ram"))]
