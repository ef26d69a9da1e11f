"""Invariants of every rule set, and a search for the first VM on which one of them breaks.

A rule set that breaks one of these would lose memory, take slots from others, or let a guest see memory vanish
for a moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from workbook.lib.actions import Action, RequestSize, Reset, Settle, UnplugAll
from workbook.lib.errors import WorkbookError
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.machine.snapshot import DeviceLayout, Layout
from workbook.lib.memory.flatview import Change, missing_for_a_moment
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import MemoryBackend, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, MiB, format_size

from .timeline import Step, timeline

__all__ = ("Violation", "first_violation", "random_scenario", "violations")

_LIMITS: Final = (None, None, None, 8, 16, 32, 64, 256, 509, 512)
_SIZES: Final = tuple(GiB << power for power in range(10))


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold.

    Attributes
    ----------
    what
        Which one, with the numbers.
    scenario
        The VM, up to the action after which it fails.
    """

    what: str
    scenario: Scenario

    def __str__(self) -> str:
        return self.what


def violations(step: Step) -> Iterator[str]:
    """Yield what is wrong after one step of a timeline."""
    for device in step.layout.devices:
        yield from _of_device(device)
    yield from _of_consumers(step.layout)
    yield from _of_changes(step.changes)


def _of_device(device: DeviceLayout) -> Iterator[str]:
    decision = device.decision
    if decision.count < 1 or decision.memslot_size < 1:
        yield f"{device.id}: {decision.count} memslots of {format_size(decision.memslot_size)} are no memslots"
        return
    memslots = device.memslots()
    covered = sum(one.size for one in memslots)
    if covered < device.size:
        yield f"{device.id}: its memslots cover {format_size(covered)} of {format_size(device.size)}"
    if device.block_size and decision.count > 1 and decision.memslot_size % device.block_size:
        yield f"{device.id}: a memslot border cuts a block of {format_size(device.block_size)}"
    hidden = sum(one.plugged for one in memslots if not one.mapped)
    if hidden:
        yield f"{device.id}: {format_size(hidden)} are plugged in memslots that are not mapped"


def _of_consumers(layout: Layout) -> Iterator[str]:
    for one in layout.consumers:
        if one.limit is not None and one.boot + one.used > one.limit:
            yield f"{one.name}: {one.boot + one.used} memslots in use, {one.limit} is the limit"
        elif one.free is not None and one.free < 0:
            yield f"{one.name}: {-one.free} memslots are promised that it does not have"


def _of_changes(changes: tuple[Change, ...]) -> Iterator[str]:
    """Find mapped memory that is unmapped and mapped again: such an update is not atomic for a listener."""
    for low, high in missing_for_a_moment(changes):
        yield f"not atomic: {format_size(high - low)} at {low:#x} vanish and come back"


def random_scenario(random: Random) -> Scenario:
    """Return a VM with one to three devices, perhaps a vhost back end, and a few things that happen to it."""
    sizes = [random.choice(_SIZES) + random.choice((0, 0, 0, 512 * MiB, 2 * MiB)) for _ in range(random.randint(1, 3))]
    backends = tuple(
        MemoryBackend(id=f"mem{number}", size=size, kind="memfd", share=True) for number, size in enumerate(sizes)
    )
    devices: list[VirtioMem | VhostDevice] = [
        VirtioMem(id=f"vm{number}", memdev=f"mem{number}", dynamic_memslots=True) for number in range(len(sizes))
    ]
    limit = random.choice(_LIMITS)
    if limit is not None:
        devices.insert(random.randint(0, len(devices)), VhostDevice(id="vu0", slots=limit))
    actions = tuple(action for _ in range(random.randint(1, 6)) for action in _random_actions(random, sizes))
    ram = 4 * GiB
    return Scenario(
        ram=ram,
        maxmem=ram + sum(sizes) + random.choice((0, 0, GiB, 64 * GiB)),
        kvm_slots=random.choice((32, 64, 509, KVM_SLOTS_TODAY, KVM_SLOTS_TODAY)),
        backends=backends,
        devices=tuple(devices),
        actions=actions,
    )


def _random_actions(random: Random, sizes: list[int]) -> tuple[Action, ...]:
    """Return a request that the guest follows, or something that happens less often."""
    number = random.randrange(len(sizes))
    name = f"vm{number}"
    if random.random() < 0.25:
        return (random.choice((Reset(), UnplugAll(dev=name))),)
    size = random.randrange(0, sizes[number] // (2 * MiB) + 1) * 2 * MiB
    return RequestSize(dev=name, size=size), Settle(dev=name)


def first_violation(rules: RuleSet | str, *, vms: int = 200, seed: int = 1) -> Violation | None:
    """Play random VMs under a rule set; return the first invariant that breaks, or None.

    VMs that QEMU would refuse to start are passed over: a refusal is an answer, not a violation.
    """
    random, chosen = Random(seed), get(rules)  # noqa: S311 - no secrets here
    for _ in range(vms):
        scenario = random_scenario(random)
        try:
            steps = timeline(scenario, chosen)
        except WorkbookError:
            continue
        for number, step in enumerate(steps):
            for what in violations(step):
                return Violation(what, replace(scenario, actions=scenario.actions[:number]))
    return None
