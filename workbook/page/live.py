"""The live page's other half: it reads pasted text, turns settings, and answers with what the page shows.

Runs beside `workbook.lib` in the browser. Every answer is JSON: fragments of HTML, texts, and what the controls offer.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workbook.lib.actions import RequestSize, Settle
from workbook.lib.errors import BadInput, Refusal, WorkbookError
from workbook.lib.explore.advice import advise
from workbook.lib.explore.outcome import Outcome, Problem
from workbook.lib.explore.pasted import read_pasted
from workbook.lib.explore.plug_order import reporting
from workbook.lib.explore.scenario_edits import reported_memslots, virtio_mem_devices, with_action, with_request
from workbook.lib.explore.settings import SETTINGS, Setting, SettingValue
from workbook.lib.rules import NEWEST, get
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import format_size

from . import outcome_text as words
from .drawing import budget, memory_map, metadata

if TYPE_CHECKING:
    from workbook.lib.notes import Note

__all__ = ("Session",)

TEXTS: Final[dict[str, Callable[[Outcome], str]]] = {
    "mtree": lambda outcome: outcome.info_mtree,
    "flat": lambda outcome: outcome.info_mtree_flat,
    "argv": lambda outcome: "\n".join(words.command_line(outcome)),
    "xml": lambda outcome: "\n".join(words.domain_xml(outcome)),
    "state": lambda outcome: outcome.scenario.to_json(),
}
"""Texts that are written when they are looked at."""
_SHOWN: Final = ("sliders", "toolbar", "host", "flags")
"""Groups of settings that have controls here."""


class Session:
    """What was pasted, and what has been turned since."""

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._read_as = ""
        self._notes: tuple[Note, ...] = ()
        self._width = (960, 440)

    def resize(self, wide: int, narrow: int) -> str:
        """Draw for other widths, pixels, of the map and of the two charts below it."""
        self._width = (max(wide, 280), max(narrow, 280))
        return self._answer()

    def paste(self, text: str) -> str:
        """Read a text and answer for what it is."""
        self._notes, self._outcome = (), None
        try:
            found = read_pasted(text)
        except Refusal as refusal:
            self._read_as = "a VM that is refused"
            self._outcome = Outcome.refused(Problem.of(refusal), NEWEST)
            return self._answer(controls=False)
        except BadInput as error:
            return json.dumps({"error": str(error)})
        self._read_as, self._notes = found.read_as, found.notes
        if found.failure is not None:
            rules = get(found.scenario.rules)
            self._outcome = Outcome(found.scenario, rules, refusal=Problem.of(found.failure))
            return self._answer(controls=False)
        self._outcome = Outcome.of(found.scenario)
        return self._answer()

    def turn(self, name: str, position: int) -> str:
        """Turn a setting to a position of its control: to a choice; of a flag, to yes (1) or no (0)."""
        setting = SETTINGS[name]
        value = position == 1 if setting.kind == "flag" else _choices(setting, self._scenario)[position][1]
        return self._changed(lambda scenario: _turned(setting, scenario, value))

    def report(self, name: str, text: str) -> str:
        """Let a vhost back end report another limit: a number of memslots, a program, or nothing."""
        index = [one.id for one in self._scenario.devices].index(name)
        return self._changed(lambda scenario: reporting(scenario, index, text))

    def advice(self) -> str:
        """Answer with the verdict again, and what would help: that takes many times as long as the verdict."""
        if self._outcome is None:
            return json.dumps({})
        return json.dumps({"verdict": words.verdict(self._outcome, advise(self._outcome))})

    def text(self, name: str) -> str:
        """Return one of `TEXTS`."""
        return TEXTS[name](self._outcome) if self._outcome is not None else ""

    @property
    def _scenario(self) -> Scenario:
        return self._outcome.scenario if self._outcome else Scenario()

    def _changed(self, change: Callable[[Scenario], Scenario]) -> str:
        before = self._outcome
        try:
            self._outcome = Outcome.of(change(self._scenario))
            return self._answer()
        except WorkbookError as error:
            self._outcome = before
            return json.dumps({"error": str(error)})

    def _answer(self, *, controls: bool = True) -> str:
        outcome = self._outcome
        if outcome is None:
            return json.dumps({})
        wide, narrow = self._width
        answer = {
            "read_as": self._read_as,
            "notes": [[one.kind, one.where, one.text] for one in self._notes],
            "vm": words.vm_in_words(outcome.scenario) if outcome.scenario.devices or outcome.steps else "",
            "sentence": words.sentence(outcome),
            "numbers": words.numbers(outcome),
            "verdict": words.verdict(outcome, ()),
            "trace": words.traces(outcome),
            "map": memory_map(outcome, wide),
            "metadata": metadata(outcome, narrow),
            "budget": budget(outcome, narrow),
            "controls": list(_controls(outcome.scenario)) if controls else [],
            "backends": list(_backends(outcome.scenario)) if controls else [],
        }
        return json.dumps(answer)


def _turned(setting: Setting[SettingValue], scenario: Scenario, value: SettingValue) -> Scenario:
    """Return the scenario with a setting turned; the guest follows every request."""
    asked = {one.id: _asked(scenario, one.id) for one in virtio_mem_devices(scenario)}
    if setting.name == "requested_size" and isinstance(value, int):
        asked = dict.fromkeys(asked, value)
    else:
        scenario = setting.put(scenario, value)
    others = tuple(one for one in scenario.actions if not isinstance(one, RequestSize | Settle))
    scenario = replace(scenario, actions=others)
    for name, size in asked.items():
        try:
            largest = SETTINGS["device_size"].get(scenario, name)
        except BadInput:
            continue
        if size and isinstance(largest, int):
            scenario = with_action(with_request(scenario, min(size, largest), name), "settle", name)
    return scenario


def _asked(scenario: Scenario, name: str | None) -> int:
    value = SETTINGS["requested_size"].get(scenario, name)
    return value if isinstance(value, int) else 0


def _choices(setting: Setting[SettingValue], scenario: Scenario) -> list[tuple[str, SettingValue]]:
    """Return what a control offers: the setting's choices up to its limit, and the value that the VM has."""
    value = setting.get(scenario, None)
    limit = SETTINGS[setting.upper_limit].get(scenario, None) if setting.upper_limit else None
    choices = [(label, one) for label, one in setting.choices if not _above(one, limit)]
    for own in (value, limit):
        if own not in [one for _, one in choices] and (own is not None or own is value):
            choices.append((_label(setting, own), own))
    if setting.kind in {"size", "limit"}:
        choices.sort(key=lambda one: one[1] if isinstance(one[1], int) else -1)
    return choices


