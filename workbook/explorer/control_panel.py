"""The panel of controls: every setting of a scenario, grouped, for all devices or for one, and the plug order."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from workbook.lib.consumers.known_backends import KNOWN_BACKENDS
from workbook.lib.errors import BadInput
from workbook.lib.explore import plug_order
from workbook.lib.explore.scenario_edits import virtio_mem_devices
from workbook.lib.explore.settings import SETTINGS, Group, Setting, SettingValue
from workbook.lib.scenario import Scenario, VfioDevice, VhostDevice
from workbook.lib.size import format_size
from workbook.widgets.form import Event, Form, Item, Shown

from .scales import Scale, scale_of

__all__ = ("ControlPanel", "Settings", "settings_items")

_ALL: Final = "all devices"
_ADD: Final = (
    ("vhost", "+ vhost", "Plug another vhost-user back end, behind all devices"),
    ("vfio", "+ VFIO", "Plug a host device (vfio-pci), behind all devices"),
)
_ASK: Final = "what does yours report? A number of memslots, or the program"


class Settings:
    """What controls of settings show of a scenario, and what a user has chosen there.

    Parameters
    ----------
    names
        Of the settings.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._settings = {name: SETTINGS[name] for name in names}
        self._scales: dict[str, Scale] = {
            name: scale_of(one) for name, one in self._settings.items() if one.kind in {"size", "limit"}
        }
        self._options: dict[str, tuple[tuple[str, SettingValue], ...]] = {}
        self._offered: dict[str, Shown] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._settings

    def shown(
        self, scenario: Scenario, device: Callable[[Setting[SettingValue]], str | None], differ: Collection[str] = ()
    ) -> tuple[dict[str, Shown], dict[str, Shown]]:
        """Return what the controls show, and what they offer where that has changed since the last time."""
        values: dict[str, Shown] = {}
        offers: dict[str, Shown] = {}
        for name, setting in self._settings.items():
            offer = self._offered.get(name)
            try:
                value = setting.get(scenario, device(setting))
            except BadInput:
                values[name] = {"disabled": True}
            else:
                values[name] = {**self._value(setting, value, scenario, device(setting)), "differs": name in differ}
            if name in self._scales and (offer is None or self._offered.get(name) is not offer):
                offers[name] = self._offered.setdefault(name, self._scales[name].offer())
            elif setting.kind == "choice":
                offer = {"options": [label for label, _ in self._options.get(name, setting.choices)]}
                if offer != self._offered.get(name):
                    offers[name] = self._offered[name] = offer
        return values, offers

    def _value(
        self, setting: Setting[SettingValue], value: SettingValue, scenario: Scenario, device: str | None
    ) -> dict[str, object]:
        if setting.name in self._scales:
            scale = self._scales[setting.name]
            upper = SETTINGS[setting.upper_limit].get(scenario, device) if setting.upper_limit else None
            assert value is None or isinstance(value, int)
            if scale.show(value, upper if isinstance(upper, int) else None):
                self._offered[setting.name] = scale.offer()
            return {"at": scale.offered.index(value), "text": scale.text(value)}
        if setting.kind == "choice":
            options = self._options.get(setting.name, setting.choices)
            if value not in {one for _, one in options}:
                label = format_size(value) if isinstance(value, int) else str(value)
                options = self._options[setting.name] = (*options, (label, value))
            return {"at": [one for _, one in options].index(value)}
        return {"on": bool(value)} if setting.kind == "flag" else {"text": str(value)}

    def chosen(self, name: str, event: Event) -> tuple[Setting[SettingValue], SettingValue]:
        """Return the setting and the value that a user's act asks for.

        Raises
        ------
        BadInput
            What was typed cannot be read.
        """
        setting, at = self._settings[name], event.get("at")
        if setting.kind == "flag":
            return setting, bool(event.get("on"))
        if name in self._scales:
            scale = self._scales[name]
            if isinstance(at, int):
                return setting, scale.offered[min(max(at, 0), len(scale.offered) - 1)]
            return setting, scale.value(str(event.get("text", "")))
        if setting.kind == "choice":
            options = self._options.get(name, setting.choices)
            if not isinstance(at, int) or not 0 <= at < len(options):
                raise BadInput(f"{setting.label}: choice {at!r:.20} does not exist")
            return setting, options[at][1]
        return setting, _count(setting, str(event.get("text", "")))


def _count(setting: Setting[SettingValue], text: str) -> int:
    plain = text.strip().replace(",", "")
    digits = plain.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > len(str(1 << 64)):
        raise BadInput(f"{setting.label} {text!r:.40}: give a whole number")
    if plain.startswith("-"):
        raise BadInput(f"{setting.label} {plain} is negative: give 0 or more")
    return int(plain)


def settings_items(names: Iterable[str], *, bare: bool = False) -> list[Item]:
    """Return controls of settings; `bare` ones show no label."""
    return [_item(SETTINGS[name], bare=bare) for name in names]


def _item(setting: Setting[SettingValue], *, bare: bool) -> Item:
    item: dict[str, object] = {"name": setting.name, "label": setting.label, "help": setting.help, "bare": bare}
    if setting.kind in {"size", "limit"}:
        return {**item, "kind": "slider", "any": scale_of(setting).any}
    return {**item, "kind": {"choice": "choice", "flag": "flag"}.get(setting.kind, "text")}


