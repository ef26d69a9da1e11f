"""Advice: which consumer binds, and the smallest change that helps.

Nothing here knows a rule: every piece of advice is a changed scenario that was played and found better.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.host import KVM_SLOTS_TODAY, Host
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import Scenario, VfioDevice, VhostDevice, VirtioMem
from workbook.lib.size import GiB, format_size

from .outcome import Outcome
from .scenario_edits import reported_memslots, virtio_mem_devices
from .settings import DEVICE_SIZE, MAX_MEMSLOTS, VHOST_PLACE

__all__ = ("Advice", "advise", "binding", "smallest_limits")

_LIMITS: Final = (8, 16, 32, 64, 128, 256, 509, 512, 1024, 4096, KVM_SLOTS_TODAY)
"""Memslot limits that back ends and kernels have; advice names the smallest one that helps."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A change that helps.

    Attributes
    ----------
    text
        The change in words, and what it brings.
    scenario
        The scenario with the change.
    binds
        What stood in the way: the consumer that has too few memslots, or the space; empty where it is only the order.
    """

    text: str
    scenario: Scenario
    binds: str = ""


def advise(outcome: Outcome) -> tuple[Advice, ...]:
    """Return changes after which QEMU accepts, or a device has more than one memslot; the smallest of each kind.

    Empty where nothing is wrong: QEMU accepts, and no device that could have several memslots has one.
    """
    if outcome.problem is None and not _single_slots(outcome):
        return ()
    found = []
    for binds, ladder in _ladders(outcome.scenario, outcome.rules):
        # a ladder ends where a step would be no VM any more, such as a maxmem beyond 2^64
        with suppress(BadInput):
            for text, scenario in ladder:
                better = _better(outcome, scenario)
                if better is not None:
                    found.append(Advice(f"{text}: {_decisions(better)}", scenario, binds))
                    break
    return tuple(found)


def _better(outcome: Outcome, scenario: Scenario) -> Outcome | None:
    """Play a changed scenario; return what follows where it helps, else None."""
    # what happens after the start decides on nothing of it: most scenarios need not be played to their end
    at_start = outcome.refusal is not None or outcome.problem is None
    better = Outcome.of(replace(scenario, actions=()) if at_start else scenario, outcome.rules)
    helps = better.problem is None and (outcome.problem is not None or _single_slots(better) < _single_slots(outcome))
    return better if helps else None


def smallest_limits(outcome: Outcome, found: Iterable[Advice]) -> tuple[tuple[str, int], ...]:
    """Return the smallest numbers of memslots that help, exact to one, of each kind of limit that advice was found for.

    Parameters
    ----------
    found
        What `advise` returns for the outcome: typical limits, between which the smallest is searched by halves.

    Returns
    -------
    tuple
        ``a vhost back end`` or ``KVM``, and the number.
    """
    vm, changed = outcome.scenario, [one.scenario for one in found]
    answers = []
    for who, change, current in (
        ("a vhost back end", _with_vhost_slots, _fewest_slots(vm)),
        ("KVM", lambda scenario, limit: replace(scenario, kvm_slots=limit), vm.kvm_slots),
    ):
        larger = [limit for limit in _LIMITS if current is not None and limit > current]
        high = next((limit for limit in larger if change(vm, limit) in changed), None)
        if current is None or high is None:
            continue
        low = current
        while low + 1 < high:
            middle = (low + high) // 2
            if _better(outcome, change(vm, middle)) is None:
                low = middle
            else:
                high = middle
        answers.append((who, high))
    return tuple(answers)


def _fewest_slots(scenario: Scenario) -> int | None:
    """Return the limit of the vhost back end with the fewest memslots; None without one."""
    return min((reported_memslots(one) for one in scenario.devices if isinstance(one, VhostDevice)), default=None)


def _with_vhost_slots(scenario: Scenario, limit: int) -> Scenario:
    """Let every vhost back end report at least so many memslots."""
    devices = tuple(
        replace(one, slots=max(one.slots or 0, limit)) if isinstance(one, VhostDevice) else one
        for one in scenario.devices
    )
    return replace(scenario, devices=devices)


def _decisions(outcome: Outcome) -> str:
    """Say how the devices are divided, such as ``125 memslots of 4 GiB``."""
    decisions = [one.decision for one in outcome.layout.devices if one.type == "virtio-mem"] if outcome.layout else []
    sizes = {one.memslot_size: 0 for one in decisions}
    for one in decisions:
        sizes[one.memslot_size] += one.count
    words = [
        f"{count:,} {'memslot' if count == 1 else 'memslots'} of {format_size(size)}" for size, count in sizes.items()
    ]
    return " and ".join(words) or "accepted"


def binding(found: Iterable[Advice]) -> str:
    """Return the limiting factors of the advice found, comma-separated; empty where nothing limits."""
    return ", ".join(dict.fromkeys(one.binds for one in found if one.binds))


def _single_slots(outcome: Outcome) -> int:
    """Count devices above 1 GiB with a single memslot that could have several."""
    if outcome.layout is None:
        return 0
    return sum(
        1
        for one in outcome.layout.devices
        if one.type == "virtio-mem" and one.decision.count == 1 and not one.decision.direct and one.size > GiB
    )


def _ladders(scenario: Scenario, rules: RuleSet) -> Iterator[tuple[str, Iterator[tuple[str, Scenario]]]]:
    """Yield one ladder of changes per kind, from small to large, and the limiting factor if a step of it helps."""
    yield "", _vhost_first(scenario)
    yield _fewest(scenario), _more_vhost_slots(scenario)
    yield f"KVM ({scenario.kvm_slots:,} memslots)", _more_kvm_slots(scenario)
    yield "the space for memory devices (maxmem - RAM)", _more_space(scenario)
    yield "the device's share of the space for memory devices", _less_space(scenario)
    if any(isinstance(one, VfioDevice) and one.iommufd is None for one in scenario.devices):
        yield "DMA mappings of the VFIO container", _larger_blocks(scenario)
        yield "DMA mappings of the VFIO container", _iommufd(scenario)
        yield "DMA mappings of the VFIO container", _more_dma_entries(scenario)
    if "max-memslots" not in rules.unknown_properties:
        yield "", _fewer_slots(scenario)


def _fewest(scenario: Scenario) -> str:
    """Name the vhost back end with the fewest memslots."""
    backends = [one for one in scenario.devices if isinstance(one, VhostDevice)]
    if not backends:
        return ""
    fewest = min(backends, key=reported_memslots)
    limit = reported_memslots(fewest)
    return f"vhost back end {fewest.id or '(unnamed)'} ({limit:,} {'memslot' if limit == 1 else 'memslots'})"


def _vhost_first(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    if any(isinstance(one, VhostDevice) for one in scenario.devices) and VHOST_PLACE.get(scenario, None) == "after":
        yield "plug the vhost device before the memory devices", VHOST_PLACE.put(scenario, "before", None)


def _more_vhost_slots(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    fewest = _fewest_slots(scenario)
    for limit in _LIMITS:
        if fewest is not None and limit > fewest:
            yield f"a vhost back end with {limit} memslots", _with_vhost_slots(scenario, limit)


def _more_kvm_slots(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    for limit in _LIMITS:
        if limit > scenario.kvm_slots:
            yield f"a host whose KVM has {limit} memslots", replace(scenario, kvm_slots=limit)


def _more_space(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    needed = scenario.ram + sum(
        backend.size
        for one in scenario.devices
        if not isinstance(one, VhostDevice | VfioDevice) and (backend := scenario.backend(one.memdev or ""))
    )
    for slack in (0, GiB, 16 * GiB):
        if needed + slack > scenario.maxmem:
            yield f"maxmem={format_size(needed + slack)}", replace(scenario, maxmem=needed + slack)


def _less_space(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Make the device's share larger by a smaller device-memory area."""
    sizes = [DEVICE_SIZE.get(scenario, one.id) for one in virtio_mem_devices(scenario)]
    needed = scenario.ram + sum(sizes)
    if scenario.maxmem > needed:
        yield f"maxmem={format_size(needed)}, no more than the devices need", replace(scenario, maxmem=needed)


def _larger_blocks(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    for power in range(21, 41):
        devices = tuple(
            replace(one, block_size=max(one.block_size, 1 << power)) if isinstance(one, VirtioMem) else one
            for one in scenario.devices
        )
        yield f"block-size={format_size(1 << power)} for every virtio-mem device", replace(scenario, devices=devices)


def _iommufd(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    devices = tuple(
        replace(one, props=(*one.props, ("iommufd", "iommufd0")))
        if isinstance(one, VfioDevice) and one.iommufd is None
        else one
        for one in scenario.devices
    )
    yield "iommufd instead of the type1 container", replace(scenario, devices=devices)


def _more_dma_entries(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    for power in range(17, 32):
        host = replace(scenario.host or Host(), vfio_dma_entries=(1 << power) - 1)
        yield f"dma_entry_limit={(1 << power) - 1} of vfio_iommu_type1", replace(scenario, host=host)


def _fewer_slots(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    for limit in (512, 256, 128, 64, 32, 16, 8, 4, 2, 1):
        if limit < (MAX_MEMSLOTS.get(scenario, None) or 1 << 16):
            yield f"max-memslots={limit} for every device", MAX_MEMSLOTS.put(scenario, limit, None)
