"""What if: actions tried on a copy of a machine, and the smallest change of them that QEMU would accept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

from workbook.lib.actions import Action, DeviceAdd, ObjectAdd, QomSet, RequestSize
from workbook.lib.errors import ReasonStep, Refusal
from workbook.lib.json_codec import JsonObject
from workbook.lib.qemu_args.monitor import read_monitor_line
from workbook.lib.size import MiB, format_size, round_down

from .snapshot import Layout

__all__ = ("Playable", "WhatIfReport", "actions_of", "report", "try_on")

_LIMITS: Final = (8, 16, 32, 64, 128, 256, 509, 512)
"""Memslot limits that back ends have."""
_STEP: Final = 2 * MiB


class Playable(Protocol):
    """A machine, as far as it is tried out."""

    @property
    def picture(self) -> Layout:
        """What it looks like."""

    def act(self, action: Action) -> object:
        """Play an action."""

    def copy(self) -> Self:
        """Return an independent copy."""


@dataclass(frozen=True)
class WhatIfReport:
    """The effect of actions that are not performed.

    Attributes
    ----------
    before, after
        What the machine looks like, and what it would look like; after a refusal, as far as it went.
    refusal
        QEMU's refusal, or its death (`Abort`); None where all is done.
    action
        The action that is refused.
    answers
        What the device answers to each action, None where there is no answer.
    helps
        The smallest changes of the actions that were tried and found to be accepted, in words.
    """

    before: Layout
    after: Layout
    refusal: Refusal | None = None
    action: Action | None = None
    answers: tuple[object, ...] = ()
    helps: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[ReasonStep, ...]:
        """The numbers that lead to the refusal, in order; empty where there are none."""
        return tuple(self.refusal.reason) if self.refusal else ()

    def __str__(self) -> str:
        """Return it in lines."""
        used = [sum(one.used for one in layout.devices) for layout in (self.before, self.after)]
        lines = [f"refused: {self.refusal.message}" if self.refusal else "accepted"]
        lines.append(f"memslots of memory devices: {used[0]} before, {used[1]} after")
        lines += [f"{step.name}: {step.value}" for step in self.numbers]
        if self.refusal and self.refusal.advice:
            lines.append(self.refusal.advice)
        return "\n".join([*lines, *self.helps])


def actions_of(lines: Sequence[str | Action]) -> tuple[Action, ...]:
    """Read lines of the monitor; what is an action already stays."""
    return tuple(read_monitor_line(one) if isinstance(one, str) else one for one in lines)


def try_on(machine: Playable, actions: Sequence[Action]) -> tuple[Playable, Refusal | None, tuple[object, ...]]:
    """Play actions on a copy up to the first that is refused; return the copy, the refusal and the answers.

    Raises
    ------
    BadInput
        An action names what is not there.
    """
    tried = machine.copy()
    answers: list[object] = []
    for action in actions:
        try:
            answers.append(tried.act(action))
        except Refusal as refusal:
            return tried, refusal, tuple(answers)
    return tried, None, tuple(answers)


def report(machine: Playable, lines: Sequence[str | Action]) -> WhatIfReport:
    """Try actions on a copy and report; see `WhatIfReport`.

    Raises
    ------
    BadInput
        A line that cannot be read, or names what is not there.
    """
    actions = actions_of(lines)
    tried, refusal, answers = try_on(machine, actions)
    if refusal is None:
        return WhatIfReport(machine.picture, tried.picture, answers=answers)
    at = len(answers)
    return WhatIfReport(
        machine.picture, tried.picture, refusal, actions[at], answers, tuple(_helps(machine, actions, at))
    )


def _helps(machine: Playable, actions: Sequence[Action], at: int) -> Iterator[str]:
    """Yield the smallest change of each kind after which nothing is refused."""
    for words, changed in _larger_limits(actions, at):
        if try_on(machine, changed)[1] is None:
            yield words
            break
    fits = _largest(machine, actions, at)
    if fits:
        yield fits


def _larger_limits(actions: Sequence[Action], at: int) -> Iterator[tuple[str, list[Action]]]:
    action = actions[at]
    if not isinstance(action, DeviceAdd) or not action.is_vhost_user:
        return
    for limit in _LIMITS:
        if limit > (action.vhost_slots or 0):
            changed = replace(action, vhost_slots=limit)
            yield f"a back end with {limit} memslots is accepted", [*actions[:at], changed, *actions[at + 1 :]]


def _largest(machine: Playable, actions: Sequence[Action], at: int) -> str | None:
    """Return the largest size that is accepted in place of the one that is refused; by halves."""
    for index, size in enumerate(map(_size_of, actions)):
        if index > at or not size or not _concerns(actions[index], actions[at]):
            continue
        low, high = 0, size // _STEP
        while low < high:
            middle = (low + high + 1) // 2
            changed = [*actions[:index], _with_size(actions[index], middle * _STEP), *actions[index + 1 :]]
            if try_on(machine, changed)[1] is None:
                low = middle
            else:
                high = middle - 1
        if low:
            return f"at most {format_size(round_down(low * _STEP, _STEP))} is accepted instead of {format_size(size)}"
    return None


def _concerns(action: Action, refused: Action) -> bool:
    """Whether a size is what the refused action is about: its own, or that of the memory it plugs."""
    if action is refused:
        return True
    if isinstance(action, ObjectAdd) and isinstance(refused, DeviceAdd):
        return action.object.get("id") == refused.props.get("memdev")
    return False


def _size_of(action: Action) -> int | None:
    match action:
        case RequestSize(size=size):
            return size
        case QomSet(property="requested-size", value=int(size)):
            return size
        case ObjectAdd(object=memory) | DeviceAdd(object=JsonObject() as memory):
            given = memory.get("size")
            return given if isinstance(given, int) else None
    return None


def _with_size(action: Action, size: int) -> Action:
    match action:
        case RequestSize():
            return replace(action, size=size)
        case QomSet():
            return replace(action, value=size)
        case ObjectAdd(object=memory):
            return replace(action, object=JsonObject({**memory, "size": size}))
        case DeviceAdd(object=JsonObject() as memory):
            return replace(action, object=JsonObject({**memory, "size": size}))
    return action
