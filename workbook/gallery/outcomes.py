"""Pictures that the notebooks show: a chart of outcomes, ready as the last expression of a cell."""

from collections.abc import Iterable, Sequence

from workbook.charts import Curves, ListenerEvents, MemoryMap, OverheadBars
from workbook.lib.explore.outcome import Outcome, vary
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB
from workbook.widgets.picture import Picture

__all__ = ("last_events_of", "map_of", "memslots_over_size", "overhead_of", "overhead_of_presets")


def map_of(scenario: Scenario | str, rules: RuleSet | str | None = None) -> Picture:
    """Return the memory map of a scenario or a preset."""
    chart = MemoryMap()
    chart.update(Outcome.of(_scenario(scenario), rules).layout)
    return Picture(chart)


def last_events_of(scenario: Scenario | str, rules: RuleSet | str | None = None) -> Picture:
    """Return what memory listeners were told by the last action of a scenario, in their order."""
    chart = ListenerEvents()
    steps = Outcome.of(_scenario(scenario), rules).steps
    chart.update(steps[-1].changes if steps else ())
    return Picture(chart)


def overhead_of_presets(*names: str) -> Picture:
    """Return KVM's metadata for presets, beside one memslot for the whole device of the first."""
    outcomes = [(PRESETS[name].title, Outcome.of(PRESETS[name].scenario)) for name in names]
    chart = OverheadBars()
    cases = [("one memslot", outcomes[0][1].single.cost), *((title, one.cost) for title, one in outcomes)]
    chart.update(cases)
    return Picture(chart)


def overhead_of(scenario: Scenario | str, rules: Iterable[RuleSet | str]) -> Picture:
    """Return KVM's metadata of one scenario under several rule sets."""
    chart = OverheadBars()
    chart.update([(one.name, Outcome.of(_scenario(scenario), one).cost) for one in map(get, rules)])
    return Picture(chart)


def memslots_over_size(rules: RuleSet | str, kvm_slots: Sequence[int]) -> Picture:
    """Return the number of memslots over the device's size, a curve per KVM limit.

    The device fills all of the device memory.
    """
    base = SETTINGS["requested_size"].put(PRESETS["one-tib"].scenario, 0, None)
    sizes = [GiB << power for power in range(14)]
    curves = {}
    for limit in kvm_slots:
        outcomes = vary(SETTINGS["kvm_slots"].put(base, limit, None), "device_size", sizes, rules)
        curves[f"{limit:,} KVM memslots"] = (sizes, [one.promised for one in outcomes])
    chart = Curves(title="Memslots of one device", y_title="memslots", y_log=True)
    chart.update(curves)
    return Picture(chart)


def _scenario(given: Scenario | str) -> Scenario:
    return PRESETS[given].scenario if isinstance(given, str) else given
