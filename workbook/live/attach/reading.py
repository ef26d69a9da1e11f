"""Read from a running QEMU what it is: the command line that would make it, and what has happened to it since.

Only queries are sent: ``query-*``, ``qom-list``, ``qom-get``, and ``info`` of the human monitor. Of the
``x-query`` commands ``x-query-virtio-status`` is, for virtio-mem alone: of some vhost-user devices it ends QEMU 10.0.2.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workbook.lib.recording.format import View
from workbook.live.qemu.observation import observe
from workbook.live.qemu.qmp import QmpRefusal

from .transport import AttachFailed, Monitor

__all__ = ("FoundDevice", "RunningVm", "read_vm")

_OLDEST: Final = (8, 2)
_BACKENDS: Final = ("memory-backend-ram", "memory-backend-memfd", "memory-backend-file")
_BACKEND_PROPERTIES: Final = (
    "size", "share", "reserve", "prealloc", "hugetlb", "hugetlbsize", "mem-path", "readonly", "pmem", "align"
)  # fmt: skip
_MEMORY_DEVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "virtio-mem-pci": ("memaddr", "node", "block-size", "dynamic-memslots", "unplugged-inaccessible", "prealloc"),
    "virtio-pmem-pci": ("memaddr",),
    "pc-dimm": ("addr", "slot", "node"),
    "nvdimm": ("addr", "slot", "node", "label-size", "unarmed"),
}
_FIXTURES: Final = (
    "VGA", "secondary-vga", "virtio-vga", "virtio-vga-gl", "virtio-gpu-pci", "cirrus-vga", "qxl-vga", "qxl",
    "vmware-svga", "bochs-display", "ramfb", "ivshmem-plain", "ivshmem-doorbell", "acpi-erst",
    "e1000", "e1000e", "rtl8139", "virtio-net-pci",
)  # fmt: skip
_BEFORE: Final = frozenset({"prelaunch", "preconfig", "inmigrate"})
"""States of ``query-status`` of a VM whose CPUs have not run."""
_MIGRATING: Final = frozenset(
    {
        "setup",
        "active",
        "postcopy-active",
        "postcopy-paused",
        "postcopy-recover",
        "pre-switchover",
        "device",
        "wait-unplug",
    }
)
"""States of ``query-migrate`` in which the guest's requests are answered with BUSY."""
_LEFT_ALONE: Final = frozenset({0, 0xE0000000, 1 << 32})
"""Default of ``max-ram-below-4g``."""
_RAM_LINE = re.compile(r"-[0-9a-f]{16} \(prio -?\d+, (?:ram|rom|romd|nv-ram)\): (?P<name>\S+)")
_ALIAS = re.compile(r"alias (?:virtio-mem-)?memslot-(?P<index>\d+) @")
_FIRMWARE = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16}) \(prio \d+, romd?\): (?:pc\.bios|system\.flash0)")


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device of the VM that takes memslots.

    Attributes
    ----------
    words
        What ``-device`` or ``device_add`` says of it.
    place
        Bus number and function on it; None for a DIMM.
    hotplugged
        Came by ``device_add``.
    requested, plugged, region
        Of virtio-mem, bytes.
    broken
        A virtio-mem device that takes no request any more: its driver broke the protocol.
    chardev
        Of its back end.
    """

    driver: str
    id: str
    words: str
    place: tuple[int, int] | None
    hotplugged: bool
    address: int = 0
    requested: int = 0
    plugged: int = 0
    region: int = 0
    broken: bool = False
    chardev: str | None = None


@dataclass(frozen=True, slots=True)
class RunningVm:
    """What was read.

    Attributes
    ----------
    version
        As ``--version`` prints it.
    argv
        The command line without devices.
    hot_backends
        Lines for the memory backends that may have come later.
    phys_bits, vendor, firmware_size
        As the VM shows them; None where it does not.
    view
        What the monitor shows of the device memory.
    has_run
        Its CPUs have run: before that the firmware has placed nothing.
    migrating
        An outgoing migration is active.
    kvm_memslots
        RAM that KVM has in its first address space; None without KVM.
    mapped
        Numbers of the memslots that each virtio-mem device has mapped; empty for a device that is mapped as a whole.
    """

    version: str
    argv: tuple[str, ...]
    devices: tuple[FoundDevice, ...]
    phys_bits: int | None
    vendor: str | None
    firmware_size: int | None
    view: View
    kvm_memslots: int | None
    has_run: bool = True
    migrating: bool = False


class _Reader:
    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    def ask(self, command: str, **arguments: object) -> Any:
        return self.monitor.execute(command, arguments or None)

    def hmp(self, line: str) -> str:
        return str(self.ask("human-monitor-command", **{"command-line": line}))

    def get(self, path: str, name: str) -> Any:
        """Return a QOM property; None if there is none."""
        try:
            return self.ask("qom-get", path=path, property=name)
        except QmpRefusal:
            return None

    def is_broken(self, path: str) -> bool:
        """Return whether a virtio device is broken."""
        try:
            return bool(self.ask("x-query-virtio-status", path=path).get("broken"))
        except QmpRefusal:
            return False

    def children(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield path and type of what is below a container."""
        for one in self.ask("qom-list", path=path):
            kind = str(one["type"])
            if kind.startswith("child<"):
                yield f"{path}/{one['name']}", kind.removeprefix("child<").removesuffix(">")

    def execute_all(self, commands: Iterable[tuple[str, Mapping[str, object] | None]]) -> list[Any]:
        return [self.monitor.execute(command, arguments) for command, arguments in commands]


