"""How libvirt names devices: the ids that QEMU gets.

Source: src/qemu/qemu_alias.c (libvirt 10); ``ua-`` names are the user's, since libvirt 3.9.
"""

from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from .refusals import unsupported

__all__ = ("ALIAS_PREFIXES", "COUNTED", "Aliases", "disk_name", "disk_number")

ALIAS_PREFIXES: Final = {
    "virtio-mem": "virtiomem",
    "dimm": "dimm",
    "nvdimm": "nvdimm",
    "sgx-epc": "epc",
    "virtio-pmem": "virtiopmem",
    "disk": "virtio-disk",
    "filesystem": "fs",
    "interface": "net",
    "video": "video",
    "hostdev": "hostdev",
    "vsock": "vsock",
    "shmem": "shmem",
    "pstore": "pstore",
    "iommu": "iommu",
}
"""How ids begin, by model of a memory device or by element; disks on other buses than virtio have other ones."""
COUNTED: Final = frozenset(("filesystem", "video"))
"""Elements whose number is their place among their like; others take the next free number."""


@dataclass
class Aliases:
    """Device ids as they are handed out."""

    used: list[str] = field(default_factory=list)

    def default(self, prefix: str, number: int | None = None) -> str:
        """Return the id that libvirt gives to the next device of a kind."""
        numbers = (one.removeprefix(prefix) for one in self.used if one.startswith(prefix))
        last = max((int(one) for one in numbers if one.isascii() and one.isdigit() and len(one) < 10), default=-1)
        return f"{prefix}{last + 1 if number is None else number}"

    def take(self, element: ET.Element, prefix: str, number: int | None = None) -> str:
        """Hand out the id of an element: its ``<alias name=>``, else libvirt's own.

        Raises
        ------
        Refusal
            It is handed out already.
        """
        alias = element.find("alias")
        name = ("" if alias is None else alias.get("name", "")) or self.default(prefix, number)
        if name in self.used:
            raise unsupported(f"non unique alias detected: {name:.60}", "give every device an alias of its own")
        self.used.append(name)
        return name


def disk_name(number: int) -> str:
    """Return the target of a virtio disk: 0 is vda, 26 is vdaa."""
    letters, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return f"vd{letters}"


def disk_number(target: str) -> int | None:
    """Return the number of a virtio disk, vdb is 1; None for other targets."""
    letters = target[2:].rstrip("0123456789")
    if not target.startswith("vd") or not letters or letters.strip("abcdefghijklmnopqrstuvwxyz") or len(letters) > 4:
        return None
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1
