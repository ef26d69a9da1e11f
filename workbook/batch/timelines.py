"""Monte-Carlo timelines: the VMs of a node over a day, their guests growing and shrinking at random.

What comes of it is a distribution: of memslots, of memslot updates, of KVM's metadata and of exposed memory, of the
whole node. How guests behave is an assumption, all of which is in `Day`.
"""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.host import Host
from workbook.lib.machine import Machine
from workbook.lib.memory.flatview import ChangeKind
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import MiB, round_down

from .arrow import Cell, Column, table
from .engines import in_chunks, workers_for
from .files import write_cells
from .inputs import Input, vm_texts
from .progress import with_progress
from .verdict import Question

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ("TIMELINE_COLUMNS", "Day", "timeline_rows", "timelines")

TIMELINE_COLUMNS: Final[dict[str, Column]] = {
    "run": "int64",
    "vms": "int64",
    "requests": "int64",
    "updates": "int64",
    "memslots_mean": "double",
    "memslots_peak": "int64",
    "metadata_mean": "double",
    "metadata_peak": "int64",
    "metadata_nested_peak": "int64",
    "plugged_mean": "double",
    "plugged_peak": "int64",
    "exposed_mean": "double",
    "exposed_peak": "int64",
    "peak_hour": "double",
}
"""One row per day: sums over all VMs of the node, sizes in bytes, their mean over the day and their peak."""
_MANY: Final = 1 << 40
"""More pieces than any device has."""
_PIECE: Final = 128 * MiB
"""What a Linux guest takes offline as a whole (a memory block of x86-64 in a guest below 64 GiB)."""


@dataclass(frozen=True, kw_only=True)
class Day:
    """How the guests of a node behave.

    Attributes
    ----------
    hours
        Length of a timeline.
    step
        Minutes between two looks at the node.
    changes
        Changes of the requested size per guest and hour, on average (a Poisson process).
    swing
        How far the load follows the time of day: 0 not at all, 1 from nothing at midnight to everything at noon.
    spread
        Standard deviation of a request around the load of that hour, as a share of the device.
    unmovable
        Probability that a guest cannot give back a piece of 128 MiB that it should: what makes holes.
    """

    hours: float = 24
    step: float = 15
    changes: float = 0.5
    swing: float = 0.6
    spread: float = 0.2
    unmovable: float = 0.02

    def __post_init__(self) -> None:
        for name, least, most in (
            ("hours", 0, 8760),
            ("step", 0, 1440),
            ("changes", 0, 3600),
            ("swing", 0, 1),
            ("spread", 0, 1),
            ("unmovable", 0, 1),
        ):
            value = getattr(self, name)
            if not least <= value <= most or (name in {"hours", "step"} and not value):
                raise BadInput(f"day {name} is {value!r:.40}: give a number from {least} to {most}")

    @property
    def steps(self) -> int:
        """Looks at the node in a timeline."""
        return max(1, round(self.hours * 60 / self.step))

    def load(self, hour: float) -> float:
        """Return the expected share of its device that a guest asks for at an hour."""
        return 0.5 - self.swing / 2 * math.cos(2 * math.pi * hour / 24)


