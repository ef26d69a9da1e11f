"""Timeline: a scenario action by action, each with what it changed."""

from dataclasses import dataclass, replace
from functools import cached_property

from workbook.lib import actions
from workbook.lib.actions import Action, device_of
from workbook.lib.errors import Abort, ReasonStep, Refusal, WorkbookError
from workbook.lib.machine.machine import Machine
from workbook.lib.machine.snapshot import Layout
from workbook.lib.memory.flatview import Change, ChangeKind
from workbook.lib.rules import get
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size

__all__ = ("Problem", "Step", "timeline", "title_of")


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
    who
        Who refuses: QEMU, libvirt, or another monitor.
    """

    message: str
    advice: str
    by_qemu: bool
    reason: tuple[ReasonStep, ...] = ()
    who: str = "QEMU"

    @classmethod
    def of(cls, error: WorkbookError) -> "Problem":
        """Take what an error has to say."""
        if isinstance(error, Refusal):
            return cls(error.message, error.advice, by_qemu=True, reason=error.reason, who=error.who)
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
        """Callbacks of memory listeners, without ``region_nop``."""
        found = self.before.changes(self.layout) if self.before else ()
        return tuple(one for one in found if one.kind is not ChangeKind.NOP)

    @property
    def title(self) -> str:
        """The action in words."""
        return "start" if self.action is None else title_of(self.action)

    @property
    def added(self) -> int:
        """Bytes that listeners saw appear."""
        return sum(one.range.size for one in self.changes if one.kind is ChangeKind.ADD)

    @property
    def deleted(self) -> int:
        """Bytes that listeners saw vanish."""
        return sum(one.range.size for one in self.changes if one.kind is ChangeKind.DEL)


def title_of(action: Action) -> str:
    """Return an action in a few words."""
    name = device_of(action)
    return f"{name}: {_what(action)}" if name else _what(action)


def _what(action: Action) -> str:
    match action:
        case actions.RequestSize(size=size):
            return f"request {format_size(size)}" if size >= 0 else f"request {size}"
        case actions.Plug(size=size):
            return f"guest plugs {format_size(size)}"
        case actions.Unplug(size=size):
            return f"guest unplugs {format_size(size)}"
        case actions.State(size=size):
            return f"state {format_size(size)}"
        case actions.UnplugAll():
            return "guest unplugs all"
        case actions.Settle():
            return "guest follows"
        case actions.Reset():
            return "reboot"
        case actions.DeviceReset():
            return "guest resets the device"
        case actions.DriverStart(unplugged_inaccessible=accepted):
            return f"guest driver starts, UNPLUGGED_INACCESSIBLE {'accepted' if accepted else 'not accepted'}"
        case actions.VhostStart():
            return "guest starts the device"
        case actions.RawRequest():
            return f"guest request of type {action.type}"
        case actions.DeviceAdd(driver=driver, id=new):
            return f"device_add {driver}" + (f",id={new}" if new else "")
        case actions.QomSet():
            return f"qom-set {action.property}"
        case actions.Migrate():
            return "migration starts"
        case actions.MigrateCancel():
            return "migration cancelled"
        case actions.MigrateIncoming():
            return "state of the source arrives"
    return action.op


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
