"""Random running VMs, attached to: the machine is in their state, what-if is what they then do, they are left alone.

As a command: ``python -m workbook.live.attach --examples 200 --seed 1``. Each VM of `workbook.live.differential` is
started on a real QEMU, some of its actions are done, and then before every one of the rest a machine is attached, asked
what the action would do, and compared with what QEMU then does.
"""

import argparse
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, Verbosity, given, seed as with_seed, settings

from workbook.lib.actions import (
    Action,
    DeviceAdd,
    Migrate,
    MigrateCancel,
    MigrateIncoming,
    Plug,
    RawRequest,
    State,
    Unplug,
    UnplugAll,
)
from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.machine import Machine
from workbook.lib.machine.machine import StateAnswer
from workbook.lib.machine.what_if import WhatIfReport
from workbook.lib.memory import mtree
from workbook.lib.recording import Observation
from workbook.live.differential.random_vms import Sketch, sketches
from workbook.live.progress_bar import progress_bar
from workbook.live.qemu.actions import perform
from workbook.live.qemu.binary import MINIMUM_VERSION, QemuBinary, find_qemu, usable_accel
from workbook.live.qemu.process import QemuDied, QemuHangs, without_harness
from workbook.live.qemu.qmp import Qmp, QmpRefusal
from workbook.live.qemu.session import Session

from .machine import attach

__all__ = ("Tally", "main", "properties_of", "search", "try_vm")

SECOND_MONITOR: Final = ("-qmp", "unix:TMP/attach,server=on,wait=off")
"""A socket for the attachment: the harness has the other one."""
_TIMEOUT: Final = 20.0
_FOLDERS: Final = ("/machine/peripheral", "/machine/peripheral-anon", "/objects")
_BOARD: Final = ("/machine/unattached", "/machine/q35", "/machine/i440fx")
_ELSEWHERE: Final = (Migrate, MigrateCancel, MigrateIncoming)
"""What happens to the VM from outside its monitor's memory: not asked as a what-if."""


@dataclass
class Tally:
    """What was seen.

    Attributes
    ----------
    vms, attached
        VMs that ran, and attachments to them.
    silent
        VMs that gave the harness no answer in time: the machine is too busy.
    tried, dependent
        What-if answers compared, and those that rest on what cannot be read and are said to: not counted as equal.
    problems
        What differs, and a VM that was changed; one line each.
    """

    vms: int = 0
    silent: int = 0
    attached: int = 0
    tried: int = 0
    dependent: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        silent = f" ({self.silent} gave no answer in time)" if self.silent else ""
        return (
            f"{self.vms} VMs{silent}, {self.attached} times attached, {self.tried} what-if answers compared, "
            f"{self.dependent} more depend on what is assumed, {len(self.problems)} problems"
        )


def try_vm(sketch: Sketch, qemu: QemuBinary, tally: Tally) -> None:
    """Run one VM, attach to it before each of its later actions, and tally what is seen."""
    limits = dict(sketch.vhost_backends)
    actions = [step.action for step in sketch.steps]
    driven = len(actions) // 2
    argv = shlex.join(without_harness(sketch.argv))
    with tempfile.TemporaryDirectory(prefix="attach-") as folder:
        try:
            with Session(
                qemu, [*sketch.argv, *SECOND_MONITOR], limits, _TIMEOUT, Path(folder) / "migration"
            ) as session:
                tally.vms += 1
                for number, action in enumerate(actions):
                    if number >= driven:
                        tally.problems += [
                            f"{one} [step {number} of {argv}]"
                            for one in _compared(session, action, limits, tally, is_first=number == driven)
                        ]
                    else:
                        perform(session, action)
                    if isinstance(action, DeviceAdd) and action.is_vhost_user:
                        limits[str(action.id)] = action.vhost_slots
        except QemuHangs:
            tally.silent += 1
        except (QemuDied, BadInput):
            return  # it does not start, dies as it should, or lacks a device: the differential search looks at that


def _compared(
    session: Session, action: Action, limits: dict[str, int | None], tally: Tally, *, is_first: bool
) -> Iterator[str]:
    """Attach, ask what an action would do, do it, and yield what differs; the first time also what has changed."""
    folders = _looked_at(session.qmp, tally) if is_first else ()
    before = properties_of(session.qmp, folders)
    vm = attach(session.process.directory / "attach", vhost_slots=limits, timeout=_TIMEOUT)
    tally.attached += 1
    changed = set(properties_of(session.qmp, folders)) ^ set(before)
    if changed:
        yield f"the VM was changed: {sorted(changed)[:3]}"
    yield from (str(note) for note in vm.notes if "disagree" in note.text)
    report = None if isinstance(action, _ELSEWHERE) else _what_if(vm, action)
    seen = perform(session, action)
    if report is None or (isinstance(action, DeviceAdd) and action.id is None):
        return
    if _depends(vm, action):
        tally.dependent += 1
        return
    tally.tried += 1
    yield from _differences(report, seen, action)


