"""The options of a command line, collected one by one, with the checks that QEMU makes while it parses them.

Source: the first and second pass over argv in ``qemu_init`` (system/vl.c, QEMU 10.0).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.notes import Note

from .accelerator import AcceleratorOptions
from .catalogue import REMOVED_OPTIONS
from .config_file import config_sections
from .firmware import Firmware
from .memory import MemoryOption
from .objects import check_object
from .options import UNMODELLED_OPTIONS
from .properties import Dialect, Properties
from .proxmox import CONFIG_FILES, PROXMOX_OPTIONS
from .syntax import split_keyval, split_opts

__all__ = ("ParsedOptions", "placed")


@dataclass
class ParsedOptions:
    """The options of a line, as `take` found them; `board_setup` looks at them in QEMU's order."""

    default_accel: Literal["kvm", "tcg"]
    files: Mapping[str, str] = field(default_factory=dict)
    memory: MemoryOption = field(default_factory=MemoryOption)
    machine: dict[str, str] = field(default_factory=dict)
    cpu: str | None = None
    accelerators: AcceleratorOptions = field(init=False)
    firmware: Firmware = field(default_factory=Firmware)
    objects: list[Properties] = field(default_factory=list)
    devices: list[Properties] = field(default_factory=list)
    netdevs: list[Properties] = field(default_factory=list)
    drives: list[Properties] = field(default_factory=list)
    chardevs: list[Properties] = field(default_factory=list)
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

    def take(self, option: str, value: str) -> None:  # noqa: PLR0915 - one switch over all options
        """Take one option, with the checks that QEMU makes at once."""
        match option:
            case "":
                self.note("passed over", "a disk image", value)
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
                self.note("assumed", "QEMU before 9.0 only: read as -machine acpi=off", "-no-acpi")
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
            case "bios" | "pflash":
                self.firmware.take(option, value)
            case "drive":
                self.firmware.take(option, value)
                self.drives.append(Properties(split_opts(value, "", option=option)[0]))
            case "blockdev":
                self.drives += _named(value, "driver")
            case "chardev":
                self.chardevs += _named(value, "backend")
            case "option-rom":
                self.option_roms.append(split_opts(value, "romfile")[0].get("romfile", ""))
            case "mem-path":
                self.mem_path = value
            case "nodefaults" | "incoming" | "mem-prealloc":
                self.flags.add(option)
            case "h" | "help" | "version":
                raise BadInput(f"-{option} asks QEMU for help and starts no VM: leave it out")
            case _ if option in UNMODELLED_OPTIONS:
                self.note("not modelled", UNMODELLED_OPTIONS[option], f"-{option} {value}".strip())
            case _ if option in PROXMOX_OPTIONS:
                self.note("passed over", "an option of Proxmox' QEMU, which upstream refuses as invalid", f"-{option}")
            case _ if option in REMOVED_OPTIONS:
                self.note("passed over", "an option of older QEMUs, which 10.0 refuses as invalid", f"-{option}")

    def note(self, kind: Literal["assumed", "passed over", "not modelled", "hint"], text: str, where: str = "") -> None:
        """Add a note for the user."""
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
                case "drive":
                    self.drives.append(Properties(given))
                case "chardev":
                    self.chardevs.append(Properties(given))
                case "numa":
                    pairs = tuple(values.items())
                    self.numa.append(Properties(given, Dialect.OBJECT, where=where, repeated=pairs))
                case "accel":
                    self.accelerators.given.append(Properties(given, Dialect.CPU, where=where))
                case "global":
                    self.globals.append((values.get("driver", ""), values.get("property", ""), values.get("value", "")))
                case _:
                    self.note("passed over", f"group {group} of a configuration file", where)

    def _take_set(self, value: str) -> None:
        """Take one ``-set GROUP.ID.KEY=VALUE``: it changes an option that came before."""
        head, equals, text = value.partition("=")
        parts = head.split(".", 2)
        where = f"-set {value}"
        if not equals or len(parts) < 3 or not all(parts):
            raise placed(Refusal(f'can\'t parse: "{value}"', "write -set group.id.key=value"), where)
        group, name, key = parts
        if group in ("object", "audiodev", "machine", "smp-opts", "boot-opts"):
            raise placed(Refusal(f"-set is not supported with {group}", f"change the -{group} itself"), where)
        if group == "memory":
            raise placed(Refusal(f'there is no memory "{name}" defined', "-m has no id"), where)
        found = self.devices if group == "device" else self.netdevs if group == "netdev" else None
        if found is None:
            self.note("passed over", f"-set of a {group}", where)
            return
        for index, props in enumerate(found):
            if props.values.get("id") == name and props.dialect is not Dialect.JSON:
                values = {**props.values, key: text}
                found[index] = Properties(values, props.dialect, where=props.where, warnings=props.warnings)
                return
        raise placed(Refusal(f'there is no {group} "{name}" defined', f"name the id of a -{group}"), where)


def placed(refusal: Refusal, where: str) -> Refusal:
    """Return a refusal with the option that it is about."""
    refusal.where = where
    return refusal


def _named(value: str, first: str) -> list[Properties]:
    """Return what defines a name that devices may use; nothing where it is not JSON: QEMU says more of that."""
    if value.startswith("{"):
        try:
            return [Properties(json.loads(value))]
        except (ValueError, RecursionError):
            return []
    return [Properties(split_opts(value, first)[0])]
