"""The VMs of one node together: KVM's metadata now and at worst, beside what KubeVirt allows their pods.

KVM's metadata is charged to the memory cgroup of QEMU (``GFP_KERNEL_ACCOUNT``, virt/kvm/kvm_main.c), under KubeVirt to
the pod's, whose overhead does not know of it.
"""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.host import Host
from workbook.lib.kubevirt import PodOverhead, pod_overhead
from workbook.lib.machine import Machine
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import VirtioMem
from workbook.lib.size import format_size
from workbook.lib.text_forms import recognise
from workbook.tables.table import Table

from .inputs import Input, VmText, vm_texts
from .verdict import Question, settle

__all__ = ("NodeView", "NodeVm", "node_view")


@dataclass(frozen=True, slots=True)
class NodeVm:
    """One VM of a node, sizes in bytes.

    Attributes
    ----------
    memory, most
        Boot RAM and what is plugged; boot RAM and the whole of its memory devices.
    memslots, worst_memslots
        Of memory devices: mapped now, and with everything plugged.
    metadata, worst_metadata
        KVM's, for those: now, and with everything plugged after a nested guest has run.
    overhead
        Of its pod; None for a VM that is not KubeVirt's.
    problem
        Why it cannot be counted; empty where it can.
    """

    source: str
    memory: int = 0
    most: int = 0
    memslots: int = 0
    worst_memslots: int = 0
    metadata: int = 0
    worst_metadata: int = 0
    overhead: PodOverhead | None = None
    problem: str = ""

    @property
    def exceeds(self) -> bool:
        """Whether the worst case is more than all that the pod has for page tables and the like."""
        return self.overhead is not None and self.worst_metadata > self.overhead.page_tables


