"""A panel: sliders, charts and texts for one scenario, everything decided beforehand."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from workbook.charts import OutcomeCharts
from workbook.charts.theme import ThemeName
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.settings import SETTINGS, virtio_mem_devices
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario

from . import outcome_text as words
from .bokeh_recorder import Charts, PropertyRecorder, Snapshot
from .frame_store import FrameStore
from .positions import Axis, Detail, Grid
from .walkthrough import Step

__all__ = ("Panel", "panel")

CHARTS: Final = {
    "map": "Memory map: guest-physical addresses",
    "overhead": "Overhead: what KVM keeps for the mapped memslots",
    "budget": "Budget: memslots used and reserved, per limit",
}
LINES: Final = {
    "mtree": "info mtree: device memory as QEMU's monitor prints it",
    "flat": "info mtree -f: the flat view",
    "argv": "QEMU command line",
    "xml": "libvirt domain",
    "state": "State: paste it into the explorer's State field",
}
"""Texts of lines, with their headings."""
JOINED: Final = {"state": ","}
"""How the pieces of a text are joined where they are no lines."""
_OPEN: Final = ("mtree", "argv")
_WORDS: Final = ("vm", "sentence", "numbers", "verdict", "cells", "trace", *(f"{name}-words" for name in CHARTS))


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page that works by itself.

    Attributes
    ----------
    html
        What is seen before any script runs.
    data
        Plain JSON data for ``panel.js``.
    positions
        How many positions were decided.
    """

    html: str
    data: dict[str, Any]
    positions: int


class _Recorder:
    """Plays scenarios and takes down everything that a page shows of them."""

    def __init__(self, name: str) -> None:
        self.frames = FrameStore()
        self._charts: dict[ThemeName, OutcomeCharts] = {}
        self.recorder = PropertyRecorder(self._build, self.frames, f"{name}-")
        self._written: dict[tuple[Scenario, str], tuple[list[str], list[str]]] = {}
        self.taken: list[tuple[Snapshot, list[int]]] = []

    def _build(self, theme: ThemeName) -> Charts:
        self._charts[theme] = OutcomeCharts(theme=theme)
        return self._charts[theme].by_name

    def _play(self, scenario: Scenario, rules: RuleSet | str) -> Outcome:
        """Play one scenario and show it."""
        outcome = Outcome.of(replace(scenario, rules=get(rules).name), rules)
        for charts in self._charts.values():
            charts.update(outcome)
        return outcome

    def take(self, scenario: Scenario, rules: RuleSet | str) -> int:
        """Play one scenario; return the number of what was taken."""
        shown = self._words(self._play(scenario, rules))
        parts = [self.frames.value(shown[name]) for name in _WORDS]
        parts += [self.frames.column(shown[name]) for name in LINES]
        self.taken.append((self.recorder.snapshot(), parts))
        return len(self.taken) - 1

    def words_of(self, scenario: Scenario, rules: RuleSet | str) -> dict[str, Any]:
        """Return the texts alone, for the page before any script runs."""
        return self._words(self._play(scenario, rules))

    def _words(self, outcome: Outcome) -> dict[str, Any]:
        charts = next(iter(self._charts.values())).by_name
        bare = replace(outcome.scenario, actions=())
        if (bare, outcome.rules.name) not in self._written:
            # neither knows actions: most positions share them
            self._written[bare, outcome.rules.name] = (words.command_line(outcome), words.domain_xml(outcome))
        argv, xml = self._written[bare, outcome.rules.name]
        return {
            "vm": html.escape(words.vm_in_words(outcome.scenario)),
            "sentence": html.escape(words.sentence(outcome)),
            "numbers": words.numbers(outcome),
            "verdict": words.verdict(outcome),
            "cells": words.comparison_cells(outcome),
            "trace": words.traces(outcome),
            **{f"{name}-words": html.escape(chart.describe()) for name, chart in charts.items()},
            "mtree": outcome.info_mtree.splitlines(),
            "flat": outcome.info_mtree_flat.splitlines(),
            "argv": argv,
            "xml": xml,
            "state": outcome.scenario.to_json().split(JOINED["state"]),
        }

    def plain(self) -> dict[str, Any]:
        """Return the stored values, the frames in the order in which they were taken, and what a frame is made of."""
        tracked = sorted({which for snapshot, _ in self.taken for which in snapshot})
        built = {which: self.recorder.as_built(which) for which in tracked}
        frames = [
            self.frames.frame([*(snapshot.get(which, built[which]) for which in tracked), *parts])
            for snapshot, parts in self.taken
        ]
        return {
            "documents": self.recorder.documents,
            "roots": self.recorder.roots,
            "tracked": [[name, attribute, self.recorder.columns((name, attribute))] for name, attribute in tracked],
            "words": list(_WORDS),
            "lines": [[name, JOINED.get(name, "\n")] for name in LINES],
            "shown": frames,
            **self.frames.plain(),
        }


