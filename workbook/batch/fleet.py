"""A fleet: what many VMs come to together, and what a change to all of them would bring."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Final

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import Refusal
from workbook.lib.host import Host
from workbook.lib.machine.machine import Machine
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import format_size
from workbook.tables.table import Table

from .checking import check_rows
from .inputs import Input, VmText, vm_texts
from .node import NodeView, node_view
from .timelines import timeline_rows
from .verdict import CheckRow, with_dynamic_memslots

__all__ = ("Fleet",)

_NEWEST_LIMIT: Final = 509
"""Memslots of a current virtiofsd, and what ``max_mem_regions`` of vhost in the kernel can be raised to meet."""
_MESSAGE: Final = 90
"""Characters of a message that a table shows."""


@dataclass(frozen=True)
class Fleet:
    """VMs with their results of `check`.

    Attributes
    ----------
    texts
        The VMs as they were read, in the order of `rows`.
    kvm
        What the kernel of the hosts allocates for a memslot; None takes each VM's own host.
    """

    texts: tuple[VmText, ...]
    rows: tuple[CheckRow, ...]
    kvm: KvmHost | None = None

    @classmethod
    def of(cls, inputs: str | Path | Iterable[Input], *, kvm: KvmHost | None = None) -> "Fleet":
        """Read and check every VM of a folder, a file, or pairs of name and text."""
        every = [inputs] if isinstance(inputs, str | Path) else list(inputs)
        return cls(tuple(vm_texts(every)), tuple(check_rows(every, kvm=kvm)), kvm)

    @property
    def started(self) -> tuple[tuple[VmText, CheckRow], ...]:
        """The VMs that start, with their rows."""
        pairs = zip(self.texts, self.rows, strict=True)
        return tuple((text, row) for text, row in pairs if row["verdict"] == "starts")

    def messages(self, most: int = 8) -> Table:
        """Return the verdicts with QEMU's or the reader's message, the most frequent first."""
        said = Counter(
            (row["verdict"], shorten(row["message"].partition("\n")[0], _MESSAGE, placeholder=" ..."))
            for row in self.rows
        )
        rows = [(verdict, count, message) for (verdict, message), count in said.most_common(most)]
        return Table.of(("verdict", "VMs", "message"), rows)

    def closest_limits(self) -> Table:
        """Return the memslot limits that leave VMs the least room, and how many of these VMs have several memslots."""
        limits, several = Counter[str](), Counter[str]()
        for _, row in self.started:
            if memslots := row["memslots"]:
                limit = memslots["binds"].partition("(")[2].rstrip(")")  # vhost0 (64 memslots)
                limits[limit] += 1
                several[limit] += memslots["promised"] > 1
        rows = [(limit, count, several[limit]) for limit, count in limits.items()]
        return Table.of(("limit that is closest", "VMs", "of them with several memslots"), rows)

    def with_dynamic_memslots(self) -> Table:
        """Return what the fleet costs today, and with dynamic-memslots=on in every VM that QEMU lets have it."""
        metadata = [row["metadata"] for _, row in self.started if row["metadata"]]
        refused = [one for one in metadata if one["dynamic_message"]]
        static = [one for one in metadata if one["dynamic"] is not None]
        dynamic = sum(one["now"] if one["dynamic"] is None else one["dynamic"] for one in metadata)
        exposed = sum(row["exposed"] or 0 for _, row in self.started)
        return Table.of(
            ("fleet", "value"),
            [
                ("VMs without it today", len(static) + len(refused)),
                ("of them refused with it", len(refused)),
                ("KVM's metadata now", format_size(sum(one["now"] for one in metadata), digits=1)),
                ("with it, now", format_size(dynamic, digits=1)),
                ("today, after nested guests", format_size(sum(one["nested"] for one in metadata), digits=1)),
                ("mapped and not plugged", format_size(exposed, digits=1)),
            ],
        )

    def part(self, first: int, step: int) -> "Fleet":
        """Return every n-th of the VMs that start, such as those of one node."""
        chosen = self.started[first::step]
        return replace(self, texts=tuple(text for text, _ in chosen), rows=tuple(row for _, row in chosen))

    def as_node(self) -> NodeView:
        """Return the VMs as those of one node."""
        return node_view([(Path(one.source).name, one.text) for one in self.texts], kvm=self.kvm)

    def ways(self, node: "Fleet", days: int = 10) -> Table:
        """Return what becomes of fleet and node as they are, with dynamic memslots, and with more memslots for vhost.

        Parameters
        ----------
        node
            The VMs whose days are drawn; the refused are counted over the whole fleet.
        days
            How many random days.
        """
        columns = ("way", "refused", "memslots", "updates a day", "metadata", "mapped, not plugged")
        vms, on_node = self.scenarios, node.scenarios
        return Table.of(columns, [(name, *self._way(change, vms, on_node, days)) for name, change in _WAYS.items()])

    @property
    def scenarios(self) -> list[Scenario]:
        """The VMs that start, as the reader understands them."""
        return [Machine.from_text(text.text).scenario for text, _ in self.started]

    def _way(
        self, change: Callable[[Scenario], Scenario], vms: list[Scenario], on_node: list[Scenario], days: int
    ) -> tuple[object, ...]:
        refused = sum(not _starts(change(vm)) for vm in vms)
        left = [changed for vm in on_node if _starts(changed := change(vm))]
        drawn = list(timeline_rows(left, days, kvm=self.kvm))
        worst = {column: int(max(day[column] for day in drawn)) for column in drawn[0]}
        sizes = (format_size(worst[column], digits=1) for column in ("metadata_peak", "exposed_peak"))
        return refused, worst["memslots_peak"], worst["updates"], *sizes


def _starts(vm: Scenario) -> bool:
    try:
        Machine(vm)
    except Refusal:
        return False
    return True


def _as_it_is(vm: Scenario) -> Scenario:
    return vm


def _with_host(vm: Scenario) -> Scenario:
    return replace(with_dynamic_memslots(vm), host=Host(max_mem_regions=_NEWEST_LIMIT))


def _with_back_ends(vm: Scenario) -> Scenario:
    vm = with_dynamic_memslots(vm)
    devices = (replace(one, slots=_NEWEST_LIMIT) if isinstance(one, VhostDevice) else one for one in vm.devices)
    return replace(vm, devices=tuple(devices))


_WAYS: Final[dict[str, Callable[[Scenario], Scenario]]] = {
    "as they are": _as_it_is,
    "dynamicMemslots='yes'": with_dynamic_memslots,
    "... and max_mem_regions=509": _with_host,
    "... and virtiofsd with 509": _with_back_ends,
}
