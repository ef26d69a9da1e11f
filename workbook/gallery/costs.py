"""Pictures of what memslots cost: measured hosts, plugged sizes, memslot sizes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bokeh.models import LogTicker

from workbook.charts import Curves, ListenerEvents, OverheadBars
from workbook.charts.curves import MOST
from workbook.charts.predicted_measured import PredictedMeasured
from workbook.columns.curve import Points
from workbook.lib.cost.kvm import Cost, KvmHost
from workbook.lib.cost.measurements import MeasuredHost
from workbook.lib.explore.growth import growth, with_plugged
from workbook.lib.explore.outcome import Outcome
from workbook.lib.memory.flatview import missing_for_a_moment
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, TiB, format_size, round_up
from workbook.widgets.picture import Picture

__all__ = (
    "bars_of",
    "exposed_over_plugged",
    "exposed_over_time",
    "growth_of",
    "ioctl_times",
    "metadata_over_memslot_size",
    "metadata_over_plugged",
    "missing_over_plugged",
    "predicted_and_measured",
    "update_times_chart",
)

PLUGGED: Final = (
    *(MiB << power for power in range(1, 10)),
    *(round_up(int(GiB * 2 ** (step / 8)), 2 * MiB) for step in range(81)),
)
"""2 MiB to 1 TiB, eight to a doubling from 1 GiB on."""
MEMSLOTS: Final = tuple(128 * MiB << power for power in range(14))
"""128 MiB to 1 TiB."""


def predicted_and_measured(hosts: Sequence[MeasuredHost]) -> Picture:
    """Return every measured array of every host as a point beside the line of the prediction."""
    chart = PredictedMeasured()
    chart.update(hosts)
    return Picture(chart)


def bars_of(costs: Mapping[str, Cost], title: str = "What the memslots cost KVM") -> Picture:
    """Return costs as stacked bars, by name."""
    chart = OverheadBars(title=title, height=90 + 34 * len(costs))
    chart.update(costs)
    return Picture(chart)


def growth_of(scenario: Scenario, rules: RuleSet | str, before: int, after: int) -> Picture:
    """Return what memory listeners see when a device grows from `before` plugged bytes to `after`."""
    chart = ListenerEvents()
    chart.update(growth(scenario, rules, before, after))
    return Picture(chart)


def metadata_over_plugged(
    scenario: Scenario, rules: Iterable[RuleSet | str], plugged: Sequence[int] = PLUGGED
) -> Picture:
    """Return KVM's metadata over what the guest was asked for and has plugged, from the device's start on."""
    chart = Curves(
        "KVM's metadata over plugged memory",
        x_title="plugged",
        y_title="metadata",
        y_unit="bytes",
        y_log=True,
        steps=True,
    )
    chart.update(
        {
            one.name: (list(plugged), [Outcome.of(with_plugged(scenario, size), one).cost.total for size in plugged])
            for one in map(get, rules)
        }
    )
    return Picture(chart)


def exposed_over_plugged(
    scenario: Scenario, rules: Iterable[RuleSet | str], plugged: Sequence[int] = PLUGGED
) -> Picture:
    """Return what the guest can touch though it is not plugged, over what it was asked for and has plugged.

    Nothing exposed is no point on the logarithmic axis.
    """
    chart = Curves(
        "Exposed over plugged memory", x_title="plugged", y_title="exposed", y_unit="bytes", y_log=True, steps=True
    )
    chart.update(
        {
            one.name: (list(plugged), [Outcome.of(with_plugged(scenario, size), one).exposed for size in plugged])
            for one in map(get, rules)
        }
    )
    return Picture(chart)


def exposed_over_time(scenario: Scenario, rules: Iterable[RuleSet | str]) -> Picture:
    """Return what the guest can touch though it is not plugged, after each action of a scenario."""
    chart = Curves(
        "Exposed after each action", x_title="actions", y_title="exposed", x_unit="count", y_unit="bytes",
        x_log=False, y_log=True, steps=True,
    )  # fmt: skip
    outcomes = [Outcome.of(scenario, one) for one in rules]
    chart.update(
        {
            one.rules.name: (
                list(range(len(one.steps))),
                [one.after(number).exposed for number in range(len(one.steps))],
            )
            for one in outcomes
        }
    )
    return Picture(chart)


def metadata_over_memslot_size(
    *,
    device: int = TiB,
    plugged: Sequence[int] = (GiB, 10 * GiB, 100 * GiB),
    kvm: KvmHost | None = None,
    sizes: Sequence[int] = MEMSLOTS,
) -> Picture:
    """Return KVM's metadata over the size of the memslots in which a device is cut, for plugged sizes."""
    kvm = kvm or KvmHost(tdp_mmu=False)
    chart = Curves(
        f"KVM's metadata over the memslots' size, {format_size(device)} device",
        x_title="memslot size",
        y_title="metadata",
        y_unit="bytes",
        y_log=True,
    )
    chart.update(
        {
            f"{format_size(used)} plugged": (
                list(sizes),
                [kvm.metadata([min(size, device)] * -(-used // size)).total for size in sizes],
            )
            for used in plugged
        }
    )
    return Picture(chart)


def ioctl_times(hosts: Sequence[MeasuredHost]) -> Picture:
    """Return how long KVM takes to add and remove memslots of 4 KiB, all together; the newest hosts that fit."""
    with_times = _newest([host for host in hosts if host.timings], MOST // 2)
    curves: dict[str, Points] = {}
    for host in with_times:
        at = f", {host.name}" if len(with_times) > 1 else ""
        counts = [one.count for one in host.timings]
        curves[f"added{at}"] = (counts, [1000 * one.add_seconds for one in host.timings])
        curves[f"removed{at}"] = (counts, [1000 * one.remove_seconds for one in host.timings])
    return _times("Time to add and remove memslots of 4 KiB by ioctl", curves)


def update_times_chart(hosts: Sequence[MeasuredHost]) -> Picture:
    """Return how long a running QEMU takes to map memslots of 1 GiB: one by one and in one request."""
    with_updates = _newest([host for host in hosts if host.updates], MOST // 4)
    curves: dict[str, Points] = {}
    for host in with_updates:
        at = f", {host.name}" if len(with_updates) > 1 else ""
        for vhost in (True, False):
            for single in (True, False):
                found = sorted(
                    (one.slots, 1000 * one.seconds)
                    for one in host.updates
                    if one.mapped and one.vhost == vhost and one.requests == (one.slots if single else 1)
                )
                how = "one by one" if single else "one request"
                curves[f"{how}{', vhost-user' if vhost else ''}{at}"] = (
                    [slots for slots, _ in found],
                    [ms for _, ms in found],
                )
    return _times("Time to map memslots of 1 GiB in a running QEMU", curves)


def _times(title: str, curves: Mapping[str, Points]) -> Picture:
    chart = Curves(title, x_title="memslots", y_title="time, ms", x_unit="count", y_log=True)
    for axis in (chart.figure.xaxis[0], chart.figure.yaxis[0]):
        axis.ticker = LogTicker(desired_num_ticks=6)
    chart.update(curves)
    return Picture(chart)


def _newest(hosts: Sequence[MeasuredHost], most: int) -> list[MeasuredHost]:
    return sorted(hosts, key=lambda host: host.date)[-most:]


def missing_over_plugged(
    scenario: Scenario, rules: Iterable[RuleSet | str], *, step: int, plugged: Sequence[int]
) -> Picture:
    """Return the bytes that are deleted and added again when a device grows by `step`, over what was plugged before."""
    chart = Curves(
        f"Missing for a moment when {format_size(step)} more are plugged",
        x_title="plugged before",
        y_title="missing",
        y_unit="bytes",
        y_log=False,
    )
    curves: dict[str, Points] = {}
    for one in map(get, rules):
        missing = [missing_for_a_moment(growth(scenario, one, size, size + step)) for size in plugged]
        curves[one.name] = (list(plugged), [sum(high - low for low, high in ranges) for ranges in missing])
    chart.update(curves)
    return Picture(chart)
