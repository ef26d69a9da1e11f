"""Paste a QEMU command line: the map, the verdict, and, where there is a QEMU, the real thing beside it."""

import html
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from workbook.lib.errors import WorkbookError
from workbook.lib.explore.outcome import Outcome, Problem
from workbook.lib.qemu_args.reader import read_argv
from workbook.lib.rules import DEFAULT, RULE_SETS, get
from workbook.widgets.bokeh_figure import Displayed, Figure
from workbook.widgets.change import Change

from .outcome_view import OutcomeView, Theme

__all__ = ("CommandLine", "Judge")

Judge = Callable[[str], Sequence[tuple[str, str]]]
"""Runs a command line on a real QEMU: pairs of a title and what QEMU printed."""


class CommandLine(Displayed):
    """A text area for a command line, and what QEMU would do with it.

    Parameters
    ----------
    argv
        What stands in it at first.
    rules
        Rule set, by name.
    judge
        Plays the command line on a real QEMU; None hides the button.
    """

    def __init__(self, argv: str, rules: str = DEFAULT, *, judge: Judge | None = None, theme: Theme = "light") -> None:
        self._judge = judge
        self.view = OutcomeView(theme)
        self.text = widgets.Textarea(
            value=argv,
            description="Command",
            continuous_update=False,
            rows=6,
            layout=widgets.Layout(width="100%"),
            tooltip="A QEMU command line; options without influence on memslots are ignored",
        )
        self.rules = widgets.Dropdown(options=tuple(RULE_SETS), value=rules, description="Rule set")
        self._button = widgets.Button(
            description="Run it on this machine's QEMU",
            tooltip="Starts a QEMU for a moment, without a guest",
            layout=widgets.Layout(width="auto", display="" if judge else "none"),
        )
        self._live = widgets.HTML()
        self.text.observe(self._show, "value")
        self.rules.observe(self._show, "value")
        self._button.on_click(self._ask_qemu)
        super().__init__([self.text, widgets.HBox([self.rules, self._button]), self._live, self.view])
        self._show(None)

    def _show(self, _change: Change[str] | None) -> None:
        rules = get(self.rules.value)
        self._live.value = ""
        try:
            scenario = read_argv(self.text.value, rules=rules)
        except WorkbookError as error:
            self.outcome = Outcome.refused(Problem.of(error), rules)
        else:
            self.outcome = Outcome.of(scenario, rules)
        self.view.show(self.outcome)

    def _ask_qemu(self, _button: widgets.Button) -> None:
        assert self._judge is not None
        self._button.disabled = True
        try:
            shown = self._judge(self.text.value)
        except WorkbookError as error:
            shown = [("QEMU", str(error))]
        finally:
            self._button.disabled = False
        self._live.value = "".join(
            f"<b>{html.escape(title)}</b><pre tabindex='0'>{html.escape(text)}</pre>" for title, text in shown
        )

    def figures_within(self) -> tuple[Figure, ...]:
        """Return the figure of the picture."""
        return (self.view.figure,)

    def __repr__(self) -> str:
        return f"CommandLine({self.outcome.summary()})"
