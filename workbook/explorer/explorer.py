"""The explorer: every setting of a VM as a control, and what follows from them as pictures and text."""

import html
from dataclasses import replace
from typing import Any, Final

import ipywidgets as widgets

from workbook.explorer.bokehjs import load_bokehjs
from workbook.explorer.controls import Control, SizeControl, controls_for
from workbook.explorer.outcome_view import OutcomeView, Theme
from workbook.lib.outcome import Outcome
from workbook.lib.presets import PRESETS
from workbook.lib.scenario import Scenario
from workbook.lib.settings import SETTINGS, Setting, requested, with_action, with_request
from workbook.lib.size import format_size

__all__ = ("Explorer",)

_GROUPS: Final = {
    "Device": ("device_size", "requested_size", "block_size", "max_memslots", "devices"),
    "VM": ("maxmem", "ram", "ram_slots", "chipset", "accel"),
    "Who has memslots": ("kvm_slots", "vhost_slots", "vhost_place"),
    "What they cost": ("tdp_mmu", "smm", "nested"),
}


class Explorer(widgets.VBox):
    """Explore one scenario.

    Parameters
    ----------
    scenario
        A `Scenario`, or the name of a preset.
    theme
        ``light`` or ``dark``.

    Notes
    -----
    Everything shown follows from `scenario`: setting it, or turning a control, redraws all. Its `repr` is one
    stable line with the numbers.
    """

    def __init__(self, scenario: Scenario | str = "cover-letter", *, theme: Theme = "light") -> None:
        load_bokehjs()
        self.view = OutcomeView(theme)
        self._scenario = PRESETS[scenario].scenario if isinstance(scenario, str) else scenario
        self.controls: dict[str, Control] = controls_for(SETTINGS.values(), self._changed, self._complain)
        self._sent = True
        self._complaint = widgets.HTML()
        self._history = widgets.HTML()
        self._preset = widgets.Dropdown(
            options=[("choose a preset ...", None), *((one.title, name) for name, one in PRESETS.items())],
            layout=widgets.Layout(width="330px"),
            tooltip="Scenarios to start from",
        )
        self._preset.observe(self._on_preset, "value")
        self.buttons = {
            name: widgets.Button(description=label, tooltip=tip, layout=widgets.Layout(width="auto"))
            for name, label, tip in (
                ("request", "Request", "Send this request; moving the slider then makes a further one"),
                ("settle", "Guest follows", "The guest's driver plugs or unplugs until the request is met"),
                ("unplug_all", "Guest unplugs all", "The guest's driver sends UNPLUG_ALL"),
                ("reset", "Reboot", "A system reset: everything is unplugged, the usable region may shrink"),
                ("start_over", "Start over", "Forget all requests and what the guest did"),
            )
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _button, name=name: self._act(name))
        toolbar = widgets.HBox(
            [self._preset, self.controls["rules"].widget, *self.buttons.values()],
            layout=widgets.Layout(flex_flow="row wrap", align_items="center"),
        )
        self.controls["rules"].widget.layout.width = "330px"
        body = widgets.HBox(
            [self._panel(), self.view], layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start")
        )
        super().__init__([toolbar, self._history, self._complaint, body])
        self._show()

    def _panel(self) -> widgets.Widget:
        groups = [
            widgets.VBox(
                [widgets.HTML(f"<b>{title}</b>"), *(self.controls[name].widget for name in names)],
                layout=widgets.Layout(margin="0 0 8px 0"),
            )
            for title, names in _GROUPS.items()
        ]
        return widgets.VBox(groups, layout=widgets.Layout(flex="0 0 380px", width="380px"))

    @property
    def scenario(self) -> Scenario:
        """The scenario that is shown; assigning another one redraws everything."""
        return self._scenario

    @scenario.setter
    def scenario(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._show()

    @property
    def outcome(self) -> Outcome:
        """What follows from the scenario."""
        assert self.view.outcome is not None
        return self.view.outcome

    def turn(self, name: str, value: Any) -> "Explorer":
        """Turn a setting by name, as its control does; returns the explorer, so that a cell can end in it."""
        self._changed(SETTINGS[name], value)
        return self

    def press(self, name: str) -> "Explorer":
        """Press a button by name: ``request``, ``settle``, ``unplug_all``, ``reset``, ``start_over``."""
        self._act(name)
        return self

    def _changed(self, setting: Setting, value: Any) -> None:
        if setting.name == "requested_size":
            sent, self._sent = self._sent, False
            self.scenario = with_request(self._scenario, value, again=sent)
        else:
            self.scenario = setting.put(self._scenario, value, None)

    def _act(self, name: str) -> None:
        self._sent = True
        if name == "request":
            self.scenario = with_request(self._scenario, requested(self._scenario))
        elif name == "start_over":
            self.scenario = replace(self._scenario, actions=())
        else:
            self.scenario = with_action(self._scenario, name)

    def _on_preset(self, change: Any) -> None:
        if change["new"] is not None:
            self._sent = True
            self.scenario = PRESETS[change["new"]].scenario
            self._preset.value = None

    def _complain(self, line: str) -> None:
        self._complaint.value = f"<div role='alert' style='color:#b3261e'>{html.escape(line)}</div>"

    def _show(self) -> None:
        self._complaint.value = ""
        outcome = Outcome.of(self._scenario)
        device_size = SETTINGS["device_size"].get(self._scenario, None)
        for name, control in self.controls.items():
            value = SETTINGS[name].get(self._scenario, None)
            if name == "requested_size" and isinstance(control, SizeControl):
                control.show(value, limit=device_size)
            else:
                control.show(value)
        self._history.value = f"<div style='opacity:.8'>{html.escape(_story(self._scenario))}</div>"
        self.view.show(outcome)

    def __repr__(self) -> str:
        return f"Explorer({self.outcome.summary()})"


def _story(scenario: Scenario) -> str:
    """Return what happened to the VM, in words."""
    words = {"settle": "guest follows", "unplug_all": "guest unplugs all", "reset": "reboot"}
    devices = {one.dev for one in scenario.actions if one.dev}
    steps = ["start"]
    for one in scenario.actions:
        what = f"request {format_size(one.size)}" if one.op == "request_size" else words.get(one.op, one.op)
        who = f" ({one.dev})" if one.dev and len(devices) > 1 else ""
        steps.append(what + who)
    return " → ".join(steps)