def read_vm(monitor: Monitor) -> RunningVm:
    """Read what a VM is.

    Raises
    ------
    AttachFailed
        It is older than QEMU 8.2, of another architecture, or gives no answer.
    """
    reader = _Reader(monitor)
    try:
        return _read(reader)
    except AttachFailed:
        raise  # one of the ValueErrors below
    except (QmpRefusal, KeyError, TypeError, ValueError) as error:
        raise AttachFailed(f"the VM answers otherwise than QEMU does: {type(error).__name__} {error}"[:300]) from None


def _read(reader: _Reader) -> RunningVm:
    given = reader.ask("query-version")
    number = given["qemu"]
    version = f"{number['major']}.{number['minor']}.{number['micro']}"
    if (number["major"], number["minor"]) < _OLDEST:
        raise AttachFailed(f"the VM runs QEMU {version}: memslots on demand are in QEMU 8.2 and later")
    arch = reader.ask("query-target")["arch"]
    if arch not in {"x86_64", "i386"}:
        raise AttachFailed(f"the VM is an {arch} one: VMs of x86_64 can be attached to")
    flat = reader.hmp("info mtree -f")
    cpu = reader.ask("query-cpus-fast")[0]["qom-path"]
    kvm = bool(reader.ask("query-kvm")["enabled"])
    lines = _memory_lines(flat)
    names = [match["name"] for line in lines if (match := _RAM_LINE.search(line))]
    firmware = next(
        (match for line in reader.hmp("info mtree").splitlines() if (match := _FIRMWARE.search(line))), None
    )
    view = observe(reader, {}, None, {})
    return RunningVm(
        version=f"{version} ({given['package']})" if given.get("package") else version,
        argv=(
            f"qemu-system-{arch}",
            *_machine_words(reader, kvm=kvm, smm='AS "KVM-SMRAM"' in flat, room=_room(view), names=names),
        ),
        devices=tuple(_devices(reader)),
        phys_bits=reader.get(cpu, "phys-bits"),
        vendor=reader.get(cpu, "vendor"),
        firmware_size=int(firmware[2], 16) - int(firmware[1], 16) + 1 if firmware else None,
        view=view,
        kvm_memslots=sum(line.endswith(" KVM") for line in lines) if kvm else None,
        has_run=reader.ask("query-status")["status"] not in _BEFORE,
        migrating=reader.ask("query-migrate").get("status") in _MIGRATING,
    )


def _room(view: View) -> int:
    """Return the bytes of the device-memory container."""
    start, end = view.info_mtree[0].split(" ", 1)[0].split("-") if view.info_mtree else ("0", "-1")
    return int(end, 16) - int(start, 16) + 1


def _memory_lines(flat: str) -> list[str]:
    """Return the lines of the CPU's view of memory."""
    for block in flat.split("FlatView #"):
        if ' AS "memory", root: system' in block:
            return block.splitlines()
    return []


