"""Decision trace: all steps in order, and the one that set the number."""

from html.parser import HTMLParser

import pytest

from workbook.charts import DecisionTrace
from workbook.charts.decision_trace import DIRECT, NOTHING
from workbook.lib.rules import RULE_SETS, Budget, Decision, TraceStep, get
from workbook.lib.size import GiB, MiB
from workbook.lib.trace import binding_step

ROOMY = Budget(device_memory_size=1024 * GiB, kvm_max=32764, kvm_free=32757)
TIGHT = Budget(device_memory_size=1024 * GiB, kvm_max=32764, kvm_free=32757, vhost_max=64, vhost_free=62)


class Cells(HTMLParser):
    """Collects the cells of a table's rows, and the scopes of its headers."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.scopes: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            if tag == "th":
                self.scopes.append(dict(attrs).get("scope"))

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.mark.parametrize(
    ("rules", "budget", "size", "name"),
    [
        ("rfc-2021", ROOMY, 500 * GiB, "needed"),
        ("rfc-2021", ROOMY, 1024 * GiB, "device limit"),
        ("rfc-2021", TIGHT, 500 * GiB, "needed"),
        ("qemu-10.0", TIGHT, 500 * GiB, "limit"),
        ("qemu-10.0", ROOMY, 512 * GiB, "share"),
        ("qemu-10.0", ROOMY, 1024 * GiB, "soft budget"),
        ("qemu-10.0", ROOMY, 12 * GiB, "share"),
    ],
)
def test_binding_step(rules: str, budget: Budget, size: int, name: str) -> None:
    """The binding step is the last one that changed the number of memslots."""
    decision = get(rules).decide(budget, size)
    index = binding_step(decision.trace)
    assert index is not None
    assert decision.trace[index].name == name


def test_binding_step_may_be_the_size() -> None:
    """Where fewer memslots than granted follow from their size, the step that sets the size decides."""
    decision = get("qemu-10.0").decide(Budget(device_memory_size=3 * GiB, kvm_max=32764, kvm_free=32757), 3 * GiB)
    index = binding_step(decision.trace)
    assert index is not None
    assert (decision.count, decision.trace[index].name) == (3, "memslot size")


@pytest.mark.parametrize("rules", RULE_SETS)
def test_every_rule_set_has_a_binding_step(rules: str) -> None:
    """Every step of every rule set is a line with its value as the model prints it, and exactly one is binding."""
    chart = DecisionTrace()
    decision = get(rules).decide(ROOMY, 500 * GiB)
    chart.update(decision)
    _, *lines = chart.describe().splitlines()
    assert [line.removesuffix(" <- decides") for line in lines] == [str(step) for step in decision.trace]
    assert sum(line.endswith(" <- decides") for line in lines) == 1


def test_reason_of_a_refusal() -> None:
    """The numbers of a refusal are a table whose last row is too much; without numbers there is none."""
    refusal = get("qemu-10.0").refusal(Budget(device_memory_size=GiB), get("single").decide(ROOMY, 4 * GiB))
    assert refusal
    cells = Cells()
    cells.feed(DecisionTrace().reason(refusal.reason))
    assert [row[:2] for row in cells.rows[1:]] == [
        ["device memory", "1 GiB"],
        ["in use", "0 B"],
        ["device size", "4 GiB"],
        ["needed", "4 GiB"],
    ]
    assert [row[0] for row in cells.rows if "this is too much" in row[-1]] == ["needed"]
    assert DecisionTrace().reason(()) == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_table_is_accessible(theme: str) -> None:
    """The table has a row per step, headers with a scope, a caption, and says in words which step decides."""
    decision = get("rfc-2021").decide(ROOMY, 500 * GiB)
    text = DecisionTrace(theme=theme).html(decision, title="vm0")
    cells = Cells()
    cells.feed(text)
    assert [row[0] for row in cells.rows[1:]] == [step.name for step in decision.trace]
    assert [row[1] for row in cells.rows[1:]] == [step.shown for step in decision.trace]
    assert cells.scopes == ["col"] * 3 + ["row"] * len(decision.trace)
    assert "<caption" in text
    assert [row[0] for row in cells.rows if "this decides" in row[-1]] == ["needed"]


def test_texts_are_escaped() -> None:
    """Names and reasons of a user's own rule set are shown, not run."""
    step = TraceStep("<b>", 1, "a < b & c")
    text = DecisionTrace().html(Decision(1, 1, GiB, GiB, trace=(step,)), title="<script>")
    assert "<script>" not in text
    assert "<b>" not in text
    assert "a &lt; b &amp; c" in text


def test_update_and_description() -> None:
    """Updating fills the same element; the description has every step and marks the one that decides."""
    chart = DecisionTrace()
    root, decision = chart.root, get("qemu-10.0").decide(ROOMY, 512 * GiB, 2 * MiB)
    assert chart.describe() == NOTHING
    chart.update(decision, title="vm0")
    assert chart.root is root
    assert root.text == chart.html(decision, title="vm0")
    first, *steps = chart.describe().splitlines()
    assert first == f"vm0: {decision.count} x 4 GiB"
    assert len(steps) == len(decision.trace)
    assert [line.split(" = ")[0] for line in steps if line.endswith("<- decides")] == ["share"]


def test_direct_mapping_has_no_decision() -> None:
    """A DIMM's RAM is mapped directly: there is nothing to decide, and the text says so."""
    chart = DecisionTrace()
    chart.update(get("qemu-10.0").whole(GiB))
    assert chart.describe() == DIRECT
    assert DIRECT in chart.root.text
