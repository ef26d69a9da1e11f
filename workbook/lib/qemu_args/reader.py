"""QEMU command lines: read one into a `Scenario`, write one from it.

Options from qemu-options.hx and system/vl.c (QEMU 7.2 to 10.0); their syntax is in workbook/lib/options.py, devices
and objects in workbook/lib/objects.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from workbook.lib.boards.pc import default_phys_bits
from workbook.lib.errors import BadInput, BadValue, Refusal
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import DEFAULT_RULES, Device, MemoryBackend, Scenario, VhostDevice
from workbook.lib.size import EXABYTE_LIMIT, GiB, KiB, MiB, round_up, strtosz

from .objects import backend_from_object, backend_of, device_from_properties, device_of
from .syntax import Dialect, Properties, options_of, split_keyval, split_opts, strtoll
from .writer import qemu_size, write_argv

__all__ = ("backend_from_object", "device_from_properties", "read_argv", "write_argv")

DEFAULT_RAM: Final = 128 * MiB
"""RAM of a VM without -m."""
RAM_GRANULE: Final = 8 * KiB
"""QEMU rounds the size of -m up to a multiple of this (hw/core/machine.c)."""

_READ: Final = frozenset("m machine M accel cpu object device netdev numa vga incoming mem-path".split())
_AMD_MODELS: Final = ("EPYC", "Opteron", "athlon", "phenom", "qemu64", "Dhyana", "max")
_VENDORS: Final[dict[str, Literal["intel", "amd"]]] = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
_U64: Final = EXABYTE_LIMIT - 1


def read_argv(
    argv: str | Sequence[str],
    *,
    rules: RuleSet | None = None,
    vhost_slots: Mapping[str, int | None] | None = None,
    default_accel: Literal["kvm", "tcg"] = "tcg",
) -> Scenario:
    """Read a QEMU command line.

    Options that cannot matter for memory slots are passed over.

    Parameters
    ----------
    argv
        List of strings, or one string as in a shell (comments and line continuations included); with or
        without ``env NAME=VALUE`` and the program's name.
    rules
        What the QEMU is that reads it: properties it does not know are refused with its words.
    vhost_slots
        Memslots that vhost back ends report, by device id.
    default_accel
        Accelerator where the line names none; QEMU's own is TCG.

    Raises
    ------
    BadInput
        The text cannot be read, or asks for something that matters and is not modelled.
    Refusal
        A property or size that QEMU refuses.
    """
    if not isinstance(vhost_slots or {}, Mapping):
        raise BadInput(f"vhost_slots must map device ids to limits, not be {vhost_slots!r:.60}")
    reader = _Reader(rules, dict(vhost_slots or {}), default_accel)
    for option, value in options_of(argv, _READ):
        reader.take(option, value)
    return reader.scenario()


@dataclass
class _Memory:
    """What ``-m`` gave; later ones replace what they name."""

    size: str | None = None
    slots: int = 0
    maxmem: int | None = None

    def take(self, text: str) -> None:
        """Take one ``-m``; values are checked at once, as QEMU does."""
        given, warnings = split_opts(text, "size")
        try:
            for key, value in given.items():
                self._take(key, value)
        except Refusal as refusal:
            refusal.where, refusal.warnings = f"-m {text}", warnings
            raise

    def _take(self, key: str, value: str) -> None:
        if key == "slots":
            number = strtoll(value)
            if number is None:
                raise BadValue("Parameter 'slots' expects a number", f"slots {value!r:.60} is not a number")
            if abs(number) > _U64:
                raise BadValue(
                    f"Value '{value}' is too large for parameter 'slots'", f"slots {value!r:.60} is too large"
                )
            self.slots = number & _U64
        elif key in ("size", "maxmem"):
            size = strtosz(value)
            if size is None:
                raise BadValue(
                    f"Parameter '{key}' expects a non-negative number below 2^64\n"
                    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
                    "and exabytes, respectively.",
                    f"{key} {value!r:.60} of -m is not a size: give a number with K, M, G, T, P or E, such as 4G",
                )
            if size >= EXABYTE_LIMIT:
                raise BadValue(
                    f"Value '{value}' is out of range for parameter '{key}'",
                    f"{key} {value!r:.60} of -m is too large: sizes are below 2^64 bytes (16E)",
                )
            if key == "size":
                self.size = value
            else:
                self.maxmem = size
        elif key != "id":
            raise Refusal(f"Invalid parameter '{key}'", "-m takes size, slots and maxmem")

    def sizes(self, backend: MemoryBackend | None) -> tuple[int, int, int]:
        """Return RAM, maximum and DIMM slots; RAM without a size is the backend's."""
        size = 0
        if self.size is not None:
            # a last digit means MiB, as ever
            text = self.size + "M" if self.size[-1].isdigit() else self.size
            read = strtosz(text)
            if read is None or read >= EXABYTE_LIMIT:
                raise BadValue(
                    "Parameter 'memory.size' expects size",
                    f"size {self.size!r:.60} of -m counts in MiB: that is no size below 2^64 bytes",
                )
            size = round_up(read, RAM_GRANULE)
        size = size or DEFAULT_RAM
        if self.maxmem is None and self.slots:
            raise Refusal("slots specified but no max-size", "add maxmem= to -m")
        if backend is None or self.size is not None:
            return size, size if self.maxmem is None else self.maxmem, self.slots
        # QEMU checks maxmem against its own default and takes the backend's size later
        if self.maxmem is None or size > self.maxmem or backend.size < self.maxmem:
            return backend.size, backend.size if self.maxmem is None else self.maxmem, self.slots
        return backend.size, backend.size, 0


