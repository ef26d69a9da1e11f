"""The explorer: every setting of a VM as a control, and what follows from them as pictures and text."""

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Final, Protocol

import ipywidgets as widgets

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.pasted import Pasted
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.scenario_edits import requested, with_action, with_request
from workbook.lib.explore.settings import SETTINGS, Setting, SettingValue
from workbook.lib.explore.timeline import Problem
from workbook.lib.notes import Note
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.tables.comparison import differing
from workbook.widgets.bokeh_figure import Displayed, Figure
from workbook.widgets.form import Event, Form, Item
from workbook.widgets.styles import ALERT, styled

from .control_panel import ControlPanel, Settings, settings_items
from .outcome_view import OutcomeView, Theme
from .paste_box import PasteBox

__all__ = ("Explorer", "Running")

_BUTTONS: Final = (
    (
        "request",
        "Send request",
        "Send the requested size again; moving the slider afterwards sends another request",
    ),
    ("settle", "Guest follows", "The guest's driver plugs or unplugs until the request is met"),
    ("unplug_all", "Unplug all", "The guest's driver sends UNPLUG_ALL"),
    ("reset", "Reboot", "A system reset: everything is unplugged, the usable region may shrink"),
    ("start_over", "Start over", "Discard all requests and everything the guest did"),
    ("undo", "Undo", "Revert the last change"),
    ("redo", "Redo", "Repeat the change that was reverted"),
)
_TRAVEL: Final = ("undo", "redo")
_TOOLBAR_SETTINGS: Final = ("policy", "qemu")
CHOOSE: Final = "choose a preset ..."
MAX_UNDO: Final = 200
MAX_REPR: Final = 140
"""Characters of an outcome in the explorer's `repr`; the whole refusal stands above the picture."""


class Running(Protocol):
    """A machine that stands for a running VM, such as `workbook.live.attach.attach` returns."""

    @property
    def scenario(self) -> Scenario:
        """The VM as it started."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was assumed of it."""


@dataclass(frozen=True, slots=True)
class _State:
    """What undo brings back: the scenario, and the one it is compared with."""

    scenario: Scenario
    other: Scenario | None = None


