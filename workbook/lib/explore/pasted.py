"""A pasted text as a scenario: a command line, XML, a manifest or commands, or what was saved of a scenario before."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from workbook.lib.actions import Action
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.host import Host
from workbook.lib.machine.from_text import read_text
from workbook.lib.notes import Note
from workbook.lib.qemu_args.monitor import read_monitor_line
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import Scenario
from workbook.lib.text_forms import Command

__all__ = ("Pasted", "read_pasted")


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a text was taken for.

    Attributes
    ----------
    scenario
        The VM; commands for a running VM are its actions.
    read_as
        The form of the text, in words.
    notes
        What was assumed, passed over or not modelled.
    failure
        Why QEMU does not start, where reading the text shows it; `scenario` is what QEMU has made until then.
    """

    scenario: Scenario
    read_as: str
    notes: tuple[Note, ...] = ()
    failure: Refusal | BadInput | None = None


def read_pasted(text: str, *, rules: str | RuleSet | None = None, host: Host | None = None) -> Pasted:
    """Read whatever `Machine.from_text` reads, or the text of a saved scenario.

    Raises
    ------
    BadInput
        Nothing that is known, or it cannot be read.
    Refusal
        QEMU or libvirt would refuse it before there is a board.
    """
    saved = _saved(text)
    if saved is not None:
        return Pasted(saved, "a saved scenario")
    found = read_text(text, rules=rules, host=host, vhost_slots={}, files=None)
    actions, notes = _actions(found.commands)
    scenario = replace(found.line.scenario, rules=found.rules.name)
    scenario = replace(scenario, actions=(*scenario.actions, *actions))
    return Pasted(scenario, found.read_as, (*found.line.notes, *notes), found.line.failure)


def _saved(text: str) -> Scenario | None:
    """Return the scenario whose text it is; None for any other text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return Scenario.from_json(text)
    except BadInput:
        return None


def _actions(commands: Iterable[Command]) -> tuple[tuple[Action, ...], tuple[Note, ...]]:
    """Return commands of a monitor as actions, and a note for each that plugs nothing."""
    actions, notes = [], []
    for one in commands:
        if one.name not in {"object-add", "device_add", "device_del"}:
            notes.append(Note("passed over", "a command that makes no memory device", one.name))
            continue
        given = one.arguments.get("text")
        line = json.dumps({"execute": one.name, "arguments": dict(one.arguments)})
        actions.append(read_monitor_line(f"{one.name.replace('-', '_')} {given}" if isinstance(given, str) else line))
    return tuple(actions), tuple(notes)
