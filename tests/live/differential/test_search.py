"""Model against QEMU on random scenarios, and the smallest recordings of what once differed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from workbook.lib.actions import Action, DeviceAdd, DeviceDel, Plug, Reset, Start
from workbook.lib.errors import BadInput
from workbook.lib.recording import Recording, Step, predicted
from workbook.live.differential import search as differential
from workbook.live.differential.random_lines import KINDS
from workbook.live.differential.random_vms import LARGEST_FOR_KVM, Sketch, sketches
from workbook.live.differential.search import differences, main, search
from workbook.live.qemu.binary import QemuBinary
from workbook.live.qemu.process import argv_accel
from workbook.recordings.files import load

FOUND = sorted((Path(__file__).parents[3] / "data" / "recordings" / "found").glob("*.json"))
NO_QEMU = QemuBinary(Path("/nowhere/qemu"), "10.0.2 (a double)", (10, 0))
DEFECT = 1 << 20


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_once_differed_is_predicted(path: Path) -> None:
    """Every smallest recording of a difference that was found is predicted now, field by field, nothing left over."""
    assert differences(load(path)) == ()


def test_there_are_recordings_of_what_differed() -> None:
    """The evidence is there, and small: no recording has more than a few steps."""
    assert len(FOUND) >= 10
    assert max(len(load(path)["steps"]) for path in FOUND) <= 6


@pytest.mark.qemu
def test_nothing_differs(qemu_binary: QemuBinary) -> None:
    """Sixty random scenarios, the same each time: QEMU shows in every step what the model predicts."""
    outcome = search(60, 2021, qemu_binary, ["tcg"])
    assert not outcome.findings, "\n".join(map(str, outcome.findings))
    assert outcome.scenarios == 60
    assert outcome.steps > 120


@pytest.mark.qemu
def test_lines_as_people_write_them(qemu_binary: QemuBinary) -> None:
    """Forty command lines with nodes, NVDIMMs, CPU models, slips ...: QEMU starts or refuses as the model says."""
    outcome = search(40, 2026, qemu_binary, ["tcg"], of_lines=True)
    assert not outcome.findings, "\n".join(map(str, outcome.findings))
    assert 0 < outcome.started < outcome.scenarios
    assert set(outcome.kinds) <= {*KINDS, "hot-plug"}


# -- the search itself, with the model in QEMU's place ---------------------------------------------------------------


def model_plays(
    argv: Sequence[str], actions: Sequence[Action], vhost_backends: Mapping[str, int | None], **_more: object
) -> Recording:
    recording = Recording(
        qemu_version="10.0.2",
        accel=argv_accel(argv),
        argv=tuple(argv),
        vhost_backends=vhost_backends,
        steps=tuple(Step(action=one) for one in actions),
    )
    return predicted(recording)


def defective(*arguments: Any, **more: Any) -> Recording:
    """Play with a defect: a system reset takes a megabyte of the boot RAM."""
    recording = model_plays(*arguments, **more)
    return replace(recording, steps=tuple(map(spoilt, recording.steps)))


def spoilt(step: Step) -> Step:
    seen = step.observation
    if not isinstance(step.action, Reset) or seen is None or seen.view is None:
        return step
    summary = dict(seen.view.memory_size_summary)
    summary["base-memory"] -= DEFECT
    return replace(step, observation=replace(seen, view=replace(seen.view, memory_size_summary=summary)))


def test_equal_is_found_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both sides are the same, nothing is found, and every scenario is played once."""
    monkeypatch.setattr(differential, "play", model_plays)
    moved: list[int] = []
    outcome = search(40, 1, NO_QEMU, ["tcg", "kvm"], progress=moved.append)
    assert (outcome.scenarios, outcome.findings) == (40, ())
    assert sum(moved) == 40


