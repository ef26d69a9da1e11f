"""The paste box: anything that describes a VM, what it was taken for, and the notes on it."""

import html
from collections.abc import Callable

import ipywidgets as widgets

from workbook.lib.errors import Refusal, WorkbookError
from workbook.lib.explore.pasted import Pasted, read_pasted
from workbook.lib.explore.plug_order import places
from workbook.widgets.form import Event, Form, Item
from workbook.widgets.styles import ALERT, styled

from .outcome_text import notes_list

__all__ = ("PasteBox",)

_HELP = (
    "A shell line, output of ps, /proc/PID/cmdline, libvirt XML, a KubeVirt object, lines of the monitor or QMP, a "
    "configuration file, or the text of a shared state"
)


class PasteBox(widgets.VBox):
    """A text area, a button that opens what stands there, and what was made of it.

    Parameters
    ----------
    opened
        Called with what was read.
    refused
        Called with QEMU's or libvirt's refusal to read it.
    saved
        Called with a state that was pasted into the field of the state; `BadInput` where it is none.
    more
        Further items in the row of the button.
    did
        Called with the name of one of these.
    """

    def __init__(
        self,
        opened: Callable[[Pasted], None],
        refused: Callable[[Refusal], None],
        saved: Callable[[str], None],
        *,
        more: tuple[Item, ...] = (),
        did: Callable[[str, Event], None] = lambda _name, _event: None,
    ) -> None:
        self._opened, self._refused, self._saved, self._did = opened, refused, saved, did
        share = {"name": "state", "kind": "text", "label": "Share as text"}
        self.form = Form(
            [
                {
                    "name": "paste",
                    "kind": "area",
                    "label": "Paste a VM",
                    "help": _HELP,
                    "placeholder": f"{_HELP}. It opens when the box is left, or by Open.",
                    "rows": 3,
                },
                {
                    "kind": "group",
                    "look": "row",
                    "items": [
                        {
                            "name": "open",
                            "kind": "button",
                            "label": "Open",
                            "help": "Read the text, and explore that VM",
                        },
                        *more,
                        {**share, "help": "The whole state: copy it and keep it, or paste another one"},
                    ],
                },
            ],
            self._happened,
            looks=["paste"],
        )
        self.result = styled(widgets.HTML(), "pasted")
        super().__init__([self.form, self.result])

    def show_state(self, text: str) -> None:
        """Show the text of another state."""
        self.form.show({"state": {"text": text}})

    def read(self, text: str) -> None:
        """Read a text, and hand it on; say what it was taken for, or in one line why it cannot be read."""
        self.form.show({"paste": {"text": text}})
        if not text.strip():
            self.result.value = ""
            return
        try:
            found = read_pasted(text)
            if found.failure is not None:
                raise found.failure
        except Refusal as refusal:
            who = html.escape(str(refusal.who))
            self.result.value = _line(f"{who} refuses this VM; what is shown below is still the one before")
            self._refused(refusal)
            return
        except WorkbookError as error:
            self.result.value = f"<div role='alert' style='{ALERT}'>{html.escape(str(error))}</div>"
            return
        asked = [one for one in places(found.scenario) if one.assumed is not None and not one.limit]
        asks = "".join(
            f"<li><b>assumed</b> {html.escape(one.name)}: {one.assumed} memslots; what does yours report? "
            "Give its number or its program in <i>Plug order</i></li>"
            for one in asked
        )
        self.result.value = (
            _line(f"Read as {html.escape(found.read_as)}, under the rules of {html.escape(found.scenario.rules)}")
            + (f"<ul class='notes'>{asks}</ul>" if asks else "")
            + notes_list(found.notes)
        )
        self._opened(found)

    def _happened(self, name: str, event: Event) -> None:
        text = str(event.get("text", ""))
        if name == "paste":
            self.read(text)
        elif name == "open":
            self.read(str(self.form.values.get("paste", {}).get("text", "")))
        elif name == "state":
            self._saved(text)
        else:
            self._did(name, event)


def _line(text: str) -> str:
    return f"<div role='status'><b>{text}</b></div>"
