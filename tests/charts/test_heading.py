"""Headings: title and legend as text above a figure, and inside it for saved pictures."""

import pytest

from workbook.charts import ListenerEvents, MemoryMap, OutcomeCharts, OverheadBars, SlotBudget
from workbook.charts.drawing import figure_in
from workbook.charts.heading import Heading
from workbook.columns.theme import THEMES, Theme, theme_of
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.size import GiB

PAGES = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


def html(heading: Heading) -> str:
    """What stands above the figure."""
    return str(heading._html.html)


@PAGES
def test_title_and_legend_are_text(theme: Theme) -> None:
    """Every entry of the legend stands in the text, with a swatch that screen readers pass over."""
    plot = figure_in(theme)
    heading = Heading(plot, theme, "name", "Title", {"mapped": theme.look("full"), "empty": theme.look("empty")})
    text = html(heading)
    assert text.count("aria-hidden='true'") == 2
    assert all(words in text for words in ("Title", "mapped", "empty", theme.look("full").fill, theme.text))


def test_texts_are_escaped() -> None:
    """A name of a user's own cannot become markup."""
    theme = theme_of("light")
    text = html(Heading(figure_in(theme), theme, "name", "<b>", {"a < b": theme.look("full")}))
    assert "<b>" not in text
    assert "a &lt; b" in text


@pytest.mark.parametrize("chart", [MemoryMap(), OverheadBars(), SlotBudget(), ListenerEvents()])
def test_inside_for_saved_pictures(chart: MemoryMap | OverheadBars | SlotBudget | ListenerEvents) -> None:
    """Title and legend are inside the figure too, hidden; on the page the legend has what is drawn, no more."""
    if isinstance(chart, OverheadBars):
        chart.update({"now": KvmHost(tdp_mmu=False).metadata([GiB])})
    [legend], title = chart.figure.legend, chart.figure.title
    assert not legend.visible
    assert not title.visible
    assert title.text in html(chart._heading)
    entries = [item.label["value"] for item in legend.items]
    assert entries
    shown = [one for one in entries if f">{one}<" in html(chart._heading)]
    if isinstance(chart, OverheadBars):
        assert shown == ["rmap", "gfn_track", "lpage_info"]
    elif not isinstance(chart, ListenerEvents):
        assert shown == []
    assert not any(one.visible for item in legend.items for one in item.renderers)


def test_a_saved_picture_says_what_it_is_of() -> None:
    """Settings and verdict are inside every figure of an outcome, hidden on the page, on lines that fit."""
    charts = OutcomeCharts()
    outcome = Outcome.of(PRESETS["kata-virtiofsd"].scenario)
    charts.update(outcome)
    for chart in (charts.memory_map, charts.overhead, charts.budget):
        details = chart._heading._details
        assert details in chart.figure.above
        assert not details.visible
        text = " ".join(details.text.split())
        assert "vu0 509 memslots; vm0 30 GiB; KVM 32,764 memslots, shadow paging" in text
        assert outcome.summary() in text
        assert max(map(len, details.text.splitlines())) <= 96


@PAGES
def test_every_hatch_has_a_swatch(theme: Theme) -> None:
    """What has a hatch in the picture has stripes or dots in the legend; what has none is plain."""
    for role, look in theme.looks.items():
        text = html(Heading(figure_in(theme), theme, "name", "", {role: look}))
        background = text[text.index("background:") :]
        assert ("repeating" in background or "radial" in background) == (look.hatch != " "), role


def test_another_legend_leaves_nothing_behind() -> None:
    """However often the legend changes, the figure has a sample for each of its entries and no more."""
    chart = OverheadBars()
    chart.update({"now": KvmHost().metadata([GiB])})
    before = len(chart.figure.renderers)
    for _ in range(3):
        chart.update({})
        chart.update({"now": KvmHost().metadata([GiB])})
    assert len(chart.figure.renderers) == before
