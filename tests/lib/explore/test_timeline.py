"""Timeline: a scenario action by action."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from workbook.lib.actions import (
    Action,
    DeviceAdd,
    DeviceDel,
    Plug,
    RequestSize,
    Reset,
    Settle,
    State,
    Unplug,
    UnplugAll,
    VhostStart,
)
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.explore.timeline import Problem, timeline
from workbook.lib.json_codec import JsonObject
from workbook.lib.memory.flatview import ChangeKind
from workbook.lib.rules import RULE_SETS
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB

REBOOT = PRESETS["cover-letter-reboot"].scenario
TWO = SETTINGS["devices"].put(SETTINGS["device_size"].put(PRESETS["cover-letter"].scenario, 20 * GiB, None), 2, None)


def _actions() -> st.SearchStrategy[Action]:
    device = st.sampled_from(("vm0", "vm1"))
    blocks = st.integers(0, 10 * 512).map(lambda number: number * 2 * MiB)
    return st.one_of(
        st.builds(RequestSize, dev=device, size=st.one_of(blocks, st.just(3 * GiB + 1))),
        *(st.builds(kind, dev=device, offset=blocks, size=blocks) for kind in (Plug, Unplug)),
        *(st.builds(kind, dev=device) for kind in (Settle, UnplugAll)),
        st.just(Reset()),
    )


def test_steps_of_the_cover_letter() -> None:
    """The start and each action are a step with what was mapped then, what was added and what vanished."""
    steps = timeline(REBOOT)
    assert [step.title for step in steps] == [
        "start",
        "vm0: request 2 GiB",
        "vm0: request 20 GiB",
        "vm0: request 5 GiB",
        "reboot",
    ]
    assert [sum(one.used for one in step.layout.devices) for step in steps] == [0, 3, 21, 21, 6]
    assert [(step.added, step.deleted) for step in steps] == [
        (0, 0),
        (3 * GiB, 0),
        (18 * GiB, 0),
        (0, 0),
        (0, 15 * GiB),
    ]
    assert steps[0].action is None
    assert [step.action for step in steps[1:]] == list(REBOOT.actions)


@settings(max_examples=40)
@given(st.lists(_actions(), max_size=8), st.sampled_from(tuple(RULE_SETS)))
def test_after_equals_a_fresh_play(actions: list[Action], rules: str) -> None:
    """What is shown after the first actions is what a VM shows that was only asked for these."""
    outcome = Outcome.of(replace(TWO, actions=tuple(actions)), rules)
    assert len(outcome.steps) == len(actions) + 1
    for count in range(len(actions) + 1):
        after, fresh = outcome.after(count), Outcome.of(replace(TWO, actions=tuple(actions[:count])), rules)
        assert after.scenario == fresh.scenario
        assert after.summary() == fresh.summary()
        assert after.info_mtree == fresh.info_mtree
        assert after.info_mtree_flat == fresh.info_mtree_flat
        assert after.cost == fresh.cost
        assert after.problem == fresh.problem
        assert after.single.summary() == fresh.single.summary()


@settings(max_examples=40)
@given(st.lists(_actions(), max_size=8), st.sampled_from(tuple(RULE_SETS)))
def test_changes_lead_from_step_to_step(actions: list[Action], rules: str) -> None:
    """What listeners are told turns the ranges of one step into those of the next; refusals change nothing."""
    steps = timeline(replace(TWO, actions=tuple(actions)), rules)
    for before, after in pairwise(steps):
        assert all(one.kind is not ChangeKind.NOP for one in after.changes)
        ranges = {(one.start, one.size) for one in before.layout.view}
        for change in after.changes:
            place = (change.range.start, change.range.size)
            if change.kind is ChangeKind.DEL:
                ranges.remove(place)
            else:
                assert place not in ranges
                ranges.add(place)
        assert ranges == {(one.start, one.size) for one in after.layout.view}
        assert after.added - after.deleted == sum(after.layout.memslot_sizes) - sum(before.layout.memslot_sizes)
        if after.problem:
            assert after.changes == ()


def test_a_refused_action_is_told_and_the_next_one_is_played() -> None:
    """An action that QEMU refuses has its words; what follows is played."""
    actions = (
        RequestSize(dev="vm0", size=GiB + 1),
        RequestSize(dev="vm0", size=501 * GiB),
        RequestSize(dev="vm0", size=2 * GiB),
    )
    steps = timeline(replace(PRESETS["cover-letter"].scenario, actions=actions))
    assert [step.problem.by_qemu if step.problem else None for step in steps] == [None, True, True, None]
    assert steps[1].problem
    assert steps[1].problem.message == "'requested-size' has to be multiples of 'block-size' (0x200000)"
    assert sum(one.used for one in steps[-1].layout.devices) == 3


def test_an_impossible_action_is_a_problem_but_not_qemus() -> None:
    """An action for a device that is not there, or not of the kind, is the user's mistake."""
    for action in (Settle(dev="vm9"), VhostStart(dev="vm0"), RequestSize(dev="mem0")):
        (_, step) = timeline(replace(PRESETS["cover-letter"].scenario, actions=(action,)))
        assert step.problem
        assert not step.problem.by_qemu
        assert "\n" not in step.problem.message


def test_devices_come_and_go() -> None:
    """A device_add stands in a timeline, a refused one too, and what follows may be about the new device."""
    memory = JsonObject({"qom-type": "memory-backend-ram", "id": "m9", "size": GiB})
    add = DeviceAdd(driver="virtio-mem-pci", id="vm9", props=JsonObject({"memdev": "m9"}), object=memory)
    actions = (add, RequestSize(dev="vm9", size=GiB), Settle(dev="vm9"), add, RequestSize(dev="vm9"), Settle(dev="vm9"))
    scenario = replace(PRESETS["cover-letter"].scenario, rules="qemu-10.0", actions=(*actions, DeviceDel(id="vm9")))
    assert Scenario.from_json(scenario.to_json()) == scenario
    steps = timeline(scenario)
    assert steps[1].title == "device_add virtio-mem-pci,id=vm9"
    assert [len(step.layout.devices) for step in steps] == [1, 2, 2, 2, 2, 2, 2, 1]
    assert [step.problem.message if step.problem else None for step in steps] == [
        *[None] * 4,
        "attempt to add duplicate property 'm9' to object (type 'container')",
        *[None] * 3,
    ]


def test_a_vm_that_does_not_start_has_no_timeline() -> None:
    """A refused start raises; nothing of it is left."""
    with pytest.raises(Refusal):
        timeline(PRESETS["vhost-after"].scenario)
    with pytest.raises(BadInput):
        timeline(Scenario(rules="qemu-99"))


def test_titles_of_every_action() -> None:
    """Titles name device, what happened in words, and the size where there is one."""
    wanted = {
        Settle(dev="vm0"): "vm0: guest follows",
        Plug(dev="vm0", size=2 * MiB): "vm0: guest plugs 2 MiB",
        UnplugAll(dev="vm1"): "vm1: guest unplugs all",
        Reset(): "reboot",
        State(dev="vm0", size=2 * MiB): "vm0: state 2 MiB",
        RequestSize(dev="vm0"): "vm0: request 0 B",
    }
    steps = timeline(replace(TWO, actions=tuple(wanted)))
    assert [step.title for step in steps[1:]] == list(wanted.values())


def test_a_problem_says_whose_it_is() -> None:
    """QEMU's words come with advice; a bad input is a line of its own."""
    assert Problem.of(Refusal("no", "do yes")) == Problem("no", "do yes", by_qemu=True)
    assert Problem.of(BadInput("what?")) == Problem("what?", "", by_qemu=False)
