"""The explorer's presets, saved as command lines, on the real QEMU."""

import shlex
from pathlib import Path

import pytest

from workbook.lib.actions import Start
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.scenario import VhostDevice
from workbook.live.qemu.binary import QemuBinary
from workbook.live.qemu.recorder import play, usable_accel


@pytest.mark.qemu
@pytest.mark.parametrize("name", PRESETS)
def test_a_saved_preset_starts(name: str, qemu_binary: QemuBinary) -> None:
    """QEMU takes a preset's command line, or refuses it in the words that the preset shows."""
    scenario = PRESETS[name].scenario
    outcome = Outcome.of(scenario)
    if scenario.chipset not in ("q35", "pc"):
        pytest.skip(f"{scenario.chipset} is a machine of another program")
    if not outcome.rules.is_release:
        pytest.skip("only the QEMU with the RFC series has its properties")
    if scenario.accel == "kvm" and (not Path("/dev/kvm").exists() or usable_accel() != "kvm"):
        pytest.skip("no /dev/kvm")
    backends = {str(one.id): one.slots for one in scenario.devices if isinstance(one, VhostDevice)}
    line = outcome.command_line
    words = shlex.split(line) if isinstance(line, str) else list(line)
    for number, word in enumerate(words):
        if word.startswith("memory-backend-"):
            words[number] = f"{word},reserve=off"  # this machine need not have the memory
        for one in backends:
            words[number] = words[number].replace(f"/tmp/{one}.sock", f"TMP/{one}")
    (step,) = play(words, [Start()], backends, qemu=qemu_binary).steps
    assert step.observation is not None
    error = step.observation.error
    if outcome.problem is None:
        assert error is None
    else:
        assert outcome.problem.message in (error or "")