def _above(value: SettingValue, limit: SettingValue) -> bool:
    return isinstance(value, int) and isinstance(limit, int) and value > limit


def _label(setting: Setting[SettingValue], value: SettingValue) -> str:
    if isinstance(value, int) and setting.kind == "size":
        return format_size(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _controls(scenario: Scenario) -> Iterator[dict[str, object]]:
    shown = (one for one in SETTINGS.values() if one.group in _SHOWN)
    for setting in sorted(shown, key=lambda one: _SHOWN.index(one.group)):
        try:
            value = setting.get(scenario, None)
            choices = [] if setting.kind == "flag" else _choices(setting, scenario)
        except BadInput:
            # the VM has nothing of the kind
            continue
        kind = "range" if setting.kind in {"size", "limit"} else "flag" if setting.kind == "flag" else "select"
        at = int(value is True) if kind == "flag" else [one for _, one in choices].index(value)
        labels = [label for label, _ in choices]
        yield {
            "name": setting.name,
            "label": setting.label,
            "help": setting.help,
            "kind": kind,
            "labels": labels,
            "at": at,
        }


def _backends(scenario: Scenario) -> Iterator[dict[str, object]]:
    """Yield the vhost back ends: what was not in the text, a reader has to say."""
    for one in scenario.devices:
        if isinstance(one, VhostDevice) and one.id:
            slots = reported_memslots(one)
            yield {
                "name": one.id,
                "driver": one.driver,
                "slots": slots,
                "assumed": one.slots is None and not one.kernel,
            }
