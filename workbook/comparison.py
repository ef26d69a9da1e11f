"""Rule sets side by side, as tables."""

from collections.abc import Iterable

from workbook.lib.outcome import Outcome
from workbook.lib.rules import Budget, RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size
from workbook.table import Table

__all__ = ("decisions", "outcomes")


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
    """Show what becomes of one scenario under several rule sets."""
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
                outcome.problem.message if outcome.problem else "accepted",
            )
        )
    return Table.of(("rules", "first device", "mapped", "promised", "metadata", "QEMU says"), rows)
