"""Every recording of a real QEMU is predicted by the model, and a recording that was changed is found out."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbook.lib.errors import BadInput
from workbook.lib.recording import NOT_COMPARED, Difference, Recording, compare, predict, rules_of
from workbook.recordings.files import read_all

DATA = Path(__file__).parents[3] / "data" / "recordings"
RECORDINGS = dict(read_all([DATA]))
GIVEN = ("action", "side")


@pytest.mark.parametrize("label", RECORDINGS)
def test_is_predicted(label: str) -> None:
    """The model gives everything that QEMU showed: trees, flat views, QMP, answers, KVM's and vhost's memslots."""
    recording = RECORDINGS[label]
    assert compare(recording, predict(recording)) == []


def test_both_qemus_are_there() -> None:
    """Recordings of QEMU 10 and of the RFC series, no fewer than were brought."""
    names = [rules_of(one["qemu_version"]).name for one in RECORDINGS.values()]
    assert names.count("qemu-10.0.2") >= 76
    assert names.count("rfc-2021") >= 138


@pytest.mark.parametrize("label", [one for one in RECORDINGS if "side" not in RECORDINGS[one]["steps"][0]])
def test_prediction_reads_only_what_was_done(label: str) -> None:
    """With every observation taken away the prediction is the same: the model copies nothing."""
    recording = RECORDINGS[label]
    bare = {**recording, "steps": [{key: step[key] for key in GIVEN if key in step} for step in recording["steps"]]}
    assert predict(bare)["steps"] == predict(recording)["steps"]


@pytest.mark.parametrize("label", RECORDINGS)
def test_typed_and_back(label: str) -> None:
    """A recording is read into types and written again without loss; what is the same in blocks stays beside bytes."""
    recording = RECORDINGS[label]
    assert Recording.from_json(recording).to_json() == {"firmware_size": 65536, **recording}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every number, text and null in a step."""
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def tampered(step: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(step)
    *way, last = path
    place: Any = changed
    for key in way:
        place = place[key]
    old = place[last]
    place[last] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old} "
    return changed


@pytest.mark.parametrize(
    "name", ["cover", "h-hot-vhost64-100g-on", "i-migration-restores-static", "hot-vhost64-100g-max63"]
)
def test_every_tampered_observation_is_reported(name: str) -> None:
    """Any one number or text of a step that is changed gives exactly one difference, at that step and field."""
    recording = next(one for one in RECORDINGS.values() if one["name"].startswith(name))
    predicted = predict(recording)
    for number, step in enumerate(recording["steps"][:4]):
        for path in leaves({key: value for key, value in step.items() if key not in NOT_COMPARED}):
            if path[:2] == ("kvm", "ioctls") and "ioctls" not in predicted["steps"][number].get("kvm", {}):
                continue  # dirty logging's ioctls come at times of their own during a migration
            steps = [*recording["steps"][:number], tampered(step, path), *recording["steps"][number + 1 :]]
            found = compare({**recording, "steps": steps}, predicted)
            assert [(one.step, one.field) for one in found] == [(number, path[0])], path


def test_a_step_too_many_is_reported() -> None:
    """Where the model says that QEMU died, steps that were recorded later are a difference."""
    recording = next(one for one in RECORDINGS.values() if one["steps"][-1]["error"] == "QEMU died: signal 6")
    longer = {**recording, "steps": [*recording["steps"], {"action": {"op": "look"}}]}
    last = len(recording["steps"])
    assert compare(longer, predict(longer)) == [
        Difference(last, "step", "step", "is there", "is missing: QEMU had died")
    ]


@pytest.mark.parametrize("change", [{"argv": ["-m", "4G,slots=17,maxmem=2T"]}, {"kvm_memslots_faked": 509}])
def test_other_circumstances_give_other_predictions(change: dict[str, Any]) -> None:
    """The command line and the faked limits decide: with others the cover letter's VM is no longer predicted."""
    covers = (one for one in RECORDINGS.values() if one["name"].startswith("cover") and one["accel"] == "kvm")
    recording = next(covers)
    changed = {**recording, **change, "argv": [*recording["argv"], *change.get("argv", [])]}
    assert compare(recording, predict(changed)) != []


@pytest.mark.parametrize("wrong", ["single", "qemu-8.2", "rfc-2021"])
def test_other_rules_give_other_predictions(wrong: str) -> None:
    """A recording of many memslots is not predicted by the rules of another QEMU."""
    recording = next(one for one in RECORDINGS.values() if one["name"] == "h-hot-vhost64-100g-on")
    differ = compare(recording, predict(recording, wrong)) != []
    assert differ == (wrong != "qemu-8.2")


@pytest.mark.parametrize(
    ("version", "rules"),
    [
        ("10.0.2 (Debian 1:10.0.2+ds-2)", "qemu-10.0.2"),
        ("11.1.3", "qemu-11.1.3"),
        ("9.2.0", "qemu-9.2.0"),
        ("8.2.0", "qemu-8.2.0"),
        ("8.1.5", "qemu-8.1.5"),
        ("7.2 with the RFC series", "rfc-2021"),
        ("7.2.19", "qemu-7.2.19"),
    ],
)
def test_rules_follow_from_the_version(version: str, rules: str) -> None:
    """The recorded version names the rule set."""
    assert rules_of(version).name == rules


@pytest.mark.parametrize("version", ["", "x.y", "10"])
def test_unknown_version(version: str) -> None:
    """One that says nothing asks for rules=."""
    with pytest.raises(BadInput, match="rules="):
        rules_of(version)


@pytest.mark.parametrize(
    "recording",
    [
        {},
        {"steps": [{}]},
        {"steps": [{"action": {"op": "start"}}], "qemu_version": "10.0"},
        {"steps": 3},
        {"steps": [3]},
    ],
)
def test_not_a_recording(recording: dict[str, Any]) -> None:
    """What lacks its parts is refused by one clear line."""
    with pytest.raises(BadInput, match="not a recording"):
        predict(recording, "qemu-10.0")


def test_unknown_action() -> None:
    """An action that nobody knows is named."""
    recording = copy.deepcopy(next(one for one in RECORDINGS.values() if len(one["steps"]) > 1))
    recording["steps"][1:] = [{"action": {"op": "dance"}}]
    with pytest.raises(BadInput, match="'dance'"):
        predict(recording)
