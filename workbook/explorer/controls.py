"""Controls: one ipywidgets control per setting of a scenario.

Every control shows the value that the scenario holds and hands a new one on; it keeps no value of its own.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import ipywidgets as widgets

from workbook.lib.errors import BadInput
from workbook.lib.explore.settings import Setting, SettingValue
from workbook.lib.size import format_size, parse_size, shown_size
from workbook.widgets.change import Change

__all__ = (
    "ChoiceControl",
    "Control",
    "CountControl",
    "FlagControl",
    "LimitControl",
    "SizeControl",
    "SliderControl",
    "control_for",
    "mark",
)

_STYLE: Final = {"description_width": "104px"}
_WIDE: Final = {"width": "auto", "min_width": "0"}
_STRETCHED: Final = {**_WIDE, "flex": "1 1 auto"}
CUSTOM: Final = "custom"
DIFFERS: Final = "memslots-differs"
"""CSS class of a control whose setting differs from what it is compared with."""


class Control(Protocol):
    """What the control panel needs of a control."""

    widget: widgets.Widget

    def show(self, value: Any) -> None:
        """Show a value without telling anybody."""

    def enable(self, *, there: bool) -> None:
        """Let the user turn it, or not where the scenario has nothing of the kind."""


def mark(control: Control, *, differs: bool) -> None:
    """Mark a control whose setting differs from what it is compared with, or take the mark away."""
    if differs:
        control.widget.add_class(DIFFERS)
    else:
        control.widget.remove_class(DIFFERS)


Changed = Callable[[SettingValue], None]
Complain = Callable[[str], None]


NO_LIMIT: Final = -1
"""Stands for None on a slider, which cannot have that value."""


def _key(value: int | None) -> int:
    return NO_LIMIT if value is None else value


class SliderControl:
    """A slider over the values that matter, and a field beside it that takes any other."""

    def __init__(self, setting: Setting[int | None], changed: Changed, complain: Complain) -> None:
        self._setting, self._changed, self._complain = setting, changed, complain
        self._quiet, self._there = False, True
        self._shown: int | None = None
        self._limit: int | None = None
        self._offered: tuple[int | None, ...] = tuple(value for _, value in setting.choices)
        self._slider = self._slider_over(self._offered[0])
        self._field = widgets.Text(
            continuous_update=False,
            layout=widgets.Layout(width="104px"),
            tooltip=f"{setting.label}: {self._any}",
        )
        self._field.observe(self._on_field, "value")
        self.widget = widgets.HBox([self._slider, self._field], layout=widgets.Layout(width="auto", flex="0 0 auto"))
        self.widget.add_class("memslots-slider")

    _any = "any value"

    def _text(self, value: int | None) -> str:
        """Return a value as the field shows it."""
        raise NotImplementedError

    def _value(self, text: str) -> int | None:
        """Return what was typed; `BadInput` where it cannot be read."""
        raise NotImplementedError

    def _slider_over(self, value: int | None) -> widgets.SelectionSlider:
        slider = widgets.SelectionSlider(
            options=tuple((self._text(one), _key(one)) for one in self._offered),
            value=_key(value),
            description=self._setting.label,
            layout=widgets.Layout(width="auto"),
            readout=False,
            tooltip=self._setting.help,
            disabled=not self._there,
        )
        slider.observe(self._on_slider, "value")
        return slider

    def show(self, value: int | None, *, limit: int | None = None) -> None:
        """Show `value`; values above `limit` are not offered."""
        self._quiet, self._shown = True, value
        try:
            largest = max((one for one in self._offered if one is not None), default=0)
            too_large = limit is not None and value is not None and value <= limit < largest
            if limit != self._limit or value not in self._offered or too_large:
                self._offer(value, limit)
            self._slider.value = _key(value)
            self._field.value = self._text(value)
        finally:
            self._quiet = False

    def _offer(self, value: int | None, limit: int | None) -> None:
        """Offer other values, on a slider of their own.

        A slider in a page whose options change under its handle returns a value that the user did not choose.
        """
        # what was typed once stays on offer: a slider must not be replaced while it is dragged
        values = set(self._offered if limit == self._limit else (one for _, one in self._setting.choices))
        kept = {one for one in values if limit is None or one is None or one <= limit} | {value}
        kept |= set() if limit is None else {limit}
        self._limit = limit
        self._offered = tuple(sorted(kept, key=lambda one: (one is not None, one or 0)))
        self._slider.close()
        self._slider = self._slider_over(value)
        self.widget.children = (self._slider, self._field)

    def _on_slider(self, change: Change[int]) -> None:
        if not self._quiet:
            self._changed(None if change["new"] == NO_LIMIT else change["new"])

    def _on_field(self, change: Change[int | str]) -> None:
        if self._quiet:
            return
        try:
            value = self._value(str(change["new"]))
        except BadInput as error:
            self._restore()
            self._complain(str(error))
            return
        if value == self._shown:
            self._restore()
        else:
            self._changed(value)

    def _restore(self) -> None:
        """Show again what holds, where what was typed does not."""
        self._quiet = True
        self._field.value = self._text(self._shown)
        self._quiet = False

    def enable(self, *, there: bool) -> None:
        """Let the user turn it, or not."""
        self._there = there
        self._slider.disabled = self._field.disabled = not there


class SizeControl(SliderControl):
    """A slider over round sizes; the field takes any size that QEMU takes."""

    _any = "any size, such as 100.5G"

    def _text(self, value: int | None) -> str:
        return shown_size(value or 0)

    def _value(self, text: str) -> int | None:
        size: int = parse_size(text, name=self._setting.label)
        return size


class LimitControl(SliderControl):
    """A logarithmic slider over memslot limits that kernels and back ends have; the field takes any number."""

    _any = "any number of memslots"

    def _text(self, value: int | None) -> str:
        if value is None:
            return "none"
        # a back end without CONFIGURE_MEM_SLOTS has a limit all the same
        known = {one: label.partition(" (")[0] + "*" for label, one in self._setting.choices if one == 0}
        return known.get(value, f"{value:,}")

    def _value(self, text: str) -> int | None:
        plain = text.strip().replace(",", "")
        for one in self._offered:
            if text.strip() == self._text(one):
                return one
        if not plain.isascii() or not plain.isdigit() or len(plain) > len(str(1 << 32)):
            allowed = ", or none" if None in self._offered else ""
            raise BadInput(f"{self._setting.label} {text!r:.40}: give a number of memslots{allowed}")
        return int(plain)


class CountControl:
    """A choice of usual numbers, and a field for any other."""

    def __init__(self, setting: Setting[int], changed: Changed, complain: Complain) -> None:
        self._setting, self._changed, self._complain = setting, changed, complain
        self._quiet = False
        self._shown: int | None = None
        self._values = dict(setting.choices)
        self._choice: widgets.Dropdown | None = None
        self._field = widgets.IntText(
            description="" if setting.choices else setting.label,
            style=_STYLE,
            continuous_update=False,
            layout=widgets.Layout(width="96px", flex="0 0 auto") if setting.choices else widgets.Layout(**_STRETCHED),
            tooltip=f"{setting.label}: any number",
        )
        self._field.observe(self._on_field, "value")
        children: list[widgets.Widget] = [self._field]
        if setting.choices:
            # by label: a drop-down shows nothing where its value is None
            self._choice = widgets.Dropdown(
                options=(*self._values, CUSTOM),
                description=setting.label,
                style=_STYLE,
                layout=widgets.Layout(**_STRETCHED),
                tooltip=setting.help,
            )
            self._choice.observe(self._on_choice, "value")
            children.insert(0, self._choice)
        self.widget = widgets.HBox(children, layout=widgets.Layout(**_WIDE))

    def show(self, value: int | None) -> None:
        """Show `value`."""
        label = next((label for label, one in self._values.items() if one == value), CUSTOM)
        self._quiet, self._shown = True, value
        try:
            if self._choice is not None:
                self._choice.value = label
                self._show_field(shown=label == CUSTOM)
            self._field.value = value or 0
        finally:
            self._quiet = False

    def _show_field(self, *, shown: bool) -> None:
        self._field.layout.display = "" if shown else "none"

    def _on_choice(self, change: Change[str]) -> None:
        if self._quiet:
            return
        if change["new"] == CUSTOM:
            self._show_field(shown=True)
            return
        self._changed(self._values[change["new"]])

    def _on_field(self, change: Change[int]) -> None:
        if self._quiet:
            return
        if change["new"] < 0:
            self._quiet = True
            self._field.value = self._shown or 0
            self._quiet = False
            self._complain(f"{self._setting.label} {change['new']} is negative: give 0 or more")
            return
        self._changed(change["new"])

    def enable(self, *, there: bool) -> None:
        """Let the user turn it, or not."""
        self._field.disabled = not there
        if self._choice is not None:
            self._choice.disabled = not there


class ChoiceControl:
    """A choice among fixed values."""

    def __init__(self, setting: Setting[SettingValue], changed: Changed, _complain: Complain) -> None:
        self._changed, self._quiet = changed, False
        self.widget = widgets.Dropdown(
            options=setting.choices,
            description=setting.label,
            style=_STYLE,
            layout=widgets.Layout(**_WIDE),
            tooltip=setting.help,
        )
        self.widget.observe(self._on_change, "value")

    def show(self, value: SettingValue) -> None:
        """Show `value`; one that is not offered yet is added."""
        self._quiet = True
        try:
            if value not in {one for _, one in self.widget.options}:
                label = format_size(value) if isinstance(value, int) else str(value)
                self.widget.options = (*self.widget.options, (label, value))
            self.widget.value = value
        finally:
            self._quiet = False

    def enable(self, *, there: bool) -> None:
        """Let the user turn it, or not: then it shows nothing."""
        self.widget.disabled = not there
        if not there:
            self._quiet = True
            self.widget.value = None
            self._quiet = False

    def _on_change(self, change: Change[SettingValue]) -> None:
        if not self._quiet:
            self._changed(change["new"])


class FlagControl:
    """A check box."""

    def __init__(self, setting: Setting[SettingValue], changed: Changed, _complain: Complain) -> None:
        self._changed, self._quiet = changed, False
        self.widget = widgets.Checkbox(
            description=setting.label,
            indent=False,
            layout=widgets.Layout(width="auto", margin="0"),
            tooltip=setting.help,
        )
        self.widget.observe(self._on_change, "value")

    def show(self, value: SettingValue) -> None:
        """Show `value`."""
        self._quiet = True
        try:
            self.widget.value = bool(value)
        finally:
            self._quiet = False

    def enable(self, *, there: bool) -> None:
        """Let the user turn it, or not."""
        self.widget.disabled = not there

    def _on_change(self, change: Change[bool]) -> None:
        if not self._quiet:
            self._changed(change["new"])


_KINDS: Final[dict[str, Callable[[Setting[Any], Changed, Complain], Control]]] = {
    "size": SizeControl,
    "count": CountControl,
    "limit": LimitControl,
    "choice": ChoiceControl,
    "flag": FlagControl,
}


def control_for(setting: Setting[SettingValue], changed: Changed, complain: Complain) -> Control:
    """Return the control that fits a setting.

    Parameters
    ----------
    changed
        Called with the new value.
    complain
        Called with one clear line where the input cannot be read.
    """
    return _KINDS[setting.kind](setting, changed, complain)


def controls_for(
    settings: Iterable[Setting[SettingValue]],
    changed: Callable[[Setting[SettingValue], SettingValue], None],
    complain: Complain,
) -> dict[str, Control]:
    """Return the controls of several settings by name."""

    def one(setting: Setting[SettingValue]) -> Control:
        return control_for(setting, lambda value: changed(setting, value), complain)

    return {setting.name: one(setting) for setting in settings}
