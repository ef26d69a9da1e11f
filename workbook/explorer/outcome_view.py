"""The picture of one outcome, or of two: tiles, verdict, charts, timeline, and a drawer with the reason and texts."""

import html
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal

import ipywidgets as widgets

from workbook.charts import DecisionTrace, OutcomeCharts
from workbook.charts.comparison import ComparisonCharts
from workbook.lib.explore.advice import Advice, advise, binding, smallest_limits
from workbook.lib.explore.outcome import Outcome
from workbook.lib.scenario import Scenario
from workbook.tables.comparison import difference
from workbook.widgets.bokeh_figure import Figure
from workbook.widgets.form import Event, Form
from workbook.widgets.styles import style_sheet, styled

from .outcome_text import (
    deciding_line,
    events,
    links,
    notes_list,
    preformatted,
    steps_table,
    tiles,
    verdict,
)

if TYPE_CHECKING:
    from workbook.lib.notes import Note

__all__ = ("TABS", "OutcomeView", "Theme")

Theme = Literal["light", "dark"]
TABS: Final = (
    "Why",
    "Difference",
    "Steps",
    "Events",
    "Notes",
    "info mtree",
    "info mtree -f",
    "Command line",
    "libvirt XML",
    "Numbers",
    "Save",
)
MOST_ADVICE: Final = 6
"""Pieces of advice that are shown at once."""


