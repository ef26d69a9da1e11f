"""Command lines of qemu-system-aarch64 (``virt``) and qemu-system-s390x (``s390-ccw-virtio``).

They have the options of memory, objects and devices in common with x86; machine, CPU and what is refused
differ. Compared with QEMU 10.0.13 and 11.1.3 under TCG.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from workbook.lib.boards.arm_virt import DEFAULT_CPU, MTE_CPUS, PHYS_BITS
from workbook.lib.boards.board import board_layout
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.host import Host
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import DEFAULT_RULES, Device, MemoryBackend, NumaNode, Scenario, VirtioMem

from .accelerator import AcceleratorOptions
from .devices import check_device, device_of
from .memory import MemoryOption, sizes_of
from .objects import backend_of, check_object
from .properties import Dialect, Properties
from .syntax import split_keyval, split_opts

__all__ = ("OTHER_PROGRAMS", "machine_words", "read_other_machine")

OTHER_PROGRAMS: Final[Mapping[str, Literal["virt", "s390-ccw-virtio"]]] = {
    "aarch64": "virt",
    "s390x": "s390-ccw-virtio",
}
_MACHINES: Final = {
    "virt": re.compile(r"virt(?:-(\d+)\.(\d+))?"),
    "s390-ccw-virtio": re.compile(r"s390-ccw(?:-virtio)?(?:-(\d+)\.(\d+))?"),
}
_CPU_32_BIT: Final = frozenset(("cortex-a7", "cortex-a15"))
_CPU_BY_BITS: Final = {"cortex-a53": 40, "cortex-a57": 44, "neoverse-n1": 48, "max": 52}
"""64-bit models to write where only the address bits are known."""
_HELP: Final = "Use -machine help to list supported machines"


@dataclass
class _Line:
    """The parsed options of a command line."""

    memory: MemoryOption = field(default_factory=MemoryOption)
    machine: dict[str, str] = field(default_factory=dict)
    accelerators: AcceleratorOptions = field(default_factory=lambda: AcceleratorOptions("tcg"))
    cpu: str | None = None
    objects: list[Properties] = field(default_factory=list)
    devices: list[Properties] = field(default_factory=list)
    nodes: list[Properties] = field(default_factory=list)
    has_firmware: bool = False
    incoming: bool = False

    def take(self, option: str, value: str) -> None:
        """Apply one option; those that change no memory are ignored."""
        match option:
            case "m":
                self.memory.take(value)
            case "machine" | "M":
                self.machine.update(split_keyval(value, "type", option=option))
            case "accel":
                self.accelerators.take(value)
            case "enable-kvm":
                self.machine["accel"] = "kvm"
            case "cpu":
                self.cpu = value
            case "object":
                props = Properties.parse("object", value, "qom-type", Dialect.OBJECT)
                _check_id(props, self.objects, "object")
                check_object(props)
                self.objects.append(props)
            case "device":
                props = Properties.parse("device", value, "driver")
                _check_id(props, self.devices, "device")
                self.devices.append(props)
            case "numa":
                self.nodes.append(Properties.parse("numa", value, "type", Dialect.OBJECT, json_too=False))
            case "bios":
                self.has_firmware = True
            case "drive":
                self.has_firmware |= "if=pflash" in value.split(",")
            case "incoming":
                self.incoming = True


def _check_id(props: Properties, others: Sequence[Properties], what: str) -> None:
    name = props.values.get("id")
    if name is not None and any(name == one.values.get("id") for one in others):
        raise props.refusal(f"Duplicate ID '{name}' for {what}", f"give every {what} its own id")


def read_other_machine(
    program: str,
    options: Iterable[tuple[str, str]],
    *,
    rules: RuleSet | None,
    vhost_slots: Mapping[str, int | None],
    default_accel: Literal["kvm", "tcg"],
    host: Host | None,
) -> tuple[Scenario, Refusal | BadInput | None]:
    """Read the options of a command line; also return what QEMU refuses of a device, after the board is made.

    Parameters
    ----------
    program
        ``aarch64`` or ``s390x``.

    Raises
    ------
    BadInput
        A machine that is not modelled.
    Refusal
        What QEMU refuses before it makes the board.
    """
    line = _Line(accelerators=AcceleratorOptions(default_accel))
    for option, value in options:
        line.take(option, value)
    line.memory.merge_into(line.machine)
    chipset = OTHER_PROGRAMS[program]
    version = _machine_version(chipset, line.machine.pop("type", None))
    named = line.machine.pop("accel", None)
    ram_backend = line.machine.pop("memory-backend", None)
    sizes = sizes_of({key: value for key, value in line.machine.items() if key.startswith("memory.")})
    accel = line.accelerators.choose(named, [])
    backends = tuple(_backend(one, host) for one in line.objects)
    known = {one.id: one for one in backends if one is not None}
    if ram_backend is not None and ram_backend not in known:
        raise Refusal(f"Memory backend '{ram_backend}' not found", "make it by -object memory-backend-...")
    sizes = sizes.with_backend(known.get(ram_backend or ""))
    if ram_backend is not None and known[ram_backend].size != sizes.ram:
        raise Refusal(
            "Machine memory size does not match the size of the memory backend",
            f"give -m {known[ram_backend].size}B, or leave its size out",
        )
    scenario = Scenario(
        chipset=chipset,
        program=program,
        machine_version=version,
        accel=accel,
        phys_bits=_phys_bits(line, accel, host) if chipset == "virt" else None,
        ram=sizes.ram,
        maxmem=sizes.maxmem,
        ram_slots=sizes.slots,
        ram_backend=ram_backend,
        numa=_nodes(chipset, line, sizes.ram, known),
        acpi=chipset == "virt" and _takes_dimms(line),
        nvdimm=line.machine.get("nvdimm") == "on",
        mte=chipset == "virt" and line.machine.get("mte") == "on",
        incoming=line.incoming,
        backends=tuple(known.values()),
        rules=rules.name if rules else DEFAULT_RULES,
        host=host,
    )
    if scenario.mte and accel == "tcg" and _cpu_model(line) not in MTE_CPUS:
        board_layout(scenario)
        raise Refusal("MTE requested, but not supported by the guest CPU", f"give -cpu {', '.join(MTE_CPUS)}")
    return _with_devices(scenario, line, rules, vhost_slots)


def _machine_version(chipset: Literal["virt", "s390-ccw-virtio"], given: str | None) -> tuple[int, int] | None:
    if given is None:
        if chipset == "virt":
            raise Refusal(f"No machine specified, and there is no default\n{_HELP}", "give -machine virt")
        return None
    match = _MACHINES[chipset].fullmatch(given)
    if match is None:
        raise BadInput(f"machine {given!r:.60} is not modelled: this program's is {chipset}")
    return (int(match[1]), int(match[2])) if match[1] else None


def _backend(props: Properties, host: Host | None) -> MemoryBackend | None:
    backend = backend_of(props)
    base = host.page_size if host and host.page_size else 4096
    return backend if backend is None or backend.page_size >= base else replace(backend, page_size=base)


def _cpu_model(line: _Line) -> str:
    return split_opts(line.cpu, "model")[0].get("model", "") if line.cpu is not None else DEFAULT_CPU


def _phys_bits(line: _Line, accel: str, host: Host | None) -> int | None:
    model = _cpu_model(line)
    if line.machine.get("highmem") == "off":
        return 32
    if model == "host" or (model == "max" and accel == "kvm"):
        return host.phys_bits if host else None
    if model not in PHYS_BITS:
        raise BadInput(f"CPU model {model!r:.60} is not modelled: known are {', '.join(PHYS_BITS)} and host")
    return PHYS_BITS[model]


def _takes_dimms(line: _Line) -> bool:
    """DIMMs need a firmware, a 64-bit CPU and ACPI (``virt_memory_pre_plug``)."""
    model = _cpu_model(line)
    firmware = line.has_firmware or "pflash0" in line.machine
    return firmware and model not in _CPU_32_BIT and line.machine.get("acpi") != "off"


def _nodes(chipset: str, line: _Line, ram: int, backends: Mapping[str, MemoryBackend]) -> tuple[NumaNode, ...]:
    if not line.nodes:
        return ()
    if chipset != "virt":
        raise Refusal("NUMA is not supported by this machine-type", "leave -numa out")
    nodes = [one for one in line.nodes if one.values.get("type") == "node"]
    found = []
    for index, props in enumerate(nodes):
        if "mem" in props:
            raise props.refusal(
                "Parameter -numa node,mem is not supported by this machine type\nUse -numa node,memdev instead",
                "give every node its memdev=",
            )
        memdev = props.values.get("memdev")
        found.append(NumaNode(nodeid=index, memdev=None if memdev is None else str(memdev)))
    total = sum(backends[one.memdev].size for one in found if one.memdev is not None and one.memdev in backends)
    if total != ram:
        raise Refusal(
            f"total memory for NUMA nodes ({total:#x}) should equal RAM size ({ram:#x})",
            "let the nodes' backends add up to -m",
        )
    return tuple(found)


def _with_devices(
    scenario: Scenario, line: _Line, rules: RuleSet | None, vhost_slots: Mapping[str, int | None]
) -> tuple[Scenario, Refusal | BadInput | None]:
    devices: list[Device] = []
    failure: Refusal | BadInput | None = None
    for props in line.devices:
        try:
            name = str(props.values.get("id"))
            device = _device(scenario, props, rules, vhost_slots.get(name))
        except (Refusal, BadInput) as refusal:
            failure = refusal
            break
        devices += [device] if device is not None else []
    return replace(scenario, devices=tuple(devices)), failure


def _device(scenario: Scenario, props: Properties, rules: RuleSet | None, vhost_slots: int | None) -> Device | None:
    driver = str(props.values.get("driver"))
    is_s390 = scenario.chipset == "s390-ccw-virtio"
    elsewhere = ("pc-dimm", "nvdimm", "virtio-pmem-pci") if is_s390 else ("virtio-mem-ccw", "virtio-pmem-pci")
    if driver in elsewhere:
        raise props.refusal(f"'{driver}' is not a valid device model name", f"{scenario.chipset} has no such device")
    if driver in ("virtio-mem-pci", "virtio-mem-ccw"):
        if "unplugged-inaccessible" in props:
            raise props.refusal(
                f"Property '{driver}.unplugged-inaccessible' not found", "leave it out: it is always on here"
            )
        props = Properties({**props.values, "driver": "virtio-mem-pci"}, props.dialect, where=props.where)
        device = _checked(props, rules, vhost_slots)
        if driver == "virtio-mem-ccw" and isinstance(device, VirtioMem):
            device = replace(device, transport="ccw")
        return device
    return _checked(props, rules, vhost_slots)


def _checked(props: Properties, rules: RuleSet | None, vhost_slots: int | None) -> Device | None:
    check_device(props, rules=rules)
    return device_of(props, vhost_slots=vhost_slots)


def machine_words(scenario: Scenario) -> tuple[list[str], list[str]]:
    """Return the options of ``-machine``, and the words of ``-cpu`` and the firmware, that make a scenario's board."""
    machine: str = scenario.chipset
    if scenario.machine_version is not None:
        machine += "-{}.{}".format(*scenario.machine_version)
    options = [machine]
    options += [f"memory-backend={scenario.ram_backend}"] if scenario.ram_backend else []
    options += ["nvdimm=on"] if scenario.nvdimm else []
    if scenario.chipset != "virt":
        return options, []
    options += ["highmem=off"] if scenario.phys_bits == 32 else []
    options += ["mte=on"] if scenario.mte else []
    by_bits = {name: PHYS_BITS[name] for name in MTE_CPUS} if scenario.mte else _CPU_BY_BITS
    model = next((name for name, bits in by_bits.items() if bits == scenario.phys_bits), "max")
    if scenario.phys_bits is None and scenario.accel == "kvm":
        model = "host"
    return options, ["-cpu", model, *(["-bios", "QEMU_EFI.fd"] if scenario.acpi else [])]
