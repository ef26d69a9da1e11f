"""QEMU command lines: read one into a `Scenario`, check by check in the order of ``qemu_init`` (system/vl.c, 10.0).

What each option means is in the module of its topic; here is the order in which QEMU looks at them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from workbook.lib.boards.board import board_layout
from workbook.lib.errors import BadInput, BadValue, Refusal
from workbook.lib.host import Host
from workbook.lib.notes import Note
from workbook.lib.rules.base import RuleSet
from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.scenario import (
    DEFAULT_FIRMWARE_SIZE,
    DEFAULT_RULES,
    KVM_SLOTS_TODAY,
    Device,
    MemoryBackend,
    NumaNode,
    PciDevice,
    Scenario,
)
from workbook.lib.size import SIZE_LIMIT, strtosz

from . import device_lists
from .accelerator import AcceleratorOptions
from .catalogue import REMOVED_OPTIONS
from .config_file import config_sections
from .cpu import CpuOption, Processor
from .devices import Buses, check_device, device_from_properties, device_of, fixture_of, with_globals
from .firmware import Firmware
from .machine_option import Board, apply_machine_options, read_board
from .memory import MemoryOption, MemorySizes
from .netdevs import DEFAULT_CARD, check_netdev, network_card, vhost_netdev
from .numa import Numa
from .objects import UNMODELLED_OBJECTS, backend_from_object, backend_of, check_object
from .options import UNMODELLED_OPTIONS, split_options
from .other_machines import OTHER_PROGRAMS, read_other_machine
from .properties import Dialect, Properties
from .proxmox import CONFIG_FILES, PROXMOX_OPTIONS
from .shell import program_of
from .syntax import split_keyval, split_opts
from .writer import write_argv

__all__ = (
    "CommandLine",
    "backend_from_object",
    "device_from_properties",
    "read_argv",
    "read_command_line",
    "scenario_of",
    "write_argv",
)

_PROGRAMS: Final = {
    "qemu-system-x86_64": "x86_64",
    "qemu-system-x86_64-spice": "x86_64",
    "qemu-system-i386": "i386",
    **{f"qemu-system-{target}": target for target in OTHER_PROGRAMS},
    "qemu-kvm": "x86_64",
    "kvm": "x86_64",
}
_DISPLAY_NAMES: Final = {
    "std": "VGA",
    "cirrus": "cirrus-vga",
    "vmware": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "none": None,
    "xenfb": None,
    "tcx": None,
    "cg3": None,
}
_NO_DEFAULT_DISPLAY: Final = frozenset(
    "VGA isa-vga cirrus-vga isa-cirrus-vga vmware-svga qxl-vga virtio-vga ati-vga vhost-user-vga virtio-vga-gl "
    "virtio-vga-rutabaga".split()
)
"""Devices beside which QEMU makes no display of its own (``default_list`` in system/vl.c)."""
_HOLE64: Final = {"q35": "q35-pcihost", "pc": "i440FX-pcihost"}
_SIZE_WORDS: Final = (
    "Parameter '{}' expects a non-negative number below 2^64\n"
    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
    "and exabytes, respectively."
)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line that was read.

    Attributes
    ----------
    scenario
        The VM as far as QEMU gets: without the device at which `failure` stops it, and those behind.
    failure
        What QEMU refuses after the board and the devices of `scenario` are made; None where nothing is.
    notes
        What was assumed, passed over or not modelled.
    warnings
        What QEMU prints before it makes the board.
    """

    scenario: Scenario
    failure: Refusal | BadInput | None = None
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()


def read_argv(
    argv: str | Sequence[str],
    *,
    rules: RuleSet | None = None,
    vhost_slots: Mapping[str, int | None] | None = None,
    default_accel: Literal["kvm", "tcg"] = "tcg",
    host: Host | None = None,
) -> Scenario:
    """Read a QEMU command line into a scenario; see `read_command_line`.

    Raises
    ------
    BadInput
        The text cannot be read, or asks for something that matters and is not modelled.
    Refusal
        What QEMU refuses of the options themselves; what it refuses of the devices together is `Machine`'s.
    """
    line = read_command_line(argv, rules=rules, vhost_slots=vhost_slots, default_accel=default_accel, host=host)
    return scenario_of(line)