def _machine_words(reader: _Reader, *, kvm: bool, smm: bool, room: int, names: Sequence[str]) -> Iterator[str]:
    machine = [str(reader.get("/machine", "type")).removesuffix("-machine")]
    if smm:
        machine.append("smm=on")
    below = reader.get("/machine", "max-ram-below-4g")
    if below not in {None, *_LEFT_ALONE}:
        machine.append(f"max-ram-below-4g={below}")
    for switch in ("acpi", "nvdimm"):
        value = reader.get("/machine", switch)
        if (switch, value) in {("acpi", "off"), ("nvdimm", True)}:
            machine.append(f"{switch}={_word(value)}")
    memory = reader.get("/machine", "memory")
    ram = str(reader.get("/machine", "memory-backend") or "").rpartition("/")[2]
    backends = {path.rpartition("/")[2]: kind for path, kind in reader.children("/objects") if kind in _BACKENDS}
    nodes = re.findall(r"^node (\d+) size: ", reader.hmp("info numa"), re.MULTILINE)
    if ram in backends and not (len(nodes) > 1):
        machine.append(f"memory-backend={ram}")
    yield from ("-machine", ",".join(machine), "-accel", "kvm" if kvm else "tcg", "-nodefaults", "-display", "none")
    words = [f"size={memory['size']}B"]
    slots = memory.get("slots", 0)
    if slots:
        words += [f"maxmem={memory['max-size']}B", f"slots={slots}"]
    elif room:  # without slots QEMU does not say it
        words.append(f"maxmem={memory['size'] + room}B")
    yield from ("-m", ",".join(words))
    for name, kind in backends.items():
        yield from ("-object", _object_words(reader, name, kind))
    used = {str(reader.get(path, "memdev") or "").rpartition("/")[2] for path, _ in _all_devices(reader)}
    if len(nodes) > 1:
        parts = dict.fromkeys(one for one in names if one in backends and one not in used)
        for number, name in zip(nodes, parts, strict=False):
            yield from ("-numa", f"node,nodeid={number},memdev={name}")


def _object_words(reader: _Reader, name: str, kind: str) -> str:
    pairs = {one: reader.get(f"/objects/{name}", one) for one in _BACKEND_PROPERTIES}
    if not pairs.get("hugetlb"):
        pairs |= {"hugetlb": None, "hugetlbsize": None}
    if kind == "memory-backend-ram" or not pairs.get("align"):
        pairs["align"] = None
    for switch in ("readonly", "pmem"):
        pairs[switch] = pairs[switch] or None
    given = [f"{key}={_word(value)}" for key, value in pairs.items() if value is not None]
    return ",".join([kind, f"id={name}", *given])


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).replace(",", ",,")


def _all_devices(reader: _Reader) -> Iterator[tuple[str, str]]:
    for container in ("/machine/peripheral", "/machine/peripheral-anon", "/machine/unattached"):
        for path, kind in reader.children(container):
            if kind in _MEMORY_DEVICES or kind in _FIXTURES or kind.startswith(("vhost-", "vfio-pci")):
                yield path, kind


def _devices(reader: _Reader) -> Iterator[FoundDevice]:
    shown = {
        (one["data"].get("memaddr") or one["data"].get("addr")): one["data"]
        for one in reader.ask("query-memory-devices")
    }
    buses = dict(_pci_places(reader.ask("query-pci")))
    for path, kind in _all_devices(reader):
        name = path.rpartition("/")[2] if "/peripheral/" in path else ""
        words = [kind, *([f"id={name}"] if name else [])]
        is_dimm = kind in {"pc-dimm", "nvdimm"}
        function = None if is_dimm else reader.get(path, "addr")
        place = None if is_dimm else buses.get(name, (0, int(function or 0)))
        data: Mapping[str, Any] = {}
        if kind in _MEMORY_DEVICES:
            address = reader.get(path, "addr" if is_dimm else "memaddr")
            data = shown[address]
            memdev = str(data["memdev"]).rpartition("/")[2]
            given = {one: reader.get(path, one) for one in _MEMORY_DEVICES[kind]}
            words += [
                f"memdev={memdev}",
                *(f"{key}={_word(value)}" for key, value in given.items() if value is not None),
            ]
        chardev = reader.get(path, "chardev") if kind.startswith("vhost-user-") else None
        if chardev:
            words.append(f"chardev={chardev}")
        yield FoundDevice(
            driver=kind,
            id=name,
            words=",".join(words),
            place=place,
            hotplugged=bool(reader.get(path, "hotplugged")),
            address=data.get("memaddr", data.get("addr", 0)),
            requested=data.get("requested-size", 0),
            plugged=data.get("size", 0) if kind == "virtio-mem-pci" else 0,
            region=data.get("max-size", 0),
            broken=kind == "virtio-mem-pci" and reader.is_broken(f"{path}/virtio-backend"),
            chardev=chardev,
        )


def _pci_places(buses: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield id, bus number and function of every PCI device that has an id, behind bridges too."""
    for bus in buses:
        for device in bus.get("devices", ()):
            yield str(device["qdev_id"]), (int(bus.get("bus", 0)), device["slot"] << 3 | device["function"])
            bridge = device.get("pci_bridge")
            if bridge:
                yield from _pci_places([{"bus": bridge["bus"]["number"], "devices": bridge.get("devices", ())}])
