"""Presets: each plays, and what its sentence says is true."""

import re
from dataclasses import replace

import pytest

from workbook.lib.actions import RequestSize
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS, cover_letter
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.qemu_args.reader import read_argv
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import GiB, TiB, format_size

REFUSED = {"promised-too-much", "vhost-after"}


def facts(name: str) -> set[str]:
    """Every number that a preset has or comes to, as its sentence may write it."""
    scenario = PRESETS[name].scenario
    outcome, alone = Outcome.of(scenario), Outcome.of(SETTINGS["vhost_slots"].put(scenario, None, None))
    sizes = {one.size for one in scenario.backends} | {outcome.single.cost.total // GiB * GiB}
    numbers = {outcome.used, outcome.promised, alone.promised}
    numbers |= {one.slots for one in scenario.devices if isinstance(one, VhostDevice) and one.slots}
    numbers |= set(map(int, re.findall(r"\d+", outcome.problem.message if outcome.problem else "")))
    for device in outcome.layout.devices if outcome.layout else ():
        numbers.add(device.decision.count)
        sizes.add(device.decision.memslot_size)
    return {str(one) for one in numbers} | {format_size(one) for one in sizes}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_plays(name: str) -> None:
    """A preset starts and plays all of its actions, or is refused because that is what it shows."""
    preset = PRESETS[name]
    outcome = Outcome.of(preset.scenario)
    assert (outcome.problem is not None) == (name in REFUSED)
    if name not in REFUSED:
        assert len(outcome.steps) == len(preset.scenario.actions) + 1
        assert outcome.layout
        assert outcome.layout.warnings == ()
    assert preset.title
    assert preset.source
    assert "\n" not in preset.shows


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_sentence_is_true(name: str) -> None:
    """A number of memslots, a limit or a size in what a preset says it shows is one that the model gives."""
    said = re.findall(r"\b\d+ [GT]iB|\b\d+", re.sub(r"\([^)]*\)", "", PRESETS[name].shows))
    assert set(said) <= facts(name)


def test_the_cover_letters_four_steps() -> None:
    """The sentences of the cover letter's presets name the memslots that are mapped."""
    assert [
        (Outcome.of(PRESETS[name].scenario).used, PRESETS[name].shows.split(" ")[0])
        for name in ("cover-letter", "cover-letter-2g", "cover-letter-20g", "cover-letter-reboot")
    ] == [(0, "no"), (3, "3"), (21, "21"), (6, "6")]


def test_one_tib_is_what_the_series_is_for() -> None:
    """One memslot for 1 TiB costs more than 2 GiB before the guest uses it; split, it costs a thousandth."""
    outcome = Outcome.of(PRESETS["one-tib"].scenario)
    assert outcome.single.cost.total > 2 * GiB
    assert outcome.cost.total < outcome.single.cost.total / 400
    assert SETTINGS["device_size"].get(outcome.scenario, None) == TiB


def test_the_heuristic_promises_too_much() -> None:
    """Worked example R19: granted 128, accepted 120."""
    scenario = PRESETS["promised-too-much"].scenario
    assert "(128 vs. 120)" in str(Outcome.of(scenario).problem)
    assert SETTINGS["devices"].get(scenario, None) == 2


def test_the_late_back_end_is_accepted_when_it_comes_first() -> None:
    """What the late back end's preset is refused for is the order alone."""
    scenario = PRESETS["vhost-after"].scenario
    problem = Outcome.of(scenario).problem
    assert problem
    assert problem.by_qemu
    assert Outcome.of(SETTINGS["vhost_place"].put(scenario, "before", None)).problem is None
    assert Outcome.of(SETTINGS["vhost_slots"].put(scenario, None, None)).promised == 100


def test_nested_guests_cost_what_the_tdp_mmu_saves() -> None:
    """With nested guests the cost is that of shadow paging; without them it is less."""
    scenario = PRESETS["nested"].scenario
    nested = Outcome.of(scenario).cost
    assert nested.rmap == Outcome.of(replace(scenario, tdp_mmu=False)).cost.rmap > 0
    saving = Outcome.of(replace(scenario, nested=False)).cost
    assert saving.rmap == 0
    assert saving.total < nested.total


def test_old_and_new_virtiofsd_differ_in_the_back_end_only() -> None:
    """Kata's two presets are one VM with two back ends: one memslot, or thirty."""
    new, old = PRESETS["kata-virtiofsd"].scenario, PRESETS["kata-old-virtiofsd"].scenario
    assert SETTINGS["vhost_slots"].put(old, 509, None) == new
    assert [Outcome.of(one).promised for one in (new, old)] == [30, 1]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_travel(name: str) -> None:
    """A preset is a saved state, and its command line describes the same machine."""
    scenario = PRESETS[name].scenario
    assert Scenario.from_json(scenario.to_json()) == scenario
    outcome = Outcome.of(scenario)
    limits = {str(one.id): one.slots for one in scenario.devices if isinstance(one, VhostDevice)}
    again = read_argv(outcome.command_line, rules=outcome.rules, vhost_slots=limits)
    assert [one.id for one in again.devices] == [one.id for one in scenario.devices]
    assert (again.ram, again.maxmem, again.chipset) == (scenario.ram, scenario.maxmem, scenario.chipset)


def test_the_cover_letters_vm_takes_actions() -> None:
    """The cover letter's VM can be given a history of its own."""
    action = RequestSize(dev="vm0", size=7 * GiB)
    assert cover_letter(action).actions == (action,)
    assert Outcome.of(cover_letter(action)).used == 8