def scenario_of(line: CommandLine) -> Scenario:
    """Return the scenario of a command line that QEMU takes.

    Raises
    ------
    BadInput, Refusal
        It does not: `CommandLine.failure`, or what the board refuses before.
    """
    if line.failure is not None:
        board_layout(line.scenario)
        raise line.failure
    return line.scenario


def read_command_line(
    argv: str | Sequence[str],
    *,
    rules: RuleSet | None = None,
    vhost_slots: Mapping[str, int | None] | None = None,
    default_accel: Literal["kvm", "tcg"] = "tcg",
    host: Host | None = None,
    files: Mapping[str, str] | None = None,
) -> CommandLine:
    """Read a QEMU command line.

    Parameters
    ----------
    argv
        List of strings, or one string as in a shell (comments and line continuations included); with or
        without ``env NAME=VALUE`` and the program's name.
    rules
        Target QEMU: machine types and properties it does not have raise Refusal with its message.
    vhost_slots
        Memslots that vhost back ends report, by device id.
    default_accel
        Accelerator where the line names none; QEMU's own is TCG.
    host
        What is known of the host: ``-cpu host`` and KVM take address bits and vendor from it.
    files
        Content of files that the line names (``-readconfig``), by path.

    Raises
    ------
    BadInput
        The text cannot be read, or asks for something that matters and is not modelled.
    Refusal
        What QEMU refuses before it makes the board.
    """
    if not isinstance(vhost_slots or {}, Mapping):
        raise BadInput(f"vhost_slots must map device ids to limits, not be {vhost_slots!r:.60}")
    if host is not None and not isinstance(host, Host):
        raise BadInput(f"host must be a Host, not {host!r:.60}")
    words, options = split_options(argv)
    program, _ = program_of(words)
    target = _target(program)
    if target in OTHER_PROGRAMS:
        scenario, failure = read_other_machine(
            target,
            options,
            rules=rules,
            vhost_slots=dict(vhost_slots or {}),
            default_accel=default_accel,
            host=host,
        )
        return CommandLine(scenario, failure)
    reader = _Reader(rules, dict(vhost_slots or {}), default_accel, host, target, files or {})
    if program in ("kvm", "qemu-kvm") and default_accel == "tcg":
        reader.accelerators.default = "kvm"
    for option, value in options:
        reader.take(option, value)
    return reader.command_line()


def _target(program: str | None) -> str:
    if program is None or program in _PROGRAMS:
        return _PROGRAMS.get(program or "", "x86_64")
    if program.startswith("qemu-system-"):
        raise BadInput(f"program {program!r:.60} is not modelled: known are {', '.join(_PROGRAMS)}")
    return "x86_64"


