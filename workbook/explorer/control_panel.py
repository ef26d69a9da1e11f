"""The panel of controls: every setting of a scenario, grouped, for all devices or for one."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import ipywidgets as widgets

from workbook.lib.errors import BadInput
from workbook.lib.explore.settings import SETTINGS, Group, Setting, SettingValue, virtio_mem_devices
from workbook.lib.scenario import Scenario

from .controls import Control, SliderControl, controls_for, mark

__all__ = ("ControlPanel",)

_ALL: Final = "all devices"


class ControlPanel(widgets.VBox):
    """Controls for one scenario.

    Parameters
    ----------
    turned
        Called with the setting, the new value and the device id (None: all devices) when a control is turned.
    complain
        Called with one clear line where what was typed cannot be read.
    below
        What stands below the controls.
    """

    def __init__(
        self,
        turned: Callable[[Setting[SettingValue], SettingValue, str | None], None],
        complain: Callable[[str], None],
        *,
        below: Sequence[widgets.Widget] = (),
    ) -> None:
        self._turned = turned
        self._scenario: Scenario | None = None
        self.controls: dict[str, Control] = controls_for(SETTINGS.values(), self._changed, complain)
        self._device = widgets.Dropdown(
            options=[(_ALL, "")],
            description="Applies to",
            style={"description_width": "104px"},
            layout=widgets.Layout(width="auto", min_width="0"),
            tooltip="Which device the controls change",
        )
        self._device.observe(lambda _change: self._fill(), "value")
        more = widgets.Accordion(
            children=[widgets.VBox(self._of("more"), layout=widgets.Layout(padding="0"))],
            titles=["More settings"],
            selected_index=None,
        )
        super().__init__(
            [self._device, *self._of("sliders"), *self._of("host"), more, *below],
            layout=widgets.Layout(flex="0 0 272px", width="272px", overflow="hidden"),
        )

    def _of(self, group: Group) -> list[widgets.Widget]:
        return [self.controls[name].widget for name, one in SETTINGS.items() if one.group == group]

    def show(self, scenario: Scenario) -> None:
        """Show another scenario."""
        self._scenario = scenario
        names = [str(one.id) for one in virtio_mem_devices(scenario)]
        # not None for all of them: a drop-down shows nothing where its value is None
        options = ((_ALL, ""), *((name, name) for name in names))
        if options != tuple(self._device.options):
            chosen = self._device.value if self._device.value in names else ""
            self._device.options = options
            self._device.value = chosen
        self._device.layout.display = "none" if len(names) < 2 else ""
        self._fill()

    def mark(self, names: Collection[str]) -> None:
        """Mark the controls of these settings, and no others."""
        for name, control in self.controls.items():
            mark(control, differs=name in names)

    @property
    def device(self) -> str | None:
        """The device that is turned; None for all."""
        return self._device.value or None

    def _fill(self) -> None:
        if self._scenario is None:
            return
        for name, control in self.controls.items():
            try:
                value = SETTINGS[name].get(self._scenario, self.device)
            except BadInput:
                control.enable(there=False)
                continue
            control.enable(there=True)
            upper = SETTINGS[name].upper_limit
            limit = SETTINGS[upper].get(self._scenario, self.device) if upper else None
            if isinstance(control, SliderControl) and isinstance(value, int) and isinstance(limit, int):
                control.show(value, limit=limit)
            else:
                control.show(value)

    def _changed(self, setting: Setting[SettingValue], value: SettingValue) -> None:
        self._turned(setting, value, self.device if setting.per_device else None)
