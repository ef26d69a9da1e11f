"""Curves: points as given, told apart by more than colour."""

import pytest

from workbook.charts import Curves
from workbook.charts.curves import DASHES, MARKERS, MOST
from workbook.columns.curve import MARKS, curve_columns, mark_columns
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB

SIZES = [GiB << power for power in range(11)]


def test_columns_are_the_points() -> None:
    """Numbers are handed on; the hover has them exactly, in units and in bytes."""
    columns = curve_columns((SIZES, [1] * 11), x_unit="bytes", y_unit="count")
    assert columns["x"].tolist() == SIZES
    assert columns["y"].tolist() == [1] * 11
    assert columns["x_text"][0] == "1 GiB (1,073,741,824 B)"
    assert columns["y_text"][0] == "1"


def test_markers_are_a_few_of_the_points() -> None:
    """A curve of many points has about as many markers as one of few, all of them points of the curve."""
    columns = curve_columns((range(1, 1001), range(1000)), x_unit="count", y_unit="count")
    for offset in range(0, 24, 3):
        marks = mark_columns(columns, offset)
        assert MARKS <= len(marks["x"]) <= MARKS + 2
        assert set(marks["x"]) <= set(columns["x"])


def test_update_keeps_the_objects() -> None:
    """Sources and renderers stay; curves that are no longer given are empty and out of the legend."""
    chart = Curves("memslots", steps=True)
    before = (*chart.figure.renderers, *chart.sources)
    chart.update({"a": (SIZES, SIZES), "b": (SIZES[:2], [1, 2]), "c": ([], [])})
    chart.update({"d": (SIZES[:3], [3, 2, 1])})
    assert all(old is new for old, new in zip(before, (*chart.figure.renderers, *chart.sources), strict=True))
    assert chart.sources[0].data["y"].tolist() == [3, 2, 1]
    assert [len(source.data["x"]) for source in chart.sources[1:]] == [0] * (MOST - 1)
    assert [item.label.value for item in chart.figure.legend.items] == ["d"]


def test_curves_differ_in_dash_marker_and_colour() -> None:
    """Every curve that fits into one chart has a dash, a marker and a colour of its own, on both pages."""
    assert len(set(map(str, DASHES))) == len(set(MARKERS)) == MOST
    for theme in ("light", "dark"):
        assert len(set(Curves(theme=theme).theme.series)) >= MOST


@pytest.mark.parametrize("curves", [{str(number): ([1], [1]) for number in range(MOST + 1)}, {"a": ([1, 2], [1])}])
def test_what_cannot_be_drawn(curves: dict[str, tuple[list[int], list[int]]]) -> None:
    """Too many curves, and unequal numbers of x and y, are refused with what to do."""
    with pytest.raises(BadInput, match=r"give at most|one list of each"):
        Curves().update(curves)


def test_a_refused_update_changes_nothing() -> None:
    """After a refusal the chart still shows and describes what it showed."""
    chart = Curves()
    chart.update({"a": (SIZES, range(11))})
    said = chart.describe()
    with pytest.raises(BadInput):
        chart.update({"b": ([1, 2], [1])})
    assert chart.describe() == said
    assert len(chart.sources[0].data["x"]) == 11


def test_description() -> None:
    """The description has each curve's ends and range."""
    chart = Curves(y_title="metadata", y_unit="bytes", y_log=True)
    assert chart.describe() == "No curves."
    chart.update({"one": ([GiB, 2 * GiB], [2 * MiB, 4 * MiB]), "none": ([], [])})
    assert chart.describe().splitlines() == [
        (
            "one: metadata 2 MiB (2,097,152 B) at 1 GiB (1,073,741,824 B), 4 MiB (4,194,304 B) at "
            "2 GiB (2,147,483,648 B); from 2 MiB (2,097,152 B) to 4 MiB (4,194,304 B)."
        ),
        "none: no points.",
    ]