def timelines(
    vms: Scenario | str | Path | Iterable[Scenario | Input],
    runs: int = 1000,
    engine: str | None = None,
    to: str | Path | None = None,
    *,
    day: Day | None = None,
    seed: int = 1,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> "pa.Table | None":
    """Let the VMs of a node live through so many random days.

    Parameters
    ----------
    vms
        The VMs of the node: scenarios, or what `workbook.batch.check` takes.
    runs
        Days; each has its own random numbers, which follow from `seed` and the day's number alone.
    day
        How guests behave; None: `Day()`.
    engine, to, workers, progress
        As of `workbook.batch.check`; `to` is a ``.parquet``, ``.arrow`` or ``.csv`` file.
    rules, host, kvm
        As of `workbook.batch.check`; None as rules: each VM's own. A scenario that is given has its host in it.

    Returns
    -------
    An Arrow table with the columns of `TIMELINE_COLUMNS`; None with `to`.

    Raises
    ------
    BadInput
        A VM that cannot be read or does not start, or an extra that is missing.
    """
    rows: Iterator[Mapping[str, Cell]] = timeline_rows(
        vms, runs, engine, day=day, seed=seed, rules=rules, host=host, kvm=kvm, workers=workers
    )
    if progress:
        rows = with_progress(rows, "day", runs)
    if to is None:
        return table(rows, TIMELINE_COLUMNS)
    write_cells(rows, Path(to), TIMELINE_COLUMNS)
    return None


def timeline_rows(
    vms: Scenario | str | Path | Iterable[Scenario | Input],
    runs: int = 1000,
    engine: str | None = None,
    *,
    day: Day | None = None,
    seed: int = 1,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    workers: int | None = None,
) -> Iterator[dict[str, float]]:
    """Yield one row per day, in order; parameters and errors as of `timelines`."""
    node = tuple(_scenarios(vms, rules, host))
    workers = workers_for([rules], engine, workers)
    work = partial(_days, Question(rules=rules, host=host, kvm=kvm), day or Day(), seed, node)
    return in_chunks(work, range(runs), engine=engine, workers=workers)


def _scenarios(
    vms: Scenario | str | Path | Iterable[Scenario | Input], rules: str | RuleSet | None, host: Host | None
) -> Iterator[Scenario]:
    """Yield the scenarios of VMs that start."""
    for one in [vms] if isinstance(vms, Scenario | str | Path) else vms:
        if isinstance(one, Scenario):
            yield _started(one, "the scenario", rules)
            continue
        for vm in vm_texts([one]):
            if vm.problem:
                raise BadInput(f"{vm.source}: {vm.problem}")
            try:
                yield Machine.from_text(vm.text, rules, host).scenario
            except WorkbookError as error:
                raise BadInput(f"{vm.source}: a VM that does not start has no day ({error})") from None


def _started(scenario: Scenario, name: str, rules: str | RuleSet | None) -> Scenario:
    try:
        Machine(scenario, rules)
    except WorkbookError as error:
        raise BadInput(f"{name}: a VM that does not start has no day ({error})") from None
    return scenario


def _days(
    question: Question, day: Day, seed: int, node: tuple[Scenario, ...], runs: tuple[int, ...]
) -> list[dict[str, float]]:
    return [_day(question, day, node, run, random.Random(f"{seed}.{run}")) for run in runs]  # noqa: S311 - no secret


@dataclass(slots=True)
class _Moment:
    """What a node, or one VM of it, has at one time; sums of bytes."""

    memslots: int = 0
    metadata: int = 0
    nested: int = 0
    plugged: int = 0
    exposed: int = 0

    @classmethod
    def of(cls, machine: Machine, question: Question) -> "_Moment":
        devices = [one.virtio_mem for one in machine.devices if one.virtio_mem]
        return cls(
            len(machine.view),
            question.cost(machine),
            question.cost(machine, nested=True),
            sum(one.size for one in devices),
            machine.exposed,
        )

    def add(self, other: "_Moment", sign: int = 1) -> None:
        self.memslots += sign * other.memslots
        self.metadata += sign * other.metadata
        self.nested += sign * other.nested
        self.plugged += sign * other.plugged
        self.exposed += sign * other.exposed


def _day(question: Question, day: Day, node: Sequence[Scenario], run: int, chance: random.Random) -> dict[str, float]:
    machines = [Machine(one, question.rules if question.rules is None else get(question.rules)) for one in node]
    each = [_Moment.of(one, question) for one in machines]
    now, most, total = _Moment(), _Moment(), _Moment()
    for one in each:
        now.add(one)
    peak_hour, requests, updates = 0.0, 0, 0
    often = 1 - math.exp(-day.changes * day.step / 60)
    for step in range(day.steps):
        hour = step * day.step / 60
        for index, machine in enumerate(machines):
            if chance.random() >= often:
                continue
            before = machine.view
            requests += _turn(machine, day, hour, chance)
            changes = before.changes(machine.view)
            updates += sum(one.kind is not ChangeKind.NOP for one in changes) * len(machine.kvm_used)
            now.add(each[index], -1)
            each[index] = _Moment.of(machine, question)
            now.add(each[index])
        total.add(now)
        if now.metadata > most.metadata:
            peak_hour = hour
        most = _Moment(
            max(most.memslots, now.memslots),
            max(most.metadata, now.metadata),
            max(most.nested, now.nested),
            max(most.plugged, now.plugged),
            max(most.exposed, now.exposed),
        )
    steps = day.steps
    return {
        "run": run,
        "vms": len(machines),
        "requests": requests,
        "updates": updates,
        "memslots_mean": total.memslots / steps,
        "memslots_peak": most.memslots,
        "metadata_mean": total.metadata / steps,
        "metadata_peak": most.metadata,
        "metadata_nested_peak": most.nested,
        "plugged_mean": total.plugged / steps,
        "plugged_peak": most.plugged,
        "exposed_mean": total.exposed / steps,
        "exposed_peak": most.exposed,
        "peak_hour": peak_hour,
    }


def _turn(machine: Machine, day: Day, hour: float, chance: random.Random) -> int:
    """Let a VM's owner request another size of each device, and its guest follow as far as it can."""
    requests = 0
    for device in machine.devices:
        memory = device.virtio_mem
        if memory is None:
            continue
        share = min(max(chance.gauss(day.load(hour), day.spread), 0.0), 1.0)
        machine.request_size(device.id, round_down(int(share * device.size), memory.block_size))
        requests += 1
        if memory.requested_size >= memory.size:
            machine.settle(device.id)
        else:
            _shrink(machine, device.id, day.unmovable, chance)
    return requests


def _shrink(machine: Machine, name: str, unmovable: float, chance: random.Random) -> None:
    """Let a guest give back memory from the top, piece by piece; some of them it cannot."""
    memory = machine.bus.virtio_mem(name)
    surplus = memory.size - memory.requested_size
    piece = max(_PIECE, memory.block_size)
    for start, stop in reversed(list(memory.plugged.extents())):
        end = stop
        while surplus > 0 and end > start:
            # so many pieces in a row can be given back before one that cannot
            row = _until(unmovable, chance)
            size = min(surplus, end - start, row * piece)
            if size > 0:
                machine.unplug(name, end - size, size)
            surplus -= size
            end -= size + (piece if size == row * piece else 0)


def _until(probability: float, chance: random.Random) -> int:
    """Return how many trials in a row fail before one succeeds."""
    if probability >= 1:
        return 0
    if probability <= 0:
        return _MANY
    # the smallest probabilities make the quotient infinite
    return int(min(math.log(1 - chance.random()) / _log_of_rest(probability), _MANY))


@lru_cache(maxsize=16)
def _log_of_rest(probability: float) -> float:
    return math.log1p(-probability)
