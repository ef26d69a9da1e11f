"""Outcome: everything there is to show about a scenario, or QEMU's refusal of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from workbook.lib.cost.kvm import KvmCost, KvmHost
from workbook.lib.errors import WorkbookError
from workbook.lib.libvirt.writer import write_domain
from workbook.lib.machine.snapshot import Layout
from workbook.lib.qemu_args.reader import write_argv
from workbook.lib.rules import RuleSet, get
from workbook.lib.rules.monitors import Monitor
from workbook.lib.scenario import Scenario, VhostDevice, VirtioMem
from workbook.lib.size import format_size, shown_size

from .hosts import kvm_host
from .scenario_edits import is_migrating, reported_memslots
from .settings import SETTINGS, SettingValue
from .timeline import Problem, Step, timeline

__all__ = ("Outcome", "Problem", "kvm_host", "vary")


@dataclass(frozen=True)
class Outcome:
    """A scenario played to its end under a rule set.

    Attributes
    ----------
    rules
        The rule set that decided.
    steps
        The start and every action; empty where QEMU would not start.
    refusal
        Why it would not start.
    """

    scenario: Scenario
    rules: RuleSet
    steps: tuple[Step, ...] = ()
    refusal: Problem | None = None

    @classmethod
    def of(cls, scenario: Scenario, rules: RuleSet | str | None = None) -> "Outcome":
        """Play `scenario`; never raises for what QEMU would refuse."""
        chosen = get(rules if rules is not None else scenario.rules)
        try:
            return cls(scenario, chosen, timeline(scenario, chosen))
        except WorkbookError as error:
            return cls(scenario, chosen, refusal=Problem.of(error))

    @classmethod
    def refused(cls, problem: Problem, rules: RuleSet | str) -> "Outcome":
        """Return the outcome of something that never became a scenario."""
        chosen = get(rules)
        return cls(Scenario(rules=chosen.name), chosen, refusal=problem)

    def after(self, actions: int) -> "Outcome":
        """Return the outcome after so many actions; nothing is played again."""
        scenario = replace(self.scenario, actions=self.scenario.actions[:actions])
        return replace(self, scenario=scenario, steps=self.steps[: actions + 1])

    @property
    def layout(self) -> Layout | None:
        """Snapshot of the machine at the end; None if QEMU would not start."""
        return self.steps[-1].layout if self.steps else None

    @property
    def problem(self) -> Problem | None:
        """The refusal of the start, or of the last action that was refused; None where all went well."""
        refused = (one.problem for one in reversed(self.steps) if one.problem)
        return self.refusal or next(refused, None)

    @property
    def info_mtree(self) -> str:
        """QEMU's text for the device memory; empty if there is none."""
        return self.layout.info_mtree() if self.layout else ""

    @property
    def info_mtree_flat(self) -> str:
        """QEMU's text for the flat view of the device memory."""
        return self.layout.info_mtree(flat=True) if self.layout else ""

    @property
    def migrating(self) -> bool:
        """Whether an outgoing migration is going on: KVM then notes dirty pages of every memslot."""
        return is_migrating(self.scenario)

    @cached_property
    def cost(self) -> KvmCost:
        """KVM's metadata for the memslots that are mapped now."""
        sizes = self.layout.memslot_sizes if self.layout and self.scenario.accel == "kvm" else ()
        return self._host.metadata(sizes, dirty_log=self.migrating)

    @cached_property
    def single_cost(self) -> KvmCost:
        """KVM's metadata if every memory device were one memslot, mapped as a whole: what ``single`` would cost."""
        sizes = [one.size for one in self.layout.devices] if self.layout and self.scenario.accel == "kvm" else []
        return self._host.metadata(sizes, dirty_log=self.migrating)

    @property
    def _host(self) -> KvmHost:
        """The host; the monitors beside QEMU have no second address space for SMM."""
        host = kvm_host(self.scenario)
        return replace(host, smm=False) if isinstance(self.rules, Monitor) else host

    @cached_property
    def single(self) -> "Outcome":
        """The same scenario with one memslot for the whole device."""
        return Outcome.of(self.scenario, "single")

    @property
    def command_line(self) -> list[str]:
        """The QEMU command line that makes the VM."""
        return write_argv(self.scenario, self.rules)

    @property
    def domain_xml(self) -> str:
        """The libvirt domain that makes the VM."""
        return write_domain(self.scenario, self.rules)

    @property
    def plugged(self) -> int:
        """Bytes that the guest has plugged, over all memory devices."""
        return sum(one.plugged_size for one in self.layout.devices) if self.layout else 0

    @property
    def used(self) -> int:
        """Memslots that memory devices have mapped."""
        return sum(one.used for one in self.layout.devices) if self.layout else 0

    @property
    def promised(self) -> int:
        """Memslots that memory devices may map."""
        return sum(one.decision.count for one in self.layout.devices) if self.layout else 0

    @property
    def exposed(self) -> int:
        """Bytes that the guest can touch though they are not plugged."""
        return self.layout.exposed if self.layout else 0

    def settings(self) -> str:
        """Return the VM in one line: board, memory, devices and back ends in their order, and the host."""
        vm = self.scenario
        parts = [f"{vm.chipset}, {shown_size(vm.ram)} RAM, maxmem {shown_size(vm.maxmem)}"]
        for one in vm.devices:
            if isinstance(one, VhostDevice):
                parts.append(f"{one.id or one.driver} {reported_memslots(one):,} memslots")
            elif isinstance(one, VirtioMem):
                backend = vm.backend(one.memdev or "")
                parts.append(f"{one.id or one.type} {shown_size(backend.size if backend else 0)}")
            else:
                parts.append(str(one.id or one.type))
        host = kvm_host(vm)
        more = (host.paging, "nested" if host.nested else "")
        parts.append(", ".join((f"KVM {vm.kvm_slots:,} memslots", *filter(None, more))))
        return "; ".join(parts)

    def summary(self) -> str:
        """Return one stable line with the numbers."""
        if self.layout is None or (self.problem and not self.layout.devices):
            return f"rules={self.rules.name}{self._refused}"
        sizes = {format_size(one.decision.memslot_size) for one in self.layout.devices if one.type == "virtio-mem"}
        text = (
            f"rules={self.rules.name}, "
            f"memslots={self.used}/{self.promised} of {' and '.join(sorted(sizes)) or 'none'}, "
            f"plugged={format_size(self.plugged)}, metadata={format_size(self.cost.total, digits=1)}"
        )
        return text + self._refused

    @property
    def _refused(self) -> str:
        """The refusal as the end of a line; QEMU's own text may have several."""
        return f", refused: {' '.join(self.problem.message.split())}" if self.problem else ""


def vary(
    scenario: Scenario, setting: str, values: Iterable[SettingValue], rules: RuleSet | str | None = None
) -> tuple[Outcome, ...]:
    """Play a scenario once for every value of one setting.

    Parameters
    ----------
    setting
        Name in `workbook.lib.explore.settings.SETTINGS`.
    """
    return tuple(Outcome.of(SETTINGS[setting].put(scenario, value, None), rules) for value in values)
