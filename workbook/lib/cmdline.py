"""QEMU command lines: read one into a `Scenario`, write one from it.

Syntax: QEMU's QemuOpts and keyval (util/qemu-option.c, util/keyval.c) and JSON forms; options from
qemu-options.hx (QEMU 7.2 to 10.0). Text is parsed, never run.
"""

import json
import shlex
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from .errors import BadInput, BadValue, Refusal
from .pc import default_phys_bits
from .rules.base import RuleSet
from .scenario import Device, Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem
from .size import GiB, KiB, MiB, format_size, parse_size, round_up

__all__ = ("backend_from_object", "device_from_properties", "read_argv", "write_argv")

DEFAULT_RAM: Final = 128 * MiB
"""RAM of a VM without -m."""

_WITHOUT_VALUE: Final = frozenset(
    "h help version nodefaults no-user-config no-reboot no-shutdown S snapshot nographic enable-kvm daemonize "
    "no-hpet no-acpi no-fd-bootchk full-screen no-quit usb preconfig only-migratable mem-prealloc win2k-hack "
    "singlestep one-insn-per-tb sdl gtk curses alt-grab ctrl-grab".split()
)
_TWO_RAM_KINDS: Final = {"memory-backend-ram": "ram", "memory-backend-memfd": "memfd", "memory-backend-file": "file"}
_AMD_MODELS: Final = ("EPYC", "Opteron", "athlon", "phenom", "qemu64", "Dhyana", "max")
_VENDORS: Final[dict[str, Literal["intel", "amd"]]] = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
_TAKES_MEMORY: Final = frozenset(
    "virtio-mem virtio-mem-ccw virtio-mem-device virtio-pmem virtio-md-pci hv-balloon sgx-epc cxl-type3 "
    "virtio-mem-pci-transitional".split()
)
_VHOST_KERNEL: Final = frozenset({"vhost-vsock-pci", "vhost-scsi-pci", "vhost-vsock-device", "vhost-scsi"})


