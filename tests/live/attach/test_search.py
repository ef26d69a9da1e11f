"""The search with random running VMs: nothing differs, and it sees what would."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from workbook.lib.actions import RequestSize, Settle, Start
from workbook.lib.machine import Machine
from workbook.lib.recording.format import Step
from workbook.lib.size import GiB
from workbook.live.attach import attach, search
from workbook.live.attach.search import Tally, try_vm
from workbook.live.differential.random_vms import Sketch
from workbook.live.qemu.binary import QemuBinary
from workbook.live.qemu.qmp import Qmp

pytestmark = pytest.mark.qemu

ARGV = (
    *("qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-nodefaults", "-display", "none", "-m", "1G,maxmem=9G"),
    *("-object", "memory-backend-ram,id=mem0,size=8G,reserve=off"),
    *("-device", "virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"),
)


def sketch() -> Sketch:
    """A VM whose guest is asked for a GiB, and follows."""
    actions = (Start(), RequestSize(dev="vm0", size=GiB), Settle(dev="vm0"), RequestSize(dev="vm0", size=9 * GiB))
    return Sketch(qemu_version="10.0.2", argv=ARGV, steps=tuple(Step(action=one) for one in actions))


def test_random_running_vms(qemu_binary: QemuBinary) -> None:
    """Some VMs of the command ``python -m workbook.live.attach``, which tries 200: nothing differs."""
    tally = search.search(4, 5, qemu_binary, ["tcg"])
    assert tally.problems == []
    assert tally.attached > tally.vms > 0
    assert tally.tried > 0


def test_all_is_well_with_one_vm(qemu_binary: QemuBinary) -> None:
    """Two what-if answers of the latter half are those of QEMU; one of them is its refusal."""
    tally = Tally()
    try_vm(sketch(), qemu_binary, tally)
    assert (tally.vms, tally.attached, tally.tried, tally.problems) == (1, 2, 2, [])


def test_a_vm_that_was_changed_is_seen(qemu_binary: QemuBinary, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attachment that sets a property is a problem."""

    def meddling(path: Path, **given: object) -> Machine:
        qmp = Qmp(path, 20.0)
        qmp.execute("qom-set", {"path": "/machine/peripheral/vm0", "property": "requested-size", "value": 2 * GiB})
        qmp.close()
        return attach(path, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "attach", meddling)
    tally = Tally()
    try_vm(sketch(), qemu_binary, tally)
    assert any("the VM was changed" in one and "requested-size" in one for one in tally.problems)


def test_a_machine_in_another_state_is_seen(qemu_binary: QemuBinary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A what-if of a machine whose device is smaller is not QEMU's."""

    def smaller(path: Path, *, vhost_slots: Mapping[str, int | None], timeout: float) -> Machine:
        scenario = attach(path, vhost_slots=vhost_slots, timeout=timeout).scenario
        backends = tuple(replace(one, size=GiB // 2) for one in scenario.backends)
        devices = tuple(replace(one, requested_size=0) for one in scenario.devices)  # type: ignore[call-arg]
        return Machine(replace(scenario, backends=backends, devices=devices))

    monkeypatch.setattr(search, "attach", smaller)
    tally = Tally()
    try_vm(sketch(), qemu_binary, tally)
    assert tally.problems
