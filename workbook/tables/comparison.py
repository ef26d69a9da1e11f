"""Rule sets side by side, as tables."""

from collections.abc import Iterable

from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.settings import SETTINGS, Setting, SettingValue
from workbook.lib.memory.flatview import ChangeKind
from workbook.lib.rules import Budget, RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size

from .table import Table

_UPDATES = (ChangeKind.ADD, ChangeKind.DEL)
__all__ = ("courses", "decisions", "difference", "differing", "outcomes")


def decisions(examples: Iterable[tuple[str, Budget, int]], rules: Iterable[RuleSet | str]) -> Table:
    """Show what rule sets decide in given environments, and whether the check before plugging accepts it.

    Parameters
    ----------
    examples
        Name, environment, and bytes of the device.
    """
    rows = []
    for name, budget, size in examples:
        for one in map(get, rules):
            decision = one.decide(budget, size)
            refusal = one.refusal(budget, decision)
            cut = f"{decision.count} x {format_size(decision.memslot_size)}"
            rows.append((name, one.name, decision.limit, cut, refusal.message if refusal else "accepted"))
    return Table.of(("example", "rules", "limit", "memslots", "check"), rows)


def outcomes(scenario: Scenario, rules: Iterable[RuleSet | str]) -> Table:
    """Show the outcome of one scenario under several rule sets."""
    rows = []
    for one in map(get, rules):
        outcome = Outcome.of(scenario, one)
        first = next((device.decision for device in outcome.layout.devices), None) if outcome.layout else None
        rows.append(
            (
                one.name,
                f"{first.count} x {format_size(first.memslot_size)}" if first else "-",
                outcome.used,
                outcome.promised,
                format_size(outcome.cost.total, digits=1),
                format_size(outcome.exposed, digits=1),
                outcome.problem.message if outcome.problem else "accepted",
            )
        )
    return Table.of(("rules", "first device", "mapped", "promised", "metadata", "exposed", "QEMU says"), rows)


def courses(scenario: Scenario, rules: Iterable[RuleSet | str]) -> Table:
    """Show what a scenario comes to under several rule sets over its whole course.

    Memslots and metadata at their most, exposed bytes on average over the moments after an action, and how often KVM's
    memslots of device memory are added or removed.
    """
    rows = []
    for one in map(get, rules):
        outcome = Outcome.of(scenario, one)
        moments = [outcome.after(number) for number in range(len(outcome.steps))]
        device = next((found for found in outcome.layout.devices), None) if outcome.layout else None
        if not moments or device is None:
            rows.append((one.name, "-", 0, "-", "-", 0, outcome.problem.message if outcome.problem else ""))
            continue
        exposed = sum(moment.exposed for moment in moments) // len(moments)
        rows.append(
            (
                one.name,
                format_size(device.start),
                max(moment.used for moment in moments),
                format_size(max(moment.cost.total for moment in moments), digits=1),
                format_size(exposed, digits=1),
                sum(1 for step in outcome.steps for change in step.changes if change.kind in _UPDATES),
                outcome.problem.message if outcome.problem else "accepted",
            )
        )
    names = ("rules", "device at", "memslots", "metadata", "exposed on average", "memslot updates", "the monitor says")
    return Table.of(names, rows)


def difference(left: Outcome, right: Outcome) -> Table:
    """Show what differs between two outcomes: settings first, then what follows from them."""
    rows = [
        (setting.label, *(_setting_shown(setting, one.scenario) for one in (left, right)), "≠")
        for setting in differing(left.scenario, right.scenario)
    ]
    for name, values in _consequences(left, right):
        rows.append((name, *values, "≠" if values[0] != values[1] else "="))
    return Table.of(("", "A", "B", ""), rows)


def differing(left: Scenario, right: Scenario) -> tuple[Setting[SettingValue], ...]:
    """Return the settings in which two scenarios differ, as their controls show them."""
    # the choices of policy and release are the rule set once more
    settings = (one for one in SETTINGS.values() if one.group != "toolbar")
    return tuple(one for one in settings if _setting_shown(one, left) != _setting_shown(one, right))


def _setting_shown(setting: Setting[SettingValue], scenario: Scenario) -> str:
    """Return a value as its control shows it; "-" where the scenario has nothing of the kind."""
    try:
        value = setting.get(scenario, None)
    except BadInput:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    label = next((label for label, one in setting.choices if one == value), None)
    return label or (format_size(value) if isinstance(value, int) and setting.kind == "size" else str(value))


def _consequences(left: Outcome, right: Outcome) -> Iterable[tuple[str, list[str]]]:
    both = (left, right)
    yield "memslots mapped", [f"{one.used:,}" for one in both]
    yield "memslots promised", [f"{one.promised:,}" for one in both]
    yield "KVM metadata", [format_size(one.cost.total, digits=1) for one in both]
    yield "exposed", [format_size(one.exposed, digits=1) for one in both]
    yield "QEMU says", [one.problem.message if one.problem else "accepted" for one in both]
