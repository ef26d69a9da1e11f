"""Random command lines as people write them, which are only started: a refusal is as good a result as a start.

NUMA nodes, NVDIMMs, CPU models, accelerator spellings, ACPI, the PCI hole, JSON beside key=value, and slips of the pen.
"""

import json
from collections.abc import Mapping
from typing import Final

from hypothesis import strategies as st

from workbook.lib.actions import Start
from workbook.lib.json_codec import Json
from workbook.lib.recording import Recording, Step
from workbook.lib.scenario import DEFAULT_FIRMWARE_SIZE
from workbook.lib.size import GiB, MiB

__all__ = ("KINDS", "kinds_of", "lines")

_MACHINES: Final = ("q35", "pc", "pc-q35-9.2", "pc-i440fx-8.0", "pc-q35-6.1", "pc-q35-11.9")
_CPUS: Final = (
    "qemu64", "qemu64,phys-bits=48", "qemu64,phys-bits=36", "EPYC", "EPYC-Rome,phys-bits=48", "Haswell", "haswell",
    "max", "host", "Skylake-Server,phys-bits=46", "athlon", "athlon,phys-bits=36", "kvm64", "pentium",
)  # fmt: skip
_ACCELS: Final = (("-accel", "tcg"), ("-machine", "accel=tcg"), ("-accel", "tcg,thread=multi"), ("-M", "accel=tcg"))
_SLIPS: Final[Mapping[str, str]] = {
    "requested-size": "requested_size",
    "memdev": "memdef",
    "maxmem": "maxmen",
    "size": "sise",
    "virtio-mem-pci": "virtio-mem-pic",
    "pc-dimm": "pc-dimn",
    "dynamic-memslots": "dynamic-memslotz",
}
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "NUMA": ("-numa",),
    "nvdimm": ("nvdimm",),
    "CPU model": ("-cpu",),
    "ACPI off": ("acpi=off",),
    "PCI hole": ("pci-hole64-size",),
    "JSON": ('{"driver"', '{"qom-type"'),
    "a slip": tuple(_SLIPS.values()),
}
"""What a line may have, by the words that show it."""


def kinds_of(recording: Recording) -> frozenset[str]:
    """Return which of `KINDS` a line has."""
    text = " ".join(recording.argv)
    return frozenset(kind for kind, words in KINDS.items() if any(word in text for word in words))


def _option(first: str, given: Mapping[str, Json], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(given)
    words = {True: "on", False: "off"}
    pairs = [
        f"{key}={words[value] if isinstance(value, bool) else value}" for key, value in given.items() if key != first
    ]
    return ",".join([str(given[first]), *pairs])


@st.composite
def lines(draw: st.DrawFn, version: str = "10.0.2") -> Recording:
    """Draw a command line with memory devices, and what people do beside it."""
    rarely = st.sampled_from([False, False, False, True])
    machine = draw(st.sampled_from(_MACHINES))
    words: list[str] = list(draw(st.sampled_from(_ACCELS)))
    ram = draw(st.sampled_from([GiB, 2 * GiB, 4 * GiB, 6 * GiB]))
    room, slots = 0, draw(st.sampled_from([0, 0, 2, 4]))
    devices: list[str] = []
    machine += draw(st.sampled_from(["", "", "", ",nvdimm=on", ",acpi=off", ",nvdimm=on,acpi=off"]))
    nodes = draw(st.sampled_from([0, 0, 0, 1, 2, 3, 4]))
    wrong = draw(rarely)
    for number in range(nodes):
        size = ram // nodes // MiB * MiB if nodes != 3 or wrong else (ram // 4, ram // 4, ram // 2)[number]
        devices += ["-object", f"memory-backend-ram,id=cell{number},size={size},reserve=off"]
        devices += ["-numa", f"node,nodeid={number},memdev=cell{number}"]
    for number in range(draw(st.integers(0, 3))):
        as_json = draw(rarely)
        kind = draw(st.sampled_from(["virtio-mem-pci", "virtio-mem-pci", "pc-dimm", "nvdimm", "virtio-pmem-pci"]))
        size = draw(st.sampled_from([512 * MiB, GiB, 3 * GiB, 10880 * MiB, 1025 * MiB]))
        room += size
        memory: dict[str, Json] = {
            "qom-type": "memory-backend-ram",
            "id": f"mem{number}",
            "size": size,
            "reserve": False,
        }
        device: dict[str, Json] = {"driver": kind, "id": f"dev{number}", "memdev": f"mem{number}"}
        if kind == "virtio-mem-pci":
            if draw(st.booleans()):
                device["dynamic-memslots"] = True
            device["requested-size"] = draw(st.sampled_from([0, 256 * MiB, size]))
        if kind != "virtio-pmem-pci" and draw(rarely):
            device["node"] = draw(st.integers(0, max(nodes, 1)))
        if kind == "nvdimm" and draw(rarely):
            device["label-size"] = draw(st.sampled_from([MiB // 8, 2 * MiB, size]))
        devices += ["-object", _option("qom-type", memory, as_json=as_json)]
        devices += ["-device", _option("driver", device, as_json=as_json)]
    room = draw(st.sampled_from([room, room, room + GiB, room + 64 * GiB, room // 2, 900 * GiB]))
    memory_option = f"{ram // MiB}M" + (f",maxmem={ram + room}" if room else "") + (f",slots={slots}" if slots else "")
    if draw(st.booleans()):
        words += ["-cpu", draw(st.sampled_from(_CPUS))]
    if draw(rarely):
        bridge = (
            "i440FX-pcihost" if "i440fx" in machine or machine.startswith("pc,") or machine == "pc" else "q35-pcihost"
        )
        words += ["-global", f"{bridge}.pci-hole64-size={draw(st.sampled_from(['1T', '256G', '2G']))}"]
    argv = [
        "qemu-system-x86_64",
        "-M",
        machine,
        *words,
        "-nodefaults",
        "-display",
        "none",
        "-m",
        memory_option,
        *devices,
    ]
    if draw(rarely):
        slip = draw(st.sampled_from(list(_SLIPS)))
        argv = [argv[0], *(word.replace(slip, _SLIPS[slip], 1) if "id=ram" not in word else word for word in argv[1:])]
    return Recording(
        qemu_version=version,
        firmware_size=DEFAULT_FIRMWARE_SIZE,
        accel="tcg",
        argv=tuple(argv),
        steps=(Step(action=Start()),),
    )