def read_argv(
    argv: str | Sequence[str], *, rules: RuleSet | None = None, vhost_slots: Mapping[str, int | None] | None = None
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

    Raises
    ------
    BadInput
        The text cannot be read, or asks for something that matters and is not modelled.
    Refusal
        A property or size that QEMU refuses.
    """
    words = _words(argv)
    reader = _Reader(rules, dict(vhost_slots or {}))
    for option, value in _options(words):
        reader.take(option, value)
    return reader.scenario()


def _words(argv: str | Sequence[str]) -> list[str]:
    if isinstance(argv, str):
        try:
            words = shlex.split(argv.replace("\\\n", " ").replace("\\\r\n", " "), comments=True)
        except ValueError as error:
            raise BadInput(f"the command line cannot be split into words: {error}") from None
    else:
        words = list(argv)
        if not all(isinstance(one, str) for one in words):
            raise BadInput("the command line must be a list of strings")
    start = next((index for index, one in enumerate(words) if one.startswith("-")), len(words))
    return words[start:]


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("-") or word == "-":
            continue  # a disk image
        option = word.removeprefix("--") if word.startswith("--") else word[1:]
        if option in _WITHOUT_VALUE:
            yield option, ""
            continue
        if index == len(words):
            raise BadInput(f"-{option}: requires an argument")
        yield option, words[index]
        index += 1


def split_properties(text: str, first: str = "") -> dict[str, str]:
    """Split ``key=value,key=value``; ``,,`` is a comma; a bare key means ``on``, ``nokey`` is not special.

    Parameters
    ----------
    first
        Name of the key that may be left out at the beginning (``-m 4G`` is ``size=4G``).
    """
    parts, current, index = [], "", 0
    while index < len(text):
        if text[index] == ",":
            if text[index + 1 : index + 2] == ",":
                current += ","
                index += 2
                continue
            parts.append(current)
            current = ""
        else:
            current += text[index]
        index += 1
    parts.append(current)
    found: dict[str, str] = {}
    for position, part in enumerate(parts):
        key, equals, value = part.partition("=")
        if not equals and position == 0 and first:
            found[first] = part
        elif part:
            found[key] = value if equals else "on"
    return found


def _properties(text: str, first: str, what: str) -> dict[str, Any]:
    """Read an option's value: JSON where it begins with a brace, else key=value."""
    if not text.startswith("{"):
        return dict(split_properties(text, first))
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{what}: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadInput(f"{what}: must be a JSON object")
    return data


def _flag(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("on", "yes", "true", "y"):
        return True
    if value in ("off", "no", "false", "n"):
        return False
    raise BadValue(f"Parameter '{name}' expects 'on' or 'off'", f"{name} {value!r} is neither on nor off")


def _size(value: Any, name: str, *, unit: str = "B", expects: str = "size") -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadInput(f"{name} must be a size, not {value!r:.60}")
    try:
        return parse_size(value, unit=unit, name=name)
    except BadInput as error:
        raise BadValue(f"Parameter '{name}' expects {expects}", str(error)) from None


def _number(value: Any, name: str, *, bits: int = 32, signed: bool = False) -> int:
    kind = f"{'int' if signed else 'uint'}{bits}"
    kind = f"{kind}_t" if bits != 32 or not signed else kind
    try:
        number = value if isinstance(value, int) else int(str(value), 0)
    except ValueError:
        raise BadValue(f"Parameter '{name}' expects integer", f"{name} {value!r:.60} is not a whole number") from None
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    if not low <= number < high:
        raise BadValue(f"Parameter '{name}' expects {kind}", f"{name} {number} is out of range: {low} to {high - 1}")
    return number


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be text, not {value!r:.60}")
    return value


def backend_from_object(given: Mapping[str, Any] | str, *, where: str = "-object") -> MemoryBackend:
    """Read ``-object memory-backend-*`` or the arguments of ``object-add``.

    Raises
    ------
    BadInput
        Not a memory backend, or it lacks its id or size.
    """
    props = _properties(given, "qom-type", where) if isinstance(given, str) else dict(given)
    kind = _text(props.get("qom-type"), "qom-type")
    if kind not in _TWO_RAM_KINDS:
        raise BadInput(f"{where}: {kind!r} is not modelled: known are {', '.join(_TWO_RAM_KINDS)}")
    name = props.get("id")
    if not isinstance(name, str) or not name:
        raise Refusal("Parameter 'id' is missing", "give the object an id")
    if "size" not in props:
        raise Refusal("Parameter 'size' is missing", f"give memory backend {name!r} a size")
    size = _size(props["size"], "size", expects="a size value")
    if not size:
        raise BadValue(
            f"property 'size' of {kind} doesn't take value '0'", f"size of memory backend {name!r} is 0: give it one"
        )
    path = props.get("mem-path")
    backend = MemoryBackend(
        id=name,
        size=size,
        kind=_TWO_RAM_KINDS[kind],  # type: ignore[arg-type]
        share=_flag(props.get("share", kind == "memory-backend-memfd"), "share"),
        reserve=_flag(props.get("reserve", True), "reserve"),
        prealloc=_flag(props.get("prealloc", False), "prealloc"),
        mem_path=None if path is None else _text(path, "mem-path"),
    )
    if _flag(props.get("hugetlb", False), "hugetlb"):
        page = _size(props.get("hugetlbsize", 2 * MiB), "hugetlbsize") or 2 * MiB
        return replace(backend, page_size=page)
    if backend.mem_path and "huge" in backend.mem_path:
        # what is mounted there cannot be seen from the command line; 1G is named in the path by custom
        return replace(backend, page_size=GiB if "1G" in backend.mem_path.upper() else 2 * MiB)
    return backend


def device_from_properties(
    driver: str,
    props: Mapping[str, Any],
    *,
    rules: RuleSet | None = None,
    vhost_slots: int | None = None,
    where: str = "",
) -> Device | None:
    """Build the device of a ``-device`` or ``device_add``; None where it cannot matter for memory slots.

    Parameters
    ----------
    driver
        The driver; ``"driver,key=value"`` is split.
    vhost_slots
        Memslots that its vhost back end reports.
    where
        Prefix of QEMU's error lines.

    Raises
    ------
    BadInput, Refusal
        As `read_argv`.
    """
    if "," in driver:
        given = split_properties(driver, "driver")
        driver, props = given.pop("driver", ""), given | dict(props)
    name = None if props.get("id") is None else _text(props["id"], "id")
    memdev = None if props.get("memdev") is None else _text(props["memdev"], "memdev")
    if driver == "virtio-mem-pci":
        return _virtio_mem(name, memdev, props, rules, where)
    if driver == "pc-dimm":
        return Dimm(
            id=name,
            memdev=memdev,
            addr=_number(props.get("addr", 0), "addr", bits=64),
            slot=_number(props.get("slot", -1), "slot", signed=True),
            node=_number(props.get("node", 0), "node"),
            where=where,
        )
    if driver == "nvdimm":
        raise BadInput("nvdimm is not modelled: use pc-dimm or virtio-pmem-pci")
    if driver == "virtio-pmem-pci":
        return Pmem(id=name, memdev=memdev, memaddr=_number(props.get("memaddr", 0), "memaddr", bits=64), where=where)
    if driver in _TAKES_MEMORY:
        raise BadInput(f"device {driver!r} takes memory slots and is not modelled: use virtio-mem-pci")
    if driver.startswith("vhost-user-") or driver in _VHOST_KERNEL:
        return VhostDevice(id=name, driver=driver, slots=vhost_slots, kernel=driver in _VHOST_KERNEL, where=where)
    return None


def _on_off_auto(value: Any, name: str) -> str:
    if value is True or value is False:
        return "on" if value else "off"
    if value not in ("on", "off", "auto"):
        raise BadValue(
            f"Parameter '{name}' does not accept value '{value}'", f"{name} {value!r:.60}: allowed are on, off and auto"
        )
    return str(value)


_VIRTIO_MEM: Final[dict[str, tuple[str, Callable[[Any, str], Any]]]] = {
    "requested-size": ("requested_size", _size),
    "block-size": ("block_size", _size),
    "memaddr": ("memaddr", lambda value, name: _number(value, name, bits=64)),
    "node": ("node", _number),
    "max-memslots": ("max_memslots", lambda value, name: _number(value, name, bits=16)),
    "memslots": ("memslots", lambda value, name: _number(value, name, bits=16)),
    "dynamic-memslots": ("dynamic_memslots", _flag),
    "prealloc": ("prealloc", _flag),
    "unplugged-inaccessible": ("unplugged_inaccessible", _on_off_auto),
}
_VIRTIO_MEM_PASSED_OVER: Final = frozenset(
    "driver id memdev bus addr multifunction disable-legacy disable-modern romfile rombar vectors iommu_platform "
    "ats packed event_idx indirect_desc acpi-index x-early-migration class failover_pair_id".split()
)


def _virtio_mem(
    name: str | None, memdev: str | None, props: Mapping[str, Any], rules: RuleSet | None, where: str
) -> VirtioMem:
    fields: dict[str, Any] = {}
    try:
        for key, value in props.items():
            if rules is not None and key in rules.unknown_properties:
                raise Refusal(rules.unknown_properties[key], f"rule set {rules.name} has no such property")
            if key in _VIRTIO_MEM:
                field, read = _VIRTIO_MEM[key]
                fields[field] = read(value, key)
            elif key not in _VIRTIO_MEM_PASSED_OVER:
                raise Refusal(f"Property 'virtio-mem-pci.{key}' not found", f"known are {', '.join(_VIRTIO_MEM)}")
    except Refusal as refusal:
        refusal.where = where
        raise
    return VirtioMem(id=name, memdev=memdev, where=where, **fields)


class _Reader:
    """Collects options; the scenario is put together at the end, as QEMU does."""

    def __init__(self, rules: RuleSet | None, vhost_slots: dict[str, int | None]) -> None:
        self._rules = rules
        self._vhost_slots = vhost_slots
        self._objects: list[MemoryBackend] = []
        self._devices: list[Device] = []
        self._chardevs: set[str] = set()
        self._machine: dict[str, Any] = {}
        self._memory: dict[str, Any] = {}
        self._memory_text = ""
        self._cpu: dict[str, Any] = {}
        self._accels: list[str] = []
        self._flags: set[str] = set()
        self._vga: str | None = None

    def take(self, option: str, value: str) -> None:
        """Take one option."""
        match option:
            case "m":
                self._memory |= _properties(value, "size", "-m")
                self._memory_text = value
            case "machine" | "M":
                self._machine |= _properties(value, "type", "-machine")
            case "accel":
                self._accels.append(split_properties(value, "accel").get("accel", ""))
            case "enable-kvm":
                self._accels.append("kvm")
            case "cpu":
                self._cpu = _properties(value, "model", "-cpu")
            case "object":
                self._take_object(value)
            case "device":
                self._take_device(value)
            case "netdev":
                self._take_netdev(value)
            case "vga":
                self._vga = value
            case "nodefaults" | "incoming":
                self._flags.add(option)
            case "numa":
                if "memdev=" in value and value.startswith("node"):
                    self._machine.setdefault("memory-backend", split_properties(value).get("memdev", ""))
            case "mem-path":
                raise BadInput(
                    "-mem-path is not modelled: use -object memory-backend-file and -machine memory-backend="
                )

    def _take_object(self, value: str) -> None:
        kind = _properties(value, "qom-type", "-object").get("qom-type")
        if isinstance(kind, str) and kind.startswith("memory-backend-"):
            try:
                self._objects.append(backend_from_object(value))
            except Refusal as refusal:
                # QEMU reports what a property does not take without the option
                refusal.where = "" if "doesn't take value" in refusal.message else f"-object {value}"
                raise

    def _take_device(self, value: str) -> None:
        props = _properties(value, "driver", "-device")
        driver = _text(props.pop("driver", ""), "driver")
        name = props.get("id")
        slots = self._vhost_slots.get(name) if isinstance(name, str) else None
        device = device_from_properties(
            driver,
            props,
            rules=self._rules,
            vhost_slots=slots,
            where="" if value.startswith("{") else f"-device {value}",
        )
        if device is not None:
            self._devices.append(device)

    def _take_netdev(self, value: str) -> None:
        props = _properties(value, "type", "-netdev")
        name = props.get("id")
        if props.get("type") == "vhost-user" or (props.get("type") == "tap" and props.get("vhost") in ("on", True)):
            kernel = props.get("type") == "tap"
            slots = self._vhost_slots.get(str(name))
            self._devices.append(
                VhostDevice(id=str(name), driver=f"netdev {props['type']}", slots=slots, kernel=kernel)
            )

    def scenario(self) -> Scenario:
        """Put the scenario together."""
        chipset, version = _machine_type(_text(self._machine.get("type", "pc"), "-machine type"))
        accel = self._accel()
        try:
            ram, maxmem, slots = self._sizes()
        except BadValue as error:
            error.where = f"-m {self._memory_text}"
            raise
        low = self._machine.get("max-ram-below-4g")
        vendor, phys_bits = self._processor()
        ram_backend = self._machine.get("memory-backend")
        if ram_backend is not None and all(one.id != ram_backend for one in self._objects):
            raise Refusal(f"Memory backend '{ram_backend}' not found", "make it by -object memory-backend-...")
        return Scenario(
            chipset=chipset,
            machine_version=version,
            accel=accel,
            smm=accel == "kvm" and self._machine.get("smm") in ("on", True),
            cpu_vendor=vendor,
            phys_bits=phys_bits,
            ram=ram,
            maxmem=maxmem,
            ram_slots=slots,
            max_ram_below_4g=None if low is None else _size(low, "max-ram-below-4g"),
            ram_backend=ram_backend,
            display=self._vga not in (None, "none") or (self._vga is None and "nodefaults" not in self._flags),
            incoming="incoming" in self._flags,
            backends=tuple(self._objects),
            devices=tuple(self._devices),
            rules=self._rules.name if self._rules else "qemu-10.0",
        )

    def _accel(self) -> Literal["kvm", "tcg", "qtest"]:
        named = self._machine.get("accel")
        names = self._accels or (str(named).split(":") if named else ["tcg"])
        for name in names:
            if name in ("kvm", "tcg", "qtest"):
                return name  # type: ignore[return-value]
        raise BadInput(f"accelerator {names[0]!r} is not modelled: known are kvm, tcg and qtest")

    def _sizes(self) -> tuple[int, int, int]:
        ram, expects = self._memory.get("size") or None, "a non-negative number below 2^64"
        size = DEFAULT_RAM if ram is None else _size(ram, "size", unit="M", expects=expects)
        size = round_up(size or DEFAULT_RAM, 8 * KiB)
        slots = _number(self._memory.get("slots", 0), "slots", bits=64)
        if "maxmem" not in self._memory:
            if slots:
                raise Refusal("slots specified but no max-size", "add maxmem= to -m")
            return size, size, 0
        maxmem = _size(self._memory["maxmem"], "maxmem", expects=expects)
        return size, maxmem, slots

    def _processor(self) -> tuple[Literal["intel", "amd"] | None, int | None]:
        if not self._cpu:
            return None, None
        model = str(self._cpu.get("model", "qemu64"))
        vendor = self._cpu.get("vendor")
        family: Literal["intel", "amd"] | None
        if vendor is not None:
            family = _VENDORS.get(str(vendor))
        elif model == "host" or self._accel() == "kvm":
            family = None  # the host's
        else:
            family = "amd" if model.startswith(_AMD_MODELS) else "intel"
        if "phys-bits" in self._cpu:
            bits = _number(self._cpu["phys-bits"], "phys-bits")
            return family, bits or default_phys_bits()
        host = model in ("host", "max") or self._cpu.get("host-phys-bits") in ("on", True)
        return family, None if host else default_phys_bits()


def _machine_type(name: str) -> tuple[Literal["q35", "pc"], tuple[int, int] | None]:
    """Return the chipset and the version of a machine type."""
    if name in ("q35", "pc"):
        return name, None  # type: ignore[return-value]
    for prefix, chipset in (("pc-q35-", "q35"), ("pc-i440fx-", "pc"), ("pc-q35-rhel", "q35")):
        if name.startswith(prefix):
            numbers = name.removeprefix(prefix).split(".")
            if len(numbers) >= 2 and all(one.isdigit() for one in numbers[:2]):
                return chipset, (int(numbers[0]), int(numbers[1]))  # type: ignore[return-value]
            return chipset, None  # type: ignore[return-value]
    raise BadInput(f"machine type {name!r} is not modelled: known are q35, pc and their versions such as pc-q35-8.2")


def _qemu_size(size: int) -> str:
    """Print a size as people write it for QEMU, exactly."""
    text = format_size(size).replace(" ", "").removesuffix("iB")
    return text.removesuffix("B")


def write_argv(scenario: Scenario, rules: RuleSet | None = None) -> list[str]:
    """Write the command line that makes the scenario's VM; `read_argv` reads it back to the same scenario.

    Actions, limits of back ends and the rule set are not part of a command line.

    Parameters
    ----------
    rules
        What the QEMU is that shall read it: properties that it does not know are left out.
    """
    machine: str = scenario.chipset
    if scenario.machine_version:
        prefix = {"q35": "pc-q35", "pc": "pc-i440fx"}[scenario.chipset]
        machine = f"{prefix}-{scenario.machine_version[0]}.{scenario.machine_version[1]}"
    options = [machine]
    if scenario.ram_backend:
        options.append(f"memory-backend={scenario.ram_backend}")
    if scenario.smm:
        options.append("smm=on")
    if scenario.max_ram_below_4g is not None:
        options.append(f"max-ram-below-4g={_qemu_size(scenario.max_ram_below_4g)}")
    memory = [_qemu_size(scenario.ram) if scenario.ram % MiB == 0 else f"{scenario.ram}B"]
    if scenario.ram_slots:
        memory.append(f"slots={scenario.ram_slots}")
    if scenario.has_device_memory:
        memory.append(f"maxmem={_qemu_size(scenario.maxmem)}")
    argv = ["qemu-system-x86_64", "-accel", scenario.accel, "-machine", ",".join(options), *_write_cpu(scenario)]
    argv += [] if scenario.display else ["-nodefaults"]
    argv += ["-m", ",".join(memory)]
    if scenario.incoming:
        argv += ["-incoming", "defer"]
    owners = {one.memdev for one in scenario.devices if not isinstance(one, VhostDevice)}
    for backend in scenario.backends:
        if backend.id not in owners:
            argv += ["-object", _write_backend(backend)]
    for device in scenario.devices:
        if isinstance(device, VhostDevice):
            argv += _write_vhost(device)
            continue
        owned = scenario.backend(device.memdev) if device.memdev else None
        if owned:
            argv += ["-object", _write_backend(owned)]
        argv += ["-device", _write_device(device, rules.unknown_properties if rules else ())]
    return argv


def _write_cpu(scenario: Scenario) -> list[str]:
    if scenario.phys_bits is None and scenario.cpu_vendor is None:
        return []
    vendor = {"intel": ",vendor=GenuineIntel", "amd": ",vendor=AuthenticAMD", None: ""}[scenario.cpu_vendor]
    if scenario.phys_bits is None:
        return ["-cpu", f"max{vendor}"]
    return ["-cpu", f"qemu64{vendor},phys-bits={scenario.phys_bits}"]


def _write_backend(backend: MemoryBackend) -> str:
    parts = [f"memory-backend-{backend.kind}", f"id={backend.id}", f"size={_qemu_size(backend.size)}"]
    if backend.mem_path:
        parts.append(f"mem-path={backend.mem_path.replace(',', ',,')}")
    elif backend.page_size != 4 * KiB:
        parts += ["hugetlb=on", f"hugetlbsize={_qemu_size(backend.page_size)}"]
    if backend.share != (backend.kind == "memfd"):
        parts.append(f"share={'on' if backend.share else 'off'}")
    if not backend.reserve:
        parts.append("reserve=off")
    if backend.prealloc:
        parts.append("prealloc=on")
    return ",".join(parts)


def _write_vhost(device: VhostDevice) -> list[str]:
    name = device.id or "vhost"
    if device.driver.startswith("netdev "):
        kind = device.driver.removeprefix("netdev ")
        return ["-netdev", f"{kind},id={name},vhost=on" if kind == "tap" else f"{kind},id={name},chardev={name}-chr"]
    if device.kernel:
        return ["-device", f"{device.driver},id={name}"]
    tag = f",tag={name}" if device.driver.startswith("vhost-user-fs") else ""
    socket = f"socket,id={name}-chr,path=/tmp/{name}.sock"
    return ["-chardev", socket, "-device", f"{device.driver},id={name},chardev={name}-chr{tag}"]


def _write_device(device: VirtioMem | Dimm | Pmem, unknown: Container[str]) -> str:
    driver = {"virtio-mem": "virtio-mem-pci", "dimm": "pc-dimm", "virtio-pmem": "virtio-pmem-pci"}[device.type]
    parts = [driver]
    parts += [f"id={device.id}"] if device.id is not None else []
    parts += [f"memdev={device.memdev}"] if device.memdev is not None else []
    if isinstance(device, VirtioMem):
        parts += [f"requested-size={_qemu_size(device.requested_size)}"]
        parts += [f"block-size={_qemu_size(device.block_size)}"] if device.block_size else []
        for key, value in (("max-memslots", device.max_memslots), ("memslots", device.memslots)):
            parts += [f"{key}={value}"] if value is not None else []
        if device.dynamic_memslots is not None:
            parts.append(f"dynamic-memslots={'on' if device.dynamic_memslots else 'off'}")
        if device.unplugged_inaccessible:
            parts.append(f"unplugged-inaccessible={device.unplugged_inaccessible}")
        parts += ["prealloc=on"] if device.prealloc else []
        parts += [f"node={device.node}"] if device.node else []
    address = device.addr if isinstance(device, Dimm) else device.memaddr
    parts += [f"{'addr' if isinstance(device, Dimm) else 'memaddr'}={address:#x}"] if address else []
    if isinstance(device, Dimm):
        parts += [f"slot={device.slot}"] if device.slot != -1 else []
        parts += [f"node={device.node}"] if device.node else []
    return ",".join(part for part in parts if part.partition("=")[0] not in unknown)
