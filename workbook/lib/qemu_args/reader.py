"""QEMU command lines: read one into a `Scenario`, check by check in QEMU's order.

Options are parsed (`parsed_options`), the board is set up (`board_setup`), and devices are made on it
(`device_creation`), as ``qemu_init`` does (system/vl.c, 10.0); what each option means is in the module of its topic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from workbook.lib.boards.board import board_layout
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.host import Host
from workbook.lib.notes import Note
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario

from .board_setup import BoardSetup
from .device_creation import DeviceCreation
from .devices import device_from_properties
from .objects import backend_from_object
from .options import split_options
from .other_machines import OTHER_PROGRAMS, read_other_machine
from .parsed_options import ParsedOptions
from .shell import program_of
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
    complete: bool = True,
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
    complete
        Whether the line has all devices at their PCI addresses, so that QEMU's words about those can be foreseen.

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
    parsed = ParsedOptions("kvm" if program in ("kvm", "qemu-kvm") else default_accel, files or {})
    for option, value in options:
        parsed.take(option, value)
    setup = BoardSetup(parsed, rules, host, target)
    creation = DeviceCreation(parsed, rules, vhost_slots or {}, complete)
    board = setup.board()
    display = creation.default_display()
    scenario, failure = creation.with_devices(setup.scenario(board), board, display)
    return CommandLine(scenario, failure, tuple(parsed.notes), tuple(parsed.warnings))


def _target(program: str | None) -> str:
    if program is None or program in _PROGRAMS:
        return _PROGRAMS.get(program or "", "x86_64")
    if program.startswith("qemu-system-"):
        raise BadInput(f"program {program!r:.60} is not modelled: known are {', '.join(_PROGRAMS)}")
    return "x86_64"
