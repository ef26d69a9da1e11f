"""Tables: aligned text that nbval compares, HTML for the page."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.rules import Budget, get
from workbook.lib.size import GiB
from workbook.tables.table import Table, cost_table, trace_table


def test_text_is_aligned() -> None:
    """Words stand to the left, numbers to the right with thousands separated, and no line ends in blanks."""
    table = Table.of(["name", "bytes", "fits"], [["a", 1234567, True], ["long name", 8, False]])
    assert repr(table) == (
        "name           bytes  fits\n---------  ---------  ----\na          1,234,567   yes\nlong name          8    no"
    )


def test_an_empty_table_shows_its_columns() -> None:
    """Without rows the names are there."""
    assert repr(Table.of(("a", "b"), ())) == "a  b\n-  -"
    assert Table.of(("a", "b"), ())._repr_html_().count("<th") - 1 == 2


@given(st.lists(st.tuples(st.text(max_size=9).map(lambda text: " ".join(text.split())), st.integers()), max_size=5))
def test_every_value_is_there(rows: list[tuple[str, int]]) -> None:
    """Text and HTML have a line for every row; what is in a cell is never markup."""
    table = Table.of(("<b>", "n"), rows)
    assert len(repr(table).splitlines()) >= len(rows) + 2 if rows else True
    page = table._repr_html_()
    assert page.count("<tr>") == len(rows) + 1
    assert page.count("<td") == 2 * len(rows)
    assert "<b>" not in page
    assert all(f"{number:,}" in page for _, number in rows)


def test_a_row_that_does_not_fit_is_an_error() -> None:
    """A row with too many or too few values is not silently cut."""
    for row in ((1,), (1, 2, 3)):
        with pytest.raises((ValueError, IndexError)):
            repr(Table.of(("a", "b"), [row]))


def test_cost_part_by_part() -> None:
    """The parts of a cost add up to its total, which stands in the last row."""
    cost = KvmHost(tdp_mmu=False).metadata([GiB] * 21)
    table = cost_table(cost)
    assert table.columns == ("part", "bytes", "formula", "source")
    *parts, total = table.rows
    assert sum(row[1] for row in parts) == total[1] == cost.total
    assert all(row[2] and row[3] for row in parts)


def test_trace_step_by_step() -> None:
    """Every intermediate value of a decision is a row, in order, with how it comes about."""
    decision = get("rfc-2021").decide(Budget(device_memory_size=500 * GiB, kvm_max=32764, kvm_free=32755), 500 * GiB)
    table = trace_table(decision)
    assert [row[0] for row in table.rows] == [step.name for step in decision.trace]
    assert all(row[1] and row[2] for row in table.rows)
    assert "1 GiB" in repr(table)