@dataclass
class _Reader:
    """Collects options while they are parsed; `command_line` then looks at them in QEMU's order."""

    rules: RuleSet | None
    vhost_slots: dict[str, int | None]
    default_accel: Literal["kvm", "tcg"]
    host: Host | None
    program: str
    files: Mapping[str, str] = field(default_factory=dict)
    memory: MemoryOption = field(default_factory=MemoryOption)
    machine: dict[str, str] = field(default_factory=dict)
    cpu: str | None = None
    accelerators: AcceleratorOptions = field(init=False)
    firmware: Firmware = field(default_factory=Firmware)
    objects: list[Properties] = field(default_factory=list)
    devices: list[Properties] = field(default_factory=list)
    netdevs: list[Properties] = field(default_factory=list)
    cards: list[Properties] = field(default_factory=list)
    numa: list[Properties] = field(default_factory=list)
    globals: list[tuple[str, str, str]] = field(default_factory=list)
    option_roms: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    vga: str | None = None
    mem_path: str | None = None
    has_network: bool = False
    notes: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accelerators = AcceleratorOptions(self.default_accel)

    # -- while the line is parsed -----------------------------------------------------------------------------------

    def take(self, option: str, value: str) -> None:  # noqa: PLR0915 - one switch over all options
        """Take one option, with the checks that QEMU makes at once."""
        match option:
            case "":
                self._note("passed over", "a disk image", value)
            case "readconfig":
                self._take_config(value)
            case "m":
                self.memory.take(value)
            case "machine" | "M":
                self._merge(split_keyval(value, "type", option=option), f"-{option} {value}")
            case "smp":
                given = split_keyval(value, "cpus", option=option)
                self._merge({f"smp.{key}": text for key, text in given.items()}, "")
            case "accel":
                self.accelerators.take(value)
            case "enable-kvm":
                self.machine["accel"] = "kvm"
            case "usb" | "usbdevice":
                self.machine["usb"] = "on"
            case "no-acpi":
                self.machine["acpi"] = "off"
                self._note("assumed", "QEMU before 9.0 only: read as -machine acpi=off", "-no-acpi")
            case "cpu":
                self.cpu = value
            case "object":
                self._take_object(value)
            case "device":
                self._take_device(value)
            case "netdev":
                self._take_netdev(value)
            case "nic" | "net":
                self._take_card(option, value)
            case "numa":
                self.numa.append(Properties.parse("numa", value, "type", Dialect.OBJECT, json_too=False))
            case "global":
                self._take_global(value)
            case "set":
                self._take_set(value)
            case "vga":
                self.vga = value
            case "bios" | "pflash" | "drive":
                self.firmware.take(option, value)
            case "option-rom":
                self.option_roms.append(split_opts(value, "romfile")[0].get("romfile", ""))
            case "mem-path":
                self.mem_path = value
            case "nodefaults" | "incoming" | "mem-prealloc":
                self.flags.add(option)
            case "h" | "help" | "version":
                raise BadInput(f"-{option} asks QEMU for help and starts no VM: leave it out")
            case _ if option in UNMODELLED_OPTIONS:
                self._note("not modelled", UNMODELLED_OPTIONS[option], f"-{option} {value}".strip())
            case _ if option in PROXMOX_OPTIONS:
                self._note("passed over", "an option of Proxmox' QEMU, which upstream refuses as invalid", f"-{option}")
            case _ if option in REMOVED_OPTIONS:
                self._note("passed over", "an option of older QEMUs, which 10.0 refuses as invalid", f"-{option}")

    def _note(
        self, kind: Literal["assumed", "passed over", "not modelled", "hint"], text: str, where: str = ""
    ) -> None:
        self.notes.append(Note(kind, text, where))

    def _merge(self, given: Mapping[str, str], where: str) -> None:
        """Merge options of the machine: a key is a value or a group of others, not both."""
        for key, value in given.items():
            group = key.partition(".")[0]
            grown = key != group and group in self.machine
            if grown or any(one.startswith(f"{key}.") for one in self.machine):
                refusal = Refusal(f"Parameter '{group}' used inconsistently", f"give {group} once")
                refusal.where = where
                raise refusal
            self.machine[key] = value

    def _take_object(self, value: str) -> None:
        props = Properties.parse("object", value, "qom-type", Dialect.OBJECT)
        if props.dialect is Dialect.OBJECT:
            props.check_identifier()
            name = props.values.get("id")
            others = (one for one in self.objects if one.dialect is Dialect.OBJECT)
            if name is not None and any(name == one.values.get("id") for one in others):
                raise props.refusal(f"Duplicate ID '{name}' for object", "give every object its own id")
        check_object(props)
        self.objects.append(props)

    def _take_device(self, value: str) -> None:
        props = Properties.parse("device", value, "driver")
        if props.dialect is not Dialect.JSON:
            props.check_identifier()
            name = props.values.get("id")
            others = (one for one in self.devices if one.dialect is not Dialect.JSON)
            if name is not None and any(name == one.values.get("id") for one in others):
                raise props.refusal(f"Duplicate ID '{name}' for device", "give every device its own id")
        self.devices.append(props)

    def _take_netdev(self, value: str) -> None:
        self.has_network = True
        props = Properties.parse("netdev", value, "type")
        if props.dialect is not Dialect.JSON:
            props.check_identifier()
            name = props.values.get("id")
            if name is not None and any(name == one.values.get("id") for one in self.netdevs):
                raise props.refusal(f"Duplicate ID '{name}' for netdev", "give every network back end its own id")
        self.netdevs.append(props)

    def _take_card(self, option: str, value: str) -> None:
        self.has_network = True
        props = Properties.parse(option, value, "type", json_too=False)
        kind = props.values.get("type")
        if option == "nic" or kind in ("nic", "none"):
            self.cards.append(props)
        else:
            self.netdevs.append(Properties({**props.values, "id": props.values.get("id", "")}, where=props.where))

    def _take_global(self, value: str) -> None:
        """Take one ``-global``: ``driver.property=value``, or the three apart."""
        head, equals, rest = value.partition("=")
        driver, dot, key = head.rpartition(".") if head.count(".") != 1 else head.partition(".")
        if equals and dot and "," not in head:
            driver, _, key = head.partition(".")
            self.globals.append((driver, key, rest))
            return
        given, warnings = split_opts(value, "", option="global")
        unknown = [one for one in given if one not in ("driver", "property", "value")]
        if unknown:
            refusal = Refusal(f"Invalid parameter '{unknown[0]}'", "-global driver.property=value")
        elif len(given) < 3:
            refusal = Refusal("options 'driver', 'property', and 'value' are required", "give all three")
        else:
            self.globals.append((given["driver"], given["property"], given["value"]))
            return
        refusal.where, refusal.warnings = f"-global {value}", warnings
        raise refusal

    def _take_config(self, path: str) -> None:
        """Take the options of a configuration file, whose content was handed in."""
        files = {**CONFIG_FILES, **self.files}
        if path not in files:
            raise BadInput(f"-readconfig {path:.60}: the file cannot be opened from here: hand its content in (files=)")
        for group, name, values in config_sections(files[path], path):
            given = {**({"id": name} if name is not None else {}), **values}
            where = f"{path} [{group}]"
            match group:
                case "machine":
                    self._merge(values, where)
                case "smp-opts":
                    self._merge({f"smp.{key}": text for key, text in values.items()}, where)
                case "memory":
                    for key, text in values.items():
                        self.memory.put(key, text)
                case "object":
                    props = Properties(given, Dialect.OBJECT, where=where)
                    check_object(props)
                    self.objects.append(props)
                case "device":
                    self.devices.append(Properties(given, where=where))
                case "netdev":
                    self.has_network = True
                    self.netdevs.append(Properties(given, where=where))
                case "numa":
                    pairs = tuple(values.items())
                    self.numa.append(Properties(given, Dialect.OBJECT, where=where, repeated=pairs))
                case "accel":
                    self.accelerators.given.append(Properties(given, Dialect.CPU, where=where))
                case "global":
                    self.globals.append((values.get("driver", ""), values.get("property", ""), values.get("value", "")))
                case _:
                    self._note("passed over", f"group {group} of a configuration file", where)

    def _take_set(self, value: str) -> None:
        """Take one ``-set GROUP.ID.KEY=VALUE``: it changes an option that came before."""
        head, equals, text = value.partition("=")
        parts = head.split(".", 2)
        where = f"-set {value}"
        if not equals or len(parts) < 3 or not all(parts):
            raise _placed(Refusal(f'can\'t parse: "{value}"', "write -set group.id.key=value"), where)
        group, name, key = parts
        if group in ("object", "audiodev", "machine", "smp-opts", "boot-opts"):
            raise _placed(Refusal(f"-set is not supported with {group}", f"change the -{group} itself"), where)
        if group == "memory":
            raise _placed(Refusal(f'there is no memory "{name}" defined', "-m has no id"), where)
        found = self.devices if group == "device" else self.netdevs if group == "netdev" else None
        if found is None:
            self._note("passed over", f"-set of a {group}", where)
            return
        for index, props in enumerate(found):
            if props.values.get("id") == name and props.dialect is not Dialect.JSON:
                values = {**props.values, key: text}
                found[index] = Properties(values, props.dialect, where=props.where, warnings=props.warnings)
                return
        raise _placed(Refusal(f'there is no {group} "{name}" defined', f"name the id of a -{group}"), where)

    # -- in QEMU's order, when the line is parsed ----------------------------------------------------------------------

    def command_line(self) -> CommandLine:
        """Put the scenario together."""
        self.memory.merge_into(self.machine)
        board = read_board(self.machine.get("type"), self._qemu)
        if board.assumed:
            self._note("assumed", board.assumed, "-machine")
        display = self._default_display()
        options = {key: value for key, value in self.machine.items() if key != "type"}
        options = _dashed(options)
        if "memory-backend" in options and self.mem_path is not None:
            raise Refusal("'-mem-path' can't be used together with'-machine memory-backend'", "leave one of them out")
        named_accel = options.pop("accel", None)
        ram_backend_id = options.pop("memory-backend", None)
        for legacy in ("igd-passthru", "kvm-shadow-mem", "kernel-irqchip"):
            options.pop(legacy, None)
        sizes, cpus = apply_machine_options(board, options)
        accel = self.accelerators.choose(named_accel, self.warnings)
        if board.deprecated and accel != "qtest":
            self.warnings.append(
                f"warning: Machine type '{board.name}' is deprecated: machines more than 3 years old are subject to "
                "deletion after 6 years"
            )
        self._check_netdevs()
        backends = self._backends()
        option = CpuOption(self.cpu, self.program)
        ram_backend = self._ram_backend(backends, ram_backend_id)
        sizes = sizes.with_backend(ram_backend)
        nodes = Numa(
            {one.id: one for one in backends},
            takes_mem=board.numa_mem,
            max_cpus=cpus,
            hmat=options.get("hmat") in ("on", "yes", "true", "y"),
        )
        for props in self.numa:
            nodes.take(props)
        self.warnings += nodes.warnings
        numa = self._complete_numa(nodes, sizes, ram_backend, backends)
        processor = option.processor(accel, self.host)
        self.warnings += [f"warning: {one}" for one in processor.warnings]
        self._note_processor(processor, accel, option)
        backends, ram_backend_id = self._with_mem_path(backends, sizes, ram_backend.id if ram_backend else None)
        scenario = self._board_scenario(board, options, sizes, accel, processor)
        scenario = replace(
            scenario,
            ram_backend=ram_backend_id,
            numa=numa,
            backends=backends,
            cpu=option.as_given(),
        )
        return self._with_devices(scenario, board, display)

    @property
    def _qemu(self) -> QemuBehaviour | None:
        """The QEMU that reads the line; None for rule sets that are no release."""
        return self.rules.qemu if self.rules is not None and self.rules.name.startswith("qemu-") else None

    def _check_netdevs(self) -> None:
        for props in self.netdevs:
            if props.values.get("id") != "":
                check_netdev(props)

    def _backends(self) -> tuple[MemoryBackend, ...]:
        """Make the memory backends, in the line's order."""
        made: dict[str, MemoryBackend] = {}
        seen: set[object] = set()
        for props in self.objects:
            name = props.values.get("id")
            kind = str(props.values.get("qom-type"))
            if kind in UNMODELLED_OBJECTS:
                self._note("not modelled", UNMODELLED_OBJECTS[kind], props.where)
            if name in seen:
                duplicate = f"attempt to add duplicate property '{name}' to object (type 'container')"
                raise Refusal(duplicate, "give every object its own id")
            seen.add(name)
            backend = backend_of(props, prealloc="mem-prealloc" in self.flags)
            if backend is None:
                continue
            made[backend.id] = backend
            if backend.kind == "file" and backend.page_size > 4096:
                self._note(
                    "assumed",
                    f"{backend.mem_path} is taken for hugetlbfs with pages of {backend.page_size} bytes, by its name",
                    props.where,
                )
        return tuple(made.values())

    def _ram_backend(self, backends: Iterable[MemoryBackend], name: str | None) -> MemoryBackend | None:
        if name is None:
            return None
        for one in backends:
            if one.id == name:
                return one
        raise Refusal(f"Memory backend '{name}' not found", "make it by -object memory-backend-...")

    def _complete_numa(
        self,
        nodes: Numa,
        sizes: MemorySizes,
        ram_backend: MemoryBackend | None,
        backends: Sequence[MemoryBackend],
    ) -> tuple[NumaNode, ...]:
        """Check the boot RAM as a whole (``machine_run_board_init``)."""
        if ram_backend is not None and ram_backend.size != sizes.ram:
            raise Refusal(
                "Machine memory size does not match the size of the memory backend",
                f"give -m {ram_backend.size}B, or leave its size out",
            )
        legacy = not any(one.memdev for one in nodes.nodes.values())
        if ram_backend is None and legacy and any(one.id == "pc.ram" for one in backends):
            raise Refusal(
                "object's id 'pc.ram' is reserved for the default RAM backend, it can't be used for any other "
                "purposes\n"
                "Change the object's 'id' to something else or disable automatic creation of the default RAM backend "
                "by setting 'memory-backend=pc.ram' with '-machine'.",
                "name it in -machine memory-backend=pc.ram",
            )
        return nodes.complete(sizes.ram, ram_backend.id if ram_backend else None)

    def _with_mem_path(
        self, backends: tuple[MemoryBackend, ...], sizes: MemorySizes, ram_backend: str | None
    ) -> tuple[tuple[MemoryBackend, ...], str | None]:
        """Make the boot RAM's backend of ``-mem-path``, and preallocate it where that is asked for."""
        if self.mem_path is None or ram_backend is not None:
            return backends, ram_backend
        props = Properties(
            {"qom-type": "memory-backend-file", "id": "pc.ram", "size": f"{sizes.ram}", "mem-path": self.mem_path}
        )
        backend = backend_of(props, prealloc="mem-prealloc" in self.flags)
        return (backends, None) if backend is None else ((backend, *backends), "pc.ram")

    def _note_processor(self, processor: Processor, accel: str, option: CpuOption) -> None:
        if accel != "kvm":
            return
        unknown = self.host is None or self.host.phys_bits is None
        if processor.phys_bits is None:
            self._note("assumed", "the host's CPU has enough physical address bits: they are not known", "-cpu")
        elif unknown and option.given.get("host-phys-bits-limit") and "phys-bits" not in option.given:
            self._note("assumed", f"the host's CPU has {processor.phys_bits} physical address bits or more", "-cpu")

    def _board_scenario(
        self, board: Board, options: Mapping[str, str], sizes: MemorySizes, accel: str, processor: Processor
    ) -> Scenario:
        props = Properties(options)
        smm = str(options.get("smm", "auto"))
        on = {key: props.flag(key) for key in ("nvdimm", "cxl") if key in options}
        firmware = self.firmware.of_machine(options)
        self.notes += firmware.notes
        return Scenario(
            chipset=board.chipset,
            machine_version=board.version,
            distribution=board.distribution,
            accel=accel,  # type: ignore[arg-type]
            smm=smm == "on" if accel == "kvm" else smm != "off",
            acpi=options.get("acpi", "auto") != "off",
            nvdimm=on.get("nvdimm", False),
            program=self.program,
            cpu_vendor=processor.vendor,
            phys_bits=processor.phys_bits,
            long_mode=processor.long_mode,
            ram=sizes.ram,
            maxmem=sizes.maxmem,
            ram_slots=sizes.slots,
            max_ram_below_4g=props.size("max-ram-below-4g") if "max-ram-below-4g" in options else None,
            pci_hole64_size=self._pci_hole64(board),
            cxl_windows=_cxl_windows(options) if on.get("cxl") else None,
            firmware_size=firmware.size or DEFAULT_FIRMWARE_SIZE,
            fixtures=(
                *firmware.flashes,
                *(PciDevice(driver="option-rom", props=(("romfile", one),)) for one in self.option_roms),
            ),
            incoming="incoming" in self.flags,
            rules=self.rules.name if self.rules else DEFAULT_RULES,
            host=self.host,
            kvm_slots=self.host.kvm_slots if self.host and self.host.kvm_slots else KVM_SLOTS_TODAY,
        )

    def _pci_hole64(self, board: Board) -> int | None:
        """Return the size of the 64-bit PCI hole, which the host bridge has as a global property."""
        found: int | None = None
        for driver, key, value in self.globals:
            if driver != _HOLE64[board.chipset]:
                continue
            place = f"can't apply global {driver}.{key}={value}"
            if key == "pci-hole64-size":
                found = strtosz(value)
                if found is None or found >= SIZE_LIMIT:
                    raise _placed(BadValue(_SIZE_WORDS.format(key), f"{key} {value!r:.60} is not a size"), place)
            elif key not in (
                "pci-hole64-fix",
                "short_root_bus",
                "below-4g-mem-size",
                "above-4g-mem-size",
                "x-pci-hole64-fix",
            ):
                raise _placed(
                    Refusal(f"Property '{driver}.{key}' not found", "the host bridge has no such property"), place
                )
        return found

    # -- devices -------------------------------------------------------------------------------------------------------

    def _default_display(self) -> str | None:
        """Return the display that the board makes (``qemu_create_default_devices``)."""
        named = {str(one.values.get("driver")) for one in self.devices} | {driver for driver, _, _ in self.globals}
        if self.vga is None:
            return None if "nodefaults" in self.flags or named & _NO_DEFAULT_DISPLAY else "VGA"
        for name, driver in _DISPLAY_NAMES.items():
            rest = self.vga.removeprefix(name)
            if self.vga.startswith(name):
                while rest.startswith((",retrace=dumb", ",retrace=precise")):
                    rest = rest.removeprefix(",retrace=").removeprefix("dumb").removeprefix("precise")
                if not rest:
                    return driver
        raise Refusal(f"unknown vga type: {self.vga}", f"known are {', '.join(_DISPLAY_NAMES)}")

    def _board_fixtures(self, board: Board, display: str | None) -> list[PciDevice]:
        """Return the display and the network cards that the board makes itself."""
        found = [] if display is None else [PciDevice(driver=display)]
        if not self.has_network and "nodefaults" not in self.flags:
            found.append(PciDevice(driver=DEFAULT_CARD[board.chipset]))
        found += [one for one in (network_card(card, board.chipset) for card in self.cards) if one is not None]
        return found

    def _with_devices(self, scenario: Scenario, board: Board, display: str | None) -> CommandLine:
        """Make the devices of the line: key=value before JSON, network back ends before all."""
        fixtures = [*scenario.fixtures, *self._board_fixtures(board, display)]
        made: list[Device] = []
        for props in (*self.netdevs, *self.cards):
            found = vhost_netdev(props, self._slots(props))
            made += [found] if found is not None else []
        buses = Buses("pcie.0" if board.chipset == "q35" else "pci.0")
        if self.machine.get("usb") in ("on", "yes", "true", "y"):
            buses.kinds.add("usb-bus")
        failure: Refusal | BadInput | None = None
        ordered = [one for one in self.devices if one.dialect is not Dialect.JSON]
        ordered += [one for one in self.devices if one.dialect is Dialect.JSON]
        for props in ordered:
            try:
                device, fixture = self._device(props, buses)
            except (Refusal, BadInput) as error:
                failure = error
                break
            made += [device] if device is not None else []
            fixtures += [fixture] if fixture is not None else []
        shown = any(one.driver == "VGA" for one in fixtures)
        scenario = replace(scenario, devices=tuple(made), fixtures=tuple(fixtures), display=shown)
        return CommandLine(scenario, failure, tuple(self.notes), tuple(self.warnings))

    def _slots(self, props: Properties) -> int | None:
        name = props.values.get("id")
        return self.vhost_slots.get(name) if isinstance(name, str) else None

    def _device(self, props: Properties, buses: Buses) -> tuple[Device | None, PciDevice | None]:
        props = with_globals(props, self.globals)
        driver = check_device(props, rules=self.rules, buses=buses)
        device = device_of(props, vhost_slots=self._slots(props))
        name = props.values.get("id")
        buses.add(driver, name if isinstance(name, str) else None)
        if driver in device_lists.UNMODELLED_DEVICES:
            self._note("not modelled", device_lists.UNMODELLED_DEVICES[driver], props.where)
        return device, fixture_of(props)


def _placed(refusal: Refusal, where: str) -> Refusal:
    refusal.where = where
    return refusal


def _dashed(options: Mapping[str, str]) -> dict[str, str]:
    """Write keys with dashes (``keyval_dashify``).

    Raises
    ------
    Refusal
        A key is given in both spellings.
    """
    found: dict[str, str] = {}
    for key, value in options.items():
        head, dot, rest = key.partition(".")
        name = head.replace("_", "-") + dot + rest
        if name != key and name in options:
            raise Refusal(f"Conflict between '{head}' and '{head.replace('_', '-')}'", "give one of them")
        found[name] = value
    return found


def _cxl_windows(options: Mapping[str, str]) -> tuple[int, ...]:
    """Read the sizes of ``cxl-fmw.N.size``, in the order of N."""
    sizes: dict[int, int] = {}
    for key in options:
        parts = key.split(".")
        if parts[0] == "cxl-fmw" and len(parts) == 3 and parts[2] == "size" and parts[1].isdigit():
            sizes[int(parts[1])] = Properties(options).size(key)
    return tuple(sizes[index] for index in sorted(sizes))
