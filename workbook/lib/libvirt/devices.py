"""Device elements with a vhost back end, passed-through PCI devices, shared memory and persistent stores.

Source: src/qemu/qemu_command.c (``qemuBuildVirtioDevGetConfig``, ``qemuBuildVHostUserFsDevProps``,
``qemuBuildPCIHostdevDevProps``, ``qemuBuildHostdevMediatedDevProps``, ``qemuBuildShmemDevProps``,
``qemuBuildPstoreCommandLine``, ``qemuBuildIOMMUCommandLine``) and src/conf/domain_conf.c, libvirt 11.3.
"""

from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.size import KiB, MiB

from . import xml
from .backing import Props
from .network import rom_props
from .refusals import xml_error

__all__ = ("hostdev_props", "iommu_props", "is_vhost_user", "pstore_props", "shmem_props", "vhost_props")

DEFAULT_SHMEM: Final = 4 * MiB
"""Of ``<shmem>`` without a ``<size>``."""
LEAST_SHMEM: Final = MiB


def is_vhost_user(element: ET.Element) -> bool:
    """Whether another process maps the guest's RAM for it, as libvirt asks before it wants shared memory."""
    match element.tag:
        case "filesystem":
            return xml.attribute(element, "driver", "type") == "virtiofs"
        case "disk":
            return element.get("type") in ("vhostuser", "vhostvdpa")
        case "interface":
            return element.get("type") == "vhostuser"
        case _:
            return False


def vhost_props(element: ET.Element, name: str) -> Props | None:
    """Return the ``-device`` of a disk, file system, SCSI host or vsock with a vhost back end; None for others."""
    match element.tag:
        case "disk" if element.get("type") == "vhostuser":
            return {"driver": _modelled("vhost-user-blk-pci", element.get("model")), "id": name}
        case "filesystem" if is_vhost_user(element):
            queue = xml.attribute(element, "driver", "queue")
            props: Props = {"driver": "vhost-user-fs-pci", "id": name, "chardev": f"chr-vu-{name}"}
            props |= {} if queue is None else {"queue-size": xml.unsigned(queue, "<driver queue=>")}
            return props | {"tag": xml.attribute(element, "target", "dir") or name}
        case "hostdev" if element.get("type") == "scsi_host" and _protocol(element) == "vhost":
            wwpn = xml.attribute(element, "source", "wwpn") or ""
            return {"driver": _modelled("vhost-scsi-pci", element.get("model")), "wwpn": wwpn, "id": name}
        case "vsock":
            return {"driver": _modelled("vhost-vsock-pci", element.get("model")), "id": name}
        case _:
            return None


def _protocol(element: ET.Element) -> str | None:
    return xml.attribute(element, "source", "protocol")


def _modelled(driver: str, model: str | None) -> str:
    """Return the driver with what ``model='virtio-transitional'`` and ``'virtio-non-transitional'`` append."""
    return driver + (model or "").removeprefix("virtio") if (model or "").startswith("virtio-") else driver


def hostdev_props(element: ET.Element, name: str) -> Props | None:
    """Return the ``-device`` of a PCI or mediated device that is passed through; None for others.

    Both ``<hostdev>`` and ``<interface type='hostdev'>`` can be one.
    """
    source = xml.attribute(element, "source/address", "type") or "pci"
    kind = element.get("type")
    if element.tag == "interface":
        kind = source if kind == "hostdev" else None
    if element.tag == "hostdev" and element.get("mode", "subsystem") != "subsystem":
        return None
    if kind == "mdev":
        ramfb = element.get("ramfb") == "on"
        model = "vfio-pci-nohotplug" if ramfb else element.get("model", "vfio-pci")
        uuid = xml.attribute(element, "source/address", "uuid") or ""
        props: Props = {"driver": model, "id": name, "sysfsdev": f"/sys/bus/mdev/devices/{uuid}"}
        return props | ({"ramfb": True} if ramfb else {})
    if kind != "pci" or xml.attribute(element, "address", "type") == "unassigned":
        return None
    parts = ("domain", "bus", "slot", "function")
    domain, bus, slot, function = (_hex(element, part) for part in parts)
    host = f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    ramfb = element.get("ramfb") == "on"
    driver = "vfio-pci-nohotplug" if ramfb else "vfio-pci"
    return {"driver": driver, "host": host, "id": name} | ({"ramfb": True} if ramfb else {}) | rom_props(element)


def _hex(element: ET.Element, name: str) -> int:
    text = xml.attribute(element, "source/address", name)
    base = 16 if text is None or text.lower().startswith("0x") else 10
    return 0 if text is None else xml.unsigned(text, f"<address {name}=>", base=base)


def shmem_props(element: ET.Element, name: str) -> tuple[Props | None, Props]:
    """Return the ``-object`` (None where a server has the memory) and the ``-device`` of shared memory.

    Raises
    ------
    Refusal
        A size that libvirt does not take.
    BadInput
        A number that cannot be read.
    """
    model = xml.attribute(element, "model", "type") or "ivshmem-plain"
    size = DEFAULT_SHMEM
    if element.find("size") is not None:
        size = xml.scaled(xml.text_of(element, "size"), xml.attribute(element, "size", "unit") or "b", "<shmem> <size>")
        if size < LEAST_SHMEM or size & (size - 1):
            raise xml_error("shmem size must be a power of 2 and at least 1 MiB (1024 KiB)", f"it is {size // KiB} KiB")
    if element.find("server") is not None:
        return None, {"driver": "ivshmem-doorbell", "id": name, "chardev": f"char{name}"}
    if element.find("msi") is not None:
        raise xml_error("msi option is only supported with a server", "leave <msi> out, or add a <server>")
    memdev = f"shmmem-{name}"
    path = f"/dev/shm/{element.get('name', '')}"  # noqa: S108 - the path that libvirt gives to QEMU
    backend: Props = {
        "qom-type": "memory-backend-file",
        "id": memdev,
        "mem-path": path,
        "size": size,
        "share": True,
    }
    role = element.get("role")
    props: Props = {"driver": model, "id": name, "memdev": memdev}
    return backend, props | ({"master": "on" if role == "master" else "off"} if role in ("master", "peer") else {})


def pstore_props(element: ET.Element, name: str) -> tuple[Props, Props]:
    """Return the ``-object`` and the ``-device`` of ``<pstore backend='acpi-erst'>``."""
    size = xml.scaled(xml.text_of(element, "size"), xml.attribute(element, "size", "unit"), "<pstore> <size>")
    memdev = f"mem{name}"
    backend: Props = {
        "qom-type": "memory-backend-file",
        "id": memdev,
        "mem-path": xml.text_of(element, "path") or "",
        "size": size,
        "share": True,
    }
    return backend, {"driver": "acpi-erst", "id": name, "memdev": memdev}


def iommu_props(element: ET.Element, name: str) -> Props | None:
    """Return the ``-device`` of ``<iommu>``; None for one that is no device."""
    model = element.get("model")
    if model == "intel":
        props: Props = {"driver": "intel-iommu", "id": name}
        bits = xml.attribute(element, "driver", "aw_bits")
        for key, option in (("caching_mode", "caching-mode"), ("iotlb", "device-iotlb")):
            value = xml.attribute(element, "driver", key)
            props |= {} if value is None else {option: value == "on"}
        for key in ("intremap", "eim"):
            value = xml.attribute(element, "driver", key)
            props |= {} if value is None else {key: value}
        return props | ({} if bits is None else {"aw-bits": xml.unsigned(bits, "<driver aw_bits=>")})
    return {"driver": "virtio-iommu", "id": name} if model == "virtio" else None