class OutcomeView(widgets.VBox):
    """Shows an `Outcome`, or two; figures are built once and get new data.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.
    apply
        Called with the scenario of a piece of advice that the user takes; None offers no advice.
    moved
        Called with the number of actions to show, when the timeline moves.

    Attributes
    ----------
    outcome, other
        What is shown; `other` is B of a comparison.
    notes
        Of the text that the VM was read from.
    """

    def __init__(
        self,
        theme: Theme = "light",
        *,
        apply: Callable[[Scenario], None] | None = None,
        moved: Callable[[int], None] = lambda _position: None,
    ) -> None:
        self.outcome: Outcome | None = None
        self.other: Outcome | None = None
        self.notes: tuple[Note, ...] = ()
        self._apply, self._moved, self._theme = apply, moved, theme
        self._whole: Outcome | None = None
        self._last: Outcome | None = None
        self._tab = 0
        self.found: tuple[Advice, ...] = ()
        self.charts = OutcomeCharts(theme=theme, compact=True)
        self.charts.memory_map.cut_unmapped = True
        self.compared_charts: ComparisonCharts | None = None
        self.compared_figure: Figure | None = None
        self.trace = DecisionTrace(theme=theme)
        self._notice = styled(widgets.HTML(), "verdict")
        self._summary = styled(widgets.HTML(), "tiles")
        self._text = styled(widgets.HTML(), "table")
        advice = [
            {"kind": "button", "name": str(number), "label": "", "help": "Apply this change"}
            for number in range(MOST_ADVICE)
        ]
        self.advice = Form(advice, self._take, looks=["bar", "advice"])
        tabs = {"kind": "tabs", "name": "tab", "label": "Texts", "options": list(TABS)}
        self.tabs = Form([tabs], self._on_tab)
        step = {
            "kind": "player",
            "name": "step",
            "label": "Step",
            "help": "The step shown; Home and End go to its ends",
        }
        self.timeline = Form([step], self._on_step)
        self.figure = self._figure(self.charts.root)
        self._pictures = widgets.VBox(
            [self.figure, self.timeline], layout=widgets.Layout(flex="1 1 540px", min_width="0")
        )
        drawer = widgets.VBox([self.tabs, self._text], layout=widgets.Layout(flex="1 1 400px", min_width="0"))
        below = widgets.Box(
            [self._pictures, drawer],
            layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start", width="100%"),
        )
        super().__init__(
            [style_sheet(), self._summary, self._notice, self.advice, below],
            layout=widgets.Layout(width="100%", min_width="0"),
        )
        styled(self, "")

    def _figure(self, root: object) -> Figure:
        figure = Figure(root, page=self.charts.memory_map.theme.page)
        figure.layout.width = "100%"
        figure.add_class("memslots-picture-Memory_map,_cost_and_slot_budget")
        return figure

    def show(self, outcome: Outcome, whole: Outcome | None = None, other: Outcome | None = None) -> None:
        """Show another outcome.

        Parameters
        ----------
        whole
            All of what happens, where `outcome` is a moment of it.
        other
            The outcome beside it.
        """
        self.outcome, self._whole, self.other = outcome, whole or outcome, other
        self._draw()
        name_a, name_b = ("A", "B") if other else ("", "")
        self._summary.value = tiles(outcome, name_a) + (tiles(other, name_b) if other else "")
        self._summary.layout.height = "92px" if other else "48px"
        said = [verdict(outcome, name_a), verdict(other, name_b) if other else ""]
        self._advise(outcome)
        binds = binding(self.found)
        decides = (
            f"<b>Limited by:</b> {html.escape(binds)}{self._smallest(outcome)}" if binds else deciding_line(outcome)
        )
        self._notice.value = f"{''.join(said)}<div class='decides'>{decides}</div>"
        steps = self._whole.steps
        position = max(len(outcome.steps) - 1, 0)
        titles = [f"{number} of {len(steps) - 1}: {one.title}" for number, one in enumerate(steps)]
        if self.timeline.offers.get("step") != {"texts": titles}:
            self.timeline.show({"step": {"at": position}}, {"step": {"texts": titles}})
        else:
            self.timeline.show({"step": {"at": position}})
        self._show_tab()

    @property
    def position(self) -> int:
        """Number of actions that are shown."""
        return max(len(self.outcome.steps) - 1, 0) if self.outcome else 0

    def move(self, position: int) -> None:
        """Go to a step, as the timeline does."""
        self._moved(position)

    def cut_unmapped(self, *, cut: bool) -> None:
        """Shorten long runs of memslots that are not mapped, or draw them to scale."""
        self.charts.memory_map.cut_unmapped = cut
        if self.compared_charts:
            self.compared_charts.a.cut_unmapped = cut
        if self.outcome is not None:
            self._draw()

    def _draw(self) -> None:
        """Draw first: every other message makes the page paint something before the charts."""
        assert self.outcome is not None
        # where QEMU does not start, the last picture stays, greyed
        drawn = self.outcome if self.outcome.layout or self._last is None else self._last
        self._last = self.outcome if self.outcome.layout else self._last
        if self.other is not None:
            if self.compared_charts is None:
                self.compared_charts = ComparisonCharts(theme=self._theme)
                self.compared_charts.update(drawn, self.other)
                self.compared_figure = self._figure(self.compared_charts.root)
                self._pictures.children = (self.figure, self.compared_figure, self.timeline)
            figure = self.compared_figure
            assert figure is not None
            with figure.held():
                self.compared_charts.update(drawn, self.other)
        else:
            figure = self.figure
            with figure.held():
                self.charts.update(drawn, self._whole if drawn is self.outcome else drawn)
        if drawn is self.outcome:
            figure.remove_class("memslots-stale")
        else:
            figure.add_class("memslots-stale")
        for one in (self.figure, self.compared_figure):
            if one is not None:
                one.layout.display = "" if one is figure else "none"

    def _advise(self, outcome: Outcome) -> None:
        """Offer changes that help, each a button that makes it."""
        self.found = () if self._apply is None else tuple(advise(outcome))[:MOST_ADVICE]
        values: dict[str, dict[str, object]] = {str(number): {"hidden": True} for number in range(MOST_ADVICE)}
        for number, one in enumerate(self.found):
            values[str(number)] = {"label": f"Try: {one.text}"}
        if self.advice.values != values:
            self.advice.show(values)

    def _smallest(self, outcome: Outcome) -> str:
        """Return the smallest limits that help, in words."""
        answers = [f"{limit:,} for {who}" for who, limit in smallest_limits(outcome, self.found)]
        return f"; the smallest limit that helps: {', '.join(answers)}" if answers else ""

    def _take(self, name: str, _event: Event) -> None:
        if self._apply is not None and int(name) < len(self.found):
            self._apply(self.found[int(name)].scenario)

    def _on_step(self, _name: str, event: Event) -> None:
        at = event.get("at")
        if isinstance(at, int):
            self._moved(at)

    def _on_tab(self, _name: str, event: Event) -> None:
        at = event.get("at")
        if isinstance(at, int) and 0 <= at < len(TABS):
            self.open_tab(TABS[at])

    def open_tab(self, name: str) -> None:
        """Open a tab of the drawer."""
        self._tab = TABS.index(name)
        self._show_tab()

    @property
    def text(self) -> str:
        """HTML of the open tab."""
        return str(self._text.value)

    def _show_tab(self) -> None:
        """Fill the open tab only: filling others would only take time."""
        if self.tabs.values.get("tab") != {"at": self._tab}:
            self.tabs.show({"tab": {"at": self._tab}})
        if self.outcome is not None:
            self._text.value = self._tab_text(TABS[self._tab], self.outcome)

    def _tab_text(self, name: str, outcome: Outcome) -> str:
        match name:
            case "Why":
                return self._why(outcome)
            case "Difference":
                if self.other is None:
                    return preformatted(["Nothing to compare with: Compare keeps this VM as B."])
                return str(difference(outcome, self.other)._repr_html_())
            case "Steps":
                return steps_table(self._whole.steps if self._whole else (), self.position)
            case "Events":
                return events(outcome)
            case "Notes":
                return notes_list(self.notes) or preformatted(["No note: the VM was not read from a text."])
            case "info mtree":
                return preformatted(outcome.info_mtree.splitlines())
            case "info mtree -f":
                return preformatted(outcome.info_mtree_flat.splitlines())
            case "Command line":
                return preformatted([shlex.join(outcome.command_line)], wrap=True)
            case "libvirt XML":
                return preformatted(outcome.domain_xml.splitlines())
            case "Save":
                return links(outcome)
        charts = self.charts if self.other is None or self.compared_charts is None else self.compared_charts
        return preformatted(charts.describe().splitlines(), wrap=True)

    def _why(self, outcome: Outcome) -> str:
        devices = outcome.layout.devices if outcome.layout else ()
        decisions = [self.trace.html(one.decision, title=one.id) for one in devices if one.type == "virtio-mem"]
        refused = self.trace.reason(outcome.problem.reason) if outcome.problem else ""
        return refused + "".join(decisions) or preformatted(["No decision was made: see the message above."])

    def figures_within(self) -> Iterable[Figure]:
        """Return the figures."""
        return tuple(one for one in (self.figure, self.compared_figure) if one is not None)
