"""A form: many controls as one widget, described by data.

An ipywidgets control is three models and several messages a turn; a form is two models, and one message each way.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Final, TypeAlias

import anywidget
import traitlets

__all__ = ("Event", "Form", "Item", "Shown")

Item: TypeAlias = Mapping[str, object]
"""A control: ``kind`` (slider, choice, flag, text, area, button, tabs, player, order, or a group of ``items``),
``name``, ``label``, ``help``, and what else its kind has (see ``js/form.js``)."""
Shown: TypeAlias = Mapping[str, object]
"""What a control shows: ``at`` (position), ``text``, ``on`` or ``rows``; ``disabled``, ``hidden``, ``differs``."""
Event: TypeAlias = Mapping[str, object]
"""What a user did to a control: ``at``, ``text``, ``on``, or ``op`` and its arguments; empty for a button."""

_JS: Final = files(__package__) / "js"


class Form(anywidget.AnyWidget):
    """Controls in a column or, with the look ``bar``, in a row.

    Parameters
    ----------
    items
        The controls, from top to bottom.
    happened
        Called with a control's name and what the user did to it.
    looks
        CSS classes.
    explains
        Whether the help of the control that has the pointer or the focus stands at the end.

    Attributes
    ----------
    values
        Control's name -> what it shows.
    offers
        Control's name -> what it offers: ``texts`` of a slider's positions and ``marks`` below it, ``options`` of a
        choice. Apart from `values`, as it seldom changes.
    """

    _esm = (_JS / "form.js").read_text(encoding="utf-8")
    _css = (_JS / "form.css").read_text(encoding="utf-8")
    items: traitlets.List[dict[str, object]] = traitlets.List().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    offers = traitlets.Dict().tag(sync=True)
    looks: traitlets.List[str] = traitlets.List().tag(sync=True)
    explains = traitlets.Bool(default_value=False).tag(sync=True)
    ack = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        items: Sequence[Item],
        happened: Callable[[str, Event], None],
        *,
        looks: Sequence[str] = (),
        explains: bool = False,
    ) -> None:
        self._happened = happened
        super().__init__(items=[dict(one) for one in items], looks=list(looks), explains=explains)
        self.on_msg(self._received)

    def show(self, values: Mapping[str, Shown], offers: Mapping[str, Shown] | None = None) -> None:
        """Let these controls show something else; the others stay."""
        with self.hold_sync():
            if offers is not None:
                self.offers = {**self.offers, **offers}
            self.values = {**self.values, **values}

    def tell(self, name: str, **event: object) -> None:
        """Do what a user does, such as ``tell("rules", at=2)``; without a browser."""
        self._happened(name, event)

    def _received(self, _form: object, content: Mapping[str, object], _buffers: object) -> None:
        """Handle a message of the page; what it changes here goes back in one message, with its number."""
        name, number = content.get("name"), content.get("seq")
        if not isinstance(name, str) or not isinstance(number, int):
            return
        with self.hold_sync():
            try:
                self._happened(
                    name, {key: one for key, one in content.items() if key not in ("name", "seq", "replaces")}
                )
            finally:
                self.ack = number
