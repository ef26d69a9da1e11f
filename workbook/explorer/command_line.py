"""Paste a QEMU command line: the whole explorer on it, and, where there is a QEMU, the real thing beside it."""

import html
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from workbook.lib.errors import WorkbookError
from workbook.lib.rules import DEFAULT
from workbook.widgets.form import Event, Form
from workbook.widgets.styles import styled

from .explorer import Explorer
from .outcome_view import Theme

__all__ = ("CommandLine", "Judge")

Judge = Callable[[str], Sequence[tuple[str, str]]]
"""Runs a command line on a real QEMU: pairs of a title and what QEMU printed."""


class CommandLine(Explorer):
    """An explorer that opens with a text in its paste box, under the rules of one QEMU.

    Parameters
    ----------
    argv
        What stands in the box at first.
    rules
        Rule set, by name.
    judge
        Plays the command line on a real QEMU; None hides the button.
    """

    def __init__(self, argv: str, rules: str = DEFAULT, *, judge: Judge | None = None, theme: Theme = "light") -> None:
        self._judge = judge
        super().__init__(theme=theme)
        self.open_text(argv)
        self.turn("rules", rules)
        run = {
            "kind": "button",
            "name": "judge",
            "label": "Run it on this machine's QEMU",
            "help": "Starts a QEMU for a moment, without a guest",
        }
        self._run = Form([run], self._ask_qemu, looks=["bar"])
        self._live = styled(widgets.HTML(), "pasted")
        if judge is not None:
            self.paste.children = (*self.paste.children, self._run, self._live)

    def _ask_qemu(self, _name: str, _event: Event) -> None:
        assert self._judge is not None
        text = str(self.paste.form.values["paste"]["text"])
        self._run.show({"judge": {"disabled": True}})
        try:
            shown = self._judge(text)
        except WorkbookError as error:
            shown = [("QEMU", str(error))]
        finally:
            self._run.show({"judge": {"disabled": False}})
        self._live.value = "".join(
            f"<b>{html.escape(title)}</b><pre tabindex='0'>{html.escape(said)}</pre>" for title, said in shown
        )

    def __repr__(self) -> str:
        return f"CommandLine({self.outcome.summary()})"