@dataclass
class _Reader:
    """Collects options; the scenario is put together at the end, as QEMU does."""

    rules: RuleSet | None
    vhost_slots: dict[str, int | None]
    default_accel: Literal["kvm", "tcg"]
    memory: _Memory = field(default_factory=_Memory)
    machine: dict[str, str] = field(default_factory=dict)
    cpu: str | None = None
    accels: list[str] = field(default_factory=list)
    objects: list[Properties] = field(default_factory=list)
    devices: list[Properties] = field(default_factory=list)
    netdevs: list[Properties] = field(default_factory=list)
    numa: list[tuple[str, Properties]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    vga: str | None = None

    def take(self, option: str, value: str) -> None:
        """Take one option."""
        match option:
            case "m":
                self.memory.take(value)
            case "machine" | "M":
                self.machine |= split_keyval(value, "type", option=option)
            case "accel":
                self.accels.append(split_opts(value, "accel")[0].get("accel", ""))
            case "enable-kvm":
                self.accels.append("kvm")
            case "cpu":
                self.cpu = value
            case "object":
                self._take_object(value)
            case "device":
                props = Properties.parse("device", value, "driver")
                if props.dialect is not Dialect.JSON:
                    props.check_identifier()
                self.devices.append(props)
            case "netdev":
                self._take_netdev(value)
            case "numa":
                props = Properties.parse("numa", value, "type")
                if props.values.get("type") == "node":
                    self.numa.append((value, props))
            case "vga":
                self.vga = value
            case "nodefaults" | "incoming":
                self.flags.add(option)
            case "h" | "help" | "version":
                raise BadInput(f"-{option} asks QEMU for help and starts no VM: leave it out")
            case "mem-path":
                raise BadInput(
                    "-mem-path is not modelled: use -object memory-backend-file and -machine memory-backend="
                )

    def _take_object(self, value: str) -> None:
        props = Properties.parse("object", value, "qom-type", Dialect.OBJECT)
        if props.dialect is Dialect.OBJECT:
            props.check_identifier()
            name = props.values.get("id")
            if name is not None and any(name == one.values.get("id") for one in self.objects):
                raise props.refusal(f"Duplicate ID '{name}' for object", "give every object its own id")
        self.objects.append(props)

    def _take_netdev(self, value: str) -> None:
        props = Properties.parse("netdev", value, "type")
        kind, name = props.values.get("type"), str(props.values.get("id"))
        if kind == "vhost-user" or (kind == "tap" and props.values.get("vhost") in ("on", True)):
            given = {"driver": f"netdev {kind}", "id": name}
            # QEMU makes network back ends before any device, wherever they stand
            self.netdevs.append(Properties(given, where=props.where))

    def scenario(self) -> Scenario:
        """Put the scenario together."""
        chipset, version = _machine_type(self.machine.get("type", "pc"))
        accel = self._accel()
        # wrong values are refused without the option
        machine = Properties(self.machine)
        machine.choice("smm", ("on", "off", "auto"))
        low = machine.size("max-ram-below-4g") if "max-ram-below-4g" in machine else None
        if low is not None and low > 4 * GiB:
            raise Refusal(
                f"Machine option 'max-ram-below-4g={low}' expects size less than or equal to 4G", "give at most 4G"
            )
        backends = tuple(one for one in map(backend_of, self.objects) if one is not None)
        vendor, phys_bits = self._processor(accel)
        ram_backend, numa = self._ram_backend(backends, version)
        ram, maxmem, slots = self.memory.sizes(ram_backend)
        if ram_backend and ram_backend.size != ram:
            if numa:
                raise Refusal(
                    f"total memory for NUMA nodes ({ram_backend.size:#x}) should equal RAM size ({ram:#x})",
                    "give -m the size of the node's memory backend",
                )
            raise Refusal(
                "Machine memory size does not match the size of the memory backend",
                f"give -m {qemu_size(ram_backend.size)}, or leave its size out",
            )
        return Scenario(
            chipset=chipset,
            machine_version=version,
            accel=accel,
            smm=accel == "kvm" and self.machine.get("smm") == "on",
            cpu_vendor=vendor,
            phys_bits=phys_bits,
            ram=ram,
            maxmem=maxmem,
            ram_slots=slots,
            max_ram_below_4g=low,
            ram_backend=ram_backend.id if ram_backend else None,
            display=self.vga not in (None, "none") or (self.vga is None and "nodefaults" not in self.flags),
            incoming="incoming" in self.flags,
            backends=backends,
            devices=tuple(one for one in map(self._device, self.netdevs + self.devices) if one is not None),
            rules=self.rules.name if self.rules else DEFAULT_RULES,
        )

    def _device(self, props: Properties) -> Device | None:
        name = props.values.get("id")
        slots = self.vhost_slots.get(name) if isinstance(name, str) else None
        driver = props.values.get("driver")
        if isinstance(driver, str) and driver.startswith("netdev "):
            return VhostDevice(id=name, driver=driver, slots=slots, kernel=driver == "netdev tap")
        return device_of(props, rules=self.rules, vhost_slots=slots)

    def _ram_backend(
        self, backends: Sequence[MemoryBackend], version: tuple[int, int] | None
    ) -> tuple[MemoryBackend | None, bool]:
        """Return the memory backend of the boot RAM, and whether it is a NUMA node's."""
        name = self.machine.get("memory-backend")
        if len(self.numa) > 1:
            raise BadInput(
                "more than one -numa node is not modelled: give the RAM one node (memory slots of devices do not "
                "depend on nodes)"
            )
        if self.numa:
            text, props = self.numa[0]
            memdev = props.text("memdev")
            if memdev is not None and name is not None:
                raise Refusal(
                    "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive", "leave one out"
                )
            if memdev is not None:
                found = next((one for one in backends if one.id == memdev), None)
                if found is None:
                    refusal = Refusal(f"memdev={memdev} is ambiguous", "make it by -object memory-backend-...")
                    refusal.where = f"-numa {text}"
                    raise refusal
                return found, True
            if version is None or version >= (5, 1):
                raise Refusal(
                    f"total memory for NUMA nodes (0x0) should equal RAM size ({self.memory.sizes(None)[0]:#x})",
                    "give the node a memdev=, or leave -numa out",
                )
        if name is None:
            return None, False
        found = next((one for one in backends if one.id == name), None)
        if found is None:
            raise Refusal(f"Memory backend '{name}' not found", "make it by -object memory-backend-...")
        return found, False

    def _accel(self) -> Literal["kvm", "tcg", "qtest"]:
        named = self.machine.get("accel")
        if named is not None and self.accels:
            raise Refusal('The -accel and "-machine accel=" options are incompatible', "leave one of them out")
        names = self.accels or (named.split(":") if named else [self.default_accel])
        for name in names:
            if name in ("kvm", "tcg", "qtest"):
                return name  # type: ignore[return-value]
        raise BadInput(f"accelerator {names[0]!r:.60} is not modelled: known are kvm, tcg and qtest")

    def _processor(self, accel: str) -> tuple[Literal["intel", "amd"] | None, int | None]:
        if self.cpu is None:
            return None, None
        given = split_opts(self.cpu, "model")[0]
        model = given.pop("model", "")
        if not model:
            raise Refusal("-cpu option cannot be empty", "name a CPU model, such as max")

        def read(name: str) -> Properties:
            where = f"can't apply global {model}-x86_64-cpu.{name}={given.get(name)}"
            return Properties(given, Dialect.CPU, where=where)

        vendor = given.get("vendor")
        if vendor is not None and len(vendor) != 12:
            raise read("vendor").refusal(
                "value of property 'vendor' must consist of exactly 12 characters", "such as GenuineIntel"
            )
        family: Literal["intel", "amd"] | None
        if vendor is not None:
            family = _VENDORS.get(vendor)
        elif model == "host" or accel == "kvm":
            family = None  # the host's
        else:
            family = "amd" if model.startswith(_AMD_MODELS) else "intel"
        bits = read("phys-bits").number("phys-bits", bits=32)
        host = read("host-phys-bits").flag("host-phys-bits", default=model in ("host", "max"))
        if bits and not 32 <= bits <= 52:
            # the two blanks are QEMU's
            raise Refusal(f"phys-bits should be between 32 and 52  (but is {bits})", "give phys-bits=48, or none")
        if bits:
            return family, bits
        # only KVM can take the host's
        return family, None if host and accel == "kvm" else default_phys_bits()


def _machine_type(name: str) -> tuple[Literal["q35", "pc"], tuple[int, int] | None]:
    """Return the chipset and the version of a machine type."""
    if name in ("q35", "pc"):
        return name, None  # type: ignore[return-value]
    for prefix, chipset in (("pc-q35-rhel", "q35"), ("pc-i440fx-rhel", "pc"), ("pc-q35-", "q35"), ("pc-i440fx-", "pc")):
        if name.startswith(prefix):
            numbers = name.removeprefix(prefix).split(".")
            if len(numbers) >= 2 and all(one.isascii() and one.isdigit() and len(one) < 5 for one in numbers[:2]):
                # a distribution's own numbers are no QEMU versions
                return chipset, None if "rhel" in prefix else (int(numbers[0]), int(numbers[1]))  # type: ignore[return-value]
    raise BadInput(
        f"machine type {name!r:.60} is not modelled: known are q35, pc and their versions such as pc-q35-8.2"
    )