def panel(
    scenario: Scenario,
    story: Sequence[Step],
    *,
    rules: RuleSet | str | None = None,
    detail: Detail = "full",
    name: str = "panel",
    level: int = 2,
) -> Panel:
    """Decide every position of the sliders around `scenario`, and every step of the story under every rule set.

    Parameters
    ----------
    story
        What happens; one of its steps is the scenario itself.
    rules
        A rule set of your own, in place of the scenario's.
    name
        Of the panel in its page, unlike any other.
    level
        Of its headings.
    """
    grid = Grid.around(scenario, rules, detail=detail)
    recorder = _Recorder(name)
    steps = [[recorder.take(step.scenario, one) for one in grid.rules] for step in story]
    lengths = [len(axis.choices) for axis in grid.axes]
    positions = {_index(at, lengths): recorder.take(*grid.at(at)) for at in grid.positions()}
    start = next((index for index, step in enumerate(story) if step.scenario == scenario), len(story) - 1)
    data = {
        **recorder.plain(),
        "axes": [_plain_axis(axis) for axis in grid.axes],
        "grid": _runs_of_positions(positions),
        "steps": steps,
        "places": [_places(step.scenario, grid) for step in story],
        "start": start,
    }
    first = recorder.words_of(story[start].scenario, grid.rules[grid.axes[0].start])
    others = [recorder.words_of(story[start].scenario, one)["cells"] for one in grid.rules]
    return Panel(_html(grid, story, start, first, others, name, level), data, len(recorder.taken))


def _index(at: Sequence[int], lengths: Sequence[int]) -> int:
    index = 0
    for one, length in zip(at, lengths, strict=True):
        index = index * length + one
    return index


def _runs_of_positions(positions: dict[int, int]) -> list[list[int]]:
    """Return (first index, first frame, how many) of positions that follow each other."""
    runs: list[list[int]] = []
    for index, frame in positions.items():
        if runs and runs[-1][0] + runs[-1][2] == index and runs[-1][1] + runs[-1][2] == frame:
            runs[-1][2] += 1
        else:
            runs.append([index, frame, 1])
    return runs


def _plain_axis(axis: Axis) -> dict[str, Any]:
    values = [value if isinstance(value, int | str | None) else str(label) for label, value in axis.choices]
    return {"name": axis.name, "labels": [label for label, _ in axis.choices], "values": values, "start": axis.start}


def _places(scenario: Scenario, grid: Grid) -> list[int]:
    """Return where the sliders stand at a step of the story: at the nearest values that they have."""
    places = []
    for axis in grid.axes:
        values = [value for _, value in axis.choices]
        if axis.name == "rules" or (axis.name != "vhost_slots" and not virtio_mem_devices(scenario)):
            places.append(axis.start)
            continue
        own = SETTINGS[axis.name].get(scenario, None)
        near = [index for index, one in enumerate(values) if one == own]
        near = near or [index for index, one in enumerate(values) if one is not None and own is not None and one <= own]
        places.append(near[-1] if near else axis.start)
    return places


# -- what is seen before any script runs ------------------------------------------------------------------------------