class ControlPanel(Form):
    """Controls for one scenario.

    Parameters
    ----------
    turned
        Called with the setting, the new value and the device id (None: all devices) when a control is turned.
    replaced
        Called with the scenario in which the plug order, or what a back end reports, is another.
    did
        Called with the name of every other control, and what was done to it.
    complain
        Called with one clear line where what was typed cannot be.
    flags, more, buttons
        Items of the explorer's own: beside the flags, below *More settings*, in the row of buttons.
    """

    def __init__(
        self,
        turned: Callable[[Setting[SettingValue], SettingValue, str | None], None],
        replaced: Callable[[Scenario], None],
        did: Callable[[str, Event], None],
        complain: Callable[[str], None],
        *,
        flags: Sequence[Item] = (),
        more: Sequence[Item] = (),
        buttons: Sequence[Item] = (),
    ) -> None:
        self._turned, self._replaced, self._did, self._complain = turned, replaced, did, complain
        self._scenario: Scenario | None = None
        self._differ: Collection[str] = ()
        self._names: list[str] = []
        self._device: str | None = None
        self._backend: str | None = None
        self.settings = Settings(name for name, one in SETTINGS.items() if one.group not in {"toolbar", "hidden"})
        device = {"name": "device", "kind": "choice", "label": "Applies to", "help": "which device the controls change"}
        super().__init__(
            [
                device,
                *settings_items(_of("sliders")),
                _order(),
                *settings_items(_of("host")),
                {"kind": "group", "look": "flags", "items": [*settings_items(_of("flags")), *flags]},
                {"kind": "group", "look": "buttons", "items": list(buttons)},
                {
                    "kind": "group",
                    "label": "More settings",
                    "help": "what is seldom turned",
                    "items": [*settings_items(_of("more")), *more],
                },
            ],
            self._on_event,
            looks=["panel"],
            explains=True,
        )

    @property
    def device(self) -> str | None:
        """The device that is turned; None for all."""
        return self._device

    def show_scenario(self, scenario: Scenario, differ: Collection[str] = ()) -> None:
        """Show another scenario, and mark the settings that differ from what it is compared with."""
        self._scenario, self._differ = scenario, differ
        self._names = [str(one.id) for one in virtio_mem_devices(scenario)]
        if self._device not in self._names:
            self._device = None
        backends = [one.id for one in scenario.devices if isinstance(one, VhostDevice)]
        if self._backend not in backends:
            self._backend = backends[0] if backends else None
        self._fill()

    def _of_setting(self, setting: Setting[SettingValue]) -> str | None:
        if setting.name == "vhost_slots":
            return self._backend
        return self._device if setting.per_device else None

    def _fill(self) -> None:
        if self._scenario is None:
            return
        values, offers = self.settings.shown(self._scenario, self._of_setting, self._differ)
        names = [_ALL, *self._names]
        at = names.index(self._device) if self._device else 0
        values["device"] = {"at": at, "hidden": len(self._names) < 2}
        if self.offers.get("device") != {"options": names}:
            offers["device"] = {"options": names}
        values["order"] = self._rows(self._scenario)
        self.show(values, offers or None)

    def _rows(self, scenario: Scenario) -> Shown:
        places = plug_order.places(scenario)
        rows = [
            {
                "name": one.name,
                "kind": one.device.type,
                "what": one.what,
                "title": f"{one.name}: {one.what}",
                "limit": one.limit,
                "placeholder": "" if one.assumed is None else f"{one.assumed} assumed",
                "help": f"{one.assumed} assumed: {_ASK}" if one.assumed is not None and not one.limit else _ASK,
                "selected": one.device.id == self._backend,
                "removable": isinstance(one.device, VhostDevice | VfioDevice),
            }
            for one in places
        ]
        asked = [one.name for one in places if one.assumed is not None and not one.limit]
        several = sum(one.assumed is not None for one in places) > 1
        return {"rows": rows, "several": several, "asks": f"{', '.join(asked)}: {_ASK}?" if asked else ""}

    def _on_event(self, name: str, event: Event) -> None:
        if name == "device":
            at = event.get("at")
            self._device = self._names[at - 1] if isinstance(at, int) and 0 < at <= len(self._names) else None
            self._fill()
        elif name == "order":
            self._on_order(event)
        elif name in self.settings:
            try:
                setting, value = self.settings.chosen(name, event)
            except BadInput as error:
                self._fill()
                self._complain(str(error))
                return
            self._turned(setting, value, self._of_setting(setting))
        else:
            self._did(name, event)

    def _on_order(self, event: Event) -> None:
        assert self._scenario is not None
        row, by = event.get("row"), event.get("by")
        at = row if isinstance(row, int) else -1
        try:
            match event.get("op"):
                case "add":
                    scenario = plug_order.added(self._scenario, str(event.get("kind")))
                case "move":
                    scenario = plug_order.moved(self._scenario, at, by if isinstance(by, int) else 0)
                case "remove":
                    scenario = plug_order.removed(self._scenario, at)
                case "limit":
                    scenario = plug_order.reporting(self._scenario, at, str(event.get("text", "")))
                case _:
                    self._backend = self._scenario.devices[at].id
                    self._fill()
                    return
        except BadInput as error:
            self._fill()
            self._complain(str(error))
            return
        self._replaced(scenario)


def _of(group: Group) -> list[str]:
    return [name for name, one in SETTINGS.items() if one.group == group]


def _order() -> Item:
    return {
        "name": "order",
        "kind": "order",
        "label": "Plug order",
        "help": "who is plugged first decides first; a back end's limit is a number of memslots or its program",
        "add": [list(one) for one in _ADD],
        "known": [*KNOWN_BACKENDS, *(one for one in plug_order.PROGRAMS if one not in KNOWN_BACKENDS)],
        "pick": "the vhost memslots slider sets this back end",
    }
