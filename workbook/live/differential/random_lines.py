"""Random command lines as people write them, which are started: a refusal is as good a result as a start.

NUMA nodes, NVDIMMs, CPU models, displays, cards and ports, accelerator spellings, ACPI, the PCI hole, JSON beside
key=value, -set and -global, vhost back ends, a hot-plug, and slips of the pen. Each line is also written in another
form in which people have it, and must be read to the same machine.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from workbook.lib.actions import Action, DeviceAdd, Start
from workbook.lib.json_codec import Json, JsonObject
from workbook.lib.recording import Recording, Step
from workbook.lib.scenario import DEFAULT_FIRMWARE_SIZE
from workbook.lib.size import GiB, MiB

__all__ = ("FORMS", "KINDS", "form_of", "kinds_of", "lines")

_MACHINES: Final = (
    *("q35", "q35", "pc", "pc", "pc-q35-9.2", "pc-i440fx-8.0", "pc-q35-6.1", "pc-q35-11.9", "pc-q35-4.2"),
    *("pc-i440fx-4.1", "pc-q35-7.2"),
)
_CPUS: Final = (
    "qemu64", "qemu64,phys-bits=48", "qemu64,phys-bits=36", "EPYC", "EPYC-Rome,phys-bits=48", "Haswell", "haswell",
    "max", "host", "Skylake-Server,phys-bits=46", "athlon", "athlon,phys-bits=36", "kvm64", "pentium",
    "qemu64,phys-bits=20", "qemu64,-nx,+avx2", "qemu64,physbits=40", "pentium3", "Opteron_G5,phys-bits=44",
)  # fmt: skip
_CPUS_OF_KVM: Final = ("qemu64", "kvm64", "kvm64,-nx", "haswell", "pentium", "Haswel")
_TCG: Final = (
    *(("-accel", "tcg"), ("-machine", "accel=tcg"), ("-accel", "tcg,thread=multi"), ("-M", "accel=tcg")),
    *(("-accel", "tcg", "-machine", "accel=tcg"), ("-accel", "tcg", "-accel", "kvm")),
    *(("-M", "accel=tgc"), ("-accel", "tcg,threads=multi")),
)
_KVM: Final = (
    *(("-accel", "kvm"), ("-enable-kvm",), ("-M", "accel=kvm"), ("-machine", "accel=kvm:tcg")),
    *(("-accel", "kvm", "-accel", "tcg"), ("-enable-kvm", "-accel", "kvm"), ("-M", "accel=kvm", "-enable-kvm")),
)
_SLIPS: Final[Mapping[str, str]] = {
    "requested-size": "requested_size",
    "memdev": "memdef",
    "maxmem": "maxmen",
    "size": "sise",
    "virtio-mem-pci": "virtio-mem-pic",
    "pc-dimm": "pc-dimn",
    "dynamic-memslots": "dynamic-memslotz",
    "nodeid": "noddid",
    "reserve": "reserved",
    "nvdimm=on": "nvdimm=yse",
    "chassis": "chasis",
    "-device": "-devise",
    "phys-bits": "phys_bits",
    "label-size": "labelsize",
    "VGA": "Vga",
}
_DISPLAYS: Final = (
    *("VGA", "virtio-vga", "cirrus-vga", "bochs-display", "ramfb", "secondary-vga", "virtio-gpu-pci", "vmware-svga"),
    "VGA,vgamem_mb=32",
)
_CARDS: Final = (
    "e1000",
    "e1000e",
    "virtio-net-pci",
    "rtl8139",
    "virtio-net-pci,romfile=",
    "e1000,addr=4",
    "e1000,addr=2",
)
_PORTS: Final = (
    "pcie-root-port,id=port{n}",
    "pcie-root-port,id=port{n},chassis={n}",
    "pci-bridge,id=br{n},chassis_nr=1",
)
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "NUMA": ("-numa",),
    "nvdimm": ("nvdimm",),
    "CPU model": ("-cpu",),
    "KVM": ("accel=kvm", "-accel kvm", "-enable-kvm"),
    "ACPI off": ("acpi=off",),
    "PCI hole": ("pci-hole64-size",),
    "display": ("-vga", *{one.partition(",")[0] for one in _DISPLAYS}),
    "network card": tuple({one.partition(",")[0] for one in _CARDS}),
    "bridge or port": ("pcie-root-port", "pci-bridge"),
    "vhost": ("vhost-user",),
    "-set": ("-set",),
    "-global": ("-global",),
    "JSON": ('{"driver"', '{"qom-type"'),
    "a slip": tuple(_SLIPS.values()),
}
"""What a line may have, by the words that show it."""


def kinds_of(recording: Recording) -> frozenset[str]:
    """Return which of `KINDS` a line has, and ``hot-plug``."""
    text = " ".join(recording.argv)
    found = {kind for kind, words in KINDS.items() if any(word in text for word in words)}
    return frozenset(found | ({"hot-plug"} if len(recording.steps) > 1 else set()))


def _in_lines(argv: Sequence[str]) -> str:
    return " \\\n  ".join(shlex.quote(one) for one in argv)


FORMS: Final[Mapping[str, Callable[[Sequence[str]], str]]] = {
    "a shell line": shlex.join,
    "a line a word": _in_lines,
    "a script": lambda argv: (
        f'#!/bin/sh\nset -e\nargs=({shlex.join(argv[1:])})\nexec {argv[0]} "${{args[@]}}" 2>&1 | tee log'
    ),
    "after a prompt": lambda argv: f"[root@host ~]# {shlex.join(argv)} &",
    "/proc/PID/cmdline": lambda argv: "\0".join(argv) + "\0",
    "ps": lambda argv: f"qemu      1234     1 12 10:00 ?        00:01:02 /usr/bin/{' '.join(argv)}",
    "systemctl status": lambda argv: f"     CGroup: /machine.slice\n             └─1234 /usr/bin/{' '.join(argv)}",
    "JSON": json.dumps,
    "a list of Python": lambda argv: repr(list(argv)),
}
"""How a command line may be pasted, by the name of the form."""


def form_of(recording: Recording) -> str:
    """Return the line of a recording in the form that its `about` names."""
    return FORMS[recording.about](recording.argv)


def _option(first: str, given: Mapping[str, Json], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(given, separators=(",", ":"))
    words = {True: "on", False: "off"}
    pairs = [
        f"{key}={words[value] if isinstance(value, bool) else value}" for key, value in given.items() if key != first
    ]
    return ",".join([str(given[first]), *pairs])


@dataclass
class _Line:
    """A line that is being drawn."""

    draw: st.DrawFn
    kvm: bool
    room: int = 0
    devices: list[str] = field(default_factory=list)
    backends: dict[str, int | None] = field(default_factory=dict)

    def rarely(self) -> bool:
        return self.draw(st.sampled_from([False, False, False, True]))

    def nodes(self, ram: int) -> int:
        """Draw NUMA nodes with a backend each, whose sizes may not add up; return how many."""
        nodes = self.draw(st.sampled_from([0, 0, 0, 1, 2, 3, 4]))
        wrong = self.rarely()
        for number in range(nodes):
            size = ram // nodes // MiB * MiB if nodes != 3 or wrong else (ram // 4, ram // 4, ram // 2)[number]
            self.devices += ["-object", f"memory-backend-memfd,id=cell{number},size={size},reserve=off"]
            self.devices += ["-numa", f"node,nodeid={number},memdev=cell{number}"]
        if nodes > 1 and self.rarely():
            self.devices += ["-numa", "dist,src=0,dst=1,val=20"]
        return nodes

    def memory_device(self, number: int, nodes: int) -> None:
        """Draw a memory device with its backend."""
        draw, as_json = self.draw, self.rarely()
        kind = draw(st.sampled_from(["virtio-mem-pci", "virtio-mem-pci", "pc-dimm", "nvdimm", "virtio-pmem-pci"]))
        size = draw(st.sampled_from([512 * MiB, GiB, 3 * GiB, 10880 * MiB, 1025 * MiB]))
        self.room += size
        backend = draw(st.sampled_from(["memory-backend-ram", "memory-backend-ram", "memory-backend-memfd"]))
        memory: dict[str, Json] = {"qom-type": backend, "id": f"mem{number}", "size": size, "reserve": False}
        device: dict[str, Json] = {"driver": kind, "id": f"dev{number}", "memdev": f"mem{number}"}
        if kind == "virtio-mem-pci":
            if draw(st.booleans()):
                device["dynamic-memslots"] = True
            device["requested-size"] = draw(st.sampled_from([0, 256 * MiB, size]))
            if self.rarely():
                device["block-size"] = draw(st.sampled_from([2 * MiB, 128 * MiB, 3 * MiB]))
        if kind != "virtio-pmem-pci" and self.rarely():
            device["node"] = draw(st.integers(0, max(nodes, 1)))
        if kind == "nvdimm" and self.rarely():
            device["label-size"] = draw(st.sampled_from([MiB // 8, 2 * MiB, size]))
        self.devices += ["-object", _option("qom-type", memory, as_json=as_json)]
        self.devices += ["-device", _option("driver", device, as_json=as_json)]
        if self.rarely():
            setting = draw(st.sampled_from(["node=0", "foo=1", "requested-size=512M"]))
            self.devices += ["-set", f"device.dev{number}.{setting}"]

    def other_devices(self) -> None:
        """Draw displays, cards, ports and a vhost back end."""
        if self.rarely():
            self.devices += ["-device", self.draw(st.sampled_from(_DISPLAYS))]
        if self.rarely():
            self.devices += ["-netdev", "user,id=net0"]
            self.devices += ["-device", f"{self.draw(st.sampled_from(_CARDS))},netdev=net0"]
        if self.rarely():
            ports = self.draw(st.lists(st.sampled_from(_PORTS), min_size=1, max_size=2))
            self.devices += [word for n, one in enumerate(ports) for word in ("-device", one.format(n=n))]
        if self.rarely():
            self.backends["vu0"] = self.draw(st.sampled_from([1, 2, 3, 8, 32, 509, None]))
            self.devices += ["-chardev", "socket,id=cvu0,path=TMP/vu0"]
            self.devices += ["-device", "vhost-user-rng-pci,id=vu0,chardev=cvu0"]

    def globals(self, machine: str) -> list[str]:
        """Draw -global options."""
        words: list[str] = []
        if self.rarely():
            # on KVM the host's vendor decides whether memory moves to 1 TiB: a recording does not know it
            holes = ["256G", "2G"] if self.kvm else ["1T", "256G", "2G"]
            bridge = "i440FX-pcihost" if machine.startswith(("pc-i440", "pc,")) or machine == "pc" else "q35-pcihost"
            words += ["-global", f"{bridge}.pci-hole64-size={self.draw(st.sampled_from(holes))}"]
        if self.rarely():
            words += ["-global", self.draw(st.sampled_from(_GLOBALS))]
        return words


_GLOBALS: Final = (
    *("virtio-mem-pci.dynamic-memslots=on", "virtio-mem.block-size=8M", "virtio-mem-pci.block_size=8M"),
    *("kvm-pit.lost_tick_policy=discard", "driver=virtio-mem-pci,property=block-size,value=4M", "pc-dimm.node=1"),
)


@st.composite
def lines(draw: st.DrawFn, version: str = "10.0.2", accels: Sequence[str] = ("tcg",)) -> Recording:
    """Draw a command line with memory devices, and what people do beside it."""
    kvm = draw(st.sampled_from(["tcg", *accels])) == "kvm"
    line = _Line(draw, kvm)
    machine = draw(st.sampled_from(_MACHINES))
    words: list[str] = list(draw(st.sampled_from(_KVM if kvm else _TCG)))
    ram = draw(st.sampled_from([GiB, 2 * GiB, 4 * GiB, 6 * GiB]))
    slots = draw(st.sampled_from([0, 0, 2, 4]))
    machine += draw(
        st.sampled_from(["", "", "", ",nvdimm=on", ",acpi=off", ",nvdimm=on,acpi=off", ",usb=on", ",sata=off"])
    )
    nodes = line.nodes(ram)
    if not nodes and line.rarely():
        machine += ",memory-backend=ram0"
        line.devices += ["-object", f"memory-backend-memfd,id=ram0,size={ram}"]
    line.other_devices()
    for number in range(draw(st.integers(0, 3))):
        line.memory_device(number, nodes)
    # so much that memory ends behind 1 TiB: on KVM the host's vendor decides where, as for the hole
    much = line.room if kvm else 900 * GiB
    room = draw(st.sampled_from([line.room, line.room, line.room + GiB, line.room + 64 * GiB, line.room // 2, much]))
    memory_option = f"{ram // MiB}M" + (f",maxmem={ram + room}" if room else "") + (f",slots={slots}" if slots else "")
    if draw(st.booleans()):
        words += ["-cpu", draw(st.sampled_from(_CPUS_OF_KVM if kvm else _CPUS))]
    if line.rarely():
        words += ["-vga", draw(st.sampled_from(["std", "cirrus", "virtio", "none", "vmware", "vga"]))]
    argv = ["qemu-system-x86_64", "-M", machine, *words, *line.globals(machine), "-nodefaults", "-display", "none"]
    argv += ["-m", memory_option, *line.devices]
    if line.rarely():
        slip = draw(st.sampled_from(list(_SLIPS)))
        argv = [argv[0], *(word.replace(slip, _SLIPS[slip], 1) if "id=ram" not in word else word for word in argv[1:])]
    return Recording(
        about=draw(st.sampled_from(list(FORMS))),
        qemu_version=version,
        firmware_size=DEFAULT_FIRMWARE_SIZE,
        accel="kvm" if kvm else "tcg",
        argv=tuple(argv),
        vhost_backends=line.backends,
        steps=tuple(Step(action=one) for one in _actions(draw, machine, argv)),
    )


def _actions(draw: st.DrawFn, machine: str, argv: Sequence[str]) -> list[Action]:
    """Draw a start, and a hot-plug where no port is needed for it; the model has no -global for what comes later."""
    actions: list[Action] = [Start()]
    ports = machine.startswith("pc") and "q35" not in machine and "-global" not in argv
    if ports and draw(st.booleans()):
        backend: dict[str, Json] = {"qom-type": "memory-backend-memfd", "id": "hot0", "size": GiB, "reserve": False}
        driver = draw(st.sampled_from(["virtio-mem-pci", "pc-dimm"]))
        props = JsonObject({"memdev": "hot0"})
        actions.append(DeviceAdd(driver=driver, id="hotdev", props=props, object=JsonObject(backend)))
    return actions
