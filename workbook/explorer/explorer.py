"""The explorer: every setting of a VM as a control, and what follows from them as pictures and text."""

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Final

import ipywidgets as widgets

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS, Setting, SettingValue, requested, with_action, with_request
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.tables.comparison import difference, differing
from workbook.widgets.bokeh_figure import Displayed, Figure
from workbook.widgets.change import Change
from workbook.widgets.styles import ALERT, styled

from .control_panel import ControlPanel
from .controls import Control, control_for, mark
from .outcome_view import OutcomeView, Theme
from .timeline_bar import TimelineBar

__all__ = ("Explorer",)

_BUTTONS: Final = (
    (
        "request",
        "Send request again",
        "Send the requested size again; moving the slider afterwards sends another request",
    ),
    ("settle", "Guest follows", "The guest's driver plugs or unplugs until the request is met"),
    ("unplug_all", "Guest unplugs all", "The guest's driver sends UNPLUG_ALL"),
    ("reset", "Reboot", "A system reset: everything is unplugged, the usable region may shrink"),
    ("start_over", "Start over", "Discard all requests and everything the guest did"),
    ("undo", "Undo", "Revert the last change"),
    ("redo", "Redo", "Repeat the change that was reverted"),
)
CHOOSE: Final = "choose a preset ..."
MAX_UNDO: Final = 200
MAX_REPR: Final = 140
"""Characters of an outcome in the explorer's `repr`; the whole refusal stands above the picture."""


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
        theme: Theme = "light",
        follow: bool = True,
    ) -> None:
        self._own_rules = None if rules is None else get(rules)
        self._here = here
        self._state = _State(self._taken(scenario, own=True), None if compare is None else self._taken(compare))
        self._past: list[_State] = []
        self._future: list[_State] = []
        self._sent = True
        self._dragged: tuple[str, str | None] | None = None
        self._undragged, self._again = self._state.scenario, True
        self._arranged: bool | None = None
        self._complaint = widgets.HTML()
        self._theme = theme
        self.view = OutcomeView(theme, apply=self._set)
        self.other_view: OutcomeView | None = None
        self.timeline = TimelineBar(self._scrubbed)
        self._difference = styled(widgets.HTML(), "table")
        self._titles = (widgets.HTML("<h3>A</h3>"), widgets.HTML("<h3>B</h3>"))
        self._rules: Control = control_for(
            SETTINGS["rules"], lambda name: self._turned(SETTINGS["rules"], name, None), self._complain
        )
        self._body = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start"))
        toolbar = self._toolbar()
        actions = styled(widgets.Box([*self._actions(), self._as_here]), "buttons")
        self._follow = widgets.Checkbox(
            description="Guest follows",
            value=follow,
            indent=False,
            layout=widgets.Layout(width="auto"),
            tooltip="After every request the guest's driver plugs or unplugs until it is met",
        )
        self.panel = ControlPanel(self._turned, self._complain, below=[self._follow, actions])
        super().__init__([toolbar, self._body, self._complaint, self.timeline])
        styled(self, "")
        self._show()

    def _toolbar(self) -> widgets.Widget:
        self._preset = widgets.Dropdown(
            options=[(CHOOSE, CHOOSE), *((one.title, name) for name, one in PRESETS.items())],
            layout=widgets.Layout(width="190px"),
            tooltip="Scenarios to start from",
        )
        self._preset.observe(self._on_preset, "value")
        self.buttons = {
            name: widgets.Button(description=label, tooltip=tip, layout=widgets.Layout(width="auto"))
            for name, label, tip in _BUTTONS
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _button, name=name: self._guarded(lambda: self.press(name)))
        self._as_here = widgets.Button(
            description="Take host settings from this machine",
            tooltip="Sets TDP MMU, SMM and nested guests as KVM has them here",
            layout=widgets.Layout(width="auto", display="" if self._here else "none"),
        )
        self._as_here.on_click(lambda _button: self._guarded(self._take_host))
        self._compare = widgets.ToggleButton(
            description="Compare",
            value=self._state.other is not None,
            tooltip="Keep this scenario as B and go on changing A; differing settings are marked",
            layout=widgets.Layout(width="auto"),
        )
        self._compare.observe(self._on_compare, "value")
        self._swap = widgets.Button(
            description="Swap A and B",
            tooltip="Exchange A and B; the controls always change A",
            layout=widgets.Layout(width="auto", display="none"),
        )
        self._swap.on_click(lambda _button: self.swap())
        self.saved = widgets.Text(
            description="State",
            continuous_update=False,
            layout=widgets.Layout(flex="1 1 100px", min_width="0"),
            style={"description_width": "40px"},
            tooltip="The whole state as text: copy it, keep it, paste another one",
        )
        self.saved.observe(self._on_saved, "value")
        rules = self._rules.widget
        rules.layout.width = "190px"
        rules.style.description_width = "56px"
        travel = [self.buttons["undo"], self.buttons["redo"]]
        row = [self._preset, rules, self._compare, self._swap, *travel, self.saved]
        return widgets.HBox(row, layout=widgets.Layout(align_items="center"))

    def _actions(self) -> list[widgets.Button]:
        return [one for name, one in self.buttons.items() if name not in ("undo", "redo")]

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

    def _turned(self, setting: Setting[SettingValue], value: SettingValue, device: str | None) -> None:
        self._guarded(lambda: self._turn(setting, value, device, follow=self._follow.value))

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

    # -- controls of the toolbar ----------------------------------------------------------------------------------

    def _take_host(self) -> None:
        assert self._here is not None
        host = self._here()
        self._set(replace(self.scenario, tdp_mmu=bool(host.tdp_mmu), smm=host.smm, nested=host.nested))

    def _on_preset(self, change: Change[str]) -> None:
        if change["new"] != CHOOSE:
            self._sent = True
            self._set(self._taken(change["new"], own=True))
            self._preset.value = CHOOSE

    def _on_compare(self, change: Change[bool]) -> None:
        other = self.scenario if change["new"] else None
        if (self._state.other is None) != (other is None):
            self._change(replace(self._state, other=other))

    def _on_saved(self, change: Change[str]) -> None:
        if change["new"] != self.scenario.to_json():
            self._sent = True
            self._guarded(lambda: self._set(Scenario.from_json(change["new"])))

    # -- what is shown --------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        """Put one picture beside the controls, or two."""
        comparing = self._state.other is not None
        self._compare.value = comparing
        self._swap.layout.display = "" if comparing else "none"
        if comparing == self._arranged:
            return
        self._arranged = comparing
        for figure in self.figures_within():
            # the pictures move, and so get new views
            figure.refresh()
        columns = [[self._titles[0], self.view], [self._titles[1], self.other_view]] if comparing else [[self.view]]
        pictures = widgets.HBox(
            [
                widgets.VBox(one, layout=widgets.Layout(flex="1 1 420px", min_width="0", margin="0 8px 0 0"))
                for one in columns
            ],
            layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start", width="100%"),
        )
        right = [self._difference, pictures] if comparing else [pictures]
        room = widgets.Layout(flex="1 1 400px", min_width="0", margin="0 0 0 14px")
        self._body.children = (self.panel, widgets.VBox(right, layout=room))

    def _show(self) -> None:
        self._complaint.value = ""
        self._whole = self._outcome_of(self.scenario)
        self._other = None if self._state.other is None else self._outcome_of(self._state.other)
        # the picture first: it is what takes a page longest
        self._draw(self._whole)
        if self._other is not None:
            self.other_view = self.other_view or OutcomeView(self._theme)
            self.other_view.show(self._other)
        self._arrange()
        self.panel.show(self.scenario)
        other = self._state.other
        differ = set() if other is None else {one.name for one in differing(self.scenario, other)}
        self.panel.mark(differ)
        mark(self._rules, differs="rules" in differ)
        self._rules.show(self.scenario.rules)
        self.saved.value = self.scenario.to_json()
        self.buttons["undo"].disabled = not self._past
        self.buttons["redo"].disabled = not self._future
        self.timeline.show(self._whole.steps)

    def _outcome_of(self, scenario: Scenario) -> Outcome:
        """Play a scenario: under the user's own rule set where it names that."""
        return Outcome.of(scenario, self._rules_of(scenario))

    def _rules_of(self, scenario: Scenario) -> RuleSet:
        own = self._own_rules
        return own if own is not None and own.name == scenario.rules else get(scenario.rules)

    def _scrubbed(self, position: int) -> None:
        self._draw(self._whole.after(position))

    def _draw(self, outcome: Outcome) -> None:
        self.view.show(outcome)
        self._difference.value = "" if self._other is None else difference(outcome, self._other)._repr_html_()

    def figures_within(self) -> tuple[Figure, ...]:
        """Return the figures of the picture, or of both."""
        return tuple(one.figure for one in (self.view, self.other_view) if one is not None)

    def __repr__(self) -> str:
        shown = [one.summary() for one in (self.outcome, self._other) if one is not None]
        return f"Explorer({' | B: '.join(shorten(one, MAX_REPR, placeholder=' ...') for one in shown)})"


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