class Explorer(Displayed):
    """Explore one scenario, or compare two.

    Parameters
    ----------
    scenario
        A `Scenario`, its saved text, or the name of a preset.
    rules
        A rule set of your own, or the name of one, in place of the scenario's.
    compare
        A second scenario to show beside it.
    here
        Reads what decides the cost of memslots on this host (`workbook.live.kvm.this_host`); None offers no button
        for it.
    running
        Reads a running VM, as ``lambda: attach("qmp.sock")`` does (`workbook.live.attach`); None offers no button for
        it. The VM is only read: what is turned and pressed happens to the model.
    theme
        ``light`` or ``dark``.
    follow
        Whether the guest's driver follows every request that a slider makes; a switch changes it.

    Notes
    -----
    Everything shown follows from `scenario`: setting it, or changing a control, redraws everything. Its `repr` is one
    stable line with the numbers.
    """

    def __init__(
        self,
        scenario: Scenario | str = "cover-letter",
        *,
        rules: RuleSet | str | None = None,
        compare: Scenario | str | None = None,
        here: Callable[[], KvmHost] | None = None,
        running: Callable[[], Running] | None = None,
        theme: Theme = "light",
        follow: bool = True,
    ) -> None:
        self._own_rules = None if rules is None else get(rules)
        self._here, self._running = here, running
        self._state = _State(self._taken(scenario, own=True), None if compare is None else self._taken(compare))
        self._past: list[_State] = []
        self._future: list[_State] = []
        self._sent = True
        self._dragged: tuple[str, str | None] | None = None
        self._undragged, self._again = self._state.scenario, True
        self._follow, self._cut = follow, True
        self._complaint = styled(widgets.HTML(), "complaint")
        self.view = OutcomeView(theme, apply=self._advised, moved=self._scrubbed)
        self._choices = Settings(_TOOLBAR_SETTINGS)
        self.toolbar = Form(self._tools(), self._on_tool, looks=["bar"])
        presets = [CHOOSE, *(one.title for one in PRESETS.values())]
        self.toolbar.show({}, {"preset": {"options": presets}})
        self.paste = PasteBox(self._opened, self._unreadable, self._on_saved, more=self._readers(), did=self._on_tool)
        self.paste.layout.display = "none"
        self.panel = ControlPanel(
            self._turned,
            lambda one: self._guarded(lambda: self._set(one)),
            self._on_tool,
            self._complain,
            flags=[_follow_item()],
            more=[_cut_item()],
            buttons=[_button(*one) for one in _BUTTONS if one[0] not in _TRAVEL],
        )
        # in place: a layout that is replaced stays alive in the kernel
        self.panel.layout.flex, self.panel.layout.width, self.panel.layout.overflow = "0 0 272px", "272px", "hidden"
        right = widgets.VBox([self.view], layout=widgets.Layout(flex="1 1 400px", min_width="0", margin="0 0 0 14px"))
        body = widgets.HBox(
            [self.panel, right],
            layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start", overflow="hidden"),
        )
        super().__init__([self.toolbar, self.paste, self._complaint, body])
        styled(self, "")
        self._show()

    def _tools(self) -> list[Item]:
        preset = {
            "name": "preset",
            "kind": "choice",
            "label": "Preset",
            "help": "Scenarios to start from",
            "bare": True,
        }
        travel = [_button(*one) for one in _BUTTONS if one[0] in _TRAVEL]
        return [
            preset,
            *settings_items(_TOOLBAR_SETTINGS),
            _button("compare", "Compare", "Keep this VM as B and go on changing A; differing settings are marked"),
            _button("swap", "Swap", "Exchange A and B; the controls always change A"),
            *travel,
            _button("paste_box", "Paste or share ...", "Open a command line, XML, a manifest or a saved state"),
        ]

    def _readers(self) -> tuple[Item, ...]:
        here = _button(
            "as_here", "Host settings of this machine", "Sets kernel, TDP MMU, SMM and nested as KVM has them"
        )
        running = _button("attach", "Read the running VM", "Opens the VM behind the monitor as it is now; only reads")
        return (*([here] if self._here else []), *([running] if self._running else []))

    # -- the scenario ---------------------------------------------------------------------------------------------

    @property
    def scenario(self) -> Scenario:
        """The scenario that is shown; assigning another one redraws everything and can be undone."""
        return self._state.scenario

    @scenario.setter
    def scenario(self, scenario: Scenario) -> None:
        self._set(scenario)

    @property
    def outcome(self) -> Outcome:
        """What follows from the scenario."""
        assert self.view.outcome is not None
        return self.view.outcome

    @property
    def compared(self) -> tuple[tuple[Scenario, RuleSet], ...]:
        """The scenario, and the one beside it if there is one, each with the rule set that decides it."""
        shown = [one for one in (self._state.scenario, self._state.other) if one is not None]
        return tuple((one, self._rules_of(one)) for one in shown)

    @property
    def state(self) -> str:
        """The scenario as text, which a new explorer opens; in a comparison A."""
        return str(self.scenario.to_json())

    def turn(self, name: str, value: SettingValue, device: str | None = None) -> "Explorer":
        """Change a setting by name, as its control does; returns the explorer, so that a cell can end in it."""
        if name not in SETTINGS:
            raise BadInput(f"there is no setting {name!r}: known are {', '.join(SETTINGS)}")
        self._turn(SETTINGS[name], value, device)
        return self

    def press(self, name: str) -> "Explorer":
        """Press a button by name: ``request``, ``settle``, ``unplug_all``, ``reset``, ``start_over``, ``undo`` ..."""
        self._sent = True
        match name:
            case "undo":
                self._travel(self._past, self._future)
            case "redo":
                self._travel(self._future, self._past)
            case "request":
                self._set(with_request(self.scenario, requested(self.scenario, self.panel.device), self.panel.device))
            case "start_over":
                self._set(replace(self.scenario, actions=()))
            case "settle" | "unplug_all" | "reset":
                self._set(with_action(self.scenario, name, self.panel.device))
            case _:
                raise BadInput(f"there is no button {name!r}: known are {', '.join(one[0] for one in _BUTTONS)}")
        return self

    def swap(self) -> "Explorer":
        """Exchange the scenario with the one beside it, which the controls then change."""
        if self._state.other is not None:
            self._sent = True
            self._change(_State(self._state.other, self._state.scenario))
        return self

    def compare(self, *, on: bool = True) -> "Explorer":
        """Keep the scenario as B beside itself, or show A alone."""
        if (self._state.other is None) == on:
            self._change(replace(self._state, other=self.scenario if on else None))
        return self

    def open_text(self, text: str) -> "Explorer":
        """Open a pasted text, as the paste box does, which says what it was taken for."""
        self.paste.layout.display = ""
        self.paste.read(text)
        return self

    def _turned(self, setting: Setting[SettingValue], value: SettingValue, device: str | None) -> None:
        self._guarded(lambda: self._turn(setting, value, device, follow=self._follow))

    def _turn(
        self, setting: Setting[SettingValue], value: SettingValue, device: str | None, *, follow: bool = False
    ) -> None:
        if not setting.is_event:
            self._set(setting.put(self.scenario, value, device))
            return
        setting.check(value)
        assert isinstance(value, int)  # what happens to a running VM is a request for a size
        one_drag = not self._sent and self._dragged == (setting.name, device)
        if not one_drag:
            self._undragged, self._again = self.scenario, self._sent
        before = self._undragged if one_drag and follow else self.scenario
        scenario = with_request(before, value, device, again=self._again if follow else self._sent)
        self._set(with_action(scenario, "settle", device) if follow else scenario, one_drag=one_drag)
        self._sent, self._dragged = False, (setting.name, device)

    def _set(self, scenario: Scenario, *, one_drag: bool = False) -> None:
        """Take a new scenario; `one_drag` goes on with the last change, which undo then takes back as a whole."""
        self._change(replace(self._state, scenario=self._taken(scenario)), one_drag=one_drag)

    def _change(self, state: _State, *, one_drag: bool = False) -> None:
        self._dragged = None
        if state != self._state:
            if not one_drag:
                self._past = [*self._past[-MAX_UNDO:], self._state]
            self._future = []
            self._state = state
        self._show()

    def _guarded(self, change: Callable[[], object]) -> None:
        """Apply a control's change; an invalid one is reported in one line, and the controls show what holds."""
        try:
            change()
        except BadInput as error:
            self._show()
            self._complain(str(error))

    def _complain(self, line: str) -> None:
        self._complaint.value = f"<div role='alert' style='{ALERT}'>{html.escape(line)}</div>"

    def _advised(self, scenario: Scenario) -> None:
        self._guarded(lambda: self._set(scenario))

    def _taken(self, given: Scenario | str, *, own: bool = False) -> Scenario:
        """Return the scenario of a preset, of a saved text, or as given, if its rule set is known."""
        scenario = _scenario_of(given)
        if own and self._own_rules is not None:
            return replace(scenario, rules=self._own_rules.name)
        self._rules_of(scenario)
        return scenario

    def _travel(self, source: list[_State], target: list[_State]) -> None:
        if source:
            target.append(self._state)
            self._state = source.pop()
            self._dragged = None
            self._show()

    # -- controls that are no settings ----------------------------------------------------------------------------

    def _on_tool(self, name: str, event: Event) -> None:
        self._guarded(lambda: self._do(name, event))

    def _do(self, name: str, event: Event) -> None:
        match name:
            case "preset":
                self._take_preset(event.get("at"))
            case "policy" | "qemu":
                self._turn(*self._choices.chosen(name, event), None)
            case "compare":
                self.compare(on=self._state.other is None)
            case "swap":
                self.swap()
            case "paste_box":
                hidden = self.paste.layout.display == "none"
                self.paste.layout.display = "" if hidden else "none"
                self._show_tools()
            case "follow":
                self._follow = bool(event.get("on"))
                self._show_tools()
            case "cut":
                self._cut = bool(event.get("on"))
                self.view.cut_unmapped(cut=self._cut)
                self._show_tools()
            case "as_here":
                self._take_host()
            case "attach":
                self._attach()
            case _:
                self.press(name)

    def _take_preset(self, at: object) -> None:
        names = list(PRESETS)
        if isinstance(at, int) and 0 < at <= len(names):
            self._sent = True
            self.view.notes = ()
            self._set(self._taken(names[at - 1], own=True))

    def _take_host(self) -> None:
        assert self._here is not None
        host = self._here()
        self._set(replace(self.scenario, tdp_mmu=bool(host.tdp_mmu), smm=host.smm, nested=host.nested))

    def _attach(self) -> None:
        assert self._running is not None
        machine = self._running()
        self._opened(Pasted(machine.scenario, "a running VM", machine.notes))

    def _opened(self, pasted: Pasted) -> None:
        self._sent = True
        self.view.notes = pasted.notes
        self._guarded(lambda: self._set(pasted.scenario))

    def _unreadable(self, refusal: Refusal) -> None:
        self._complaint.value = ""
        self.view.show(Outcome.refused(Problem.of(refusal), self._rules_of(self.scenario)))

    def _on_saved(self, text: str) -> None:
        if text != self.state:
            self._sent = True
            self._guarded(lambda: self._set(Scenario.from_json(text)))

    # -- what is shown --------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._complaint.value = ""
        self._whole = self._outcome_of(self.scenario)
        self._other = None if self._state.other is None else self._outcome_of(self._state.other)
        # the picture first: it is what takes a page longest
        self.view.show(self._whole, other=self._other)
        self._show_tools()

    def _show_tools(self) -> None:
        """Let all controls show what holds."""
        other = self._state.other
        differ = set() if other is None else {one.name for one in differing(self.scenario, other)}
        if "rules" in differ:
            differ |= set(_TOOLBAR_SETTINGS)
        self.panel.show_scenario(self.scenario, differ)
        self.panel.show({"follow": {"on": self._follow}, "cut": {"on": self._cut}})
        values, offers = self._choices.shown(self.scenario, lambda _setting: None, differ)
        values["qemu"] = {**values["qemu"], "hidden": values["qemu"].get("disabled", False)}
        comparing = other is not None
        self.toolbar.show(
            {
                **values,
                "preset": {"at": 0},
                "compare": {"pressed": comparing},
                "swap": {"hidden": not comparing},
                "undo": {"disabled": not self._past},
                "redo": {"disabled": not self._future},
                "paste_box": {"pressed": self.paste.layout.display != "none"},
            },
            offers or None,
        )
        self.paste.show_state(self.state)

    def _outcome_of(self, scenario: Scenario) -> Outcome:
        """Play a scenario: under the user's own rule set where it names that."""
        return Outcome.of(scenario, self._rules_of(scenario))

    def _rules_of(self, scenario: Scenario) -> RuleSet:
        own = self._own_rules
        return own if own is not None and own.name == scenario.rules else get(scenario.rules)

    def _scrubbed(self, position: int) -> None:
        self.view.show(self._whole.after(position), self._whole, self._other)

    def figures_within(self) -> tuple[Figure, ...]:
        """Return the figures of the picture, or of both."""
        return tuple(self.view.figures_within())

    def __repr__(self) -> str:
        shown = [one.summary() for one in (self.outcome, self._other) if one is not None]
        return f"Explorer({' | B: '.join(shorten(one, MAX_REPR, placeholder=' ...') for one in shown)})"


def _button(name: str, label: str, help_text: str) -> Item:
    return {"kind": "button", "name": name, "label": label, "help": help_text}


def _follow_item() -> Item:
    text = "after every request the guest's driver plugs or unplugs until it is met"
    return {"kind": "flag", "name": "follow", "label": "guest follows", "help": text}


def _cut_item() -> Item:
    text = "the map is to scale otherwise, and a few mapped memslots of a large device are narrow"
    return {"kind": "flag", "name": "cut", "label": "shorten unmapped runs", "help": text}


def _scenario_of(given: Scenario | str) -> Scenario:
    if isinstance(given, Scenario):
        return given
    if not isinstance(given, str):
        raise BadInput(f"an explorer opens a Scenario, its saved text or the name of a preset, not {given!r:.60}")
    if given.lstrip().startswith("{"):
        return Scenario.from_json(given)
    if given not in PRESETS:
        raise BadInput(f"there is no preset {given!r}: known are {', '.join(PRESETS)}")
    return PRESETS[given].scenario
