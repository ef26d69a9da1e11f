"""Outcome: everything there is to show about a scenario, or QEMU's refusal of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .cmdline import write_argv
from .errors import Refusal, WorkbookError
from .layout import Layout
from .machine import Machine
from .overhead import KvmCost, KvmHost
from .rules import RULE_SETS, get
from .rules.base import RuleSet
from .scenario import Scenario
from .settings import SETTINGS
from .size import format_size

__all__ = ("Outcome", "Problem", "kvm_host", "vary")


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
    """

    message: str
    advice: str
    by_qemu: bool

    @classmethod
    def of(cls, error: WorkbookError) -> "Problem":
        """Take what an error has to say."""
        if isinstance(error, Refusal):
            return cls(error.message, error.advice, by_qemu=True)
        return cls(str(error), "", by_qemu=False)


def kvm_host(scenario: Scenario) -> KvmHost:
    """Return the host whose memslot metadata the scenario pays for."""
    return KvmHost(tdp_mmu=scenario.tdp_mmu, smm=scenario.smm, nested=scenario.nested)


@dataclass(frozen=True)
class Outcome:
    """A scenario played to its end under a rule set.

    Attributes
    ----------
    layout
        What the machine looks like; None where QEMU would not start.
    problem
        The refusal that ended it; None where all went well. With a layout, an action was refused.
    info_mtree, info_mtree_flat
        QEMU's texts; empty without a layout.
    """

    scenario: Scenario
    rules: str
    layout: Layout | None
    problem: Problem | None = None
    info_mtree: str = ""
    info_mtree_flat: str = ""

    @classmethod
    def of(cls, scenario: Scenario, rules: RuleSet | str | None = None) -> "Outcome":
        """Play `scenario`; never raises for what QEMU would refuse."""
        chosen = get(rules if rules is not None else scenario.rules)
        problem, machine = None, None
        try:
            machine = Machine(replace(scenario, actions=()), chosen)
            for action in scenario.actions:
                machine.act(action)
        except WorkbookError as error:
            problem = Problem.of(error)
        if machine is None:
            return cls(scenario, chosen.name, None, problem)
        return cls(
            scenario,
            chosen.name,
            machine.picture,
            problem,
            machine.info_mtree(),
            machine.info_mtree(flat=True),
        )

    @classmethod
    def refused(cls, problem: Problem, rules: str) -> "Outcome":
        """Return the outcome of something that never became a scenario."""
        return cls(Scenario(rules=rules), rules, None, problem)

    @cached_property
    def cost(self) -> KvmCost:
        """KVM's metadata for the memslots that are mapped now."""
        sizes = self.layout.memslot_sizes if self.layout and self.scenario.accel == "kvm" else ()
        return kvm_host(self.scenario).metadata(sizes)

    @cached_property
    def single(self) -> "Outcome":
        """The same scenario with one memslot for the whole device."""
        return Outcome.of(self.scenario, "single")

    @property
    def command_line(self) -> list[str]:
        """The QEMU command line that makes the VM."""
        return write_argv(self.scenario, RULE_SETS.get(self.rules))

    @property
    def used(self) -> int:
        """Memslots that memory devices have mapped."""
        return sum(one.used for one in self.layout.devices) if self.layout else 0

    @property
    def promised(self) -> int:
        """Memslots that memory devices may map."""
        return sum(one.decision.count for one in self.layout.devices) if self.layout else 0

    def summary(self) -> str:
        """Return one stable line with the numbers."""
        if self.layout is None or (self.problem and not self.layout.devices):
            return f"rules={self.rules}, refused: {self.problem.message if self.problem else ''}"
        sizes = {format_size(one.decision.memslot_size) for one in self.layout.devices if one.type == "virtio-mem"}
        plugged = sum(one.plugged_size for one in self.layout.devices)
        text = (
            f"rules={self.rules}, memslots={self.used}/{self.promised} of {' and '.join(sorted(sizes)) or 'none'}, "
            f"plugged={format_size(plugged)}, metadata={format_size(self.cost.total, digits=1)}"
        )
        return text + (f", refused: {self.problem.message}" if self.problem else "")


def vary(
    scenario: Scenario, setting: str, values: Iterable[Any], rules: RuleSet | str | None = None
) -> tuple[Outcome, ...]:
    """Play a scenario once for every value of one setting.

    Parameters
    ----------
    setting
        Name in `workbook.lib.settings.SETTINGS`.
    """
    return tuple(Outcome.of(SETTINGS[setting].put(scenario, value, None), rules) for value in values)