@dataclass(frozen=True)
class NodeView:
    """The VMs of a node, and their sums."""

    vms: tuple[NodeVm, ...]

    @property
    def total(self) -> NodeVm:
        """The sum of the VMs that can be counted; no overhead."""
        counted = [one for one in self.vms if not one.problem]
        return NodeVm(
            source=f"{len(counted):,} VMs",
            memory=sum(one.memory for one in counted),
            most=sum(one.most for one in counted),
            memslots=sum(one.memslots for one in counted),
            worst_memslots=sum(one.worst_memslots for one in counted),
            metadata=sum(one.metadata for one in counted),
            worst_metadata=sum(one.worst_metadata for one in counted),
        )

    @property
    def overhead(self) -> int:
        """What KubeVirt adds to its pods for all that is not the guest's memory, bytes."""
        return sum(one.overhead.total for one in self.vms if one.overhead is not None)

    @property
    def page_tables(self) -> int:
        """The part of it that grows with memory, bytes."""
        return sum(one.overhead.page_tables for one in self.vms if one.overhead is not None)

    @property
    def exceeding(self) -> tuple[NodeVm, ...]:
        """The VMs whose worst case is more than the page tables that KubeVirt allows for, the worst first."""
        found = [one for one in self.vms if one.exceeds]
        return tuple(sorted(found, key=lambda one: one.worst_metadata, reverse=True))

    def table(self, most: int = 20) -> Table:
        """Return the VMs that can cost the most, and the sum of all."""
        worst = sorted((one for one in self.vms if not one.problem), key=lambda one: one.worst_metadata, reverse=True)
        rows = [_cells(one) for one in worst[:most]]
        total = list(_cells(self.total))
        total[7:9] = [format_size(self.overhead, digits=1), format_size(self.page_tables, digits=1)]
        return Table.of(
            (
                "VM",
                "memory",
                "at most",
                "memslots",
                "at worst",
                "metadata",
                "at worst",
                "pod overhead",
                "of it page tables",
            ),
            [*rows, total],
        )

    @property
    def summary(self) -> str:
        """The sums in two sentences."""
        total = self.total
        said = (
            f"KVM's metadata of memory devices: {format_size(total.metadata, digits=1)} now, "
            f"{format_size(total.worst_metadata, digits=1)} with everything plugged after nested guests have run."
        )
        if any(one.overhead for one in self.vms):
            said += (
                f"\nKubeVirt adds {format_size(self.overhead, digits=1)} to its pods, "
                f"{format_size(self.page_tables, digits=1)} of it for page tables; "
                f"{len(self.exceeding):,} of their VMs can need more than that for memslots alone."
            )
        return said

    def __str__(self) -> str:
        lines = [str(self.table()), "", self.summary]
        lost = [one for one in self.vms if one.problem]
        lines += [f"not counted: {one.source}: {one.problem}" for one in lost[:10]]
        if len(lost) > 10:
            lines.append(f"not counted: {len(lost) - 10:,} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        summary = "".join(f"<p>{html.escape(line)}</p>" for line in self.summary.splitlines())
        return self.table()._repr_html_() + summary


def node_view(
    inputs: str | Path | Iterable[Input],
    *,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    vhost_slots: Mapping[str, int | str | None] | None = None,
    ratio: float = 1.0,
) -> NodeView:
    """Return what the VMs of one node cost in memslots, now and at worst.

    Parameters
    ----------
    inputs, rules, host, kvm, vhost_slots
        As of `workbook.batch.check`.
    ratio
        KubeVirt's ``additionalGuestMemoryOverheadRatio``.

    Raises
    ------
    BadInput
        A bad ratio; a VM that cannot be counted is in the view with its `problem`.
    """
    if not 1.0 <= ratio <= 1000:
        raise BadInput(f"ratio is {ratio!r:.40}: KubeVirt's additionalGuestMemoryOverheadRatio is 1.0 or more")
    every = [inputs] if isinstance(inputs, str | Path) else inputs
    question = Question(rules=rules, host=host, kvm=kvm, vhost_slots=dict(vhost_slots or {}))
    return NodeView(tuple(_vm(one, question, ratio) for one in vm_texts(every)))


def _vm(vm: VmText, question: Question, ratio: float) -> NodeVm:
    if vm.problem:
        return NodeVm(vm.source, problem=vm.problem)
    try:
        machine = question.machine(vm.text)
        settle(machine)
        worst = _at_worst(machine)
        overhead = _overhead(vm.text, ratio)
    except WorkbookError as error:
        return NodeVm(vm.source, problem=" ".join(str(error).split())[:200])
    devices = [(one.virtio_mem.size if one.virtio_mem else one.size, one.size) for one in machine.devices]
    return NodeVm(
        source=vm.source,
        memory=machine.scenario.ram + sum(plugged for plugged, _ in devices),
        most=machine.scenario.ram + sum(size for _, size in devices),
        memslots=len(machine.view),
        worst_memslots=len(worst.view),
        metadata=question.cost(machine),
        worst_metadata=question.cost(worst, nested=True),
        overhead=overhead,
    )


def _at_worst(machine: Machine) -> Machine:
    """Return the VM with all of its virtio-mem devices plugged."""
    sizes = {one.id: one.size for one in machine.devices}
    devices = tuple(
        replace(one, requested_size=sizes[one.id or ""]) if isinstance(one, VirtioMem) else one
        for one in machine.scenario.devices
    )
    worst = Machine(replace(machine.scenario, devices=devices, actions=()), machine.rules)
    settle(worst)
    return worst


def _overhead(text: str, ratio: float) -> PodOverhead | None:
    manifest = recognise(text).manifest
    if manifest is None:
        return None
    return pod_overhead(manifest[0] if isinstance(manifest, list) else manifest, ratio=ratio)


def _cells(one: NodeVm) -> tuple[object, ...]:
    return (
        one.source,
        format_size(one.memory, digits=1),
        format_size(one.most, digits=1),
        one.memslots,
        one.worst_memslots,
        format_size(one.metadata, digits=1),
        format_size(one.worst_metadata, digits=1),
        format_size(one.overhead.total, digits=1) if one.overhead else "-",
        format_size(one.overhead.page_tables, digits=1) if one.overhead else "-",
    )