def _html(
    grid: Grid,
    story: Sequence[Step],
    start: int,
    first: dict[str, Any],
    others: Sequence[str],
    name: str,
    level: int,
) -> str:
    heading = f"h{level}"
    controls = [
        _rules_control(grid.axes[0], name),
        *(_slider(axis, name) for axis in grid.axes[1:] if len(axis.choices) > 1),
    ]
    figures = {
        chart: f"<figure class='{chart}' aria-label='{html.escape(title)}'>"
        f"<div class='chart' data-chart='{chart}'></div>"
        f"<details class='in-words'><summary>The picture in words</summary>"
        f"<p data-words='{chart}-words'>{first[f'{chart}-words']}</p></details></figure>"
        for chart, title in CHARTS.items()
    }
    texts = "".join(
        f"<details class='text'{' open' if one in _OPEN else ''}><summary>{html.escape(title)}</summary>"
        f"<pre tabindex='0' data-lines='{one}' aria-label='{html.escape(title)}'>"
        f"{html.escape(JOINED.get(one, chr(10)).join(first[one]))}</pre></details>"
        for one, title in LINES.items()
    )
    return (
        f"<div class='panel' id='{name}'>"
        f"{_story(story, start, heading) if len(story) > 1 else ''}"
        f"<div class='bench'><form class='controls' aria-label='Sliders' onsubmit='return false'>"
        f"<{heading}>Sliders</{heading}>{''.join(controls)}"
        f"<p class='mode' data-mode></p>"
        f"<button type='button' data-back>Back to the start</button></form>"
        f"<div class='results'><p class='vm' data-words='vm'>{first['vm']}</p>"
        f"<p class='sentence' role='status' aria-live='polite' data-words='sentence'>{first['sentence']}</p>"
        f"<dl class='numbers' data-words='numbers'>{first['numbers']}</dl>"
        f"<div data-words='verdict'>{first['verdict']}</div>"
        f"{figures['map']}<div class='pair'>{figures['overhead']}{figures['budget']}</div></div></div>"
        f"<div class='tables'><section><{heading}>The same VM under every rule set</{heading}>"
        f"<div class='scroll' tabindex='0' role='group' aria-label='Rule sets compared'>"
        f"{_comparison(grid, others)}</div></section>"
        f"<section><{heading}>Why this many memslots</{heading}>"
        f"<div class='scroll trace' tabindex='0' role='group' aria-label='The decision' data-words='trace'>"
        f"{first['trace']}</div></section></div>"
        f"<{heading}>In QEMU's words</{heading}>{texts}</div>"
    )


def _story(story: Sequence[Step], start: int, heading: str) -> str:
    items = "".join(
        f"<li><button type='button' data-step='{index}' aria-pressed='{'true' if index == start else 'false'}'>"
        f"<strong>{html.escape(step.title)}</strong>"
        + (f"<span>{html.escape(step.shows)}</span>" if step.shows else "")
        + (f"<span class='evidence'>{html.escape(step.evidence)}</span>" if step.evidence else "")
        + "</button></li>"
        for index, step in enumerate(story)
    )
    return f"<{heading}>What happens, step by step</{heading}><ol class='story'>{items}</ol>"


def _rules_control(axis: Axis, name: str) -> str:
    choices = "".join(
        f"<label><input type='radio' name='{name}-rules' value='{index}'{' checked' if index == axis.start else ''}>"
        f"<span>{html.escape(label)}</span></label>"
        for index, (label, _) in enumerate(axis.choices)
    )
    return f"<fieldset data-axis='rules'><legend>{axis.label}</legend>{choices}</fieldset>"


def _slider(axis: Axis, name: str) -> str:
    label, last = html.escape(axis.choices[axis.start][0]), len(axis.choices) - 1
    identity = f"{name}-{axis.name}"
    return (
        f"<div class='slider'><label for='{identity}'>{html.escape(axis.label)}</label>"
        f"<output for='{identity}' aria-live='off'>{label}</output>"
        f"<input type='range' id='{identity}' data-axis='{axis.name}' min='0' max='{last}' step='1' "
        f"value='{axis.start}' aria-valuetext='{label}' aria-describedby='{identity}-help'>"
        f"<small id='{identity}-help'>{html.escape(axis.help)}</small></div>"
    )


def _comparison(grid: Grid, cells: Iterable[str]) -> str:
    head = "".join(f"<th scope='col'>{html.escape(one)}</th>" for one in ("rule set", *words.COMPARED))
    rows = "".join(
        f"<tr data-rules='{index}'{' aria-current=true' if index == grid.axes[0].start else ''}>"
        f"<th scope='row'>{html.escape(label)}</th>{one}</tr>"
        for index, ((label, _), one) in enumerate(zip(grid.axes[0].choices, cells, strict=True))
    )
    return f"<table class='comparison'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