def _what_if(vm: Machine, action: Action) -> WhatIfReport | None:
    try:
        return vm.what_if_report(action)
    except BadInput:
        return None  # it names what is not there


def _depends(vm: Machine, action: Action) -> bool:
    """Whether an answer rests on what cannot be read, and the machine says that it is assumed."""
    notes = [note for note in vm.notes if note.kind == "assumed"]
    blocks = {note.where for note in notes if "blocks are plugged" in note.text}
    name = getattr(action, "dev", None)
    if name in blocks or (bool(blocks) and name is None):
        return True
    if any(note.where == name and "usable region" in note.text for note in notes):
        return _end(vm, action) > vm.bus.virtio_mem(str(name)).usable_region_size
    return False


def _end(vm: Machine, action: Action) -> int:
    """Return the first byte of a device behind what a request asks for; 0 for other actions."""
    match action:
        case Plug() | Unplug() | State():
            return action.offset + (action.size or 0)
        case RawRequest():
            device = vm.bus.virtio_mem(action.dev)
            return action.gpa - device.addr + action.nb_blocks * device.block_size
    return 0


def _differences(report: WhatIfReport, seen: Observation, action: Action) -> Iterator[str]:
    said = report.refusal.message if report.refusal else None
    if said != seen.error:
        yield f"{action}: what-if says {said!r}, QEMU {seen.error!r}"
        return
    if seen.view is None or said is not None:
        return
    (answer,) = report.answers
    if isinstance(answer, StateAnswer):
        answer = answer.response
    asked = isinstance(action, Plug | Unplug | State | RawRequest | UnplugAll)
    if asked and (None if answer is None else str(answer)) != seen.response:
        yield f"{action}: what-if answers {answer}, QEMU {seen.response}"
    root = report.after.root
    shown = tuple(mtree.tree_lines(root)) if root else ()
    if shown != seen.view.info_mtree:
        yield f"{action}: info mtree after it differs: {shown[:2]} and {seen.view.info_mtree[:2]}"


def properties_of(qmp: Qmp, folders: Sequence[str] = _FOLDERS) -> list[tuple[str, str, str]]:
    """Return path, name and value of everything that QOM shows of what is in some containers."""
    found = []
    for folder in folders:
        for child in sorted(qmp.execute("qom-list", {"path": folder}), key=lambda one: str(one["name"])):
            if not str(child["type"]).startswith("child<"):
                continue
            path = f"{folder}/{child['name']}"
            for one in qmp.execute("qom-list", {"path": path}):
                try:
                    value = str(qmp.execute("qom-get", {"path": path, "property": one["name"]}))
                except QmpRefusal as refusal:
                    value = str(refusal)
                found.append((path, str(one["name"]), value))
    return found


def _looked_at(qmp: Qmp, tally: Tally) -> tuple[str, ...]:
    """Return the containers that are compared; every eighth VM's board too, which has thousands of properties."""
    there = {f"/machine/{one['name']}" for one in qmp.execute("qom-list", {"path": "/machine"})}
    return (*_FOLDERS, *(one for one in _BOARD if one in there and tally.vms % 8 == 1))


def search(
    examples: int,
    seed: int,
    qemu: QemuBinary,
    accels: Sequence[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> Tally:
    """Try so many random VMs; the same seed gives the same ones."""
    tally = Tally()

    @with_seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(sketches(accels, qemu.version))
    def tried(sketch: Sketch) -> None:
        try_vm(sketch, qemu, tally)
        if progress is not None:
            progress(1)

    tried()
    return tally


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.attach") -> int:
    """Run the command; return 0 where all is equal, 1 where something is not, 2 for a bad call."""
    parser = argparse.ArgumentParser(prog=prog, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=200, metavar="N", help="how many VMs (default: 200)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same VMs")
    parser.add_argument("--qemu", metavar="PATH", help="the executable (default: qemu-system-x86_64 on PATH)")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="only this accelerator (default: all that work here)")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        qemu = find_qemu(options.qemu, MINIMUM_VERSION)
        accels = [options.accel] if options.accel else ["tcg", "kvm"] if usable_accel() == "kvm" else ["tcg"]
        with progress_bar(options.examples, "VMs") as (_, moved):
            tally = search(options.examples, options.seed, qemu, accels, progress=moved)
    except WorkbookError as error:
        print(f"attach: {error}", file=sys.stderr)
        return 2
    for one in tally.problems:
        print(one)
    print(f"{tally}, seed {options.seed}, QEMU {qemu.version}")
    return 1 if tally.problems else 0
