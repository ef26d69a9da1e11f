"""Memslot budget: pieces follow each other on a logarithmic axis, and over-commit is a piece of its own."""

from itertools import pairwise
from math import log

from hypothesis import given, strategies as st

from workbook.charts import SlotBudget
from workbook.charts.slot_budget import NO_LIMITS
from workbook.columns.slot_budget import FLOOR, slot_budget_columns
from workbook.columns.theme import theme_of
from workbook.lib.machine.snapshot import Consumer, Layout

LIGHT = theme_of("light")
numbers = st.integers(0, 40_000)
consumers = st.builds(
    Consumer, name=st.just("KVM"), limit=st.integers(1, 32764), boot=numbers, used=numbers, reserved=numbers
)


@given(consumers)
def test_pieces_add_up_to_the_limit(one: Consumer) -> None:
    """Pieces follow each other, their numbers add up to the limit, and what exceeds it lies behind."""
    columns = slot_budget_columns([one], LIGHT)
    taken = one.boot + one.used + one.reserved
    assert one.limit is not None
    number = {role: int(text.replace(",", "")) for role, text in zip(columns["role"], columns["memslots"], strict=True)}
    within = [number.get(role, 0) for role in ("boot", "used", "reserved", "free")]
    assert sum(within) == one.limit
    assert number.get("free", 0) == max(one.limit - taken, 0)
    assert number.get("over", 0) == max(taken - one.limit, 0)
    ends = list(zip(columns["left"], columns["right"], strict=True))
    assert ends[0][0] == FLOOR
    assert all(left[1] == right[0] for left, right in pairwise(ends))
    assert ends[-1][1] == max(taken, one.limit)


def test_numbers_of_the_model(two_devices: Layout) -> None:
    """The bars of KVM and of a back end with 64 memslots have the layout's numbers."""
    chart = SlotBudget()
    source = chart.source
    chart.update(two_devices.consumers)
    assert chart.source is source
    kvm, backend = two_devices.consumers
    assert chart.describe().splitlines() == [
        f"KVM (32,764 memslots): {kvm.boot} boot + {kvm.used} used + {kvm.reserved} reserved, {kvm.free:,} free.",
        f"vu0 (64 memslots): {backend.boot} boot + {backend.used} used + {backend.reserved} reserved, 49 free.",
    ]


def test_few_of_many_can_be_seen() -> None:
    """28 of 32,764 memslots take a tenth of the axis and more."""
    chart = SlotBudget()
    chart.update([Consumer("KVM", 32764, 7, 21, 479)])
    span = log(chart.figure.x_range.end / chart.figure.x_range.start)
    right = chart.source.data["right"][chart.source.data["role"].index("used")]
    assert log(right / chart.figure.x_range.start) / span > 0.3
    assert chart.figure.x_range.end > 32764


def test_over_commit_is_distinct() -> None:
    """Promised memslots that do not exist are a piece behind the limit with a look of its own, and in the words."""
    chart = SlotBudget()
    chart.update([Consumer("vu0", 64, 2, 21, 60)])
    data = chart.source.data
    assert data["role"] == ["boot", "used", "reserved", "over"]
    assert data["left"][-1] == 64
    assert len(set(data["role"])) == 4
    assert data["right"][-1] == 83
    assert "19 TOO MANY" in chart.names.data["numbers"][0]
    assert "19 TOO MANY" in chart.describe()


def test_no_limit_and_nobody() -> None:
    """A consumer without a limit has words instead of a bar; without consumers the title says so."""
    chart = SlotBudget()
    assert chart.describe() == chart.figure.title.text == NO_LIMITS
    chart.update([Consumer("vu0", None, 2, 3, 4)])
    assert chart.source.data["left"] == []
    assert chart.describe() == "vu0: 2 boot + 3 used + 4 reserved, no limit."


def test_rows_keep_their_height() -> None:
    """With more consumers the figure grows instead of squeezing their texts."""
    chart = SlotBudget()
    heights = []
    for count in (1, 2, 4):
        chart.update([Consumer(f"vu{number}", 32, 1, 1, 1) for number in range(count)])
        heights.append(chart.figure.height)
    assert heights[0] == heights[1] < heights[2]
