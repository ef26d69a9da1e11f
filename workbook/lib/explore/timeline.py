"""Timeline: a scenario action by action, each with what it changed."""

from dataclasses import dataclass, replace
from functools import cached_property

from workbook.lib.errors import Abort, Refusal, WorkbookError
from workbook.lib.machine.machine import Machine
from workbook.lib.machine.snapshot import Layout
from workbook.lib.memory.flatview import Change, ChangeKind
from workbook.lib.rules import get
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Action, Scenario
from workbook.lib.size import format_size
from workbook.lib.trace import TraceStep

__all__ = ("Problem", "Step", "timeline")

_WORDS = {
    "settle": "guest follows",
    "plug": "guest plugs",
    "unplug": "guest unplugs",
    "unplug_all": "guest unplugs all",
    "reset": "reboot",
    "vhost_start": "guest starts the device",
    "device_del": "device_del",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is nothing, or not all, to show.

    Attributes
    ----------
    message
        QEMU's words, or one clear line about the input.
    advice
        What to do; may be empty.
    by_qemu
        Whether QEMU would say so.
    reason
        The numbers that lead there, in order; the last one is too large. Empty where there are none.
    """

    message: str
    advice: str
    by_qemu: bool
    reason: tuple[TraceStep, ...] = ()

    @classmethod
    def of(cls, error: WorkbookError) -> "Problem":
        """Take what an error has to say."""
        if isinstance(error, Refusal):
            return cls(error.message, error.advice, by_qemu=True, reason=error.reason)
        return cls(str(error), "", by_qemu=False)


@dataclass(frozen=True, eq=False)
class Step:
    """One moment of a timeline.

    Attributes
    ----------
    action
        What happened; None for the start.
    layout
        What the machine looks like afterwards.
    before
        What it looked like before; None for the start.
    problem
        QEMU's refusal of the action; None where it was done.
    """

    action: Action | None
    layout: Layout
    before: Layout | None = None
    problem: Problem | None = None

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What memory listeners were told, ``region_nop`` left out."""
        found = self.before.changes(self.layout) if self.before else ()
        return tuple(one for one in found if one.kind is not ChangeKind.NOP)

    @property
    def title(self) -> str:
        """The action in words."""
        if self.action is None:
            return "start"
        who = f"{self.action.dev}: " if self.action.dev else ""
        if self.action.op == "request_size":
            return f"{who}request {format_size(self.action.size)}"
        what = _WORDS.get(self.action.op, self.action.op)
        return f"{who}{what}" + (f" {format_size(self.action.size)}" if self.action.size else "")

    @property
    def added(self) -> int:
        """Bytes that listeners saw appear."""
        return sum(one.range.size for one in self.changes if one.kind is ChangeKind.ADD)

    @property
    def deleted(self) -> int:
        """Bytes that listeners saw vanish."""
        return sum(one.range.size for one in self.changes if one.kind is ChangeKind.DEL)


def timeline(scenario: Scenario, rules: RuleSet | str | None = None) -> tuple[Step, ...]:
    """Play a scenario action by action.

    An action that QEMU refuses changes nothing and has its refusal as `Step.problem`; an abort ends the timeline.

    Raises
    ------
    Refusal, BadInput
        QEMU would not start.
    """
    machine = Machine(replace(scenario, actions=()), get(rules if rules is not None else scenario.rules))
    steps = [Step(None, machine.picture)]
    for action in scenario.actions:
        problem, aborted = None, False
        try:
            machine.act(action)
        except WorkbookError as error:
            problem, aborted = Problem.of(error), isinstance(error, Abort)
        steps.append(Step(action, machine.picture, steps[-1].layout, problem))
        if aborted:
            break
    return tuple(steps)
