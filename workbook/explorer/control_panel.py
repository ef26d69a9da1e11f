"""The panel of controls: every setting of a scenario, grouped, for all devices or for one."""

import html
from collections.abc import Callable, Collection
from typing import Any, Final

import ipywidgets as widgets

from workbook.lib.errors import BadInput
from workbook.lib.explore.settings import SETTINGS, Setting, virtio_mem_devices
from workbook.lib.scenario import Scenario

from .controls import Control, SizeControl, controls_for, mark

__all__ = ("ControlPanel",)

_GROUPS: Final = {
    "Devices": ("devices", "device_size", "requested_size", "block_size", "max_memslots"),
    "VM": ("maxmem", "ram", "ram_slots", "chipset", "accel"),
    "Who has memslots": ("kvm_slots", "vhost_slots", "vhost_place"),
    "What they cost": ("tdp_mmu", "smm", "nested"),
}
_ALL: Final = "all devices"


class ControlPanel(widgets.VBox):
    """Controls for one scenario.

    Parameters
    ----------
    turned
        Called with the setting, the new value and the device id (None: all devices) when a control is turned.
    complain
        Called with one clear line where what was typed cannot be read.
    """

    def __init__(self, turned: Callable[[Setting, Any, str | None], None], complain: Callable[[str], None]) -> None:
        self._turned = turned
        self._scenario: Scenario | None = None
        self.controls: dict[str, Control] = controls_for(SETTINGS.values(), self._changed, complain)
        self._device = widgets.Dropdown(
            options=[(_ALL, "")],
            description="Turn for",
            style={"description_width": "128px"},
            layout=widgets.Layout(width="auto", min_width="0"),
            tooltip="Which device the controls below turn",
        )
        self._device.observe(lambda _change: self._fill(), "value")
        groups = []
        for title, names in _GROUPS.items():
            parts = [self.controls[name].widget for name in names]
            if title == "Devices":
                parts.insert(1, self._device)
            heading = widgets.HTML(f"<b>{html.escape(title)}</b>")
            groups.append(widgets.VBox([heading, *parts], layout=widgets.Layout(margin="0 0 8px 0")))
        super().__init__(groups, layout=widgets.Layout(flex="0 0 352px", width="352px"))

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
            if name == "requested_size" and isinstance(control, SizeControl):
                control.show(value, limit=SETTINGS["device_size"].get(self._scenario, self.device))
            else:
                control.show(value)

    def _changed(self, setting: Setting, value: Any) -> None:
        self._turned(setting, value, self.device if setting.per_device else None)
