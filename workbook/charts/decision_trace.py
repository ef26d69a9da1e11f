"""Why a device has that many memslots: every step of the decision as a table that screen readers can read."""

from collections.abc import Sequence
from html import escape
from typing import Final

from bokeh.models.widgets import Div

from workbook.columns.theme import PLAIN_FONT, Theme, ThemeName, theme_of
from workbook.lib.errors import ReasonStep
from workbook.lib.rules.base import Decision
from workbook.lib.size import format_size
from workbook.lib.trace import DIRECT, binding_step

__all__ = ("DecisionTrace",)

NOTHING: Final = "No decision: nothing was cut into memslots."


class DecisionTrace:
    """A table of a decision's steps, in order; the step that decided is marked by words, weight and colour.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    root
        What to embed (needs Bokeh's component ``bokeh-widgets``); `html` gives the same table as text.
    decision
        What is shown; None for nothing.
    """

    def __init__(self, *, theme: ThemeName = "light") -> None:
        self.theme = theme_of(theme)
        self.decision: Decision | None = None
        self._title = ""
        self.root = Div(sizing_mode="stretch_width", text=self.html(None))

    def update(self, decision: Decision | None, *, title: str = "") -> None:
        """Show another decision; `title` says whose."""
        self.decision, self._title = decision, title
        self.root.text = self.html(decision, title=title)

    def html(self, decision: Decision | None, *, title: str = "") -> str:
        """Return the table as HTML without showing it."""
        if decision is None or not decision.trace:
            words = NOTHING if decision is None else DIRECT
            name = f"{escape(title)}: " if title else ""
            style = f"color:{self.theme.text};background:{self.theme.page};font-family:{PLAIN_FONT}"
            return f"<p style='{style}'>{name}{words}</p>"
        whose = f"{title}: " if title else ""
        return _table(decision.trace, binding_step(decision.trace), f"{whose}why {_result(decision)}", self.theme)

    def reason(self, steps: Sequence[ReasonStep]) -> str:
        """Return the numbers that lead to a refusal as a table; the last one is too large. Empty without any."""
        return _table(steps, len(steps) - 1, "why it is refused", self.theme, note="this is too much") if steps else ""

    def describe(self) -> str:
        """Return the decision in one line, and the steps below it."""
        if self.decision is None or not self.decision.trace:
            return NOTHING if self.decision is None else DIRECT
        binding = binding_step(self.decision.trace)
        lines = [f"{one}{' <- decides' if index == binding else ''}" for index, one in enumerate(self.decision.trace)]
        whose = f"{self._title}: " if self._title else ""
        return "\n".join([whose + _result(self.decision), *lines])


def _result(decision: Decision) -> str:
    return f"{decision.count:,} x {format_size(decision.memslot_size)}"


def _table(
    steps: Sequence[ReasonStep], binding: int | None, caption: str, theme: Theme, *, note: str = "this decides"
) -> str:
    # its own ground, as pictures have: the page around it may have the other theme
    ground = f"color:{theme.text};background:{theme.page}"
    line = f"border-bottom:1px solid {theme.faint}"
    cell = f"padding:3px 14px 3px 8px;{line};text-align:left;vertical-align:top;background:none"
    number = f"{cell};text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
    rows = []
    for index, step in enumerate(steps):
        binds = index == binding
        strong = f";border-left:4px solid {theme.accent};font-weight:700" if binds else ";font-weight:400"
        mark = f" <strong style='color:{theme.accent}'>&larr; {note}</strong>" if binds else ""
        rows.append(
            f"<tr><th scope='row' style='{cell}{strong}'>{escape(step.name)}</th>"
            f"<td style='{number}{';font-weight:700' if binds else ''}'>{escape(step.shown)}</td>"
            f"<td style='{cell}'>{escape(step.why)}{mark}</td></tr>"
        )
    head = "".join(
        f"<th scope='col' style='{style};color:{theme.muted};font-weight:600'>{name}</th>"
        for name, style in (("step", cell), ("value", number), ("how it comes about", cell))
    )
    return (
        f"<table style='border-collapse:collapse;font:12px/1.35 {PLAIN_FONT};margin:4px 0 12px;{ground}'>"
        f"<caption style='caption-side:top;text-align:left;font-size:14px;font-weight:700;padding:4px 8px 6px;"
        f"{ground}'>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
