"""A machine from pasted text: which reader takes it, under which rules, and what is said about that."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.host import Host
from workbook.lib.kubevirt import domain_of, virtual_machines
from workbook.lib.kubevirt.domain import RULES as KUBEVIRT_RULES
from workbook.lib.libvirt import read_domain_line
from workbook.lib.notes import Note
from workbook.lib.qemu_args import CommandLine, backend_from_object, read_command_line
from workbook.lib.qemu_args.machine_option import read_board
from workbook.lib.qemu_args.options import split_options
from workbook.lib.qemu_args.properties import Dialect, Properties
from workbook.lib.qemu_args.syntax import split_keyval, split_opts
from workbook.lib.rules import NEWEST, QEMU_RELEASES, RuleSet, get
from workbook.lib.scenario import MemoryBackend
from workbook.lib.text_forms import Command, TextForm, recognise

__all__ = ("PastedVm", "play_commands", "read_text")

_BARE_VM = "-machine q35 -accel kvm -cpu qemu64,host-phys-bits=on -nodefaults -m 4G,slots=16,maxmem=1028G"
"""The VM on which monitor commands are played if none is given with them."""


@dataclass(frozen=True, slots=True)
class PastedVm:
    """What a text describes: the VM, the rules it was read under, in which form it came, and commands to play on it."""

    line: CommandLine
    rules: RuleSet
    read_as: str
    commands: tuple[Command, ...] = ()


class Pluggable(Protocol):
    """A machine that commands are played on."""

    def object_add(self, backend: MemoryBackend) -> None:
        """Make a memory backend."""

    @property
    def device_add(self) -> Callable[..., None]:
        """Hot-plug a device."""

    def device_del(self, name: str) -> None:
        """Remove a device."""


def read_text(
    text: str,
    *,
    rules: str | RuleSet | None,
    host: Host | None,
    vhost_slots: Mapping[str, int | None],
    files: Mapping[str, str] | None,
) -> PastedVm:
    """Recognise a text and read it.

    Raises
    ------
    BadInput
        Nothing that is known, or it cannot be read.
    Refusal
        QEMU or libvirt would refuse it.
    """
    form = recognise(text)
    notes = [Note("passed over", one) for one in form.ignored]
    if form.xml is not None:
        found = get(rules if rules is not None else NEWEST)
        line = read_domain_line(form.xml, rules=found, vhost_slots=vhost_slots, host=host)
    elif form.manifest is not None:
        found = get(rules if rules is not None else KUBEVIRT_RULES)
        xml = _kubevirt_domain(form.manifest, notes)
        line = read_domain_line(xml, rules=found, vhost_slots=vhost_slots, host=host)
    else:
        argv, more = _argv_of(form, files)
        if form.commands:
            notes.append(Note("assumed", f"no VM is given with the commands: {_BARE_VM}"))
        found = get(rules) if rules is not None else _implied_rules(argv, notes)
        line = read_command_line(argv, rules=found, vhost_slots=vhost_slots, host=host, files=more)
    return PastedVm(replace(line, notes=(*notes, *line.notes)), found, form.read_as, form.commands)


def _argv_of(form: TextForm, files: Mapping[str, str] | None) -> tuple[str | Sequence[str], Mapping[str, str] | None]:
    """Return the command line of a form that has one or stands beside one."""
    if form.config is not None:
        return ["-readconfig", "the pasted text"], {**(files or {}), "the pasted text": form.config}
    if form.commands:
        return _BARE_VM, files
    assert form.argv is not None
    return form.argv, files


def _kubevirt_domain(manifest: object, notes: list[Note]) -> str:
    machines = [
        one
        for document in (manifest if isinstance(manifest, list) else [manifest])
        for one in virtual_machines(document)
    ]
    if not machines:
        raise BadInput("the text has no VirtualMachine or VirtualMachineInstance: give the object that kubectl prints")
    notes += [Note("passed over", f"another VM: {name}") for name, _ in machines[1:]]
    return domain_of(machines[0][1], notes=notes)


def _implied_rules(argv: str | Sequence[str], notes: list[Note]) -> RuleSet:
    """Return the rules of the newest QEMU, or of the one that the machine type's distribution ships.

    A machine type that the newest QEMU has removed is read under the newest QEMU that has it.
    """
    rules = get(NEWEST)
    try:
        board = read_board(_machine_name(argv), None)
    except (BadInput, Refusal):
        return rules  # the reader says it again, in place
    if board.version is not None:
        downstream = "Ubuntu" in board.assumed or "RHEL" in board.assumed
        wanted = f"qemu-{board.version[0]}.{board.version[1]}"
        if downstream and wanted in QEMU_RELEASES:
            rules = get(wanted)
        elif not rules.qemu.has_machine(board.chipset, board.version):
            having = (get(name) for name in reversed(QEMU_RELEASES))
            rules = next((one for one in having if one.qemu.has_machine(board.chipset, board.version)), rules)
    notes.append(Note("assumed", f"read as {rules.name} reads it: the text does not say which QEMU it is"))
    return rules


def _machine_name(argv: str | Sequence[str]) -> str | None:
    name = None
    try:
        for option, value in split_options(argv)[1]:
            if option in ("machine", "M"):
                name = split_keyval(value, "type", option=option).get("type", name)
    except Refusal:
        return name
    return name


def play_commands(machine: Pluggable, commands: Iterable[Command]) -> tuple[Note, ...]:
    """Play commands of a monitor on a machine, and return notes of those that change nothing in it.

    Raises
    ------
    BadInput, Refusal
        As `Machine.device_add`.
    """
    notes = []
    for command in commands:
        arguments = dict(command.arguments)
        match command.name:
            case "object-add":
                machine.object_add(backend_from_object(_object(arguments)))
            case "device_add":
                machine.device_add(**_device(arguments))
            case "device_del":
                machine.device_del(str(arguments.get("id", arguments.get("text", ""))))
            case _:
                notes.append(Note("passed over", "a command that makes no memory device", command.name))
    return tuple(notes)


def _object(arguments: Mapping[str, object]) -> Mapping[str, object]:
    text = arguments.get("text")
    if not isinstance(text, str):
        return arguments
    return Properties.parse("object", text, "qom-type", Dialect.OBJECT).values


def _device(arguments: Mapping[str, object]) -> dict[str, object]:
    text = arguments.get("text")
    values = dict(split_opts(text, "driver", option="device_add")[0]) if isinstance(text, str) else dict(arguments)
    driver, name = values.pop("driver", None), values.pop("id", None)
    if not isinstance(driver, str):
        raise BadInput("device_add lacks its driver")
    return {"driver": driver, "id": name if isinstance(name, str) else None, "props": values}