def test_a_difference_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of QEMU's side is found, and shrunk to the machine without devices and the one action that shows it."""
    monkeypatch.setattr(differential, "play", defective)
    outcome = search(100, 3, NO_QEMU, ["tcg"], most=1)
    (finding,) = outcome.findings
    assert [step["action"]["op"] for step in finding.recording["steps"]] == ["start", "reset"]
    assert "-device" not in finding.recording["argv"]
    assert [(one.step, one.field) for one in finding.differences] == [(1, "memory_size_summary")]
    assert '  1 {"op": "reset"}' in str(finding).splitlines()


def test_nothing_may_be_left_over() -> None:
    """A field that only the model has is a difference too, and so is a recording that the model cannot play."""
    recording = model_plays(["qemu", "-accel", "tcg", "-nodefaults", "-m", "1G,maxmem=2G"], [Start()], {}).to_json()
    assert differences(recording) == ()
    del recording["steps"][0]["memory_devices"]
    (left,) = differences(recording)
    assert (left.step, left.field, left.recorded, left.shown) == (0, "memory_devices", "<not there>", [])
    (unplayable,) = differences({**recording, "argv": ["qemu", "-M", "isapc"]})
    assert unplayable.field == "prediction"


def test_qemu_without_a_device_that_the_model_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Actions that the harness cannot do on this QEMU are left out; the steps before them are compared."""

    def play(argv: Sequence[str], actions: Sequence[Action], *rest: Any, **more: Any) -> Recording:
        if any(isinstance(one, Plug) for one in actions):
            raise BadInput("there is no virtio-mem device 'vmem0'")
        return model_plays(argv, actions, *rest, **more)

    monkeypatch.setattr(differential, "play", play)
    sketch = model_plays(["qemu", "-accel", "tcg", "-m", "1G,maxmem=2G"], [Start(), Reset()], {})
    sketch = replace(sketch, steps=(*sketch.steps, Step(action=Plug(dev="vmem0"))))
    recording, finding = differential.judge(sketch, NO_QEMU)
    assert [step["action"]["op"] for step in recording["steps"]] == ["start", "reset"]
    assert finding is None


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The command writes what it found so that it can be read again, ends with a summary, and returns 1, 0 or 2."""
    monkeypatch.setattr(differential, "find_qemu", lambda _path, _least: NO_QEMU)
    monkeypatch.setattr(differential, "play", defective)
    words = ["--examples", "100", "--seed", "3", "--most", "1", "--accel", "tcg", "--found", str(tmp_path)]
    assert main(words) == 1
    *block, summary = capsys.readouterr().out.splitlines()
    (path,) = tmp_path.iterdir()
    assert f"  written to {path}" in block
    assert summary.endswith(" steps, 1 differ, seed 3, QEMU 10.0.2 (a double)")
    written = load(path)
    assert [one.field for one in differences(written)] == ["memory_size_summary"]
    assert written["name"] == path.stem
    monkeypatch.setattr(differential, "play", model_plays)
    assert main(["--examples", "5", "--accel", "tcg"]) == 0
    assert capsys.readouterr().out.startswith("5 scenarios, ")
    monkeypatch.undo()
    assert main(["--qemu", "no-such-qemu"]) == 2
    assert "no-such-qemu is not here" in capsys.readouterr().err


# -- the scenarios -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
@given(sketches(["tcg", "kvm"]))
def test_scenarios(sketch: Sketch) -> None:
    """A sketch is JSON and starts; KVM gets no large device; no device_add follows the loss of a vhost device."""
    assert Recording.from_json(json.loads(json.dumps(sketch.to_json()))) == sketch
    actions = [step.action for step in sketch.steps]
    assert [isinstance(one, Start) for one in actions] == [True] + [False] * (len(actions) - 1)
    lost = False
    for step in model_plays(sketch.argv, actions, sketch.vhost_backends).steps:
        action, seen = step.action, step.observation
        assert seen
        assert not (lost and isinstance(action, DeviceAdd))
        lost |= isinstance(action, DeviceDel) and action.id.startswith("vu")
        lost |= isinstance(action, DeviceAdd) and action.is_vhost_user and seen.error is not None
        if sketch.accel == "kvm" and seen.view:
            assert all(one["region_size"] <= LARGEST_FOR_KVM for one in seen.view.config_space.values())
